"""`kspanpy replay` and `kspanpy demo`: a recording through the linker, the spans to a sink and, where wanted, to a person."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import msgspec

from kspanpy.app.linking import linker_settings
from kspanpy.core.linker import Linker
from kspanpy.core.model import AttributeValue, Span
from kspanpy.core.telling.attributes import is_root
from kspanpy.decode import nanoseconds, rfc3339
from kspanpy.export import SpanSink
from kspanpy.replay import Capture, Entry, ReplaySummary, replay
from kspanpy.settings import Settings

_BATCH = 512
_START_TIME = "k8s.event.start_time"


class Telling:
    """One run of a recording. `spans` keeps all of them if `keep`, for the tree: a recording's size, and not bounded otherwise."""

    def __init__(
        self,
        settings: Settings,
        *,
        service: str,
        sinks: Sequence[SpanSink] = (),
        keep: bool = False,
        to_now: bool = False,
    ) -> None:
        self.spans: list[Span] = []
        self.told = 0
        self.stories = 0
        self.lines = 0
        self.seconds = 0.0
        self.summary = ReplaySummary()
        self._settings, self._service = settings, service
        self._sinks, self._keep, self._to_now = sinks, keep or to_now, to_now
        self._batch: list[Span] = []

    def run(self, capture: Capture) -> ReplaySummary:
        """To the end of the recording."""
        began = time.monotonic()
        settings = linker_settings(self._settings, cluster_uid=capture.header.cluster_uid, service=self._service)
        self.summary = replay(self._counted(capture), Linker(settings), self._emit)
        if self._to_now and self.spans:
            self.spans = self._batch = moved(self.spans, now_ns=time.time_ns())
        self._offer()
        self.seconds = time.monotonic() - began
        return self.summary

    def _counted(self, capture: Capture) -> Iterator[Entry]:
        for entry in capture:
            self.lines += 1
            yield entry

    def _emit(self, span: Span) -> None:
        self.told += 1
        self.stories += is_root(span)
        if self._keep:
            self.spans.append(span)
        self._batch.append(span)
        if len(self._batch) >= _BATCH and not self._to_now:
            self._offer()

    def _offer(self) -> None:
        for sink in self._sinks:
            sink.offer(self._batch)
        self._batch = []


def moved(spans: Sequence[Span], *, now_ns: int) -> list[Span]:
    """`spans` as if they ended now, as traces of their own: recorded long ago, for a viewer that shows the last hour."""
    by_ns = now_ns - max(span.end_ns for span in spans)
    salt = by_ns.to_bytes(8, "big", signed=True)
    return [
        msgspec.structs.replace(
            span,
            trace_id=_other(span.trace_id, salt),
            start_ns=span.start_ns + by_ns,
            end_ns=span.end_ns + by_ns,
            attributes=_dated(span.attributes, by_ns),
            links=tuple(msgspec.structs.replace(link, trace_id=_other(link.trace_id, salt)) for link in span.links),
        )
        for span in spans
    ]


def _dated(attributes: dict[str, AttributeValue], by_ns: int) -> dict[str, AttributeValue]:
    at_ns = nanoseconds(str(attributes.get(_START_TIME, "")))
    return attributes if at_ns is None else attributes | {_START_TIME: rfc3339(at_ns + by_ns)}


def _other(trace_id: bytes, salt: bytes) -> bytes:
    mask = (salt * 16)[: len(trace_id)]
    return bytes(a ^ b for a, b in zip(trace_id, mask, strict=True))
