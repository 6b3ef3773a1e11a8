"""What is read of each kind, as a table: (API group, kind) -> wire struct and the function that picks the model's fields.

Of a kind that is not in the table the metadata is kept, and which parts its spec has. Adding a kind is adding a line to KINDS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from kspanpy.core import model, sanitize
from kspanpy.decode import fields, specs, wire
from kspanpy.decode.altered import first
from kspanpy.decode.metadata import conditions, count, generation, reference, term, text, word
from kspanpy.decode.remembered import remembered
from kspanpy.decode.times import nanoseconds

Fields: TypeAlias = dict[str, Any]

_EXIT_CODE = 2**31


class Row(NamedTuple):
    """How one kind is read. `changes`: its spec may be changed, so it matters who owns which part of it."""

    wire: type[wire.Thing]
    fields: Callable[[Any], Fields]
    changes: bool = True


def other(thing: wire.Other) -> Fields:
    """Metadata, and which parts the spec has."""
    return {"parts": specs.read(thing.spec).parts}


def _number(value: int | None) -> int | None:
    return None if value is None else count(value)


def _workload(thing: wire.Workload) -> Fields:
    return _fields(specs.read(thing.spec), thing.status or wire.WorkloadStatus())


def _fields(spec: specs.Spec, status: wire.WorkloadStatus) -> Fields:
    return {
        "replicas": _number(spec.wire.replicas),
        "paused": spec.wire.paused is True,
        "template": spec.template,
        "images": spec.images,
        "restarted_at": spec.restarted_at,
        "parts": spec.parts,
        "observed_generation": generation(status.observed_generation),
        "current": count(status.replicas),
        "updated": count(status.updated_replicas),
        "ready": count(status.ready_replicas),
        "available": count(status.available_replicas),
        "conditions": conditions(status.conditions),
    }


def _replica_set(thing: wire.Workload) -> Fields:
    status = thing.status or wire.WorkloadStatus()
    return _fields(specs.read(thing.spec), status) | {"updated": count(status.fully_labeled_replicas)}


def _stateful_set(thing: wire.Workload) -> Fields:
    spec = specs.read(thing.spec)
    return _fields(spec, thing.status or wire.WorkloadStatus()) | {"on_delete": _on_delete(spec)}


def _daemon_set(thing: wire.Workload) -> Fields:
    spec, status = specs.read(thing.spec), thing.status or wire.WorkloadStatus()
    return _fields(spec, status) | {
        "replicas": _number(status.desired_number_scheduled),
        "on_delete": _on_delete(spec),
        "current": count(status.current_number_scheduled),
        "updated": count(status.updated_number_scheduled),
        "ready": count(status.number_ready),
        "available": count(status.number_available),
    }


def _on_delete(spec: specs.Spec) -> bool:
    strategy = spec.wire.update_strategy
    if strategy is None:
        return False
    partition = strategy.rolling_update.partition if strategy.rolling_update else None
    return strategy.type == "OnDelete" or count(partition) > 0


def _job(thing: wire.Workload) -> Fields:
    spec, status = specs.read(thing.spec), thing.status or wire.WorkloadStatus()
    return _fields(spec, status) | {
        "replicas": _number(spec.wire.completions),
        "paused": spec.wire.suspend is True,
        "current": count(status.active),
        "ready": count(status.ready),
    }


def _cron_job(thing: wire.Other) -> Fields:
    spec = specs.read(thing.spec)
    return {
        "paused": spec.wire.suspend is True,
        "schedule": text(spec.wire.schedule, fields.SCHEDULE),
        "template": spec.template,
        "images": spec.images,
        "parts": spec.parts,
    }


def _pod(thing: wire.Pod) -> Fields:
    spec, status = thing.spec or wire.PodSpec(), thing.status or wire.PodStatus()
    statuses = (status.container_statuses or []) + (status.init_container_statuses or [])
    pod_name = (thing.metadata.name if thing.metadata else None) or ""
    return {
        "images": specs.images(spec),
        "observed_generation": generation(status.observed_generation),
        "phase": term(status.phase),
        "node_name": word(spec.node_name),
        "restart_policy": term(spec.restart_policy),
        "conditions": conditions(status.conditions),
        "containers": tuple(
            [_container(entry) for entry in first(statuses, fields.MAX_CONTAINERS) if entry is not None and entry.name]
        ),
        "claims": _claims(spec.volumes, pod_name) if spec.volumes else (),
    }


def _claims(volumes: list[wire.Volume | None], pod_name: str) -> tuple[str, ...]:
    names = []
    for volume in volumes:
        if volume is None:
            continue
        if volume.persistent_volume_claim is not None and volume.persistent_volume_claim.claim_name:
            names.append(text(volume.persistent_volume_claim.claim_name, sanitize.NAME))
        elif volume.ephemeral is not None and volume.name:
            # https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#persistentvolumeclaim-naming
            names.append(text(f"{pod_name}-{volume.name}", sanitize.NAME))
    return tuple(first(names, fields.MAX_CLAIMS))


def _make_container(entry: wire.ContainerStatus) -> model.Container:
    now, last = entry.state or wire.ContainerState(), entry.last_state or wire.ContainerState()
    state, reason, code = "", "", None
    started: str | None = None
    finished: str | None = None
    if (terminated := now.terminated) is not None:
        state, reason, code = "terminated", term(terminated.reason), terminated.exit_code
        started, finished = terminated.started_at, terminated.finished_at
    elif now.running is not None:
        state, started = "running", now.running.started_at
    elif now.waiting is not None:
        state, reason = "waiting", term(now.waiting.reason)
    return model.Container(
        name=word(entry.name),
        state=state,
        reason=reason,
        started_ns=nanoseconds(started),
        finished_ns=nanoseconds(finished),
        exit_code=None if code is None else min(max(code, -_EXIT_CODE), _EXIT_CODE - 1),
        restarts=count(entry.restart_count),
        last_reason=term(last.terminated.reason) if last.terminated else "",
        last_finished_ns=nanoseconds(last.terminated.finished_at) if last.terminated else None,
    )


_container = remembered(_make_container, capacity=1024)


def _node(thing: wire.Node) -> Fields:
    status = thing.status or wire.NodeStatus()
    return {
        "conditions": conditions(status.conditions),
        "boot_id": text(status.node_info.boot_id, sanitize.UID) if status.node_info else "",
    }


def _claim(thing: wire.PersistentVolumeClaim) -> Fields:
    spec, status = thing.spec or wire.ClaimSpec(), thing.status or wire.ClaimStatus()
    return {
        "phase": term(status.phase),
        "volume_name": text(spec.volume_name, sanitize.NAME),
        "conditions": conditions(status.conditions),
    }


def _autoscaler(thing: wire.HorizontalPodAutoscaler) -> Fields:
    spec, status = thing.spec or wire.AutoscalerSpec(), thing.status or wire.AutoscalerStatus()
    return {
        "target": None if spec.scale_target_ref is None else reference(spec.scale_target_ref),
        "observed_generation": generation(status.observed_generation),
        "conditions": conditions(status.conditions),
    }


UNKNOWN_KIND = Row(wire.Other, other)

KINDS: dict[tuple[str, str], Row] = {
    ("apps", "Deployment"): Row(wire.Workload, _workload),
    ("apps", "ReplicaSet"): Row(wire.Workload, _replica_set),
    ("", "ReplicationController"): Row(wire.Workload, _replica_set),
    ("apps", "StatefulSet"): Row(wire.Workload, _stateful_set),
    ("apps", "DaemonSet"): Row(wire.Workload, _daemon_set),
    ("batch", "Job"): Row(wire.Workload, _job),
    ("batch", "CronJob"): Row(wire.Other, _cron_job),
    ("", "Pod"): Row(wire.Pod, _pod, changes=False),
    ("", "Node"): Row(wire.Node, _node, changes=False),
    ("", "PersistentVolumeClaim"): Row(wire.PersistentVolumeClaim, _claim),
    ("autoscaling", "HorizontalPodAutoscaler"): Row(wire.HorizontalPodAutoscaler, _autoscaler),
}

EVENT_GROUPS = frozenset({"", "events.k8s.io"})


def group(api_version: str) -> str:
    """The API group of an apiVersion: `apps/v1` -> `apps`, `v1` -> the core group, which has no name."""
    return api_version.partition("/")[0] if "/" in api_version else ""


def is_event(kind: str, api_version: str) -> bool:
    """A Kubernetes Event, and not a custom resource that is called so."""
    return kind == "Event" and group(api_version) in EVENT_GROUPS


def row(kind: str, api_version: str) -> Row:
    """How to read a kind that is not an Event."""
    return KINDS.get((group(api_version), kind), UNKNOWN_KIND)
