"""`scripts/bench real`: against a real control plane, with a real Collector behind, as a service account that may do what deploy/ grants.

Two loads: `load` of ../shared/cluster, which creates and deletes 150 Deployments of 3 Pods; and 5,000 Events about 60 Pods that
exist, written as fast as the API server takes them. A bare reader of the same watches runs beside, as the yardstick of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kspanpy.kube.resources import EVENTS, WATCHED
from tests.bench.figures import Compare, Figure
from tests.bench.processes import Child, lost
from tests.faults.flooding import TOP
from tests.live.stack import SHARED, Backends, ControlPlane, Kspanpy, wait_for

NAMESPACE: Final = "bench"
PODS: Final = 60


class Running(ControlPlane):
    """One that somebody else has started, and will stop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.admin = folder / "kubeconfig"

    def stop(self) -> None:
        """Leave it."""


def main(arguments: list[str]) -> tuple[list[Figure], argparse.Namespace]:
    """Runs it."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench real", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there")
    parser.add_argument("--only", choices=("load", "burst"), help="one of the two")
    parser.add_argument("--deployments", type=int, default=150)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument(
        "--cluster", type=Path, metavar="FOLDER", help="of a control plane that runs, with its audit log"
    )
    parser.add_argument("--otlp", metavar="URL", help="OTLP/HTTP endpoint of a Collector that runs")
    given = parser.parse_args(arguments)
    if not (SHARED / "cluster" / "cluster").is_file():
        print("SKIP: ../shared/cluster is not there")
        return [], given
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="kspanpy-bench-") as name, _stack(given, Path(name)) as (plane, endpoint):
        kubeconfig = plane.install_rights()
        bench = Bench(plane, kubeconfig, endpoint, Path(name))
        if given.only != "burst":
            figures += bench.measure("real load", lambda: bench.load(given.deployments), most_s=0.45, to_the_end=True)
        if given.only != "load":
            bench.pods()
            figures += bench.measure("real burst", lambda: bench.burst(given.events), most_s=0.09, to_the_end=False)
            plane.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    return figures, given


@contextmanager
def _stack(given: argparse.Namespace, folder: Path) -> Iterator[tuple[ControlPlane, str]]:
    plane = Running(given.cluster) if given.cluster else ControlPlane(folder / "cluster")
    try:
        if given.otlp:
            yield plane, given.otlp
            return
        backends = Backends(folder)
        try:
            yield plane, backends.http
        finally:
            backends.stop()
    finally:
        plane.stop()


class Bench:
    """What is needed for both loads."""

    def __init__(self, plane: ControlPlane, kubeconfig: Path, endpoint: str, folder: Path) -> None:
        self.plane, self.kubeconfig, self.endpoint, self.folder = plane, kubeconfig, endpoint, folder

    def pods(self) -> None:
        """60 Pods that are well, and whose rollout is over."""
        if NAMESPACE not in self.plane.kubectl("get", "namespaces"):
            self.plane.kubectl("create", "namespace", NAMESPACE)
        if "app-0" not in self.plane.kubectl("get", "deployments", "-n", NAMESPACE):
            for number in range(PODS // 3):
                self.plane.kubectl(
                    "create", "deployment", f"app-{number}", "-n", NAMESPACE, "--image=app", "--replicas=3"
                )
        self.plane.kubectl(
            "wait", "deployments", "--all", "-n", NAMESPACE, "--for=condition=Available", "--timeout=120s"
        )
        time.sleep(15)

    def load(self, deployments: int) -> dict[str, Any]:
        """The burst of `load`."""
        size = ["--deployments", str(deployments), "--replicas", "3"]
        command = [SHARED / "cluster" / "load", "--kubeconfig", self.plane.admin, *size]
        found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return {"events": found["events"], "rate": found["events_per_second"]["highest"], "ended": time.time()}

    def burst(self, events: int) -> dict[str, Any]:
        """The Events of `writer.py`."""
        command = [sys.executable, "-m", "tests.bench.real.writer", self.plane.admin, NAMESPACE, str(events)]
        done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found | {"rate": found["events"] / found["seconds"]}

    def measure(self, name: str, order: Any, *, most_s: float, to_the_end: bool) -> Iterator[Figure]:
        """What it costs until the last event span has been acknowledged, and what a bare reader took beside it.

        `to_the_end`: until the last story has been told. The incidents of the burst are open for ten minutes: a kubelet does not forget
        a crash any sooner.
        """
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        requests = set(self.plane.requests())
        kspanpy = Kspanpy(folder, self.kubeconfig, self.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
        floors = {
            "Events": [EVENTS.path()],
            "all watches": [resource.path() for resource in WATCHED],
        }
        readers = {
            what: Child("tests.bench.real.floor", str(self.plane.admin), *paths) for what, paths in floors.items()
        }
        try:
            kspanpy.ready()
            time.sleep(5)
            before, cpu = kspanpy.metrics(), kspanpy.cost()[0]
            bare = {what: _cpu_s(reader) for what, reader in readers.items()}
            lines = {what: sum(reader(count=True).values()) for what, reader in readers.items()}
            did = order()
            told = kspanpy.cost()[0]
            lag_s = self._lag(kspanpy, did["ended"])
            if to_the_end:
                wait_for("the last stories", lambda: _is_told(kspanpy.metrics()), patience=180, pause=2)
            after, (end, peak) = kspanpy.metrics(), kspanpy.cost()
            bare = {what: _cpu_s(reader) - bare[what] for what, reader in readers.items()}
            lines = {what: sum(reader(count=True).values()) - lines[what] for what, reader in readers.items()}
        finally:
            for reader in readers.values():
                reader.end()
            code, _ = kspanpy.stop()
        made = Counter(
            f"{entry['verb']} {entry['objectRef']['resource']}" if "objectRef" in entry else entry["requestURI"]
            for key, entry in self.plane.requests().items()
            if key not in requests
        )
        seen = after["kspanpy_events_seen_total"] - before["kspanpy_events_seen_total"]
        exported = after["kspanpy_events_exported_total"] - before["kspanpy_events_exported_total"]
        events, each = did["events"], 1000 / did["events"]
        once = sum(count for what, count in made.items() if what.startswith("get "))
        yield Figure(name, "events", events)
        yield Figure(name, "written, or highest rate", did["rate"], "/s")
        yield Figure(name, "CPU until all was told", (end - cpu) * each, "s/1000 events", goal=most_s)
        yield Figure(name, "CPU until the load was over", (told - cpu) * each, "s/1000 events")
        for what in floors:
            yield Figure(name, f"bare reader, {what} ({lines[what]} lines)", bare[what] * each, "s/1000 events")
        compare = Compare.RATIO
        yield Figure(
            name, "against the bare reader of all watches", (end - cpu) / bare["all watches"], "x", compare=compare
        )
        yield Figure(name, "peak memory", peak, "MiB", goal=80)
        yield Figure(name, "seen", 100 * seen / events, "%")
        yield Figure(name, "delivered of what was seen", 100 * exported / seen, "%", goal=100, at_least=True)
        yield Figure(name, "lost", sum(lost(after).values()), goal=0)
        yield Figure(name, "the last event span was acknowledged after", lag_s, "s")
        yield Figure(
            name, f"requests ({', '.join(f'{count} {what}' for what, count in made.most_common(4))}, ...)", made.total()
        )
        yield Figure(name, "GETs of single objects", once)
        yield Figure(name, "exit code", code, goal=0)

    def _lag(self, kspanpy: Kspanpy, ended: float) -> float:
        """Seconds from the end of the load until nothing waits any more but stories that are open."""
        wait_for("the spans", lambda: _is_drained(kspanpy.metrics()), patience=120, pause=0.25)
        return time.time() - ended


def _is_drained(metrics: dict[str, float]) -> bool:
    return not any(metrics[f"kspanpy_{name}"] for name in ("events_pending", "spans_queued", "inbox_items"))


def _is_told(metrics: dict[str, float]) -> bool:
    return _is_drained(metrics) and not metrics["kspanpy_stories_open"]


def _cpu_s(child: Child) -> float:
    fields = Path(f"/proc/{child.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
