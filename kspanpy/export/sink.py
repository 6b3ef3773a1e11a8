"""Where spans go: the interface of every output, and how each tells what became of them.

Invariant, at every moment and for every sink: emitted = acknowledged + dropped (all reasons) + queued + in flight + left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from kspanpy.core.model import Span


class DropReason(StrEnum):
    """Why a span was lost. A closed list: it is a metric label."""

    INVALID_ID = "invalid_id"  # a trace, span or parent id of the wrong length, or all zero
    INVALID_TIME = "invalid_time"  # a time that the wire format (uint64 nanoseconds) can not hold
    ENCODING = "encoding"  # anything else that could not be encoded
    TOO_LARGE = "too_large"  # one span larger than a request may be
    QUEUE_FULL = "queue_full"  # the receiver was away for longer than the queue could hold: the oldest went
    REJECTED = "rejected"  # the receiver said for good that it does not want it
    WRITE_FAILED = "write_failed"  # the output file is full, broken, or nobody reads the pipe any more
    SHELF_LOST = "shelf_lost"  # were on the disk only, and it no longer has them
    SHUTDOWN = "shutdown"  # still queued when the process had to end


class AttemptResult(StrEnum):
    """How one request ended. A closed list: it is a metric label."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"  # accepted, but the receiver counted some spans as rejected
    TRANSIENT = "transient"  # to be tried again
    PERMANENT = "permanent"  # never to be tried again as it is


@dataclass(frozen=True, kw_only=True)
class ExportStats:
    """One consistent reading of a sink's counters."""

    emitted: int = 0
    """Including `recovered`."""
    recovered: int = 0
    """Left on the shelf by the process before."""
    acknowledged: int = 0
    dropped: Mapping[DropReason, int] = field(default_factory=dict)
    left: int = 0
    """Still on the shelf when this sink was closed: the next process sends them."""
    queued: int = 0
    """In memory or spilled."""
    queued_bytes: int = 0
    in_flight: int = 0
    spilled: int = 0
    """Those of `queued` that are on the shelf only."""
    capacity: int = 0
    """How many spans may wait; 0 where nothing waits. With a shelf, which is limited in bytes only: about how many."""
    capacity_bytes: int = 0
    fullness: float = 0.0
    """How much of the limits is used, 0 to 1: at 1 the oldest are dropped."""
    shelf_errors: int = 0
    """Calls of the shelf that failed."""
    repaired: int = 0
    """Spans that were sent with something cut, replaced or left out; they are not lost and so not in the invariant."""
    attempts: Mapping[AttemptResult, int] = field(default_factory=dict)
    last_success_ns: int = 0
    """Wall clock; 0 before the first success."""
    last_error: str = ""
    """Of the newest attempt, empty after a success. One line, at most 256 characters, header values taken out."""

    @property
    def dropped_total(self) -> int:
        """All reasons together."""
        return sum(self.dropped.values())

    @property
    def pending(self) -> int:
        """Spans whose fate is open."""
        return self.queued + self.in_flight


class SpanSink(Protocol):
    """An output. None of these methods raises, whatever the spans and the receiver are like."""

    def offer(self, spans: Sequence[Span]) -> None:
        """Take the spans, or count them as dropped. Never waits for the network."""

    def drain(self, deadline_s: float) -> bool:
        """Hand over everything that is pending; False if `deadline_s` seconds were not enough."""

    def close(self) -> None:
        """Stop at once. What is still pending is counted as dropped, or left on a shelf. Safe to call twice."""

    def stats(self) -> ExportStats:
        """The counters now."""
