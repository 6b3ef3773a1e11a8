"""What an imagined cluster did, as a capture file: model values back into the JSON that the API server would have sent."""

from __future__ import annotations

import json
from typing import Any

from kspanpy.core.model import Condition, Container, Event, Object, ObjectReference
from kspanpy.core.steps import EventSeen, ObjectGone, ObjectSeen
from kspanpy.decode import rfc3339
from tests.core.cluster import Cluster

HEADER = {"capture": 1, "kubernetes": "v1.36.3", "cluster": {"uid": "cluster"}}


def capture(cluster: Cluster, note: str) -> str:
    """The lines of the file."""
    lines: list[dict[str, Any]] = [HEADER | {"recorded": rfc3339(cluster.facts[0][0]), "note": note}]
    known: set[str] = set()
    for now_ns, fact in cluster.facts:
        if isinstance(fact, EventSeen):
            uid, thing = fact.event.uid, _event(fact.event)
        elif isinstance(fact, ObjectSeen | ObjectGone):
            uid, thing = fact.object.uid, _object(fact.object)
        else:
            continue
        type_ = "DELETED" if isinstance(fact, ObjectGone) else ("MODIFIED" if uid in known else "ADDED")
        known.add(uid)
        lines.append({"received": rfc3339(now_ns), "type": type_, "object": thing})
    return "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines)


def _time(ns: int | None) -> str | None:
    return None if ns is None else rfc3339(ns)[:19] + "Z"


def _micro(ns: int | None) -> str | None:
    return None if ns is None else rfc3339(ns)


def _metadata(thing: Object | Event) -> dict[str, Any]:
    return {
        "name": thing.name,
        "namespace": thing.namespace,
        "uid": thing.uid,
        "resourceVersion": str(thing.resource_version),
        "creationTimestamp": _time(thing.created_ns),
        "annotations": dict(thing.annotations),
    }


def _reference(reference: ObjectReference) -> dict[str, Any]:
    return {
        "kind": reference.kind,
        "namespace": reference.namespace,
        "name": reference.name,
        "uid": reference.uid,
        "apiVersion": reference.api_version,
        "resourceVersion": str(reference.resource_version or ""),
        "fieldPath": reference.field_path,
    }


def _event(event: Event) -> dict[str, Any]:
    series = {"count": event.series_count, "lastObservedTime": _micro(event.series_last_ns)}
    return _without_nothing(
        {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": _metadata(event),
            "involvedObject": _reference(event.involved),
            "reason": event.reason,
            "message": event.message,
            "type": event.type,
            "reportingComponent": event.component,
            "source": {"host": event.host},
            "eventTime": _micro(event.event_time_ns),
            "firstTimestamp": _time(event.first_ns),
            "lastTimestamp": _time(event.last_ns),
            "count": event.count,
            "series": series if event.series_count else None,
        }
    )


def _object(obj: Object) -> dict[str, Any]:
    owners = [
        {"apiVersion": o.api_version, "kind": o.kind, "name": o.name, "uid": o.uid, "controller": o.controller}
        for o in obj.owners
    ]
    managers = [
        {
            "manager": m.manager,
            "operation": m.operation,
            "subresource": m.subresource,
            "time": _time(m.time_ns),
            "fieldsV1": {"f:spec": {}} if m.touches_spec else {},
        }
        for m in obj.managers
    ]
    metadata = _metadata(obj) | {
        "generation": obj.generation,
        "deletionTimestamp": _time(obj.deletion_ns),
        "deletionGracePeriodSeconds": obj.grace_s,
        "ownerReferences": owners,
        "managedFields": managers,
    }
    spec, status = _pod(obj) if obj.kind == "Pod" else _workload(obj)
    whole = {"kind": obj.kind, "apiVersion": obj.api_version, "metadata": metadata, "spec": spec, "status": status}
    return _without_nothing(whole)


def _pod(obj: Object) -> tuple[dict[str, Any], dict[str, Any]]:
    status = {
        "phase": obj.phase,
        "conditions": [_condition(c) for c in obj.conditions],
        "containerStatuses": [_container(c) for c in obj.containers],
    }
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in obj.claims]
    return {"nodeName": obj.node_name, "restartPolicy": obj.restart_policy, "volumes": volumes}, status


def _workload(obj: Object) -> tuple[dict[str, Any], dict[str, Any]]:
    containers = [{"name": name, "image": image} for name, image in obj.images]
    template = {"metadata": {"annotations": {"t": obj.template}}, "spec": {"containers": containers}}
    target = obj.target
    spec = {
        "replicas": obj.replicas,
        "paused": obj.paused,
        "template": template if obj.template or containers else None,
        "volumeName": obj.volume_name,
        "scaleTargetRef": _reference(target) if target is not None else None,
    }
    status = {
        "observedGeneration": obj.observed_generation,
        "phase": obj.phase,
        "conditions": [_condition(c) for c in obj.conditions],
        "nodeInfo": {"bootID": obj.boot_id} if obj.boot_id else None,
    }
    daemons = {
        "desiredNumberScheduled": obj.replicas,
        "currentNumberScheduled": obj.current,
        "updatedNumberScheduled": obj.updated,
        "numberReady": obj.ready,
        "numberAvailable": obj.available,
    }
    others = {
        "replicas": obj.current,
        "updatedReplicas": obj.updated,
        "readyReplicas": obj.ready,
        "availableReplicas": obj.available,
    }
    return spec, status | (daemons if obj.kind == "DaemonSet" else others)


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": _time(condition.changed_ns),
        "lastUpdateTime": _time(condition.updated_ns),
    }


def _container(container: Container) -> dict[str, Any]:
    times = {"startedAt": _time(container.started_ns), "finishedAt": _time(container.finished_ns)}
    state = {"reason": container.reason, "exitCode": container.exit_code, **times}
    return {"name": container.name, "state": {container.state: state}, "restartCount": container.restarts}


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        inner = {key: item if key == "fieldsV1" else _without_nothing(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in (None, "", {}, [], 0, False)}
    if isinstance(value, list):
        return [_without_nothing(item) for item in value]
    return value
