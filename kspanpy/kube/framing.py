"""Chunks of bytes -> lines. Chunk boundaries mean nothing: a line may arrive in many chunks, a chunk may hold many lines.

What follows the last newline when the connection ends is dropped: the watch is resumed from the last whole line, so the API server
sends it again. A line longer than any object can be is skipped without being stored.
"""

from __future__ import annotations

from collections.abc import Iterator


class LineSplitter:
    """The lines of one response.

    Grows with the line that has begun, up to `capacity` bytes; each byte is looked at once and joined once.
    """

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._parts: list[bytes] = []
        self._size = 0
        self._skipping = False

    @property
    def pending(self) -> bool:
        """Whether a line has begun and not ended."""
        return self._skipping or bool(self._parts)

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The lines that `data` completes, without their newlines; None stands for one that was too long."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            yield self._complete(data[start:end])
            start = end + 1
        self._hold(data[start:] if start else data)

    def _complete(self, tail: bytes) -> bytes | None:
        parts, size = self._parts, self._size + len(tail)
        skipped = self._skipping or size > self._capacity
        self._parts, self._size, self._skipping = [], 0, False
        if skipped:
            return None
        return b"".join((*parts, tail)) if parts else tail

    def _hold(self, tail: bytes) -> None:
        if not tail or self._skipping:
            return
        self._size += len(tail)
        if self._size > self._capacity:
            self._parts, self._skipping = [], True
        else:
            self._parts.append(tail)
