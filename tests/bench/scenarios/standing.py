"""What a cluster costs that is just there: at the start, when nothing happens, and in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.processes import all_three, api_server, fine_cpu_s, kspanpy, settled, sink
from tests.faults.flooding import Service, free_port

MIB = 1024 * 1024


def cold(*, short: bool, folder: Path) -> Iterator[Figure]:
    """The start with 10,000 Pods, 1,000 Deployments and 30,000 Events already there."""
    pods, deployments, events = (2_000, 200, 6_000) if short else (10_000, 1_000, 30_000)
    with api_server(pods=pods, deployments=deployments, listed=events) as (port, _):
        with kspanpy(port, "", folder):
            pass  # the server has made its pages
        with sink() as collector, kspanpy(port, collector.endpoint, folder, state=True) as process:
            ready_s = time.monotonic() - process.started
            metrics = settled(process, lambda seen: _all_taken(seen, pods + 2 * deployments, events), "the start")
            cpu, peak = process.cpu_s(), process.rss_mib()[1]
    full = not short
    what = f"{pods} Pods, {deployments} Deployments, {events} Events"
    yield Figure("cold", f"{what}: CPU until all is taken in", cpu, "s", goal=5 if full else None)
    yield Figure("cold", "until ready", ready_s, "s")
    yield Figure("cold", "peak memory", peak, "MiB", goal=200 if full else None)
    yield Figure("cold", "objects held", metrics["kspanpy_objects_held"])


def _all_taken(metrics: dict[str, float], objects: int, events: int) -> bool:
    return (
        metrics["kspanpy_objects_held"] >= objects
        and metrics["kspanpy_events_seen_total"] >= events
        and metrics["kspanpy_inbox_items"] == 0
        and metrics["kspanpy_spans_queued"] == 0
    )


def idle(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Watches open, nothing happens: 200 Pods of 20 Deployments."""
    seconds = 15 if short else 60
    with all_three(folder, pods=200, deployments=20) as (_, _, process):
        time.sleep(3 if short else 15)  # what the start leaves to do
        began, cpu = time.monotonic(), fine_cpu_s(process)
        time.sleep(seconds)
        share = (fine_cpu_s(process) - cpu) / (time.monotonic() - began)
        resident = process.rss_mib()[0]
    yield Figure("idle", "CPU, of a core", 100 * share, "%", goal=0.2)
    yield Figure("idle", "resident memory", resident, "MiB", goal=80)


def memory(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Resident memory of each live object, open story and queued span: the slope of a line through several sizes."""
    sizes = (1_000, 4_000) if short else (10_000, 20_000, 50_000)
    resident = [_with_pods(pods, folder) for pods in sizes]
    yield _slope("live object", sizes, resident)
    if not short:
        yield Figure("memory", "50 000 live Pods", resident[-1], "MiB", goal=300)
    sizes = (500, 2_000) if short else (2_000, 5_000, 10_000)
    yield _slope("open story", sizes, [_with_stories(stories, folder) for stories in sizes])
    sizes = (5_000, 20_000) if short else (10_000, 20_000, 40_000)
    yield _slope("queued span", sizes, [_with_spans(spans, folder) for spans in sizes])


def _slope(what: str, sizes: Sequence[int], resident: Sequence[float]) -> Figure:
    points = ", ".join(f"{size}: {mib:.0f} MiB" for size, mib in zip(sizes, resident, strict=True))
    return Figure("memory", f"each {what} ({points})", slope(sizes, resident) * MIB, "bytes")


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Of the straight line that fits best (least squares)."""
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    both = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    return both / sum((x - middle_x) ** 2 for x in xs)


def _with_pods(pods: int, folder: Path) -> float:
    with api_server(pods=pods, deployments=pods // 10) as (port, _):
        with kspanpy(port, "", folder):
            pass  # the server has made its pages
        with kspanpy(port, "", folder) as process:
            settled(process, lambda seen: seen["kspanpy_objects_held"] >= pods, "the objects")
            return _resident(process)


def _with_stories(stories: int, folder: Path) -> float:
    """Each Deployment has one Pod, and that a Warning: an incident."""
    with api_server(pods=stories, deployments=stories) as (port, server), kspanpy(port, "", folder) as process:
        settled(process, lambda seen: seen["kspanpy_objects_held"] >= 3 * stories, "the objects")
        before = _resident(process)
        server(do="burst", count=stories, shape="BackOff")
        settled(process, lambda seen: seen["kspanpy_stories_open"] >= stories, "the stories")
        return _resident(process) - before


def _with_spans(spans: int, folder: Path) -> float:
    """Nobody listens where they should go."""
    away = f"http://127.0.0.1:{free_port()}"
    wide = {"KSPANPY_INBOX_ITEMS": "100000"}
    with api_server(pods=50, deployments=5) as (port, server), kspanpy(port, away, folder, **wide) as process:
        server(do="burst", count=spans, shape="BackOff")
        settled(process, lambda seen: seen["kspanpy_spans_queued"] >= spans, "the spans")
        return _resident(process)


def _resident(process: Service) -> float:
    time.sleep(2)
    return process.rss_mib()[0]
