"""Changes of workloads, as a real control plane makes them: every Pod and every Event in the story of the change that caused it."""

from __future__ import annotations

import msgspec
import pytest

from kspanpy.core.model import Span
from kspanpy.core.steps import EventSeen
from tests.core.acting import observe, quiet, replace, roll_out, scale_down, start, stop
from tests.core.cluster import Cluster, whole


def stories(cluster: Cluster) -> list[tuple[str, str, str]]:
    """Of each story its name, what it was about and how it ended."""
    return [
        (root.name, root.attributes.get("kspanpy.change.summary", ""), root.attributes["kspanpy.outcome"])
        for root in cluster.roots()
    ]


def generation(cluster: Cluster, span: Span) -> int:
    """Of the change in whose story the span is."""
    (root,) = [root for root in cluster.roots() if root.trace_id == span.trace_id]
    return root.attributes["k8s.object.generation"]


class TestOverlapping:
    """The next change begins before the one before has ended."""

    def test_three_changes_within_three_seconds(self):
        """Each Pod's startup is in the story of the change that made it, its termination in that of the change that ended it."""
        cluster, web, rs1, pod1 = quiet()
        made = [(rs1, pod1)]
        for generation_ in (2, 3, 4):
            cluster.set_image(web, f"web:{generation_}")
            rs = cluster.replicaset(web, str(generation_))
            cluster.event(web, "ScalingReplicaSet", f"Scaled up replica set {rs.name} from 0 to 1")
            if generation_ > 2:
                old, doomed = made[-1]
                cluster.event(web, "ScalingReplicaSet", f"Scaled down replica set {old.name} from 1 to 0")
                cluster.delete(doomed, grace_s=30)
                cluster.event(doomed, "Killing", "Stopping container app")
                cluster.event(old, "SuccessfulDelete", f"Deleted pod: {doomed.name}")
            pod = cluster.pod(rs)
            made.append((rs, pod))
            cluster.event(rs, "SuccessfulCreate", f"Created pod: {pod.name}")
            cluster.wait(1)
        for _, doomed in made[1:3]:
            cluster.gone(doomed)
        start(cluster, made[3][1])
        scale_down(cluster, web, rs1, pod1)
        cluster.settle(web)
        cluster.wait(60)
        assert [outcome for _, _, outcome in stories(cluster)] == ["superseded", "superseded", "settled"]
        born = {
            s.attributes["k8s.object.name"]: generation(cluster, s) for s in cluster.spans if s.name == "Pod startup"
        }
        assert born == {pod.name: place for place, (_, pod) in enumerate(made[1:], 2)}
        died = {
            s.attributes["k8s.object.name"]: generation(cluster, s)
            for s in cluster.spans
            if s.name == "Pod termination"
        }
        assert died == {made[1][1].name: 3, made[2][1].name: 4, pod1.name: 4}

    def test_a_rollback_scales_up_the_old_replica_set(self):
        """Its Pods have their startup in the rollback, whichever change made their ReplicaSet."""
        cluster, web, rs1, pod1 = quiet()
        cluster.set_image(web, "web:2")
        rs2 = cluster.replicaset(web, "2")
        pod2 = cluster.pod(rs2)
        cluster.event(web, "ScalingReplicaSet", f"Scaled up replica set {rs2.name} from 0 to 1")
        cluster.wait(20)
        cluster.set_image(web, "web:1")
        scale_down(cluster, web, rs2, pod2)
        cluster.event(rs1, "SuccessfulCreate", "Created pod: web-1-again")
        again = cluster.pod(rs1, "web-1-again")
        start(cluster, again)
        stop(cluster, pod1)
        cluster.settle(rs1)
        cluster.settle(web)
        cluster.wait(60)
        names = {"Pod startup", "Pod termination"}
        placed = {
            (s.name, s.attributes["k8s.object.name"]): generation(cluster, s) for s in cluster.spans if s.name in names
        }
        assert placed == {
            ("Pod startup", pod2.name): 2,
            ("Pod termination", pod2.name): 3,
            ("Pod startup", again.name): 3,
            ("Pod termination", pod1.name): 3,
        }

    def test_a_replica_set_that_is_used_again_repeats_its_event(self):
        """`Scaled up replica set web-1 from 0 to 1` again: count 2 of the same Event, in the story of the second time."""
        cluster = Cluster()
        web = cluster.deployment()
        rs1, pod1 = roll_out(cluster, web)
        fields = {
            "event_time_ns": None,
            "first_ns": whole(cluster.now_ns),
            "last_ns": whole(cluster.now_ns),
            "count": 1,
        }
        event = cluster.event(web, "ScalingReplicaSet", f"Scaled up replica set {rs1.name} from 0 to 1", **fields)
        cluster.settle(web)
        cluster.wait(60)
        cluster.set_image(web, "web:2")
        rs2, pod2 = roll_out(cluster, web, "2")
        scale_down(cluster, web, rs1, pod1)
        cluster.settle(web)
        cluster.wait(60)
        cluster.set_image(web, "web:1")
        version = cluster.version()
        event = msgspec.structs.replace(event, count=2, last_ns=whole(cluster.now_ns), resource_version=version)
        cluster.tell(EventSeen(event))
        again = cluster.pod(rs1)
        start(cluster, again)
        scale_down(cluster, web, rs2, pod2)
        cluster.settle(web)
        cluster.wait(60)
        repeated = [s for s in cluster.spans if s.attributes.get("k8s.event.uid") == event.uid]
        assert [(s.attributes["k8s.event.count"], generation(cluster, s)) for s in repeated] == [(1, 1), (2, 3)]


class TestPause:
    """While a Deployment is paused nothing is rolled out; no Event says so."""

    def test_two_changes_while_paused_and_a_rollout_at_resume(self):
        """The changes are updates, the rollout is what resuming begins."""
        cluster, web, rs, pod = quiet()
        cluster.edit(web, paused=True)
        observe(cluster, web)
        cluster.wait(30)
        for image in ("web:2", "web:3"):
            cluster.set_image(web, image)
            observe(cluster, web, updated=0)
            cluster.wait(30)
        cluster.edit(web, by="", paused=False)
        roll_out(cluster, web, "2")
        scale_down(cluster, web, rs, pod)
        cluster.settle(web)
        cluster.wait(60)
        assert stories(cluster) == [
            ("Deployment update", "paused", "settled"),
            ("Deployment update", "image app: web:1 -> web:2", "settled"),
            ("Deployment update", "image app: web:2 -> web:3", "settled"),
            ("Deployment rollout", "resumed", "settled"),
        ]
        assert {generation(cluster, s) for s in cluster.spans if s.name in ("Pod startup", "Pod termination")} == {5}

    @pytest.mark.parametrize(
        ("image", "name"),
        [pytest.param("web:1", "update", id="taken back"), pytest.param("", "update", id="nothing was changed")],
    )
    def test_resuming_without_anything_to_roll_out_is_an_update(self, image, name):
        """The template is the one that the Pods have."""
        cluster, web, _, _ = quiet()
        cluster.edit(web, paused=True)
        observe(cluster, web)
        cluster.wait(30)
        for step in ("web:2", image) if image else ():
            cluster.set_image(web, step)
            observe(cluster, web)
            cluster.wait(30)
        cluster.edit(web, by="", paused=False)
        observe(cluster, web)
        cluster.wait(60)
        assert cluster.roots()[-1].name == f"Deployment {name}"

    def test_it_was_paused_before_anybody_looked(self):
        """Its status knows that its Pods are not of the newest template."""
        cluster = Cluster(synced=False)
        counts = {"current": 1, "updated": 0, "ready": 1, "available": 1, "observed_generation": 5}
        web = cluster.deployment(paused=True, generation=5, age_s=86_400, **counts)
        rs = cluster.replicaset(web, age_s=86_400)
        pod = cluster.pod(rs, age_s=86_400, phase="Running", conditions=(cluster.condition("Ready"),))
        cluster.bookmark()
        cluster.wait(60)
        cluster.edit(web, by="", paused=False)
        roll_out(cluster, web, "2")
        scale_down(cluster, web, rs, pod)
        cluster.settle(web)
        cluster.wait(60)
        assert stories(cluster) == [("Deployment rollout", "resumed", "settled")]

    def test_paused_and_resumed_in_the_middle_of_a_rollout(self):
        """What is still to be rolled out belongs to the resumption."""
        cluster, web, rs, pod = quiet()
        cluster.set_image(web, "web:2")
        roll_out(cluster, web, "2")
        observe(cluster, web, current=2, updated=1, ready=2, available=2)
        cluster.edit(web, paused=True)
        observe(cluster, web)
        cluster.wait(60)
        cluster.edit(web, by="", paused=False)
        scale_down(cluster, web, rs, pod)
        cluster.settle(web)
        cluster.wait(60)
        assert [name for name, _, _ in stories(cluster)] == [
            "Deployment rollout",
            "Deployment update",
            "Deployment rollout",
        ]
        assert generation(cluster, cluster.span("Pod termination")) == 4


class TestDeletion:
    """The end of a workload, in the three ways in which its dependents may be treated."""

    DELETION = (
        "Deployment deletion web",
        "  ReplicaSet scale-down web-1",
        "    Pod termination web-1-3",
        "      Pod.Killing",
    )

    def test_in_the_background(self):
        """Owners first; no controller says a word."""
        cluster, web, rs, pod = quiet()
        cluster.gone(web)
        cluster.wait(0.1)
        cluster.gone(rs)
        cluster.wait(0.1)
        stop(cluster, pod)
        cluster.wait(60)
        assert cluster.told().splitlines() == list(self.DELETION)

    def test_in_the_foreground(self):
        """The owner waits with a finalizer until its dependents are gone: the story begins with its deletionTimestamp."""
        cluster, web, rs, pod = quiet()
        began = cluster.now_ns
        cluster.change(web, generation=2, deletion_ns=whole(cluster.now_ns))
        cluster.change(rs, generation=2, deletion_ns=whole(cluster.now_ns))
        cluster.wait(2)
        cluster.delete(pod, grace_s=30)
        cluster.event(pod, "Killing", "Stopping container app")
        cluster.wait(20)
        cluster.gone(pod)
        cluster.gone(rs)
        observe(cluster, web, current=0, updated=0, ready=0, available=0)
        cluster.gone(web)
        cluster.wait(60)
        assert cluster.told().splitlines() == list(self.DELETION)
        assert cluster.root().start_ns == began
        assert stories(cluster) == [("Deployment deletion", "deleted", "deleted")]

    def test_orphans_belong_to_nobody(self):
        """The ReplicaSet loses its owner and lives on: what befalls it later is its own story."""
        cluster, web, rs, pod = quiet()
        cluster.change(web, generation=2, deletion_ns=whole(cluster.now_ns))
        cluster.change(rs, owners=())
        cluster.gone(web)
        cluster.wait(60)
        replace(cluster, rs, pod)
        cluster.settle(rs)
        cluster.wait(60)
        assert cluster.told().splitlines()[0] == "Deployment deletion web"
        assert [name for name, _, _ in stories(cluster)] == ["Deployment deletion", "ReplicaSet incident"]

    def test_an_orphan_that_is_adopted_belongs_to_its_new_owner(self):
        """From then on: the next rollout takes its Pods down."""
        cluster, web, rs, pod = quiet()
        cluster.change(web, generation=2, deletion_ns=whole(cluster.now_ns))
        cluster.change(rs, owners=())
        cluster.gone(web)
        cluster.wait(60)
        new = cluster.deployment()
        cluster.change(rs, owners=(new.as_owner(),))
        cluster.settle(new)
        cluster.wait(60)
        cluster.set_image(new, "web:2")
        roll_out(cluster, new, "2")
        scale_down(cluster, new, rs, pod)
        cluster.settle(new)
        cluster.wait(60)
        assert cluster.path(cluster.span("Pod.Killing")) == [
            "Pod.Killing",
            "Pod termination",
            "ReplicaSet scale-down",
            "Deployment rollout",
        ]
        assert [name for name, _, _ in stories(cluster)] == ["Deployment deletion"] + ["Deployment rollout"] * 2

    def test_a_pod_that_is_released_is_its_own_story(self):
        """Somebody changes its labels to look at it: the ReplicaSet lets it go and makes another one."""
        cluster, _, rs, pod = quiet()
        cluster.change(pod, owners=())
        new = cluster.pod(rs)
        cluster.event(rs, "SuccessfulCreate", f"Created pod: {new.name}")
        start(cluster, new)
        cluster.wait(60)
        stop(cluster, pod)
        cluster.wait(60)
        assert [(root.name, root.attributes["k8s.object.name"]) for root in cluster.roots()] == [
            ("Deployment activity", "web"),
            ("Pod termination", pod.name),
        ]

    def test_the_same_name_again_within_a_second(self):
        """The uid decides, also for what is written late about the first one."""
        cluster, web, rs, pod = quiet()
        cluster.gone(web)
        cluster.gone(rs)
        cluster.delete(pod, grace_s=30)
        again = cluster.deployment()
        cluster.wait(0.2)
        cluster.event(web, "ScalingReplicaSet", f"Scaled down replica set {rs.name} from 1 to 0", at=-0.1)
        cluster.event(pod, "Killing", "Stopping container app")
        rs2, _ = roll_out(cluster, again, "1")
        cluster.gone(pod)
        cluster.settle(again)
        cluster.wait(60)
        assert rs2.name == rs.name
        of = {root.trace_id: root.attributes["k8s.object.uid"] for root in cluster.roots()}
        killing, scaling = (
            cluster.span("Pod.Killing"),
            [s for s in cluster.spans if s.name.endswith("ScalingReplicaSet")],
        )
        assert of[killing.trace_id] == web.uid
        assert [of[s.trace_id] for s in scaling] == [web.uid, again.uid]


class TestAggregates:
    """One Event tells of several changes: its count and its message move."""

    def test_each_step_belongs_where_the_pod_belongs_that_it_names(self):
        """`(combined from similar events)`, over a creation and three scalings, in truncated seconds."""
        cluster = Cluster()
        web = cluster.deployment(replicas=1)
        rs = cluster.replicaset(web)
        pod = cluster.pod(rs)
        now = whole(cluster.now_ns)
        combined = "(combined from similar events): Created pod: {}"
        event = cluster.event(
            rs, "SuccessfulCreate", combined.format(pod.name), event_time_ns=None, first_ns=now, last_ns=now, count=1
        )
        start(cluster, pod)
        cluster.settle(rs)
        cluster.settle(web)
        for pause in (60, 12, 0.3):
            cluster.wait(pause)
            cluster.scale(web, web.object.replicas + 1)
            cluster.edit(rs, by="", replicas=web.object.replicas)
            pod = cluster.pod(rs)
            event = msgspec.structs.replace(
                event,
                count=event.count + 1,
                last_ns=whole(cluster.now_ns),
                message=combined.format(pod.name),
                resource_version=cluster.version(),
            )
            cluster.tell(EventSeen(event))
            start(cluster, pod)
            cluster.settle(rs)
            cluster.settle(web)
        cluster.wait(60)
        found = [s for s in cluster.spans if s.name == "ReplicaSet.SuccessfulCreate"]
        assert [(s.attributes["k8s.event.count"], generation(cluster, s)) for s in found] == [
            (1, 1),
            (2, 2),
            (3, 3),
            (4, 4),
        ]
