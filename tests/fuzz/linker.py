"""The linker's promise, for any sequence of facts: no exception, sound spans, one namespace a trace, bounded memory, every Event accounted for,
and shards that tell together what one linker tells.

A byte string is read as a program: each instruction is a fact with names, uids, owners and times out of small pools, so that they collide.
`check` raises AssertionError (or whatever the linker let through) when the promise is broken. It needs no atheris.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from kspanpy.core.linker import Linker
from kspanpy.core.model import (
    SECOND,
    Condition,
    Container,
    Event,
    FieldManager,
    Object,
    ObjectReference,
    OwnerReference,
    Span,
)
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import (
    Discarded,
    EventSeen,
    Input,
    ObjectGone,
    ObjectSeen,
    Output,
    OwnerMissing,
    SpanEnded,
    Tick,
    WatchMissing,
    WatchProgress,
)
from tests.core.sharded import Shards

T = TypeVar("T")

START_NS = 1_790_000_000 * SECOND
MOST_STEPS = 96
NAMESPACES = ("a", "b", "", "default")
KINDS = (
    ("Pod", "v1"), ("Deployment", "apps/v1"), ("ReplicaSet", "apps/v1"), ("Job", "batch/v1"), ("CronJob", "batch/v1"),
    ("StatefulSet", "apps/v1"), ("DaemonSet", "apps/v1"), ("Node", "v1"), ("PersistentVolumeClaim", "v1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2"), ("Widget", "example.com/v1"), ("Event", "v1"), ("Kustomization", "kustomize.toolkit.fluxcd.io/v1"),
    ("", ""),
)  # fmt: skip
NAMES = ("web", "web-7d4b9c6f5", "web-7d4b9c6f5-x7k2p", "job-1", "node-1", "")
UIDS = ("u1", "u2", "u3", "u4", "node-1", "Deployment/a/web", "")
REASONS = (
    "Scheduled", "Pulling", "Pulled", "Created", "Started", "Killing", "BackOff", "Unhealthy", "FailedScheduling", "SuccessfulCreate",
    "SuccessfulDelete", "ScalingReplicaSet", "FailedCreate", "Preempted", "TaintManagerEviction", "NodeNotReady", "SuccessfulRescale",
    "Evicted", "ProvisioningSucceeded", "Completed", "Whatever", "",
)  # fmt: skip
MESSAGES = (
    "", "Created pod: web-7d4b9c6f5-x7k2p", "Deleted pod: web-7d4b9c6f5-x7k2p", "Scaled up replica set web-7d4b9c6f5 from 0 to 3",
    "Scaled down replica set web-7d4b9c6f5 to 0 from 3", "Created job job-1", "Preempted by pod u2 on node node-1",
    "New size: 3; reason: cpu", "Deployment/a/web configured", "exceeded quota: q", "waiting for volume web to be created",
)  # fmt: skip
EXTREMES_NS = (0, 1, SECOND, 9_000_000_000 * SECOND, (1 << 63) - 1, START_NS - 10**18)
CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CRAMPED = {
    "max_objects": 6, "max_tombstones": 4, "max_pending": 4, "max_open_stories": 3, "max_closed_lifecycles": 6, "max_events_remembered": 8,
    "max_evidence": 3, "max_chapters": 2, "max_depth": 3,
}  # fmt: skip


class Program:
    """The bytes, read one after the other; zeros after the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    @property
    def over(self) -> bool:
        """Nothing is left."""
        return self._place >= len(self._data)

    def number(self) -> int:
        """0 to 255."""
        if self.over:
            return 0
        self._place += 1
        return self._data[self._place - 1]

    def pick(self, pool: Sequence[T]) -> T:
        """One of these."""
        return pool[self.number() % len(pool)]

    def maybe(self) -> bool:
        """One time out of four."""
        return self.number() % 4 == 1

    def time(self, now_ns: int) -> int | None:
        """Near now, none, or no time that anything can have happened at."""
        how = self.number()
        if how < 32:
            return None
        if how < 48:
            return EXTREMES_NS[how % len(EXTREMES_NS)]
        return max(now_ns + (how - 192) * SECOND, 0)


class Accounts:
    """What came out, and whether it may."""

    def __init__(self, limits: dict[str, int]) -> None:
        self.limits = limits
        self.spans: list[Span] = []
        self.seen = self.discarded = 0

    @property
    def exported(self) -> int:
        """Event spans."""
        return sum("k8s.event.uid" in span.attributes for span in self.spans)

    def take(self, outputs: list[Output]) -> None:
        """The outputs of one step."""
        for output in outputs:
            if isinstance(output, SpanEnded):
                _check_span(output.span)
                self.spans.append(output.span)
            self.discarded += isinstance(output, Discarded)

    def check_held(self, linker: Linker) -> None:
        """Bounds, at every step."""
        stats, limits = linker.stats(), self.limits
        assert self.seen >= self.exported + self.discarded + stats.pending_events, (self.seen, self.exported, stats)
        if limits:
            assert stats.objects <= limits["max_objects"] + 1, stats
            assert stats.tombstones <= limits["max_tombstones"] + 1, stats
            assert stats.pending_events <= limits["max_pending"] + 1, stats
            assert stats.open_stories <= limits["max_open_stories"] + 1, stats
            assert stats.events_remembered <= limits["max_events_remembered"] + 1, stats

    def check_end(self, linker: Linker) -> None:
        """All is told: every Event has a span or a reason, every span its parent, every trace one root and one namespace."""
        stats = linker.stats()
        assert (stats.pending_events, stats.open_stories) == (0, 0), stats
        assert self.seen == self.exported + self.discarded, (self.seen, self.exported, self.discarded)
        known = {(span.trace_id, span.span_id) for span in self.spans}
        roots: dict[bytes, Span] = {}
        for span in self.spans:
            if not span.parent_id:
                assert span.trace_id not in roots or self.limits, span
                roots[span.trace_id] = span
        for span in self.spans:
            assert not span.parent_id or (span.trace_id, span.parent_id) in known, span
            root = roots[span.trace_id]
            pair = _namespace(root), _namespace(span)  # Events in `default` may speak of what has no namespace
            assert pair[0] in ("", pair[1]) or pair == ("default", ""), (root, span)


def check(data: bytes) -> list[Span]:
    """Runs the program; gives the spans that it made."""
    program = Program(data)
    how = program.number()
    limits = CRAMPED if how & 1 else {}
    traceparent = ("link", "ignore", "link", "link")[how >> 1 & 3]
    memory_s = 3600.0 if limits else 1e6  # no uid comes back from the dead, so none may be forgotten and told anew
    settings = LinkerSettings(cluster_uid="c", traceparent=traceparent, memory_s=memory_s, **limits)
    sharded = Shards(settings, counts=[3] if how & 8 else [])  # which compares at every step
    linker = sharded.alone
    accounts = Accounts(limits)
    now_ns = START_NS
    for step in range(MOST_STEPS):
        if program.over:
            break
        now_ns += (0, SECOND // 10, SECOND, 7 * SECOND, 40 * SECOND, 700 * SECOND, 4000 * SECOND, -SECOND)[
            program.number() & 7
        ]
        fact = _fact(program, now_ns, step)
        accounts.seen += isinstance(fact, EventSeen)
        accounts.take(sharded.step(fact, now_ns))
        accounts.check_held(linker)
    accounts.take(sharded.finish(now_ns))
    accounts.check_end(linker)
    return accounts.spans


def _fact(program: Program, now_ns: int, step: int) -> Input:
    kind = program.number() % 16
    if kind < 6:
        return ObjectSeen(_object(program, now_ns), looked_up=kind == 5)
    if kind < 7:
        return ObjectGone(_object(program, now_ns))
    if kind < 12:
        return EventSeen(_event(program, now_ns, step))
    if kind == 12:
        return WatchProgress(program.pick(KINDS)[0], program.number())
    if kind == 13:
        return WatchMissing(program.pick(KINDS)[0])
    if kind == 14:
        return OwnerMissing(_reference(program), "not found")
    return Tick()


def _reference(program: Program) -> ObjectReference:
    kind, version = program.pick(KINDS)
    return ObjectReference(
        kind,
        program.pick(NAMESPACES),
        program.pick(NAMES),
        program.pick(UIDS),
        version,
        resource_version=program.number() if program.maybe() else None,
        field_path="spec.containers{app}" if program.maybe() else "",
    )


def _event(program: Program, now_ns: int, step: int) -> Event:
    involved = _reference(program)
    number, namespace = program.number(), program.pick(("a", "b", "default"))  # an Event has one
    return Event(
        uid=("", f"e{number % 4}-{namespace}", f"e{step}")[number % 3],
        name=f"{involved.name}.{number % 3}",
        namespace=namespace,
        involved=involved,
        reason=program.pick(REASONS),
        message=program.pick(MESSAGES),
        type=program.pick(("Normal", "Warning", "")),
        component=program.pick(("kubelet", "replicaset-controller", "deployment-controller", "")),
        related=_reference(program) if program.maybe() else None,
        resource_version=program.number() if program.maybe() else None,
        count=program.pick((0, 1, 2, 2**31 - 1)),
        first_ns=program.time(now_ns),
        last_ns=program.time(now_ns),
        event_time_ns=program.time(now_ns),
        series_count=program.pick((0, 0, 0, 3)),
        series_last_ns=program.time(now_ns),
    )


def _object(program: Program, now_ns: int) -> Object:
    kind, version = program.pick(KINDS)
    place, owners = program.number() % len(UIDS), []  # the server gives a uid once: it is of one namespace
    for _ in range(program.number() % 3):
        owner_kind, owner_version = program.pick(KINDS)
        owners.append(
            OwnerReference(
                owner_version, owner_kind, program.pick(NAMES), program.pick(UIDS), controller=program.maybe()
            )
        )
    return Object(
        api_version=version,
        kind=kind,
        namespace=NAMESPACES[place % len(NAMESPACES)] if UIDS[place] else program.pick(NAMESPACES),
        name=program.pick(NAMES),
        uid=UIDS[place],
        resource_version=program.number() if program.number() & 3 else None,
        generation=program.number() % 4,
        created_ns=program.time(now_ns),
        deletion_ns=program.time(now_ns) if program.maybe() else None,
        grace_s=program.pick((0, 30, 2**31 - 1)),
        owners=tuple(owners),
        managers=(FieldManager("kubectl", "Update", "", program.time(now_ns), touches_spec=True),) if program.maybe() else (),
        annotations={"tracing.k8s.io/traceparent": CONTEXT} if program.maybe() else {},
        replicas=program.pick((None, 0, 1, 3)),
        paused=program.maybe(),
        template=program.pick(("", "one", "two")),
        observed_generation=program.number() % 4,
        current=program.number() % 4,
        updated=program.number() % 4,
        ready=program.number() % 4,
        available=program.number() % 4,
        phase=program.pick(("", "Pending", "Running", "Succeeded", "Failed", "Bound")),
        node_name=program.pick(("", "node-1")),
        conditions=(Condition("Ready", program.pick(("True", "False")), "", "", program.time(now_ns)),) if program.maybe() else (),
        containers=(Container("app", program.pick(("waiting", "running", "terminated")), "CrashLoopBackOff", program.time(now_ns)),)
        if program.maybe()
        else (),
        claims=("web",) if program.maybe() else (),
        target=ObjectReference("Deployment", "", "web") if program.maybe() else None,
    )  # fmt: skip


def _check_span(span: Span) -> None:
    assert len(span.trace_id) == 16, span
    assert any(span.trace_id), span
    assert len(span.span_id) == 8, span
    assert any(span.span_id), span
    assert len(span.parent_id) in (0, 8), span
    assert 0 <= span.start_ns <= span.end_ns < 1 << 64, span


def _namespace(span: Span) -> object:
    return span.attributes.get("k8s.namespace.name", "")
