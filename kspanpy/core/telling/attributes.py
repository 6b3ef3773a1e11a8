"""Span names and attributes. Every name and key that kspanpy can write is made here; `docs/spans.md` lists them.

Names are low-cardinality and come from a closed grammar (`sanitize.identifier`): what the cluster calls things goes into
attributes. Only what every replica and every order of arrival agrees on may be written: a retried span is byte-identical.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from kspanpy.core import sanitize
from kspanpy.core.changes.change import Change
from kspanpy.core.model import AttributeValue, Event, Span
from kspanpy.core.objects.catalog import Line, Record
from kspanpy.core.rules import problems
from kspanpy.core.stories.shape import Chapter, Lifecycle, Story
from kspanpy.core.timing import Occurrence, rfc3339
from kspanpy.core.verdicts import stages
from kspanpy.core.verdicts.verdict import Verdict

# Kinds whose uid and name have a key of their own in the semantic conventions; others follow by analogy.
# https://opentelemetry.io/docs/specs/semconv/resource/k8s/
_KIND_KEYS = {
    "PersistentVolumeClaim": "persistentvolumeclaim",
    "HorizontalPodAutoscaler": "hpa",
}
# Whoever writes an Event chooses the kind that it is about: none may look like what a span says of its Event or its own object.
_TAKEN_KEYS = frozenset({"event", "object", "cluster"})
_MAX_VERDICT = 512
_SHARES = {
    stages.SCHEDULING: "kspanpy.critical_path.scheduling",
    stages.PREPARATION: "kspanpy.critical_path.preparation",
    stages.IMAGE_PULL: "kspanpy.critical_path.image_pull",
    stages.CONTAINER_START: "kspanpy.critical_path.container_start",
    stages.READINESS: "kspanpy.critical_path.readiness",
    stages.RUNNING: "kspanpy.critical_path.running",
    stages.CONTROLLERS: "kspanpy.critical_path.controllers",
}
_OF_EVERY_EVENT = (
    "k8s.event.uid",
    "k8s.event.name",
    "k8s.event.reason",
    "k8s.event.type",
    "k8s.event.count",
    "k8s.event.start_time",
    "k8s.event.message",
)
_UNKNOWN_SERVICE = "kubernetes-events"  # an Event that does not say who wrote it


@lru_cache(maxsize=1024)
def event_name(kind: str, reason: str) -> str:
    """`Pod.Scheduled`."""
    return f"{sanitize.identifier(kind, 'Object')}.{sanitize.identifier(reason, 'Event')}"


def lifecycle_name(kind: str, phase: str) -> str:
    """`Pod startup`."""
    return f"{sanitize.identifier(kind, 'Object')} {phase}"


def event_service(event: Event) -> str:
    """Who wrote the Event: the service.name of its span."""
    return sanitize.identifier(event.component, _UNKNOWN_SERVICE)


def event_attributes(
    event: Event, occ: Occurrence, chain: Sequence[Record], line: Line | None, *, delta: int, problem: str = ""
) -> dict[str, AttributeValue]:
    """What an event span says. `line`: the owners in the chain, if they are known as one."""
    attributes = _object_attributes(chain) if line is None else _attributes_under(line, chain)
    involved = event.involved
    attributes["k8s.event.uid"] = event.uid
    attributes["k8s.event.name"] = event.name
    attributes["k8s.event.reason"] = event.reason
    attributes["k8s.event.type"] = event.type
    attributes["k8s.event.count"] = occ.n
    attributes["k8s.event.start_time"] = rfc3339(occ.at_ns)
    attributes["k8s.event.message"] = event.message
    if event.action:
        attributes["k8s.event.action"] = event.action
    if delta > 1:
        attributes["k8s.event.count_delta"] = delta
    if event.instance:
        attributes["k8s.event.reporting_instance"] = event.instance
    if involved.field_path:
        attributes["k8s.object.fieldpath"] = involved.field_path
    if involved.resource_version is not None:
        attributes["k8s.object.resource_version"] = str(involved.resource_version)
    if event.host and "k8s.node.name" not in attributes:
        attributes["k8s.node.name"] = event.host
    if event.type == "Warning":
        attributes["error.type"] = sanitize.identifier(event.reason, "Warning")
    if problem:
        attributes["kspanpy.problem"] = str(problem)
        if refuser := problems.refuser(problem, event.message):
            attributes["kspanpy.rejected_by"] = refuser
    return attributes


def lifecycle_attributes(
    lifecycle: Lifecycle, chain: Sequence[Record], conclusion: Verdict | None = None
) -> dict[str, AttributeValue]:
    """What a lifecycle span says; a root also gives the verdict on its story."""
    obj = lifecycle.record.object
    attributes = _object_attributes(chain)
    attributes["kspanpy.phase"] = lifecycle.shown_phase
    if obj.generation and lifecycle.record.rule.workload:  # a Pod's only counts its deletion
        attributes["k8s.object.generation"] = obj.generation
    if obj.node_name and obj.kind == "Pod":
        attributes["k8s.node.name"] = obj.node_name
    if lifecycle.failure is not None:
        attributes["error.type"] = sanitize.identifier(lifecycle.failure.reason, "Failed")
    if lifecycle is lifecycle.story.root:
        _add_story(attributes, lifecycle.story)
        if conclusion is not None:
            _add_verdict(attributes, conclusion)
    return attributes


def _add_verdict(attributes: dict[str, AttributeValue], conclusion: Verdict) -> None:
    if conclusion.sentence:
        attributes["kspanpy.verdict"] = sanitize.text(conclusion.sentence, _MAX_VERDICT)
    if conclusion.problem:
        attributes["kspanpy.problem"] = conclusion.problem
    route = conclusion.path
    if route is None:
        return
    slowest = route.slowest.record.object
    attributes["kspanpy.critical_path.pod"] = slowest.name
    if slowest.node_name:
        attributes["kspanpy.critical_path.node"] = slowest.node_name
    if conclusion.image:
        attributes["kspanpy.critical_path.image"] = conclusion.image
    for stage in route.spent_ns:
        attributes[_SHARES[stage]] = round(route.share(stage), 4)


def is_root(span: Span) -> bool:
    """True for the root span of a story, which may have a parent in somebody else's trace."""
    return not span.parent_id or "kspanpy.outcome" in span.attributes


def is_event(span: Span) -> bool:
    """True for the span of an occurrence."""
    return "k8s.event.uid" in span.attributes


def _add_story(attributes: dict[str, AttributeValue], story: Story) -> None:
    attributes["kspanpy.outcome"] = story.outcome
    chapter = story.chapter
    if chapter is None:
        return
    if chapter.generation:
        attributes["k8s.object.generation"] = chapter.generation
    if chapter.part > 1:
        attributes["kspanpy.story.part"] = chapter.part
    _add_change(attributes, chapter.change)
    _add_provenance(attributes, chapter)


def _add_change(attributes: dict[str, AttributeValue], change: Change) -> None:
    attributes["kspanpy.change.manager"] = change.manager
    optional = {
        "kspanpy.change.operation": change.operation,
        "kspanpy.change.summary": change.summary,
        "kspanpy.change.time": "" if change.time_ns is None else rfc3339(change.time_ns),
        "kspanpy.change.cause": change.cause,
    }
    attributes.update({key: value for key, value in optional.items() if value})


def _add_provenance(attributes: dict[str, AttributeValue], chapter: Chapter) -> None:
    written = chapter.change.provenance
    kind = _kind_key(chapter.origin.kind)
    optional = {
        "kspanpy.helm.release": written.helm_release,
        "kspanpy.helm.namespace": written.helm_namespace,
        "kspanpy.flux.kustomization.name": written.kustomization,
        "kspanpy.flux.kustomization.namespace": written.kustomization_namespace,
        "kspanpy.flux.helmrelease.name": written.helmrelease,
        "kspanpy.flux.helmrelease.namespace": written.helmrelease_namespace,
        "kspanpy.argocd.application": written.application,
        # The conventions have a key for what a label says.
        f"k8s.{kind}.label.helm.sh/chart": written.helm_chart,
        f"k8s.{kind}.label.app.kubernetes.io/version": written.version,
    }
    attributes.update({key: value for key, value in optional.items() if value})


@lru_cache(maxsize=1024)
def _kind_key(kind: str) -> str:
    return _KIND_KEYS.get(kind) or sanitize.identifier(kind, "object").lower()


@lru_cache(maxsize=1024)
def _owner_keys(kind: str) -> tuple[str, str] | None:
    """The keys of the name and the uid of an object of this kind; None where they would look like something else."""
    key = _kind_key(kind)
    return None if key in _TAKEN_KEYS else (f"k8s.{key}.name", f"k8s.{key}.uid")


def _object_attributes(chain: Sequence[Record]) -> dict[str, AttributeValue]:
    obj = chain[0].object
    attributes: dict[str, AttributeValue] = {
        "k8s.object.kind": obj.kind,
        "k8s.object.name": obj.name,
        "k8s.object.uid": obj.uid,
        "k8s.object.api_version": obj.api_version,
    }
    if obj.namespace:
        attributes["k8s.namespace.name"] = obj.namespace
    for record in chain:
        obj = record.object
        keys = _owner_keys(obj.kind)
        if keys is None:
            continue
        if keys[0] not in attributes:
            attributes[keys[0]] = obj.name
        if keys[1] not in attributes:
            attributes[keys[1]] = obj.uid
        if record.confidence and attributes.get("kspanpy.confidence") != "low":
            attributes["kspanpy.confidence"] = record.confidence
    return attributes


def _attributes_under(line: Line, chain: Sequence[Record]) -> dict[str, AttributeValue]:
    """The same of an object and the line of its owners: a copy of what was said of the last one like it takes a third of the time."""
    record = chain[0]
    obj, frame = record.object, line.frame
    if (
        frame is None
        or frame["k8s.object.kind"] != obj.kind
        or frame["k8s.object.api_version"] != obj.api_version
        or frame["k8s.namespace.name"] != obj.namespace
        or record.confidence
    ):
        attributes = _object_attributes(chain)
        if obj.namespace and not record.confidence:
            line.frame = attributes | dict.fromkeys(_OF_EVERY_EVENT, "")
        return attributes
    attributes = frame.copy()
    attributes["k8s.object.name"], attributes["k8s.object.uid"] = obj.name, obj.uid
    keys = _owner_keys(obj.kind)
    if keys is not None:
        attributes[keys[1]] = obj.uid
        if keys[0] != "k8s.namespace.name":
            attributes[keys[0]] = obj.name
    return attributes
