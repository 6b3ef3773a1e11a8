"""Kinds of workloads that roll out in their own way, and owners above them."""

from __future__ import annotations

import pytest

from kspanpy.core.model import SECOND, Condition, FieldManager
from tests.core.acting import observe, quiet, roll_out, scale_down, start, stop
from tests.core.cluster import Cluster, Thing, whole

QUOTA = 'Error creating: pods "web-1-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1'
WEBHOOK = 'Error creating: admission webhook "validate.kyverno.svc-fail" denied the request: no limits'


def summary(cluster: Cluster) -> list[tuple[str, str]]:
    """Of each story its name and how it ended."""
    return [(root.name, root.attributes["kspanpy.outcome"]) for root in cluster.roots()]


def old(cluster: Cluster, kind: str, name: str, *, pods: int, **more: object) -> tuple[Thing, list[Thing]]:
    """A workload that became as wished long ago, and its Pods."""
    counts = {"current": pods, "updated": pods, "ready": pods, "available": pods, "observed_generation": 1}
    fields = {"replicas": pods, "template": "one", "age_s": 86_400} | counts | more
    workload = cluster.create(kind, name, **fields)
    ready = (Condition("Ready", "True", changed_ns=whole(cluster.now_ns - 86_000 * SECOND)),)
    made = [cluster.pod(workload, f"{name}-{n}", phase="Running", conditions=ready, age_s=86_400) for n in range(pods)]
    cluster.bookmark()
    cluster.wait(60)
    return workload, made


def renew(cluster: Cluster, db: Thing, pod: Thing, *, updated: int) -> Thing:
    """A StatefulSet deletes a Pod and makes it again, under the same name."""
    pods = db.object.replicas or 0
    cluster.event(db, "SuccessfulDelete", f"delete Pod {pod.name} in StatefulSet {db.name} successful")
    cluster.change(db, ready=pods - 1, available=pods - 1)
    stop(cluster, pod)
    new = cluster.pod(db, pod.name)
    cluster.event(db, "SuccessfulCreate", f"create Pod {pod.name} in StatefulSet {db.name} successful")
    start(cluster, new)
    cluster.change(db, ready=pods, available=pods, updated=updated)
    return new


class TestStatefulSet:
    """Its Pods keep their names; a partition or OnDelete spares some of them."""

    def test_a_partition(self):
        """A rollout of the Pods above it; lowering it rolls out the others."""
        cluster = Cluster(synced=False)
        db, pods = old(cluster, "StatefulSet", "db", pods=3)
        cluster.edit(db, on_delete=True, template="two")
        observe(cluster, db, updated=0)
        renew(cluster, db, pods[2], updated=1)
        cluster.wait(60)
        cluster.edit(db, on_delete=False)
        observe(cluster, db)
        renew(cluster, db, pods[1], updated=2)
        renew(cluster, db, pods[0], updated=3)
        cluster.wait(60)
        assert summary(cluster) == [("StatefulSet rollout", "settled")] * 2
        first, second = cluster.roots()
        placed = [(s.trace_id, s.attributes["k8s.object.name"]) for s in cluster.spans if s.name == "Pod startup"]
        assert placed == [(first.trace_id, "db-2"), (second.trace_id, "db-1"), (second.trace_id, "db-0")]

    def test_on_delete(self):
        """A new template replaces nothing; the Pod that somebody deletes later is an incident that follows it."""
        cluster = Cluster(synced=False)
        db, (pod,) = old(cluster, "StatefulSet", "db", pods=1, on_delete=True)
        cluster.edit(db, template="two")
        observe(cluster, db, updated=0)
        cluster.wait(300)
        renew(cluster, db, pod, updated=1)
        cluster.wait(60)
        assert summary(cluster) == [("StatefulSet rollout", "settled"), ("StatefulSet incident", "healed")]
        assert [link.relation for link in cluster.roots()[1].links] == ["follows change"]

    def test_another_field_while_pods_are_spared_is_an_update(self):
        """Nothing is let go."""
        cluster = Cluster(synced=False)
        db, _ = old(cluster, "StatefulSet", "db", pods=1, on_delete=True)
        cluster.edit(db, template="two")
        observe(cluster, db, updated=0)
        cluster.wait(60)
        cluster.edit(db)
        observe(cluster, db)
        cluster.wait(60)
        assert summary(cluster) == [("StatefulSet rollout", "settled"), ("StatefulSet update", "settled")]

    def test_an_event_about_a_pod_of_that_name_is_about_the_one_of_its_time(self):
        """`delete Pod db-0` is about the old one, `create Pod db-0` about the new one; both come late."""
        cluster = Cluster(synced=False)
        db, (pod,) = old(cluster, "StatefulSet", "db", pods=1)
        cluster.edit(db, template="two")
        observe(cluster, db, updated=0)
        stop(cluster, pod)
        start(cluster, cluster.pod(db, "db-0"))
        cluster.settle(db)
        cluster.wait(8)
        cluster.scale(db, 2)
        cluster.event(db, "SuccessfulDelete", "delete Pod db-0 in StatefulSet db successful", at=-9.6)
        cluster.event(db, "SuccessfulCreate", "create Pod db-0 in StatefulSet db successful", at=-8.9)
        start(cluster, cluster.pod(db, "db-1"))
        cluster.settle(db)
        cluster.wait(60)
        rollout, _ = cluster.roots()
        told = [s for s in cluster.spans if s.name.startswith("StatefulSet.")]
        assert [s.trace_id for s in told] == [rollout.trace_id] * 2


class TestDaemonSet:
    """One Pod on every Node: nobody wishes for their number."""

    def test_a_node_more(self):
        """No change of the DaemonSet: an activity, beside the joining of the Node."""
        cluster = Cluster(synced=False)
        agent, _ = old(cluster, "DaemonSet", "agent", pods=1)
        node = cluster.node("node-2", ready=False)
        cluster.change(agent, replicas=2)
        pod = cluster.pod(agent, "agent-x7k2p")
        cluster.event(agent, "SuccessfulCreate", f"Created pod: {pod.name}")
        cluster.wait(3)
        cluster.change(node, conditions=(cluster.condition("Ready"),))
        start(cluster, pod, node="node-2")
        cluster.settle(agent)
        cluster.wait(60)
        assert sorted(summary(cluster)) == [("DaemonSet activity", "healed"), ("Node join", "settled")]
        assert cluster.path(cluster.span("Pod startup")) == ["Pod startup", "DaemonSet activity"]

    def test_a_node_less(self):
        """Its Pod goes with it."""
        cluster = Cluster(synced=False)
        node = cluster.node("node-2", age_s=86_400)
        agent, (_, pod) = old(cluster, "DaemonSet", "agent", pods=2)
        cluster.gone(node)
        cluster.change(agent, replicas=1)
        cluster.delete(pod)
        cluster.gone(pod)
        cluster.settle(agent)
        cluster.wait(60)
        assert sorted(summary(cluster)) == [("DaemonSet activity", "healed"), ("Node deletion", "deleted")]


class TestRefused:
    """Pods that may not be created."""

    @pytest.mark.parametrize("message", [QUOTA, WEBHOOK])
    def test_in_a_rollout(self, message):
        """It goes on until they may, however long that takes; every refusal is part of it."""
        cluster = Cluster()
        web = cluster.deployment(replicas=2)
        rs = cluster.replicaset(web, replicas=2)
        start(cluster, cluster.pod(rs))
        refused = cluster.warning(rs, "FailedCreate", message)
        failure = Condition("ReplicaFailure", "True", "FailedCreate", message)
        observe(cluster, web, current=1, updated=1, ready=1, available=1, conditions=(failure,))
        cluster.wait(900)
        cluster.again(refused)
        cluster.wait(900)
        assert cluster.roots() == []
        start(cluster, cluster.pod(rs))
        cluster.settle(rs)
        cluster.settle(web, conditions=())
        cluster.wait(60)
        assert summary(cluster) == [("Deployment rollout", "settled")]
        assert [s.attributes["k8s.event.count"] for s in cluster.spans if s.name == "ReplicaSet.FailedCreate"] == [1, 2]

    def test_of_a_workload_that_was_well(self):
        """Its Pod is gone and no other one may be made: an incident until one is."""
        cluster, web, rs, pod = quiet()
        stop(cluster, pod)
        observe(cluster, web, ready=0, available=0)
        cluster.warning(rs, "FailedCreate", WEBHOOK)
        cluster.wait(900)
        assert cluster.roots() == []
        start(cluster, cluster.pod(rs))
        cluster.settle(rs)
        cluster.settle(web)
        cluster.wait(60)
        assert summary(cluster) == [("Deployment incident", "healed")]


class TestCustomResource:
    """It owns a Deployment: what it brings about is inside its story."""

    def shop(self, cluster: Cluster) -> tuple[Thing, Thing, Thing, Thing]:
        """A custom resource, its Deployment, the ReplicaSet and the Pod of that."""
        shop = cluster.create("Shop", "corner", api_version="example.com/v1", generation=1, age_s=86_400)
        web, rs, (pod,) = cluster.settled_deployment(owners=(shop.as_owner(),))
        cluster.bookmark()
        cluster.wait(60)
        return shop, web, rs, pod

    def test_both_are_changed_twice(self):
        """The second change of the custom resource begins while the Deployment still rolls out the first."""
        cluster = Cluster(synced=False)
        shop, web, rs, pod = self.shop(cluster)
        for image in ("web:2", "web:3"):
            cluster.edit(shop, by="kubectl-edit")
            cluster.wait(0.2)
            cluster.set_image(web, image, by="shop-operator")
            roll_out(cluster, web, image[-1])
        scale_down(cluster, web, rs, pod)
        cluster.settle(web)
        cluster.wait(60)
        assert [root.name for root in cluster.roots()] == ["Shop rollout"] * 2
        assert len([s for s in cluster.spans if s.name == "Deployment rollout"]) == 2

    def test_it_is_not_over_before_its_deployment_is(self):
        """Between two Pods nothing happens for half a minute (minReadySeconds)."""
        cluster = Cluster(synced=False)
        shop, web, rs, pod = self.shop(cluster)
        cluster.edit(shop, by="kubectl-edit")
        cluster.set_image(web, "web:2", by="shop-operator")
        roll_out(cluster, web, "2")
        observe(cluster, web, current=2, updated=1, ready=2, available=1)
        cluster.wait(30)
        assert cluster.roots() == []
        scale_down(cluster, web, rs, pod)
        cluster.settle(web)
        cluster.wait(60)
        assert summary(cluster) == [("Shop rollout", "settled")]
        assert cluster.path(cluster.span("Pod termination"))[-1] == "Shop rollout"

    def test_its_deployment_is_changed_by_hand(self):
        """While the custom resource is at rest: a story of its own."""
        cluster = Cluster(synced=False)
        shop, web, _, _ = self.shop(cluster)
        cluster.edit(shop, by="kubectl-edit")
        cluster.wait(60)
        cluster.scale(web, 2, by="kubectl")
        cluster.settle(web)
        cluster.wait(60)
        assert [root.name for root in cluster.roots()] == ["Shop update", "Shop scale"]

    def test_a_generation_that_moves_with_every_write_of_the_status(self):
        """Kinds without a status subresource: no wish, no story."""
        cluster = Cluster(synced=False)
        shop, _, _, _ = self.shop(cluster)
        for _ in range(5):
            by = FieldManager("operator", "Update", "", whole(cluster.now_ns), touches_spec=False, touches_status=True)
            cluster.edit(shop, by=by)
            cluster.wait(15)
        assert cluster.roots() == []


def test_a_node_joins_until_it_is_ready():
    """By its condition: no Event has to say so."""
    cluster = Cluster()
    node = cluster.node("node-2", ready=False)
    cluster.event(node, "RegisteredNode", "Node node-2 event: Registered Node node-2 in Controller")
    cluster.wait(40)
    cluster.change(node, conditions=(cluster.condition("Ready"),))
    cluster.wait(60)
    root = cluster.root()
    assert (root.name, root.end_ns - root.start_ns) == ("Node join", 40 * SECOND)
