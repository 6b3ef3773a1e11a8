"""After a restart the watches go on where the former process stopped: no list, nothing lost, nothing shown twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes.apiserver import FakeApiServer
from fakes.clock import HastyClock
from fakes.objects import bookmark, event, line, page, pod, until

from kspanpy.core import steps
from kspanpy.core.model import Object
from kspanpy.decode import Change
from kspanpy.kube import EVENTS, WATCHED, Client, Delivery, FailureReason, Resume, Watcher, WatchSettings
from kspanpy.kube.listwatch import List, ListWatch, Outcome, Progress, Wait, Watch

PODS = WATCHED[1]
Cursors = dict[tuple[str, str], str]


def resumed(cursor: str = "10", *known: str, resource: Any = PODS) -> ListWatch:
    """A protocol that goes on from there."""
    things = [Object(api_version="v1", kind="Pod", namespace="shop", name=name, uid=f"uid-{name}") for name in known]
    return ListWatch(resource, settings=WatchSettings(), random=lambda: 0.0, resume=Resume(cursor, things))


def watched(protocol: ListWatch, *chunks: tuple[float, bytes], until: float) -> list[Outcome]:
    """One watch from second 0: chunks at their times, closed at `until`."""
    assert isinstance(protocol.next(now=0.0), Watch)
    protocol.opened(now=0.0)
    found = [outcome for at, data in chunks for outcome in protocol.chunk(data, now=at)]
    return found + protocol.closed(now=until)


def test_the_first_request_is_a_short_watch_from_the_cursor() -> None:
    """Short, so that its end says that nothing is left; the next one has the usual length."""
    protocol = resumed()
    assert protocol.next(now=0.0) == Watch("10", 3)
    assert watched(protocol, until=3.0) == [Progress(10, end_of_list=True, cursor="10")]
    assert protocol.synced
    assert protocol.next(now=3.0) == Watch("10", 300)


def test_what_happened_in_between_comes_before_it_has_caught_up() -> None:
    """The backlog first, then, a quiet second later, the word that this was all."""
    protocol = resumed()
    found = watched(protocol, (0.1, line("ADDED", pod("a", version=11))), until=3.0)
    assert [type(outcome) for outcome in found] == [Change, Progress]
    assert found[-1] == Progress(11, end_of_list=True, cursor="11")


def test_a_bookmark_says_that_it_has_caught_up() -> None:
    """It comes behind everything older; the stream goes on."""
    protocol = resumed()
    protocol.next(now=0.0)
    protocol.opened(now=0.0)
    assert protocol.chunk(bookmark(40), now=1.0) == [Progress(40, end_of_list=True, cursor="40")]
    assert protocol.chunk(bookmark(50), now=2.0) == [Progress(50, end_of_list=False, cursor="50")]


def test_a_watch_that_ends_while_lines_are_coming_has_not_caught_up() -> None:
    """Its time was over, not its backlog; but a cluster that is never quiet is not waited for for ever."""
    protocol, rounds = resumed(), 0
    while not protocol.synced:
        now = rounds * 3.0
        request = protocol.next(now=now)
        assert request == Watch(str(10 + rounds), 3)
        protocol.opened(now=now)
        rounds += 1
        protocol.chunk(line("ADDED", pod("a", version=10 + rounds)), now=now + 2.9)
        protocol.closed(now=now + 3.0)
    assert rounds == 2


def test_a_silent_watch_has_caught_up_too() -> None:
    """A connection that died after the backlog, or an API server that does not end watches when asked to."""
    protocol = resumed()
    protocol.next(now=0.0)
    protocol.opened(now=0.0)
    assert Progress(10, end_of_list=True, cursor="10") in protocol.failed(FailureReason.SILENT, now=8.0)


def test_an_expired_cursor_is_a_list_that_tells_who_has_gone() -> None:
    """410 at once: one list, and DELETED for what the former process had been shown and is not in it."""
    protocol = resumed("10", "a", "b")
    protocol.next(now=0.0)
    protocol.answered(410, now=0.0)
    assert protocol.next(now=0.0) == List("", "", 500)
    found = protocol.page(page(pod("b"), pod("c"), version=90), now=0.0)
    changes = [(o.type, o.object.name) for o in found if isinstance(o, Change)]
    assert changes == [("ADDED", "b"), ("ADDED", "c"), ("DELETED", "a")]
    assert found[-1] == Progress(90, end_of_list=True, cursor="90")
    assert protocol.next(now=0.0) == Watch("90", 300)


def test_a_server_that_can_not_be_reached_after_the_restart_is_no_reason_for_a_list() -> None:
    """Refused for an hour: the cursor stays."""
    protocol, now, asked = resumed(), 0.0, set()
    while now < 3600:
        request = protocol.next(now=now)
        if isinstance(request, Wait):
            now += request.seconds
        else:
            asked.add(type(request))
            protocol.failed(FailureReason.REFUSED, now=now)
    assert asked == {Watch}


class Life:
    """One process: what it was handed, and its cursors as a checkpoint keeps them."""

    def __init__(self, client: Client, *, before: Life | None = None, known: Any = (), **settings: Any) -> None:
        self.deliveries: list[Delivery] = []
        self.cursors: Cursors = dict(before.cursors) if before else {}
        self.watcher = Watcher(
            client,
            settings=WatchSettings(**settings),
            deliver=self._deliver,
            clock=HastyClock(longest=20),
            resources=(EVENTS, PODS),
            resume={key: Resume(cursor, known if key[0] == "Pod" else ()) for key, cursor in self.cursors.items()},
        )
        self.watcher.start()

    def _deliver(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if delivery.cursor:
            self.cursors[delivery.kind, delivery.namespace] = delivery.cursor

    def changes(self) -> list[tuple[str, str]]:
        """Types and names, in order."""
        return [(d.change.type, d.change.object.name) for d in list(self.deliveries) if d.change]


@pytest.fixture
def live(client: Client) -> Iterator[Callable[..., Life]]:
    """Starts lives; ends them."""
    lives: list[Life] = []

    def start(**kwargs: Any) -> Life:
        lives.append(Life(client, **kwargs))
        return lives[-1]

    yield start
    for life in lives:
        assert life.watcher.stop(2)


def test_a_second_life_lists_nothing_and_misses_nothing(server: FakeApiServer, live: Callable[..., Life]) -> None:
    """What happened between the two processes arrives once; what the first one had does not come again."""
    server.put("pods", pod("a"))
    server.put("events", event("e1"))
    first = live()
    assert first.watcher.wait_synced(5)
    server.put("events", event("e2"))
    assert until(lambda: first.cursors == {("Pod", ""): "102", ("Event", ""): "103"})
    assert first.watcher.stop(2)
    server.put("pods", pod("b"))
    server.put("events", event("e3"))
    server.seen.clear()

    second = live(before=first)
    assert not second.watcher.wait_synced(0)
    assert until(lambda: sorted(second.changes()) == [("ADDED", "b"), ("ADDED", "e3")]), "neither waits for the other"
    server.bookmark("pods", "Pod", "v1")
    server.bookmark("events", "Event", "v1")
    assert second.watcher.wait_synced(5)
    assert server.requests("list") == []
    assert steps.WatchProgress("Pod", 105) in [d.progress for d in second.deliveries]
    assert second.cursors == {("Pod", ""): "105", ("Event", ""): "105"}
    server.put("events", event("e4"))
    assert until(lambda: second.changes()[-1] == ("ADDED", "e4"))


def test_a_second_life_with_expired_cursors_lists_once(server: FakeApiServer, live: Callable[..., Life]) -> None:
    """The history was compacted meanwhile: one list a kind, and the Pod that went is told."""
    server.put("pods", pod("a"))
    server.put("events", event("e1"))
    first = live()
    assert first.watcher.wait_synced(5)
    assert first.watcher.stop(2)
    known = [d.change.object for d in first.deliveries if d.change and d.kind == "Pod"]
    server.delete("pods", "a", "shop", unseen=True)
    server.put("pods", pod("b"))
    server.compact()
    server.seen.clear()

    second = live(before=first, known=known)
    assert second.watcher.wait_synced(5)
    assert sorted(second.changes()) == [("ADDED", "b"), ("ADDED", "e1"), ("DELETED", "a")]
    assert {plural: len(server.requests("list", plural)) for plural in ("pods", "events")} == {"pods": 1, "events": 1}


def test_the_cursor_is_not_good_before_the_list_is_whole(server: FakeApiServer, live: Callable[..., Life]) -> None:
    """Items of a list have none: who resumed at one would miss the items after it."""
    for name in "abc":
        server.put("pods", pod(name))
    life = live(page_size=2)
    assert life.watcher.wait_synced(5)
    pods = [d for d in life.deliveries if d.kind == "Pod"]
    assert [d.cursor for d in pods] == ["", "", "", "103"]
    assert pods[-1].progress == steps.WatchProgress("Pod", 103)


def test_cursors_pass_what_nobody_wants(server: FakeApiServer, live: Callable[..., Life]) -> None:
    """Changes of an excluded namespace, and Events that expire, move the cursor too, and are no inputs."""
    server.put("events", event("e1"))
    life = live(exclude=("kube-system",))
    assert life.watcher.wait_synced(5)
    server.put("events", event("noise", namespace="kube-system"))
    assert until(lambda: life.cursors["Event", ""] == "102")
    server.delete("events", "e1", "shop")
    assert until(lambda: life.cursors["Event", ""] == "103")
    assert [d.step() for d in life.deliveries if d.kind == "Event"][-2:] == [None, None]
    assert ("ADDED", "noise") not in life.changes()


def test_cursors_are_kept_by_namespace(server: FakeApiServer, live: Callable[..., Life]) -> None:
    """Two watches of one kind move on their own; a bookmark moves a cursor even if the kind as a whole has not moved."""
    life = live(include=("shop", "bank"))
    assert life.watcher.wait_synced(5)
    server.put("pods", pod("a", namespace="bank"))
    assert until(lambda: life.cursors["Pod", "bank"] == "101")
    assert life.cursors["Pod", "shop"] == "100"
    assert set(life.cursors) == {(kind, name) for kind in ("Pod", "Event") for name in ("shop", "bank")} | {
        ("Event", "default")
    }
