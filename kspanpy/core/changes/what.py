"""What a change moved, in words: values of images, numbers and schedules; of everything else the names only.

Commands, variables, annotations and volumes are where people keep secrets, so the model has no more of them than digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kspanpy.core.model import Object

_MAX_SUMMARY = 256
_TEMPLATE = "template/"
_JOB_TEMPLATE = "jobTemplate/"
_CONTAINERS = ("containers", "initContainers")
_WORDS = {
    "args": "command",
    "envFrom": "env",
    "livenessProbe": "probes",
    "readinessProbe": "probes",
    "startupProbe": "probes",
    "volumeMounts": "volume mounts",
    "labels": "labels of the template",
    "annotations": "annotations of the template",
    "serviceAccount": "serviceAccountName",  # the old name of the same
    "updateStrategy": "strategy",
    "rollingUpdate": "strategy",
}
_TOLD_BY_VALUE = frozenset({"replicas", "completions", "paused", "suspend", "schedule"})
_COUNTED = {"DaemonSet": "", "Job": "completions"}  # a DaemonSet's number is that of its nodes: nobody wishes for it


def moved(before: Object, after: Object) -> tuple[str, ...]:
    """The parts of the spec that differ, by name; none where the parts are not known."""
    if before.parts is None or after.parts is None or before.parts == after.parts:
        return ()
    old, new = before.parts.as_dict(), after.parts.as_dict()
    return tuple(name for name in {**new, **old} if old.get(name) != new.get(name))


def phase(before: Object, after: Object, parts: Sequence[str]) -> str:
    """Which story it makes: rollout (the pod template), scale (replicas only), update (anything else)."""
    if after.kind != "CronJob":  # what it changes is for its next Job
        if before.template != after.template or before.images != after.images:
            return "rollout"
        if any(part.startswith(_TEMPLATE) for part in parts):
            return "rollout"
    scaled = before.replicas != after.replicas and after.kind != "DaemonSet"
    if scaled or set(parts) == {"replicas"}:
        return "scale"
    return "update"


def summary(before: Object, after: Object, parts: Sequence[str], *, rollback: str = "") -> str:
    """All of it, the most telling first."""
    told = [rollback] if rollback else []
    told += _images(before, after)
    if after.restarted_at and after.restarted_at != before.restarted_at and not rollback:
        told.append("rollout restart")
    told += _of_template(before, after, parts)
    if not told and before.template != after.template:
        told.append("pod template")
    told += _by_value(before, after)
    told += _of_spec(before, after, parts)
    return cut(", ".join(dict.fromkeys(told)) or "spec")


def created(obj: Object) -> str:
    """What a new object is made of."""
    images = ", ".join(image for _, image in obj.images)
    return cut(f"created with image {images}" if images else "created")


def cut(text: str) -> str:
    """A summary has an end, however many containers there are."""
    return text if len(text) <= _MAX_SUMMARY else text[: _MAX_SUMMARY - 1] + "…"


def _images(before: Object, after: Object) -> Iterator[str]:
    old, new = dict(before.images), dict(after.images)
    for container in {**new, **old}:
        if old.get(container) != new.get(container):
            yield f"image {container}: {old.get(container, 'none')} -> {new.get(container, 'none')}"


def _by_value(before: Object, after: Object) -> Iterator[str]:
    word = _COUNTED.get(after.kind, "replicas")
    if before.replicas != after.replicas and word:
        yield f"{word} {_number(before)} -> {_number(after)}"
    if before.schedule != after.schedule:
        yield f"schedule {before.schedule or 'none'} -> {after.schedule or 'none'}"
    if before.paused != after.paused:
        yield ("suspended" if after.kind in ("Job", "CronJob") else "paused") if after.paused else "resumed"


def _number(obj: Object) -> str:
    return "none" if obj.replicas is None else str(obj.replicas)


def _of_template(before: Object, after: Object, parts: Iterable[str]) -> Iterator[str]:
    both = {container for container, _ in before.images} & {container for container, _ in after.images}
    for part in parts:
        path = part.removeprefix(_JOB_TEMPLATE).split("/")
        if path[0] != "template":
            continue
        if len(path) == 4 and path[1] in _CONTAINERS:
            _, _, container, field = path
            if field == "image" and after.images:
                continue  # told with its value
            if container in both or not after.images:
                yield f"{_WORDS.get(field, field)} of {container}"
        elif path[-1] in _CONTAINERS:
            if len(before.images) == len(after.images) == len(both):
                yield "order of the containers"
        elif path[-1] != "restartedAt":
            yield _WORDS.get(path[-1], path[-1])


def _of_spec(before: Object, after: Object, parts: Iterable[str]) -> Iterator[str]:
    known = after.kind in ("Job", "CronJob") or after.replicas is not None or before.replicas is not None
    for part in parts:
        inner = part.removeprefix(_JOB_TEMPLATE)
        if inner.startswith(_TEMPLATE) or (known and part in _TOLD_BY_VALUE):
            continue
        word = _WORDS.get(inner, inner)
        yield word if inner == part else f"{word} of the job template"
