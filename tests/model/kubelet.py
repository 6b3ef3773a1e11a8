"""The kubelets: what becomes of a Pod on its node.

An image says by its name how it behaves: `ok`, `slow` (ready late), `flaky` (readiness fails twice), `missing` (cannot be pulled),
`crash` (exits, again and again), `once` (exits once, a minute after it started), `sick` (its liveness probe fails), `nowhere`
(no node fits), `done`, `fail` (run to their end).
"""

from __future__ import annotations

from collections.abc import Callable

from kspanpy.core.model import MILLISECOND, Container, Object
from tests.model.recorders import Legacy, Source
from tests.model.world import World, reference, whole, with_condition

APP = "spec.containers{app}"


def behaviour(pod: Object) -> str:
    """How the Pod's image behaves."""
    return pod.images[0][1].partition(":")[0]


class Kubelet:
    """One for all nodes; a node that is `behind` does nothing until it can be reached again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._recorders: dict[str, Legacy] = {}
        self._held: dict[str, Object] = {}  # the version that the kubelet was given
        self._images: set[tuple[str, str]] = set()
        self._parked: list[tuple[str, Callable[[], None]]] = []
        self._up: dict[str, int] = {}  # which start of the container is up
        self._stopping: set[str] = set()
        world.watch(self.seen)

    def seen(self, obj: Object, *, gone: bool) -> None:
        """A Pod was bound, or is to be stopped."""
        if obj.kind != "Pod" or gone or not obj.node_name:
            return
        if obj.uid not in self._held:
            self._held[obj.uid] = obj
            self._later(obj.uid, self._world.between(0.2, 0.5), lambda: self._start(obj.uid))
        if obj.deletion_ns is not None and obj.grace_s and obj.uid not in self._stopping:
            self._stopping.add(obj.uid)
            self._later(obj.uid, self._world.between(0.005, 0.05), lambda: self._kill(obj.uid))

    def back(self, node: str) -> None:
        """A node can be reached again."""
        parked, self._parked = self._parked, []
        for where, what in parked:
            if where == node:
                self._world.after(self._world.between(0.1, 1), what)
            else:
                self._parked.append((where, what))
        for pod in self._world.all("Pod"):
            if pod.node_name == node and pod.deletion_ns is None and self._up.get(pod.uid):
                self._later(pod.uid, self._world.between(0.1, 1), lambda uid=pod.uid: self._set_ready(uid, ready=True))

    def recorder(self, node: str) -> Legacy:
        """The recorder of the kubelet of a node."""
        if node not in self._recorders:
            self._recorders[node] = Legacy(self._world, Source("kubelet", node))
        return self._recorders[node]

    def tell(self, uid: str, reason: str, message: str, *, warning: bool = False, field: str = APP) -> None:
        """An Event about a Pod and its container, as the kubelet was given it."""
        held = self._held[uid]
        self._world.now_ns += int(self._world.between(3, 12) * MILLISECOND)
        pointer = reference(held, field_path=field)
        self.recorder(held.node_name).emit(uid, pointer, reason, message, warning=warning)

    def _later(self, uid: str, delay_s: float, what: Callable[[], None]) -> None:
        """If the Pod still is and the node can be reached."""
        node = self._held[uid].node_name

        def do() -> None:
            if uid not in self._world.objects:
                return
            if node in self._world.behind:
                self._parked.append((node, do))
            else:
                what()

        self._world.after(delay_s, do)

    def _unless_stopping(self, uid: str, delay_s: float, what: Callable[[], None]) -> None:
        self._later(uid, delay_s, lambda: None if uid in self._stopping else what())

    # -- starting

    def _start(self, uid: str) -> None:
        world = self._world
        pod = world.objects[uid]
        if uid in self._stopping:
            return
        world.write(uid, conditions=with_condition(pod, "Initialized", "True", world.now_ns))
        self._pull(uid, 0)

    def _pull(self, uid: str, tries: int) -> None:
        image = self._held[uid].images[0][1]
        node = self._held[uid].node_name
        if (node, image) in self._images:
            self.tell(uid, "Pulled", f'Container image "{image}" already present on machine')
            self._up_and_running(uid, 1)
            return
        self.tell(uid, "Pulling", f'Pulling image "{image}"')
        took = self._world.between(0.1, 3)
        if image.startswith("missing"):
            self._unless_stopping(uid, took, lambda: self._failed_pull(uid, tries))
            return

        def pulled() -> None:
            self._images.add((node, image))
            self.tell(uid, "Pulled", f'Successfully pulled image "{image}" in {took:.3f}s')
            self._up_and_running(uid, 1)

        self._unless_stopping(uid, took, pulled)

    def _failed_pull(self, uid: str, tries: int) -> None:
        image = self._held[uid].images[0][1]
        self.tell(uid, "Failed", f'Failed to pull image "{image}": not found', warning=True)
        self.tell(uid, "Failed", "Error: ErrImagePull", warning=True)
        self._waiting(uid, "ErrImagePull")
        wait = min(10 * 2**tries, 300)

        def back_off() -> None:
            self.tell(uid, "BackOff", f'Back-off pulling image "{image}"')
            self.tell(uid, "Failed", "Error: ImagePullBackOff", warning=True)
            self._waiting(uid, "ImagePullBackOff")

        for nth in range(1 + wait // 60):
            self._unless_stopping(uid, 0.3 + 15 * nth, back_off)
        self._unless_stopping(uid, wait + 5, lambda: self._pull(uid, tries + 1))

    def _waiting(self, uid: str, reason: str) -> None:
        self._world.write(uid, containers=(Container("app", "waiting", reason),))

    def _up_and_running(self, uid: str, start: int) -> None:
        world, kind = self._world, behaviour(self._held[uid])
        self._up[uid] = start
        self.tell(uid, "Created", "Container created")
        self.tell(uid, "Started", "Container started")
        world.write(
            uid, phase="Running", containers=(Container("app", "running", "", whole(world.now_ns), restarts=start - 1),)
        )
        delay = {"slow": world.between(5, 40), "flaky": 11.0}.get(kind, 0.02)
        self._unless_stopping(uid, delay, lambda: self._set_ready(uid, ready=True))
        if kind == "flaky" and start == 1:
            for after in (2.0, 7.0):
                self._unless_stopping(uid, after, lambda: self._unhealthy(uid, "Readiness"))
        elif kind == "crash" or (kind == "once" and start == 1):
            self._unless_stopping(uid, 60 if kind == "once" else 2.0, lambda: self._exit(uid, start))
        elif kind == "sick":
            for nth in (1, 2, 3):
                self._unless_stopping(uid, 10.0 * nth, lambda: self._unhealthy(uid, "Liveness"))
            self._unless_stopping(uid, 30.01, lambda: self._probe_kill(uid, start))
        elif kind in ("done", "fail"):
            self._unless_stopping(uid, world.between(0.5, 5), lambda: self._finish(uid, failed=kind == "fail"))

    def _set_ready(self, uid: str, *, ready: bool) -> None:
        pod = self._world.objects[uid]
        if ready and (not self._up.get(uid) or pod.phase != "Running" or uid in self._stopping):
            return
        conditions = with_condition(pod, "Ready", str(ready), self._world.now_ns)
        self._world.write(uid, conditions=conditions)

    def _unhealthy(self, uid: str, probe: str) -> None:
        self.tell(uid, "Unhealthy", f"{probe} probe failed: not healthy", warning=True)

    def _probe_kill(self, uid: str, start: int) -> None:
        self.tell(uid, "Killing", "Container app failed liveness probe, will be restarted")
        self._exit(uid, start)

    def _exit(self, uid: str, start: int) -> None:
        """A container ends; it is restarted at once the first time, then after longer and longer waits."""
        world = self._world
        self._up[uid] = 0
        self._set_ready(uid, ready=False)
        ended = Container(
            "app", "terminated", "Error", finished_ns=whole(world.now_ns), exit_code=1, restarts=start - 1
        )
        world.write(uid, containers=(ended,))
        wait = 1.0 if start == 1 else min(10.0 * 2 ** (start - 2), 300.0)

        def back_off() -> None:
            self.tell(uid, "BackOff", "Back-off restarting failed container app in pod", warning=True)
            self._waiting(uid, "CrashLoopBackOff")

        def again() -> None:
            self.tell(uid, "Pulled", f'Container image "{self._held[uid].images[0][1]}" already present on machine')
            self._up_and_running(uid, start + 1)

        if start > 1:
            for nth in range(1 + int(wait) // 30):
                self._unless_stopping(uid, 0.1 + 14 * nth, back_off)
        self._unless_stopping(uid, wait, again)

    def _finish(self, uid: str, *, failed: bool) -> None:
        """A container of a Job has run to its end."""
        self._up[uid] = 0
        self._set_ready(uid, ready=False)
        self._end(uid, "Failed" if failed else "Succeeded", 1 if failed else 0)

    def _end(self, uid: str, phase: str, code: int) -> None:
        now_ns = self._world.now_ns
        reason = "Completed" if code == 0 else "Error"
        ended = Container("app", "terminated", reason, finished_ns=whole(now_ns), exit_code=code)
        self._world.write(uid, phase=phase, containers=(ended,))

    # -- stopping

    def _kill(self, uid: str) -> None:
        world = self._world
        pod = world.objects[uid]
        if self._up.get(uid):
            self.tell(uid, "Killing", "Stopping container app")
            took = 30.0 if world.chance.random() < 0.1 else world.between(0.02, 4)
        else:
            took = 0.05
        if pod.phase in ("Succeeded", "Failed"):
            took = 0.01

        def stopped() -> None:
            pod = world.objects[uid]
            self._set_ready(uid, ready=False)
            if pod.phase not in ("Succeeded", "Failed"):
                self._end(uid, "Failed" if took == 30.0 else "Succeeded", 137 if took == 30.0 else 0)
            self._later(uid, world.between(0.01, 0.6), lambda: self._remove(uid))

        self._later(uid, took, stopped)

    def _remove(self, uid: str) -> None:
        world = self._world
        world.write(uid, deletion_ns=whole(world.now_ns), grace_s=0)
        world.remove(uid)
