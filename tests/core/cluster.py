"""A cluster of the imagination: it hands out uids, resourceVersions and times, and shows a linker what happens.

A test reads like a story:

    cluster = Cluster()
    web = cluster.deployment("web", replicas=1)
    pod = cluster.pod(cluster.replicaset(web))
    cluster.ready(pod)
    cluster.settle(web)
    cluster.wait(60)
    assert cluster.told() == ...

Time stands still unless `wait` is called. Every object has one resourceVersion sequence, as in one etcd.
"""

from __future__ import annotations

import itertools

import msgspec

from kspanpy.core.linker import Linker
from kspanpy.core.model import (
    SECOND,
    Condition,
    Event,
    FieldManager,
    Object,
    ObjectReference,
    OwnerReference,
    Span,
)
from kspanpy.core.rules.kinds import KINDS
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import (
    Discarded,
    EventSeen,
    Input,
    LookupOwner,
    ObjectGone,
    ObjectSeen,
    Output,
    SpanEnded,
    Tick,
    WatchProgress,
)
from tests.fakes.outline import tree

T0 = 1_772_366_400 * SECOND  # 2026-03-01T12:00:00Z
APIS = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1"}
APIS |= {"Job": "batch/v1", "CronJob": "batch/v1", "HorizontalPodAutoscaler": "autoscaling/v2"}
CLUSTER_SCOPED = frozenset({"Node", "Namespace", "PersistentVolume"})
WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")


def whole(at_ns: int) -> int:
    """A time as metav1.Time writes it."""
    return at_ns // SECOND * SECOND


class Thing:
    """A handle on one object; `object` is its newest version."""

    def __init__(self, obj: Object) -> None:
        self.object = obj

    @property
    def name(self) -> str:
        """Its name."""
        return self.object.name

    @property
    def uid(self) -> str:
        """Its uid."""
        return self.object.uid

    @property
    def reference(self) -> ObjectReference:
        """As an Event would point to it."""
        obj = self.object
        return ObjectReference(
            kind=obj.kind, namespace=obj.namespace, name=obj.name, uid=obj.uid, api_version=obj.api_version
        )

    def as_owner(self, **changes: object) -> OwnerReference:
        """As a child would point to it."""
        obj = self.object
        owner = OwnerReference(obj.api_version, obj.kind, obj.name, obj.uid, controller=True)
        return msgspec.structs.replace(owner, **changes)


class Cluster:
    """What happens, in order; what the linker said to it."""

    def __init__(self, *, synced: bool = True, watch: bool = True, **settings: object) -> None:
        self.now_ns = T0
        self.linker = Linker(LinkerSettings(**({"cluster_uid": "cluster"} | settings)))
        self.facts: list[tuple[int, Input]] = []
        self.spans: list[Span] = []
        self.discarded: list[Discarded] = []
        self.lookups: list[LookupOwner] = []
        self.events = 0
        self._watch = watch
        self._versions = itertools.count(100)
        self._numbers = itertools.count(1)
        if synced:
            for kind in KINDS:
                self.tell(WatchProgress(kind, 99))

    # -- time and the linker

    def tell(self, fact: Input) -> list[Output]:
        """The linker is told; what it says is kept."""
        self.facts.append((self.now_ns, fact))
        self.events += isinstance(fact, EventSeen)
        return self._hear(self.linker.step(fact, self.now_ns)) if self._watch else []

    def wait(self, seconds: float) -> None:
        """Time passes; the linker is asked whenever it wants to be, as a driver would."""
        until = self.now_ns + int(seconds * SECOND)
        while self._watch:
            due = self.linker.next_deadline()
            if due is None or due > until:
                break
            self.now_ns = max(self.now_ns, due)
            self._hear(self.linker.step(Tick(), self.now_ns))
        self.now_ns = until
        if self._watch:
            self._hear(self.linker.step(Tick(), self.now_ns))

    def finish(self) -> list[Span]:
        """Nothing more will come."""
        self._hear(self.linker.finish(self.now_ns))
        return self.spans

    def bookmark(self, *kinds: str) -> None:
        """The watches of these kinds (or of all) have come as far as the cluster has."""
        version = self.version()
        for kind in kinds or KINDS:
            self.tell(WatchProgress(kind, version))

    def version(self) -> int:
        """The next resourceVersion."""
        return next(self._versions)

    def _hear(self, outputs: list[Output]) -> list[Output]:
        for output in outputs:
            if isinstance(output, SpanEnded):
                self.spans.append(output.span)
            elif isinstance(output, Discarded):
                self.discarded.append(output)
            else:
                self.lookups.append(output)
        return outputs

    # -- objects

    def create(
        self,
        kind: str,
        name: str,
        *,
        owner: Thing | None = None,
        seen: bool = True,
        age_s: float = 0.0,
        **fields: object,
    ) -> Thing:
        """An object, created now (or `age_s` ago)."""
        number = next(self._numbers)
        base: dict[str, object] = {
            "api_version": APIS.get(kind, "v1"),
            "kind": kind,
            "namespace": "" if kind in CLUSTER_SCOPED else "shop",
            "name": name,
            "uid": f"uid-{number}-{name}",
            "resource_version": self.version(),
            "created_ns": whole(self.now_ns - int(age_s * SECOND)),
            "generation": 1 if kind in WORKLOADS else 0,
        }
        if owner is not None:
            base["owners"] = (owner.as_owner(),)
        thing = Thing(Object(**(base | fields)))
        if seen:
            self.see(thing)
        return thing

    def see(self, thing: Thing) -> None:
        """The newest version of an object is shown."""
        self.tell(ObjectSeen(thing.object))

    def change(self, thing: Thing, *, seen: bool = True, **fields: object) -> None:
        """A write that is not a wish: status, metadata."""
        thing.object = msgspec.structs.replace(thing.object, resource_version=self.version(), **fields)
        if seen:
            self.see(thing)

    def edit(
        self, thing: Thing, *, by: str | FieldManager = "kubectl-set", seen: bool = True, **fields: object
    ) -> None:
        """A wish: the generation moves; `by` leaves an entry in managedFields (empty: none)."""
        managers = thing.object.managers
        if by:
            mine = FieldManager(by, "Update", "", whole(self.now_ns), touches_spec=True) if isinstance(by, str) else by
            managers = (*(m for m in managers if m.manager != mine.manager), mine)
        self.change(thing, seen=seen, generation=thing.object.generation + 1, managers=managers, **fields)

    def set_image(self, thing: Thing, image: str, **more: object) -> None:
        """`kubectl set image`."""
        self.edit(thing, images=(("app", image),), template=f"template of {image}", **more)

    def scale(self, thing: Thing, replicas: int, **more: object) -> None:
        """`kubectl scale`."""
        self.edit(thing, replicas=replicas, **({"by": ""} | more))

    def delete(self, thing: Thing, *, grace_s: int = 0) -> None:
        """Its deletion begins."""
        self.change(thing, deletion_ns=whole(self.now_ns) + grace_s * SECOND, grace_s=grace_s)

    def gone(self, thing: Thing) -> None:
        """It is deleted."""
        thing.object = msgspec.structs.replace(thing.object, resource_version=self.version())
        self.tell(ObjectGone(thing.object))

    # -- kinds

    def deployment(self, name: str = "web", *, replicas: int = 1, image: str = "web:1", **more: object) -> Thing:
        """A Deployment that nobody has acted upon yet."""
        fields = {"replicas": replicas, "images": (("app", image),), "template": f"template of {image}"}
        manager = FieldManager("kubectl-create", "Update", "", whole(self.now_ns), touches_spec=True)
        return self.create("Deployment", name, **(fields | {"managers": (manager,)} | more))

    def replicaset(self, deployment: Thing, suffix: str = "1", *, replicas: int = 1, **more: object) -> Thing:
        """A ReplicaSet of a Deployment."""
        return self.create("ReplicaSet", f"{deployment.name}-{suffix}", owner=deployment, replicas=replicas, **more)

    def pod(self, owner: Thing | None = None, name: str = "", **more: object) -> Thing:
        """A Pod, pending."""
        name = name or (f"{owner.name}-{next(self._numbers)}" if owner else "pod")
        return self.create("Pod", name, owner=owner, **({"phase": "Pending", "restart_policy": "Always"} | more))

    def node(self, name: str = "node-1", *, ready: bool = True, **more: object) -> Thing:
        """A Node."""
        return self.create("Node", name, **({"conditions": (self.condition("Ready", good=ready),)} | more))

    def settled_deployment(
        self, name: str = "web", *, pods: int = 1, **more: object
    ) -> tuple[Thing, Thing, list[Thing]]:
        """A Deployment that became as wished, long before anybody looked; its ReplicaSet; its Pods."""
        long_ago = {"age_s": 86_400}
        ready = (Condition("Ready", "True", changed_ns=whole(self.now_ns - 86_000 * SECOND)),)
        available = (Condition("Available", "True", updated_ns=whole(self.now_ns - 86_000 * SECOND)),)
        counts = {"current": pods, "updated": pods, "ready": pods, "available": pods, "observed_generation": 1}
        web = self.deployment(name, replicas=pods, **counts, **long_ago, managers=(), conditions=available, **more)
        rs = self.replicaset(web, replicas=pods, **counts, **long_ago)
        made = [self.pod(rs, phase="Running", conditions=ready, **long_ago) for _ in range(pods)]
        return web, rs, made

    def condition(self, kind: str, *, good: bool = True, reason: str = "", message: str = "") -> Condition:
        """A condition that has just changed."""
        now = whole(self.now_ns)
        return Condition(kind, "True" if good else "False", reason, message, changed_ns=now, updated_ns=now)

    def ready(self, pod: Thing, *, node: str = "node-1") -> None:
        """A Pod becomes ready."""
        self.change(pod, phase="Running", node_name=node, conditions=(self.condition("Ready"),))

    def settle(self, workload: Thing, **more: object) -> None:
        """The controller has done all that was wished for."""
        wanted = workload.object.replicas or 0
        counts = {"current": wanted, "updated": wanted, "ready": wanted, "available": wanted}
        self.change(workload, observed_generation=workload.object.generation, **(counts | more))

    def rolled_out(self, name: str = "web") -> tuple[Thing, Thing, Thing]:
        """A Deployment of one Pod, created and ready, its story still open."""
        web = self.deployment(name)
        rs = self.replicaset(web)
        pod = self.pod(rs)
        self.wait(1)
        self.ready(pod)
        self.settle(rs)
        self.settle(web)
        return web, rs, pod

    # -- events

    def event(
        self,
        about: Thing | ObjectReference,
        reason: str,
        message: str = "",
        *,
        at: float | None = None,
        warning: bool = False,
        seen: bool = True,
        **fields: object,
    ) -> Event:
        """An Event with microseconds, written now, or `at` seconds from now."""
        reference = about.reference if isinstance(about, Thing) else about
        number = next(self._numbers)
        at_ns = self.now_ns + int((at or 0.0) * SECOND)
        base: dict[str, object] = {
            "uid": f"uid-{number}-event",
            "name": f"{reference.name}.{number}",
            "namespace": reference.namespace or "default",
            "involved": reference,
            "reason": reason,
            "message": message or reason,
            "type": "Warning" if warning else "Normal",
            "component": "kubelet" if reference.kind == "Pod" else "controller",
            "event_time_ns": at_ns,
            "created_ns": whole(max(at_ns, 0)),
            "resource_version": self.version(),
        }
        event = Event(**(base | fields))
        if seen:
            self.tell(EventSeen(event))
        return event

    def warning(self, about: Thing, reason: str, message: str = "", **more: object) -> Event:
        """A Warning."""
        return self.event(about, reason, message, warning=True, **more)

    def again(self, event: Event, *, seen: bool = True, **fields: object) -> Event:
        """The same Event, counted once more, now."""
        count = event.series_count or 1
        event = msgspec.structs.replace(
            event, series_count=count + 1, series_last_ns=self.now_ns, resource_version=self.version()
        )
        event = msgspec.structs.replace(event, **fields)
        if seen:
            self.tell(EventSeen(event))
        return event

    # -- what was told

    def told(self) -> str:
        """The spans as indented names, a story after the other."""
        return tree(self.spans)

    def roots(self) -> list[Span]:
        """The root spans, as they were sent."""
        return [span for span in self.spans if not span.parent_id]

    def root(self) -> Span:
        """The only story."""
        (root,) = self.roots()
        return root

    def span(self, name: str, about: str = "") -> Span:
        """The only span of that name (and object)."""
        (span,) = [s for s in self.spans if s.name == name and about in ("", s.attributes["k8s.object.name"])]
        return span

    def parent(self, span: Span) -> Span:
        """The span's parent."""
        (parent,) = [s for s in self.spans if s.trace_id == span.trace_id and s.span_id == span.parent_id]
        return parent

    def path(self, span: Span) -> list[str]:
        """The names of the span and of all above it."""
        names = [span.name]
        while span.parent_id:
            span = self.parent(span)
            names.append(span.name)
        return names
