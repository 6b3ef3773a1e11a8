"""StatefulSet, DaemonSet, Job and CronJob controllers, and an operator whose custom resource owns a Deployment."""

from __future__ import annotations

from kspanpy.core.model import SECOND, Object
from tests.model.controllers import Controller, active
from tests.model.world import World, is_ready, with_condition

BACKOFF_LIMIT = 2
PERIOD_S = 60


class StatefulSets(Controller):
    """statefulset-controller with OrderedReady and RollingUpdate."""

    kind, component, beneath = "StatefulSet", "statefulset-controller", ("Pod",)

    def reconcile(self, obj: Object) -> None:
        """As updateStatefulSet does."""
        if obj.deletion_ns is None:
            self._one_step(obj)
        self._status(obj.uid)

    def _one_step(self, obj: Object) -> None:
        wanted = obj.replicas or 0
        pods = {ordinal(pod): pod for pod in self.world.owned(obj.uid, "Pod")}
        for number in range(wanted):
            pod = pods.get(number)
            if pod is None:
                name = f"{obj.name}-{number}"
                if self.full(obj.namespace):
                    message = f"create Pod {name} in StatefulSet {obj.name} failed error: exceeded quota: few"
                    self.tell(obj, "FailedCreate", message, warning=True)
                    self.enqueue(obj.uid, 20)
                    return
                self.create_pod(obj, name, obj, template=obj.template)
                self.tell(obj, "SuccessfulCreate", f"Create Pod {name} in StatefulSet {obj.name} successful")
                return
            if not _fine(pod):
                return
        for number in sorted(pods, reverse=True):
            pod = pods[number]
            doomed = number >= wanted or pod.template != obj.template
            if doomed and pod.deletion_ns is None:
                self.world.delete(pod.uid)
                self.tell(obj, "SuccessfulDelete", f"Delete Pod {pod.name} in StatefulSet {obj.name} successful")
                return
            if doomed or not _fine(pod):
                return

    def _status(self, uid: str) -> None:
        obj = self.world.objects[uid]
        pods = self.world.owned(uid, "Pod")
        ready = sum(is_ready(pod) for pod in pods)
        updated = sum(pod.template == obj.template and pod.deletion_ns is None for pod in pods)
        counts = {"current": len(pods), "updated": updated, "ready": ready, "available": ready}
        self.world.write(uid, observed_generation=obj.generation, **counts)


def ordinal(pod: Object) -> int:
    """The number of a Pod of a StatefulSet."""
    return int(pod.name.rpartition("-")[2])


def _fine(pod: Object) -> bool:
    return is_ready(pod) and pod.deletion_ns is None


class DaemonSets(Controller):
    """daemonset-controller: one Pod a node, one after the other replaced."""

    kind, component, beneath = "DaemonSet", "daemonset-controller", ("Pod",)

    def reconcile(self, obj: Object) -> None:
        """manage, then rollingUpdate, then the status."""
        world = self.world
        if obj.deletion_ns is None:
            pods = {pod.labels["node"]: pod for pod in world.owned(obj.uid, "Pod")}
            for node in world.all("Node"):
                if node.name not in pods:
                    name = f"{obj.name}-{world.suffix()}"
                    self.create_pod(obj, name, obj, template=obj.template, labels={"node": node.name})
                    self.tell(obj, "SuccessfulCreate", f"Created pod: {name}")
            self._replace(obj, [pod for pod in pods.values() if pod.deletion_ns is None], len(pods))
        self._status(obj.uid)

    def _replace(self, obj: Object, pods: list[Object], had: int) -> None:
        down = had - sum(is_ready(pod) for pod in pods)
        for pod in pods:
            if pod.template != obj.template and (not is_ready(pod) or down < 1):
                down += is_ready(pod)
                self.world.delete(pod.uid)
                self.tell(obj, "SuccessfulDelete", f"Deleted pod: {pod.name}")

    def _status(self, uid: str) -> None:
        world = self.world
        obj = world.objects[uid]
        pods = [pod for pod in world.owned(uid, "Pod") if pod.deletion_ns is None]
        ready = sum(map(is_ready, pods))
        updated = sum(pod.template == obj.template for pod in pods)
        counts = {"current": len(pods), "updated": updated, "ready": ready, "available": ready}
        world.write(uid, observed_generation=obj.generation, replicas=len(world.all("Node")), **counts)


class Jobs(Controller):
    """job-controller: one Pod at a time until enough have succeeded or too many failed."""

    kind, component, beneath = "Job", "job-controller", ("Pod",)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._not_before: dict[str, int] = {}

    def reconcile(self, obj: Object) -> None:
        """As syncJob does."""
        world = self.world
        if obj.deletion_ns is not None or any(c.type in ("Complete", "Failed") for c in obj.conditions):
            return
        pods = world.owned(obj.uid, "Pod")
        succeeded = sum(pod.phase == "Succeeded" and pod.deletion_ns is None for pod in pods)
        failed = sum(pod.phase == "Failed" for pod in pods)
        if failed > BACKOFF_LIMIT:
            for pod in active(pods):
                world.delete(pod.uid)
                self.tell(obj, "SuccessfulDelete", f"Deleted pod: {pod.name}")
            self._end(
                obj, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit", warning=True
            )
        elif succeeded >= (obj.replicas or 1):
            self._end(obj, "Complete", "Completed", "Job completed", warning=False)
        elif not active(pods):
            self._create(obj, failed)
        else:
            world.write(obj.uid, ready=sum(map(is_ready, pods)), current=len(active(pods)))

    def _create(self, obj: Object, failed: int) -> None:
        world = self.world
        due_ns = self._not_before.setdefault(f"{obj.uid}/{failed}", world.now_ns + (10 * failed) * SECOND)
        if world.now_ns < due_ns:
            self.enqueue(obj.uid, (due_ns - world.now_ns) / SECOND + 0.01)
            return
        name = f"{obj.name}-{world.suffix()}"
        self.create_pod(obj, name, obj, restart_policy="Never")
        self.tell(obj, "SuccessfulCreate", f"Created pod: {name}")
        world.write(obj.uid, current=1)

    def _end(self, obj: Object, condition: str, reason: str, message: str, *, warning: bool) -> None:
        conditions = with_condition(obj, condition, "True", self.world.now_ns, reason=reason)
        self.world.write(obj.uid, conditions=conditions, current=0, ready=0)
        self.tell(obj, reason, message, warning=warning)


class CronJobs(Controller):
    """cronjob-controller: a Job a minute, forbidden while one is running."""

    kind, component, beneath = "CronJob", "cronjob-controller", ("Job",)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._seen_ends: set[str] = set()
        self._next: dict[str, int] = {}
        self._wakes: dict[str, int] = {}

    def reconcile(self, obj: Object) -> None:
        """As syncCronJob does."""
        world = self.world
        if obj.deletion_ns is not None:
            return
        jobs = world.owned(obj.uid, "Job")
        for job in jobs:
            ended = next((c.type for c in job.conditions if c.type in ("Complete", "Failed")), "")
            if ended and job.uid not in self._seen_ends:
                self._seen_ends.add(job.uid)
                self.tell(obj, "SawCompletedJob", f"Saw completed job: {job.name}, condition: {ended}")
        due_ns = self._next.setdefault(obj.uid, (world.now_ns // (PERIOD_S * SECOND) + 1) * PERIOD_S * SECOND)
        if world.now_ns >= due_ns:
            minute = due_ns // (60 * SECOND)
            self._next[obj.uid] = due_ns + PERIOD_S * SECOND
            if all(job.uid in self._seen_ends for job in jobs):
                fields = {"images": obj.images, "replicas": 1}
                job = world.create("Job", f"{obj.name}-{minute}", obj.namespace, owner=obj, **fields)
                self.tell(obj, "SuccessfulCreate", f"Created job {job.name}")
                for old in jobs[:-3]:
                    world.delete(old.uid)
                    self.tell(obj, "SuccessfulDelete", f"Deleted job {old.name}")
        self._wake(obj.uid)

    def _wake(self, uid: str) -> None:
        due_ns = self._next[uid]
        if self._wakes.get(uid) != due_ns:
            self._wakes[uid] = due_ns
            self.enqueue(uid, (due_ns - self.world.now_ns) / SECOND + 0.02)


class Operator:
    """Somebody's controller: a Widget (a kind that nobody watches) owns a Deployment, which follows it."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.watch(self.seen)

    def seen(self, obj: Object, *, gone: bool) -> None:
        """A Widget was written: its Deployment is made like it."""
        if obj.kind == "Widget" and not gone:
            self._world.after(self._world.between(0.05, 0.5), lambda: self._follow(obj.uid))

    def _follow(self, uid: str) -> None:
        world = self._world
        widget = world.get(uid)
        if widget is None or widget.deletion_ns is not None:
            return
        fields = {"replicas": widget.replicas, "template": widget.template, "images": widget.images}
        for deployment in world.owned(uid, "Deployment"):
            edited = world.edit(deployment.uid, **fields)
            if edited is not deployment:
                world.changed(edited, "follow")
            return
        made = world.create("Deployment", f"{widget.name}-app", widget.namespace, owner=widget, **fields)
        world.changed(made, "create")
