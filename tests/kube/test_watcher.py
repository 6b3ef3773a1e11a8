"""The watches against an API server on loopback: what arrives, whatever happens on the way."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes.apiserver import FakeApiServer
from fakes.clock import HastyClock
from fakes.objects import event, pod, until

from kspanpy.core import steps
from kspanpy.decode import Malformed
from kspanpy.errors import StartupError
from kspanpy.kube import (
    EVENTS,
    WATCHED,
    Client,
    Delivery,
    FailureReason,
    Relief,
    Watcher,
    WatchSettings,
    WatchState,
)

PODS, NODES = WATCHED[1], WATCHED[2]


class Received:
    """What was delivered."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.malformed: list[tuple[str, Malformed]] = []

    def changes(self, kind: str) -> list[tuple[str, str]]:
        """Types and names, in order."""
        return [(d.change.type, d.change.object.name) for d in list(self.deliveries) if d.change and d.kind == kind]

    def progress(self, kind: str) -> list[int]:
        """Versions, in order."""
        return [d.progress.resource_version for d in list(self.deliveries) if d.progress and d.kind == kind]


@pytest.fixture
def received() -> Received:
    """Empty."""
    return Received()


@pytest.fixture
def watching(client: Client, received: Received) -> Iterator[Callable[..., Watcher]]:
    """Start watchers of Events and Pods, unless told otherwise; all are stopped."""
    started: list[Watcher] = []

    def start(
        *,
        clock: HastyClock | None = None,
        resources: Any = (EVENTS, PODS),
        relief: Relief | None = None,
        **settings: Any,
    ) -> Watcher:
        watcher = Watcher(
            client,
            settings=WatchSettings(**settings),
            deliver=received.deliveries.append,
            on_malformed=lambda kind, bad: received.malformed.append((kind, bad)),
            clock=clock,
            resources=resources,
            relief=relief,
        )
        started.append(watcher)
        watcher.start()
        assert watcher.wait_synced(5)
        return watcher

    yield start
    for watcher in started:
        assert watcher.stop(2)


def test_lists_then_follows(server: FakeApiServer, received: Received, watching: Callable[..., Watcher]) -> None:
    """What is there comes first, page by page, then progress, then every change."""
    for name in "abc":
        server.put("pods", pod(name))
    watching(page_size=2)
    assert received.changes("Pod") == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
    assert received.progress("Pod") == [103]
    server.put("pods", pod("a"))
    server.delete("pods", "b", "shop")
    server.bookmark("pods", "Pod", "v1")
    assert until(lambda: received.progress("Pod") == [103, 105])
    assert received.changes("Pod")[3:] == [("MODIFIED", "a"), ("DELETED", "b")]
    assert [request.query["limit"] for request in server.requests("list", "pods")] == ["2", "2"]


def test_deliveries_are_inputs_of_the_linker(
    server: FakeApiServer, received: Received, watching: Callable[..., Watcher]
) -> None:
    """Every delivery says which input it is; an expired Event is none."""
    server.put("pods", pod("a"))
    server.put("events", event("e"))
    watching()
    server.delete("events", "e", "shop")
    assert until(lambda: len(received.changes("Event")) == 2)
    found = [d.step() for d in received.deliveries if d.change]
    assert [type(step) for step in found] == [steps.ObjectSeen, steps.EventSeen, type(None)]
    assert all(d.received_ns > 0 for d in received.deliveries)


def test_events_come_after_the_objects_they_are_about(
    server: FakeApiServer, received: Received, watching: Callable[..., Watcher]
) -> None:
    """Even if the objects' list takes longer."""
    server.put("events", event("e"))
    server.put("pods", pod("a"))
    server.fault(verb="list", plural="pods", status=500)
    watching(clock=HastyClock(longest=100), owners_first_s=1000)
    kinds = [delivery.kind for delivery in received.deliveries if delivery.change]
    assert kinds == ["Pod", "Event"]


def test_events_do_not_wait_for_ever(server: FakeApiServer, client: Client, received: Received) -> None:
    """Objects that can not be listed hold the Events back for a bounded time."""
    server.put("events", event("e"))
    server.fault(verb="list", plural="pods", status=500, times=10**6)
    settings = WatchSettings(owners_first_s=0.05)
    watcher = Watcher(client, settings=settings, deliver=received.deliveries.append, resources=(EVENTS, PODS))
    watcher.start()
    assert until(lambda: received.changes("Event") == [("ADDED", "e")])
    assert not watcher.wait_synced(0)
    states = {health.kind: (health.synced, health.state, health.reason) for health in watcher.health()}
    assert states["Pod"] == (False, WatchState.RETRYING, "server-error")
    assert watcher.stop(2)


def test_after_410_everything_is_shown_again_and_the_gone_are_deleted(
    server: FakeApiServer, received: Received, watching: Callable[..., Watcher]
) -> None:
    """What happened in the gap is made good by one list."""
    for name in "abc":
        server.put("pods", pod(name))
    watcher = watching(resources=(EVENTS, PODS))
    received.deliveries.clear()
    server.delete("pods", "b", "shop", unseen=True)
    server.compact()
    assert until(lambda: len(received.changes("Pod")) == 3)
    assert received.changes("Pod") == [("ADDED", "a"), ("ADDED", "c"), ("DELETED", "b")]
    server.put("pods", pod("d"))
    assert until(lambda: received.changes("Pod")[-1] == ("ADDED", "d"))
    counters = watcher.counters()["Pod"]
    assert (counters.lists, counters.relists, counters.failures[FailureReason.GONE]) == (2, 1, 1)


def test_410_at_a_page_lists_from_the_beginning(
    server: FakeApiServer, received: Received, watching: Callable[..., Watcher]
) -> None:
    """An expired continue token costs a new list."""
    for name in "abc":
        server.put("pods", pod(name))
    server.fault(verb="list", plural="pods", continued=True, status=410)
    watching(page_size=2)
    assert [request.query.get("continue", "") != "" for request in server.requests("list", "pods")] == [
        False,
        True,
        False,
        True,
    ]
    assert Counter(received.changes("Pod"))["ADDED", "c"] == 1


def test_a_kind_that_may_not_be_read_is_told_once_and_the_rest_goes_on(
    server: FakeApiServer, received: Received, watching: Callable[..., Watcher], caplog: pytest.LogCaptureFixture
) -> None:
    """403 on Nodes: a line that names the right, a health entry, and Pods as ever."""
    server.forbidden.add(("list", "nodes"))
    server.put("pods", pod("a"))
    with caplog.at_level(logging.WARNING, logger="kspanpy"):
        watcher = watching(clock=HastyClock(), resources=(EVENTS, PODS, NODES))
        assert until(lambda: len(server.requests("list", "nodes")) >= 3)
    assert received.changes("Pod") == [("ADDED", "a")]
    told = [message for message in caplog.messages if "nodes" in message]
    assert told == ["may not list nodes: grant the verbs get, list, watch (RBAC); goes on without"]
    health = next(health for health in watcher.health() if health.kind == "Node")
    assert (health.synced, health.state) == (False, WatchState.FORBIDDEN)
    assert health.reason.startswith("may not list nodes")
    assert steps.WatchMissing("Node") in [delivery.progress for delivery in received.deliveries], (
        "so nothing waits for Nodes"
    )
    server.forbidden.clear()
    server.put("nodes", {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}})
    assert until(lambda: received.changes("Node") == [("ADDED", "n")])


def test_an_api_that_is_not_served_degrades(server: FakeApiServer, watching: Callable[..., Watcher]) -> None:
    """404 on a collection: an old or a cut-down API server."""
    server.unserved.add("horizontalpodautoscalers")
    watcher = watching(resources=WATCHED)
    health = next(health for health in watcher.health() if health.kind == "HorizontalPodAutoscaler")
    assert health.state is WatchState.NOT_SERVED
    assert health.reason == "horizontalpodautoscalers of autoscaling/v2 are not served by this API server"


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_without_the_right_to_read_events_it_does_not_start(server: FakeApiServer, client: Client, verb: str) -> None:
    """One line that names the missing verb and resource."""
    server.forbidden.add((verb, "events"))
    watcher = Watcher(client, settings=WatchSettings(include=("shop",)), deliver=lambda _: None)
    with pytest.raises(StartupError, match=f"^may not {verb} events in namespace shop: grant .*RBAC"):
        watcher.start()
    assert watcher.stop(0.1)


def test_chosen_namespaces(server: FakeApiServer, received: Received, watching: Callable[..., Watcher]) -> None:
    """Included namespaces, Nodes' Events from `default`, progress of the slower of two watches."""
    server.put("pods", pod("a", namespace="shop"))
    server.put("pods", pod("b", namespace="bank"))
    server.put("pods", pod("c", namespace="other"))
    server.put("events", event("node", namespace="default", about="Node"))
    server.put("events", event("other", namespace="default"))
    watching(include=("shop", "bank"))
    assert {name for _, name in received.changes("Pod")} == {"a", "b"}
    assert received.changes("Event") == [("ADDED", "node")]
    assert received.progress("Pod") == [105]
    namespaces = {request.namespace for request in server.requests("list", "pods")}
    assert namespaces == {"shop", "bank"}


def test_excluded_namespaces(server: FakeApiServer, received: Received, watching: Callable[..., Watcher]) -> None:
    """One watch for all, and what is not wanted is counted and dropped."""
    server.put("pods", pod("a", namespace="shop"))
    server.put("pods", pod("b", namespace="kube-system"))
    watcher = watching(exclude=("kube-system",))
    assert received.changes("Pod") == [("ADDED", "a")]
    assert watcher.counters()["Pod"].filtered == 1


class Overrun:
    """A receiver that takes no Events of the namespace `noisy`, nor of `unwanted`, which nobody should ask for."""

    needed = True

    def __init__(self) -> None:
        self.dropped: list[str] = []

    def drops(self, namespace: str, *, warning: bool, backlog: bool) -> bool:
        """And counts."""
        drops = namespace in ("noisy", "unwanted")
        self.dropped += [namespace] * drops
        return drops


def test_what_the_receiver_would_drop_is_not_read(
    server: FakeApiServer, received: Received, watching: Callable[..., Watcher]
) -> None:
    """It counts as a change all the same; what is not wanted is filtered, as ever; and objects are never dropped."""
    relief = Overrun()
    watcher = watching(relief=relief, exclude=("unwanted",))
    server.put("pods", pod("p", namespace="noisy"))
    for name, namespace in [("a", "noisy"), ("b", "quiet"), ("c", "unwanted"), ("d", "noisy"), ("e", "quiet")]:
        server.put("events", event(name, namespace=namespace))
    assert until(lambda: len(received.changes("Event")) == 2 and len(received.changes("Pod")) == 1)
    assert received.changes("Event") == [("ADDED", "b"), ("ADDED", "e")]
    assert relief.dropped == ["noisy", "noisy"]
    assert watcher.counters()["Event"].changes == 4
    assert watcher.counters()["Event"].filtered == 1


def test_malformed_things_are_counted_by_reason(
    server: FakeApiServer, received: Received, watching: Callable[..., Watcher]
) -> None:
    """A bad line costs itself."""
    server.fault(verb="watch", plural="pods", lines=[b"nonsense\n"])
    watcher = watching()
    server.put("pods", pod("a"))
    assert until(lambda: received.changes("Pod") == [("ADDED", "a")])
    assert [kind for kind, _ in received.malformed] == ["Pod"]
    assert sum(watcher.counters()["Pod"].malformed.values()) == 1


def test_a_receiver_that_fails_does_not_stop_the_stream(server: FakeApiServer, client: Client) -> None:
    """Its error is counted as internal, and the next change delivered."""
    got: list[str] = []

    def deliver(delivery: Delivery) -> None:
        if delivery.change:
            got.append(delivery.change.object.name)
            if delivery.change.object.name == "a":
                raise RuntimeError("no")

    server.put("pods", pod("a"))
    watcher = Watcher(client, settings=WatchSettings(), deliver=deliver, resources=(PODS,))
    watcher.start()
    server.put("pods", pod("b"))
    assert until(lambda: got == ["a", "b"])
    assert watcher.counters()["Pod"].failures[FailureReason.INTERNAL] == 1
    assert watcher.stop(2)


def test_a_silent_watch_is_resumed(server: FakeApiServer, received: Received, watching: Callable[..., Watcher]) -> None:
    """A connection that died without a word is left after the time in which a bookmark should have come."""
    server.fault(verb="watch", plural="pods", silent=True)
    watcher = watching(silence_s=0.1, resources=(PODS,))
    server.put("pods", pod("a"))
    assert until(lambda: received.changes("Pod") == [("ADDED", "a")])
    counters = watcher.counters()["Pod"]
    assert counters.failures[FailureReason.SILENT] >= 1
    assert counters.lists == 1


def test_stops_within_a_second_wherever_it_reads(server: FakeApiServer, client: Client, received: Received) -> None:
    """Open watches are closed from outside; nothing is delivered afterwards."""
    watcher = Watcher(client, settings=WatchSettings(), deliver=received.deliveries.append)
    watcher.start()
    assert watcher.wait_synced(5)
    assert until(lambda: server.open_watches == len(WATCHED))
    began = time.monotonic()
    assert watcher.stop(1.0)
    assert time.monotonic() - began < 1.0
    number = len(received.deliveries)
    server.put("pods", pod("late"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("watch-")]
    assert len(received.deliveries) == number
    assert {health.state for health in watcher.health()} == {WatchState.STOPPED}


def test_stops_while_it_backs_off(server: FakeApiServer, client: Client) -> None:
    """A wait is cut short, and so is the Events' wait for the objects."""
    server.fault(status=500, times=10**6)
    watcher = Watcher(client, settings=WatchSettings(), deliver=lambda _: None)
    watcher.start()
    assert until(lambda: len(server.requests()) > len(WATCHED))
    assert watcher.stop(1.0)


def test_bytes_and_ages_are_told(server: FakeApiServer, watching: Callable[..., Watcher]) -> None:
    """Health knows how long ago a byte came, by the clock that it is given."""
    watcher = watching()
    now = time.monotonic()
    assert all(health.last_byte_age_s is not None for health in watcher.health())
    assert all(health.last_byte_age_s >= 100 for health in watcher.health(now + 101) if health.last_byte_age_s)
    assert watcher.counters()["Pod"].bytes > 0


def test_a_change_keeps_its_json(server: FakeApiServer, received: Received, watching: Callable[..., Watcher]) -> None:
    """For capture files: the object as the API server sent it."""
    stored = server.put("pods", pod("a") | {"spec": {"unknown": [1, None]}})
    watching()
    change = next(d.change for d in received.deliveries if d.change)
    assert json.loads(bytes(change.raw)) == stored
