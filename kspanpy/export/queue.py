"""The bounded queue between the linker and the network: sans-IO, and the one place where spans are counted.

A span is *queued*, then *in flight* as part of a batch, then *acknowledged* or *dropped*. Two limits hold together, in
spans and in bytes. When the queue is full the OLDEST waiting spans go, because

* a story's root span is sent last, and a trace without its root is worse than a root without some early children;
* what is recent is what somebody looks at when the backend is back, and what backends still index well.

Spans in flight are never dropped for room: they may be arriving just now.

Items are ready bytes, so a queue on disk can take this one's place: `put`, `take`, `acknowledge`, `reject` and `clear` are all
that the delivery uses, a batch stays the queue's own until it is settled, and nothing here looks into an item.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from kspanpy.export.sink import DropReason

OVERHEAD: Final = 192
"""Bytes of memory that one waiting span costs besides its encoded content."""


class EncodedSpan(msgspec.Struct, frozen=True, gc=False):
    """A span as it will be sent."""

    key: bytes
    """trace id and span id, 24 bytes."""
    service: str
    payload: bytes
    """The span as a field of a ScopeSpans message: tag, length, content."""

    @property
    def size(self) -> int:
        """What it costs to keep."""
        return len(self.payload) + OVERHEAD


class QueueLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may wait, and when a batch is sent."""

    spans: int = 65_536
    bytes: int = 64 * 1024 * 1024
    batch_spans: int = 512
    # Receivers refuse gRPC messages over 4 MiB by default; room is left for the resources around the spans.
    batch_bytes: int = 2_621_440
    batch_age_ns: int = 1_000_000_000


class SpanQueue:
    """Not safe for threads by itself: whoever owns it holds a lock."""

    def __init__(self, limits: QueueLimits) -> None:
        self.limits = limits
        self.emitted = 0
        self.acknowledged = 0
        self.dropped = dict.fromkeys(DropReason, 0)
        self.queued_bytes = 0
        self.in_flight = 0
        self.in_flight_bytes = 0
        self._waiting: deque[tuple[int, EncodedSpan]] = deque()  # (when it came, span)

    @property
    def queued(self) -> int:
        """Spans that wait for a batch."""
        return len(self._waiting)

    @property
    def pending(self) -> int:
        """Spans whose fate is open."""
        return len(self._waiting) + self.in_flight

    def refuse(self, reason: DropReason) -> None:
        """A span came that can not even be queued."""
        self.emitted += 1
        self.dropped[reason] += 1

    def put(self, span: EncodedSpan, now_ns: int) -> None:
        """A span came. The oldest make room for it."""
        if span.size > min(self.limits.batch_bytes, self.limits.bytes):
            self.refuse(DropReason.TOO_LARGE)
            return
        self.emitted += 1
        self._waiting.append((now_ns, span))
        self.queued_bytes += span.size
        while self._is_over():
            _, oldest = self._waiting.popleft()  # at worst the one that just came, when everything else is in flight
            self.queued_bytes -= oldest.size
            self.dropped[DropReason.QUEUE_FULL] += 1

    def due_ns(self) -> int | None:
        """When the next batch shall be taken; None when nothing waits, the past when a batch is full."""
        if not self._waiting:
            return None
        since = self._waiting[0][0]
        if len(self._waiting) >= self.limits.batch_spans or self.queued_bytes >= self.limits.batch_bytes:
            return since
        return since + self.limits.batch_age_ns

    def take(self) -> tuple[EncodedSpan, ...]:
        """The oldest spans, as many as one request may carry. They are in flight until they are settled."""
        batch: list[EncodedSpan] = []
        size = 0
        while self._waiting and len(batch) < self.limits.batch_spans:
            span = self._waiting[0][1]
            if size + span.size > self.limits.batch_bytes:
                break
            self._waiting.popleft()
            batch.append(span)
            size += span.size
        self.queued_bytes -= size
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

    def clear(self, reason: DropReason) -> int:
        """Give up everything that waits; how many that was."""
        lost = len(self._waiting)
        self._waiting.clear()
        self.queued_bytes = 0
        self.dropped[reason] += lost
        return lost

    def _settle(self, spans: Sequence[EncodedSpan]) -> None:
        self.in_flight -= len(spans)
        self.in_flight_bytes -= sum(span.size for span in spans)

    def _is_over(self) -> bool:
        return bool(self._waiting) and (
            self.pending > self.limits.spans or self.queued_bytes + self.in_flight_bytes > self.limits.bytes
        )
