"""What controllers and kubelets do, as an imagined cluster shows it: in the order in which real ones write."""

from __future__ import annotations

import msgspec

from kspanpy.core.model import Container
from tests.core.cluster import Cluster, Thing, whole


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


def quiet(**settings: object) -> tuple[Cluster, Thing, Thing, Thing]:
    """A cluster that was watched from now on: a Deployment of one Pod, settled long ago."""
    cluster = Cluster(synced=False, **settings)
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.bookmark()
    cluster.wait(60)
    return cluster, web, rs, pod


def observe(cluster: Cluster, web: Thing, **status: object) -> None:
    """The controller has seen the newest generation, and says what there is."""
    cluster.change(web, observed_generation=web.object.generation, **status)


def crash(cluster: Cluster, pod: Thing, *owners: Thing, restarts: int = 1, said: bool = True) -> None:
    """A container has failed and waits to be started again; its Pod and the owners of that are not well."""
    waiting = Container("app", "waiting", "CrashLoopBackOff", restarts=restarts, last_reason="Error")
    cluster.change(pod, conditions=(cluster.condition("Ready", good=False),), containers=(waiting,))
    for owner in owners:
        cluster.change(owner, ready=0, available=0)
    if said:
        cluster.warning(pod, "BackOff", f"Back-off restarting failed container app in pod {pod.name}")


def recover(cluster: Cluster, pod: Thing, *owners: Thing, restarts: int = 1, node: str = "node-1") -> None:
    """It runs again."""
    running = Container("app", "running", started_ns=whole(cluster.now_ns), restarts=restarts)
    cluster.change(pod, containers=(running,))
    cluster.ready(pod, node=node)
    for owner in owners:
        cluster.settle(owner)


def replace(cluster: Cluster, rs: Thing, pod: Thing, *, node: str = "node-2") -> Thing:
    """A Pod is killed, and its ReplicaSet makes another one."""
    cluster.delete(pod, grace_s=30)
    cluster.event(pod, "Killing", "Stopping container app")
    new = cluster.pod(rs)
    cluster.event(rs, "SuccessfulCreate", f"Created pod: {new.name}")
    start(cluster, new, node=node)
    cluster.gone(pod)
    return new
