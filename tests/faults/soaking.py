"""A day of a cluster of the imagination (`tests/model`) through the linker, the known objects, the encoder and the queue: does anything grow?

Time is virtual. Every cycle does the same to the same number of workloads, so what is held should be the same after each.
"""

from __future__ import annotations

from kspanpy.app.intake import Shares
from kspanpy.core.linker import Linker
from kspanpy.core.model import SECOND, Event, Object, Span
from kspanpy.core.rules.kinds import KINDS
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import (
    Discarded,
    EventSeen,
    Input,
    LookupOwner,
    ObjectGone,
    ObjectSeen,
    OwnerMissing,
    SpanEnded,
    WatchProgress,
)
from kspanpy.export.encode import Encoder
from kspanpy.export.queue import EncodedSpan, QueueLimits, SpanQueue
from kspanpy.kube.known import KnownObjects
from tests.faults.containers import Holdings, holdings
from tests.model.histories import Act, Cluster, History
from tests.model.world import UNWATCHED, Line

SLICE_S = 20.0

# `how` chooses the image (histories.IMAGES: 0 ok, 2 slow, 3 flaky, 5 crash) and, with the target, name and namespace.
CYCLE = (
    Act(5, "create", 0, 0),
    Act(5, "create", 1, 2),
    Act(5, "statefulset", 0, 0),
    Act(5, "widget", 0, 0),
    Act(5, "job", 0, 0),
    Act(60, "image", 0, 2),
    Act(30, "kill", 1),
    Act(60, "image", 1, 5),
    Act(120, "image", 1, 0),
    Act(20, "scale", 0, 5),
    Act(20, "scale", 0, 2),
    Act(20, "restart", 2),
    Act(60, "lose", 0),
    Act(60, "restore", 0),
    Act(60, "kill", 3),
    Act(20, "delete", 1, 2),
    Act(60, "wait"),
)


class Soak:
    """A cluster with some workloads that stay, and what of kspanpy holds anything."""

    def __init__(self, settings: LinkerSettings | None = None, *, seed: int = 1, crons: int = 4) -> None:
        self.cluster = Cluster(History((), seed))
        self.world = self.cluster.world
        self.linker = Linker(settings or LinkerSettings(cluster_uid="c"))
        self.known = {kind: KnownObjects(capacity=50_000) for kind in KINDS}
        self.encoder = Encoder({})
        self.queue = SpanQueue(QueueLimits())
        self.shares = Shares(10_000)
        self.started_ns = self.world.now_ns
        self.events = self.spans = self.discarded = self.objects = 0
        self._newest: dict[str, Object] = {}  # of kinds that nobody watches
        for number in range(2 if crons else 0):
            self.act(Act(2, "daemonset", number, number))
            self.act(Act(2, "widget", 1, number))
        self._stay = set(self.world.objects)
        self._crons = [f"every-minute-{number}" for number in range(crons)]

    @property
    def hours(self) -> float:
        """Since the beginning."""
        return (self.world.now_ns - self.started_ns) / SECOND / 3600

    def cycle(self, acts: tuple[Act, ...] = CYCLE) -> None:
        """Once through everything, with all that went wrong put right at its end."""
        for act in acts:
            self.act(act)
        for obj in list(self.world.objects.values()):
            if (
                obj.kind in ("Deployment", "StatefulSet", "Job", "Widget")
                and not obj.owners
                and obj.uid not in self._stay
            ):
                self.world.delete(obj.uid)
        missing = [name for name in self._crons if not any(cron.name == name for cron in self.world.all("CronJob"))]
        for name in missing:
            self._cron(name)

    def _cron(self, name: str) -> None:
        self.world.create("CronJob", name, "shop", images=(("app", "done:1"),), template="done:1")

    def act(self, act: Act) -> None:
        """Something is done, after some time."""
        until_ns = self.world.now_ns + int(act.after * SECOND)
        while self.world.now_ns < until_ns:
            self.world.run(min((until_ns - self.world.now_ns) / SECOND, SLICE_S))
            self._tell()
        getattr(self.cluster, f"do_{act.what}")(act)

    def held(self) -> Holdings:
        """Everything that is reached from what is tested, tidied up as it does now and then by itself."""
        self.linker._moment.tidy()
        return holdings(self.linker, self.known, self.encoder, self.queue, self.shares)

    def accounts(self) -> tuple[int, int]:
        """Events that were seen, and those of which it is known what became of them or that wait."""
        return self.events, self.spans + self.discarded

    # -- what the drivers do

    def _tell(self) -> None:
        lines, self.world.lines = self.world.lines, []
        self.world.emissions.clear()
        self.world.changes.clear()
        for line in lines:
            self._line(line)
        rv = lines[-1].rv if lines else 0
        for kind in KINDS if rv else ():
            self._step(WatchProgress(kind, rv), self.world.now_ns)
        self._send()

    def _line(self, line: Line) -> None:
        thing = line.thing
        if isinstance(thing, Event):
            self.events += 1
            self.shares.put(thing.namespace)
            self._step(EventSeen(thing), line.at_ns)
            self.shares.taken(thing.namespace)
            return
        self.objects += 1
        if line.kind in UNWATCHED:
            self._newest[thing.uid] = thing
            if line.type == "DELETED":
                del self._newest[thing.uid]
            return
        if line.kind in self.known:
            self.known[line.kind].changed(line.type, thing)
        self._step(ObjectGone(thing) if line.type == "DELETED" else ObjectSeen(thing), line.at_ns)

    def _step(self, fact: Input, now_ns: int) -> None:
        for output in self.linker.step(fact, now_ns):
            if isinstance(output, SpanEnded):
                self._span(output.span)
            elif isinstance(output, Discarded):
                self.discarded += 1
            elif isinstance(output, LookupOwner):
                found = self._newest.get(output.reference.uid)
                answer = OwnerMissing(output.reference, "not found")
                self._step(answer if found is None else ObjectSeen(found, looked_up=True), now_ns)

    def _span(self, span: Span) -> None:
        self.spans += "k8s.event.uid" in span.attributes
        encoded = self.encoder.encode_span(span)
        assert isinstance(encoded, EncodedSpan)
        self.queue.put(encoded, self.world.now_ns)

    def _send(self) -> None:
        while batch := self.queue.take():
            self.queue.acknowledge(batch)


def grown(before: Holdings, after: Holdings, *, by: float = 1.3, least: int = 40) -> dict[str, tuple[int, int]]:
    """Containers and types of which there is more: name -> (before, after)."""
    found = {}
    for now, then in ((after.items, before.items), (after.instances, before.instances)):
        for name, number in now.items():
            if number > then[name] * by + least:
                found[name] = (then[name], number)
    return found
