"""kill -9, again and again, under load: every Event is delivered, once in one form, and no story is told twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.apiserver import FakeApiServer
from fakes.collector import FakeCollector, unused_port
from fakes.service import Service, until

from tests.faults.oracle import Oracle, arrived, differing, stories
from tests.faults.rollouts import Rollouts

SECONDS = float(os.environ.get("KSPANPY_FAULT_SECONDS", "60"))
EVERY_S = 7.0
ROLLOUT = "Deployment rollout"


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    """Takes everything and forgets nothing."""
    with FakeCollector("grpc") as fake:
        yield fake


@pytest.fixture
def begin(server: FakeApiServer, collector: FakeCollector, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts `kspanpy run` with its state in a folder of its own."""
    started: list[Service] = []

    def make(**environ: str) -> Service:
        folder = tmp_path / f"process-{len(started)}"
        folder.mkdir()
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "KSPANPY_STATE_DIRECTORY": str(tmp_path / "state"),
            "KSPANPY_SETTLE_SECONDS": "1",
            "KSPANPY_QUIET_SECONDS": "2",
        } | environ
        started.append(Service(folder, server.kubeconfig(folder), **environ))
        return started[-1]

    yield make
    for service in started:
        service.close()


def kill_again_and_again(begin: Callable[..., Service], load: Rollouts, *, seconds: float, every_s: float) -> int:
    """How often it was killed. Nothing is owed from before it was ready for the first time."""
    service = begin().ready()
    load.start()
    end = time.monotonic() + seconds
    kills = 0
    while time.monotonic() < end:
        time.sleep(every_s)
        service.process.kill()
        service.process.wait()
        kills += 1
        service = begin()
    service.process.kill()
    service.process.wait()
    load.stop()
    return kills + 1


def kill_while_it_watches(begin: Callable[..., Service], load: Rollouts, *, times: int, after_s: float) -> None:
    """Each of them lives so long after it has begun to watch, however slow the machine is."""
    service = begin().ready()
    load.start()
    for number in range(times):
        if number:
            service = begin()
            until(lambda log=service.log: '"watching"' in log.read_text(), "it does not watch")
        time.sleep(after_s)
        service.process.kill()
        service.process.wait()
    load.stop()


def settle(begin: Callable[..., Service], load: Rollouts, oracle: Oracle, collector: FakeCollector) -> Service:
    """The last process, which is left alone, delivers what is missing and tells every rollout."""
    service = begin().ready()
    until(lambda: not oracle.missing(collector), lambda: f"missing: {oracle.missing(collector)[:5]}", seconds=60)
    until(
        lambda: stories(collector, ROLLOUT) >= load.rounds,
        lambda: f"{stories(collector, ROLLOUT)} of {load.rounds} told",
        seconds=60,
    )
    assert stories(collector, ROLLOUT) == load.rounds
    return service


def test_three_kills(begin: Callable[..., Service], server: FakeApiServer, collector: FakeCollector) -> None:
    """The short version."""
    oracle = Oracle()
    load = Rollouts(server, oracle, rate=40)
    kill_while_it_watches(begin, load, times=3, after_s=1.0)
    service = settle(begin, load, oracle, collector)
    assert differing(collector) == []
    assert service.end(signal.SIGTERM) == 0


def test_stopped_while_the_collector_is_away(
    begin: Callable[..., Service], server: FakeApiServer, collector: FakeCollector
) -> None:
    """What could not be sent is left, counted as left, and sent by the next process; open stories are told by it, once."""
    oracle = Oracle()
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{unused_port()}", "KSPANPY_SHUTDOWN_SECONDS": "2"}
    service = begin(**away).ready()
    load = Rollouts(server, oracle, rate=200)
    load.start()
    until(lambda: load.rounds >= 3, "no load")
    load.stop()
    until(lambda: service.metrics()["kspanpy_events_seen_total"] >= len(oracle), "not all was seen")
    began = time.monotonic()
    assert service.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 2 + 2
    summary = service.said()[-1]
    assert (summary["message"], summary["spans_dropped"], summary["spans_acknowledged"]) == ("stopped", 0, 0)
    assert summary["spans_left"] == summary["spans_emitted"] > 0
    settle(begin, load, oracle, collector)
    assert differing(collector) == []


@pytest.mark.parametrize("moment_s", [0.0, 0.2, 0.5, 0.8])
def test_stopped_while_it_starts(begin: Callable[..., Service], collector: FakeCollector, moment_s: float) -> None:
    """At any moment: it ends at once, and the state can be used."""
    service = begin()
    time.sleep(moment_s)
    began = time.monotonic()
    assert service.end(signal.SIGTERM) in (0, 143, -signal.SIGTERM)
    assert time.monotonic() - began < 5
    assert begin().ready().end(signal.SIGTERM) == 0


@pytest.mark.faults
def test_killed_without_a_state(
    begin: Callable[..., Service], server: FakeApiServer, collector: FakeCollector, say: Callable[[str], None]
) -> None:
    """Nothing is lost that the API server still holds. What comes again may be in another story; how much, is told."""
    oracle = Oracle()
    load = Rollouts(server, oracle, rate=40)
    environ = {"KSPANPY_STATE_DIRECTORY": ""}
    kills = kill_again_and_again(lambda: begin(**environ), load, seconds=20, every_s=7)
    begin(**environ).ready()
    # Of an Event whose count went on while nobody looked only the newest step can be seen again.
    held = {(thing["metadata"]["uid"], thing["count"]) for thing in server.objects["events"].values()}
    until(lambda: not held & set(oracle.missing(collector)), "Events that the API server holds are missing", seconds=30)
    spans, first = arrived(collector)
    say(
        f"{kills} kills: {len(held)} Events held by the API server, 0 missing; {len(oracle.missing(collector))} former steps of theirs "
        f"missing; {spans - first} of {spans} spans came again, {len(differing(collector))} of {first} in more than one form"
    )


@pytest.mark.faults
def test_killed_and_followed_by_another_version(
    begin: Callable[..., Service], server: FakeApiServer, collector: FakeCollector, say: Callable[[str], None]
) -> None:
    """Its state can not be read, which other settings show as well as another version would: its spans are sent, nothing is lost."""
    oracle = Oracle()
    load = Rollouts(server, oracle, rate=40)
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{unused_port()}"}
    service = begin(**away).ready()
    load.start()
    time.sleep(7)
    service.process.kill()
    service.process.wait()
    time.sleep(2)
    service = begin(KSPANPY_SETTLE_SECONDS="2").ready()
    time.sleep(5)
    load.stop()
    held = {(thing["metadata"]["uid"], thing["count"]) for thing in server.objects["events"].values()}
    until(lambda: not held & set(oracle.missing(collector)), "Events that the API server holds are missing", seconds=30)
    metrics = service.metrics()
    say(
        f"{len(oracle)} occurrences owed, {len(oracle.missing(collector))} missing, {len(held)} Events held by the API server, 0 missing; "
        f"{metrics['kspanpy_spans_recovered_total']:.0f} spans of the version before recovered and sent"
    )
    assert metrics["kspanpy_spans_recovered_total"] > 0


@pytest.mark.faults
@pytest.mark.timeout(SECONDS + 300)
def test_killed_every_seven_seconds(
    begin: Callable[..., Service], server: FakeApiServer, collector: FakeCollector, say: Callable[[str], None]
) -> None:
    """The figure of the promise; ten minutes with KSPANPY_FAULT_SECONDS=600."""
    oracle = Oracle()
    load = Rollouts(server, oracle, rate=40)
    kills = kill_again_and_again(begin, load, seconds=SECONDS, every_s=EVERY_S)
    service = settle(begin, load, oracle, collector)
    spans, first = arrived(collector)
    say(
        f"{kills} kills in {SECONDS:.0f} s: {len(oracle)} occurrences owed, {len(oracle.missing(collector))} missing, "
        f"{spans} spans arrived, {spans - first} of them again, {len(differing(collector))} differ; "
        f"{stories(collector, ROLLOUT)} of {load.rounds} rollouts told"
    )
    assert differing(collector) == []
    assert service.end(signal.SIGTERM) == 0
