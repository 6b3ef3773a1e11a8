"""Trouble while no change is open: bounded stories, one after the other, each linked to what it follows."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from kspanpy.core.model import SECOND, ObjectReference, Span
from kspanpy.core.steps import EventSeen
from tests.core.acting import crash, observe, quiet, recover, roll_out, start, stop
from tests.core.cluster import Cluster, Thing, whole

HOUR_NS = 3600 * SECOND


def links(span: Span) -> list[str]:
    """The relations of its links."""
    return [link.relation for link in span.links]


def loop(cluster: Cluster, pod: Thing, *owners: Thing, hours: float, runs_s: float) -> None:
    """A container fails again and again; between two crashes it runs, and its Pod is ready, for that long."""
    until, restarts = cluster.now_ns + int(hours * HOUR_NS), 0
    while cluster.now_ns < until:
        restarts += 1
        crash(cluster, pod, *owners, restarts=restarts)
        cluster.wait(min(300, 10 * 2**restarts))
        cluster.event(pod, "Started", "Container started")
        recover(cluster, pod, *owners, restarts=restarts)
        cluster.wait(runs_s)


class TestCrashLoop:
    """A crash loop over hours is a chain of bounded linked stories: not one endless trace, not one for every restart."""

    @pytest.mark.parametrize("runs_s", [5, 90, 500])
    def test_of_a_workload_that_was_well(self, runs_s):
        """Back-off waits 300 s, and between two crashes the Pod looks healthy for minutes."""
        cluster = Cluster()
        web = cluster.deployment()
        rs, pod = roll_out(cluster, web)
        cluster.settle(web)
        cluster.wait(600)
        loop(cluster, pod, rs, web, hours=5, runs_s=runs_s)
        cluster.wait(1300)
        rollout, *incidents = cluster.roots()
        assert {root.name for root in incidents} == {"Deployment incident"}
        assert 5 <= len(incidents) <= 8
        for before, after in zip([rollout, *incidents], incidents, strict=False):
            assert (after.links[0].trace_id, after.links[0].span_id) == (before.trace_id, before.span_id)
        assert links(incidents[0]) == ["follows change"]
        assert all(links(root) == ["continues", "follows change"] for root in incidents[1:])
        outcomes = [root.attributes["kspanpy.outcome"] for root in incidents]
        assert outcomes[-1] == "healed"
        assert set(outcomes) <= {"capped", "healed"}  # it may seem to be over; what comes then is a relapse
        assert all(root.end_ns - root.start_ns <= HOUR_NS for root in incidents)
        assert all(a.end_ns <= b.start_ns for a, b in itertools.pairwise(incidents))

    def test_of_a_pod_that_never_becomes_ready(self):
        """The rollout goes on in parts; each Event is in the part in which it happened."""
        cluster = Cluster()
        web = cluster.deployment()
        rs = cluster.replicaset(web)
        pod = cluster.pod(rs)
        start(cluster, pod, ready=False)
        for restarts in range(1, 40):
            crash(cluster, pod, restarts=restarts)
            cluster.wait(300)
        recover(cluster, pod, rs, web)
        cluster.wait(60)
        parts = cluster.roots()
        assert [root.attributes.get("kspanpy.story.part", 1) for root in parts] == [1, 2, 3, 4]
        assert [root.attributes["kspanpy.outcome"] for root in parts] == ["capped"] * 3 + ["settled"]
        assert [links(root) for root in parts] == [[], ["continues"], ["continues"], ["continues"]]
        for root in parts:
            assert root.end_ns - root.start_ns <= HOUR_NS
        for span in cluster.spans:
            if span.name == "Pod.BackOff":
                (root,) = [root for root in parts if root.trace_id == span.trace_id]
                assert root.start_ns <= span.start_ns < root.end_ns

    def test_of_a_pod_that_replaces_another(self):
        """It never becomes ready in the incident that made it: the incident goes on in parts, too."""
        cluster, web, rs, pod = quiet()
        cluster.event(pod, "Killing", "Stopping container app")
        cluster.delete(pod)
        new = cluster.pod(rs)
        cluster.gone(pod)
        observe(cluster, web, ready=0, available=0)
        for restarts in range(1, 30):
            crash(cluster, new, restarts=restarts)
            cluster.wait(300)
        recover(cluster, new, rs, web)
        cluster.wait(700)
        parts = cluster.roots()
        assert [links(root) for root in parts] == [[], ["continues"], ["continues"]]
        assert all(root.end_ns - root.start_ns <= HOUR_NS for root in parts)

    def test_a_relapse_is_over_when_it_has_run_for_ten_minutes(self):
        """By then the kubelet has forgotten its crashes; the story ends when it became ready, not then. The first one is told soon."""
        cluster, web, rs, pod = quiet()
        for _ in range(2):
            crash(cluster, pod, rs, web)
            cluster.wait(20)
            recover(cluster, pod, rs, web)
            cluster.wait(100)
        assert len(cluster.roots()) == 1
        cluster.wait(499)
        assert len(cluster.roots()) == 1
        cluster.wait(2)
        for root in cluster.roots():
            assert (root.attributes["kspanpy.outcome"], root.end_ns - root.start_ns) == ("healed", 20 * SECOND)

    def test_a_change_after_it_had_healed_does_not_supersede_it(self):
        """It is told at once, as healed, and ends when it did."""
        cluster, web, rs, pod = quiet()
        crash(cluster, pod, rs, web)
        cluster.wait(20)
        recover(cluster, pod, rs, web)
        cluster.wait(10)
        cluster.scale(web, 2)
        (root,) = cluster.roots()
        assert (root.attributes["kspanpy.outcome"], root.end_ns - root.start_ns) == ("healed", 20 * SECOND)

    def test_a_second_crash_of_a_pod_is_not_pressed_into_the_first(self):
        """However long it looked healthy in between: the span of its incident lasts to the end."""
        cluster, web, rs, pod = quiet()
        crash(cluster, pod, rs, web)
        cluster.wait(20)
        recover(cluster, pod, rs, web)
        cluster.wait(20)
        second_ns = cluster.now_ns
        crash(cluster, pod, rs, web, restarts=2)
        cluster.wait(30)
        recover(cluster, pod, rs, web)
        cluster.wait(700)
        assert [s.start_ns for s in cluster.spans if s.name == "Pod.BackOff"][1] == second_ns
        assert cluster.span("Pod incident").end_ns == second_ns + 30 * SECOND


class TestState:
    """Where status says that it is not well, silence ends nothing."""

    def test_a_node_that_is_away_for_twenty_minutes_has_one_outage(self):
        """No Event comes in between."""
        cluster = Cluster(synced=False)
        node = cluster.node(age_s=86_400)
        cluster.bookmark()
        cluster.wait(60)
        cluster.change(node, conditions=(cluster.condition("Ready", good=False, reason="NodeStatusUnknown"),))
        cluster.event(node, "NodeNotReady", "Node node-1 status is now: NodeNotReady", component="node-controller")
        cluster.wait(1200)
        cluster.event(ObjectReference(kind="Node", name="node-1", uid="node-1"), "NodeReady")
        cluster.change(node, conditions=(cluster.condition("Ready"),))
        cluster.wait(60)
        root = cluster.root()
        assert (root.name, root.attributes["kspanpy.outcome"]) == ("Node outage", "healed")
        assert (root.end_ns - root.start_ns) // SECOND == 1200

    def test_healthy_again_is_not_yet_quiet(self):
        """What comes right after it, long after the last Event, is still part of it."""
        cluster, web, _, pod = quiet()
        cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
        observe(cluster, web, ready=0, available=0)
        cluster.warning(pod, "Unhealthy", "Readiness probe failed")
        cluster.wait(200)
        cluster.ready(pod)
        cluster.settle(web)
        cluster.wait(20)
        cluster.warning(pod, "Unhealthy", "Readiness probe failed: once more")
        cluster.wait(60)
        assert len(cluster.roots()) == 1


class TestLate:
    """A series is written half an hour after what it tells of (1.7)."""

    def incident(self, cluster: Cluster, web: Thing, pod: Thing) -> None:
        """Twenty seconds of trouble."""
        cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
        observe(cluster, web, ready=0, available=0)
        cluster.warning(pod, "FailedMount", "no such volume")
        cluster.wait(20)
        cluster.ready(pod)
        cluster.settle(web)

    def test_it_joins_the_incident_in_which_it_happened(self):
        """Not the one that came after, and not the one that goes on."""
        cluster, web, _, pod = quiet()
        series = cluster.warning(pod, "Odd", "Something is odd")
        at_ns = cluster.now_ns + 10 * SECOND
        self.incident(cluster, web, pod)
        cluster.wait(1500)
        self.incident(cluster, web, pod)
        cluster.wait(1500)
        cluster.again(series, series_count=3, series_last_ns=at_ns)
        cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
        observe(cluster, web, ready=0, available=0)
        cluster.warning(pod, "FailedMount", "no such volume")
        cluster.wait(100)
        cluster.again(series, series_count=5, series_last_ns=at_ns + SECOND)
        cluster.wait(10)
        cluster.ready(pod)
        cluster.settle(web)
        cluster.wait(120)
        first, _, _ = sorted(cluster.roots(), key=lambda root: root.start_ns)
        odd = [span for span in cluster.spans if span.name == "Pod.Odd"]
        assert [span.trace_id for span in odd] == [first.trace_id] * 3
        assert [span.start_ns for span in odd[1:]] == [at_ns, at_ns + SECOND]
        assert {root.attributes["kspanpy.outcome"] for root in cluster.roots()} == {"healed"}

    def test_it_joins_the_rollout_in_which_it_happened(self):
        """Below the Pod's startup, which was told long ago."""
        cluster = Cluster()
        web = cluster.deployment()
        rs = cluster.replicaset(web)
        pod = cluster.pod(rs)
        series = cluster.warning(pod, "FailedScheduling", "0/3 nodes are available")
        cluster.wait(20)
        at_ns = cluster.now_ns
        start(cluster, pod)
        cluster.settle(rs)
        cluster.settle(web)
        cluster.wait(1800)
        cluster.again(series, series_count=12, series_last_ns=at_ns)
        cluster.wait(60)
        late = [s for s in cluster.spans if s.name == "Pod.FailedScheduling"][-1]
        assert cluster.path(late)[1:] == ["Pod startup", "ReplicaSet scale-up", "Deployment rollout"]
        assert (late.start_ns, late.attributes["k8s.event.count_delta"]) == (at_ns, 11)

    def test_what_happened_in_between_is_a_story_of_its_own(self):
        """It ends nothing that goes on now, and does not wait for it."""
        cluster, web, _, pod = quiet()
        series = cluster.event(web, "Remark", "Hear, hear")
        cluster.wait(60)
        at_ns = cluster.now_ns
        cluster.wait(1500)
        cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
        observe(cluster, web, ready=0, available=0)
        cluster.warning(pod, "FailedMount", "no such volume")
        cluster.wait(10)
        cluster.again(series, series_count=2, series_last_ns=at_ns)
        cluster.wait(60)
        assert [root.name for root in cluster.roots()] == ["Deployment activity"] * 2
        cluster.warning(pod, "FailedMount", "no such volume, again")
        cluster.ready(pod)
        cluster.settle(web)
        cluster.wait(60)
        names = [root.name for root in cluster.roots()]
        assert names == ["Deployment activity"] * 2 + ["Deployment incident"]
        assert links(cluster.roots()[-1]) == []


class TestMadeAgain:
    """An Event that had expired is made again with a new uid, its old first time and one more (1.6)."""

    def test_it_is_one_more_step(self):
        """Of the incident that goes on now; a jump of its count is told."""
        cluster, _, _, pod = quiet()
        first_ns = whole(cluster.now_ns)
        old = cluster.warning(pod, "Odd", "x", event_time_ns=None, first_ns=first_ns, last_ns=first_ns, count=4)
        cluster.wait(4000)
        again = msgspec.structs.replace(
            old, uid="made-again", count=7, last_ns=whole(cluster.now_ns), resource_version=cluster.version()
        )
        for _ in range(2):
            cluster.tell(EventSeen(again))
        cluster.wait(120)
        odd = [s for s in cluster.spans if s.name == "Pod.Odd"]
        assert [s.attributes["k8s.event.count"] for s in odd] == [4, 7]
        assert odd[1].attributes["k8s.event.count_delta"] == 3
        assert odd[0].trace_id != odd[1].trace_id
        assert len(cluster.discarded) == 1


class TestFollows:
    """An incident is linked to the change before it, whatever that was."""

    def test_to_the_newest_one(self):
        """Here a scaling."""
        cluster, web, rs, pod = quiet()
        cluster.set_image(web, "web:2")
        cluster.settle(web)
        cluster.wait(60)
        cluster.scale(web, 1)
        cluster.settle(web)
        cluster.wait(600)
        crash(cluster, pod, rs, web)
        cluster.wait(20)
        recover(cluster, pod, rs, web)
        cluster.wait(700)
        _, scaling, incident = cluster.roots()
        assert [(link.trace_id, link.relation) for link in incident.links] == [(scaling.trace_id, "follows change")]

    def test_a_pod_that_somebody_deletes(self):
        """An incident that heals by itself: no error."""
        cluster, web, rs, pod = quiet()
        observe(cluster, web, ready=0, available=0)
        new = cluster.pod(rs)
        cluster.event(rs, "SuccessfulCreate", f"Created pod: {new.name}")
        stop(cluster, pod)
        start(cluster, new)
        cluster.settle(web)
        cluster.wait(60)
        root = cluster.root()
        assert (root.name, root.error, root.attributes["kspanpy.outcome"]) == ("Deployment incident", "", "healed")
