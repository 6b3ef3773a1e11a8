"""Which pod template had which revision: a Deployment's ReplicaSets say it, and move it when one of them is used again.

A rollback is told by the number that the template had when the Deployment was changed. The ReplicaSet's new number may have
been seen before the change itself (each kind has its own watch), so numbers are kept with their place in the store's order.
"""

from __future__ import annotations

from collections import OrderedDict

from kspanpy.core.model import Object

_REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_MAX_REPLICASETS = 32  # of one Deployment
_MAX_NUMBERS = 16  # of one ReplicaSet


class _ReplicaSet:
    __slots__ = ("numbers", "template")

    def __init__(self, template: str) -> None:
        self.template = template
        self.numbers: list[tuple[int, str]] = []  # (resourceVersion from which on it had it, revision), the newest few


class Revisions:
    """Of the Deployments that were heard of last, at most `capacity`."""

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._owners: OrderedDict[tuple[str, str], dict[str, _ReplicaSet]] = OrderedDict()  # by namespace and uid

    def note(self, obj: Object) -> None:
        """A version of an object; only ReplicaSets that a Deployment owns say anything."""
        if obj.kind != "ReplicaSet" or not obj.template or obj.resource_version is None:
            return
        number = obj.annotations.get(_REVISION)
        if not number:
            return
        uid = next((owner.uid for owner in obj.owners if owner.kind == "Deployment"), "")
        if not uid:
            return
        owner = obj.namespace, uid
        siblings = self._owners.setdefault(owner, {})
        known = siblings.get(obj.uid)
        if known is None:
            known = siblings[obj.uid] = _ReplicaSet(obj.template)
            if earlier := obj.annotations.get(_HISTORY, "").rpartition(",")[2]:
                known.numbers.append((0, earlier))
            self._shrink(owner, siblings)
        if not known.numbers or known.numbers[-1][1] != number:
            known.numbers = [*known.numbers, (obj.resource_version, number)][-_MAX_NUMBERS:]

    def gone(self, obj: Object) -> None:
        """A ReplicaSet or its Deployment is deleted."""
        self._owners.pop((obj.namespace, obj.uid), None)
        for owner in obj.owners:
            self._owners.get((obj.namespace, owner.uid), {}).pop(obj.uid, None)

    def of(self, deployment: Object) -> str:
        """The number that the template of this version of a Deployment had before; empty if it is a new one."""
        rv = deployment.resource_version
        found = ""
        for known in self._owners.get((deployment.namespace, deployment.uid), {}).values():
            if known.template == deployment.template and rv is not None:
                found = next((number for since, number in reversed(known.numbers) if since < rv), found)
        return found

    def _shrink(self, owner: tuple[str, str], siblings: dict[str, _ReplicaSet]) -> None:
        self._owners.move_to_end(owner)
        if len(siblings) > _MAX_REPLICASETS:
            del siblings[next(iter(siblings))]
        if len(self._owners) > self._capacity:
            self._owners.popitem(last=False)
