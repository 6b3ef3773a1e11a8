"""Feeds a recording to a linker. The clock is the newest time of receipt so far: no waiting, the same result every time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from kspanpy.core.model import Event, ObjectReference, Span
from kspanpy.core.steps import Discarded, DiscardReason, Input, LookupOwner, Output, OwnerMissing, SpanEnded
from kspanpy.decode import to_step
from kspanpy.decode.results import Malformed, MalformedReason
from kspanpy.replay.reader import Entry

# A file can not be asked. An object that is in it comes by itself; the others stay unknown.
_NO_ANSWER = "unavailable"
MAX_ANSWERS = 10_000  # per line: a linker that asks for ever is stopped


class Linker(Protocol):
    """What is needed of `kspanpy.core.linker.Linker`."""

    def step(self, input_: Input, now_ns: int, /) -> list[Output]:
        """Takes one input."""

    def finish(self, now_ns: int, /) -> list[Output]:
        """Closes what is open."""


class ReplaySummary(msgspec.Struct):
    """What a replay read and gave."""

    lines: int = 0
    events: int = 0  # versions of Events, without expired ones
    objects: int = 0
    spans: int = 0
    lookups: int = 0
    discarded: Counter[DiscardReason] = msgspec.field(default_factory=Counter)
    malformed: Counter[MalformedReason] = msgspec.field(default_factory=Counter)
    first_received_ns: int | None = None
    last_received_ns: int | None = None


def replay(
    entries: Iterable[Entry],
    linker: Linker,
    emit: Callable[[Span], object],
    *,
    on_lookup: Callable[[ObjectReference], Input | None] | None = None,
) -> ReplaySummary:
    """Runs a recording to its end; `emit` gets every span as it ends. `on_lookup` may answer for owners in place of nobody."""
    summary = ReplaySummary()
    now_ns = 0
    for entry in entries:
        now_ns = max(now_ns, entry.received_ns)
        summary.lines += 1
        if isinstance(entry.what, Malformed):
            summary.malformed[entry.what.reason] += 1
            continue
        if summary.first_received_ns is None:
            summary.first_received_ns = entry.received_ns
        summary.last_received_ns = now_ns
        thing = entry.what.object
        step = to_step(entry.what.type, thing)
        if step is None:
            continue
        if isinstance(thing, Event):
            summary.events += 1
        else:
            summary.objects += 1
        _carry_out(linker.step(step, now_ns), linker, emit, summary=summary, now_ns=now_ns, on_lookup=on_lookup)
    _carry_out(linker.finish(now_ns), linker, emit, summary=summary, now_ns=now_ns, on_lookup=None)
    return summary


def _carry_out(
    outputs: list[Output],
    linker: Linker,
    emit: Callable[[Span], object],
    *,
    summary: ReplaySummary,
    now_ns: int,
    on_lookup: Callable[[ObjectReference], Input | None] | None,
) -> None:
    waiting = deque(outputs)
    answers = 0
    while waiting:
        match waiting.popleft():
            case SpanEnded(span=span):
                summary.spans += 1
                emit(span)
            case Discarded(reason=reason):
                summary.discarded[reason] += 1
            case LookupOwner(reference=reference):
                summary.lookups += 1
                if answers < MAX_ANSWERS:
                    answers += 1
                    answer = on_lookup(reference) if on_lookup is not None else None
                    waiting.extend(linker.step(answer or OwnerMissing(reference, _NO_ANSWER), now_ns))
