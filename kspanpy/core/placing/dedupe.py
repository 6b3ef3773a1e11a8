"""Which steps of which Events have been seen: a relist, a re-sent line or a repeated count must not become a second span.

Two generations of a plain dict instead of one ordered one: when the younger is an hour old or half the capacity, it becomes the
older, and the older is forgotten. An Event is remembered for one to two lives of an Event, at a cost per event that does not
depend on how many there are.
"""

from __future__ import annotations


class SeenEvents:
    """uid -> highest step seen; at most `capacity` uids."""

    def __init__(self, *, capacity: int, memory_ns: int) -> None:
        self._half = max(capacity // 2, 1)
        self._memory_ns = memory_ns
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self._since_ns = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def note(self, uid: str, n: int, now_ns: int) -> int:
        """Remembers step `n`; returns the highest step seen before (0: none), which is >= n for a repetition."""
        before = self._young.get(uid, 0) or self._old.get(uid, 0)
        if n > before:
            if len(self._young) >= self._half or now_ns - self._since_ns >= self._memory_ns:
                self._old, self._young, self._since_ns = self._young, {}, now_ns
            self._young[uid] = n
        return before
