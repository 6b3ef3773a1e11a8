"""Recordings as inputs of the linker."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from kspanpy.core.linker import Linker
from kspanpy.core.model import Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import Input, LookupOwner, OwnerMissing, SpanEnded
from kspanpy.decode import to_step
from kspanpy.decode.results import Malformed
from kspanpy.replay import read

FIXTURES = Path(__file__).parents[1] / "fixtures"
RECORDINGS = sorted([*FIXTURES.glob("captures/*.gz"), *FIXTURES.glob("recorded/*.gz")])
SETTINGS = LinkerSettings(cluster_uid="the-cluster")

Taken: TypeAlias = tuple[int, Input]


def inputs_of(path: Path) -> list[Taken]:
    """(now in ns, input) for every line."""
    found: list[Taken] = []
    now_ns = 0
    with read(str(path)) as capture:
        for entry in capture:
            now_ns = max(now_ns, entry.received_ns)
            step = None if isinstance(entry.what, Malformed) else to_step(entry.what.type, entry.what.object)
            if step is not None:
                found.append((now_ns, step))
    return found


def feed(linker: Linker, taken: Iterable[Taken], *, answer: bool = True) -> list[Span]:
    """What the linker makes of it. Nobody knows other owners, and says so if there is an `answer`."""
    spans: list[Span] = []
    for now_ns, fact in taken:
        waiting: deque[Input] = deque([fact])
        while waiting:
            step = waiting.popleft()
            for output in linker.step(step, now_ns):
                if isinstance(output, SpanEnded):
                    spans.append(output.span)
                elif isinstance(output, LookupOwner) and answer:
                    waiting.append(OwnerMissing(output.reference, "unavailable"))
    return spans


def ended(linker: Linker, now_ns: int) -> list[Span]:
    """The spans of its end."""
    return [output.span for output in linker.finish(now_ns) if isinstance(output, SpanEnded)]
