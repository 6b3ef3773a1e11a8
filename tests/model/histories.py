"""Histories: short lists of what users and fate do, with the seconds between; and the playing of them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from kspanpy.core.model import FieldManager, Object
from tests.model.controllers import Deployments, GarbageCollector, ReplicaSets
from tests.model.known import KNOWN
from tests.model.kubelet import Kubelet
from tests.model.nodes import NodeLifecycle, Scheduler
from tests.model.sets import CronJobs, DaemonSets, Jobs, Operator, StatefulSets
from tests.model.world import World, whole

NODES = ("node-1", "node-2", "node-3")


@dataclass(frozen=True)
class Act:
    """Something that is done `after` seconds: to the workload number `target` of those that exist, with a number `how`."""

    after: float
    what: str
    target: int = 0
    how: int = 0


@dataclass(frozen=True)
class History:
    """What happens. `slow`: (component, seconds that each write of its Events takes)."""

    acts: tuple[Act, ...]
    seed: int = 0
    slow: tuple[tuple[str, float], ...] = ()
    tail: float = 60.0


IMAGES = ("ok", "ok", "slow", "flaky", "missing", "crash", "once", "sick", "nowhere")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
CONTROLLERS = (Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs)
SLOW = tuple(controller.component for controller in CONTROLLERS)


class Cluster:
    """A world with everything in it that acts by itself."""

    def __init__(self, history: History) -> None:
        self.world = world = World(history.seed)
        self.kubelet = Kubelet(world)
        self.scheduler = Scheduler(world)
        self.nodes = NodeLifecycle(world, self.kubelet)
        self.operator = Operator(world)
        self.gc = GarbageCollector(world)
        slow = dict(history.slow)
        for make in CONTROLLERS:
            controller = make(world)
            controller.recorder.write_s = slow.get(controller.component, controller.recorder.write_s)
        for name in NODES:
            self.nodes.join(name)
        self._past: dict[str, list[Object]] = {}

    def play(self, history: History) -> World:
        """All acts, then the tail."""
        for act in history.acts:
            self.world.run(act.after)
            getattr(self, f"do_{act.what}")(act)
        self.world.run(history.tail)
        return self.world

    # -- who is meant

    def pick(self, act: Act, *kinds: str) -> Object | None:
        """The one that an act is about, of those that exist and are not being deleted."""
        found = [obj for obj in self.world.objects.values() if obj.kind in kinds and obj.deletion_ns is None]
        return found[act.target % len(found)] if found else None

    def _template(self, act: Act, images: tuple[str, ...] = IMAGES) -> dict[str, object]:
        image = f"{images[act.how % len(images)]}:{self.world.number()}"
        return {"images": (("app", image),), "template": image, "managers": (self._by("kubectl-set"),)}

    def _by(self, manager: str) -> FieldManager:
        return FieldManager(manager, "Update", "", whole(self.world.now_ns), touches_spec=True)

    # -- what users do

    def _create(self, act: Act, kind: str, name: str, images: tuple[str, ...] = IMAGES, **fields: object) -> None:
        """A workload; its name may have been used before."""
        name, namespace = f"{name}-{act.target % 2}", ("shop", "bank")[act.how % 2]
        if any(obj.name == name and obj.namespace == namespace for obj in self.world.all(kind)):
            return
        obj = self.world.create(kind, name, namespace, **(self._template(act, images) | fields))
        if kind not in ("Widget", "CronJob"):
            self.world.changed(obj, "create")

    def do_wait(self, act: Act) -> None:
        """Nothing."""

    def do_create(self, act: Act) -> None:
        """A Deployment."""
        self._create(act, "Deployment", "web", replicas=1 + act.how % 4)

    def do_statefulset(self, act: Act) -> None:
        """A StatefulSet."""
        self._create(act, "StatefulSet", "db", replicas=1 + act.how % 3)

    def do_daemonset(self, act: Act) -> None:
        """A DaemonSet."""
        self._create(act, "DaemonSet", "agent", replicas=0)

    def do_job(self, act: Act) -> None:
        """A Job."""
        self._create(act, "Job", "import", ("done", "fail"), replicas=1 + act.how % 3)

    def do_cronjob(self, act: Act) -> None:
        """A CronJob."""
        self._create(act, "CronJob", "report", ("done", "done", "fail"))

    def do_pod(self, act: Act) -> None:
        """A Pod of its own."""
        self._create(act, "Pod", "bare", template="", phase="Pending", restart_policy="Always")

    def do_widget(self, act: Act) -> None:
        """A custom resource."""
        if "unwatched-owner" in KNOWN:
            return
        self._create(act, "Widget", "shop", replicas=1 + act.how % 3)

    def do_image(self, act: Act) -> None:
        """As kubectl set image."""
        self._edit(act, "image", *WORKLOADS, **self._template(act))

    def do_restart(self, act: Act) -> None:
        """As kubectl rollout restart."""
        obj = self.pick(act, *WORKLOADS)
        if obj is not None:
            template = f"{obj.template}+{self.world.number()}"
            self._edit(act, "restart", *WORKLOADS, template=template, managers=(self._by("kubectl-rollout"),))

    def do_scale(self, act: Act) -> None:
        """As kubectl scale: it leaves no time."""
        self._edit(act, "scale", "Deployment", "StatefulSet", replicas=act.how % 6)

    def do_pause(self, act: Act) -> None:
        """As kubectl rollout pause, or resume."""
        obj = self.pick(act, "Deployment")
        if obj is not None:
            what = "resume" if obj.paused else "pause"
            self._edit(act, what, "Deployment", paused=not obj.paused, managers=(self._by("kubectl-rollout"),))

    def do_undo(self, act: Act) -> None:
        """As kubectl rollout undo."""
        obj = self.pick(act, *WORKLOADS)
        if obj is not None and (past := self._past.get(obj.uid)):
            before, by = past[-1], self._by("kubectl-rollout")
            self._edit(act, "undo", *WORKLOADS, template=before.template, images=before.images, managers=(by,))

    def do_delete(self, act: Act) -> None:
        """As kubectl delete; every third time with --cascade=foreground."""
        if "deletion-reach" in KNOWN:
            self.world.run(45)
        obj = self.pick(act, *WORKLOADS, "Job", "CronJob", "Widget")
        if obj is not None:
            deleted = self.world.delete(obj.uid, foreground=act.how % 3 == 2)
            if obj.kind not in ("Widget", "CronJob") and (not obj.owners or obj.owners[0].kind == "Widget"):
                self.world.changed(deleted, "delete")

    def _edit(self, act: Act, what: str, *kinds: str, **fields: object) -> None:
        obj = self.pick(act, *kinds)
        if obj is None:
            return
        if obj.owners and obj.owners[0].kind == "Widget":  # whoever edits it wants the Widget to say so
            if obj.owners[0].uid in self.world.objects:
                self.world.edit(obj.owners[0].uid, **fields)
            return
        edited = self.world.edit(obj.uid, **fields)
        if edited is not obj:
            self.world.changed(edited, what)
            if obj.template != edited.template:
                self._past.setdefault(obj.uid, []).append(obj)

    # -- what fate does

    def do_kill(self, act: Act) -> None:
        """Somebody deletes a Pod; if it is one of its own, that is a change."""
        pod = self.pick(act, "Pod")
        if pod is not None:
            deleted = self.world.delete(pod.uid)
            if not pod.owners:
                self.world.changed(deleted, "delete")

    def do_quota(self, act: Act) -> None:
        """A namespace may have that many Pods; or as many as it likes."""
        self.world.quota = {} if act.how % 2 else {"shop": act.how % 5, "bank": act.how % 5}

    def do_lose(self, act: Act) -> None:
        """A node cannot be reached."""
        self.nodes.lose(NODES[act.target % 3])

    def do_restore(self, act: Act) -> None:
        """Nodes can be reached again."""
        for name in sorted(self.world.behind):
            self.nodes.restore(name)


GAPS = (0.03, 0.3, 1.0, 2.0, 4.0, 8.0, 12.0, 20.0, 30.0, 60.0, 120.0, 400.0)
HOURS = (1800.0, 3700.0)  # Events live for an hour
WHATS = ("create", "create", "image", "image", "restart", "scale", "scale", "pause", "undo", "delete", "kill", "wait")
WHATS += ("statefulset", "daemonset", "job", "cronjob", "pod", "widget", "quota", "lose", "restore")
hows = st.integers(0, 35)


def acts(gaps: tuple[float, ...]) -> st.SearchStrategy[Act]:
    """One act."""
    return st.builds(Act, st.sampled_from(gaps), st.sampled_from(WHATS), st.integers(0, 5), hows)


def histories(gaps: tuple[float, ...] = GAPS, *, size: int = 14) -> st.SearchStrategy[History]:
    """A Deployment, and some acts after that."""
    first = st.builds(Act, st.just(1.0), st.just("create"), st.integers(0, 3), hows)
    return st.builds(
        lambda one, more, seed, slow, tail: History((one, *more), seed, tuple(slow), tail),
        first,
        st.lists(acts(gaps), min_size=2, max_size=size),
        st.integers(0, 999),
        st.lists(st.tuples(st.sampled_from(SLOW), st.sampled_from([0.1, 0.3])), max_size=2),
        st.sampled_from([30.0, 90.0, 400.0]),
    )
