"""One change of one object: what, who, when, on whose behalf - read from the versions before and after, and not guessed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kspanpy.core.changes import provenance, tracecontext, what, who
from kspanpy.core.changes.provenance import Provenance
from kspanpy.core.changes.tracecontext import TraceContext
from kspanpy.core.model import Object

UNKNOWN = who.UNKNOWN

# Who ends a Pod says so in a condition (k8s.io/api/core/v1/types.go PodReasons, kubernetes-events 3.4). An eviction through the API
# may be anybody's: a drain, an autoscaler.
_DISRUPTORS = {
    "PreemptionByScheduler": "kube-scheduler",
    "DeletionByTaintManager": "taint-eviction-controller",
    "DeletionByPodGC": "pod-garbage-collector",
    "TerminationByKubelet": "kubelet",
}


class Change(msgspec.Struct, frozen=True, gc=False):
    """What moved (`phase`: rollout, scale or update), in words, by whom; `at_ns` dates it for placing, `time_ns` for telling."""

    phase: str
    summary: str
    manager: str = UNKNOWN
    at_ns: int | None = None
    operation: str = ""  # Apply, Update
    time_ns: int | None = None  # only where the cluster dates this very change
    template: str = ""  # digest of the pod template from then on
    cause: str = ""
    provenance: Provenance = provenance.NOTHING
    trace_context: TraceContext | None = None


def creation(obj: Object, *, traceparents: Sequence[str] = ()) -> Change:
    """The change that made the object."""
    author = who.of_creation(obj)
    return Change(
        "",
        what.created(obj),
        author.manager,
        obj.created_ns,
        operation=author.operation,
        time_ns=obj.created_ns,
        template=obj.template,
        cause="" if obj.owners else provenance.cause(None, obj),
        provenance=provenance.of(obj),
        trace_context=tracecontext.fresh(None, obj, traceparents),
    )


def between(before: Object, after: Object, *, rollback: str = "", traceparents: Sequence[str] = ()) -> Change:
    """The change that moved the generation. `rollback` says to what, if the template is an old one."""
    moved = what.moved(before, after)
    author = who.of_change(before, after, moved)
    return Change(
        what.phase(before, after, moved),
        what.summary(before, after, moved, rollback=rollback),
        author.manager,
        author.time_ns,
        operation=author.operation,
        time_ns=author.time_ns,
        template=after.template,
        cause=provenance.cause(before, after),
        provenance=provenance.of(after),
        trace_context=tracecontext.fresh(before, after, traceparents),
    )


def last_change(obj: Object, *, traceparents: Sequence[str] = ()) -> Change:
    """The newest change of an object that was changed before anybody looked: when it may have been, and who, if it was the only one."""
    if obj.generation <= 1:
        return creation(obj, traceparents=traceparents)
    author, newest_ns = who.of_only_change(obj), who.newest_time(obj)
    return Change(
        "",
        "changed before it was watched",
        author.manager,
        obj.created_ns if newest_ns is None else newest_ns,
        operation=author.operation,
        template=obj.template,
        provenance=provenance.of(obj),
    )


def deletion(obj: Object, *, owner_is_going: bool = False) -> Change:
    """The end of the object. Nothing tells who wished it, unless its owner goes too, or a Pod says what befell it."""
    at_ns = obj.deletion_began_ns
    disruption = obj.condition("DisruptionTarget") if obj.kind == "Pod" else None
    manager, summary = UNKNOWN, "deleted"
    if disruption is not None and disruption.status == "True":
        manager = _DISRUPTORS.get(disruption.reason, UNKNOWN)
        summary = f"deleted: {disruption.reason}" if disruption.reason else summary
    elif owner_is_going:
        manager, summary = "garbage-collector", "deleted with its owner"
    return Change("", what.cut(summary), manager, time_ns=at_ns, provenance=provenance.of(obj))
