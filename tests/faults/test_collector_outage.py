"""The collector is away, silent, slow or narrow for ten minutes, in real time, at 50 spans/s (`KSPANPY_FAULT_SECONDS`).

All scenarios run at the same time, each with a process, a proxy and a collector of its own. The same in virtual time:
tests/export/test_delivery.py, tests/export/test_shelf.py.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.proxy import Bandwidth, BlackHole, FaultProxy, Latency
from tests.faults.outage import RATE, SECONDS, Result, Scenario, play

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS + 300)]

CAPACITY = 1000
refused = FaultProxy.refuse


def black_hole(proxy: FaultProxy) -> None:
    """What is open falls silent, what comes is accepted and silent."""
    proxy.set(BlackHole())


def slow(proxy: FaultProxy) -> None:
    """Two seconds for each answer."""
    proxy.set(Latency(2.0, "down"))


def narrow(proxy: FaultProxy) -> None:
    """10 KB/s for some 15 KB/s of spans."""
    proxy.set(Bandwidth(10_000))


SCENARIOS = {
    "refused-grpc": Scenario("grpc", refused),
    "refused-http": Scenario("http", refused),
    "silent-grpc": Scenario("grpc", black_hole),
    "silent-http": Scenario("http", black_hole),
    "slow-grpc": Scenario("grpc", slow),
    "slow-http": Scenario("http", slow),
    "narrow-grpc": Scenario("grpc", narrow, {"spans": CAPACITY}),
    "narrow-http": Scenario("http", narrow, {"spans": CAPACITY}),
    "beyond-grpc": Scenario("grpc", refused, {"spans": CAPACITY}),
    "spilled-grpc": Scenario("grpc", refused, {"spans": 512}, has_shelf=True),
    "killed-http": Scenario("http", refused, {"spans": 512}, has_shelf=True, is_killed=True),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, Result]:
    """What came of each scenario."""
    with ThreadPoolExecutor(len(SCENARIOS)) as threads:
        running = {
            name: threads.submit(play, scenario, tmp_path_factory.mktemp(name)) for name, scenario in SCENARIOS.items()
        }
        found = {name: future.result() for name, future in running.items()}
    for name, result in found.items():
        print(f"{name}: {result}")
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_books_balance_at_every_reading(results, name):
    """Emitted = acknowledged + dropped + queued + in flight + left, twice a second throughout."""
    assert not results[name].emitter.unbalanced


@pytest.mark.parametrize("name", SCENARIOS)
def test_offer_never_waits_for_the_collector(results, name):
    """Whatever it does. (A tenth of a second is a busy machine, ten seconds would be an attempt.)"""
    assert results[name].last["longest_offer_s"] < 1.0


@pytest.mark.parametrize(
    "name", [name for name in SCENARIOS if name.startswith(("refused", "silent", "slow", "spilled"))]
)
def test_nothing_is_lost_within_the_capacity(results, name):
    """Every span arrives, within a minute of the return; memory grows by at most 64 MiB."""
    result = results[name]
    assert result.last["emitted"] >= RATE * SECONDS * 0.95
    assert result.last["dropped"] == {}
    assert result.delivered == set(range(1, result.last["last"] + 1))
    assert result.drained_s is not None
    assert result.drained_s <= 60
    assert result.growth_mib <= 64


@pytest.mark.parametrize("name", ["refused-grpc", "refused-http", "beyond-grpc", "spilled-grpc"])
def test_nothing_arrives_twice_where_nothing_was_in_doubt(results, name):
    """A refused connection leaves no doubt whether the spans arrived; only what was under way when the fault began may."""
    assert results[name].extra <= RATE * 2


def test_beyond_the_capacity_the_oldest_go_and_are_counted(results):
    """Dropped = emitted - delivered, exactly; the newest are there."""
    last, delivered = results["beyond-grpc"].last, results["beyond-grpc"].delivered
    if SECONDS * RATE > 2 * CAPACITY:
        assert last["dropped"]["queue_full"] > 0
    assert sum(last["dropped"].values()) == last["emitted"] - len(delivered)
    # Some of the room is taken by the oldest ones: a batch that was under way when it began, which is never dropped for room.
    assert set(range(last["last"] - CAPACITY + 512 + RATE, last["last"] + 1)) <= delivered


@pytest.mark.parametrize("name", ["narrow-grpc", "narrow-http"])
def test_a_narrow_network_is_bounded_and_counted(results, name):
    """What is not acknowledged is dropped by name. (What timed out may have arrived all the same, so that more is there than that.)"""
    result = results[name]
    assert all(reading["queued"] + reading["in_flight"] <= CAPACITY for reading in result.emitter.readings)
    assert result.last["acknowledged"] + sum(result.last["dropped"].values()) == result.last["emitted"]
    assert len(result.delivered) >= result.last["acknowledged"]
    assert set(result.last["dropped"]) <= {"queue_full"}


def test_what_is_spilled_needs_little_memory(results):
    """30,000 spans wait on the shelf, 512 in memory."""
    result = results["spilled-grpc"]
    assert max(reading["spilled"] for reading in result.emitter.readings) >= RATE * SECONDS * 0.8 - 512
    assert result.growth_mib <= 16


def test_what_is_spilled_survives_a_kill(results):
    """SIGKILL in the middle of the outage: what the first process had put on the shelf is delivered by the second."""
    result = results["killed-http"]
    owed = max(reading["last"] for reading in result.emitter.readings if not reading["recovered"])
    assert result.last["recovered"] >= RATE * SECONDS / 2 * 0.9
    assert set(range(1, owed + 1)) <= result.delivered
    assert result.last["dropped"] == {}
    assert result.last["acknowledged"] == result.last["emitted"]
    assert result.drained_s is not None
    assert result.drained_s <= 60
