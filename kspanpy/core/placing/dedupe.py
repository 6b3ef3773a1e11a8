"""Which steps of which Events have been seen: a relist, a re-sent line or a repeated count must not become a second span.

An Event is known by its uid. An Event that the API server has let expire is made again by its recorder under the same name, with a new
uid and a higher count: that is the next step of the old one (kubernetes-events 1.6). So a new uid begins where its name was left, if
its count is higher; if it is not, somebody re-uses names and this is another Event. Neither is ever taken for a repetition: only a
uid that is known can be one.

Two generations of a plain dict instead of one ordered one: when the younger is an hour old or half the capacity, it becomes the
older, and the older is forgotten. An Event is remembered for one to two lives of an Event, at a cost per event that does not
depend on how many there are. There may be many of them: a uid is kept as the 16 bytes that it stands for (or 8 of its hash, if it is
no UUID), a name as 8 bytes of its hash. (Uids are the API server's, so nobody can choose two that are alike; whoever finds two names
that are has confused his own Events.)
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TypeAlias

Key: TypeAlias = int | bytes  # of a UUID, of any other uid


class SeenEvents:
    """uid -> highest step seen, and which uid a name had last; at most `capacity` uids."""

    def __init__(self, *, capacity: int, memory_ns: int) -> None:
        self._half = max(capacity // 2, 1)
        self._memory_ns = memory_ns
        # All four grow with the Events seen: each holds at most half the capacity.
        self._young: dict[Key, int] = {}
        self._old: dict[Key, int] = {}
        self._young_names: dict[bytes, Key] = {}
        self._old_names: dict[bytes, Key] = {}
        self._since_ns = 0
        self.evicted = 0  # forgotten before their time

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def note(self, uid: str, n: int, now_ns: int, *, name: tuple[str, str] = ("", "")) -> int:
        """Remembers step `n` of the Event with this uid and (namespace, name).

        Returns the highest step seen before (0: none), which is >= n for a repetition.
        """
        key = _key(uid)
        before = self._young.get(key) or self._old.get(key, 0)
        if n <= before:
            return before
        name_key = _digest(f"{name[0]}/{name[1]}") if name[1] else b""
        if not before and name_key:
            named = self._young_names.get(name_key) or self._old_names.get(name_key)
            if named is not None:
                last = self._young.get(named) or self._old.get(named, 0)
                before = last if last < n else 0
        if len(self._young) >= self._half or now_ns - self._since_ns >= self._memory_ns:
            self._turn(now_ns)
        self._young[key] = n
        if name_key:
            self._young_names[name_key] = key
        return before

    def _turn(self, now_ns: int) -> None:
        if now_ns - self._since_ns < self._memory_ns:
            self.evicted += len(self._old)
        self._old, self._young = self._young, {}
        self._old_names, self._young_names = self._young_names, {}
        self._since_ns = now_ns


def _key(uid: str) -> Key:
    """A number for a uid: its own if it is written as the API server does, which costs half of hashing it."""
    digits = uid.replace("-", "")
    if len(digits) == 32 and len(uid) == 36:
        try:
            return int(digits, 16)
        except ValueError:
            pass
    return _digest(uid)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
