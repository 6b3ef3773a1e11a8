"""kube-controller-manager: deployment-controller, replicaset-controller, garbage collector. Level-triggered, as the real ones.

Each controller has a queue without duplicates; a version of an object wakes those that care for it a few milliseconds later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from kspanpy.core.model import SECOND, Condition, Object
from tests.model.recorders import Legacy, Source
from tests.model.world import World, is_ready, reference, whole, with_condition

DEADLINE_NS = 600 * SECOND  # progressDeadlineSeconds


class Controller:
    """A work queue, a recorder, and a function that brings one object nearer to what is wished."""

    kind = ""  # of the objects that it reconciles
    component = ""
    beneath: tuple[str, ...] = ()  # kinds that it owns

    def __init__(self, world: World) -> None:
        self.world = world
        self.recorder = Legacy(world, Source(self.component))
        self._queued: set[str] = set()
        world.watch(self.seen)

    def seen(self, obj: Object, *, gone: bool) -> None:
        """The informer: what has to be looked at because of this version?"""
        if obj.kind == self.kind and not gone:
            self.enqueue(obj.uid)
        elif obj.kind in self.beneath and obj.owners and obj.owners[0].kind == self.kind:
            self.enqueue(obj.owners[0].uid)

    def enqueue(self, uid: str, delay_s: float | None = None) -> None:
        """To be looked at soon, or then."""
        if delay_s is None:
            if uid in self._queued:
                return
            self._queued.add(uid)
        self.world.after(self.world.between(0.004, 0.05) if delay_s is None else delay_s, lambda: self._work(uid))

    def _work(self, uid: str) -> None:
        self._queued.discard(uid)
        obj = self.world.get(uid)
        if obj is not None:
            self.reconcile(obj)

    def reconcile(self, obj: Object) -> None:
        """One step."""
        raise NotImplementedError

    def tell(self, obj: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """An Event about the version that this controller holds."""
        self.recorder.emit(obj.uid, reference(obj), reason, message, warning=warning)

    def create_pod(self, owner: Object, name: str, spec: Object, **more: object) -> Object:
        """A Pod of this template."""
        fields = {"images": spec.images, "phase": "Pending", "restart_policy": "Always"} | more
        return self.world.create("Pod", name, owner.namespace, owner=owner, **fields)

    def full(self, namespace: str) -> bool:
        """Whether the quota of a namespace is exhausted."""
        pods = [pod for pod in self.world.all("Pod") if pod.namespace == namespace]
        return len(pods) >= self.world.quota.get(namespace, 1 << 30)


def active(pods: Iterable[Object]) -> list[Object]:
    """Those that run or will, and nobody has deleted."""
    return [pod for pod in pods if pod.deletion_ns is None and pod.phase not in ("Succeeded", "Failed")]


class ReplicaSets(Controller):
    """replicaset-controller."""

    kind, component, beneath = "ReplicaSet", "replicaset-controller", ("Pod",)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._failures: dict[str, int] = {}

    def reconcile(self, obj: Object) -> None:
        """manageReplicas, then the status."""
        rs, world = obj, self.world
        error = ""
        if rs.deletion_ns is None:
            pods = active(world.owned(rs.uid, "Pod"))
            wanted = rs.replicas or 0
            error = self._create(rs, wanted - len(pods)) if len(pods) < wanted else ""
            for pod in sorted(pods, key=_rank)[: max(len(pods) - wanted, 0)]:
                world.delete(pod.uid)
                self.tell(rs, "SuccessfulDelete", f"Deleted pod: {pod.name}")
        self._status(rs.uid, error)
        if error:
            failures = self._failures[rs.uid] = self._failures.get(rs.uid, 0) + 1
            self.enqueue(rs.uid, min(0.005 * 2**failures, 1000))
        else:
            self._failures.pop(rs.uid, None)

    def _create(self, rs: Object, missing: int) -> str:
        for _ in range(missing):
            name = f"{rs.name}-{self.world.suffix()}"
            if self.full(rs.namespace):
                message = f'Error creating: pods "{name}" is forbidden: exceeded quota: few, requested: pods=1'
                self.tell(rs, "FailedCreate", message, warning=True)
                return message
            self.create_pod(rs, name, rs)
            self.tell(rs, "SuccessfulCreate", f"Created pod: {name}")
        return ""

    def _status(self, uid: str, error: str) -> None:
        world = self.world
        rs = world.get(uid)
        if rs is None:
            return
        pods = active(world.owned(uid, "Pod"))
        ready = sum(map(is_ready, pods))
        conditions = tuple(c for c in rs.conditions if c.type != "ReplicaFailure")
        if error:
            conditions = with_condition(rs, "ReplicaFailure", "True", world.now_ns, reason="FailedCreate")
        counts = {"current": len(pods), "updated": len(pods), "ready": ready, "available": ready}
        world.write(uid, observed_generation=rs.generation, conditions=conditions, **counts)


def _rank(pod: Object) -> tuple[bool, bool, bool, int]:
    """Which Pods go first: unassigned, pending, unready, young."""
    return bool(pod.node_name), pod.phase != "Pending", is_ready(pod), -(pod.created_ns or 0)


class Deployments(Controller):
    """deployment-controller with the default strategy: RollingUpdate, 25 %, 25 %."""

    kind, component, beneath = "Deployment", "deployment-controller", ("ReplicaSet",)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._desired: dict[str, int] = {}  # annotation deployment.kubernetes.io/desired-replicas of ReplicaSets
        self._progress: dict[str, int] = {}

    def reconcile(self, obj: Object) -> None:
        """As syncDeployment does."""
        d, world = obj, self.world
        sets = world.owned(d.uid, "ReplicaSet")
        new = next((rs for rs in sets if rs.template == d.template), None)
        if d.deletion_ns is not None:
            self._status(d, new)
        elif d.paused or any(rs.replicas and self._desired[rs.uid] != d.replicas for rs in sets):
            self._scale_all(d, sets, new)
            self._status(d, new)
        else:
            self._roll(d, sets, new)

    def _roll(self, d: Object, sets: list[Object], new: Object | None) -> None:
        wanted = d.replicas or 0
        surge, unavailable = -(-wanted // 4), wanted // 4
        total = sum(rs.replicas or 0 for rs in sets)
        if new is None:
            count = min(wanted + surge - total, wanted) if wanted + surge > total else 0
            digest = hashlib.md5(d.template.encode()).hexdigest()[:8]
            fields = {"replicas": count, "template": d.template, "images": d.images}
            new = self.world.create("ReplicaSet", f"{d.name}-{digest}", d.namespace, owner=d, **fields)
            self._desired[new.uid] = wanted
            if count:
                self.tell(d, "ScalingReplicaSet", f"Scaled up replica set {new.name} from 0 to {count}")
            conditions = with_condition(d, "Progressing", "True", self.world.now_ns, reason="NewReplicaSetCreated")
            d = self.world.write(d.uid, conditions=conditions)
            self._progress[d.uid] = self.world.now_ns
        elif (new.replicas or 0) != (goal := self._goal(new, total, wanted, surge)):
            self._scale(d, new, goal)
        else:
            self._scale_down_old(d, [rs for rs in sets if rs.uid != new.uid and rs.replicas], new, wanted, unavailable)
        self._status(d, self.world.get(new.uid))

    @staticmethod
    def _goal(new: Object, total: int, wanted: int, surge: int) -> int:
        have = new.replicas or 0
        if have > wanted:
            return wanted
        return have + max(min(wanted + surge - total, wanted - have), 0)

    def _scale_down_old(self, d: Object, old: list[Object], new: Object, wanted: int, unavailable: int) -> None:
        least = wanted - unavailable
        total = sum(rs.replicas or 0 for rs in old) + (new.replicas or 0)
        room = total - least - max((new.replicas or 0) - new.available, 0)
        if room <= 0:
            return
        for rs in old:  # cleanupUnhealthyReplicas
            sick = min(room, (rs.replicas or 0) - rs.available)
            if sick > 0:
                self._scale(d, rs, (rs.replicas or 0) - sick)
                room -= sick
        spare = sum(rs.available for rs in [*old, new]) - least
        for rs in old:
            current = self.world.objects[rs.uid]
            down = min(current.replicas or 0, spare)
            if down > 0:
                self._scale(d, current, (current.replicas or 0) - down)
                spare -= down

    def _scale_all(self, d: Object, sets: list[Object], new: Object | None) -> None:
        """A scaling event: the only active ReplicaSet takes all of it, the newest what is missing of several."""
        wanted = d.replicas or 0
        live = [rs for rs in sets if rs.replicas]
        if len(live) <= 1:
            target = live[0] if live else new
            if target is not None and (target.replicas != wanted or self._desired[target.uid] != wanted):
                self._scale(d, target, wanted)
            return
        allowed = wanted - (-wanted // 4) if wanted else 0
        add = allowed - sum(rs.replicas or 0 for rs in live)
        for rs in sorted(live, key=lambda rs: rs.created_ns or 0, reverse=add > 0):
            step = max(add, -(rs.replicas or 0)) if add < 0 else add
            self._scale(d, rs, (rs.replicas or 0) + step)
            add -= step

    def _scale(self, d: Object, rs: Object, to: int) -> None:
        before = rs.replicas or 0
        self._desired[rs.uid] = d.replicas or 0
        if before == to:
            return
        self.world.edit(rs.uid, replicas=to)
        self._progress[d.uid] = self.world.now_ns
        way = "up" if to > before else "down"
        self.tell(d, "ScalingReplicaSet", f"Scaled {way} replica set {rs.name} from {before} to {to}")

    def _status(self, d: Object, new: Object | None) -> None:
        world, sets = self.world, self.world.owned(d.uid, "ReplicaSet")
        counts = {
            "current": sum(rs.current for rs in sets),
            "updated": 0 if new is None else new.current,
            "ready": sum(rs.ready for rs in sets),
            "available": sum(rs.available for rs in sets),
        }
        wanted = d.replicas or 0
        done = counts["updated"] == counts["current"] == counts["available"] == wanted
        if (counts["updated"], counts["ready"]) != (d.updated, d.ready) or counts["current"] < d.current:
            self._progress[d.uid] = world.now_ns
        available = counts["available"] >= wanted - wanted // 4
        reason = "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable"
        conditions = with_condition(d, "Available", str(available), world.now_ns, reason=reason)
        if not d.paused and d.deletion_ns is None:
            conditions = self._progressing(d, conditions, done=done)
        failed = any(rs.condition("ReplicaFailure") for rs in sets)
        conditions = tuple(c for c in conditions if c.type != "ReplicaFailure")
        conditions += (Condition("ReplicaFailure", "True", "FailedCreate"),) if failed else ()
        world.write(d.uid, observed_generation=d.generation, conditions=conditions, **counts)

    def _progressing(self, d: Object, conditions: tuple[Condition, ...], *, done: bool) -> tuple[Condition, ...]:
        now_ns = self.world.now_ns
        old = d.condition("Progressing")
        if done or (
            old is not None and old.reason == "NewReplicaSetAvailable" and d.observed_generation == d.generation
        ):
            status, reason = "True", "NewReplicaSetAvailable"
        elif now_ns - self._progress.get(d.uid, now_ns) >= DEADLINE_NS:
            status, reason = "False", "ProgressDeadlineExceeded"
        else:
            status, reason = "True", "ReplicaSetUpdated"
            self.enqueue(d.uid, DEADLINE_NS / SECOND + 1)
        if old is not None and (old.status, old.reason) == (status, reason):
            return conditions
        new = Condition("Progressing", status, reason, changed_ns=whole(now_ns), updated_ns=whole(now_ns))
        return (*(c for c in conditions if c.type != "Progressing"), new)


class GarbageCollector:
    """Removes what lost its owner, and brings foreground deletions to their end."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.watch(self.seen)

    def seen(self, obj: Object, *, gone: bool) -> None:
        """An owner was deleted, or the last of its dependents."""
        world = self._world
        if gone:
            for child in world.owned(obj.uid):
                world.after(world.between(0.01, 0.4), lambda uid=child.uid: self._orphan(uid))
            if obj.owners:
                world.after(world.between(0.01, 0.1), lambda: self._finish(obj.owners[0].uid))
        elif obj.deletion_ns is not None and obj.kind not in ("Pod", "Node"):
            for child in world.owned(obj.uid):
                world.after(world.between(0.01, 0.2), lambda uid=child.uid: self._foreground(uid))
            world.after(0.2, lambda: self._finish(obj.uid))

    def _orphan(self, uid: str) -> None:
        if uid in self._world.objects:
            self.delete(uid, foreground=False)

    def _foreground(self, uid: str) -> None:
        if uid in self._world.objects:
            self.delete(uid, foreground=bool(self._world.owned(uid)))

    def delete(self, uid: str, *, foreground: bool) -> None:
        """A workload that goes with a custom resource is changed, too."""
        obj = self._world.objects[uid]
        if obj.deletion_ns is None:
            deleted = self._world.delete(uid, foreground=foreground)
            if obj.owners[0].kind == "Widget":
                self._world.changed(deleted, "delete")

    def _finish(self, uid: str) -> None:
        obj = self._world.get(uid)
        if obj is not None and obj.deletion_ns is not None and obj.kind != "Pod" and not self._world.owned(uid):
            self._world.remove(uid)
