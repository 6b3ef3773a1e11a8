"""One outage as a scenario: an emitter, a proxy that is the fault, a collector, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes.collector import FakeCollector
from tests.fakes.proxy import FaultProxy

TOP = Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get("KSPANPY_FAULT_SECONDS", "600"))
"""How long an outage lasts."""
RATE = 50
PATIENCE_S = 90.0
"""How long is waited for the queue to be empty after it."""


class Emitter:
    """The process of `emitter.py` and its readings, the newest last. Every reading's books must balance."""

    def __init__(self, protocol: str, port: int, *, shelf: str = "", first: int = 1, **limits: int) -> None:
        plan = {"protocol": protocol, "port": port, "rate": RATE, "limits": limits, "shelf": shelf, "first": first}
        self.readings: list[dict[str, Any]] = []
        self.unbalanced: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.emitter", json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=TOP,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            reading = json.loads(line)
            where = ("acknowledged", "queued", "in_flight", "left")
            if reading["emitted"] != sum(reading[name] for name in where) + sum(reading["dropped"].values()):
                self.unbalanced.append(reading)
            self.readings.append(reading)

    def wait_for(self, done: Callable[[dict[str, Any]], bool], patience_s: float) -> float | None:
        """Seconds until a new reading is so; None if that did not happen in time."""
        began, seen = time.monotonic(), len(self.readings)
        while time.monotonic() - began < patience_s:
            if any(done(reading) for reading in self.readings[seen:]):
                return time.monotonic() - began
            time.sleep(0.05)
        return None

    def stop(self) -> dict[str, Any]:
        """The last reading."""
        self.process.stdin.close()
        self._finish()
        return self.readings[-1]

    def kill(self) -> dict[str, Any]:
        """SIGKILL; the last reading that came out."""
        self.process.kill()
        self._finish()
        self.process.stdin.close()
        return self.readings[-1]

    def _finish(self) -> None:
        self.process.wait(30)
        self._reader.join(5)
        self.process.stdout.close()


@dataclass
class Scenario:
    """What happens; `fault` begins it."""

    protocol: str
    fault: Callable[[FaultProxy], None]
    limits: dict[str, int] = field(default_factory=dict)
    has_shelf: bool = False
    is_killed: bool = False
    """The emitter, with SIGKILL, in the middle; then it is started again."""
    never_ends: bool = False
    """The fault goes on until the spans have stopped for a while."""


@dataclass
class Result:
    """What came of it."""

    emitter: Emitter
    last: dict[str, Any]
    delivered: set[int]
    extra: int
    """Copies of spans that arrived more than once."""
    drained_s: float | None
    growth_mib: float
    """Of resident memory, from before the fault to its highest reading."""

    def __str__(self) -> str:
        shown = {name: self.last[name] for name in ("emitted", "acknowledged", "left", "dropped", "recovered")}
        drained = "never" if self.drained_s is None else f"{self.drained_s:.1f} s"
        return (
            f"{shown}, {len(self.delivered)} delivered, {self.extra} copies, drained after {drained}, "
            f"+{self.growth_mib:.1f} MiB, longest offer {self.last['longest_offer_s'] * 1000:.0f} ms"
        )


def play(scenario: Scenario, folder: Path) -> Result:
    """Well for three seconds, `SECONDS` of the fault, well again until all is drained."""
    shelf = str(folder / "spans.db") if scenario.has_shelf else ""
    with FakeCollector(scenario.protocol) as collector, FaultProxy(collector.port) as proxy:
        emitter = Emitter(scenario.protocol, proxy.port, shelf=shelf, **scenario.limits)
        emitters = [emitter]
        emitter.wait_for(lambda reading: reading["acknowledged"] >= 2 * RATE, 30)
        before = emitter.readings[-1]["rss"]
        scenario.fault(proxy)
        time.sleep(SECONDS / 2)
        if scenario.is_killed:
            # It may have offered some more after its last words: those numbers are skipped, and not owed.
            first = emitter.kill()["last"] + 1000
            emitter = Emitter(scenario.protocol, proxy.port, shelf=shelf, first=first, **scenario.limits)
            emitters.append(emitter)
        time.sleep(SECONDS / 2)
        if not scenario.never_ends:
            proxy.set()
            proxy.accept()
        is_empty = lambda reading: reading["queued"] + reading["in_flight"] <= RATE * 2  # noqa: E731
        drained = emitter.wait_for(is_empty, 0 if scenario.never_ends else PATIENCE_S)
        last = emitter.stop()
        proxy.set()
        ids = [int.from_bytes(one, "big") for one in collector.accepted]
        emitter.unbalanced += [reading for one in emitters[:-1] for reading in one.unbalanced]
        emitter.readings = [reading for one in emitters for reading in one.readings]
    growth = max(reading["rss"] for reading in emitter.readings) - before
    return Result(emitter, last, {*ids}, len(ids) - len({*ids}), drained, growth)
