"""One noisy namespace does not push out what is remembered of the others."""

from __future__ import annotations

import pickle
from collections import Counter

import pytest

from kspanpy.core.crowd import LEAST, Crowd, share
from kspanpy.core.linker import Linker
from kspanpy.core.model import SECOND, Event, Object, ObjectReference
from kspanpy.core.settings import Limit, LinkerSettings
from kspanpy.core.steps import EventSeen, ObjectSeen
from tests.core.cluster import T0


class Place:
    """A room with a crowd in it."""

    def __init__(self, capacity: int, part: int) -> None:
        self.crowd: Crowd[int] = Crowd(capacity, part=part)
        self.there: dict[int, str] = {}
        self.gone: list[int] = []
        self._next = 0

    def come(self, namespace: str, number: int = 1) -> None:
        """Some come, and whoever has to leaves."""
        for _ in range(number):
            self._next += 1
            self.there[self._next] = namespace
            self.crowd.add(self._next, namespace, self.there.__contains__)
            while (key := self.crowd.excess(self.there.__contains__)) is not None:
                self.leave(key)
                self.gone.append(key)

    def leave(self, key: int) -> None:
        """By itself."""
        self.crowd.remove(self.there.pop(key))

    def held(self) -> Counter[str]:
        """By whom."""
        return Counter(self.there.values())


def test_beyond_its_share_a_namespace_gives_up_its_own_oldest():
    """However much room there is."""
    place = Place(8000, 8)
    place.come("quiet", 5)
    place.come("noisy", 3000)
    assert place.held() == {"quiet": 5, "noisy": 1000}
    assert place.gone == list(range(6, 2006))


def test_in_a_full_room_whoever_holds_most_gives_something_up():
    """Many small ones do not push out a smaller one."""
    place = Place(8000, 8)
    place.come("quiet", 50)
    for number in range(20):
        place.come(f"noisy-{number}", 900)
    held = place.held()
    assert held["quiet"] == 50
    assert sum(held.values()) == 8000


def test_in_a_small_room_there_are_no_shares():
    """Settings of a test, or of somebody who knows."""
    assert [share(10, 8), share(LEAST, 8), share(8 * LEAST, 8), share(100 * LEAST, 4)] == [10, LEAST, LEAST, 25 * LEAST]


def test_nothing_is_kept_of_those_that_have_left():
    """Neither of items nor of namespaces."""
    place = Place(100, 1)
    for number in range(10_000):
        place.come(f"ns-{number % 7}")
        if number >= 10:
            place.leave(number - 9)
    assert sum(map(len, place.crowd._order.values())) <= 7 * 70
    for key in list(place.there):
        place.leave(key)
    assert (place.crowd._held, place.crowd._order, place.crowd.total) == ({}, {}, 0)


def event(number: int, namespace: str, *, pod: str) -> EventSeen:
    """About a Pod that nobody has shown."""
    involved = ObjectReference("Pod", namespace, pod, f"uid-{pod}", "v1")
    at_ns = T0 + number
    return EventSeen(
        Event(f"e{number}", f"e{number}", namespace, involved, reason="BackOff", type="Warning", event_time_ns=at_ns)
    )


@pytest.fixture(scope="module")
def linker() -> Linker:
    """A noisy namespace has told of 8,000 Pods that do not exist, after a quiet one of a few."""
    settings = LinkerSettings(
        max_objects=4000,
        max_tombstones=4000,
        max_pending=4000,
        max_open_stories=4000,
        max_closed_lifecycles=4000,
        max_events_remembered=4000,
    )
    linker = Linker(settings)
    linker.step(ObjectSeen(Object("v1", "Pod", "quiet", "alive", "alive", phase="Running")), T0)
    for number in range(10):
        linker.step(event(number, "quiet", pod=f"ghost-{number}"), T0)
    linker.step(event(10, "quiet", pod="late"), T0 + 60 * SECOND)
    for number in range(11, 8000):
        linker.step(event(number, "noisy", pod=f"noise-{number}"), T0 + 60 * SECOND)
    return linker


class TestLinker:
    """All of its rooms."""

    def test_what_is_remembered_of_others_stays(self, linker):
        """Dead, alive, told of and waiting."""
        assert all(linker._catalog.get(f"uid-ghost-{number}", "quiet") is not None for number in range(10))
        assert linker._catalog.get("alive", "quiet") is not None
        stories = [story for _, story in linker._book._closed.values()] + list(linker._book._open.values())
        told = {story.root_record.uid for story in stories if story.namespace == "quiet"}
        assert told >= {f"uid-ghost-{number}" for number in range(10)}
        assert {"uid-late"} <= told | set(linker._placer.waiting._for_object)

    def test_every_early_end_is_counted(self, linker):
        """By room."""
        evicted = linker.stats().reached
        counted = (Limit.TOMBSTONES, Limit.PENDING, Limit.OPEN_STORIES, Limit.CLOSED_LIFECYCLES, Limit.EVENTS)
        assert all(evicted[room] for room in counted)

    def test_it_can_be_stored(self, linker):
        """Nothing in it holds a function or a thread."""
        again = pickle.loads(pickle.dumps(linker))
        assert again.stats() == linker.stats()
