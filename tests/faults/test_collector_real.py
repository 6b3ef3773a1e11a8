"""The real OpenTelemetry Collector with the project's configuration, killed and stopped under load: every span arrives behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.collector import FakeCollector
from tests.faults.outage import RATE, SECONDS, Emitter
from tests.live.stack import BACKENDS, TOP, answers, free_port, wait_for

DURATION_S = min(SECONDS, 60.0)
pytestmark = [pytest.mark.faults, pytest.mark.timeout(DURATION_S + 240)]


class Collector:
    """A process that can be killed and started again on the same ports and the same storage."""

    def __init__(self, folder: Path, backend: FakeCollector) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kspanpy-backends"
        self.program = max(cache.glob("otelcol-*"), key=lambda path: path.stat().st_mtime)
        self.ports = {"grpc": free_port(), "http": free_port()}
        self.health = f"127.0.0.1:{free_port()}"
        self.log = folder / "otelcol.log"
        self.environment = os.environ | {
            "OTEL_BACKEND_ENDPOINT": f"127.0.0.1:{backend.port}",
            "OTEL_COLLECTOR_GRPC_ENDPOINT": f"127.0.0.1:{self.ports['grpc']}",
            "OTEL_COLLECTOR_HTTP_ENDPOINT": f"127.0.0.1:{self.ports['http']}",
            "OTEL_COLLECTOR_HEALTH_ENDPOINT": self.health,
            "OTEL_COLLECTOR_STORAGE": "file_storage",
            "OTEL_COLLECTOR_STORAGE_DIRECTORY": str(folder / "queue"),
        }
        self.start()

    def start(self) -> None:
        """Until it is well."""
        with self.log.open("ab") as log:
            command = [self.program, "--config", TOP / "otel-collector.yaml"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        wait_for("the Collector", lambda: answers(f"http://{self.health}/"), patience=30)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def backend() -> Iterator[FakeCollector]:
    """What is behind the Collector."""
    with FakeCollector("grpc") as running:
        yield running


@pytest.fixture
def collector(backend: FakeCollector, tmp_path: Path) -> Iterator[Collector]:
    """The Collector."""
    if not BACKENDS.exists():
        pytest.skip(f"{BACKENDS} is not there: no real Collector")
    subprocess.run([BACKENDS, "build", "otelcol"], check=True, stdout=subprocess.DEVNULL)
    running = Collector(tmp_path, backend)
    yield running
    running.process.send_signal(signal.SIGCONT)
    running.kill()


def arrived(backend: FakeCollector, emitter: Emitter) -> tuple[set[int], set[int]]:
    """(owed, delivered) after the emitter has stopped and the Collector has had half a minute."""
    last = emitter.stop()
    assert last["drained"]
    assert last["dropped"] == {}
    assert not emitter.unbalanced
    owed = set(range(1, last["last"] + 1))
    delivered = lambda: {int.from_bytes(one, "big") for one in tuple(backend.accepted)}  # noqa: E731
    deadline = time.monotonic() + 40
    while delivered() != owed and time.monotonic() < deadline:
        time.sleep(0.2)
    copies = len(backend.accepted) - len(delivered())
    print(
        f"{len(owed)} owed, {len(delivered())} delivered, {copies} copies, longest offer {last['longest_offer_s'] * 1000:.0f} ms"
    )
    return owed, delivered()


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_collector_that_is_killed_again_and_again(collector, backend, protocol):
    """SIGKILL every seven seconds, back two seconds later, at 50 spans/s."""
    emitter = Emitter(protocol, collector.ports[protocol])
    ends = time.monotonic() + DURATION_S
    while time.monotonic() < ends:
        time.sleep(5)
        collector.kill()
        time.sleep(2)
        collector.start()
    owed, delivered = arrived(backend, emitter)
    assert len(owed) >= DURATION_S * RATE * 0.9
    assert delivered == owed


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_collector_that_is_stopped_for_a_while(collector, backend, protocol):
    """SIGSTOP for longer than an attempt may last: connections stay open and silent."""
    emitter = Emitter(protocol, collector.ports[protocol])
    emitter.wait_for(lambda reading: reading["acknowledged"] >= RATE, 30)
    collector.process.send_signal(signal.SIGSTOP)
    time.sleep(min(DURATION_S, 25.0))
    collector.process.send_signal(signal.SIGCONT)
    emitter.wait_for(lambda reading: reading["queued"] + reading["in_flight"] <= RATE * 2, 60)
    owed, delivered = arrived(backend, emitter)
    assert delivered == owed
