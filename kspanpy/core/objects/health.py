"""Has an object become as wished? Read from its own status, never from silence.

One function a kind, in one table; a kind that is not in it has no status that we know, so it is never in the way.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kspanpy.core.model import SECOND, Object

_FIRST_STATUS_NS = (
    30 * SECOND
)  # the first status of a Pod or a Node says that it is not ready: so soon after its beginning
_ENDED = ("Succeeded", "Failed")
_PRESSURE = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why something failed: `reason` is low-cardinality (error.type), `message` is for people."""

    reason: str
    message: str


def settled(obj: Object) -> bool:
    """True when nothing more is to come of the last change of this object."""
    check = _SETTLED.get(obj.kind)
    return check is None or check(obj)


def known(kind: str) -> bool:
    """True if the status of such objects says whether they are well."""
    return kind in _SETTLED


def failure(obj: Object) -> Failure | None:
    """What the object's own conditions say went wrong, if they do."""
    for type_, status, reasons in _FAILURES.get(obj.kind, ()):
        condition = obj.condition(type_)
        if condition is not None and condition.status == status and (not reasons or condition.reason in reasons):
            return Failure(condition.reason or type_, condition.message)
    if obj.kind == "Pod" and obj.phase == "Failed":
        for container in obj.containers:
            if container.state == "terminated" and container.exit_code:
                return Failure(
                    container.reason or "Error", f"container {container.name} exited with {container.exit_code}"
                )
        return Failure("PodFailed", "")
    return None


def ended(pod: Object) -> bool:
    """True for a Pod that has run to its end."""
    return pod.phase in _ENDED


def ready(obj: Object) -> bool:
    """True when the condition Ready holds."""
    condition = obj.condition("Ready")
    return condition is not None and condition.status == "True"


def settled_since(obj: Object) -> int | None:
    """When the object says it became as wished (whole seconds), if it does."""
    times = [
        condition.updated_ns or condition.changed_ns
        for condition in obj.conditions
        if condition.type in ("Ready", "Progressing", "Available", "Complete", "Failed")
    ]
    return max((time for time in times if time is not None), default=None)


def was_ready_until(obj: Object) -> int | None:
    """When a Pod or a Node that is not ready ceased to be; None: nothing says that it has ever been."""
    condition = obj.condition("Ready")
    if condition is None or condition.status == "True" or condition.changed_ns is None:
        return None
    scheduled = obj.condition("PodScheduled")
    begun = [t for t in (obj.created_ns, scheduled.changed_ns if scheduled is not None else None) if t is not None]
    return condition.changed_ns if begun and condition.changed_ns > max(begun) + _FIRST_STATUS_NS else None


def _replicas(obj: Object) -> bool:
    if obj.observed_generation < obj.generation:
        return False
    if obj.paused:
        return True
    wanted = obj.replicas or 0
    if obj.kind == "Deployment":
        return obj.current == obj.updated == obj.available == wanted
    if obj.kind == "DaemonSet":
        return obj.available >= wanted and (obj.on_delete or obj.updated >= wanted)
    updated = obj.kind != "StatefulSet" or obj.on_delete or not obj.template or obj.updated >= wanted
    return obj.current == wanted and obj.ready >= wanted and updated


def _job(obj: Object) -> bool:
    return any(c.type in ("Complete", "Failed") and c.status == "True" for c in obj.conditions)


def _pod(obj: Object) -> bool:
    return ended(obj) or ready(obj)


def _node(obj: Object) -> bool:
    return ready(obj) and not any(c.type in _PRESSURE and c.status == "True" for c in obj.conditions)


_SETTLED: dict[str, Callable[[Object], bool]] = {
    "Deployment": _replicas,
    "StatefulSet": _replicas,
    "DaemonSet": _replicas,
    "ReplicaSet": _replicas,
    "ReplicationController": _replicas,
    "Job": _job,
    "Pod": _pod,
    "Node": _node,
    "PersistentVolumeClaim": lambda obj: obj.phase == "Bound",
}

# (condition, its status when something failed, reasons that count; none: every reason)
_FAILURES: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "Deployment": (
        ("Progressing", "False", ("ProgressDeadlineExceeded",)),
        ("ReplicaFailure", "True", ()),
    ),
    "ReplicaSet": (("ReplicaFailure", "True", ()),),
    "Job": (("Failed", "True", ()),),
    "Node": (("Ready", "False", ()), ("Ready", "Unknown", ())),
}
