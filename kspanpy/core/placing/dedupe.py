"""Which steps of which Events have been seen: a relist, a re-sent line or a repeated count must not become a second span.

An Event is known by its uid. An Event that the API server has let expire is made again by its recorder under the same name, with a new
uid and a higher count: that is the next step of the old one (kubernetes-events 1.6). So a new uid begins where its name was left, if
its count is higher; if it is not, somebody re-uses names and this is another Event. Neither is ever taken for a repetition: only a
uid that is known can be one.

Two generations of a plain dict instead of one ordered one: when the younger is an hour old or half the capacity, it becomes the
older, and the older is forgotten. An Event is remembered for one to two lives of an Event, at a cost per event that does not
depend on how many there are.
"""

from __future__ import annotations


class SeenEvents:
    """uid -> highest step seen, and which uid a name had last; at most `capacity` uids."""

    def __init__(self, *, capacity: int, memory_ns: int) -> None:
        self._half = max(capacity // 2, 1)
        self._memory_ns = memory_ns
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self._young_names: dict[tuple[str, str], str] = {}
        self._old_names: dict[tuple[str, str], str] = {}
        self._since_ns = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def note(self, uid: str, n: int, now_ns: int, *, name: tuple[str, str] = ("", "")) -> int:
        """Remembers step `n` of the Event with this uid and (namespace, name).

        Returns the highest step seen before (0: none), which is >= n for a repetition.
        """
        before = self._step(uid)
        if n > before:
            if not before and name[1]:
                last = self._step(self._young_names.get(name) or self._old_names.get(name, ""))
                before = last if last < n else 0
            self._turn(now_ns)
            self._young[uid] = n
            if name[1]:
                self._young_names[name] = uid
        return before

    def _step(self, uid: str) -> int:
        return self._young.get(uid, 0) or self._old.get(uid, 0)

    def _turn(self, now_ns: int) -> None:
        if len(self._young) >= self._half or now_ns - self._since_ns >= self._memory_ns:
            self._old, self._young = self._young, {}
            self._old_names, self._young_names = self._young_names, {}
            self._since_ns = now_ns
