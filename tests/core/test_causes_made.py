"""More links: what is made, needed, removed and applied; and how much may wait for its other end."""

from __future__ import annotations

import pytest

from kspanpy.core.causes.causes import MAX_LINKS
from kspanpy.core.model import ObjectReference
from tests.core.acting import quiet, start, stop
from tests.core.cluster import Cluster, Thing
from tests.core.linking import PREEMPTOR, SHOP, by, links, told


class TestCreated:
    """A claim was made for a StatefulSet."""

    def world(self, *, claim_s: float = 0) -> Cluster:
        """A StatefulSet says that it has created a claim."""
        cluster = Cluster()
        db = cluster.create("StatefulSet", "db", replicas=1)
        cluster.event(db, "SuccessfulCreate", "create Claim data-db-0 Pod db-0 in StatefulSet db success")
        cluster.wait(claim_s)
        claim = cluster.create("PersistentVolumeClaim", "data-db-0", phase="Pending")
        cluster.change(claim, phase="Bound", volume_name="v")
        cluster.settle(db)
        cluster.wait(60)
        return cluster

    def test_by_the_event(self):
        """Seen before the claim."""
        assert told(self.world()) == {
            ("PersistentVolumeClaim binding", "created by"): "StatefulSet rollout",
            ("StatefulSet rollout", "created"): "PersistentVolumeClaim binding",
        }

    def test_a_claim_of_that_name_much_later(self):
        """Somebody else's."""
        assert told(self.world(claim_s=100)) == {}


class TestNeeded:
    """A Node was made for a Pod."""

    def nominate(self, cluster: Cluster, pod: Thing) -> None:
        """Karpenter says where it should go."""
        where = "Pod should schedule on: nodeclaim/default-x7k2p, node/node-2"
        cluster.event(pod, "Nominated", where, component="karpenter")

    def test_by_the_nomination(self):
        """The Node comes a minute later."""
        cluster = Cluster()
        pod = cluster.pod(name="big")
        self.nominate(cluster, pod)
        cluster.wait(70)
        node = cluster.node("node-2", ready=False)
        cluster.change(node, conditions=(cluster.condition("Ready"),))
        start(cluster, pod)
        cluster.wait(60)
        assert told(cluster) == {
            ("Node join", "needed by"): "Pod startup",
            ("Pod startup", "needed"): "Node join",
        }

    def test_a_node_that_was_there_is_only_used(self):
        """Even if it had been made for another Pod some minutes ago."""
        cluster = Cluster()
        cluster.node("node-2")
        cluster.wait(300)
        pod = cluster.pod(name="big")
        self.nominate(cluster, pod)
        start(cluster, pod)
        cluster.wait(60)
        assert told(cluster) == {}


class TestRemoved:
    """A Node was taken away by an autoscaler."""

    STATUS = ObjectReference(kind="ConfigMap", namespace="kube-system", name="cluster-autoscaler-status", uid="s")

    def world(self, *, component: str = "cluster-autoscaler", wait_s: float = 60) -> Cluster:
        """The autoscaler says that it removes a Node."""
        cluster = Cluster()
        node = cluster.node(age_s=86_400)
        cluster.event(node, "Remark", "The node is empty")
        message = "Scale-down: removing empty node node-1"
        cluster.event(self.STATUS, "ScaleDownEmpty", message, component=component)
        cluster.wait(wait_s)
        cluster.gone(node)
        cluster.wait(60)
        return cluster

    def test_by_its_event(self):
        """What was told of the Node before is not its end."""
        assert told(self.world()) == {("Node deletion", "removed by"): "ConfigMap activity"}

    @pytest.mark.parametrize("what", [{"component": "somebody"}, {"wait_s": 1800}])
    def test_not(self, what):
        """By anybody else, or half an hour later."""
        assert told(self.world(**what)) == {}


class TestApplied:
    """A change came from a repository."""

    LOG = "Deployment/shop/web configured Service/shop/web configured"

    def apply(self, cluster: Cluster, web: Thing, *, manager: str = "kustomize-controller", wait_s: float = 20) -> None:
        """A change, and the log of a Kustomization that says it has configured the Deployment."""
        cluster.set_image(web, "web:2", by=by(manager, cluster, operation="Apply"))
        cluster.settle(web)
        cluster.wait(wait_s)
        cluster.event(SHOP, "ReconciliationSucceeded", self.LOG, component="kustomize-controller")

    @pytest.mark.parametrize("wait_s", [0, 5, 300])
    def test_by_the_apply_log(self, wait_s):
        """Written after it, sometimes long after."""
        cluster, web, _, _ = quiet()
        self.apply(cluster, web, wait_s=wait_s)
        cluster.wait(60)
        found = told(cluster)
        assert wait_s > 60 or found["Deployment rollout", "applied by"] == "Kustomization activity"
        assert found["Kustomization activity", "applied"] == "Deployment rollout"

    def test_by_the_apply_log_that_is_seen_before_the_change(self):
        """Watches overtake each other."""
        cluster, web, _, _ = quiet()
        cluster.event(SHOP, "ReconciliationSucceeded", self.LOG, component="kustomize-controller")
        cluster.set_image(web, "web:2", by=by("kustomize-controller", cluster, operation="Apply"))
        cluster.settle(web)
        cluster.wait(60)
        assert told(cluster)["Deployment rollout", "applied by"] == "Kustomization activity"

    @pytest.mark.parametrize("first", ["the Event", "the change"])
    @pytest.mark.parametrize(
        ("kind", "manager", "marks"),
        [
            pytest.param(
                "Kustomization",
                "kustomize-controller",
                {
                    "labels": {
                        "kustomize.toolkit.fluxcd.io/name": "shop",
                        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                    }
                },
                id="flux",
            ),
            pytest.param(
                "HelmRelease",
                "helm-controller",
                {"labels": {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "flux-system"}},
                id="flux, helm",
            ),
            pytest.param(
                "Application",
                "argocd-controller",
                {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}},
                id="argo",
            ),
            pytest.param(
                "Application",
                "argocd-controller",
                {"annotations": {"argocd.argoproj.io/tracking-id": "flux-system_shop:apps/Deployment:shop/web"}},
                id="argo, another namespace",
            ),
        ],
    )
    def test_by_its_marks(self, first, kind, manager, marks):
        """Label or annotation name what applied it, and its controller made this change; its Event names nothing."""
        applier = ObjectReference(
            kind=kind, namespace="flux-system", name="shop", uid="k-1", api_version="example.test/v1"
        )
        for by_hand in (False, True):
            cluster, web, _, _ = quiet()
            cluster.change(web, **marks)
            if first == "the Event":
                cluster.event(applier, "OperationStarted", "Initiated automated sync", component="")
                cluster.wait(6)
            cluster.set_image(web, "web:2", by=by("kubectl-edit" if by_hand else manager, cluster, operation="Apply"))
            cluster.settle(web)
            cluster.wait(1)
            if first == "the change":
                cluster.event(applier, "ReconciliationSucceeded", "Reconciliation finished", component="")
            cluster.wait(120)
            found = told(cluster)
            if by_hand:  # the marks are still there
                assert found == {}
            else:
                assert found["Deployment rollout", "applied by"] == f"{kind} activity"
                assert found[f"{kind} activity", "applied"] == "Deployment rollout"

    @pytest.mark.parametrize("manager", ["kubectl-edit", "helm-controller"])
    def test_somebody_else_made_the_change(self, manager):
        """Whatever the log says, the change was made under another name."""
        cluster, web, _, _ = quiet()
        self.apply(cluster, web, manager=manager)
        cluster.wait(60)
        assert told(cluster) == {}

    def test_a_scale_by_hand_a_second_after_an_apply_was_not_caused_by_it(self):
        """The log is about the change before, which has been told by then."""
        cluster, web, _, _ = quiet()
        cluster.set_image(web, "web:2", by=by("kustomize-controller", cluster, operation="Apply"))
        cluster.wait(1)
        cluster.scale(web, 3)
        cluster.wait(0.2)
        cluster.event(SHOP, "ReconciliationSucceeded", self.LOG, component="kustomize-controller")
        cluster.settle(web)
        cluster.wait(60)
        assert told(cluster) == {("Kustomization activity", "applied"): "Deployment rollout"}

    def test_a_change_an_hour_ago(self):
        """An apply takes minutes at most."""
        cluster, web, _, _ = quiet()
        self.apply(cluster, web, wait_s=1000)
        cluster.wait(60)
        assert told(cluster) == {}


class TestBounds:
    """What waits is bounded."""

    def test_evidence_is_dropped_with_the_oldest_name(self):
        """A flood of names that nobody has."""
        cluster = Cluster(max_evidence=10)
        _, _, pods = cluster.settled_deployment(pods=2)
        for number in range(50):
            cluster.event(pods[0], "Preempted", f"Preempted by shop/ghost-{number} on node n")
        cluster.wait(10)
        for number in (0, 49):
            start(cluster, cluster.pod(name=f"ghost-{number}"))
        cluster.finish()
        startups = [s for s in cluster.spans if s.name == "Pod startup"]
        assert {s.attributes["k8s.object.name"]: links(s) for s in startups if "ghost" in str(s.attributes)} == {
            "ghost-0": [],
            "ghost-49": ["preempted"],
        }

    def test_for_one_name_the_newest_evidence_is_kept(self):
        """As many as a span may have links."""
        cluster = Cluster()
        _, _, pods = cluster.settled_deployment(pods=MAX_LINKS + 5)
        for pod in pods:
            cluster.event(pod, "Preempted", "Preempted by shop/urgent on node n")
        start(cluster, cluster.pod(name="urgent"))
        cluster.finish()
        assert len(cluster.span("Pod startup", "urgent").links) == MAX_LINKS

    def test_nothing_is_its_own_cause(self):
        """Within one story ownership and time say it all."""
        cluster = Cluster()
        web = cluster.deployment(replicas=2)
        rs = cluster.replicaset(web, replicas=2)
        one, two = cluster.pod(rs, "one"), cluster.pod(rs, "two")
        cluster.warning(
            two, "FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) one'
        )
        for pod in (one, two):
            start(cluster, pod)
        cluster.settle(rs)
        cluster.settle(web)
        cluster.wait(60)
        assert told(cluster) == {}

    def test_what_has_been_sent_can_not_say_more(self):
        """Only the end that is still open has the link."""
        cluster, web, _, pod = quiet()
        urgent = cluster.pod(name="urgent", uid=PREEMPTOR)
        start(cluster, urgent)
        cluster.wait(30)
        assert [root.name for root in cluster.roots()] == ["Pod startup"]
        cluster.event(pod, "Preempted", f"Preempted by pod {PREEMPTOR} on node n")
        stop(cluster, pod)
        cluster.settle(web)
        cluster.wait(60)
        assert told(cluster) == {("Pod termination", "preempted by"): "Pod startup"}
