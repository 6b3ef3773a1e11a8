"""A burst: 150 deployments of 3 pods at once, deleted at once. Nothing may be lost, nothing may go to the wrong story."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.jaeger import Jaeger, Trace
from tests.live.stack import SHARED, ControlPlane, Kspanpy, wait_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

DEPLOYMENTS, REPLICAS = 150, 3


class Recording:
    """What `record` wrote: events of the load-* namespaces, and who owns whom."""

    def __init__(self, path: Path) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.events: dict[tuple[str, int], dict[str, Any]] = {}
        for line in path.read_text().splitlines():
            change = json.loads(line)
            thing = change.get("object", {})
            if thing.get("kind") != "Event":
                self.objects.setdefault(thing.get("metadata", {}).get("uid", ""), thing)
            elif change["type"] != "DELETED" and thing["metadata"]["namespace"].startswith("load-"):
                n = (thing.get("series") or {}).get("count") or thing.get("count") or 1
                self.events.setdefault((thing["metadata"]["uid"], n), thing)

    def root(self, event: dict[str, Any]) -> str:
        """The uid of the last object of the owner chain of what an event is about."""
        uid = str(event["involvedObject"].get("uid", ""))
        while owners := self.objects.get(uid, {}).get("metadata", {}).get("ownerReferences"):
            uid = next((owner["uid"] for owner in owners if owner.get("controller")), owners[0]["uid"])
        return uid


@pytest.fixture
def recording(cluster: ControlPlane, tmp_path: Path) -> Any:
    """Starts an independent recorder; calling the fixture's value ends it and gives what it saw."""
    path = tmp_path / "load.ndjson"
    namespaces = [word for n in range(1, 5) for word in ("--namespace", f"load-{n}")]
    process = subprocess.Popen(
        [SHARED / "cluster" / "record", "--kubeconfig", cluster.admin, "--out", path, *namespaces],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "ready" in process.stderr.readline()

    def finish() -> Recording:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        packed = path.with_suffix(".ndjson.gz")
        if packed.exists():
            subprocess.run(["gunzip", "--keep", "--force", packed], check=True)
        return Recording(path)

    yield finish
    process.kill()
    process.wait()


def test_a_burst_is_delivered_whole_and_to_the_right_story(
    cluster: ControlPlane,
    start: Callable[..., Kspanpy],
    jaeger: Jaeger,
    recording: Callable[[], Recording],
    say: Callable[[str], None],
) -> None:
    """Every event that another watcher recorded has its span, in a trace whose root is the Deployment at the end of its owners."""
    before, began = len(cluster.requests()), time.monotonic()
    kspanpy = start()
    size = ["--deployments", str(DEPLOYMENTS), "--replicas", str(REPLICAS)]
    load = subprocess.run(
        [SHARED / "cluster" / "load", "--kubeconfig", cluster.admin, *size], capture_output=True, text=True, check=True
    )
    figures = json.loads(load.stdout)
    say(f"load: {figures['events']} events in {figures['seconds']['events']} s, highest {figures['events_per_second']}")
    wait_for("the last stories", lambda: _idle(kspanpy), patience=120, pause=2)
    metrics = kspanpy.metrics()
    cpu, peak = kspanpy.cost()
    seconds, requests = time.monotonic() - began, len(cluster.requests()) - before
    code, _ = kspanpy.stop()
    assert code == 0
    seen = recording()

    traces = wait_for("Jaeger", lambda: _settled(jaeger), patience=60)
    where = {span.event: trace for trace in traces.values() for span in trace.spans.values() if span.event}
    missing = {key for key in seen.events if key not in where}
    delivered = len(seen.events) - len(missing)
    say(f"delivered {delivered} of {len(seen.events)} occurrences")
    wrong = Counter(
        f"{event['involvedObject']['kind']}.{event['reason']}: {_root(where[key])}"
        for key, event in seen.events.items()
        if key in where and _root(where[key]) != ("Deployment", seen.root(event))
    )
    stories = Counter(trace.root.name for trace in traces.values() if len(trace.roots) == 1)
    say(f"stories: {dict(stories)}")
    say(f"kspanpy: {cpu:.1f} s of CPU in {seconds:.0f} s, peak {peak:.0f} MiB, {requests} API requests")
    assert _lost(metrics) == {}
    assert wrong == {}
    assert missing == set(), Counter(seen.events[key]["reason"] for key in missing)


def _root(trace: Trace) -> tuple[str, str]:
    if len(trace.roots) != 1:
        return (f"{len(trace.roots)} roots", "")
    return str(trace.root.attributes.get("k8s.object.kind")), trace.root.about


def _idle(kspanpy: Kspanpy) -> bool:
    """Whether every story has been told and every span has been accepted."""
    metrics = kspanpy.metrics()
    return not any(metrics[f"kspanpy_{name}"] for name in ("stories_open", "events_pending", "spans_queued"))


def _lost(metrics: dict[str, float]) -> dict[str, float]:
    """The counters of losses that are not zero. A step of an Event that was seen before is none."""
    losses = ("kspanpy_spans_dropped_total", "kspanpy_events_discarded_total", "kspanpy_loop_errors_total")
    return {k: v for k, v in metrics.items() if v and k.startswith(losses) and 'reason="duplicate"' not in k}


def _settled(jaeger: Jaeger) -> dict[str, Trace]:
    """Everything that is about the load, once a second look shows no more."""
    before = sum(len(trace.spans) for trace in jaeger.everything().values())
    time.sleep(2)
    traces = jaeger.everything()
    return traces if sum(len(trace.spans) for trace in traces.values()) == before else {}
