"""What goes wrong, of its own accord or with a Node."""

from __future__ import annotations

from kspanpy.core.model import Container, ObjectReference
from tests.core.acting import roll_out
from tests.core.cluster import Cluster
from tests.scenarios.stories.telling import story


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
