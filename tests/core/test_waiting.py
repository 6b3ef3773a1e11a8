"""What can not be placed yet waits: for one thing at a time, not for ever, and never gets lost."""

from __future__ import annotations

import pytest

from kspanpy.core.model import SECOND, Event, ObjectReference
from kspanpy.core.placing.waiting import EventItem, ForObject, ForWatch, WaitingRoom
from kspanpy.core.timing import Occurrence
from tests.core.cluster import T0


def item(number: int = 1, *, received_s: float = 0.0) -> EventItem:
    """An occurrence."""
    event = Event(uid=f"e{number}", name="e", namespace="shop", involved=ObjectReference())
    received_ns = T0 + int(received_s * SECOND)
    return EventItem(received_ns, "shop", event=event, occ=Occurrence(1, received_ns, 0), delta=1)


@pytest.fixture
def room() -> WaitingRoom:
    """A small one."""
    return WaitingRoom(3)


class TestObjects:
    """Waiting for an object to be shown."""

    def test_all_that_waited_for_it_come_out_in_their_order(self, room):
        """Once."""
        first, second = item(1), item(2)
        room.put(first, ForObject("u", 5))
        room.put(item(3), ForObject("v", 5))
        room.put(second, ForObject("u", 5))
        assert room.for_object("u") == [first, second]
        assert room.for_object("u") == []

    def test_what_has_its_place_does_not_come_out(self, room):
        """It was placed for another reason meanwhile."""
        waiting = item()
        room.put(waiting, ForObject("u", 5))
        room.done(waiting)
        assert (room.for_object("u"), room.overdue(T0 + 99 * SECOND), room.events) == ([], None, 0)


class TestWatches:
    """Waiting for a watch to come so far that it can no longer contradict."""

    def test_those_that_it_has_passed_come_out(self, room):
        """By resourceVersion, lowest first."""
        high, low = item(1), item(2)
        room.put(high, ForWatch("Deployment", 20, 5))
        room.put(low, ForWatch("Deployment", 10, 5))
        assert list(room.for_watch("Deployment", 9)) == []
        assert list(room.for_watch("Deployment", 10)) == [low]
        assert list(room.for_watch("Deployment", 99)) == [high]

    def test_other_watches_do_not_matter(self, room):
        """Each kind has its own."""
        room.put(item(), ForWatch("Deployment", 10, 5))
        assert list(room.for_watch("Pod", 99)) == []

    def test_a_watch_that_will_say_no_more_lets_all_go(self, room):
        """In the order in which they came."""
        first, second = item(1), item(2)
        room.put(first, ForWatch("Deployment", 20, 5))
        room.put(second, ForWatch("Deployment", 10, 5))
        assert room.for_kind("Deployment") == [first, second]


class TestPatience:
    """Nothing waits for ever."""

    def test_patience_is_counted_from_receipt(self, room):
        """When it ends the item comes out, to be placed as well as can be."""
        waiting = item()
        room.put(waiting, ForObject("u", 5))
        assert room.next_deadline() == T0 + 5 * SECOND
        assert room.overdue(T0 + 5 * SECOND - 1) is None
        assert room.overdue(T0 + 5 * SECOND) is waiting
        assert waiting.forced

    def test_the_shortest_patience_ends_first(self, room):
        """Whoever came first."""
        patient, hasty = item(1), item(2)
        room.put(patient, ForObject("u", 30))
        room.put(hasty, ForObject("v", 1))
        assert room.next_deadline() == T0 + SECOND
        assert [room.overdue(T0 + 60 * SECOND) for _ in range(3)] == [hasty, patient, None]

    def test_waiting_for_the_next_thing_does_not_begin_anew(self, room):
        """Patience is counted from receipt, not from the last thing that came."""
        waiting = item()
        room.put(waiting, ForObject("u", 5))
        (again,) = room.for_object("u")
        room.put(again, ForObject("v", 5))
        assert room.next_deadline() == T0 + 5 * SECOND
        assert room.overdue(T0 + 5 * SECOND) is waiting
        assert room.overdue(T0 + 99 * SECOND) is None

    def test_what_must_come_may_be_waited_for_longer(self, room):
        """A longer patience replaces a shorter one."""
        waiting = item()
        room.put(waiting, ForObject("u", 5))
        room.put(room.for_object("u")[0], ForObject("v", 30))
        assert room.next_deadline() == T0 + 30 * SECOND


class TestRoom:
    """There is a capacity, and a full room loses nothing."""

    def test_one_too_many_crowds_out_the_one_whose_patience_would_end_first(self, room):
        """To be placed at once."""
        items = [item(number, received_s=number) for number in range(4)]
        crowded_out = [room.put(it, ForObject(f"u{n}", 5)) for n, it in enumerate(items)]
        assert crowded_out == [None, None, None, items[0]]
        assert items[0].forced

    def test_every_item_comes_out_once(self, room):
        """Crowded out, called, or overdue."""
        items = [item(number, received_s=number) for number in range(50)]
        out = []
        for number, waiting in enumerate(items):
            need = ForObject(f"u{number % 3}", 5) if number % 2 else ForWatch("Pod", number, 5)
            crowded_out = room.put(waiting, need)
            if crowded_out is not None:
                out.append(crowded_out)
                room.done(crowded_out)
        for waiting in [*room.for_object("u1"), *room.for_watch("Pod", 48)]:
            out.append(waiting)
            room.done(waiting)
        while (waiting := room.overdue(1 << 63)) is not None:
            out.append(waiting)
            room.done(waiting)
        assert sorted(map(id, out)) == sorted(map(id, items))
        assert room.events == 0

    def test_a_silent_watch_does_not_fill_it(self):
        """Those that gave up waiting are let go of, also inside."""
        room = WaitingRoom(10)
        for number in range(5000):
            waiting = item(number, received_s=number)
            room.put(waiting, ForWatch("Deployment", 10_000 + number, 1))
            while (late := room.overdue(T0 + number * SECOND)) is not None:
                room.done(late)
        assert len(room._for_watch["Deployment"]) < 2000
