"""Who holds how much of something bounded, so that whoever holds most of it is the one who gives something up.

Every room of the linker has a capacity. If its oldest item made way whoever came, one noisy namespace could push out what is
remembered of all others. So a namespace has a share, which is a part of the capacity, and beyond it gives up its own oldest items; and when the
room is full although nobody has more than a share, whoever holds most does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

K = TypeVar("K")

LEAST: Final = 1_000  # a share is at least so much: in a small room there are no shares


def share(capacity: int, part: int) -> int:
    """The `part`-th part of a capacity, as far as that makes sense."""
    return max(capacity // part, min(capacity, LEAST))


class Crowd(Generic[K]):
    """Bookkeeping only: the items are kept by the room itself, which says which of them are still there."""

    def __init__(self, capacity: int, *, part: int) -> None:
        self._capacity = capacity
        self._share = share(capacity, part)
        # All grow with the namespaces that hold something; the queues with what they hold (`add`: twice that, and 64).
        self._held: dict[str, int] = {}
        self._order: dict[str, deque[K]] = {}  # oldest first; those that have left are found out when they are met
        self._over: dict[str, None] = {}  # not a set, whose order is another one in each process
        self._largest, self._largest_for = "", 0  # who held most, and for how many more questions that is good enough
        self.total = 0

    def add(self, key: K, namespace: str, is_there: Callable[[K], bool], weight: int = 1) -> None:
        """An item has come, and is there. Lets go of the keys of those that have left, when they are most of what is kept."""
        order = self._order.get(namespace)
        if order is None:
            order = self._order[namespace] = deque()
        order.append(key)
        self.grow(namespace, weight)
        if len(order) > 2 * self._held[namespace] + 64:
            self._order[namespace] = deque(dict.fromkeys(key for key in order if is_there(key)))

    def grow(self, namespace: str, weight: int = 1) -> None:
        """An item that is there has become larger."""
        held = self._held[namespace] = self._held.get(namespace, 0) + weight
        self.total += weight
        if held > self._share:
            self._over[namespace] = None

    def remove(self, namespace: str, weight: int = 1) -> None:
        """An item has left."""
        held = self._held[namespace] = self._held.get(namespace, 0) - weight
        self.total -= weight
        if held <= self._share:
            self._over.pop(namespace, None)
        if held <= 0:
            del self._held[namespace]
            self._order.pop(namespace, None)

    def excess(self, is_there: Callable[[K], bool]) -> K | None:
        """An item that has to go, if there is one too many. The room removes it, and asks again."""
        if not self._over and self.total <= self._capacity:
            return None
        while self._over:
            namespace = next(iter(self._over))
            oldest = self.oldest(namespace, is_there)
            if oldest is not None:
                return oldest
            del self._over[namespace]
        if self.total <= self._capacity:
            return None
        if self._largest_for <= 0 or self._largest not in self._held:
            self._largest = max(self._held, key=self._held.__getitem__)
            self._largest_for = self._held[self._largest] // 8
        self._largest_for -= 1
        return self.oldest(self._largest, is_there)

    def oldest(self, namespace: str, is_there: Callable[[K], bool]) -> K | None:
        """Of one namespace; None: it has none."""
        order = self._order.get(namespace)
        while order:
            if is_there(order[0]):
                return order[0]
            order.popleft()
        return None
