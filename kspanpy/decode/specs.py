"""The spec of an object, cut into named parts that can be compared and never shown.

Most lines of a watch repeat a spec that was seen before (a status has moved), so what was read of it is remembered by its bytes.
The values of a part - commands, variables, annotations, names of secrets - do not leave this module: of each there is a digest.
Names of parts are paths such as `replicas`, `template/containers/app/env`; `ownership` speaks of the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from kspanpy.core import model, sanitize
from kspanpy.decode import fields, parsing, wire
from kspanpy.decode.altered import clean, first
from kspanpy.decode.remembered import remembered
from kspanpy.decode.results import Malformed

DIGEST = model.PART_DIGEST

_REMEMBERED = 2048  # specs; a thousand bytes each as a rule. Grows with different specs, then the longest unused go
_LONGEST = 64 * 1024  # a longer one is read every time
_NULL = b"null"
_TEMPLATES = ("template/", "jobTemplate/template/")


class Spec(msgspec.Struct, frozen=True):
    """What is known of a spec."""

    wire: wire.WorkloadSpec
    template: str = ""  # digest of the pod template; the same for a Deployment and the ReplicaSets made of it
    images: tuple[tuple[str, str], ...] = ()
    restarted_at: str = ""
    parts: model.Parts | None = None


NO_SPEC = Spec(wire.WorkloadSpec())


def read(raw: msgspec.Raw) -> Spec:
    """The spec in `raw`. Never raises."""
    data = bytes(raw)
    if len(data) <= len(_NULL):
        return NO_SPEC
    return _remembered(data) if len(data) <= _LONGEST else _read(data)


def _read(data: bytes) -> Spec:
    spec = parsing.parse(data, wire.WorkloadSpec)
    if isinstance(spec, Malformed):
        return NO_SPEC
    pod = _template(spec)
    names, digests = _parts(data)
    template = b"".join(
        name.encode("utf-8", "replace") + digest
        for name, digest in sorted(zip(names, digests, strict=True))
        if name.startswith(_TEMPLATES)
    )
    annotations = (pod.metadata.annotations if pod.metadata else None) or {}
    return Spec(
        wire=msgspec.structs.replace(spec, template=wire.NOTHING, job_template=wire.NOTHING),
        template=_digest(template).hex() if template else "",
        images=images(pod.spec),
        restarted_at=_text(annotations.get(fields.RESTARTED_AT)),
        parts=model.Parts(shared(names), b"".join(digests)) if names else None,
    )


_remembered = lru_cache(maxsize=_REMEMBERED)(_read)


Shared = TypeVar("Shared", tuple[str, ...], tuple[tuple[str, str], ...])


@lru_cache(maxsize=4096)
def _shared(values: Any) -> Any:
    return values


def shared(values: Shared) -> Shared:
    """The same tuple for equal values: thousands of objects consist of the same parts, and run the same images."""
    same: Shared = _shared(values)
    return same


def images(spec: wire.TemplateSpec | None) -> tuple[tuple[str, str], ...]:
    """(container, image), init containers after the others."""
    if spec is None:
        return ()
    every = (spec.containers or []) + (spec.init_containers or [])
    return shared(
        tuple([_image(container) for container in first(every, fields.MAX_CONTAINERS) if container is not None])
    )


def _make_image(container: wire.TemplateContainer) -> tuple[str, str]:
    return clean(container.name or "", sanitize.NAME), clean(container.image or "", fields.IMAGE)


_image = remembered(_make_image, capacity=1024)


def _text(value: str | None) -> str:
    return clean(value, sanitize.REASON) if value else ""


def _template(spec: wire.WorkloadSpec) -> wire.PodTemplate:
    raw = spec.template
    if len(memoryview(spec.job_template)) > len(_NULL):
        job = parsing.parse(spec.job_template, wire.JobTemplate)
        raw = job.spec.template if isinstance(job, wire.JobTemplate) and job.spec else wire.NOTHING
    if len(memoryview(raw)) <= len(_NULL):
        return wire.PodTemplate()
    pod = parsing.parse(raw, wire.PodTemplate)
    return wire.PodTemplate() if isinstance(pod, Malformed) else pod


def _parts(data: bytes) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """Names and digests, in the order in which a change of several is told."""
    try:
        found = first(list(_walk(_value(data))), fields.MAX_PARTS)
    except RecursionError:
        return (), ()
    names = tuple([clean(name, fields.PART) for name, _ in found])
    return names, tuple([_digest(_canonical(value)) for _, value in found])


def _value(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError):
        return parsing.plain(data)


def _walk(spec: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(spec, dict):
        return
    for key, value in spec.items():
        if key == "template" and isinstance(value, dict):
            yield from _walk_template(value, f"{within}template/")
        elif key == "jobTemplate" and isinstance(value, dict):
            yield "jobTemplate/metadata", value.get("metadata")
            yield from _walk(value.get("spec"), "jobTemplate/")
        else:
            yield within + key, value


def _walk_template(template: dict[str, Any], within: str) -> Iterator[tuple[str, Any]]:
    for key, value in template.items():
        if key == "spec" and isinstance(value, dict):
            yield from _walk_pod(value, within)
        elif key == "metadata" and isinstance(value, dict):
            yield from _walk_metadata(value, within)
        else:
            yield within + key, value


def _walk_metadata(metadata: dict[str, Any], within: str) -> Iterator[tuple[str, Any]]:
    for key, value in metadata.items():
        if key == "labels" and isinstance(value, dict):
            # Only the ReplicaSet has this label; without it its template is the Deployment's.
            yield within + key, {name: text for name, text in value.items() if name != fields.TEMPLATE_HASH}
        elif key == "annotations" and isinstance(value, dict):
            others = {name: text for name, text in value.items() if name != fields.RESTARTED_AT}
            if others:
                yield within + key, others
            if fields.RESTARTED_AT in value:
                yield f"{within}restartedAt", value[fields.RESTARTED_AT]
        elif value is not None:  # API servers of before 1.34 write a null creationTimestamp: an upgrade is no rollout
            yield within + key, value


def _walk_pod(pod: dict[str, Any], within: str) -> Iterator[tuple[str, Any]]:
    for key, value in pod.items():
        if key in ("containers", "initContainers") and isinstance(value, list):
            names = [entry.get("name") if isinstance(entry, dict) else entry for entry in value]
            yield within + key, names  # their order is a part of the template, too
            for entry in value:
                if isinstance(entry, dict):
                    for name, part in entry.items():
                        if name != "name":
                            yield f"{within}{key}/{entry.get('name')}/{name}", part
        else:
            yield within + key, value


def _canonical(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, order="deterministic")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return repr(value).encode("utf-8", "replace")


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=DIGEST).digest()
