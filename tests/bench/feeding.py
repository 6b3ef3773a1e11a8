"""What the stages are fed with, in virtual time: watch lines of a cluster that is always the same, and a linker that has seen its lists."""

from __future__ import annotations

import json
from typing import Final

from kspanpy.core.linker import Linker
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import Input, ObjectSeen, WatchProgress
from kspanpy.decode import Malformed, object_from, to_step, watch_line
from tests.bench.cluster import Cluster

EPOCH_NS: Final = 1_800_000_000_000_000_000
A_SECOND: Final = 500  # events of virtual time
BATCH: Final = 512  # spans of a request


def at_ns(number: int) -> int:
    """When that event was written, in virtual time."""
    return EPOCH_NS + number * (1_000_000_000 // A_SECOND)


def cluster(pods: int, deployments: int) -> Cluster:
    """As the server has it, at a time that is always the same."""
    return Cluster({"pods": pods, "deployments": deployments, "quiet": 20, "now_ns": EPOCH_NS})


def lines(made: Cluster, first: int, count: int) -> list[bytes]:
    """Watch lines of so many Events."""
    return [made.event(number, at_ns(number)) for number in range(first, first + count)]


def step(line: bytes) -> Input:
    """A watch line, decoded."""
    change = watch_line(line)
    fact = to_step(change.type, change.object)  # type: ignore[union-attr]
    assert fact is not None
    return fact


def linker_of(made: Cluster) -> Linker:
    """A linker that has seen the lists."""
    linker = Linker(LinkerSettings(cluster_uid="c"))
    for kind in ("Node", "Deployment", "ReplicaSet", "Pod"):
        for item in made.items(kind):
            thing = object_from(json.dumps(item).encode())
            assert not isinstance(thing, Malformed)
            linker.step(ObjectSeen(thing), EPOCH_NS)  # type: ignore[arg-type]
    for kind in (
        "Node",
        "Deployment",
        "ReplicaSet",
        "Pod",
        "Job",
        "CronJob",
        "StatefulSet",
        "DaemonSet",
        "PersistentVolumeClaim",
    ):
        linker.step(WatchProgress(kind, made.version), EPOCH_NS)
    linker.step(WatchProgress("HorizontalPodAutoscaler", made.version), EPOCH_NS)
    return linker
