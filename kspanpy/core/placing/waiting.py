"""The waiting room: what can not be placed yet, by what it waits for, and until when.

Each item waits for one thing at a time. It is tried again when that thing happens, and placed on the best knowledge there is
when its patience ends or the room is full: nothing is lost here.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import TypeAlias

import msgspec

from kspanpy.core.crowd import Crowd
from kspanpy.core.model import SECOND, Event
from kspanpy.core.objects.catalog import Record
from kspanpy.core.rules.table import CompiledRule
from kspanpy.core.stories.shape import Chapter
from kspanpy.core.timing import Occurrence


class ForObject(msgspec.Struct, frozen=True, gc=False):
    """Until something is known of the object with this uid (or, for want of one, this kind/namespace/name)."""

    key: str
    patience_s: float


class ForWatch(msgspec.Struct, frozen=True, gc=False):
    """Until the watch of this kind has passed this resourceVersion: before, it may still contradict."""

    kind: str
    resource_version: int
    patience_s: float


Need: TypeAlias = ForObject | ForWatch


class Item(msgspec.Struct, eq=False, gc=False):
    """Something to be placed: an occurrence, or a phase of an object, or a chapter.

    Every occurrence becomes one: a Struct is made in a quarter of the time. Nothing refers to an item but the waiting room.
    """

    received_ns: int
    namespace: str  # that answers for it
    until_ns: int = -1  # when its patience ends; -1: it does not wait yet
    forced: bool = False  # patience has ended
    key: str = ""  # of the object that it waits for
    placed: bool = False


class EventItem(Item, eq=False, kw_only=True):
    """An occurrence looking for its lifecycle span."""

    event: Event
    occ: Occurrence
    delta: int  # by how much the Event's count has moved
    heard: bool = False  # what it says of others has been taken note of
    rule: CompiledRule | None = None  # what is known about it, once asked for
    kind: str = ""  # ... of an object of this kind


class PhaseItem(Item, eq=False, kw_only=True):
    """A birth or a death looking for its chapter."""

    record: Record
    death: bool


class ChapterItem(Item, eq=False, kw_only=True):
    """A change looking for the root object whose story it is."""

    chapter: Chapter


_TIDY = 1024


class WaitingRoom:
    """Items by need and by deadline; at most `capacity` of them, and of one namespace at most a share.

    Grows with what waits: those that have a place are still in the heaps for a while, but never more of them than those that wait.
    """

    def __init__(self, capacity: int) -> None:
        self._crowd: Crowd[Item] = Crowd(capacity, part=4)
        # An item is in one of the first two, and once in the third for each time its patience grew (by need: a few times).
        self._for_object: dict[str, list[Item]] = {}
        self._for_watch: dict[str, list[tuple[int, int, Item]]] = {}  # kind -> heap by resourceVersion
        self._deadlines: list[tuple[int, int, Item]] = []
        self._order = count()
        self._events = 0
        self._left = 0  # have a place, and may still be in a heap
        self.evicted = 0

    @property
    def events(self) -> int:
        """How many occurrences are waiting."""
        return self._events

    @property
    def for_objects(self) -> bool:
        """True if something waits for an object."""
        return bool(self._for_object)

    def put(self, item: Item, need: Need) -> Item | None:
        """Lets an item wait; returns another one that must be placed at once because the room is full."""
        until_ns = item.received_ns + int(need.patience_s * SECOND)
        if item.until_ns < 0:
            self._events += isinstance(item, EventItem)
            self._crowd.add(item, item.namespace, _waits)
        if until_ns > item.until_ns:
            item.until_ns = until_ns
            heapq.heappush(self._deadlines, (until_ns, next(self._order), item))
        if isinstance(need, ForWatch):
            heap = self._for_watch.get(need.kind)
            if heap is None:
                heap = self._for_watch[need.kind] = []
            heapq.heappush(heap, (need.resource_version, next(self._order), item))
        else:
            item.key = need.key
            self._for_object.setdefault(need.key, []).append(item)
        crowded_out = self._crowd.excess(_waits)
        if crowded_out is not None:
            self.evicted += 1
            crowded_out.forced = True
        return crowded_out

    def done(self, item: Item) -> None:
        """The item has its place."""
        if item.until_ns >= 0 and not item.placed:
            self._events -= isinstance(item, EventItem)
            self._crowd.remove(item.namespace)
        item.placed = True
        if item.key:
            waiting = self._for_object.get(item.key)
            if waiting and item in waiting:
                waiting.remove(item)
                if not waiting:
                    del self._for_object[item.key]
        self._left += 1
        if self._left > self._crowd.total + _TIDY:
            self._tidy()

    def for_object(self, key: str) -> list[Item]:
        """Takes out the items that waited for this object."""
        return [item for item in self._for_object.pop(key, ()) if not item.placed] if self._for_object else []

    def for_watch(self, kind: str, resource_version: int) -> Iterator[Item]:
        """Takes out the items that waited for this watch to come so far."""
        heap = self._for_watch.get(kind)
        while heap and heap[0][0] <= resource_version:
            item = heapq.heappop(heap)[2]
            if not item.placed:
                yield item

    def for_kind(self, kind: str) -> list[Item]:
        """Takes out all that waited for this watch, however far it has come."""
        return [item for _, _, item in sorted(self._for_watch.pop(kind, ()), key=lambda e: e[1]) if not item.placed]

    def next_deadline(self) -> int | None:
        """When patience ends next."""
        deadlines = self._deadlines
        while deadlines:
            until_ns, _, item = deadlines[0]
            if not item.placed and item.until_ns == until_ns:
                return until_ns
            heapq.heappop(deadlines)  # it has a place, or more patience
        return None

    def overdue(self, now_ns: int) -> Item | None:
        """Takes out one item whose patience has ended."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now_ns:
            until_ns, _, item = heapq.heappop(deadlines)
            if not item.placed and item.until_ns == until_ns:
                break
        else:
            return None
        item.forced = True
        return item

    def _tidy(self) -> None:
        """Lets go of those that have a place: a watch may be silent for minutes, patience may be long."""
        for heap in (self._deadlines, *self._for_watch.values()):
            heap[:] = [entry for entry in heap if not entry[2].placed]  # the same list: somebody may be taking from it
            heapq.heapify(heap)
        self._left = 0


def _waits(item: Item) -> bool:
    """True for an item that has no place and has not been called for the last time."""
    return not item.placed and not item.forced
