"""Two replicas with the Role of deploy/components/ha on a real API server: a kill and a stop of the leader in the middle of rollouts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.live.jaeger import Jaeger
from tests.live.stack import TOP, ControlPlane, Kspanpy, wait_for
from tests.live.watching import EventWatch

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

HA = TOP / "deploy" / "components" / "ha"


def leads(kspanpy: Kspanpy) -> bool:
    """By its own word."""
    return kspanpy.metrics()["kspanpy_leader"] == 1


@pytest.fixture
def replica(cluster: ControlPlane, start: Callable[..., Kspanpy]) -> Callable[[], Kspanpy]:
    """Starts one, ready, with the rights of the component."""
    cluster.kubectl("apply", "--namespace", "kspanpy", "-f", HA / "rbac.yaml")
    return lambda: start(KSPANPY_LEASE="kspanpy", KSPANPY_LEASE_NAMESPACE="kspanpy")


def test_a_killed_and_a_stopped_leader_lose_nothing(
    *,
    cluster: ControlPlane,
    changes: Callable[[str], Any],
    replica: Callable[[], Kspanpy],
    watch: EventWatch,
    jaeger: Jaeger,
    say: Callable[[str], None],
) -> None:
    """Every event is in Jaeger, in one trace each; the Lease is the only thing that was written."""
    run = changes("takeover")
    a = replica()
    wait_for("the first to lead", lambda: leads(a), patience=40)
    b = replica()
    run.create_deployment("one", "shop/web-slow:1.0", 3, wait=False)
    wait_for("events", lambda: len(watch.of("takeover")) >= 8, patience=30)
    a.process.kill()
    began = time.monotonic()
    run.create_deployment("two", "shop/web:1.0", 3, wait=False)
    wait_for("the takeover", lambda: leads(b), patience=40)
    killed = time.monotonic() - began
    c = replica()
    run.create_deployment("three", "shop/web-slow:1.0", 3, wait=False)
    time.sleep(3)
    lease = json.loads(cluster.kubectl("get", "lease", "kspanpy", "--namespace", "kspanpy", "-o", "json"))
    until = lease["metadata"]["annotations"]["kspanpy.io/acknowledged-until"]
    began = time.monotonic()
    code, seconds = b.stop()
    wait_for("the second takeover", lambda: leads(c), patience=40)
    stopped = time.monotonic() - began
    owed = set(watch.of("takeover"))

    def told() -> list[Any]:
        """The traces of what happened here, when all of it has arrived and every story has been told to its end."""
        traces = [t for t in jaeger.everything().values() if any(span.event in owed for span in t.spans.values())]
        lost = owed - {span.event for trace in traces for span in trace.spans.values()}
        return [] if lost or not all(trace.roots for trace in traces) else traces

    wait_for("the stories in Jaeger", told, patience=140, pause=1)
    traces = told()
    say(
        f"SIGKILL: the next led after {killed:.1f} s; SIGTERM: exit {code} in {seconds:.1f} s, the next led after {stopped:.1f} s"
    )
    say(f"{len(owed)} events owed, 0 missing, in {len(traces)} traces; acknowledged-until was {until}")
    assert [len(trace.roots) for trace in traces] == [1] * len(traces)
    assert killed <= 17, killed
    assert code == 0
    assert stopped <= seconds + 5, (stopped, seconds)  # the third is young and lets others go first, for two seconds
    assert lease["spec"]["leaseTransitions"] == 1
    written = {
        (entry["verb"], entry["objectRef"]["resource"], entry["objectRef"].get("namespace"))
        for entry in cluster.requests().values()
        if entry["verb"] not in {"get", "list", "watch"}
    }
    assert written == {("create", "leases", "kspanpy"), ("update", "leases", "kspanpy")}
