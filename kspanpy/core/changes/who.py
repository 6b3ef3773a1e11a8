"""Who made a change: what managedFields prove of it, and no more.

managedFields is a weak witness (kubernetes-events 7.13). What can be relied on is how the API server keeps it
(https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management): whoever changes or adds a value owns it from
then on, alone, and its entry's time moves; a field that is removed leaves its owner's entry and no trace of who removed it. So

- an entry counts if it has come, has gained a part or has a newer time - not if it has only lost something;
- of those, the ones that own what has moved, or did, made the change;
- entries of the scale subresource have no time: where none differs and the number has moved, its sole owner has scaled once more;
- else nobody is named. Never is it the newest entry by its time alone: a label that is edited moves the time, too.

This is proof for neighbouring versions, which a watch shows. After a gap, whoever edited a label and owns a part that somebody else
has changed in the meantime can not be told from its author.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from kspanpy.core.model import FieldManager, Object

UNKNOWN = "unknown"
AUTOSCALER = "horizontal-pod-autoscaler"
_OWN_CONTROLLER = "kube-controller-manager"
# Entries that the API server makes by itself: of the oldest updates put together, and of all that was there before the first apply.
# k8s.io/apimachinery/pkg/util/managedfields/internal/{capmanagers,skipnonapplied}.go
_NOBODY = frozenset({"ancient-changes", "before-first-apply"})
_REPLICAS = "replicas"
_MANY = 3


class Author(msgspec.Struct, frozen=True):
    """Who it was, how (Apply, Update), and when, as its entry says."""

    manager: str = UNKNOWN
    operation: str = ""
    time_ns: int | None = None


NOBODY = Author()


def of_change(before: Object, after: Object, moved: Collection[str]) -> Author:
    """Who moved the generation; `moved` are the parts of the spec that differ, empty if that is not known."""
    able = [entry for entry in after.managers if _wishes(entry)]
    wrote = [entry for entry in able if _has_written(entry, before.managers)]
    authors = [entry for entry in wrote if not moved or not entry.parts or _concerned(entry, before.managers, moved)]
    if authors:
        return _together(authors)
    if not wrote and set(moved) == {_REPLICAS}:
        return _same_scaler(after.managers)
    return NOBODY


def of_creation(obj: Object) -> Author:
    """Who made an object of which no wish has changed since."""
    able = [entry for entry in obj.managers if _writes_spec(entry)]
    first = [entry for entry in able if entry.time_ns is not None and entry.time_ns == obj.created_ns]
    # A controller may add to a new object within the second (the volume of a claim); one that is alone made the object.
    others = [entry for entry in first if entry.manager != _OWN_CONTROLLER] or first
    if not others and obj.generation == 1 and len(able) == 1:
        others = able  # it has edited a label since: its time has moved, but nobody else has touched the spec
    return Author(_name(others[0]), others[0].operation, obj.created_ns) if len(others) == 1 else NOBODY


def of_only_change(obj: Object) -> Author:
    """Who changed an object that was seen too late, if it was changed once: whoever owns of its spec and did not create it."""
    if obj.generation != 2:
        return NOBODY
    able = [entry for entry in obj.managers if _writes_spec(entry)]
    creators = [entry for entry in able if entry.time_ns is not None and entry.time_ns == obj.created_ns]
    others = [entry for entry in able if entry not in creators]
    if len(creators) != 1 or len(others) != 1 or not _wishes(others[0]) or others[0].operation != "Update":
        return NOBODY  # who applies what is already there becomes an owner without having changed anything
    return Author(_name(others[0]), others[0].operation)


def newest_time(obj: Object) -> int | None:
    """When a wish was written last, at the latest: a label that its author edited has moved the time, too."""
    return max((e.time_ns for e in obj.managers if _wishes(e) and e.time_ns is not None), default=None)


def is_wish(before: Object, after: Object) -> bool:
    """True if somebody has wished for something, where the generation alone does not tell.

    Kinds without a status subresource move it with every write of their status (an Argo CD Application 17 times for two syncs:
    kubernetes-events 7.14). It is a wish if the spec differs; or, as far as only managedFields are known, if an entry has gained
    something of the spec, or was written again and holds nothing of the status, so that it must have been the spec.
    """
    if before.parts is not None and after.parts is not None:
        return before.parts != after.parts
    for entry in after.managers:
        if not entry.touches_spec or entry.subresource == "status" or entry.manager in _NOBODY:
            continue
        same = [other for other in before.managers if _key(other) == _key(entry) and other.touches_spec]
        if not any(set(entry.parts) <= set(other.parts) for other in same):
            return True
        if not entry.touches_status and _has_written(entry, before.managers):
            return True
    return False


def _writes_spec(entry: FieldManager) -> bool:
    return entry.touches_spec and entry.subresource != "status" and entry.manager not in _NOBODY


def _wishes(entry: FieldManager) -> bool:
    """False for a controller that works on its own object, which is how a wish is fulfilled."""
    return _writes_spec(entry) and (entry.manager != _OWN_CONTROLLER or entry.subresource == "scale")


def _has_written(entry: FieldManager, before: Sequence[FieldManager]) -> bool:
    """True if this entry is new, newer, or has gained something."""
    return not any(
        _key(other) == _key(entry) and other.time_ns == entry.time_ns and set(entry.parts) <= set(other.parts)
        for other in before
    )


def _concerned(entry: FieldManager, before: Sequence[FieldManager], moved: Collection[str]) -> bool:
    """True if it owns or has owned something of what moved: who applies less than before removes its own."""
    earlier = [part for other in before if _key(other) == _key(entry) for part in other.parts]
    return not {*entry.parts, *earlier}.isdisjoint(moved)


def _same_scaler(managers: Sequence[FieldManager]) -> Author:
    """Whoever owns the number alone, by an entry that never has a time and so can not differ."""
    owners = [entry for entry in managers if _REPLICAS in entry.parts]
    if len(owners) == 1 and owners[0].time_ns is None and _wishes(owners[0]):
        return Author(_name(owners[0]), owners[0].operation)
    return NOBODY


def _together(entries: Sequence[FieldManager]) -> Author:
    """One author; or all of them, where versions in between were not seen and each wrote a part."""
    names = sorted({_name(entry) for entry in entries})
    if len(names) > _MANY:
        return NOBODY
    operations = {entry.operation for entry in entries}
    times = [entry.time_ns for entry in entries if entry.time_ns is not None]
    return Author(", ".join(names), operations.pop() if len(operations) == 1 else "", max(times, default=None))


def _key(entry: FieldManager) -> tuple[str, str, str]:
    return entry.manager, entry.operation, entry.subresource


def _name(entry: FieldManager) -> str:
    if entry.manager == _OWN_CONTROLLER and entry.subresource == "scale":
        return AUTOSCALER  # the only part of it that scales (kubernetes-events 4)
    return entry.manager or UNKNOWN
