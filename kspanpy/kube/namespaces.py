"""Which collections are watched for a choice of namespaces, and what of them is wanted.

Events about objects without a namespace (Nodes, volumes) are stored in the namespace `default`. So a choice that leaves `default` out
watches its Events nevertheless, and keeps of them only those about such objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from kspanpy.core.model import Event, Object
from kspanpy.kube.resources import EVENTS, Resource
from kspanpy.kube.settings import WatchSettings

DEFAULT: Final = "default"


class Target(msgspec.Struct, frozen=True, gc=False):
    """One collection to watch. `namespace` is empty for all of them; `unscoped`: only Events about objects without one."""

    resource: Resource
    namespace: str = ""
    unscoped: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Kind and namespace: what a cursor belongs to."""
        return self.resource.kind, self.namespace


def targets(resources: Iterable[Resource], settings: WatchSettings) -> list[Target]:
    """What to watch."""
    included = [name for name in dict.fromkeys(settings.include) if name not in settings.exclude]
    if not settings.include:
        return [Target(resource) for resource in resources]
    found: list[Target] = []
    for resource in resources:
        if not resource.namespaced:
            found.append(Target(resource))
            continue
        found.extend(Target(resource, name) for name in included)
        if resource == EVENTS and DEFAULT not in included:
            found.append(Target(resource, DEFAULT, unscoped=True))
    return found


def wanted(thing: Object | Event, target: Target, *, exclude: frozenset[str]) -> bool:
    """Whether the choice of namespaces wants it."""
    if isinstance(thing, Event):
        if not thing.involved.namespace:
            return True
        return not target.unscoped and thing.namespace not in exclude and thing.involved.namespace not in exclude
    return thing.namespace not in exclude


class ProgressMerger:
    """The progress of a kind is that of its slowest watch, since nothing older of the *kind* may still come."""

    def __init__(self, watched: Iterable[Target]) -> None:
        self._versions: dict[str, dict[Target, int]] = {}
        self._expected: dict[str, set[Target]] = {}
        for target in watched:
            self._expected.setdefault(target.resource.kind, set()).add(target)

    def moved(self, target: Target, version: int) -> int | None:
        """The kind's new version, if it has moved with this watch's."""
        kind = target.resource.kind
        versions = self._versions.setdefault(kind, {})
        before = self._least(kind)
        versions[target] = max(version, versions.get(target, 0))
        after = self._least(kind)
        return after if after is not None and (before is None or after > before) else None

    def absent(self, target: Target) -> int | None:
        """Do not wait for a watch that has nothing to show, since it may not be read. The kind's new version, if it has moved."""
        kind = target.resource.kind
        if target in self._versions.get(kind, {}) or target not in self._expected.get(kind, set()):
            return None
        self._expected[kind].discard(target)
        return self._least(kind)

    def _least(self, kind: str) -> int | None:
        versions = self._versions.get(kind, {})
        complete = versions and versions.keys() >= self._expected.get(kind, set())
        return min(versions.values()) if complete else None
