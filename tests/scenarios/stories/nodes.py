"""What becomes of Pods when Nodes come and go."""

from __future__ import annotations

from kspanpy.core.model import Condition, ObjectReference
from tests.core.acting import recover, replace, start, stop
from tests.core.cluster import Cluster, Thing
from tests.scenarios.stories.telling import story

_STATUS = ObjectReference(
    kind="ConfigMap", namespace="kube-system", name="cluster-autoscaler-status", uid="status", api_version="v1"
)


def evict(cluster: Cluster, pod: Thing, reason: str) -> None:
    """A Pod's deletion begins, and it says who wanted it."""
    others = tuple(c for c in pod.object.conditions if c.type != "DisruptionTarget")
    cluster.change(pod, conditions=(*others, Condition("DisruptionTarget", "True", reason)))
    cluster.delete(pod, grace_s=30)


def go_away(cluster: Cluster, node: Thing, *pods: Thing) -> None:
    """A Node is no longer heard of; the controller tells so of its Pods, too."""
    cluster.change(node, conditions=(cluster.condition("Ready", good=False, reason="NodeStatusUnknown"),))
    cluster.event(node, "NodeNotReady", f"Node {node.name} status is now: NodeNotReady", component="node-controller")
    for pod in pods:
        cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
        cluster.warning(pod, "NodeNotReady", "Node is not ready", component="node-controller")


def taint_evicts(cluster: Cluster, pod: Thing) -> None:
    """The taint manager has a Pod deleted; its Event has no uid."""
    nameless = ObjectReference(kind="Pod", namespace=pod.object.namespace, name=pod.name, api_version="v1")
    marking = f"Marking for deletion Pod {pod.object.namespace}/{pod.name}"
    cluster.event(nameless, "TaintManagerEviction", marking, component="taint-eviction-controller")
    evict(cluster, pod, "DeletionByTaintManager")


@story
def node_loss(cluster: Cluster) -> None:
    """A Node is lost: five minutes later its Pod is evicted and made again elsewhere; then the Node comes back."""
    node = cluster.node(age_s=86_400)
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.change(pod, node_name="node-1")
    cluster.wait(60)
    go_away(cluster, node, pod)
    cluster.change(rs, ready=0, available=0)
    cluster.change(web, ready=0, available=0)
    cluster.wait(300)
    taint_evicts(cluster, pod)
    new = cluster.pod(rs)
    cluster.event(rs, "SuccessfulCreate", f"Created pod: {new.name}")
    start(cluster, new, node="node-2")
    cluster.settle(rs)
    cluster.settle(web)
    cluster.wait(400)
    cluster.event(ObjectReference(kind="Node", name="node-1"), "NodeReady", "Node node-1 status is now: NodeReady")
    cluster.change(node, conditions=(cluster.condition("Ready"),))
    cluster.event(pod, "Killing", "Stopping container app")
    cluster.wait(1)
    cluster.gone(pod)
    cluster.wait(120)


@story
def tainted_node(cluster: Cluster) -> None:
    """Somebody taints a healthy Node with NoExecute: the Pod is evicted, but by no outage."""
    cluster.node(age_s=86_400)
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.change(pod, node_name="node-1")
    cluster.wait(60)
    cluster.event(ObjectReference(kind="Node", name="node-1"), "NodeNotSchedulable", "Node node-1 status is now: so")
    taint_evicts(cluster, pod)
    new = cluster.pod(rs)
    cluster.event(rs, "SuccessfulCreate", f"Created pod: {new.name}")
    cluster.event(pod, "Killing", "Stopping container app")
    start(cluster, new, node="node-2")
    cluster.gone(pod)
    cluster.settle(rs)
    cluster.settle(web)
    cluster.wait(60)


@story
def drained_node(cluster: Cluster) -> None:
    """`kubectl drain`: the eviction API writes no Event; the Pod is replaced elsewhere."""
    cluster.node(age_s=86_400)
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.change(pod, node_name="node-1")
    cluster.wait(60)
    others = pod.object.conditions
    cluster.change(pod, conditions=(*others, Condition("DisruptionTarget", "True", "EvictionByEvictionAPI")))
    replace(cluster, rs, pod)
    cluster.settle(rs)
    cluster.settle(web)
    cluster.wait(60)


@story
def preemption(cluster: Cluster) -> None:
    """A Pod of higher priority takes the place of another one, which waits for a place ever since."""
    cluster.node(age_s=86_400)
    web, rs, (victim,) = cluster.settled_deployment()
    cluster.change(victim, node_name="node-1")
    cluster.wait(60)
    urgent = cluster.pod(name="urgent", uid="9f3b8c1e-5d2a-4c6b-8e7f-0a1b2c3d4e5f")
    full = "0/1 nodes are available: 1 Insufficient cpu."
    cluster.warning(urgent, "FailedScheduling", full, component="default-scheduler")
    by = f"Preempted by pod {urgent.uid} on node node-1"
    cluster.event(victim, "Preempted", by, component="default-scheduler")
    evict(cluster, victim, "PreemptionByScheduler")
    cluster.event(victim, "Killing", "Stopping container app")
    new = cluster.pod(rs)
    cluster.event(rs, "SuccessfulCreate", f"Created pod: {new.name}")
    cluster.warning(new, "FailedScheduling", full, component="default-scheduler")
    cluster.change(rs, ready=0, available=0)
    cluster.change(web, ready=0, available=0)
    cluster.wait(2)
    cluster.gone(victim)
    start(cluster, urgent)
    cluster.wait(60)
    stop(cluster, urgent)
    start(cluster, new)
    cluster.settle(rs)
    cluster.settle(web)
    cluster.wait(60)


@story
def node_made_and_removed(cluster: Cluster) -> None:
    """Karpenter makes a Node for a Pod that fits nowhere; an hour later the autoscaler takes another, empty one away."""
    old = cluster.node("node-1", age_s=86_400)
    pod = cluster.pod(name="big")
    cluster.warning(pod, "FailedScheduling", "0/1 nodes are available: 1 Insufficient memory.")
    cluster.event(
        pod, "Nominated", "Pod should schedule on: nodeclaim/default-x7k2p, node/node-2", component="karpenter"
    )
    cluster.wait(40)
    node = cluster.node("node-2", ready=False)
    cluster.event(node, "RegisteredNode", "Node node-2 event: Registered Node node-2 in Controller")
    cluster.wait(10)
    cluster.change(node, conditions=(cluster.condition("Ready"),))
    start(cluster, pod, node="node-2")
    recover(cluster, pod, node="node-2")
    cluster.wait(3600)
    cluster.event(_STATUS, "ScaleDownEmpty", "Scale-down: removing empty node node-1", component="cluster-autoscaler")
    cluster.wait(2)
    cluster.gone(old)
    cluster.event(old, "RemovingNode", "Node node-1 event: Removing Node node-1 from Controller")
    cluster.wait(60)
