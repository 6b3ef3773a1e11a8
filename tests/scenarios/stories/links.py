"""Causes that ownership does not name."""

from __future__ import annotations

from kspanpy.core.model import FieldManager, ObjectReference
from tests.core.acting import start, stop
from tests.core.cluster import Cluster, whole
from tests.scenarios.stories.telling import story


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
def claims_of_a_stateful_set(cluster: Cluster) -> None:
    """A StatefulSet makes a claim for its Pod, which waits until it is bound; later Pods find it bound."""
    db = cluster.create("StatefulSet", "db", replicas=1, images=(("app", "db:1"),), template="template of db:1")
    claim = cluster.create("PersistentVolumeClaim", "data-db-0", phase="Pending")
    cluster.event(db, "SuccessfulCreate", "create Claim data-db-0 Pod db-0 in StatefulSet db success")
    pod = cluster.pod(db, "db-0", claims=("data-db-0",))
    cluster.event(db, "SuccessfulCreate", "create Pod db-0 in StatefulSet db successful")
    unbound = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    cluster.warning(pod, "FailedScheduling", unbound, component="default-scheduler")
    cluster.event(claim, "Provisioning", 'External provisioner is provisioning volume for claim "shop/data-db-0"')
    cluster.wait(8)
    cluster.event(claim, "ProvisioningSucceeded", "Successfully provisioned volume pvc-1")
    cluster.change(claim, phase="Bound", volume_name="pvc-1")
    start(cluster, pod)
    cluster.settle(db)
    cluster.wait(1800)
    stop(cluster, pod)
    again = cluster.pod(db, "db-0", claims=("data-db-0",))
    cluster.event(db, "SuccessfulCreate", "create Pod db-0 in StatefulSet db successful")
    start(cluster, again)
    cluster.settle(db)
    cluster.wait(60)


@story
def claim_that_stays_unbound(cluster: Cluster) -> None:
    """A Pod waits for a claim whose storage class does not exist, until the recording ends."""
    claim = cluster.create("PersistentVolumeClaim", "data", phase="Pending")
    cluster.warning(claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')
    web = cluster.deployment()
    rs = cluster.replicaset(web)
    pod = cluster.pod(rs, claims=("data",))
    unbound = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    failed = cluster.warning(pod, "FailedScheduling", unbound, component="default-scheduler")
    cluster.wait(300)
    cluster.again(failed)
    cluster.wait(60)


@story
def volume_in_use(cluster: Cluster) -> None:
    """A Pod needs a volume that another one still holds, which is on its way out."""
    _, _, (holder,) = cluster.settled_deployment("batch")
    cluster.wait(60)
    cluster.delete(holder, grace_s=30)
    cluster.event(holder, "Killing", "Stopping container app")
    pod = cluster.pod(name="report")
    cluster.event(pod, "Scheduled", "Successfully assigned shop/report to node-2", component="default-scheduler")
    cluster.warning(
        pod,
        "FailedAttachVolume",
        f'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) {holder.name}',
        component="attachdetach-controller",
    )
    cluster.wait(20)
    cluster.gone(holder)
    cluster.event(pod, "SuccessfulAttachVolume", 'AttachVolume.Attach succeeded for volume "pvc-1" ')
    cluster.ready(pod, node="node-2")
    cluster.wait(60)


@story
def applied(cluster: Cluster) -> None:
    """Flux applies a new image, and says so in its log; a second after it somebody scales by hand, which was not Flux."""
    web, rs, (pod,) = cluster.settled_deployment()
    shop = ObjectReference(
        kind="Kustomization",
        namespace="flux-system",
        name="shop",
        uid="k-1",
        api_version="kustomize.toolkit.fluxcd.io/v1",
    )
    cluster.wait(60)
    cluster.set_image(
        web, "web:2", by=FieldManager("kustomize-controller", "Apply", "", whole(cluster.now_ns), touches_spec=True)
    )
    rs2 = cluster.replicaset(web, "2")
    cluster.wait(0.4)
    log = "Deployment/shop/web configured Service/shop/web configured"
    cluster.event(shop, "Progressing", log, component="kustomize-controller")
    made = cluster.pod(rs2)
    start(cluster, made)
    cluster.scale(web, 2, by="kubectl")
    cluster.edit(rs2, replicas=2, by="")
    start(cluster, cluster.pod(rs2))
    stop(cluster, pod)
    cluster.settle(rs)
    cluster.settle(web)
    cluster.wait(60)
