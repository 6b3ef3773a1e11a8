"""How workloads are created, changed and deleted."""

from __future__ import annotations

import msgspec

from kspanpy.core.model import Condition, Container, Object, ObjectReference
from tests.core.acting import roll_out, scale_down, start, stop
from tests.core.cluster import Cluster, Thing, whole
from tests.scenarios.stories.telling import story


@story
def bare_pod(cluster: Cluster) -> None:
    """A Pod that nobody owns starts, crashes later, recovers, and is deleted."""
    pod = cluster.pod(name="shell")
    start(cluster, pod)
    cluster.wait(120)
    cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
    cluster.warning(pod, "BackOff", "Back-off restarting failed container app in pod shell")
    cluster.wait(20)
    cluster.event(pod, "Started", "Container started")
    cluster.ready(pod)
    cluster.wait(120)
    stop(cluster, pod)
    cluster.wait(60)


@story
def static_pod(cluster: Cluster) -> None:
    """A mirror Pod: its Events carry the hash of its file where a uid belongs; its Node is not its cause."""
    node = cluster.node(age_s=86_400)
    digest = "0123456789abcdef0123456789abcdef"
    pod = cluster.pod(
        name="etcd-node-1",
        namespace="kube-system",
        owners=(node.as_owner(),),
        annotations={"kubernetes.io/config.hash": digest, "kubernetes.io/config.mirror": digest},
    )
    reference = msgspec.structs.replace(pod.reference, uid=digest, api_version="")
    cluster.event(reference, "Pulled", 'Container image "etcd:3" already present on machine')
    cluster.event(reference, "Started", "Started container etcd")
    cluster.ready(pod)
    cluster.wait(60)


@story
def custom_owner(cluster: Cluster) -> None:
    """A custom resource owns a Deployment: what it changes is its story, and so is what follows from that."""
    shop = cluster.create("Shop", "corner", api_version="example.com/v1", generation=1, age_s=86_400)
    web, rs, (pod,) = cluster.settled_deployment("corner-web", owners=(shop.as_owner(),))
    cluster.wait(60)
    cluster.edit(shop, by="kubectl-edit")
    cluster.wait(1)
    cluster.set_image(web, "web:2", by="shop-operator")
    roll_out(cluster, web, "2")
    scale_down(cluster, web, rs, pod)
    cluster.settle(web)
    cluster.event(shop, "Reconciled", "Rolled out web:2", component="shop-operator")
    cluster.wait(60)


@story
def overlapping_rollouts(cluster: Cluster) -> None:
    """A second image is set while the first one still starts: every Pod stays in the story that made it."""
    web = cluster.deployment()
    rs1, pod1 = roll_out(cluster, web)
    cluster.settle(web)
    cluster.wait(60)
    cluster.set_image(web, "web:2")
    rs2 = cluster.replicaset(web, "2")
    cluster.event(web, "ScalingReplicaSet", f"Scaled up replica set {rs2.name} from 0 to 1")
    pod2 = cluster.pod(rs2)
    cluster.event(rs2, "SuccessfulCreate", f"Created pod: {pod2.name}")
    cluster.wait(2)
    cluster.set_image(web, "web:3")
    start(cluster, pod2)  # it was made by the second change
    rs3, _ = roll_out(cluster, web, "3")
    scale_down(cluster, web, rs2, pod2)
    scale_down(cluster, web, rs1, pod1)
    cluster.settle(rs3)
    cluster.settle(web)
    cluster.wait(60)


@story
def traced_rollout(cluster: Cluster) -> None:
    """A pipeline leaves its trace context with the image it sets; the scale after it has none of its own."""
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.wait(60)
    context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    cluster.set_image(web, "web:2", annotations={"tracing.k8s.io/traceparent": context})
    new, _ = roll_out(cluster, web, "2")
    scale_down(cluster, web, rs, pod)
    cluster.settle(web)
    cluster.wait(60)
    cluster.scale(web, 2)
    cluster.edit(new, replicas=2, by="")
    cluster.ready(cluster.pod(new))
    cluster.settle(new)
    cluster.settle(web)
    cluster.wait(60)


@story
def same_name_again(cluster: Cluster) -> None:
    """A Deployment is deleted and one of the same name created at once: two uids, two lives."""
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.wait(60)
    cluster.gone(web)
    cluster.gone(rs)
    stop(cluster, pod)
    again = cluster.deployment()
    roll_out(cluster, again)
    cluster.settle(again)
    cluster.wait(60)


@story
def namespace_deletion(cluster: Cluster) -> None:
    """A namespace's deletion kills the Pods before their owners; no Event tells of it."""
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.wait(60)
    cluster.delete(pod, grace_s=1)
    cluster.wait(0.4)
    cluster.gone(pod)
    cluster.wait(0.4)
    cluster.gone(rs)
    cluster.wait(0.2)
    cluster.gone(web)
    cluster.wait(60)


@story
def job_that_fails(cluster: Cluster) -> None:
    """A Job's Pod exits with 1 and the Job fails: the error is the Job's, with its reason."""
    job = cluster.create("Job", "import", replicas=1, images=(("app", "import:1"),))
    pod = cluster.pod(job, restart_policy="Never")
    cluster.event(job, "SuccessfulCreate", f"Created pod: {pod.name}", component="job-controller")
    start(cluster, pod, ready=False)
    cluster.wait(3)
    ended = Container("app", "terminated", "Error", finished_ns=whole(cluster.now_ns), exit_code=1)
    cluster.change(pod, phase="Failed", containers=(ended,))
    failed = Condition("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    cluster.change(job, conditions=(failed,))
    cluster.warning(job, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    cluster.wait(60)


@story
def unknown_kind(cluster: Cluster) -> None:
    """Events about an object that nobody can show tell an activity, and are two when hours lie between them."""
    backup = ObjectReference(kind="Backup", namespace="shop", name="nightly", uid="b-1", api_version="example.com/v1")
    cluster.event(backup, "Started", "Backup started", component="backup-operator")
    cluster.wait(20)
    cluster.warning(Thing(_as_object(backup)), "Slow", "The store is slow", component="backup-operator")
    cluster.wait(40)
    cluster.event(backup, "Completed", "Backup completed", component="backup-operator")
    cluster.wait(7200)
    cluster.event(backup, "Started", "Backup started", component="backup-operator")
    cluster.wait(60)


def _as_object(reference: ObjectReference) -> Object:
    return Object(
        api_version=reference.api_version,
        kind=reference.kind,
        namespace=reference.namespace,
        name=reference.name,
        uid=reference.uid,
    )
