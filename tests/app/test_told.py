"""A process without its state leaves out what an earlier one is known to have told; in doubt it tells it again."""

from __future__ import annotations

from kspanpy.app.told import EVENT_S, STORY_S, Told
from kspanpy.core.model import SECOND, Event, ObjectReference, Span

NOW = 1_800_000_000 * SECOND
UNTIL = NOW - 20 * SECOND
TRACE, OTHER = b"1" * 16, b"2" * 16


def span(
    number: int, *, event: bool = False, root: bool = False, ended_s: float, lasted_s: float = 1, trace: bytes = TRACE
) -> Span:
    """One that ended so many seconds before the time of the Lease."""
    end_ns = UNTIL - int(ended_s * SECOND)
    attributes: dict[str, str | int | float | bool] = {"k8s.event.uid": str(number)} if event else {}
    parent = b"" if root else b"p" * 8
    start_ns = end_ns - int(lasted_s * SECOND)
    return Span(trace, number.to_bytes(8, "big"), parent, "x", "kubernetes", start_ns, end_ns, attributes)


def event(uid: str, **times: int) -> Event:
    """An Event with the times that are given."""
    return Event(uid=uid, name=uid, namespace="shop", involved=ObjectReference(), **times)


def kept(*spans: Span, until_ns: int = UNTIL) -> list[int]:
    """The numbers of those that are handed on."""
    found: list[Span] = []
    told = Told(found.extend, until_ns=until_ns, now_ns=NOW)
    told.offer(spans)
    assert told.left_out == len(spans) - len(found)
    return [int.from_bytes(span.span_id, "big") for span in found]


def test_old_events_are_left_out_and_younger_ones_are_not() -> None:
    """An Event may have waited for its place when the process ended."""
    assert kept(span(1, event=True, ended_s=EVENT_S + 1), span(2, event=True, ended_s=EVENT_S - 1)) == [2]


def test_an_event_span_that_lasted_until_lately_is_told_again() -> None:
    """Its end was not known to the earlier process: Pulling lasts until Pulled."""
    assert kept(span(1, event=True, ended_s=EVENT_S - 1, lasted_s=600)) == [1]


def test_a_story_is_left_out_whole_or_not_at_all() -> None:
    """By the end of its root; its parts may have ended long before."""
    old = [span(1, ended_s=STORY_S + 100), span(2, root=True, ended_s=STORY_S + 1)]
    young = [span(3, ended_s=STORY_S + 100, trace=OTHER), span(4, root=True, ended_s=STORY_S - 1, trace=OTHER)]
    assert kept(*old, *young) == [3, 4]


def test_a_phase_that_comes_before_its_story_is_judged_by_itself() -> None:
    """Phases of Pods are told when they are over."""
    assert kept(span(1, ended_s=STORY_S + 1), span(2, ended_s=STORY_S - 1)) == [2]


def test_an_event_that_is_younger_than_it_says_is_told() -> None:
    """The clock of its node is slow. It came by a watch, or the API server says that it was made lately."""
    old_ns, lately_ns = UNTIL - 600 * SECOND, UNTIL - 5 * SECOND
    found: list[Span] = []
    told = Told(found.extend, until_ns=UNTIL, now_ns=NOW)
    told.came(event("1", last_ns=old_ns, created_ns=lately_ns), backlog=True)
    told.came(event("2", event_time_ns=old_ns, created_ns=old_ns), backlog=False)
    told.came(event("3", last_ns=old_ns, created_ns=old_ns), backlog=True)
    told.offer([span(number, event=True, ended_s=600) for number in (1, 2, 3)])
    assert [one.attributes["k8s.event.uid"] for one in found] == ["1", "2"]


def test_too_many_of_them_and_everything_is_told() -> None:
    """What is remembered is bounded."""
    found: list[Span] = []
    told = Told(found.extend, until_ns=UNTIL, now_ns=NOW)
    for number in range(100_001):
        told.came(event(str(number), last_ns=1, created_ns=UNTIL), backlog=False)
    told.offer([span(200_000, event=True, ended_s=600)])
    assert len(found) == 1


def test_without_a_time_or_with_one_of_the_future_everything_is_told() -> None:
    """Nobody said so, or nobody who knows."""
    old = span(1, event=True, ended_s=3000)
    assert kept(old, until_ns=0) == [1]
    assert kept(old, until_ns=NOW + SECOND) == [1]
