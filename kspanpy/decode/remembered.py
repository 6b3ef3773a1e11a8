"""What was made of equal things is made once: most of what a watch shows, it has shown before.

Looking it up costs less than making it, and all who ask get the same thing: the old and the new version of an object share what has
not changed, and so do objects that are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from kspanpy.decode.altered import total

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(dict[K, V]):
    """Key -> what `make` makes of it. Asked like a dict, which takes no call of a Python function where the key is known.

    Grows with the different keys that are seen, up to `capacity`, and then begins anew. What had to be altered is not kept, so that
    it is counted each time.
    """

    def __init__(self, make: Callable[[K], V], *, capacity: int) -> None:
        super().__init__()
        self._make = make
        self._capacity = capacity

    def __missing__(self, key: K) -> V:
        before = total()
        made = self._make(key)
        if total() == before:
            if len(self) >= self._capacity:
                self.clear()
            self[key] = made
        return made


def remembered(make: Callable[[K], V], *, capacity: int) -> Callable[[K], V]:
    """`make` with a memory: for functions without effects, whose results nobody changes."""
    return Remembered(make, capacity=capacity).__getitem__
