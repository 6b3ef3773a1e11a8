"""Events from a watch to OTLP, linking included, in real processes: at full speed, in bursts and at a rate."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.figures import Compare, Figure
from tests.bench.processes import Child, Sink, all_three, api_server, kspanpy, lost, read_bare, sink
from tests.faults.flooding import Service

CLUSTER = {"pods": 240, "deployments": 24}
WINDOW = 2_400
"""Events at full speed, ten about each Pod, before all of them have to have arrived: just less than what the inbox takes for pressure."""
HOLD_S = 1.0


def through(process: Service, collector: Sink, *orders: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What orders to the server cost the process; each is given when everything of the one before has arrived."""
    time.sleep(1.5)  # what the start leaves to do
    cpu, began = process.cpu_s(), time.monotonic()
    did: Counter[str] = Counter()
    for order in orders:
        did.update({name: value for name, value in order().items() if name in ("events", "changes", "bytes")})
        taken = collector.wait_for(did["events"])
    # What comes later than the last event span, such as the ends of stories, is not waited for.
    took, metrics = time.monotonic() - began, process.metrics()
    return {
        **did,
        "cpu_s": process.cpu_s() - cpu,
        "took_s": took,
        "arrived": taken["events"],
        "pending": metrics["kspanpy_events_pending"],
        "lags": taken["lags"],
        "rss": process.rss_mib(),
        "lost": sum(lost(metrics).values()),
        "early": sum(value for name, value in metrics.items() if name.startswith("kspanpy_limit_reached_total")),
    }


def full_speed(port: int, server: Child, windows: int, folder: Path, *, state: bool, shape: str = "") -> dict[str, Any]:
    """So many windows through a fresh `kspanpy run`."""
    with sink() as collector, kspanpy(port, collector.endpoint, folder, state=state) as process:
        return through(process, collector, *[lambda: server(do="burst", count=WINDOW, shape=shape)] * windows)


def speed(*, short: bool, folder: Path) -> Iterator[Figure]:
    """CPU per event end to end, at full speed from a local server; the yardstick runs in between."""
    windows, rounds = (3, 2) if short else (10, 3)
    count = windows * WINDOW
    best: dict[str, float] = {}
    arrived = {"memory": count, "disk": count}
    with api_server(**CLUSTER) as (port, server):
        for turn in range(rounds):
            bare = read_bare(port, server, do="burst", count=count)
            best["bare"] = min(best.get("bare", 1e9), bare["cpu_s"])
            for name, state in (("memory", False), ("disk", True)):
                if short and turn and state:
                    continue
                ours = full_speed(port, server, windows, folder, state=state)
                best[name] = min(best.get(name, 1e9), ours["cpu_s"])
                arrived[name] = min(arrived[name], ours["arrived"])
    each = {name: cpu / count * 1e6 for name, cpu in best.items()}
    yield Figure("speed", "bare reader (http.client, msgspec)", each["bare"], "µs/event")
    yield Figure("speed", "kspanpy, watch to OTLP", each["memory"], "µs/event")
    yield Figure("speed", "against the bare reader", each["memory"] / each["bare"], "x", goal=5, compare=Compare.RATIO)
    yield Figure("speed", "events on one core", 1e6 / each["memory"], "/s", goal=20_000, at_least=True)
    yield Figure("speed", "with a state directory", each["disk"], "µs/event")
    # Not compared: what the disk does differs too much from run to run.
    yield Figure("speed", "with a state directory, against the bare reader", each["disk"] / each["bare"], "x")
    yield Figure("speed", "delivered", 100 * min(arrived.values()) / count, "%", goal=100, at_least=True)


def burst(*, short: bool, folder: Path) -> Iterator[Figure]:
    """50,000 Events as fast as they are read, default settings, 20 namespaces: what is lost, and how much memory it takes."""
    count = 10_000 if short else 50_000
    with all_three(folder, pods=1000, deployments=100) as (server, collector, process):
        ours = through(process, collector, lambda: server(do="burst", count=count))
    yield Figure("burst", f"{count} events, until all had arrived", ours["took_s"], "s")
    yield Figure("burst", "delivered", 100 * ours["arrived"] / count, "%", goal=100, at_least=True)
    yield Figure("burst", "counted as lost", 100 * ours["lost"] / count, "%")
    yield Figure("burst", "peak memory", ours["rss"][1], "MiB")


def steady(*, short: bool, folder: Path) -> Iterator[Figure]:
    """500 Events a second in real time, reasons as Pods that start write them."""
    seconds = 10 if short else 30  # each Pod has one Event a second, and ends with one that has no sequel
    with all_three(folder, pods=500, deployments=50) as (server, collector, process):
        ours = through(process, collector, lambda: server(do="steady", rate=500, seconds=seconds, shape="mix"))
    yield Figure("steady", "CPU", ours["cpu_s"] / ours["events"] * 1000, "s/1000 events")
    yield Figure("steady", "of a core", 100 * ours["cpu_s"] / ours["took_s"], "%")
    yield Figure("steady", "delivered", 100 * ours["arrived"] / ours["events"], "%", goal=100, at_least=True)
    yield Figure("steady", "peak memory", ours["rss"][1], "MiB")


def latency(*, short: bool, folder: Path) -> Iterator[Figure]:
    """From the write of an Event to its span's arrival, at 1,000 Events a second; all of a kind whose span ends at once."""
    seconds = 5 if short else 30
    with all_three(folder, pods=500, deployments=50) as (server, collector, process):
        ours = through(process, collector, lambda: server(do="steady", rate=1000, seconds=seconds))
    lags = ours["lags"]
    if not lags:
        raise RuntimeError("no span arrived")
    yield Figure("latency", "p50, without the hold window", lags[len(lags) // 2] - HOLD_S, "s", goal=1)
    yield Figure("latency", "p99", lags[int(len(lags) * 0.99)], "s", goal=HOLD_S + 2)
    yield Figure("latency", "longest", lags[-1], "s")
    yield Figure("latency", "CPU", ours["cpu_s"] / ours["events"] * 1000, "s/1000 events")
    yield Figure("latency", "delivered", 100 * len(lags) / ours["events"], "%", goal=100, at_least=True)


def counts(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Nothing but crash loops: 240 Events that are written again and again, their counts growing."""
    windows = 2 if short else 20
    count = windows * WINDOW
    with api_server(**CLUSTER) as (port, server):
        ours = full_speed(port, server, windows, folder, state=True, shape="counted")
    yield Figure("counts", "CPU", ours["cpu_s"] / count * 1e6, "µs/event")
    yield Figure("counts", "delivered", 100 * ours["arrived"] / count, "%", goal=100, at_least=True)
    yield Figure("counts", "peak memory", ours["rss"][1], "MiB")


def many(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Many small stories: recorded rollouts, jobs and crash loops, objects and Events, 20 new ones a second."""
    stories = 100 if short else 500
    with all_three(folder, pods=10, deployments=2) as (server, collector, process):
        ours = through(process, collector, lambda: server(do="stories", count=stories, gap_s=0.05))
    yield from _changes("many", f"{stories} stories", ours)


def huge(*, short: bool, folder: Path) -> Iterator[Figure]:
    """One huge story: a Deployment with 5,000 Pods is created, 250 Pods a second."""
    pods = 1_000 if short else 5_000
    with all_three(folder, pods=10, deployments=2) as (server, collector, process):
        ours = through(process, collector, lambda: server(do="huge", pods=pods, per_s=250))
    yield from _changes("huge", f"{pods} Pods", ours)


def _changes(name: str, what: str, ours: dict[str, Any]) -> Iterator[Figure]:
    yield Figure(name, f"{what}, events", ours["events"])
    yield Figure(name, "changes of objects and Events", ours["changes"])
    yield Figure(name, "CPU", ours["cpu_s"] / ours["events"] * 1000, "s/1000 events")
    yield Figure(name, "CPU per change", ours["cpu_s"] / ours["changes"] * 1e6, "µs")
    yield Figure(
        name, "delivered", 100 * ours["arrived"] / (ours["events"] - ours["pending"]), "%", goal=100, at_least=True
    )
    yield Figure(name, "decided or forgotten early, for want of room", ours["early"])
    yield Figure(name, "waiting for the next step of its object", 100 * ours["pending"] / ours["events"], "%")
    yield Figure(name, "peak memory", ours["rss"][1], "MiB")
