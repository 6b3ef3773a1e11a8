"""Kubernetes JSON as it comes over the wire: only the fields that are read, each of which may be missing or null.

Unknown fields are skipped by msgspec without being decoded. `Raw` fields are decoded later or only searched: `NOTHING`
stands for a missing one. Field names are those of the Kubernetes API, in snake case.
"""
# ruff: noqa: D101 - the API reference describes them

from __future__ import annotations

import msgspec

NOTHING = msgspec.Raw(b"")


class Wire(msgspec.Struct, rename="camel", gc=False):
    """The base: camel case on the wire."""


class Part(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """The base of what comes again and again in equal form, so that what is made of it is `remembered`."""


class OwnerReference(Part, frozen=True):
    api_version: str | None = None
    kind: str | None = None
    name: str | None = None
    uid: str | None = None
    controller: bool | None = None


class ManagedFields(Wire):
    manager: str | None = None
    operation: str | None = None
    subresource: str | None = None
    time: str | None = None
    fields: msgspec.Raw = msgspec.field(default=NOTHING, name="fieldsV1")


class ShortMetadata(Wire):
    """What is read of an Event's: the rest would be decoded for nothing."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    creation_timestamp: str | None = None
    annotations: dict[str, str | None] | None = None


class Metadata(ShortMetadata):
    generation: int | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str | None] | None = None
    owner_references: list[OwnerReference | None] | None = None
    managed_fields: list[ManagedFields | None] | None = None


class AnyThing(Wire):
    """What all have."""

    kind: str | None = None
    api_version: str | None = None
    metadata: ShortMetadata | None = None


class Thing(AnyThing):
    """Any object: its metadata only."""

    metadata: Metadata | None = None


class ObjectReference(Part, frozen=True):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    api_version: str | None = None
    resource_version: str | None = None
    field_path: str | None = None


class EventSource(Wire):
    component: str | None = None
    host: str | None = None


class EventSeries(Wire):
    count: int | None = None
    last_observed_time: str | None = None


class Event(AnyThing):
    """core/v1, and the names that events.k8s.io/v1 has for the same fields."""

    involved_object: ObjectReference | None = None
    related: ObjectReference | None = None
    reason: str | None = None
    message: str | None = None
    type: str | None = None
    action: str | None = None
    source: EventSource | None = None
    reporting_component: str | None = None
    reporting_instance: str | None = None
    count: int | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    series: EventSeries | None = None

    regarding: ObjectReference | None = None
    note: str | None = None
    reporting_controller: str | None = None
    deprecated_source: EventSource | None = None
    deprecated_count: int | None = None
    deprecated_first_timestamp: str | None = None
    deprecated_last_timestamp: str | None = None


class Condition(Part, frozen=True):
    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None
    last_update_time: str | None = None


class TemplateContainer(Part, frozen=True):
    name: str | None = None
    image: str | None = None


class TemplateMetadata(Wire):
    annotations: dict[str, str | None] | None = None


class TemplateSpec(Wire):
    containers: list[TemplateContainer | None] | None = None
    init_containers: list[TemplateContainer | None] | None = None


class PodTemplate(Wire):
    metadata: TemplateMetadata | None = None
    spec: TemplateSpec | None = None


class RollingUpdate(Wire):
    partition: int | None = None


class UpdateStrategy(Wire):
    type: str | None = None
    rolling_update: RollingUpdate | None = None


class WorkloadSpec(Wire):
    """Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob: the names do not collide."""

    replicas: int | None = None
    paused: bool | None = None
    update_strategy: UpdateStrategy | None = None
    completions: int | None = None
    suspend: bool | None = None
    schedule: str | None = None
    template: msgspec.Raw = NOTHING
    job_template: msgspec.Raw = NOTHING


class JobTemplateSpec(Wire):
    template: msgspec.Raw = NOTHING


class JobTemplate(Wire):
    spec: JobTemplateSpec | None = None


class WorkloadStatus(Wire):
    observed_generation: int | None = None
    replicas: int | None = None
    updated_replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    fully_labeled_replicas: int | None = None
    desired_number_scheduled: int | None = None
    current_number_scheduled: int | None = None
    updated_number_scheduled: int | None = None
    number_ready: int | None = None
    number_available: int | None = None
    active: int | None = None
    ready: int | None = None
    succeeded: int | None = None
    conditions: list[Condition | None] | None = None


class Workload(Thing):
    spec: msgspec.Raw = NOTHING  # see `specs`
    status: WorkloadStatus | None = None


class Other(Thing):
    """Any kind that nothing is known about."""

    spec: msgspec.Raw = NOTHING


class WaitingState(Part, frozen=True):
    reason: str | None = None


class RunningState(Part, frozen=True):
    started_at: str | None = None


class TerminatedState(Part, frozen=True):
    reason: str | None = None
    exit_code: int | None = None
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(Part, frozen=True):
    waiting: WaitingState | None = None
    running: RunningState | None = None
    terminated: TerminatedState | None = None


class ContainerStatus(Part, frozen=True):
    name: str | None = None
    restart_count: int | None = None
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class ClaimSource(Wire):
    claim_name: str | None = None


class EphemeralSource(Wire):
    """Its claim is named after the Pod and the volume."""


class Volume(Wire):
    name: str | None = None
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: EphemeralSource | None = None


class PodSpec(TemplateSpec):
    node_name: str | None = None
    restart_policy: str | None = None
    volumes: list[Volume | None] | None = None


class PodStatus(Wire):
    phase: str | None = None
    observed_generation: int | None = None
    conditions: list[Condition | None] | None = None
    container_statuses: list[ContainerStatus | None] | None = None
    init_container_statuses: list[ContainerStatus | None] | None = None


class Pod(Thing):
    spec: PodSpec | None = None
    status: PodStatus | None = None


class NodeInfo(Wire):
    boot_id: str | None = msgspec.field(default=None, name="bootID")


class NodeStatus(Wire):
    conditions: list[Condition | None] | None = None
    node_info: NodeInfo | None = None


class Node(Thing):
    status: NodeStatus | None = None


class ClaimSpec(Wire):
    volume_name: str | None = None


class ClaimStatus(Wire):
    phase: str | None = None
    conditions: list[Condition | None] | None = None


class PersistentVolumeClaim(Thing):
    spec: ClaimSpec | None = None
    status: ClaimStatus | None = None


class AutoscalerSpec(Wire):
    scale_target_ref: ObjectReference | None = None


class AutoscalerStatus(Wire):
    observed_generation: int | None = None
    current_replicas: int | None = None
    desired_replicas: int | None = None
    conditions: list[Condition | None] | None = None


class HorizontalPodAutoscaler(Thing):
    spec: AutoscalerSpec | None = None
    status: AutoscalerStatus | None = None


class WatchEvent(Wire):
    type: str | None = None
    object: msgspec.Raw = NOTHING
    kind: str | None = None


class StatusDetails(Wire):
    retry_after_seconds: int | None = None


class Status(Wire):
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""

    kind: str | None = None
    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: StatusDetails | None = None


class ListMetadata(Wire):
    resource_version: str | None = None
    continue_token: str | None = msgspec.field(default=None, name="continue")


class List(Wire):
    kind: str | None = None
    api_version: str | None = None
    metadata: ListMetadata | None = None
    items: list[msgspec.Raw] | None = None
