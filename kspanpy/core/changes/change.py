"""Who changed an object, and what: read from two versions of it, before and after its generation moved.

managedFields is a weak witness (kubernetes-events 7.13): `kubectl scale` writes an entry without a time, one scaler's entry
replaces another's, and a manager that owns nothing leaves none. Only an entry that differs between the two versions counts;
where none does, the answer is "unknown".
"""

from __future__ import annotations

import msgspec

from kspanpy.core.model import FieldManager, Object

UNKNOWN = "unknown"
_OWN_CONTROLLER = "kube-controller-manager"
_MAX_SUMMARY = 256


class Change(msgspec.Struct, frozen=True, gc=False):
    """What moved (`phase`: rollout, scale or update), in words, by whom, and when by the cluster's clock."""

    phase: str
    summary: str
    manager: str
    at_ns: int | None


DELETED = Change("", "deleted", UNKNOWN, None)


def creation(obj: Object) -> Change:
    """The change that made the object."""
    first = [m for m in obj.managers if _counts(m) and m.time_ns == obj.created_ns] if obj.generation <= 1 else []
    images = ", ".join(image for _, image in obj.images)
    summary = f"created with image {images}" if images else "created"
    return Change("", _cut(summary), first[0].manager if first else UNKNOWN, obj.created_ns)


def between(before: Object, after: Object) -> Change:
    """The change that moved the generation."""
    known = set(before.managers)
    fresh = [m for m in after.managers if m not in known and _counts(m)]
    newest = max(fresh, key=lambda m: m.time_ns or 0, default=None)
    phase, summary = _what(before, after)
    manager = UNKNOWN if newest is None else _name(newest)
    return Change(phase, _cut(summary), manager, None if newest is None else newest.time_ns)


def last_change(obj: Object) -> Change:
    """The best guess at the newest change of an object that was changed before anybody looked."""
    if obj.generation <= 1:
        return creation(obj)
    dated = [m for m in obj.managers if _counts(m) and m.time_ns is not None]
    newest = max(dated, key=lambda m: m.time_ns or 0, default=None)
    return Change("", "changed before it was watched", UNKNOWN, obj.created_ns if newest is None else newest.time_ns)


def _what(before: Object, after: Object) -> tuple[str, str]:
    parts: list[str] = []
    if before.template != after.template or before.images != after.images:
        old = dict(before.images)
        parts += [
            f"image {container}: {old.get(container, 'none')} -> {image}"
            for container, image in after.images
            if old.get(container) != image
        ]
        if after.restarted_at and after.restarted_at != before.restarted_at:
            parts.append("rollout restart")
        phase = "rollout"
        parts = parts or ["pod template"]
    elif before.replicas != after.replicas:
        phase = "scale"
    else:
        phase = "update"
    if before.replicas != after.replicas and after.kind != "DaemonSet":
        parts.append(f"replicas {before.replicas} -> {after.replicas}")
    if before.paused != after.paused:
        parts.append("paused" if after.paused else "resumed")
    return phase, ", ".join(parts) or "spec"


def _counts(entry: FieldManager) -> bool:
    if entry.subresource == "status" or not entry.touches_spec:
        return False
    return entry.manager != _OWN_CONTROLLER or entry.subresource == "scale"


def _name(entry: FieldManager) -> str:
    if entry.manager == _OWN_CONTROLLER and entry.subresource == "scale":
        return "horizontal-pod-autoscaler"  # the only part of it that scales (kubernetes-events 4)
    return entry.manager


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SUMMARY else text[: _MAX_SUMMARY - 1] + "…"
