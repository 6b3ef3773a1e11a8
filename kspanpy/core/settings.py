"""The numbers that the linker works with. Times in seconds, capacities in items."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from kspanpy.core.shard import Shard

TRACEPARENT = "tracing.k8s.io/traceparent"  # KEP-5915


class Limit(StrEnum):
    """A capacity that was reached: something was forgotten, or decided, before its time. A closed list: it is a metric label."""

    OBJECTS = "objects"  # an object was forgotten that is still there
    TOMBSTONES = "tombstones"  # a deleted object was, or one that only Events speak of
    PENDING = "pending"  # what had waited longest was placed on the best knowledge there was
    EVENTS = "events"  # an Event was: a step of it that is shown again would be told again, with the same ids
    OPEN_STORIES = "open_stories"  # the oldest open story was closed as capped; what comes later is its next part
    CLOSED_LIFECYCLES = "closed_lifecycles"  # a closed story was: a late Event of it becomes a story of its own
    EVIDENCE = "evidence"  # the oldest evidence of a cause was forgotten: a link may be missing


class LinkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults are those of design.md; `kspanpy.settings` lets the user change what helps."""

    cluster_uid: str = ""
    service: str = "kubernetes"  # service.name of lifecycle spans
    shard: Shard = Shard()  # whose stories are told
    traceparent: str = "link"  # what to do with a W3C trace context that came with a change: link, parent, ignore
    traceparent_annotations: tuple[str, ...] = ()  # where else than in TRACEPARENT it may stand

    hold_s: float = 1.0  # how long an event waits for a watch that might contradict its place
    structure_hold_s: float = 5.0  # how long something waits for its object or its owners, which a watch should bring
    sure_hold_s: float = 30.0  # ... which must come: somebody has seen them, or the list is not complete
    settle_s: float = 10.0  # how long a workload must stay settled: a pod that crashes at once belongs to its rollout
    linger_s: float = 5.0  # how long nothing may have arrived for a story before it is closed
    quiet_s: float = 30.0  # how long a healthy object must be quiet before its incident is over
    relapse_s: float = 600.0  # ... and one that comes again: so long it takes a kubelet to forget a crash
    rest_s: float = 6.0  # how long all must have been well for the next loss to be another one; drains retry every 5 s
    episode_gap_s: float = (
        360.0  # two events further apart are not one incident where status does not say so: back-off waits 300 s
    )
    story_cap_s: float = 3300.0  # a longer story continues in a linked trace
    memory_s: float = 3600.0  # how long deleted objects and closed stories are remembered: the life of an Event
    skew_s: float = 2.0  # how far a clock may be off before its time is moved to the parent's edge

    max_objects: int = 200_000
    max_tombstones: int = 50_000
    max_pending: int = 20_000
    max_open_stories: int = 20_000
    max_closed_lifecycles: int = 100_000
    max_events_remembered: int = 200_000
    max_evidence: int = 10_000  # of causes whose own stories have not opened yet
    max_chapters: int = 64  # of one object
    max_depth: int = 32  # of an owner chain

    @property
    def traceparent_keys(self) -> tuple[str, ...]:
        """The annotations that are read for a trace context, the first one first."""
        return () if self.traceparent == "ignore" else (TRACEPARENT, *self.traceparent_annotations)
