"""What the linker holds grows with what there is in the cluster, and not with what has happened in it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from kspanpy.core.linker import Linker
from kspanpy.core.model import SECOND, Object
from kspanpy.core.placing.waiting import ForWatch, Item, WaitingRoom
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import EventSeen, ObjectGone, ObjectSeen, Tick, WatchProgress
from kspanpy.decode import object_from, watch_line
from tests.faults import generator
from tests.faults.containers import holdings
from tests.growth.counting import LAW

KINDS = ("Node", "Deployment", "ReplicaSet", "Pod")
KIB = 1024


class Watched:
    """A linker that has been shown Pods and their owners, as real ones are, and a clock."""

    def __init__(self, pods: int) -> None:
        self.cluster = generator.Cluster({"pods": pods, "deployments": pods // 10})
        self.linker = Linker(LinkerSettings(cluster_uid="c"))
        self.empty = self.held()
        self.now_ns = self.cluster._began_ns
        self.things: list[Object] = []
        self.events = 0
        for kind in KINDS:
            for item in self.cluster.items(kind):
                thing = object_from(json.dumps(item).encode())
                assert isinstance(thing, Object)
                self.things.append(thing)
                self.step(ObjectSeen(thing))
        self.moved()

    def step(self, fact: Any) -> None:
        """One input, now."""
        self.linker.step(fact, self.now_ns)

    def moved(self) -> None:
        """The watches are as far as the cluster is."""
        for kind in KINDS:
            self.step(WatchProgress(kind, self.cluster.version))

    def happens(self, events: int, *, each_s: float = 1.0) -> None:
        """So many Events, about one Pod after the other."""
        for _ in range(events):
            self.now_ns += int(each_s * SECOND)
            self.step(EventSeen(watch_line(self.cluster.quiet_line(self.events, self.now_ns)).object))  # type: ignore[union-attr, arg-type]
            self.events += 1
            if self.events % 10 == 0:
                self.moved()

    def passes(self, seconds: int) -> None:
        """Nothing happens."""
        for _ in range(0, seconds, 10):
            self.now_ns += 10 * SECOND
            self.step(Tick())

    def forgets(self) -> None:
        """Two hours; Events are what makes the linker forget that it has seen others."""
        for _ in range(2):
            self.passes(3700)
            self.happens(1)
        self.passes(3700)

    def deletes_everything(self) -> None:
        """The Pods first."""
        for thing in reversed(self.things):
            self.now_ns += SECOND // 100
            self.step(ObjectGone(msgspec.structs.replace(thing, resource_version=self.cluster._next())))
        self.moved()

    def held(self) -> int:
        """In bytes."""
        self.linker._moment.tidy()
        return holdings(self.linker).total_bytes


def test_ten_times_the_pods_cost_ten_times_the_memory():
    """With all of their owners; and a Pod costs less than 2.5 KiB, although its JSON has 4.7."""
    few, many = Watched(100), Watched(1000)
    assert many.held() <= LAW * few.held()
    assert many.held() - few.held() <= 900 * 2.5 * KIB


def test_ten_times_the_events_about_the_same_pods_leave_no_more_behind():
    """Once they are as old as Events become. While they are young each costs the little that tells it from a repetition."""
    few, many = Watched(50), Watched(50)
    few.happens(1600)  # as many as are remembered of each Pod, to find ends that came before their beginnings
    many.happens(16_000)
    busy = many.held() - few.held()
    few.forgets()
    many.forgets()
    assert many.held() <= 1.1 * few.held()
    assert busy <= 2 * 3600 * 0.5 * KIB  # of the last two hours, in seconds


def test_what_happened_to_what_is_gone_is_forgotten():
    """An hour after all was deleted the linker is as empty as it was, but for tables that have become larger."""
    few, many = Watched(100), Watched(1000)
    for watched in (few, many):
        before = watched.held()
        watched.happens(3 * len(watched.things), each_s=0.1)
        watched.deletes_everything()
        watched.forgets()
        assert watched.linker.stats().objects == watched.linker.stats().tombstones == 0
        assert watched.held() - watched.empty <= 0.1 * before


def test_what_has_its_place_does_not_wait_for_a_silent_watch():
    """Nor for the end of its patience: of what has left the waiting room hardly more is held than of what waits."""
    room = WaitingRoom(20_000)
    for number in range(10_000):
        item = Item(number, "shop")
        room.put(item, ForWatch("Pod", number, patience_s=30.0))
        room.done(item)
    assert holdings(room).instances["Item"] <= 2_000
