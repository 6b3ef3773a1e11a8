"""The bounded queue between the linker and the network: sans-IO, and the one place where spans are counted.

A span is *queued*, then *in flight* as part of a batch, then *acknowledged* or *dropped*. Without a shelf two limits hold
together, in spans and in bytes. When the queue is full the OLDEST waiting spans go, because

* a story's root span is sent last, and a trace without its root is worse than a root without some early children;
* what is recent is what somebody looks at when the backend is back, and what backends still index well.

Spans in flight are never dropped for room: they may be arriving just now.

With a shelf (`shelf.py`) every span has a number there. The same two limits then say how much of it is in memory: the oldest.
Newer ones are *spilled*, that is only counted here, and come back by `loaded` when there is room. What bounds all of them
together is `shelf_bytes`; beyond it the oldest go, too. What is pending at the end is *left* for the next process.
This class never touches the shelf: `wanted`, `settled` and `is_over` say what its driver (`shelving.py`) has to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from kspanpy.export.sink import DropReason

OVERHEAD: Final = 192
"""Bytes that one waiting span costs besides its encoded content, in memory and (rounded up) on a shelf."""

LOAD_SPANS: Final = 4096
LOAD_BYTES: Final = 4 * 1024 * 1024
"""At most so much is loaded from the shelf at a time: a few milliseconds."""


class EncodedSpan(msgspec.Struct, frozen=True, gc=False):
    """A span as it will be sent."""

    key: bytes
    """trace id and span id, 24 bytes."""
    service: str
    payload: bytes
    """The span as a field of a ScopeSpans message: tag, length, content."""
    number: int = 0
    """Its number on the shelf; 0: it is in memory only."""

    @property
    def size(self) -> int:
        """What it costs to keep."""
        return len(self.payload) + OVERHEAD

    def numbered(self, number: int) -> EncodedSpan:
        """The same span with its place on the shelf."""
        return EncodedSpan(self.key, self.service, self.payload, number)


class QueueLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may wait, and when a batch is sent."""

    spans: int = 65_536
    bytes: int = 64 * 1024 * 1024
    shelf_bytes: int = 256 * 1024 * 1024
    """Of everything together where there is a shelf; `spans` and `bytes` are then the part that is in memory."""
    batch_spans: int = 512
    # Receivers refuse gRPC messages over 4 MiB by default; room is left for the resources around the spans.
    batch_bytes: int = 2_621_440
    batch_age_ns: int = 1_000_000_000


class Wanted(NamedTuple):
    """What is to be loaded from the shelf: `Shelf.load(after, spans=spans, size=size)`."""

    after: int
    spans: int
    size: int


class SpanQueue:
    """Not safe for threads by itself: whoever owns it holds a lock."""

    def __init__(self, limits: QueueLimits) -> None:
        self.limits = limits
        self._largest = min(limits.batch_bytes, limits.bytes)
        self.emitted = 0
        self.recovered = 0
        self.acknowledged = 0
        self.dropped = dict.fromkeys(DropReason, 0)
        self.left = 0
        self.spilled = 0
        """Spans that wait and are on the shelf only."""
        self.in_flight = 0
        self.in_flight_bytes = 0
        self.shelved_bytes = 0
        """Of all spans with a number that are not settled."""
        self._waiting: deque[EncodedSpan] = deque()  # in memory
        self._came: deque[int] = deque()  # when each of them came: 56 bytes a span less than pairs would take
        self._waiting_bytes = 0
        self._spilled_bytes = 0
        self._read = 0  # the highest number that is or was in memory
        self._settled: list[int] = []

    @property
    def queued(self) -> int:
        """Spans that wait for a batch."""
        return len(self._waiting) + self.spilled

    @property
    def queued_bytes(self) -> int:
        """What they cost, in memory or on the shelf."""
        return self._waiting_bytes + self._spilled_bytes

    @property
    def pending(self) -> int:
        """Spans whose fate is open."""
        return self.queued + self.in_flight

    @property
    def is_over(self) -> bool:
        """The shelf is too full, and the oldest must be loaded before they can be dropped."""
        return self.spilled > 0 and self.shelved_bytes > self.limits.shelf_bytes

    def fits(self, span: EncodedSpan) -> bool:
        """Whether it can be sent and kept at all."""
        return span.size <= self._largest

    def recover(self, spans: int, size: int) -> None:
        """The process before has left these on the shelf: they count as emitted and wait."""
        self.emitted += spans
        self.recovered += spans
        self.spilled += spans
        self._spilled_bytes += size
        self.shelved_bytes += size

    def refuse(self, reason: DropReason) -> None:
        """A span came that can not even be queued."""
        self.emitted += 1
        self.dropped[reason] += 1

    def put(self, span: EncodedSpan, now_ns: int) -> None:
        """A span came, with its number if it is on the shelf. The oldest make room for it."""
        size = span.size
        if size > self._largest:
            self.refuse(DropReason.TOO_LARGE)
            self._forget(span)
            return
        self.emitted += 1
        if not span.number:
            self._waiting.append(span)
            self._came.append(now_ns)
            self._waiting_bytes += size
            while self._is_over_memory() and self._waiting:
                self._drop_oldest()  # at worst the one that just came, when everything else is in flight
            return
        self.shelved_bytes += size
        if self.spilled or self._is_over_memory(1, size):
            self.spilled += 1
            self._spilled_bytes += size
        else:
            self._append(span, now_ns)
        self._fit_shelf()

    def wanted(self) -> Wanted | None:
        """What is to be loaded now; None while memory is more than half full or has everything."""
        if not self.spilled:
            return None
        limits = self.limits
        room = limits.spans - self.in_flight - len(self._waiting)
        room_bytes = limits.bytes - self.in_flight_bytes - self._waiting_bytes
        enough = max(
            limits.bytes // 2, min(limits.batch_bytes, limits.bytes)
        )  # for any span, so that each load gets on
        if not self.is_over and (room * 2 < limits.spans or room_bytes < enough):
            return None
        return Wanted(self._read, max(1, min(room, LOAD_SPANS)), max(1, min(room_bytes, LOAD_BYTES)))

    def loaded(self, spans: Sequence[EncodedSpan], now_ns: int) -> None:
        """What the shelf gave for `wanted`, numbered. Nothing: it has lost what was spilled, and that is counted."""
        if not spans:
            self.dropped[DropReason.SHELF_LOST] += self.spilled
            self.spilled = 0
            self._settle_spilled()
        for span in spans:
            if span.number <= self._read:
                continue
            if self.fits(span) and self._is_over_memory(1, span.size) and not self.is_over:
                break  # the next time
            if not self.spilled:  # the shelf has more than it said
                self.recover(1, span.size)
            self._read = span.number
            self.spilled -= 1
            self._spilled_bytes -= span.size
            self._settle_spilled()
            if self.fits(span):
                self._append(span, now_ns)
            else:  # the limits were others when it was put there
                self.dropped[DropReason.TOO_LARGE] += 1
                self.shelved_bytes -= span.size
                self._forget(span)
            self._fit_shelf()

    def settled(self) -> list[int]:
        """The numbers that may be removed from the shelf since the last call."""
        numbers, self._settled = self._settled, []
        return numbers

    def due_ns(self) -> int | None:
        """When the next batch shall be taken; None when nothing waits in memory, the past when a batch is full."""
        if not self._waiting:
            return None
        since = self._came[0]
        if len(self._waiting) >= self.limits.batch_spans or self._waiting_bytes >= self.limits.batch_bytes:
            return since
        return since + self.limits.batch_age_ns

    def take(self, most: int | None = None) -> tuple[EncodedSpan, ...]:
        """The oldest spans, as many as one request may carry (and `most`). They are in flight until they are settled."""
        most = self.limits.batch_spans if most is None else min(most, self.limits.batch_spans)
        batch: list[EncodedSpan] = []
        size = 0
        while self._waiting and len(batch) < most:
            span = self._waiting[0]
            if size + span.size > self.limits.batch_bytes:
                break
            self._pop()
            batch.append(span)
            size += span.size
        self._waiting_bytes -= size
        self.in_flight += len(batch)
        self.in_flight_bytes += size
        return tuple(batch)

    def acknowledge(self, spans: Sequence[EncodedSpan], *, rejected: int = 0) -> None:
        """The receiver has these; how many of them it will not keep, but not which, it may have said."""
        self._settle(spans)
        rejected = min(max(rejected, 0), len(spans))
        self.acknowledged += len(spans) - rejected
        self.dropped[DropReason.REJECTED] += rejected

    def reject(self, spans: Sequence[EncodedSpan], reason: DropReason) -> None:
        """These were in flight and will never arrive."""
        self._settle(spans)
        self.dropped[reason] += len(spans)

    def abandon(self, in_flight: Sequence[EncodedSpan], reason: DropReason) -> int:
        """The end: what waits, and these, stays on the shelf for the next process or is lost; how many are lost."""
        self.in_flight -= len(in_flight)
        self.in_flight_bytes -= sum(span.size for span in in_flight)
        pending = [*in_flight, *self._waiting]
        lost = sum(not span.number for span in pending)
        self.dropped[reason] += lost
        self.left += len(pending) - lost + self.spilled
        self._waiting.clear()
        self._came.clear()
        self._waiting_bytes = self.spilled = self._spilled_bytes = self.shelved_bytes = 0
        return lost

    def _pop(self) -> EncodedSpan:
        self._came.popleft()
        return self._waiting.popleft()

    def _append(self, span: EncodedSpan, now_ns: int) -> None:
        self._waiting.append(span)
        self._came.append(now_ns)
        self._waiting_bytes += span.size
        self._read = span.number

    def _is_over_memory(self, more: int = 0, size: int = 0) -> bool:
        """Whether what is in memory, and `more` spans of `size` bytes, would be over its limits."""
        limits = self.limits
        return (
            len(self._waiting) + self.in_flight + more > limits.spans
            or self._waiting_bytes + self.in_flight_bytes + size > limits.bytes
        )

    def _fit_shelf(self) -> None:
        while self._waiting and self.shelved_bytes > self.limits.shelf_bytes:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self._pop()
        self._waiting_bytes -= oldest.size
        self.dropped[DropReason.QUEUE_FULL] += 1
        if oldest.number:
            self.shelved_bytes -= oldest.size
            self._forget(oldest)

    def _settle(self, spans: Sequence[EncodedSpan]) -> None:
        self.in_flight -= len(spans)
        self.in_flight_bytes -= sum(span.size for span in spans)
        for span in spans:
            if span.number:
                self.shelved_bytes -= span.size
                self._forget(span)

    def _settle_spilled(self) -> None:
        """Bytes are those that the shelf named: with the last span, whatever they were wrong by is gone."""
        if not self.spilled:
            self.shelved_bytes -= self._spilled_bytes
            self._spilled_bytes = 0

    def _forget(self, span: EncodedSpan) -> None:
        if span.number:
            self._settled.append(span.number)
