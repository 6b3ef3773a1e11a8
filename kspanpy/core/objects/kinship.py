"""Owners of objects that nobody can show, from what Events say of them and from names.

Where an object can be read, its ownerReferences lead and nothing here is asked. Where it can not (no right to read it, deleted before
anybody looked, a mere list of Events), the best witness is a controller's Event that names it ("Created pod: web-6d4-x7k2p"), if
the name begins with its owner's; after that a name that looks like one of a known owner. Both are marked as guesses.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum

from kspanpy.core.model import SECOND, ObjectReference, OwnerReference
from kspanpy.core.objects import naming
from kspanpy.core.objects.catalog import Catalog, Record

Name = tuple[str, str, str]  # kind, namespace, name
_OWNERS = frozenset({"ReplicaSet", "DaemonSet", "StatefulSet", "Job", "ReplicationController", "Deployment", "CronJob"})
_ABOUT_NS = 2 * SECOND


class Confidence(StrEnum):
    """How an owner is known, where no ownerReference tells."""

    MEDIUM = "medium"  # its controller's Event names the object
    LOW = "low"  # by its name


class Kinship:
    """Who is said to own whom."""

    def __init__(self, catalog: Catalog, *, capacity: int) -> None:
        self._catalog = catalog
        self._capacity = capacity
        self._said: OrderedDict[Name, OwnerReference] = OrderedDict()
        self._deleted: OrderedDict[Name, int] = OrderedDict()  # what its owner is said to have deleted, and when
        self._met: OrderedDict[Name, OwnerReference] = OrderedDict()  # what Events were about: a name and its uid

    def meet(self, reference: ObjectReference) -> None:
        """An Event is about this object."""
        if reference.uid and reference.kind in _OWNERS:
            name = reference.kind, reference.namespace, reference.name
            self._met[name] = OwnerReference(
                reference.api_version, reference.kind, reference.name, reference.uid, controller=True
            )
            if len(self._met) > self._capacity:
                self._met.popitem(last=False)

    def hear(self, kind: str, namespace: str, name: str, owner: OwnerReference, deleted_ns: int | None = None) -> None:
        """An Event of `owner` names an object as its own, perhaps as one that it deleted at that time."""
        if not naming.agrees(owner.name, name):
            return
        key = kind, namespace, name
        self._said[key] = owner
        self._said.move_to_end(key)
        if len(self._said) > self._capacity:
            self._said.popitem(last=False)
        if deleted_ns is not None:
            self._deleted[key] = deleted_ns
            if len(self._deleted) > self._capacity:
                self._deleted.popitem(last=False)

    def deleted_by_owner(self, record: Record, at_ns: int) -> bool:
        """True if its owner is said to have deleted it about then."""
        deleted_ns = self._deleted.get(record.name_key)
        return deleted_ns is not None and abs(deleted_ns - at_ns) <= _ABOUT_NS

    def owner_of(self, record: Record) -> tuple[OwnerReference, Confidence] | None:
        """The owner of an object that nobody has shown."""
        kind, namespace, name = record.name_key
        said = self._said.get((kind, namespace, name))
        if said is not None and said.uid != record.uid:
            return said, Confidence.MEDIUM
        candidates = naming.owners(kind, name)
        for owner_kind, owner_name, _ in candidates:
            known = self._catalog.named(owner_kind, namespace, owner_name)
            met = _reference(known[-1]) if known else self._met.get((owner_kind, namespace, owner_name))
            if met is not None:
                return met, Confidence.LOW
        for owner_kind, owner_name, api_version in candidates:
            # A ReplicaSet's name ends with a hash of its template, so a Pod's looks like no other kind's.
            hashed = owner_kind == "ReplicaSet" and naming.owners("ReplicaSet", owner_name)
            if hashed or owner_kind == "Deployment":
                uid = f"{owner_kind}/{namespace}/{owner_name}"
                return OwnerReference(api_version, owner_kind, owner_name, uid, controller=True), Confidence.LOW
        return None


def _reference(record: Record) -> OwnerReference:
    obj = record.object
    return OwnerReference(obj.api_version, obj.kind, obj.name, record.uid, controller=True)
