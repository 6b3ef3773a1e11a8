"""Small stories that no recorded capture has, told with an imagined cluster.

Each function is one scenario; `pytest tests/scenarios --update-golden` writes what happened to `<name>/capture.ndjson` and
what kspanpy makes of it to `<name>/expected.txt`. The captures are also examples for users: `kspanpy replay` reads them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kspanpy.core.model import Condition, Container, FieldManager, Object, ObjectReference
from tests.core.cluster import Cluster, Thing, whole

STORIES: dict[str, Callable[[Cluster], None]] = {}


def story(function: Callable[[Cluster], None]) -> Callable[[Cluster], None]:
    """Registers a scenario under its name."""
    STORIES[function.__name__.replace("_", "-")] = function
    return function


def start(cluster: Cluster, pod: Thing, *, node: str = "node-1", ready: bool = True) -> None:
    """A Pod is scheduled and its container started, as every Pod's is."""
    place = f"Successfully assigned {pod.object.namespace}/{pod.name} to {node}"
    cluster.event(pod, "Scheduled", place, component="default-scheduler")
    cluster.wait(0.3)
    inside = msgspec.structs.replace(pod.reference, field_path="spec.containers{app}")
    cluster.event(inside, "Pulling", 'Pulling image "web:1"', host=node)
    cluster.wait(0.5)
    cluster.event(inside, "Pulled", 'Successfully pulled image "web:1"', host=node)
    cluster.event(inside, "Created", "Container created", host=node)
    cluster.event(inside, "Started", "Container started", host=node)
    cluster.wait(0.2)
    if ready:
        cluster.ready(pod, node=node)


def stop(cluster: Cluster, pod: Thing) -> None:
    """A Pod is killed and gone."""
    cluster.delete(pod, grace_s=30)
    cluster.event(pod, "Killing", "Stopping container app")
    cluster.wait(0.7)
    cluster.gone(pod)


def roll_out(cluster: Cluster, web: Thing, suffix: str = "1") -> tuple[Thing, Thing]:
    """The controllers make one ReplicaSet with one Pod, and it becomes ready."""
    rs = cluster.replicaset(web, suffix)
    cluster.event(web, "ScalingReplicaSet", f"Scaled up replica set {rs.name} from 0 to 1")
    pod = cluster.pod(rs)
    cluster.event(rs, "SuccessfulCreate", f"Created pod: {pod.name}")
    start(cluster, pod)
    cluster.settle(rs)
    return rs, pod


def scale_down(cluster: Cluster, web: Thing, rs: Thing, pod: Thing) -> None:
    """The controllers take one ReplicaSet and its only Pod away."""
    cluster.event(web, "ScalingReplicaSet", f"Scaled down replica set {rs.name} from 1 to 0")
    cluster.edit(rs, replicas=0, by="")
    cluster.event(rs, "SuccessfulDelete", f"Deleted pod: {pod.name}")
    stop(cluster, pod)
    cluster.settle(rs)


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
def node_outage(cluster: Cluster) -> None:
    """A Node does not answer for a while: the kubelet's Events call it by name, the controller's by uid."""
    node = cluster.node(age_s=86_400)
    _, _, (pod,) = cluster.settled_deployment()
    cluster.wait(60)
    cluster.change(node, conditions=(cluster.condition("Ready", good=False, reason="NodeStatusUnknown"),))
    cluster.event(node, "NodeNotReady", "Node node-1 status is now: NodeNotReady", component="node-controller")
    cluster.warning(pod, "NodeNotReady", "Node is not ready", component="node-controller")
    cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
    cluster.wait(90)
    by_name = ObjectReference(kind="Node", name="node-1", uid="node-1")
    cluster.event(by_name, "Starting", "Starting kubelet.")
    cluster.event(by_name, "NodeReady", "Node node-1 status is now: NodeReady")
    cluster.change(node, conditions=(cluster.condition("Ready"),))
    cluster.ready(pod)
    cluster.wait(120)


@story
def node_join(cluster: Cluster) -> None:
    """A Node joins."""
    node = cluster.node("node-2", ready=False)
    by_name = ObjectReference(kind="Node", name="node-2")
    cluster.event(by_name, "Starting", "Starting kubelet.", component="kubelet")
    cluster.wait(1)
    cluster.event(node, "RegisteredNode", "Node node-2 event: Registered Node node-2 in Controller")
    cluster.wait(10)
    cluster.event(by_name, "NodeReady", "Node node-2 status is now: NodeReady", component="kubelet")
    cluster.change(node, conditions=(cluster.condition("Ready"),))
    cluster.wait(60)


@story
def claim_binding(cluster: Cluster) -> None:
    """A PersistentVolumeClaim is provisioned and bound; another one never is."""
    claim = cluster.create("PersistentVolumeClaim", "data", phase="Pending")
    cluster.event(claim, "ExternalProvisioning", "Waiting for a volume to be created by 'csi'", component="pv")
    cluster.event(claim, "Provisioning", 'External provisioner is provisioning volume for claim "shop/data"')
    cluster.wait(3)
    cluster.event(claim, "ProvisioningSucceeded", "Successfully provisioned volume pvc-1")
    cluster.change(claim, phase="Bound", volume_name="pvc-1")
    lost = cluster.create("PersistentVolumeClaim", "lost", phase="Pending")
    cluster.warning(lost, "ProvisioningFailed", 'storageclass "fast" not found')
    cluster.wait(120)


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
def autoscaled(cluster: Cluster) -> None:
    """An autoscaler rescales a Deployment: its activity, and the Deployment's scale story by it."""
    web, rs, _ = cluster.settled_deployment()
    target = ObjectReference(kind="Deployment", name="web", api_version="apps/v1")
    hpa = cluster.create("HorizontalPodAutoscaler", "web", target=target, age_s=86_400)
    cluster.wait(30)
    by = FieldManager("kube-controller-manager", "Update", "scale", whole(cluster.now_ns), touches_spec=True)
    cluster.event(hpa, "SuccessfulRescale", "New size: 2; reason: cpu above target", component="autoscaler")
    cluster.scale(web, 2, by=by)
    cluster.event(web, "ScalingReplicaSet", f"Scaled up replica set {rs.name} from 1 to 2")
    cluster.edit(rs, replicas=2, by="")
    pod = cluster.pod(rs)
    cluster.event(rs, "SuccessfulCreate", f"Created pod: {pod.name}")
    start(cluster, pod)
    cluster.settle(rs)
    cluster.settle(web)
    cluster.wait(90)


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


@story
def incident(cluster: Cluster) -> None:
    """A rollout settles; ten minutes later its Pod crashes: an incident that is linked to that rollout, and heals."""
    web = cluster.deployment()
    rs, pod = roll_out(cluster, web)
    cluster.settle(web)
    cluster.wait(600)
    killed = Container("app", "waiting", "CrashLoopBackOff", restarts=1, last_reason="OOMKilled")
    cluster.change(pod, conditions=(cluster.condition("Ready", good=False),), containers=(killed,))
    cluster.change(rs, ready=0, available=0)
    cluster.change(web, ready=0, available=0)
    cluster.warning(pod, "BackOff", f"Back-off restarting failed container app in pod {pod.name}")
    cluster.wait(30)
    cluster.event(pod, "Started", "Container started")
    cluster.ready(pod)
    cluster.settle(rs)
    cluster.settle(web)
    cluster.wait(120)


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
def autumn_storm(cluster: Cluster) -> None:
    """A crash loop that lasts longer than a story may: it continues in a linked one."""
    web, _, (pod,) = cluster.settled_deployment()
    cluster.wait(60)
    cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
    cluster.change(web, ready=0, available=0)
    for _ in range(14):
        cluster.warning(pod, "BackOff", f"Back-off restarting failed container app in pod {pod.name}")
        cluster.wait(300)
    cluster.ready(pod)
    cluster.settle(web)
    cluster.wait(120)


def _as_object(reference: ObjectReference) -> Object:
    return Object(
        api_version=reference.api_version,
        kind=reference.kind,
        namespace=reference.namespace,
        name=reference.name,
        uid=reference.uid,
    )
