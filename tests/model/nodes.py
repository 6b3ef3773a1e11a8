"""Scheduler, node-lifecycle-controller, taint-eviction-controller: where Pods go, and what happens when a node is lost."""

from __future__ import annotations

from kspanpy.core.model import Object
from tests.model.kubelet import Kubelet, behaviour
from tests.model.recorders import Legacy, Modern, Source
from tests.model.world import World, is_ready, reference, with_condition

UNREACHABLE_AFTER_S, EVICTED_AFTER_S = 40, 300


class Scheduler:
    """kube-scheduler."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.recorder = Modern(world, "default-scheduler")
        world.watch(self.seen)

    def seen(self, obj: Object, *, gone: bool) -> None:
        """A new Pod; a node that is back."""
        world = self._world
        if obj.kind == "Pod" and not gone and not obj.node_name and obj.condition("PodScheduled") is None:
            world.after(world.between(0.005, 0.03), lambda: self._schedule(obj.uid))
        elif obj.kind == "Node" and is_ready(obj):
            for pod in world.all("Pod"):
                if not pod.node_name and pod.condition("PodScheduled") is not None:
                    world.after(world.between(0.1, 1.0), lambda uid=pod.uid: self._schedule(uid))

    def _schedule(self, uid: str) -> None:
        world = self._world
        pod = world.get(uid)
        if pod is None or pod.node_name or pod.deletion_ns is not None:
            return
        nodes = [node for node in world.all("Node") if is_ready(node)]
        if pod.owners and pod.owners[0].kind == "DaemonSet":
            nodes = [node for node in world.all("Node") if node.name in pod.labels.values()]
        where = f"{pod.namespace}/{pod.name}"
        if not nodes or behaviour(pod) == "nowhere":
            self.recorder.emit(
                uid, reference(pod), "FailedScheduling", "Scheduling", "0/3 nodes are available", warning=True
            )
            conditions = with_condition(pod, "PodScheduled", "False", world.now_ns, reason="Unschedulable")
            world.write(uid, conditions=conditions)
            world.after(world.between(60, 300), lambda: self._schedule(uid))
            return
        node = world.chance.choice(nodes)
        held = pod
        conditions = with_condition(pod, "PodScheduled", "True", world.now_ns)
        world.write(uid, node_name=node.name, conditions=conditions)
        note = f"Successfully assigned {where} to {node.name}"
        self.recorder.emit(uid, reference(held), "Scheduled", "Binding", note, warning=False)


class NodeLifecycle:
    """node-lifecycle-controller and taint-eviction-controller; and the kubelet's word about its own node."""

    def __init__(self, world: World, kubelet: Kubelet) -> None:
        self._world = world
        self._kubelet = kubelet
        self._cut: dict[str, int] = {}  # which cut of the network a node suffers
        self._controller = Legacy(world, Source("node-controller"))
        self._eviction = Legacy(world, Source("taint-eviction-controller"))

    def join(self, name: str) -> Object:
        """A node that is ready."""
        node = self._world.create("Node", name)
        return self._world.write(node.uid, conditions=with_condition(node, "Ready", "True", self._world.now_ns))

    def lose(self, name: str) -> None:
        """The network to a node is cut."""
        world = self._world
        if name in world.behind:
            return
        world.behind.add(name)
        cut = world.number()
        self._cut[name] = cut
        world.after(UNREACHABLE_AFTER_S, lambda: self._unreachable(name, cut))
        world.after(UNREACHABLE_AFTER_S + EVICTED_AFTER_S, lambda: self._evict(name, cut))

    def restore(self, name: str) -> None:
        """It can be reached again."""
        world = self._world
        if name not in world.behind:
            return
        world.behind.discard(name)
        self._cut.pop(name)
        node = self._node(name)
        if not is_ready(node):
            world.write(node.uid, conditions=with_condition(node, "Ready", "True", world.now_ns))
            pointer = reference(node, uid="", api_version="", resource_version=None)
            self._kubelet.recorder(name).emit(node.uid, pointer, "NodeReady", f"Node {name} status is now: NodeReady")
        self._kubelet.back(name)

    def _node(self, name: str) -> Object:
        return next(node for node in self._world.all("Node") if node.name == name)

    def _on(self, name: str) -> list[Object]:
        return [pod for pod in self._world.all("Pod") if pod.node_name == name]

    def _unreachable(self, name: str, cut: int) -> None:
        world = self._world
        if self._cut.get(name) != cut:
            return
        node = self._node(name)
        world.write(
            node.uid, conditions=with_condition(node, "Ready", "Unknown", world.now_ns, reason="NodeStatusUnknown")
        )
        self._controller.emit(node.uid, reference(node), "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        for pod in self._on(name):
            if is_ready(pod):
                world.write(pod.uid, conditions=with_condition(pod, "Ready", "False", world.now_ns))
                self._controller.emit(pod.uid, reference(pod), "NodeNotReady", "Node is not ready", warning=True)

    def _evict(self, name: str, cut: int) -> None:
        if self._cut.get(name) != cut:
            return
        for pod in self._on(name):
            if pod.deletion_ns is None and not (pod.owners and pod.owners[0].kind == "DaemonSet"):
                pointer = reference(pod, uid="", resource_version=None)
                where = f"{pod.namespace}/{pod.name}"
                self._eviction.emit(pod.uid, pointer, "TaintManagerEviction", f"Marking for deletion Pod {where}")
                deleted = self._world.delete(pod.uid)
                if not pod.owners:
                    self._world.changed(deleted, "delete")
