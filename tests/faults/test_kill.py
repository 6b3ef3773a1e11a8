"""kill -9, again and again, under load: every Event is delivered, once in one form, and no story is told twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.apiserver import FakeApiServer
from fakes.collector import FakeCollector
from fakes.service import Service, until

from tests.faults.oracle import Oracle, arrived, differing
from tests.faults.rollouts import Rollouts

SECONDS = float(os.environ.get("KSPANPY_FAULT_SECONDS", "60"))
EVERY_S = 7.0


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


def settle(begin: Callable[..., Service], oracle: Oracle, collector: FakeCollector, *, seconds: float = 20) -> Service:
    """The last process, which is left alone, delivers what is missing."""
    service = begin().ready()
    until(lambda: not oracle.missing(collector), f"missing: {oracle.missing(collector)[:5]}", seconds=seconds)
    return service


def test_three_kills(begin: Callable[..., Service], server: FakeApiServer, collector: FakeCollector) -> None:
    """The short version."""
    oracle = Oracle()
    kills = kill_again_and_again(begin, Rollouts(server, oracle, rate=40), seconds=6, every_s=2.5)
    service = settle(begin, oracle, collector)
    assert kills >= 2
    assert differing(collector) == []
    assert service.end(signal.SIGTERM) == 0


@pytest.mark.faults
def test_killed_every_seven_seconds(
    begin: Callable[..., Service], server: FakeApiServer, collector: FakeCollector, say: Callable[[str], None]
) -> None:
    """The figure of the promise; ten minutes with KSPANPY_FAULT_SECONDS=600."""
    oracle = Oracle()
    kills = kill_again_and_again(begin, Rollouts(server, oracle, rate=40), seconds=SECONDS, every_s=EVERY_S)
    service = settle(begin, oracle, collector)
    spans, first = arrived(collector)
    say(
        f"{kills} kills in {SECONDS:.0f} s: {len(oracle)} occurrences owed, {len(oracle.missing(collector))} missing, "
        f"{spans} spans arrived, {spans - first} of them again, {len(differing(collector))} differ"
    )
    assert differing(collector) == []
    assert service.end(signal.SIGTERM) == 0
