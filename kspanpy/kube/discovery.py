"""Which collection serves a kind: the API server's own lists of resources, remembered.

What is asked for comes from ownerReferences, which any tenant may write: group versions, kinds and names are held to the grammar of
Kubernetes before they become part of a path.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final

import msgspec

from kspanpy.core.model import ObjectReference
from kspanpy.kube.client import Client
from kspanpy.kube.failures import FailureReason, TransportError, of_status
from kspanpy.kube.resources import Resource, group_path

_GROUP: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_VERSION: Final = re.compile(r"[a-z0-9]{1,63}")
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")
_KEPT_S: Final = 600.0
_MISSED_S: Final = 60.0


class Discovery:
    """The resources of each group version that was asked for, for ten minutes; a kind that is missing is asked for again sooner."""

    def __init__(self, client: Client, *, capacity: int = 128) -> None:
        self._client = client
        self._capacity = capacity
        self._cache: OrderedDict[tuple[str, str], tuple[float, dict[str, Resource]]] = OrderedDict()

    def cached(self, reference: ObjectReference, *, now: float) -> bool:
        """Whether `resource` would answer without a request."""
        entry = self._cache.get(_group_version(reference.api_version) or ("", ""))
        return entry is not None and self._fresh(entry, reference.kind, now)

    def resource(self, reference: ObjectReference, *, now: float) -> Resource | None:
        """The collection of this kind, None when there is none; TransportError when the API server does not say."""
        group_version = _group_version(reference.api_version)
        if group_version is None or not _KIND.fullmatch(reference.kind):
            return None
        entry = self._cache.get(group_version)
        if entry is None or not self._fresh(entry, reference.kind, now):
            entry = (now, self._fetch(*group_version))
            self._cache[group_version] = entry
            while len(self._cache) > self._capacity:
                self._cache.popitem(last=False)
        self._cache.move_to_end(group_version)
        return entry[1].get(reference.kind)

    @staticmethod
    def _fresh(entry: tuple[float, dict[str, Resource]], kind: str, now: float) -> bool:
        return now - entry[0] < (_KEPT_S if kind in entry[1] else _MISSED_S)

    def _fetch(self, group: str, version: str) -> dict[str, Resource]:
        response = self._client.get(group_path(group, version))
        if response.status == 404:
            return {}
        if response.status != 200:
            raise TransportError(of_status(response.status))
        try:
            found = _decoder.decode(response.body).resources
        except (msgspec.MsgspecError, UnicodeError):
            raise TransportError(FailureReason.UNREADABLE) from None
        return {
            item.kind: Resource(group, version, item.name, item.kind, namespaced=item.namespaced)
            for item in found
            if "/" not in item.name and _SEGMENT.fullmatch(item.name)
        }


def object_path(resource: Resource, reference: ObjectReference) -> str | None:
    """Where the object is served, if its names can be those of an object."""
    if not _SEGMENT.fullmatch(reference.name) or ".." in reference.name:
        return None
    if not resource.namespaced:
        return f"{resource.path()}/{reference.name}"
    if not _SEGMENT.fullmatch(reference.namespace) or ".." in reference.namespace:
        return None
    return f"{resource.path(reference.namespace)}/{reference.name}"


def _group_version(api_version: str) -> tuple[str, str] | None:
    group, _, version = api_version.rpartition("/")
    if not _VERSION.fullmatch(version) or (group and not _GROUP.fullmatch(group)) or ".." in group:
        return None
    return group, version


class _Item(msgspec.Struct, gc=False):
    name: str
    kind: str
    namespaced: bool


class _ResourceList(msgspec.Struct, gc=False):
    resources: list[_Item]


_decoder = msgspec.json.Decoder(_ResourceList)
