"""Where spans are kept until they are settled, and outlive the process: the interface that the queue spills to.

Every span is on the shelf before it may be sent. The queue holds the oldest of them in memory as well; the others are *spilled*: on
the shelf only, and loaded as memory drains. What is still there when the process ends is sent by the next one, byte-identical.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kspanpy.export.queue import EncodedSpan


class Shelf(Protocol):
    """Numbers are positive and grow by one, in the order of `put`; they are never used twice.

    Called by two threads (the one that offers, the one that sends), never by both at the same time, and not at all after the
    pipeline's `close`. Methods may raise OSError: export then goes on in memory; it is counted, and logged once.
    """

    def put(self, spans: Sequence[EncodedSpan]) -> int:
        """Store them durably (with whatever else the owner has pending, in the same transaction); the number of the first.

        Never called without a span. `EncodedSpan.number` of these is 0 and need not be stored.
        """

    def load(self, after: int, *, spans: int, size: int) -> list[tuple[int, EncodedSpan]]:
        """The next ones with a number over `after`, in order: at most so many, at most so many bytes, at least one.

        Empty only when there is none. Bytes are those of `EncodedSpan.size`.
        """

    def remove(self, numbers: Sequence[int]) -> None:
        """These are settled: acknowledged or dropped. May be lazy: what is still there after a crash is sent again."""

    def waiting(self) -> tuple[int, int]:
        """(spans, bytes) that the process before has left. Called once, before anything else."""
