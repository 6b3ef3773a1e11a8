"""Links: both ends, the evidence for them, and what is no evidence."""

from __future__ import annotations

import pytest

from kspanpy.core.causes.causes import MAX_LINKS
from kspanpy.core.causes.relations import RELATIONS
from kspanpy.core.model import Condition, ObjectReference
from tests.core.acting import observe, quiet, start
from tests.core.cluster import Cluster, Thing
from tests.core.linking import PREEMPTOR, autoscaler, links, told


def test_every_relation_has_a_name_of_its_own_for_each_end():
    """So a viewer can tell them apart."""
    names = [name for relation in RELATIONS.values() for name in (relation.name, relation.forward) if name]
    assert len(names) == len(set(names))


class TestRescaled:
    """A scale story was brought about by an autoscaler."""

    def world(self) -> tuple[Cluster, Thing, Thing]:
        """A Deployment with an autoscaler."""
        cluster, web, _, _ = quiet()
        target = ObjectReference(kind="Deployment", name="web", api_version="apps/v1")
        return cluster, web, cluster.create("HorizontalPodAutoscaler", "web", target=target, age_s=86_400)

    def rescale(self, cluster: Cluster, hpa: Thing, size: int) -> None:
        """The autoscaler says so."""
        cluster.event(hpa, "SuccessfulRescale", f"New size: {size}; reason: cpu above target")

    @pytest.mark.parametrize("event_first", [True, False])
    def test_by_its_event_and_its_target(self, event_first):
        """Whichever is seen first."""
        cluster, web, hpa = self.world()
        if event_first:
            self.rescale(cluster, hpa, 2)
        cluster.scale(web, 2, by=autoscaler(cluster))
        if not event_first:
            cluster.wait(0.5)
            self.rescale(cluster, hpa, 2)
        cluster.settle(web)
        cluster.wait(60)
        assert told(cluster) == {
            ("Deployment scale", "rescaled by"): "HorizontalPodAutoscaler activity",
            ("HorizontalPodAutoscaler activity", "rescaled"): "Deployment scale",
        }

    @pytest.mark.parametrize("wait_s", [0.5, 1.5])
    def test_a_scale_by_hand_right_after_it_was_not_caused_by_it(self, wait_s):
        """Although nobody knows who made that (`kubectl scale` leaves no trace): one rescale makes one change."""
        cluster, web, hpa = self.world()
        cluster.scale(web, 2, by=autoscaler(cluster))
        self.rescale(cluster, hpa, 2)
        cluster.settle(web)
        cluster.wait(wait_s)
        cluster.scale(web, 5)
        cluster.settle(web)
        cluster.wait(60)
        assert [links(root) for root in cluster.roots() if root.name == "Deployment scale"] == [["rescaled by"], []]

    @pytest.mark.parametrize(("wait_s", "manager"), [(30, ""), (0, "kubectl")])
    def test_another_change_was_not(self, wait_s, manager):
        """Half a minute later, or by somebody who is known."""
        cluster, web, hpa = self.world()
        self.rescale(cluster, hpa, 2)
        cluster.wait(wait_s)
        cluster.scale(web, 2, by=manager)
        cluster.settle(web)
        cluster.wait(60)
        assert told(cluster) == {}

    def test_a_rollout_at_the_same_time_was_not(self):
        """Autoscalers change the number only."""
        cluster, web, hpa = self.world()
        self.rescale(cluster, hpa, 2)
        cluster.set_image(web, "web:2", by="")
        cluster.settle(web)
        cluster.wait(60)
        assert told(cluster) == {}

    def test_two_autoscalers_at_once(self):
        """With the same words: the target tells them apart."""
        cluster, web, hpa = self.world()
        other, _, _ = cluster.settled_deployment("other")
        target = ObjectReference(kind="Deployment", name="other", api_version="apps/v1")
        hpa2 = cluster.create("HorizontalPodAutoscaler", "other", target=target, age_s=86_400)
        for scaler, deployment in ((hpa, web), (hpa2, other)):
            self.rescale(cluster, scaler, 5)
            cluster.scale(deployment, 5, by=autoscaler(cluster))
            cluster.settle(deployment)
        cluster.wait(60)
        of = {span.span_id: span.attributes["k8s.object.name"] for span in cluster.roots()}
        scales = [span for span in cluster.roots() if span.name == "Deployment scale"]
        assert [(of[s.span_id], of[s.links[0].span_id]) for s in scales] == [("web", "web"), ("other", "other")]


class TestEvicted:
    """A Pod is gone, or not ready, because of the Node that it was on."""

    def world(self) -> tuple[Cluster, Thing, Thing, Thing]:
        """A Node with the Pod of a Deployment."""
        cluster, web, _, pod = quiet()
        node = cluster.node(age_s=86_400)
        cluster.change(pod, node_name="node-1")
        cluster.wait(60)
        return cluster, node, web, pod

    def away(self, cluster: Cluster, node: Thing) -> None:
        """The Node is not ready."""
        cluster.change(node, conditions=(cluster.condition("Ready", good=False, reason="NodeStatusUnknown"),))
        cluster.event(node, "NodeNotReady", "Node node-1 status is now: NodeNotReady", component="node-controller")

    def evict(self, cluster: Cluster, pod: Thing, reason: str = "DeletionByTaintManager") -> None:
        """The Pod's deletion begins, with its condition."""
        disruption = Condition("DisruptionTarget", "True", reason)
        cluster.change(pod, conditions=(*pod.object.conditions, disruption))
        cluster.delete(pod, grace_s=30)

    def back(self, cluster: Cluster, node: Thing, web: Thing, pod: Thing) -> None:
        """All is well again."""
        cluster.change(node, conditions=(cluster.condition("Ready"),))
        cluster.gone(pod)
        cluster.settle(web)
        cluster.wait(120)

    @pytest.mark.parametrize("node_first", [True, False])
    def test_by_its_condition(self, node_first):
        """Whichever watch is quicker; the incident around it, too."""
        cluster, node, web, pod = self.world()
        if node_first:
            self.away(cluster, node)
        self.evict(cluster, pod)
        cluster.wait(2)
        if not node_first:
            self.away(cluster, node)
        cluster.wait(20)
        self.back(cluster, node, web, pod)
        found = told(cluster)
        assert found["Pod termination", "evicted by"] == "Node outage"
        assert found["Node outage", "evicted"] in ("Pod termination", "Deployment activity", "Deployment incident")

    def test_not_ready_because_the_node_is_not(self):
        """`NodeNotReady` about a Pod names no Node: it is the one that the Pod is on."""
        cluster, node, web, pod = self.world()
        self.away(cluster, node)
        cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
        observe(cluster, web, ready=0, available=0)
        cluster.warning(pod, "NodeNotReady", "Node is not ready", component="node-controller")
        cluster.wait(60)
        cluster.change(node, conditions=(cluster.condition("Ready"),))
        cluster.ready(pod)
        cluster.settle(web)
        cluster.wait(60)
        found = told(cluster)
        assert (found["Deployment incident", "hit by"], found["Pod incident", "hit by"]) == ("Node outage",) * 2

    def test_from_a_healthy_node(self):
        """Somebody has tainted it: its other activity is no cause, and neither is that it has joined."""
        cluster, _, web, _ = self.world()
        fresh = cluster.node("node-2", ready=False)
        cluster.change(fresh, conditions=(cluster.condition("Ready"),))
        pod = cluster.pod(name="shell")
        start(cluster, pod, node="node-2")
        cluster.wait(12)
        cluster.event(fresh, "NodeNotSchedulable", "Node node-2 status is now: NodeNotSchedulable")
        self.evict(cluster, pod)
        self.back(cluster, fresh, web, pod)
        assert told(cluster) == {}

    def test_through_the_eviction_api(self):
        """Anybody may call that."""
        cluster, node, web, pod = self.world()
        self.away(cluster, node)
        self.evict(cluster, pod, "EvictionByEvictionAPI")
        cluster.wait(20)
        self.back(cluster, node, web, pod)
        assert told(cluster) == {}

    def test_an_outage_that_is_over(self):
        """For more than a minute."""
        cluster, node, web, pod = self.world()
        self.away(cluster, node)
        cluster.wait(10)
        cluster.change(node, conditions=(cluster.condition("Ready"),))
        cluster.wait(300)
        self.evict(cluster, pod)
        self.back(cluster, node, web, pod)
        assert told(cluster) == {}


class TestPreempted:
    """A Pod had to go for another one."""

    def world(self) -> tuple[Cluster, Thing]:
        """A victim, long since running."""
        cluster, _, _, pod = quiet()
        return cluster, pod

    def preempt(self, cluster: Cluster, victim: Thing, message: str) -> None:
        """The scheduler says so."""
        cluster.event(victim, "Preempted", message, component="default-scheduler")
        cluster.delete(victim, grace_s=30)

    @pytest.mark.parametrize(
        "message", [f"Preempted by pod {PREEMPTOR} on node n", "Preempted by shop/urgent on node n"]
    )
    @pytest.mark.parametrize("known", [True, False])
    def test_by_its_uid_or_name(self, message, known):
        """Before or after the preemptor has been seen."""
        cluster, victim = self.world()
        urgent = cluster.pod(name="urgent", uid=PREEMPTOR, seen=known)
        self.preempt(cluster, victim, message)
        cluster.wait(2)
        cluster.see(urgent)
        cluster.gone(victim)
        start(cluster, urgent)
        cluster.wait(60)
        found = told(cluster)
        assert found == {
            ("Pod termination", "preempted by"): "Pod startup",
            ("Pod startup", "preempted"): "Pod termination",
        }

    def test_a_uid_of_something_else(self):
        """A message may say what it likes; a Deployment preempts nobody."""
        cluster, victim = self.world()
        cluster.create("Deployment", "mean", uid=PREEMPTOR)
        self.preempt(cluster, victim, f"Preempted by pod {PREEMPTOR} on node n")
        cluster.gone(victim)
        cluster.wait(60)
        assert told(cluster) == {}

    def test_a_name_that_nobody_has(self):
        """It waits for a minute, not for ever: who has that name later was not there."""
        cluster, victim = self.world()
        self.preempt(cluster, victim, "Preempted by shop/urgent on node n")
        cluster.gone(victim)
        cluster.wait(90)
        start(cluster, cluster.pod(name="urgent"))
        cluster.wait(60)
        assert told(cluster) == {}


class TestWaited:
    """A Pod could not start before its claim was bound."""

    def test_by_its_volumes(self):
        """The claim was not bound when the Pod was created."""
        cluster = Cluster()
        claim = cluster.create("PersistentVolumeClaim", "data", phase="Pending")
        pod = cluster.pod(name="db", claims=("data",))
        cluster.wait(5)
        cluster.change(claim, phase="Bound", volume_name="v")
        start(cluster, pod)
        cluster.wait(60)
        assert told(cluster) == {
            ("Pod startup", "waited for"): "PersistentVolumeClaim binding",
            ("PersistentVolumeClaim binding", "held up"): "Pod startup",
        }

    def test_a_claim_that_came_later(self):
        """The scheduler names what is missing."""
        cluster = Cluster()
        pod = cluster.pod(name="db")
        cluster.warning(pod, "FailedScheduling", '0/3 nodes are available: persistentvolumeclaim "data" not found.')
        cluster.wait(600)
        claim = cluster.create("PersistentVolumeClaim", "data", phase="Pending")
        cluster.change(claim, phase="Bound", volume_name="v")
        start(cluster, pod)
        cluster.wait(60)
        assert told(cluster)["Pod startup", "waited for"] == "PersistentVolumeClaim binding"

    @pytest.mark.parametrize("wait_s", [0.5, 3600])
    def test_a_claim_that_was_bound_before_cost_nothing(self, wait_s):
        """An instant before, or long ago."""
        cluster = Cluster()
        claim = cluster.create("PersistentVolumeClaim", "data", phase="Pending")
        cluster.change(claim, phase="Bound", volume_name="v")
        cluster.wait(wait_s)
        start(cluster, cluster.pod(name="db", claims=("data",)))
        cluster.wait(60)
        assert told(cluster) == {}

    def test_a_claim_of_the_same_name_elsewhere(self):
        """Claims are of their namespace."""
        cluster = Cluster()
        cluster.create("PersistentVolumeClaim", "data", phase="Pending", namespace="other")
        start(cluster, cluster.pod(name="db", claims=("data",)))
        cluster.wait(60)
        cluster.finish()
        assert told(cluster) == {}


class TestBlocked:
    """A Pod needs a volume that another one holds."""

    MESSAGE = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) {}'

    def test_by_one_that_is_on_its_way_out(self):
        """That is what it waits for."""
        cluster, _, _, holder = quiet()
        cluster.delete(holder, grace_s=30)
        pod = cluster.pod(name="report")
        cluster.warning(pod, "FailedAttachVolume", self.MESSAGE.format(holder.name))
        cluster.wait(10)
        cluster.gone(holder)
        cluster.ready(pod)
        cluster.wait(60)
        assert told(cluster)["Pod startup", "blocked by"] == "Pod termination"

    @pytest.mark.parametrize("name", ["nobody", "<script>", "shop/other"])
    def test_a_foreign_name(self, name):
        """It counts only if such a Pod exists there."""
        cluster = Cluster()
        start(cluster, cluster.pod(name="other", namespace="elsewhere"))
        pod = cluster.pod(name="report")
        cluster.warning(pod, "FailedAttachVolume", self.MESSAGE.format(name))
        cluster.ready(pod)
        cluster.wait(60)
        assert told(cluster) == {}

    def test_many_names(self):
        """A span has at most so many links."""
        cluster = Cluster()
        holders = [cluster.pod(name=f"holder-{n}") for n in range(50)]
        pod = cluster.pod(name="report")
        cluster.warning(pod, "FailedAttachVolume", self.MESSAGE.format(", ".join(h.name for h in holders)))
        cluster.finish()
        assert len(cluster.span("Pod startup", "report").links) == MAX_LINKS
