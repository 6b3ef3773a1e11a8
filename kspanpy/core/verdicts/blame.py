"""What went wrong first: the cause of a failed story, not its last symptom.

Symptoms are what Events and container states showed, each with its class of problem. One that was overcome is none: who was scheduled
has found a node, whose containers started has its images. Of the others the earliest counts; a class that only sums up what went
wrong before (a back-off, a deadline) is asked last, and a probe that failed once without a kill is weak.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kspanpy.core.model import SECOND
from kspanpy.core.rules import problems
from kspanpy.core.rules.problems import Problem
from kspanpy.core.stories.shape import Lifecycle, Story, Symptom

# What only sums up: it is there because of something else that is told, too, if anything is.
_CONSEQUENCES = frozenset(
    {
        Problem.CRASH_LOOP,
        Problem.BACKOFF_LIMIT,
        Problem.DEADLINE,
        Problem.PROGRESS_DEADLINE,
        Problem.POD_FAILURE_POLICY,
        Problem.FAILED_CREATE,
    }
)

# Problems of a Pod's way -> the milestone that shows that it was overcome.
_OVERCOME = {
    Problem.FAILED_SCHEDULING: "scheduled",
    Problem.HOST_PORT_CONFLICT: "scheduled",
    Problem.SCALE_UP_FAILED: "scheduled",
    Problem.FAILED_MOUNT: "started",
    Problem.FAILED_ATTACH: "started",
    Problem.FAILED_CREATE_POD_SANDBOX: "started",
    Problem.FAILED_PREPARE_RESOURCES: "started",
    Problem.IMAGE_PULL: "started",
    Problem.CREATE_CONTAINER_CONFIG_ERROR: "started",
    Problem.CREATE_CONTAINER_ERROR: "started",
}


class Cause(msgspec.Struct, frozen=True, gc=False):
    """A symptom, and whose it was."""

    symptom: Symptom
    lifecycle: Lifecycle


def first_cause(story: Story) -> Cause | None:
    """What a failed (or healed) story suffered from first; None if nothing of it tells."""
    lasting = (cause for cause in _causes(story) if not _is_overcome(cause))
    return min(lasting, key=_rank, default=None)


def overcome(story: Story) -> list[Cause]:
    """What went wrong on the way of a story that came to a good end: the first of each class, in order of time."""
    found: dict[str, Cause] = {}
    for cause in sorted(_causes(story), key=lambda cause: cause.symptom.at_ns):
        found.setdefault(cause.symptom.problem, cause)
    return list(found.values())


def _rank(cause: Cause) -> tuple[int, int, str]:
    symptom = cause.symptom
    weight = 2 if symptom.problem in _CONSEQUENCES else int(symptom.weak)
    return weight, symptom.at_ns, cause.lifecycle.record.uid


def _causes(story: Story) -> Iterator[Cause]:
    for lifecycle in story.lifecycles.values():
        for symptom in lifecycle.symptoms:
            yield Cause(symptom, lifecycle)
        if lifecycle.record.kind == "Pod":
            for symptom in _of_containers(lifecycle):
                yield Cause(symptom, lifecycle)


def _is_overcome(cause: Cause) -> bool:
    symptom, lifecycle = cause.symptom, cause.lifecycle
    step = _OVERCOME.get(Problem(symptom.problem))
    if step is None:
        return False
    if step == "scheduled" and lifecycle.record.object.node_name:
        return True
    return any(at_ns > symptom.at_ns for at_ns in lifecycle.steps_at(step))


def _of_containers(lifecycle: Lifecycle) -> Iterator[Symptom]:
    """What the Pod's newest status says of its containers: the only witness of a kill for memory."""
    for container in lifecycle.record.object.containers:
        for reason, at_ns in (
            (container.last_reason, container.last_finished_ns),
            (container.reason, container.finished_ns),
        ):
            problem = problems.of_container(reason)
            if problem is None:
                continue
            when_ns = lifecycle.end_ns if at_ns is None else at_ns
            if not lifecycle.start_ns - SECOND <= when_ns <= lifecycle.end_ns + SECOND:
                continue  # of another story
            yield Symptom(problem=problem, reason=reason, message="", at_ns=when_ns, container=container.name)
