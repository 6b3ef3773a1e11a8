"""What a list or watch has shown so far, so that a gap can be closed and first events come in order of time.

Objects that disappeared while nobody watched send no DELETED: after the next full list they are those that were known and are not
in it. They are told by what identifies an object and places it in its owner chain.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import msgspec

from kspanpy.core.model import Event, Object
from kspanpy.decode import Change

_NO_JSON = msgspec.Raw(b"")


class KnownObjects:
    """The objects of one watch that have been shown and not been taken back.

    Grows with the objects that are there, up to `capacity`: a hundred bytes each, since what is kept is the very version that the
    linker keeps, too.
    """

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._known: dict[str, Object] = {}
        self._listed: set[str] = set()
        self.forgotten = 0  # beyond the capacity: their disappearance in a gap will not be noticed

    def __len__(self) -> int:
        return len(self._known)

    def begin_list(self) -> None:
        """A full list begins: what it does not show has gone."""
        self._listed.clear()

    def listed(self, thing: Object) -> None:
        """An item of the list."""
        self._listed.add(self._keep(thing))

    def end_list(self) -> list[Change]:
        """The list is complete: the changes that were missed."""
        gone = [thing for key, thing in self._known.items() if key not in self._listed]
        for thing in gone:
            del self._known[_key(thing)]
        self._listed.clear()
        return [Change("DELETED", _compact(thing), _raw(thing)) for thing in gone]

    def changed(self, type_: str, thing: Object) -> None:
        """A line of the watch."""
        if type_ == "DELETED":
            self._known.pop(_key(thing), None)
        else:
            self._keep(thing)

    def _keep(self, thing: Object) -> str:
        key = _key(thing)
        self._known.pop(key, None)  # the newest goes last: the first to be forgotten is the longest unchanged
        self._known[key] = thing
        if len(self._known) > self._capacity:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._listed.discard(oldest)
            self.forgotten += 1
        return key


def _key(thing: Object) -> str:
    return thing.uid or f"{thing.namespace}/{thing.name}"


def _compact(thing: Object) -> Object:
    return Object(
        api_version=thing.api_version,
        kind=thing.kind,
        namespace=thing.namespace,
        name=thing.name,
        uid=thing.uid,
        resource_version=thing.resource_version,
        generation=thing.generation,
        created_ns=thing.created_ns,
        deletion_ns=thing.deletion_ns,
        owners=thing.owners,
        node_name=thing.node_name,
        phase=thing.phase,
    )


def _raw(thing: Object) -> msgspec.Raw:
    """What a capture file can say of an object that nobody saw going."""
    metadata: dict[str, object] = {
        "name": thing.name,
        "namespace": thing.namespace,
        "uid": thing.uid,
        "resourceVersion": "" if thing.resource_version is None else str(thing.resource_version),
        "ownerReferences": [
            {
                "apiVersion": owner.api_version,
                "kind": owner.kind,
                "name": owner.name,
                "uid": owner.uid,
                "controller": owner.controller,
            }
            for owner in thing.owners
        ],
    }
    return msgspec.Raw(msgspec.json.encode({"apiVersion": thing.api_version, "kind": thing.kind, "metadata": metadata}))


class EventSorter:
    """Listed Events in order of time. Lists come in order of names; a heap of bounded size sorts what fits into it.

    `capacity` is in Events, `size` in bytes of their JSON. Grows with the Events of a list up to these bounds, and is empty when the
    list is over. Their JSON is let go unless it `keeps_json`: it would be more than half of what they take.
    """

    def __init__(self, *, capacity: int, size: int, keeps_json: bool = False) -> None:
        self._capacity, self._room = capacity, size
        self._keeps_json = keeps_json
        self._heap: list[tuple[int, int, int, Change]] = []  # when, in which order they came, size
        self._count = 0

    def clear(self) -> None:
        """The list begins anew."""
        self._room += sum(size for _, _, size, _ in self._heap)
        self._heap.clear()

    def push(self, change: Change, event: Event) -> list[Change]:
        """Hold one more; the earliest come out when there is no room left."""
        self._count += 1
        size = len(memoryview(change.raw))
        raw = change.raw.copy() if self._keeps_json else _NO_JSON  # not the raw itself: it holds all of its page
        heapq.heappush(self._heap, (_when(event), self._count, size, Change(change.type, event, raw)))
        self._room -= size
        earliest = []
        while self._heap and (len(self._heap) > self._capacity or self._room < 0):
            earliest.append(self._pop())
        return earliest

    def drain(self) -> Iterator[Change]:
        """The rest, in order."""
        while self._heap:
            yield self._pop()

    def _pop(self) -> Change:
        _, _, size, change = heapq.heappop(self._heap)
        self._room += size
        return change


def _when(event: Event) -> int:
    """When the newest step of the Event that is stored happened, as far as order goes."""
    return event.series_last_ns or event.last_ns or event.event_time_ns or event.first_ns or event.created_ns or 0
