"""How did it end? Settles the outcome, the failure and the end of lifecycles and stories, from what their objects say.

A failure that healed is none: a Pod that became ready after three failed mounts has started. Ends are taken from the cluster's
own clock wherever it has one (condition transitions, container states), so that whoever tells the story tells the same.
"""

from __future__ import annotations

from kspanpy.core.model import SECOND
from kspanpy.core.objects import health
from kspanpy.core.objects.health import Failure
from kspanpy.core.stories.shape import Lifecycle, Story
from kspanpy.core.timing import instant

_BAD_ENDS = ("capped", "superseded", "unfinished")


def judge(story: Story) -> None:
    """Settles how a story and everything in it that has not been sent ended."""
    for lifecycle in story.lifecycles.values():
        if lifecycle.sent:
            continue
        if lifecycle.record.kind == "Pod":
            judge_leaf(lifecycle)
        elif lifecycle is not story.root and story.outcome not in _BAD_ENDS:
            lifecycle.failure = None
    if story.root_record.kind != "Pod" or story.outcome in _BAD_ENDS:
        _judge_root(story)
    _end_root(story)


def judge_leaf(leaf: Lifecycle) -> None:
    """Settles how a phase of a Pod ended."""
    record = leaf.record
    phase = leaf.shown_phase
    ready = record.object.condition("Ready")
    is_ready = ready is not None and ready.status == "True"
    if phase == "run":
        leaf.nominal_end_ns = _last_finish(leaf)
        if record.object.phase == "Failed":
            leaf.failure = health.failure(record.object)
        elif health.ended(record.object):
            leaf.failure = None
    elif phase == "startup":
        if record.ready_ns is None:
            own = health.failure(record.object) if record.dying_ns is None else None  # how it was stopped is no reason
            leaf.failure = own or leaf.failure
            leaf.nominal_end_ns = record.dying_nominal_ns
        else:
            leaf.failure = None
            leaf.nominal_end_ns = ready.changed_ns if ready is not None and is_ready else None
    elif phase == "termination":
        leaf.failure = None
        leaf.nominal_end_ns = _last_breath(leaf)
    elif is_ready:  # it was well again before its deletion began
        leaf.failure = None
        leaf.nominal_end_ns = ready.changed_ns if ready is not None else None
    else:
        leaf.nominal_end_ns = record.dying_nominal_ns


def first_failure(lifecycle: Lifecycle, reason: str, message: str) -> None:
    """Notes a Warning as the possible cause of everything above it, unless something failed before."""
    above: Lifecycle | None = lifecycle
    while above is not None:
        if above.failure is None and not above.sent:
            above.failure = Failure(reason, message)
        above = above.parent


def _judge_root(story: Story) -> None:
    chapter, root = story.chapter, story.root
    first, root.failure = root.failure, None
    noted = None if chapter is None else chapter.failure
    if story.outcome in _BAD_ENDS:
        own = None if story.outcome == "superseded" else health.failure(story.origin.object)
        root.failure = noted or own or first
    elif story.outcome == "settled" and story.origin.kind == "Job":
        root.failure = health.failure(story.origin.object)
    elif story.outcome == "healed" and not health.known(story.origin.kind):
        root.failure = first  # nothing says that it healed
    elif story.outcome == "settled" and noted is not None and noted.reason == "ProgressDeadlineExceeded":
        root.failure = noted  # it was too late, even if it came


def _end_root(story: Story) -> None:
    root = story.root
    ends = [root.nominal_end_ns]
    if story.outcome == "superseded" and story.chapter is not None:
        ends.append(story.chapter.until_ns)
    elif story.outcome == "healed" or (story.outcome == "settled" and not story.origin.rule.workload):
        ends.append(health.settled_since(story.origin.object))
    root.nominal_end_ns = max((ns for ns in ends if ns is not None), default=None)


def _last_breath(leaf: Lifecycle) -> int | None:
    """When a Pod was gone: within the second in which its last container ended, if that is known."""
    finished, gone = _last_finish(leaf), leaf.record.gone_ns
    return finished if gone is None else instant(finished, gone)


def _last_finish(leaf: Lifecycle) -> int | None:
    times = [c.finished_ns for c in leaf.record.object.containers if c.finished_ns is not None]
    last = max(times, default=None)
    dying = leaf.record.dying_ns if leaf.shown_phase == "termination" else None
    if last is None or (dying is not None and last < dying - 2 * SECOND):
        return None
    return last
