"""The processes of a benchmark: the server, the reader, the sink and `kspanpy run`, each with what it costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.flooding import TOP, Service, free_port, service

PATIENCE_S = 120.0


class Child:
    """A module run as a process; orders go in and answers come out as JSON lines."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=TOP,
            text=True,
        )

    def tell(self, **order: Any) -> None:
        """Sends an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Waits for the next answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the benchmark ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __call__(self, **order: Any) -> dict[str, Any]:
        """Sends an order and waits until it is done."""
        self.tell(**order)
        return self.hear()

    def end(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def api_server(**plan: Any) -> Iterator[tuple[int, Child]]:
    """`server.py` with that plan: its port, and how to order."""
    port = free_port()
    child = Child("tests.bench.server", str(port), json.dumps(plan))
    try:
        child.hear()
        yield port, child
    finally:
        child.end()


def read_bare(port: int, server: Child, **order: Any) -> dict[str, Any]:
    """One round of the yardstick: what the Events of a burst cost a bare reader."""
    reader = Child("tests.bench.reader", str(port), str(order["count"]))
    try:
        reader.hear()
        server(**order)
        return reader.hear()
    finally:
        reader.end()


class Sink:
    """`sink.py`."""

    def __init__(self) -> None:
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self._child = Child("tests.bench.sink", str(self._port))
        _until(self._answers, "the sink")

    def _answers(self) -> bool:
        try:
            self.taken()
        except OSError:
            return False
        return True

    def taken(self) -> dict[str, Any]:
        """What has come so far."""
        with urllib.request.urlopen(self.endpoint, timeout=10) as answer:
            report: dict[str, Any] = json.load(answer)
        return report

    def wait_for(self, events: int, *, still_s: float = 6.0) -> dict[str, Any]:
        """What has come once `events` event spans have, or when nothing has come for a while."""
        began = time.time()
        while True:
            taken = self.taken()
            if taken["events"] >= events or time.time() - max(taken["last"], began) > still_s:
                return taken
            time.sleep(0.2)

    def end(self) -> None:
        """Ends it."""
        self._child.end()


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink of one's own."""
    made = Sink()
    try:
        yield made
    finally:
        made.end()


@contextmanager
def kspanpy(port: int, endpoint: str, folder: Path, *, state: bool = False, **settings: str) -> Iterator[Service]:
    """`kspanpy run`, ready, with everything that is listed taken in; without an endpoint its spans go nowhere."""
    if not state:
        settings["KSPANPY_STATE_DIRECTORY"] = ""
    with service(port, endpoint, folder, **settings) as process:
        process.wait_ready()
        yield process


@contextmanager
def all_three(folder: Path, *, pods: int, deployments: int) -> Iterator[tuple[Child, Sink, Service]]:
    """An API server with so many Pods, an OTLP endpoint, and between them kspanpy with a state directory."""
    with (
        api_server(pods=pods, deployments=deployments) as (port, server),
        sink() as collector,
        kspanpy(port, collector.endpoint, folder, state=True) as process,
    ):
        yield server, collector, process


def fine_cpu_s(process: Service) -> float:
    """As `cpu_s`, to the microsecond, for what costs next to nothing. Threads that ended meanwhile are not in it."""
    tasks = Path(f"/proc/{process.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def settled(process: Service, done: Callable[[dict[str, float]], bool], what: str) -> dict[str, float]:
    """The metrics once they are so."""
    seen: dict[str, float] = {}

    def reached() -> bool:
        seen.update(process.metrics())
        return done(seen)

    _until(reached, what, pause_s=0.3)
    return seen


def lost(metrics: dict[str, float]) -> dict[str, float]:
    """The counters of losses that are not zero. A step of an Event that was seen before is none."""
    losses = ("kspanpy_spans_dropped_total", "kspanpy_events_discarded_total", "kspanpy_loop_errors_total")
    return {
        name: value for name, value in metrics.items() if value and name.startswith(losses) and "duplicate" not in name
    }


def _until(done: Callable[[], bool], what: str, *, pause_s: float = 0.05) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S:.0f} s for {what}")
        time.sleep(pause_s)


def children_cpu_s(command: list[str], *, folder: Path | None = None) -> tuple[float, float]:
    """(seconds of CPU, seconds) of one run of a command that has to succeed."""
    before = os.times()
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder or TOP)
    seconds = time.monotonic() - began
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, seconds
