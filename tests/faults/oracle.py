"""The oracle: what is owed to the collector, what has arrived, and what arrived twice with another content."""

from __future__ import annotations

import threading
from collections import defaultdict

from fakes.collector import FakeCollector

from kspanpy.core import ids


class Oracle:
    """Every version of every Event that was written is owed as a span of its own."""

    def __init__(self) -> None:
        self.owed: dict[bytes, tuple[str, int]] = {}
        self._lock = threading.Lock()

    def owe(self, uid: str, n: int) -> None:
        """An occurrence has been written to the API server."""
        with self._lock:
            self.owed[ids.event_span_id(uid, n)] = (uid, n)

    def __len__(self) -> int:
        return len(self.owed)

    def missing(self, collector: FakeCollector) -> list[tuple[str, int]]:
        """Owed and not delivered."""
        delivered = set(collector.accepted)
        with self._lock:
            return [occurrence for span_id, occurrence in self.owed.items() if span_id not in delivered]


def copies(collector: FakeCollector) -> dict[bytes, set[bytes]]:
    """Trace id + span id -> the different contents in which it arrived, resources included."""
    found: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for request in collector.requests:
        for resource in request.resource_spans:
            resource_bytes = resource.resource.SerializeToString(deterministic=True)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    content = resource_bytes + span.SerializeToString(deterministic=True)
                    found[span.trace_id + span.span_id].add(content)
    return found


def differing(collector: FakeCollector) -> list[str]:
    """Names of spans that arrived in more than one form, or in more than one trace: a second story."""
    wrong = [key.hex() for key, contents in copies(collector).items() if len(contents) > 1]
    traces: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for key in copies(collector):
        traces[key[16:]].add(key[:16])
    return wrong + [f"{span.hex()} in {len(found)} traces" for span, found in traces.items() if len(found) > 1]


def arrived(collector: FakeCollector) -> tuple[int, int]:
    """How many spans arrived, and how many of them for the first time."""
    return len(collector.accepted), len(set(collector.accepted))
