"""Real changes on a real control plane, read back from a real Jaeger: each change is one trace, with the owners as its tree."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.live.jaeger import Jaeger, Trace
from tests.live.stack import ControlPlane, Kspanpy, wait_for
from tests.live.watching import EventWatch

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

PAUSE = 14  # seconds between two changes of one object: longer than the settle window


@pytest.fixture
def shop(
    changes: Callable[[str], Any], start: Callable[..., Kspanpy], watch: EventWatch, jaeger: Jaeger
) -> list[Trace]:
    """Every trace of the namespace `shop` after these changes, when all their stories have been told."""
    run = changes("shop")
    start()

    def deployment() -> None:
        run.create_deployment("web", "shop/web:1.0")
        run.quiet(PAUSE)
        run.roll("Deployment", "web", "shop/web:1.1")
        run.quiet(PAUSE)
        run.resize("Deployment", "web", 4)
        run.quiet(PAUSE)
        run.remove("Deployment", "web")

    def stateful_set() -> None:
        spec = run.workload("db", "shop/db:16.1", 2)["spec"] | {"serviceName": "db"}
        run.change(
            "create", lambda: run.create("StatefulSet", "db", {"spec": spec}), run.rolled_out("StatefulSet", "db")
        )
        run.quiet(PAUSE)

    def job() -> None:
        template = run.template("import", "shop/import-done:1.0", {"restartPolicy": "Never"})
        run.change(
            "create",
            lambda: run.create("Job", "import", {"spec": {"template": template}}),
            lambda: run.get("Job", "import").get("status", {}).get("completionTime"),
        )

    def bad_image() -> None:
        run.create_deployment("api", "shop/api:2.0", 1)
        run.quiet(PAUSE)
        run.roll("Deployment", "api", "shop/api-missing:2.1", patience=20)
        run.remove("Deployment", "api")

    run.together(deployment, stateful_set, job, bad_image)
    wanted = {
        ("Deployment rollout", "web"): 2,
        ("Deployment scale", "web"): 1,
        ("Deployment deletion", "web"): 1,
        ("StatefulSet rollout", "db"): 1,
        ("Job run", "import"): 1,
        ("Deployment rollout", "api"): 2,
        ("Deployment deletion", "api"): 1,
    }

    def told() -> list[Trace]:
        traces = [trace for trace in jaeger.everything().values() if _namespace(trace) == "shop"]
        have = [_story(trace) for trace in traces]
        missing = {story: n - have.count(story) for story, n in wanted.items() if have.count(story) < n}
        return traces if not missing and not _untold(watch, traces) else []

    try:
        return wait_for("the stories in Jaeger", told, patience=90, pause=1)  # type: ignore[no-any-return]
    except TimeoutError:
        traces = [trace for trace in jaeger.everything().values() if _namespace(trace) == "shop"]
        stories = sorted(map(str, map(_story, traces)))
        pytest.fail(f"stories: {stories}\nevents without a span: {_untold(watch, traces)}")


def _namespace(trace: Trace) -> str:
    return str(next(iter(trace.spans.values())).attributes.get("k8s.namespace.name", ""))


def _story(trace: Trace) -> tuple[str, str]:
    if len(trace.roots) != 1:
        return (f"{len(trace.roots)} roots", "")
    return trace.root.name, str(trace.root.attributes.get("k8s.object.name"))


def _untold(watch: EventWatch, traces: list[Trace]) -> list[str]:
    told = {span.event for trace in traces for span in trace.spans.values()}
    return [
        f"{s.event['involvedObject']['name']} {s.event['reason']}"
        for key, s in watch.of("shop").items()
        if key not in told
    ]


class TestTraces:
    """All promises about one set of changes: they take minutes, so they are made once."""

    def test_each_change_is_one_trace_with_the_owners_as_its_tree(
        self, shop: list[Trace], jaeger: Jaeger, cluster: ControlPlane, say: Callable[[str], None]
    ) -> None:
        """One root per trace about the object that was changed; every event under the span of its object; no complaint by Jaeger."""
        stories = sorted(_story(trace) for trace in shop)
        say(f"{len(shop)} traces, {sum(len(trace.spans) for trace in shop)} spans: {stories}")
        assert {name for name, _ in stories} <= {
            "Deployment rollout",
            "Deployment scale",
            "Deployment deletion",
            "StatefulSet rollout",
            "Job run",
        }
        assert stories.count(("Deployment rollout", "web")) == 2
        for trace in shop:
            self._check_tree(trace)
        complaints = {f"{_story(trace)}: {w}" for trace in shop for w in jaeger.warnings(trace.root.trace_id)}
        assert complaints == set()
        self._check_rights(cluster)

    def _check_tree(self, trace: Trace) -> None:
        for span in trace.spans.values():
            parent = trace.parent(span)
            if span is trace.root:
                continue
            assert parent is not None, span
            assert parent.start_ns <= span.start_ns <= span.end_ns <= parent.end_ns, (parent, span)
            assert parent.event is None, f"{span} is under an event"
            if span.event:
                assert parent.about == span.about, (parent, span)
        for pod in trace.named("Pod startup"):
            if trace.root.name == "Deployment rollout":
                replica_set = trace.parent(pod)
                assert replica_set is not None
                assert replica_set.name.startswith("ReplicaSet "), replica_set
                assert trace.parent(replica_set) == trace.root

    def _check_rights(self, cluster: ControlPlane) -> None:
        """Under the shipped role nothing was refused, and nothing but reading was asked for."""
        requests = cluster.requests().values()
        assert {request["verb"] for request in requests} <= {"get", "list", "watch"}
        refused = {request["requestURI"] for request in requests if request["responseStatus"]["code"] == 403}
        assert refused == set()


class TestLatency:
    """How soon an event can be looked at."""

    def test_an_event_can_be_seen_within_seconds(
        self,
        changes: Callable[[str], Any],
        start: Callable[..., Kspanpy],
        watch: EventWatch,
        jaeger: Jaeger,
        say: Callable[[str], None],
    ) -> None:
        """From the moment another watcher has an event to the moment when Jaeger shows its span, asked ten times a second."""
        run = changes("canary")
        start()
        first_shown: dict[tuple[str, int], float] = {}
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(run.create_deployment, "canary", "shop/canary:1.0", 8)
            trace_id = wait_for("the trace", lambda: _find(jaeger, "canary"), patience=60)
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                began = time.monotonic()
                now = time.time()
                for span in jaeger.trace(trace_id).spans.values():
                    if span.event:
                        first_shown.setdefault(span.event, now)
                if made.done() and watch.quiet("canary", 5) and not set(watch.of("canary")) - set(first_shown):
                    break
                time.sleep(max(0.0, began + 0.1 - time.monotonic()))
            made.result()
        seen = watch.of("canary")
        late = sorted(first_shown[key] - seen[key].at for key in seen if key in first_shown)
        assert len(late) == len(seen), f"{len(seen) - len(late)} of {len(seen)} events never came"
        p50, p95 = statistics.median(late), late[int(len(late) * 0.95)]
        say(f"event to Jaeger: p50 {p50:.2f} s, p95 {p95:.2f} s, longest {late[-1]:.2f} s, of {len(late)} events")
        assert p95 < 10


def _find(jaeger: Jaeger, deployment: str) -> str:
    for service in jaeger.services():
        for trace_id, trace in jaeger.traces(service).items():
            if any(span.attributes.get("k8s.deployment.name") == deployment for span in trace.spans.values()):
                return trace_id
    return ""
