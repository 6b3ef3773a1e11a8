"""Causes that ownership does not name."""

from __future__ import annotations

from kspanpy.core.model import FieldManager, ObjectReference
from tests.core.acting import start
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
