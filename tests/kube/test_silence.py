"""How soon trouble is found, and what the probes say meanwhile, second by second of virtual time.

A real watch on a `World`: what the client sees of an API server, whose state is a function of the time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import pytest
from fakes.objects import event, line, page

from kspanpy.kube import EVENTS, WATCHED, Delivery, FailureReason, TransportError, Watcher, WatchSettings
from kspanpy.kube.resources import Resource
from kspanpy.ops.health import Vital, not_alive, not_ready

PODS = WATCHED[1]
BOOKMARK_S = 60.0
HOUR = 3600.0


class Time:
    """A clock that others move, and that calls at every second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.every_second: Callable[[], None] = lambda: None

    def wall_ns(self) -> int:
        """Some epoch."""
        return int(self.now * 1e9)

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self.now

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        """Over when everything has happened that happens in between."""
        end = self.now + seconds
        while (second := float(int(self.now) + 1)) <= end:
            self.now = second
            self.every_second()
        self.now = end
        return wake.is_set()


class Answer:
    """A response whose body takes its time."""

    def __init__(self, status: int, chunks: Iterator[bytes]) -> None:
        self.status, self.headers, self._chunks = status, dict[str, str](), chunks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def chunks(self) -> Iterator[bytes]:
        """As they come."""
        return self._chunks

    def body(self) -> bytes:
        """At once."""
        return b"".join(self._chunks)


class World:
    """`state(now)`: well, mute (no answer), silent (no byte after the headers), refused, tls, or a status. `marks`: it sends
    bookmarks; `ends`: it ends watches when asked to.
    """

    def __init__(self, time: Time, state: Callable[[float], Any], *, marks: bool = True, ends: bool = True) -> None:
        self.server = "http://world"
        self.requests: list[tuple[float, str]] = []
        self.history: list[tuple[float, int, bytes]] = []  # when, version, line
        self._time, self._state, self._marks, self._ends = time, state, marks, ends
        self._never = threading.Event()

    def write(self, at: float, thing: dict[str, Any]) -> None:
        """At that time."""
        version = 101 + len(self.history)
        thing["metadata"]["resourceVersion"] = str(version)
        self.history.append((at, version, line("ADDED", thing)))

    def stream(self, path: str, *, query: Mapping[str, str], timeout_s: float) -> Answer:
        """What `Client.stream` gives."""
        state, verb = self._state(self._time.now), "watch" if "watch" in query else "list"
        self.requests.append((self._time.now, verb))
        if state == "mute":
            self._time.wait(self._never, timeout_s)
            raise TransportError(FailureReason.TIMEOUT)
        if state in {"refused", "tls"}:
            raise TransportError(FailureReason(state))
        if isinstance(state, int):
            return Answer(state, iter([b"{}"]))
        if verb == "list":
            return Answer(200, iter([page(version=100)]))
        return Answer(200, self._watch(int(query["resourceVersion"]), float(query["timeoutSeconds"]), timeout_s))

    def _watch(self, version: int, lasts_s: float, patience_s: float) -> Iterator[bytes]:
        time = self._time
        heard, mark, end = time.now, time.now + BOOKMARK_S, time.now + lasts_s
        while True:
            if self._state(time.now) == "well":
                for at, number, data in self.history:
                    if number > version and at <= time.now:
                        version, heard = number, time.now
                        yield data
                if self._marks and time.now >= mark:
                    mark, heard = time.now + BOOKMARK_S, time.now
                    yield line("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(version)}})
                if self._ends and time.now >= end:
                    return
            if time.now - heard >= patience_s:
                raise TransportError(FailureReason.TIMEOUT)
            time.wait(self._never, 1.0)


class Service:
    """One watch, driven by hand, and what the probes say at each second: (not alive, not ready)."""

    def __init__(self, state: Callable[[float], Any], *, resource: Resource = PODS, **world: Any) -> None:
        self.time = Time()
        self.time.every_second = self._probe
        self.world = World(self.time, state, **world)
        self.got: list[Delivery] = []
        self.alive: dict[int, str] = {}
        self.ready: dict[int, str] = {}
        self.watcher = Watcher(
            self.world,
            settings=WatchSettings(),
            deliver=self.got.append,
            clock=self.time,
            random=lambda: 0.5,
            resources=(resource,),
        )

    def run(self, until: float) -> Service:
        """Request by request."""
        while self.time.now < until:
            self.watcher._reflectors[0]._step()
        return self

    def _probe(self) -> None:
        now, (health,) = self.time.now, self.watcher.health()
        vital = Vital(
            heartbeat_s=now,
            activity_s=None if health.last_byte_age_s is None else now - health.last_byte_age_s,
            synced=self.watcher.wait_synced(0.0),
        )
        self.alive[int(now)] = not_alive(vital, now_s=now)
        self.ready[int(now)] = not_ready(vital, now_s=now)

    def unready(self) -> list[int]:
        """The seconds at which it is not."""
        return [second for second, why in self.ready.items() if why]

    def names(self) -> list[str]:
        """What was handed on."""
        return [delivery.change.object.name for delivery in self.got if delivery.change]


def outage(begins: float, ends: float, state: Any) -> Callable[[float], Any]:
    """Well before and after."""
    return lambda now: state if begins <= now < ends else "well"


@pytest.mark.parametrize("resource", [PODS, EVENTS], ids=["Pods", "Events"])
def test_a_half_open_connection_is_found_after_75_seconds_at_most(resource: Resource) -> None:
    """Whenever it dies: the watch is resumed, nothing is lost, and the service is ready all the time."""
    for dies in (61.0, 95.0, 119.0, 121.0):
        service = Service(outage(dies, dies + 1, "silent"), resource=resource, marks=resource != EVENTS)
        dead = threading.Event()

        def state(now: float, *, dies: float = dies, dead: threading.Event = dead, service: Service = service) -> str:
            """Silent from then until somebody connects again."""
            if now >= dies and any(at > dies for at, _ in service.world.requests):
                dead.set()
            return "silent" if now >= dies and not dead.is_set() else "well"

        service.world._state = state
        service.world.write(dies + 2, event("late"))
        service.run(dies + 200)
        again = min(at for at, _ in service.world.requests if at > dies)
        assert again - dies <= 75
        assert service.names() == ["late"]
        assert [at for at in service.unready() if at > 1] == []
        assert [verb for _, verb in service.world.requests].count("list") == 1


@pytest.mark.parametrize("server", ["ends watches", "does not even end watches"])
def test_a_quiet_cluster_is_ready_although_events_have_no_bookmarks(server: str) -> None:
    """An hour in which no Event happens: never unready, one watch a minute, one list."""
    ends = server == "ends watches"
    service = Service(lambda _: "well", resource=EVENTS, marks=False, ends=ends).run(HOUR)
    assert [at for at in service.unready() if at > 1] == []
    assert len(service.world.requests) <= 75
    assert [verb for _, verb in service.world.requests].count("list") == 1
    silent = service.watcher.counters()["Event"].failures[FailureReason.SILENT]
    assert silent == (0 if ends else len(service.world.requests) - 1)


@pytest.mark.parametrize("state", ["refused", "mute", "tls", 500, 503, 429, 401])
def test_ten_minutes_of_trouble(state: Any) -> None:
    """At most 30 calls; not ready from three minutes after the last byte, and ready within a minute or so of the end; always
    alive; the watch goes on, and what happened meanwhile comes.
    """
    service = Service(outage(100, 700, state))
    service.world.write(400, event("meanwhile"))
    service.run(1000)
    calls = [at for at, _ in service.world.requests if 100 <= at < 700]
    assert len(calls) <= 30
    assert len([at for at in calls if at >= 220]) <= 0.04 * 480
    unready = [at for at in service.unready() if at > 1]
    last_byte, back = 100, min(at for at, _ in service.world.requests if at >= 700)
    assert last_byte + 140 <= unready[0] <= last_byte + 180 + 1
    assert unready == list(range(unready[0], unready[-1] + 1))
    assert unready[-1] <= back <= 700 + 76
    assert set(service.alive.values()) == {""}
    assert service.names() == ["meanwhile"]


def test_a_half_open_connection_that_stays_makes_it_unready_after_three_minutes() -> None:
    """A middlebox that answers for an API server, and then is silent, does not pass for one for ever: not by its headers alone."""
    service = Service(outage(100, HOUR, "mute")).run(600)
    assert 240 <= min(at for at in service.unready() if at > 1) <= 281


@pytest.mark.parametrize("state", ["refused", "mute", 500])
def test_half_an_hour_without_an_api_server_is_no_reason_for_a_restart(state: Any) -> None:
    """Alive at every second, and at most two calls a minute."""
    service = Service(outage(10, 1810, state)).run(2000)
    assert set(service.alive.values()) == {""}
    assert len([at for at, _ in service.world.requests if 10 <= at < 1810]) <= 70
    assert service.ready[2000] == ""


def test_a_kind_that_may_not_be_read_for_a_while_comes_back() -> None:
    """403 for ten minutes in the middle: a minute of retries, then every five minutes; a list when it is allowed again."""
    service = Service(outage(100, 700, 403))
    service.world.write(400, event("meanwhile"))
    service.run(1200)
    assert len([at for at, _ in service.world.requests if 100 <= at < 700]) <= 12
    assert service.names() == ["meanwhile"]
