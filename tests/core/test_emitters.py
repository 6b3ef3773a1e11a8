"""What the rules do to a story: severity, problems, emitters of one reason, kinds that only ownership knows."""

from __future__ import annotations

import pytest

from tests.core.cluster import Cluster


def watched_from_now_on() -> Cluster:
    """What it holds was there before: no change is open."""
    return Cluster(synced=False)


class TestSeverity:
    """What makes trouble of a settled workload, and what does not."""

    @pytest.mark.parametrize(
        ("reason", "message", "warning", "told"),
        [
            pytest.param("DNSConfigForming", "Nameserver limits were exceeded", True, "activity", id="noise"),
            pytest.param("Unhealthy", "Readiness probe failed: 503", True, "incident", id="a probe"),
            pytest.param("BackOff", "Back-off restarting failed container app", True, "incident", id="a crash"),
            pytest.param("Evicted", "Evicted pod: Underutilized", False, "incident", id="Normal, and serious"),
            pytest.param("Pulled", 'Container image "web:1" already present', False, "activity", id="Normal"),
            pytest.param(
                "TaintManagerEviction", "Cancelling deletion of Pod shop/web", False, "activity", id="called off"
            ),
        ],
    )
    def test_what_a_story_is_called(self, reason, message, warning, told):
        """An incident only if something was serious."""
        cluster = watched_from_now_on()
        _, _, (pod,) = cluster.settled_deployment()
        cluster.bookmark()
        cluster.wait(1)
        cluster.event(pod, reason, message, warning=warning)
        cluster.wait(1200)
        assert cluster.root().name == f"Deployment {told}"

    def test_noise_is_no_reason_of_a_failure(self):
        """A startup that was overtaken failed because of its image, although the name servers were mentioned first."""
        cluster = Cluster()
        web = cluster.deployment()
        pod = cluster.pod(cluster.replicaset(web))
        cluster.warning(pod, "DNSConfigForming", "Nameserver limits were exceeded")
        cluster.wait(1)
        cluster.warning(pod, "Failed", "Error: ImagePullBackOff")
        cluster.wait(1)
        cluster.set_image(web, "web:2")
        cluster.wait(60)
        cluster.finish()
        assert cluster.span("Pod startup").attributes["error.type"] == "Failed"

    def test_a_short_reboot_is_no_outage(self):
        """A kubelet that starts again says only that all is well."""
        cluster = watched_from_now_on()
        node = cluster.node(age_s=86_400)
        cluster.bookmark()
        cluster.wait(1)
        for reason in ("Starting", "NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"):
            cluster.event(node, reason, component="kubelet")
        cluster.wait(1200)
        assert {root.name for root in cluster.roots()} == {"Node activity"}

    def test_a_node_that_is_lost_is_an_outage(self):
        """Although the Event's type is Normal."""
        cluster = watched_from_now_on()
        node = cluster.node(age_s=86_400)
        cluster.bookmark()
        cluster.wait(1)
        cluster.event(node, "NodeNotReady", "Node node-1 status is now: NodeNotReady", component="node-controller")
        cluster.wait(1200)
        assert cluster.root().name == "Node outage"


class TestProblems:
    """The attribute of an event span."""

    @pytest.mark.parametrize(
        ("reason", "message", "problem"),
        [
            pytest.param("BackOff", 'Back-off pulling image "web:2"', "ImagePullBackOff", id="image"),
            pytest.param(
                "BackOff", "Back-off restarting failed container app in pod x", "CrashLoopBackOff", id="crash"
            ),
            pytest.param("Pulling", 'Pulling image "web:2"', None, id="none"),
            pytest.param("Whatever", "never heard of", None, id="not known"),
        ],
    )
    def test_a_span_says_which_problem_it_shows(self, reason, message, problem):
        """The message decides where the reason does not; text of the core's own type, not of a subclass of it."""
        cluster = Cluster()
        pod = cluster.pod()
        cluster.event(pod, reason, message)
        cluster.wait(60)
        cluster.finish()
        found = cluster.span(f"Pod.{reason}").attributes.get("kspanpy.problem")
        assert found == problem
        assert type(found) in (str, type(None))

    def test_the_same_reason_of_another_emitter_is_another_problem(self):
        """Karpenter has no node to offer; the scheduler found none that fits."""
        cluster = Cluster()
        pod = cluster.pod()
        cluster.warning(pod, "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", component="scheduler")
        cluster.wait(1)
        cluster.warning(pod, "FailedScheduling", "Failed to schedule pod, no instance type", component="karpenter")
        cluster.wait(60)
        cluster.finish()
        spans = [span for span in cluster.spans if span.name == "Pod.FailedScheduling"]
        assert {span.service: span.attributes["kspanpy.problem"] for span in spans} == {
            "scheduler": "FailedScheduling",
            "karpenter": "ScaleUpFailed",
        }


class TestPairs:
    """A step lasts until the one that ends it, else as long as the story."""

    def test_a_sync_lasts_until_it_is_completed(self):
        """Argo CD's two Events are one stretch of time."""
        cluster = Cluster()
        app = cluster.create("Application", "web", api_version="argoproj.io/v1alpha1")
        cluster.event(app, "OperationStarted", "Initiated automated sync to '47f0f69'", component="argocd")
        cluster.wait(12)
        cluster.event(app, "OperationCompleted", "Sync operation to 47f0f69 succeeded", component="argocd")
        cluster.wait(1200)
        started, completed = (
            cluster.span("Application.OperationStarted"),
            cluster.span("Application.OperationCompleted"),
        )
        assert started.end_ns == completed.start_ns

    def test_a_volume_that_is_never_attached_waits_to_the_end(self):
        """The span ends with that of its Pod."""
        cluster = Cluster()
        pod = cluster.pod()
        cluster.warning(pod, "FailedAttachVolume", 'AttachVolume.Attach failed for volume "pv" : timeout')
        cluster.wait(30)
        cluster.delete(pod)
        cluster.gone(pod)
        cluster.wait(60)
        cluster.finish()
        assert cluster.span("Pod.FailedAttachVolume").end_ns == cluster.span("Pod startup").end_ns


class TestKindsThatOnlyOwnershipKnows:
    """Custom resources need no rule: who owns whom is enough."""

    def test_a_rollout_of_argo_is_a_workload_that_changes(self):
        """Its generation moves, its ReplicaSet scales up, its Pod starts: as a Deployment."""
        cluster = Cluster()
        rollout = cluster.create(
            "Rollout", "web", api_version="argoproj.io/v1alpha1", generation=1, template="a", age_s=3600
        )
        cluster.wait(1)
        cluster.edit(rollout, by="argocd-controller", template="b")
        rs = cluster.create("ReplicaSet", "web-2", owner=rollout, replicas=1)
        cluster.event(
            rollout, "NewReplicaSetCreated", "Created ReplicaSet web-2 (revision 2)", component="rollouts-controller"
        )
        pod = cluster.pod(rs)
        cluster.event(rs, "SuccessfulCreate", f"Created pod: {pod.name}", component="replicaset-controller")
        cluster.wait(2)
        cluster.ready(pod)
        cluster.settle(rs)
        cluster.wait(120)
        cluster.finish()
        assert cluster.path(cluster.span("Pod startup")) == ["Pod startup", "ReplicaSet scale-up", "Rollout rollout"]
        assert cluster.path(cluster.span("Rollout.NewReplicaSetCreated"))[-1] == "Rollout rollout"
        assert cluster.path(cluster.span("ReplicaSet.SuccessfulCreate"))[-1] == "Rollout rollout"

    def test_a_certificate_is_the_root_of_what_is_asked_for_it(self):
        """cert-manager: Certificate, CertificateRequest, Order, Challenge, each owned by the one before."""
        cluster = Cluster()
        things = [cluster.create("Certificate", "web", api_version="cert-manager.io/v1")]
        for kind, group in (("CertificateRequest", ""), ("Order", "acme."), ("Challenge", "acme.")):
            things.append(
                cluster.create(kind, f"web-{kind}", owner=things[-1], api_version=f"{group}cert-manager.io/v1")
            )
        for thing, reason in zip(things, ("Issuing", "OrderCreated", "Created", "Presented"), strict=True):
            cluster.event(thing, reason, component="cert-manager")
        cluster.wait(1200)
        assert {root.name for root in cluster.roots()} == {"Certificate activity"}
        assert cluster.path(cluster.span("Challenge.Presented")) == [
            "Challenge.Presented",
            *(f"{kind} activity" for kind in ("Challenge", "Order", "CertificateRequest", "Certificate")),
        ]

    def test_a_knative_service_is_the_root_of_its_revisions(self):
        """Six objects deep, and not to be taken for the core's Service: what it owns says so."""
        cluster = Cluster()
        chain = [cluster.create("Service", "web", api_version="serving.knative.dev/v1")]
        for kind in ("Configuration", "Revision"):
            chain.append(cluster.create(kind, f"web-{kind}", owner=chain[-1], api_version="serving.knative.dev/v1"))
        web = cluster.deployment("web-00001", owners=(chain[-1].as_owner(),))
        pod = cluster.pod(cluster.replicaset(web))
        cluster.event(pod, "Pulling", 'Pulling image "web:1"')
        cluster.wait(60)
        cluster.finish()
        assert cluster.path(cluster.span("Pod.Pulling"))[-4:] == [
            f"{thing.object.kind} {phase}"
            for thing, phase in zip([web, *reversed(chain)], ["rollout"] * 4, strict=True)
        ]
