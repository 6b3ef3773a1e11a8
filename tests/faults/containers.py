"""Looks into everything that an object holds: how many of each type, and how much is in each container.

A container is named by the class and the attribute that hold it (`Catalog._records`), summed over all instances: what leaks shows
as a sum that grows, wherever it is.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter, deque
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import msgspec

_PLAIN = (str, bytes, int, float, bool, type(None), type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
_CONTAINERS = (dict, list, deque, set, frozenset, bytearray)


class Holdings(NamedTuple):
    """What was found: items by container, instances and bytes by type."""

    items: Counter[str]
    instances: Counter[str]
    bytes: Counter[str]

    @property
    def total_bytes(self) -> int:
        """Of everything, shared things once."""
        return sum(self.bytes.values())


def holdings(*roots: Any) -> Holdings:
    """Everything that can be reached from these, except code, and what a `RuleTable` has compiled."""
    items: Counter[str] = Counter()
    instances: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    seen: set[int] = set()
    pending: list[tuple[Any, str]] = [(root, type(root).__name__) for root in roots]
    while pending:
        thing, name = pending.pop()
        if id(thing) in seen or isinstance(thing, _PLAIN[6:]) or type(thing).__name__ == "RuleTable":
            continue
        seen.add(id(thing))
        kind = type(thing).__name__
        instances[kind] += 1
        sizes[kind] += sys.getsizeof(thing)
        if isinstance(thing, _PLAIN):
            continue
        if isinstance(thing, _CONTAINERS):
            items[name] += len(thing)
            sizes[f"in {name}"] += 0
        pending.extend(_inside(thing, name))
    return Holdings(items, instances, +sizes)


def _inside(thing: Any, name: str) -> Iterator[tuple[Any, str]]:
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield key, f"{name}[]"
            yield value, f"{name}[]"
    elif isinstance(thing, (list, tuple, deque, set, frozenset)):
        for value in thing:
            yield value, f"{name}[]"
    elif isinstance(thing, msgspec.Struct):
        for field in thing.__struct_fields__:
            yield getattr(thing, field), f"{type(thing).__name__}.{field}"
    else:
        for field in _attributes(thing):
            yield getattr(thing, field, None), f"{type(thing).__name__}.{field}"
        if not hasattr(thing, "__dict__") and not _attributes(thing):
            for value in gc.get_referents(thing):
                yield value, f"{name}()"


def _attributes(thing: Any) -> list[str]:
    slots = [slot for cls in type(thing).__mro__ for slot in getattr(cls, "__slots__", ())]
    return [*slots, *getattr(thing, "__dict__", ())]
