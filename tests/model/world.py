"""A cluster of the imagination that lives by itself: objects in a store, time, and the lines that its watches would send.

One resourceVersion sequence as in one etcd; a log for all kinds, from which each watch takes its own lines. Time is virtual: what
happens is a heap of things to do. Whoever writes takes a few milliseconds, so that no two writes are at the same instant.

Controllers (`controllers`, `sets`, `nodes`) register with `watch`; users act with `create`, `edit`, `delete`.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import msgspec

from kspanpy.core.model import MILLISECOND, SECOND, Condition, Event, Object, ObjectReference, OwnerReference

T0 = 1_772_366_400 * SECOND  # 2026-03-01T12:00:00Z
APIS = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1"}
APIS |= {"Job": "batch/v1", "CronJob": "batch/v1", "Widget": "example.test/v1"}
UNWATCHED = frozenset({"Widget"})  # nobody told kspanpy of this kind: it has to look the object up
GRACE_S = 30


def whole(at_ns: int) -> int:
    """A time as metav1.Time writes it: truncated."""
    return at_ns // SECOND * SECOND


class Seen(Protocol):
    """Called with every version of every object, and whether that was its last."""

    def __call__(self, obj: Object, *, gone: bool) -> None:
        """A version."""


@dataclass(frozen=True)
class Line:
    """One line of a watch, when it was written. An object's `type` is that of the watch."""

    at_ns: int
    rv: int
    type: str  # ADDED, MODIFIED, DELETED
    thing: Object | Event

    @property
    def kind(self) -> str:
        """Which watch shows it."""
        return "Event" if isinstance(self.thing, Event) else self.thing.kind


@dataclass(frozen=True)
class Change:
    """What a user (or somebody on his behalf) did to a root object, in store order."""

    uid: str
    rv: int
    at_ns: int
    what: str


@dataclass(frozen=True)
class Emission:
    """One call of a recorder: the object it is about, and when."""

    about: str  # uid
    at_ns: int
    reason: str
    message: str


class World:
    """The store and the clock."""

    def __init__(self, seed: int = 0) -> None:
        self.now_ns = T0
        self.chance = random.Random(seed)
        self.objects: dict[str, Object] = {}
        self.lines: list[Line] = []
        self.changes: list[Change] = []
        self.emissions: dict[tuple[str, int], Emission] = {}  # (event uid, n) -> the call that this step shows
        self.quota: dict[str, int] = {}  # namespace -> how many Pods it may have
        self.behind: set[str] = set()  # nodes that nobody can reach
        self._children: dict[str, list[str]] = defaultdict(list)
        self._watchers: list[Seen] = []
        self._todo: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._versions = count(100)
        self._numbers = count(1)

    # -- time

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Something to do later."""
        heapq.heappush(self._todo, (self.now_ns + int(seconds * SECOND), next(self._order), what))

    def run(self, seconds: float) -> None:
        """Time passes."""
        until_ns = self.now_ns + int(seconds * SECOND)
        while self._todo and self._todo[0][0] <= until_ns:
            due_ns, _, what = heapq.heappop(self._todo)
            self.now_ns = max(self.now_ns, due_ns)
            what()
        self.now_ns = max(self.now_ns, until_ns)

    def between(self, low: float, high: float) -> float:
        """Some seconds."""
        return self.chance.uniform(low, high)

    def number(self) -> int:
        """A number that was never used."""
        return next(self._numbers)

    def suffix(self) -> str:
        """Five characters as the API server makes them up."""
        return "".join(self.chance.choices("bcdfghjklmnpqrstvwxz2456789", k=5))

    # -- the store

    def watch(self, seen: Seen) -> None:
        """Every version of every object will be shown."""
        self._watchers.append(seen)

    def create(
        self, kind: str, name: str, namespace: str = "", *, owner: Object | None = None, **fields: Any
    ) -> Object:
        """A new object."""
        base: dict[str, Any] = {
            "api_version": APIS.get(kind, "v1"),
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "uid": f"uid-{self.number()}-{name}",
            "created_ns": whole(self.now_ns),
            "generation": 0 if kind == "Node" else 1,
        }
        if owner is not None:
            base["owners"] = (OwnerReference(owner.api_version, owner.kind, owner.name, owner.uid, controller=True),)
        obj = Object(**(base | fields))
        if owner is not None:
            self._children[owner.uid].append(obj.uid)
        return self._store(obj, "ADDED")

    def write(self, uid: str, **fields: Any) -> Object:
        """A write; the API server makes no version of one that changes nothing."""
        old = self.objects[uid]
        new = msgspec.structs.replace(old, **fields)
        return old if new == old else self._store(new, "MODIFIED")

    def edit(self, uid: str, **fields: Any) -> Object:
        """A wish: the generation moves if the spec does."""
        old = self.objects[uid]
        if msgspec.structs.replace(old, **fields) == old:
            return old
        return self.write(uid, generation=old.generation + 1, **fields)

    def remove(self, uid: str) -> Object:
        """The end of an object."""
        return self._store(self.objects[uid], "DELETED")

    def delete(self, uid: str, *, foreground: bool = False) -> Object:
        """DELETE as the API server does it: Pods on nodes get their grace, what has finalizers waits for them."""
        obj = self.objects[uid]
        if obj.deletion_ns is not None:
            return obj
        if obj.kind == "Pod" and obj.node_name:
            due_ns = whole(self.now_ns) + GRACE_S * SECOND
            return self.write(uid, deletion_ns=due_ns, grace_s=GRACE_S, generation=obj.generation + 1)
        if foreground:
            return self.write(uid, deletion_ns=whole(self.now_ns), generation=obj.generation + 1)
        return self.remove(uid)

    def changed(self, obj: Object, what: str) -> None:
        """Remembers that this version of a root object was a change."""
        self.changes.append(Change(obj.uid, obj.resource_version or 0, self.now_ns, what))

    def get(self, uid: str) -> Object | None:
        """The newest version of an object that exists."""
        return self.objects.get(uid)

    def owned(self, uid: str, kind: str = "") -> list[Object]:
        """What exists and is owned by it."""
        found = [self.objects[child] for child in self._children.get(uid, ()) if child in self.objects]
        return [obj for obj in found if kind in ("", obj.kind)]

    def all(self, kind: str) -> list[Object]:
        """Every object of a kind."""
        return [obj for obj in self.objects.values() if obj.kind == kind]

    def owner(self, obj: Object) -> Object | None:
        """Its owner, if that exists."""
        return self.objects.get(obj.owners[0].uid) if obj.owners else None

    def log(self, type_: str, thing: Event) -> None:
        """An Event has been written."""
        self.lines.append(Line(self.now_ns, thing.resource_version or 0, type_, thing))

    def version(self) -> int:
        """The next resourceVersion; the write takes its time."""
        self.now_ns += int(self.between(1, 4) * MILLISECOND)
        return next(self._versions)

    def _store(self, obj: Object, type_: str) -> Object:
        obj = msgspec.structs.replace(obj, resource_version=self.version())
        if type_ == "DELETED":
            del self.objects[obj.uid]
        else:
            self.objects[obj.uid] = obj
        self.lines.append(Line(self.now_ns, obj.resource_version or 0, type_, obj))
        for seen in self._watchers:
            seen(obj, gone=type_ == "DELETED")
        return obj


def reference(obj: Object, **changes: Any) -> ObjectReference:
    """A pointer to this version, as an Event holds it."""
    pointer = ObjectReference(
        kind=obj.kind,
        namespace=obj.namespace,
        name=obj.name,
        uid=obj.uid,
        api_version=obj.api_version,
        resource_version=obj.resource_version,
    )
    return msgspec.structs.replace(pointer, **changes)


def with_condition(obj: Object, type_: str, status: str, now_ns: int, *, reason: str = "") -> tuple[Condition, ...]:
    """The conditions of an object with this one; its times move only as the controllers move them."""
    old = obj.condition(type_)
    if old is not None and (old.status, old.reason) == (status, reason):
        return obj.conditions
    now = whole(now_ns)
    same = old is not None and old.status == status
    changed_ns = old.changed_ns if same and old is not None else now
    new = Condition(type_, status, reason, changed_ns=changed_ns, updated_ns=now)
    return (*(c for c in obj.conditions if c.type != type_), new)


def is_ready(obj: Object) -> bool:
    """Whether its condition Ready holds."""
    condition = obj.condition("Ready")
    return condition is not None and condition.status == "True"
