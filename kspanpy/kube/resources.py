"""Which resources are watched, and where the API server serves them.

One table, because the ClusterRole in deploy/ has to grant exactly this and a test compares the two. Events are read as core/v1,
never as events.k8s.io as well: both serve the same stored objects, so every event would be seen twice under one uid.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Resource(msgspec.Struct, frozen=True, gc=False):
    """One watched resource. `group` is empty for core."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """As objects write it: `v1`, `apps/v1`."""
        return api_version(self.group, self.version)

    def path(self, namespace: str = "") -> str:
        """The collection's path; without a namespace, the one of all namespaces."""
        return collection_path(self.group, self.version, self.plural, namespace=namespace if self.namespaced else "")


def api_version(group: str, version: str) -> str:
    """`group/version`, and only the version for core."""
    return f"{group}/{version}" if group else version


def group_path(group: str, version: str) -> str:
    """Where the API server lists the resources of a group version."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def collection_path(group: str, version: str, plural: str, *, namespace: str = "") -> str:
    """Where a collection is served. The parts must be safe for a path already."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{group_path(group, version)}{scope}/{plural}"


EVENTS: Final = Resource("", "v1", "events", "Event", namespaced=True)

WATCHED: Final = (
    EVENTS,
    Resource("", "v1", "pods", "Pod", namespaced=True),
    Resource("", "v1", "nodes", "Node", namespaced=False),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", namespaced=True),
    Resource("apps", "v1", "deployments", "Deployment", namespaced=True),
    Resource("apps", "v1", "replicasets", "ReplicaSet", namespaced=True),
    Resource("apps", "v1", "statefulsets", "StatefulSet", namespaced=True),
    Resource("apps", "v1", "daemonsets", "DaemonSet", namespaced=True),
    Resource("batch", "v1", "jobs", "Job", namespaced=True),
    Resource("batch", "v1", "cronjobs", "CronJob", namespaced=True),
    Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", namespaced=True),
)
