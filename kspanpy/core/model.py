"""The nouns of kspanpy: what was seen of the cluster, and what is told about it.

Everything here is a frozen value. The decoder (`kspanpy.decode`) makes `Object` and `Event` out of Kubernetes JSON, with text
already sanitised and bounded; the linker (`kspanpy.core.linker`) makes `Span` out of them; the exporters only read spans.

Times are integers: nanoseconds since the Unix epoch, UTC. `None` means that the cluster did not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

AttributeValue: TypeAlias = str | int | float | bool

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class ObjectReference(msgspec.Struct, frozen=True, gc=False):
    """A pointer as an Event writes it: every field may be empty, and the uid may lie (`core.objects.identity`).

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-reference/
    """

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    resource_version: int | None = None
    field_path: str = ""


class OwnerReference(msgspec.Struct, frozen=True, gc=False):
    """One entry of metadata.ownerReferences. The owner is in the namespace of its child, or cluster-scoped."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


PART_DIGEST = 8  # bytes


class Parts(msgspec.Struct, frozen=True, gc=False):
    """What a spec consists of: paths such as `replicas` or `template/containers/app/env`, and a digest of each one's value.

    Two flat fields because there are many of them: the names are shared by all objects of one shape.
    """

    names: tuple[str, ...]
    digests: bytes  # PART_DIGEST bytes for each name

    def as_dict(self) -> dict[str, bytes]:
        """Name -> digest."""
        return {
            name: self.digests[place * PART_DIGEST : (place + 1) * PART_DIGEST] for place, name in enumerate(self.names)
        }


class FieldManager(msgspec.Struct, frozen=True, gc=False):
    """What one entry of metadata.managedFields says of who changed the object; `time_ns` is missing for `kubectl scale`."""

    manager: str
    operation: str
    subresource: str
    time_ns: int | None
    touches_spec: bool
    touches_status: bool = False
    parts: tuple[str, ...] = ()  # of the spec, named as in `Parts`, that it owns; empty for Pods and Nodes


class Condition(msgspec.Struct, frozen=True, gc=False):
    """One entry of status.conditions. `changed_ns`: lastTransitionTime; `updated_ns`: lastUpdateTime (Deployments only)."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    changed_ns: int | None = None
    updated_ns: int | None = None


class Container(msgspec.Struct, frozen=True, gc=False):
    """One entry of a Pod's status.(init)containerStatuses."""

    name: str
    state: str = ""  # waiting, running, terminated
    reason: str = ""  # of the waiting or terminated state: CrashLoopBackOff, OOMKilled, Error ...
    started_ns: int | None = None
    finished_ns: int | None = None
    exit_code: int | None = None
    restarts: int = 0
    last_reason: str = ""  # why it ended the time before
    last_finished_ns: int | None = None


class Object(msgspec.Struct, frozen=True, gc=False):
    """One version of one watched object: its metadata, and the few spec and status fields that decide its lifecycle.

    One flat struct serves every kind: a field that a kind does not have keeps its default.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: int | None = None
    generation: int = 0
    created_ns: int | None = None
    deletion_ns: int | None = None  # metadata.deletionTimestamp: when it shall be gone, not when the deletion began
    grace_s: int = 0  # metadata.deletionGracePeriodSeconds
    owners: tuple[OwnerReference, ...] = ()
    managers: tuple[FieldManager, ...] = ()
    labels: Mapping[str, str] = {}  # only the keys of `decode.fields.LABELS`
    annotations: Mapping[str, str] = {}  # only the keys of `decode.fields.ANNOTATIONS`

    # Workloads (Deployment, ReplicaSet, StatefulSet, DaemonSet, Job)
    replicas: int | None = None  # spec.replicas; DaemonSet: status.desiredNumberScheduled; Job: spec.completions
    paused: bool = False  # spec.paused; Job, CronJob: spec.suspend
    on_delete: bool = False  # spec.updateStrategy is OnDelete, or has a partition: not every pod will be updated
    template: str = ""  # digest of spec.template, without pod-template-hash; empty where the kind has none
    images: tuple[tuple[str, str], ...] = ()  # (container, image) of spec.template, or of a Pod's spec
    restarted_at: str = ""  # spec.template annotation kubectl.kubernetes.io/restartedAt
    schedule: str = ""  # of a CronJob
    parts: Parts | None = None  # of spec; None for kinds whose changes are not told
    observed_generation: int = 0
    current: int = 0  # status.replicas; DaemonSet: currentNumberScheduled
    updated: int = 0  # status.updatedReplicas / updatedNumberScheduled; ReplicaSet: fullyLabeledReplicas
    ready: int = 0  # status.readyReplicas / numberReady
    available: int = 0  # status.availableReplicas / numberAvailable

    # Pods, Nodes, claims, autoscalers
    phase: str = ""  # status.phase of Pods and claims
    node_name: str = ""
    restart_policy: str = ""
    conditions: tuple[Condition, ...] = ()
    containers: tuple[Container, ...] = ()
    claims: tuple[str, ...] = ()  # names of the PersistentVolumeClaims that a Pod mounts
    volume_name: str = ""  # of a bound claim
    boot_id: str = ""  # of a Node
    target: ObjectReference | None = None  # spec.scaleTargetRef of an autoscaler

    @property
    def deletion_began_ns(self) -> int | None:
        """When it was asked to go: its deletionTimestamp without the grace period; None where that is no time."""
        if self.deletion_ns is None:
            return None
        began_ns = self.deletion_ns - self.grace_s * SECOND
        return began_ns if began_ns > 0 else None

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if the object has it."""
        for condition in self.conditions:
            if condition.type == type_:
                return condition
        return None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One version of a core/v1 Event. Which of the times and counts are set depends on who wrote it: see `core.timing`."""

    uid: str
    name: str
    namespace: str
    involved: ObjectReference
    reason: str = ""
    message: str = ""
    type: str = ""
    action: str = ""
    component: str = ""  # reportingComponent, else source.component
    instance: str = ""  # reportingInstance
    host: str = ""  # source.host: a node's name for kubelet events
    related: ObjectReference | None = None
    resource_version: int | None = None
    count: int = 0
    first_ns: int | None = None  # firstTimestamp, whole seconds
    last_ns: int | None = None  # lastTimestamp, whole seconds
    event_time_ns: int | None = None  # eventTime, microseconds
    series_count: int = 0
    series_last_ns: int | None = None  # series.lastObservedTime, microseconds
    created_ns: int | None = None  # metadata.creationTimestamp, whole seconds
    annotations: Mapping[str, str] = {}  # only the keys of `decode.fields.ANNOTATIONS`


class Link(msgspec.Struct, frozen=True, gc=False):
    """A cause: a pointer to a span of another trace. `relation` says which cause (attribute kspanpy.link.relation)."""

    trace_id: bytes
    span_id: bytes
    relation: str


class Span(msgspec.Struct, frozen=True, gc=False):
    """A finished span, as it will be sent, once.

    trace_id has 16 bytes, span_id and parent_id 8; `parent_id` is empty for a root. `error` is the status description of a
    failed span, empty for status Unset. `service` becomes the resource's service.name.
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    service: str
    start_ns: int
    end_ns: int
    attributes: dict[str, AttributeValue]
    error: str = ""
    links: tuple[Link, ...] = ()
