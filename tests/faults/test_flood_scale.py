"""A large cluster, and a steady one: how long the start takes, how much memory and processor. Figures are printed."""

from __future__ import annotations

import json
import time

import pytest

from kspanpy.core.linker import Linker
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import ObjectSeen, WatchProgress
from kspanpy.decode import object_from, to_step, watch_line
from tests.faults.flooding import Receiver, generator, service
from tests.faults.generator import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def show(capsys, **figures: object) -> None:
    """One line of JSON."""
    with capsys.disabled():
        print(json.dumps(figures))


def held_once_taken(kspanpy, least: int, events: int = 0) -> float:
    """The objects that the linker holds, as soon as it holds so many and has seen these Events; after 10 s what it holds then."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        metrics = kspanpy.metrics()
        if metrics["kspanpy_objects_held"] >= least and metrics["kspanpy_events_seen_total"] >= events:
            break
        time.sleep(0.1)
    return metrics["kspanpy_objects_held"]


@pytest.mark.parametrize(
    ("pods", "events", "mib"),
    [(10_000, 0, 150), (10_000, 30_000, 200), (50_000, 0, 300)],
    ids=["10,000 Pods", "10,000 Pods and 30,000 Events", "50,000 Pods"],
)
def test_a_large_cluster_is_listed(pods, events, mib, tmp_path, capsys):
    """Real Pods (4.7 KB each, managedFields and all) with a tenth as many Deployments, and the Events of the last hour."""
    plan = {"variant": "steady", "pods": pods, "deployments": pods // 10, "listed": events, "of_pods": True} | {
        "before": 600,
        "quiet_rate": 0.001,
    }
    objects = pods + pods // 5
    with generator(plan) as (api, _), service(api, "", tmp_path) as unused:
        unused.wait_ready(300)  # the generator has made its pages
        unused.process.kill()
        with service(api, "", tmp_path) as kspanpy:
            ready_s = kspanpy.wait_ready()
            held = held_once_taken(kspanpy, objects, events)
            (rss, peak), cpu = kspanpy.rss_mib(), kspanpy.cpu_s()
            time.sleep(20)
            after, peak_after = kspanpy.rss_mib()
    show(capsys, ready_s=ready_s, cpu_s=cpu, rss=rss, peak=peak, after=after, peak_after=peak_after, objects=held)
    assert held >= objects
    assert ready_s < 15
    assert max(peak, peak_after) <= mib


@pytest.mark.parametrize(("rate", "cores", "mib"), [(0.001, 0.05, 90), (100, 0.15, 150)], ids=["idle", "100 a second"])
def test_steady_cost(rate, cores, mib, tmp_path, capsys):
    """Watching 200 Pods of 20 Deployments, everything exported."""
    plan = {"variant": "steady", "quiet_rate": rate, "before": 600}
    receiver = Receiver()
    with generator(plan) as (api, _), service(api, receiver.endpoint, tmp_path) as kspanpy:
        kspanpy.wait_ready()
        time.sleep(10)
        began, cpu = time.monotonic(), kspanpy.cpu_s()
        time.sleep(50)
        share = (kspanpy.cpu_s() - cpu) / (time.monotonic() - began)
        rss, peak = kspanpy.rss_mib()
    receiver.close()
    show(capsys, rate=rate, cores=round(share, 3), rss=rss, peak=peak)
    assert share <= cores
    assert peak <= mib


def test_throughput_of_the_core(capsys):
    """Events about known Pods through `Linker.step` alone, and with decoding, a core: at least 2,000 a second."""
    cluster = Cluster({"pods": 1_000, "deployments": 100})
    linker = Linker(LinkerSettings(cluster_uid="c"))
    began_ns = time.time_ns()
    for kind in ("Node", "Deployment", "ReplicaSet", "Pod", "Job", "StatefulSet", "DaemonSet"):
        for item in cluster.items(kind):
            thing = object_from(json.dumps(item).encode())
            linker.step(ObjectSeen(thing), began_ns)
        linker.step(WatchProgress(kind, cluster.version), began_ns)
    number = 50_000
    lines = [(cluster.quiet_line(n, began_ns + n * 10_000_000), began_ns + n * 10_000_000) for n in range(number)]
    began = time.process_time()
    steps = [(to_step("ADDED", watch_line(line).object), at_ns) for line, at_ns in lines]
    decoded = time.process_time()
    for step, at_ns in steps:
        linker.step(step, at_ns)
    stepped = time.process_time()
    core, all_of_it = number / (stepped - decoded), number / (stepped - began)
    show(capsys, core_per_s=round(core), decode_and_core_per_s=round(all_of_it))
    assert core >= 2_000
