"""A bad network between a sender and a real server, both transports: an attempt keeps its time, and no span is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from kspanpy.export import otlp_sender
from kspanpy.export.encode import Encoder
from kspanpy.export.retry import Accepted, Transient
from tests.export.spans import spans
from tests.export.wire import PROTOCOLS, Wire, settings_for
from tests.fakes.collector import FakeCollector
from tests.fakes.proxy import Bandwidth, BlackHole, FaultProxy, Latency, Reset, Slicer

PAYLOAD = Encoder({}).encode(spans(300))


class Road:
    """A sender, a proxy, a collector."""

    def __init__(self, protocol: str, collector: FakeCollector, proxy: FaultProxy) -> None:
        self.collector = collector
        self.proxy = proxy
        self.sender = otlp_sender(settings_for(protocol, proxy.port))

    def send(self, timeout_s: float = 5.0):
        """The outcome of an attempt and how long it took."""
        began = time.monotonic()
        outcome = self.sender.send(PAYLOAD, timeout_s=timeout_s)
        return outcome, time.monotonic() - began


@pytest.fixture(params=PROTOCOLS)
def road(request) -> Iterator[Road]:
    """For both transports."""
    with FakeCollector(request.param) as collector, FaultProxy(collector.port) as proxy:
        made = Road(request.param, collector, proxy)
        yield made
        made.sender.close()


@pytest.mark.parametrize(
    "toxic",
    [
        BlackHole(),
        BlackHole("down"),
        Bandwidth(10_000),
        Bandwidth(10_000, "down"),
        Latency(2.0),
        Slicer(1, "down", pause_s=0.05),
        Slicer(100, "up", pause_s=0.05),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_connected", [False, True], ids=["new", "connected"])
def test_an_attempt_keeps_its_time(road, toxic, is_connected):
    """However little passes, and however slowly: it ends as transient when its time is over, and well again all is well."""
    if is_connected:
        assert road.send()[0] == Accepted()
    road.proxy.set(toxic)
    outcome, took = road.send(timeout_s=0.3)
    if not (isinstance(outcome, Accepted) and took < 0.3):
        assert isinstance(outcome, Transient)
        assert 0.25 <= took < 0.6
    road.proxy.set()
    assert road.send()[0] == Accepted()


def test_refused(road):
    """At once transient; when somebody listens again the next attempt goes through."""
    road.proxy.refuse()
    for _ in range(3):
        outcome, took = road.send()
        assert isinstance(outcome, Transient)
        assert took < 1
    road.proxy.accept()
    assert road.send()[0] == Accepted()


def test_half_open(road):
    """The server has gone without a word: one attempt is lost to the silence, the next makes a new connection."""
    assert road.send()[0] == Accepted()
    road.proxy.half_open()
    assert isinstance(road.send(timeout_s=0.3)[0], Transient)
    assert road.send()[0] == Accepted()
    assert road.proxy.connections == 2


def test_a_connection_that_was_cut_while_idle(road):
    """No more than one attempt is lost, and no span."""
    assert road.send()[0] == Accepted()
    road.proxy.cut()
    outcomes = [road.send()[0] for _ in range(2)]
    assert outcomes[-1] == Accepted()


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_reset_in_the_middle_of_a_request(protocol, direction):
    """Whichever byte it is cut at: everything arrives, in order; only an answer that was cut brings spans a second time."""
    cuts = [0, 1, 50, 300, 2000, 20_000, 40_000] if direction == "up" else [0, 1, 20, 60]
    plan = lambda number: [Reset(cuts[number], direction)] if number < len(cuts) else []  # noqa: E731
    with (
        FakeCollector(protocol) as collector,
        FaultProxy(collector.port, plan=plan) as proxy,
        Wire(collector, port=proxy.port) as wire,
    ):
        wire.offer(512)
        wire.run()
    expected = [number.to_bytes(8, "big") for number in range(1, 513)]
    assert collector.accepted[-512:] == expected
    assert len({*collector.payloads}) == 1
    if direction == "up":
        assert collector.accepted == expected
    assert (wire.queue.acknowledged, wire.queue.pending, wire.dropped) == (512, 0, {})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_closing_ends_an_attempt_under_way(protocol):
    """A shutdown does not wait for a collector that says nothing."""
    with FakeCollector(protocol) as collector, FaultProxy(collector.port) as proxy:
        proxy.set(BlackHole("down"))
        sender = otlp_sender(settings_for(protocol, proxy.port))
        outcomes = []
        thread = threading.Thread(target=lambda: outcomes.append(sender.send(PAYLOAD, timeout_s=10.0)))
        thread.start()
        while proxy.passed_up < 10:
            time.sleep(0.005)
        began = time.monotonic()
        sender.close()
        thread.join()
        assert time.monotonic() - began < 0.4
    assert isinstance(outcomes[0], Transient)
