"""Where the time of one Pod's startup (or run) went: its stages, one after the other, without gaps.

    created ─ scheduling ─ Scheduled ─ preparation ─ Pulling ─ image_pull ─ Pulled ─ container_start ─ Started ─ readiness ─ Ready

Events date the steps to the microsecond where they were written; where one is missing (recorders drop them), its stage has the
length that the Pod's own conditions show, or none. Of several containers the first Pulling and the last Pulled and Started count.
"""

from __future__ import annotations

import msgspec

from kspanpy.core.stories.shape import Lifecycle

SCHEDULING = "scheduling"
PREPARATION = "preparation"  # volumes, sandbox
IMAGE_PULL = "image_pull"
CONTAINER_START = "container_start"  # init containers run in it
READINESS = "readiness"
RUNNING = "running"  # of a Job's Pod, in place of readiness
CONTROLLERS = "controllers"  # no Pod was under way: controllers, the deletion of others, settling
STAGES = (SCHEDULING, PREPARATION, IMAGE_PULL, CONTAINER_START, READINESS, RUNNING, CONTROLLERS)


class Stage(msgspec.Struct, frozen=True, gc=False):
    """A stretch of time in which one thing was waited for."""

    name: str
    start_ns: int
    end_ns: int


def of_pod(lifecycle: Lifecycle) -> list[Stage]:
    """The stages of a measured startup or run, in order; empty ones are left out."""
    pulls = lifecycle.steps_at("pulling")
    pulled = lifecycle.steps_at("pulled")
    created = lifecycle.steps_at("created")
    started = lifecycle.steps_at("started")
    first = pulls + pulled + created + started
    last_step = READINESS if lifecycle.shown_phase == "startup" else RUNNING
    ends = (
        (SCHEDULING, _scheduled(lifecycle, first)),
        (PREPARATION, min(first, default=None)),
        (IMAGE_PULL, max(pulled, default=None) if pulls else None),
        (CONTAINER_START, max(started, default=None)),
        (last_step, lifecycle.end_ns),
    )
    found, at_ns = [], lifecycle.start_ns
    for position, (name, seen_ns) in enumerate(ends):
        if seen_ns is None and any(later is not None for _, later in ends[position + 1 : -1]):
            continue  # it went by unseen
        # Where nothing came after it, this is what was still waited for.
        end_ns = lifecycle.end_ns if seen_ns is None else min(max(seen_ns, at_ns), lifecycle.end_ns)
        if end_ns > at_ns:
            found.append(Stage(name, at_ns, end_ns))
        at_ns = end_ns
    return found


def _scheduled(lifecycle: Lifecycle, later: list[int]) -> int | None:
    exact = lifecycle.steps_at("scheduled")
    if exact:
        return min(exact)
    condition = lifecycle.record.object.condition("PodScheduled")
    if condition is not None and condition.status == "True":
        return condition.changed_ns if condition.changed_ns is not None else lifecycle.start_ns
    return lifecycle.start_ns if later or lifecycle.record.object.node_name else None
