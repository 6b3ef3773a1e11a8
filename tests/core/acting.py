"""What controllers and kubelets do, as an imagined cluster shows it: in the order in which real ones write."""

from __future__ import annotations

import msgspec

from tests.core.cluster import Cluster, Thing


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
