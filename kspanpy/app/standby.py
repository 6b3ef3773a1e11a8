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

from kspanpy.app.settled import Settled
from kspanpy.core.model import Span
from kspanpy.export import ExportStats, SpanSink
from kspanpy.export.sink import DropReason

_OVERHEAD: Final = 128  # bytes that a span costs here besides its content
_UNPACKED: Final = 4096  # bytes that one costs that is kept as it is, besides the text of its attributes
_PORTION: Final = 512  # spans handed on at a time, so that not all are in memory twice
_NANOSECONDS: Final = 1_000_000_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Span).decode


class Kept(NamedTuple):
    """How much a standby holds."""

    spans: int
    bytes: int
    yielded: int


class StandbySink:
    """A SpanSink around another one. Safe for threads. `pulse` must be called often, and soon after a change of leadership."""

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
        self._margin_s, self._spans, self._largest, self._monotonic = margin_s, spans, size, monotonic
        self._lock = threading.Lock()
        self._kept: deque[tuple[float, bytes | Span]] = deque()  # (when it was finished, span)
        self._size = self._yielded = self._dropped = 0
        self._settled = Settled(inner.stats(), monotonic())

    def offer(self, spans: Sequence[Span]) -> None:
        """Send, or keep. While there is something kept, it goes first."""
        with self._lock:
            now = self._monotonic()
            if not self._kept and self._leads():
                self._hand_on(spans, now)
                return
            for span in spans:
                packed = _pack(span)
                self._kept.append((now, packed))
                self._size += _cost(packed)
            self._yield()
            while len(self._kept) > self._spans or self._size > self._largest:
                self._take()
                self._dropped += 1

    def pulse(self) -> bool:
        """Yield what the leader has had acknowledged, or hand on a portion of what is kept. True: there is more to hand on."""
        with self._lock:
            if not self._leads():
                self._yield()
                return False
            if self._kept:
                finished = self._kept[0][0]
                count = min(len(self._kept), _PORTION)
                self._hand_on([_unpack(self._take()) for _ in range(count)], finished)
            return bool(self._kept)

    def lag_ns(self) -> int:
        """How long ago the oldest span was finished whose fate is open here; 0 when there is none."""
        with self._lock:
            now = self._monotonic()
            oldest = self._settled.oldest(self._inner.stats(), now)
            if self._kept:
                oldest = min(oldest, self._kept[0][0])
            return int(max(now - oldest, 0.0) * _NANOSECONDS)

    def kept(self) -> Kept:
        """One consistent reading."""
        with self._lock:
            return Kept(len(self._kept), self._size, self._yielded)

    def drain(self, deadline_s: float) -> bool:
        """Hand over what there is to send. What a standby keeps is the leader's business, or the next one's."""
        end = self._monotonic() + deadline_s
        while self.pulse() and self._monotonic() < end:
            pass
        return self._inner.drain(max(end - self._monotonic(), 0.0))

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

    def _hand_on(self, spans: Sequence[Span], finished: float) -> None:
        self._inner.offer(spans)
        self._settled.offered(self._inner.stats(), finished)

    def _yield(self) -> None:
        settled = self._settled_until()
        while self._kept and settled is not None and self._kept[0][0] < settled - self._margin_s:
            self._take()
            self._yielded += 1

    def _take(self) -> bytes | Span:
        _, packed = self._kept.popleft()
        self._size -= _cost(packed)
        return packed


def _pack(span: Span) -> bytes | Span:
    """Small, unless it holds what can not be packed; what becomes of such a span is the inner sink's business."""
    try:
        return _encode(span)
    except (UnicodeError, OverflowError, TypeError, ValueError):
        return span


def _unpack(packed: bytes | Span) -> Span:
    return packed if isinstance(packed, Span) else _decode(packed)


def _cost(packed: bytes | Span) -> int:
    if isinstance(packed, Span):
        return _UNPACKED + 4 * sum(len(str(value)) for value in packed.attributes.values())
    return _OVERHEAD + len(packed)
