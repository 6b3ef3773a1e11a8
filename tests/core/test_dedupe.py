"""A step of an Event is told once, however often it is delivered."""

from __future__ import annotations

import pytest

from kspanpy.core.model import SECOND
from kspanpy.core.placing.dedupe import SeenEvents

HOUR = 3600 * SECOND


def test_a_step_is_news_once():
    """The highest step before it is the answer: as high or higher means that it was seen."""
    seen = SeenEvents(capacity=10, memory_ns=HOUR)
    assert [seen.note("e", n, 0) for n in (1, 1, 2, 4, 3, 4)] == [0, 1, 1, 2, 4, 4]


def test_an_event_is_remembered_for_its_life():
    """At least an hour, and not for ever."""
    seen = SeenEvents(capacity=10, memory_ns=HOUR)
    seen.note("e", 3, HOUR)
    seen.note("other", 1, 2 * HOUR)
    assert seen.note("e", 3, 2 * HOUR) == 3
    seen.note("other", 2, 4 * HOUR)
    seen.note("other", 3, 6 * HOUR)
    assert seen.note("e", 3, 6 * HOUR) == 0


def test_an_event_that_goes_on_is_not_forgotten():
    """Each new step renews it, as it renews the Event's life in the cluster."""
    seen = SeenEvents(capacity=10, memory_ns=HOUR)
    assert [seen.note("e", n, n * HOUR // 2) for n in range(1, 50)] == list(range(49))


def test_there_is_a_capacity():
    """A flood pushes out the oldest, not the newest."""
    seen = SeenEvents(capacity=10, memory_ns=HOUR)
    for number in range(1000):
        seen.note(f"e{number}", 1, number)
        assert len(seen) <= 10
    assert seen.note("e999", 1, 1000) == 1
    assert seen.note("e0", 1, 1000) == 0


def test_the_smallest_capacity_works():
    """A silly setting is no crash."""
    seen = SeenEvents(capacity=0, memory_ns=0)
    assert [seen.note(uid, 1, 0) for uid in "abc"] == [0, 0, 0]


@pytest.mark.parametrize(
    "uid",
    [
        "00000006-0000-4000-8000-000000000001",  # the same halves, in other company
        "00000007-0000-4000-8000-000000000000",
        "00000006000040008000-000000000000----",  # no UUID
        "shop/web-1-4000-8000-000000000000-zzz",
    ],
)
def test_uids_that_are_nearly_alike_are_not_confused(uid: str):
    """They are kept as numbers: whole."""
    seen = SeenEvents(capacity=10, memory_ns=HOUR)
    seen.note("00000006-0000-4000-8000-000000000000", 1, 0)
    assert [seen.note(uid, 1, 0), seen.note(uid, 1, 0)] == [0, 1]


NAME = ("shop", "web-1.18a1b2c3d4e5f607")


class TestMadeAgain:
    """An Event that has expired is made again under its old name: a new uid, a higher count."""

    def test_it_goes_on_where_its_name_was_left(self):
        """So a jump of its count is seen."""
        seen = SeenEvents(capacity=10, memory_ns=HOUR)
        assert [seen.note("old", n, 0, name=NAME) for n in (1, 6)] == [0, 1]
        assert seen.note("new", 9, HOUR // 2, name=NAME) == 6

    def test_it_is_news_even_if_nothing_is_remembered(self):
        """Its count says how often, not how often it was told."""
        seen = SeenEvents(capacity=10, memory_ns=HOUR)
        assert seen.note("new", 7, 0, name=NAME) == 0

    @pytest.mark.parametrize("n", [1, 5, 6])
    def test_a_name_that_is_used_again_is_another_event(self, n):
        """Some writers always use the same names: nothing of theirs may be lost."""
        seen = SeenEvents(capacity=10, memory_ns=HOUR)
        seen.note("old", 6, 0, name=NAME)
        assert seen.note("new", n, 1, name=NAME) == 0

    def test_all_of_it_delivered_again_is_no_news(self):
        """A watch that was resumed further back shows both, in their order."""
        seen = SeenEvents(capacity=10, memory_ns=HOUR)
        steps = [("old", 1), ("old", 6), ("new", 7), ("new", 8)]
        first = [seen.note(uid, n, 0, name=NAME) for uid, n in steps]
        again = [seen.note(uid, n, 1, name=NAME) >= n for uid, n in steps]
        assert (first, again) == ([0, 1, 6, 7], [True] * 4)

    def test_another_namespace_is_another_name(self):
        """Names are unique in theirs."""
        seen = SeenEvents(capacity=10, memory_ns=HOUR)
        seen.note("old", 6, 0, name=NAME)
        assert seen.note("new", 9, 1, name=("other", NAME[1])) == 0
