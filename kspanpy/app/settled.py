"""When the oldest span was finished whose fate is open, told from the counters of a sink alone. Pure: times are given.

Sinks settle spans in the order in which they came, with three exceptions, in which this says rather an earlier time: the batch in
flight may be settled in any order; what is dropped for want of room is not the very oldest; what can not be sent is dropped at once.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from kspanpy.export import ExportStats
from kspanpy.export.sink import DropReason

BATCH: Final = 512  # spans in flight at a time, at most
UNKNOWN_S: Final = 3600.0  # how old spans may be that a former process has left: as old as the API server's Events
_MARKS: Final = 2048
_APART_S: Final = 0.5


class Settled:
    """Follows one sink from its first span on."""

    def __init__(self, stats: ExportStats, now: float) -> None:
        self._marks: deque[tuple[int, float]] = (
            deque()
        )  # (how many were emitted by then, when the first of these was finished)
        self._floor = 0  # so many, counted from the first, are settled for certain
        self._lost = _lost(stats)
        self._clear_at: int | None = None  # after a loss: how many must have arrived until order is certain again
        if stats.emitted:
            self._marks.append((stats.emitted, now - UNKNOWN_S))

    def offered(self, stats: ExportStats, finished: float) -> None:
        """Spans were just handed over, and `stats` read after that; the oldest of them was finished then, and not before earlier ones."""
        emitted = stats.emitted
        if len(self._marks) > 1 and (finished - self._marks[-1][1] < _APART_S or len(self._marks) > _MARKS):
            _, finished = self._marks.pop()
        self._marks.append((emitted, finished))

    def oldest(self, stats: ExportStats, now: float) -> float:
        """When it was finished, or earlier; `now` when nothing is pending."""
        lost, arrived = _lost(stats), stats.acknowledged + stats.dropped.get(DropReason.REJECTED, 0)
        if not stats.pending:
            self._marks.clear()
            self._floor, self._lost, self._clear_at = stats.emitted, lost, None
            return now
        if lost != self._lost:
            self._lost, self._clear_at = lost, arrived + stats.pending
        if self._clear_at is not None and arrived >= self._clear_at:
            self._clear_at = None
        if self._clear_at is None:
            slack = BATCH if stats.in_flight else 0
            self._floor = max(self._floor, stats.emitted - stats.pending - slack)
        while self._marks and self._marks[0][0] <= self._floor:
            self._marks.popleft()
        return min(self._marks[0][1], now) if self._marks else now


def _lost(stats: ExportStats) -> int:
    """Dropped, but not by the receiver."""
    return stats.dropped_total - stats.dropped.get(DropReason.REJECTED, 0)
