"""Which object an Event is about, although its reference may be half empty or wrong (kubernetes-events 1.9).

- A uid counts in the namespace of the Event, which the API server has checked: elsewhere it is a lie.
- Node: kubelets write the node's *name* as uid, or none; the name decides.
- Static Pod: the uid is a hash of its file; the mirror Pod carries that hash in an annotation.
- No uid (TaintManagerEviction and others): the newest object of that name that was alive at the time.
"""

from __future__ import annotations

from kspanpy.core.model import SECOND, ObjectReference
from kspanpy.core.objects.catalog import Catalog, Record, group_of

_BY_NAME = frozenset({"Node"})
_CONFIG_HASH = ("kubernetes.io/config.hash", "kubernetes.io/config.mirror")


def find(catalog: Catalog, reference: ObjectReference, at_ns: int) -> Record | None:
    """The record that the reference means, if it is known by now."""
    if reference.uid:
        record = catalog.get(reference.uid, reference.namespace)
        if record is not None:
            return record
    if reference.uid and reference.kind not in _BY_NAME:
        if reference.kind != "Pod":
            return None
        for record in catalog.named("Pod", reference.namespace, reference.name):
            if any(record.object.annotations.get(key) == reference.uid for key in _CONFIG_HASH):
                return record
        return None
    group = group_of(reference.api_version) if reference.api_version else None
    return alive_at(catalog.named(reference.kind, reference.namespace, reference.name, group=group), at_ns)


def namesake(catalog: Catalog, reference: ObjectReference, at_ns: int) -> Record | None:
    """The object of that name that was there at the time, for a uid that is nobody's: some writers make uids up."""
    for record in reversed(catalog.named(reference.kind, reference.namespace, reference.name)):
        gone = record.gone_ns is not None and record.gone_ns < at_ns
        if record.real and not gone and (record.object.created_ns or 0) <= at_ns + SECOND:
            return record
    return None


def alive_at(records: list[Record], at_ns: int) -> Record | None:
    """Of several objects of one name, oldest first, the newest that had been created by then."""
    for record in reversed(records):
        if (record.object.created_ns or 0) <= at_ns + SECOND:
            return record
    return records[0] if records else None
