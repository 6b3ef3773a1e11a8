"""The sink of a replica that may not be the leader: it sends what it is given while it leads, and keeps it while it does not.

A standby tells the same stories as the leader, so at a takeover it has what the leader may have left unsent. It need not keep
what the leader has had acknowledged: as the leader's checkpoint advances (`Election.settled_until`), what was finished here long
enough before is *yielded*. Long enough is `margin_s`, because two replicas do not see and finish everything in the same instant.
What is kept twice is sent twice, byte for byte the same: harmless. What is yielded too early could be lost: so in doubt it is kept.

What is kept or yielded was never handed to the exporter, so it is not counted as emitted. When there is no room the oldest go, and
count as emitted and dropped (queue_full): the leader has most likely sent them, but nobody here knows.

Leadership that was lost without an end is no end here: what the inner sink has is sent, the rest is kept again, and the view stays warm.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from kspanpy.core.model import Span
from kspanpy.export import ExportStats, SpanSink
from kspanpy.export.sink import DropReason

_OVERHEAD: Final = 128  # bytes that a span costs here besides its content
_PORTION: Final = 512  # spans handed on at a time, so that not all are in memory twice
_NANOSECONDS: Final = 1_000_000_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Span).decode


class Kept(NamedTuple):
    """How much a standby holds."""

    spans: int
    bytes: int
    yielded: int
    dropped: int


class StandbySink:
    """A SpanSink around another one. Safe for threads; `offer` is called by one."""

    def __init__(
        self,
        inner: SpanSink,
        *,
        leads: Callable[[], bool],
        settled_until: Callable[[], float | None],
        margin_s: float,
        spans: int,
        size: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`spans`, `size`: how many, and how many bytes, are kept at most."""
        self._inner, self._leads, self._settled_until = inner, leads, settled_until
        self._margin_s, self._spans, self._size_limit, self._monotonic = margin_s, spans, size, monotonic
        self._lock = threading.RLock()
        self._kept: deque[tuple[float, bytes]] = deque()  # (when it was finished, span)
        self._size = self._yielded = self._dropped = 0
        self._marks: deque[tuple[float, float]] = deque()  # handed on until the first, finished at the second, both monotonic
        self._idle_at = monotonic()

    def offer(self, spans: Sequence[Span]) -> None:
        """Send, or keep."""
        with self._lock:
            if self.pulse():
                self._hand_on(spans)
                return
            now = self._monotonic()
            for span in spans:
                packed = _encode(span)
                self._kept.append((now, packed))
                self._size += len(packed) + _OVERHEAD
            while len(self._kept) > self._spans or self._size > self._size_limit:
                self._forget()
                self._dropped += 1

    def pulse(self) -> bool:
        """Act on what has changed in the election; call it often. Whether this process leads."""
        with self._lock:
            settled = self._settled_until()
            while self._kept and settled is not None and self._kept[0][0] < settled - self._margin_s:
                self._forget()
                self._yielded += 1
            leads = self._leads()
            if leads and self._kept:
                self._take_over()
            return leads

    def lag_ns(self) -> int:
        """How long ago the oldest span was finished whose fate is open here; 0 when there is none."""
        with self._lock:
            now, stats = self._monotonic(), self._inner.stats()
            if not stats.pending:
                self._idle_at = now
                self._marks.clear()
            oldest = min(self._oldest_pending(stats), self._kept[0][0] if self._kept else now, now)
            return int((now - oldest) * _NANOSECONDS)

    def kept(self) -> Kept:
        """One consistent reading."""
        with self._lock:
            return Kept(len(self._kept), self._size, self._yielded, self._dropped)

    def drain(self, deadline_s: float) -> bool:
        """What was handed on; what is kept is the leader's business, or the next one's."""
        self.pulse()
        return self._inner.drain(deadline_s)

    def close(self) -> None:
        """Stop at once."""
        self._inner.close()

    def stats(self) -> ExportStats:
        """The inner sink's, and what was dropped before it."""
        with self._lock:
            stats = self._inner.stats()
            if not self._dropped:
                return stats
            dropped = dict(stats.dropped)
            dropped[DropReason.QUEUE_FULL] = dropped.get(DropReason.QUEUE_FULL, 0) + self._dropped
            return replace(stats, emitted=stats.emitted + self._dropped, dropped=dropped)

    def _forget(self) -> None:
        _, packed = self._kept.popleft()
        self._size -= len(packed) + _OVERHEAD

    def _take_over(self) -> None:
        finished = self._kept[0][0]
        while self._kept:
            portion = [self._kept.popleft() for _ in range(min(_PORTION, len(self._kept)))]
            self._size -= sum(len(packed) + _OVERHEAD for _, packed in portion)
            self._hand_on([_decode(packed) for _, packed in portion])
        self._marks.append((self._monotonic(), finished))

    def _hand_on(self, spans: Sequence[Span]) -> None:
        self._inner.offer(spans)

    def _oldest_pending(self, stats: ExportStats) -> float:
        """When the oldest span was finished that the inner sink still has, or earlier."""
        if not stats.pending:
            return self._monotonic()
        oldest = stats.oldest_ns / _NANOSECONDS if stats.oldest_ns else self._idle_at
        while self._marks and self._marks[0][0] < oldest:
            self._marks.popleft()
        return min([oldest, *(finished for _, finished in self._marks)])
