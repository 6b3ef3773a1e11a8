"""Somebody begins to look in the middle of a story: what was there before is taken as it stands, and nothing lasts for days."""

from __future__ import annotations

import pytest

from kspanpy.core.model import SECOND, Condition, Container, FieldManager, ObjectReference
from tests.core.acting import recover, roll_out, scale_down, start, stop
from tests.core.cluster import T0, Cluster, Thing, whole

DAY_S = 86_400


def long_ago(cluster: Cluster, seconds: float = DAY_S) -> int:
    """A time before anybody looked."""
    return whole(cluster.now_ns - int(seconds * SECOND))


def ready(cluster: Cluster, *, since_s: float = DAY_S, good: bool = True) -> Condition:
    """A Pod's condition Ready that has not changed for so long."""
    return Condition("Ready", "True" if good else "False", changed_ns=long_ago(cluster, since_s))


def summary(cluster: Cluster) -> list[tuple[str, str]]:
    """Of each story its name and how it ended."""
    return [(root.name, root.attributes["kspanpy.outcome"]) for root in cluster.roots()]


class TestRollout:
    """It goes on, dated by managedFields."""

    def under_way(self, cluster: Cluster) -> tuple[Thing, Thing, Thing, Thing, Thing]:
        """For twenty seconds: one new Pod starts, the old one is there."""
        counts = {"current": 2, "updated": 1, "ready": 1, "available": 1, "observed_generation": 3}
        by = FieldManager("kubectl-set", "Update", "", long_ago(cluster, 20), touches_spec=True)
        web = cluster.deployment(generation=3, age_s=DAY_S, managers=(by,), **counts)
        old = cluster.replicaset(web, "1", age_s=DAY_S, current=1, ready=1, available=1, observed_generation=1)
        new = cluster.replicaset(web, "2", age_s=20, current=1, observed_generation=1)
        pod = cluster.pod(old, age_s=DAY_S, phase="Running", conditions=(ready(cluster),), node_name="node-1")
        made = cluster.pod(new, age_s=20, node_name="node-1")
        return web, old, new, pod, made

    def test_what_had_happened_and_what_will_are_one_story(self):
        """From the second of the change on: what followed in that second is part of it."""
        cluster = Cluster(synced=False)
        web, old, new, pod, made = self.under_way(cluster)
        cluster.event(web, "ScalingReplicaSet", f"Scaled up replica set {new.name} from 0 to 1", at=-19.8)
        cluster.event(new, "SuccessfulCreate", f"Created pod: {made.name}", at=-19.7)
        cluster.event(made, "Scheduled", at=-19.5)
        cluster.bookmark()
        cluster.wait(5)
        cluster.ready(made)
        cluster.settle(new)
        scale_down(cluster, web, old, pod)
        cluster.settle(web)
        cluster.wait(60)
        assert summary(cluster) == [("Deployment rollout", "settled")]
        assert cluster.root().start_ns == T0 - int(19.8 * SECOND)
        assert {span.trace_id for span in cluster.spans} == {cluster.root().trace_id}

    def test_a_change_that_is_older_than_a_story_may_be_is_over(self):
        """A workload that has been ill for days is in trouble, not in a rollout."""
        cluster = Cluster(synced=False)
        counts = {"current": 1, "updated": 1, "observed_generation": 1}
        web = cluster.create("StatefulSet", "db", replicas=1, age_s=3 * DAY_S, template="t", **counts)
        waiting = Container("app", "waiting", "CrashLoopBackOff", restarts=7)
        lame = ready(cluster, since_s=600, good=False)
        pod = cluster.pod(web, "db-0", age_s=3 * DAY_S, phase="Running", conditions=(lame,), containers=(waiting,))
        series = cluster.warning(pod, "BackOff", "Back-off restarting failed container", at=-500)
        cluster.bookmark()
        cluster.wait(60)
        cluster.again(series)
        cluster.wait(60)
        recover(cluster, pod, web)
        cluster.wait(700)
        assert summary(cluster) == [("StatefulSet incident", "healed")]
        assert cluster.root().end_ns - cluster.root().start_ns == 620 * SECOND

    @pytest.mark.parametrize("age_s", [7200, 3 * DAY_S])
    def test_a_pod_that_has_never_been_ready_is_still_starting(self, age_s):
        """Its startup is told from when its Events begin."""
        cluster = Cluster(synced=False)
        web = cluster.deployment(age_s=age_s, managers=(), current=1, updated=1, observed_generation=1)
        rs = cluster.replicaset(web, age_s=age_s, current=1, observed_generation=1)
        pod = cluster.pod(rs, age_s=age_s, conditions=(ready(cluster, since_s=age_s, good=False),), node_name="n")
        series = cluster.warning(pod, "Failed", "Error: ImagePullBackOff", at=-100)
        cluster.bookmark()
        cluster.wait(60)
        cluster.again(series)
        cluster.wait(10)
        recover(cluster, pod, rs, web)
        cluster.wait(60)
        assert cluster.path(cluster.spans[0])[1:-1] == ["Pod startup", "ReplicaSet scale-up"]
        assert cluster.root().start_ns == T0 - 100 * SECOND


class TestDeletion:
    """In the middle of it."""

    def test_an_owner_that_is_missing_in_a_complete_list_has_been_deleted(self):
        """Its Pods terminate in its deletion, although nobody has seen it."""
        cluster = Cluster(synced=False)
        web = cluster.deployment(age_s=DAY_S, seen=False)
        rs = cluster.replicaset(web, age_s=DAY_S, current=1, ready=1, available=1, observed_generation=1)
        dying = {"deletion_ns": whole(cluster.now_ns) + 20 * SECOND, "grace_s": 30}
        pod = cluster.pod(rs, age_s=DAY_S, phase="Running", conditions=(ready(cluster),), **dying)
        cluster.event(pod, "Killing", "Stopping container app", at=-9.5)
        cluster.bookmark()
        cluster.wait(1)
        cluster.gone(rs)
        cluster.wait(10)
        cluster.gone(pod)
        cluster.wait(60)
        assert cluster.told().splitlines() == [
            "Deployment deletion web",
            "  ReplicaSet scale-down web-1",
            f"    Pod termination {pod.name}",
            "      Pod.Killing",
        ]
        assert summary(cluster) == [("Deployment deletion", "deleted")]

    def test_an_owner_that_may_not_be_read_has_not(self):
        """A Pod that is replaced there is an incident of it."""
        cluster = Cluster(synced=False)
        web = cluster.deployment(age_s=DAY_S, seen=False)
        rs = cluster.replicaset(web, age_s=DAY_S, current=1, ready=1, available=1, observed_generation=1)
        pod = cluster.pod(rs, age_s=DAY_S, phase="Running", conditions=(ready(cluster),))
        cluster.bookmark("ReplicaSet", "Pod")
        cluster.wait(60)
        stop(cluster, pod)
        cluster.wait(120)
        assert summary(cluster) == [("Deployment incident", "healed")]

    def test_in_the_foreground(self):
        """Only the deletion is told: no rollout that was before."""
        cluster = Cluster(synced=False)
        gone = {"deletion_ns": long_ago(cluster, 10), "generation": 2}
        counts = {"current": 1, "updated": 1, "ready": 1, "available": 1, "observed_generation": 1}
        web = cluster.deployment(age_s=DAY_S, **gone, **counts)
        rs = cluster.replicaset(web, age_s=DAY_S, **gone, **counts)
        dying = {"deletion_ns": whole(cluster.now_ns) + 20 * SECOND, "grace_s": 30}
        pod = cluster.pod(rs, age_s=DAY_S, phase="Running", conditions=(ready(cluster),), **dying)
        cluster.event(pod, "Killing", "Stopping container app", at=-9.5)
        cluster.bookmark()
        cluster.wait(11)
        for thing in (pod, rs, web):
            cluster.gone(thing)
        cluster.wait(60)
        assert summary(cluster) == [("Deployment deletion", "deleted")]
        assert cluster.root().start_ns == T0 - int(9.5 * SECOND)


class TestTrouble:
    """In the middle of it."""

    def test_an_outage_of_a_node_is_not_its_joining(self):
        """It was ready before: its condition changed long after it was created."""
        cluster = Cluster(synced=False)
        away = Condition("Ready", "Unknown", "NodeStatusUnknown", changed_ns=long_ago(cluster, 100))
        node = cluster.node(age_s=5 * DAY_S, conditions=(away,))
        cluster.event(node, "NodeNotReady", "Node node-1 status is now: NodeNotReady", at=-99.5)
        cluster.bookmark()
        cluster.wait(100)
        cluster.event(ObjectReference(kind="Node", name="node-1"), "NodeReady")
        cluster.change(node, conditions=(cluster.condition("Ready"),))
        cluster.wait(60)
        assert summary(cluster) == [("Node outage", "healed")]
        assert cluster.root().end_ns - cluster.root().start_ns < 200 * SECOND

    def test_a_node_that_has_just_been_created_is_joining(self):
        """It has never been ready."""
        cluster = Cluster(synced=False)
        first = Condition("Ready", "False", "KubeletNotReady", changed_ns=long_ago(cluster, 20))
        node = cluster.node(age_s=20, conditions=(first,))
        cluster.event(node, "RegisteredNode", at=-15)
        cluster.bookmark()
        cluster.wait(10)
        cluster.change(node, conditions=(cluster.condition("Ready"),))
        cluster.wait(60)
        assert summary(cluster) == [("Node join", "settled")]

    def test_an_incident_in_which_pods_are_replaced(self):
        """The Pod that starts and the one that goes are of one incident."""
        cluster = Cluster(synced=False)
        counts = {"current": 1, "updated": 1, "ready": 0, "available": 0, "observed_generation": 1}
        web = cluster.deployment(age_s=DAY_S, managers=(), **counts)
        rs = cluster.replicaset(web, age_s=DAY_S, **counts)
        new = cluster.pod(rs, age_s=15)
        dying = {"deletion_ns": whole(cluster.now_ns) + 10 * SECOND, "grace_s": 30}
        old = cluster.pod(rs, age_s=DAY_S, phase="Running", conditions=(ready(cluster),), **dying)
        cluster.event(old, "Killing", "Stopping container app", at=-19.9)
        cluster.event(rs, "SuccessfulCreate", f"Created pod: {new.name}", at=-14.5)
        cluster.bookmark()
        start(cluster, new)
        cluster.gone(old)
        cluster.settle(rs)
        cluster.settle(web)
        cluster.wait(60)
        assert summary(cluster) == [("Deployment incident", "healed")]
        assert {s.name for s in cluster.spans} >= {"Pod startup", "Pod termination"}


def test_after_the_start_all_is_as_ever():
    """The first change that is seen has its own story."""
    cluster = Cluster(synced=False)
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.bookmark()
    cluster.set_image(web, "web:2")
    roll_out(cluster, web, "2")
    scale_down(cluster, web, rs, pod)
    cluster.settle(web)
    cluster.wait(60)
    assert summary(cluster) == [("Deployment rollout", "settled")]
