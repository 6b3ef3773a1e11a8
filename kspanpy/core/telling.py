"""From lifecycles to spans: when each one starts and ends, how it failed, and what late events see of it.

The cluster dates most things by truncated seconds, Events by nanoseconds. A lifecycle span takes the cluster's word for when
it began and ended, refined by its children: they lie inside, always. Nothing here looks at the clock.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kspanpy.core import health
from kspanpy.core.attributes import lifecycle_attributes, lifecycle_name
from kspanpy.core.catalog import Catalog
from kspanpy.core.health import Failure
from kspanpy.core.model import MILLISECOND, SECOND, Span
from kspanpy.core.stories import Lifecycle, OpenStep, Story
from kspanpy.core.timing import instant

SHORTEST_NS = MILLISECOND


def fit(lifecycle: Lifecycle, start_ns: int, end_ns: int, *, received_ns: int, skew_ns: int) -> tuple[int, int]:
    """Where a child may lie: inside a parent that has been sent; near one that has not, however wrong a clock is."""
    if lifecycle.sent:
        low, high = lifecycle.start_ns, lifecycle.end_ns
    else:
        low = 0 if lifecycle.nominal_ns is None else lifecycle.nominal_ns - skew_ns
        high = max(received_ns + skew_ns, low + SHORTEST_NS)
    start_ns = min(max(start_ns, low), max(high - SHORTEST_NS, low))
    return start_ns, min(max(end_ns, start_ns), high)


def finish_step(step: OpenStep, end_ns: int) -> Span:
    """The event span with its real end."""
    return msgspec.structs.replace(step.span, end_ns=max(end_ns, step.span.end_ns))


class Teller:
    """Makes the lifecycle spans of a story."""

    def __init__(self, catalog: Catalog, *, service: str) -> None:
        self._catalog = catalog
        self._service = service

    def leaf(self, lifecycle: Lifecycle) -> Iterator[Span]:
        """A lifecycle that is over before its story is, and what was still open in it."""
        self._measure(lifecycle)
        yield from self._send(lifecycle)

    def story(self, story: Story) -> Iterator[Span]:
        """Everything of a story that has not been sent, the root first."""
        root = story.root
        self._measure(root)
        pending = [root]
        while pending:
            lifecycle = pending.pop()
            if not lifecycle.sent:
                yield from self._send(lifecycle)
            pending.extend(reversed(lifecycle.children))

    def late(self, lifecycle: Lifecycle) -> Span:
        """A lifecycle that came to light after its parent had been sent: inside it, whatever its own times say."""
        parent = lifecycle.parent
        if parent is not None and parent.sent:
            start = parent.start_ns if lifecycle.nominal_ns is None else lifecycle.nominal_ns
            lifecycle.start_ns = min(max(start, parent.start_ns), parent.end_ns)
            lifecycle.end_ns = parent.end_ns
        lifecycle.sent = True
        return self._span(lifecycle)

    def _send(self, lifecycle: Lifecycle) -> Iterator[Span]:
        lifecycle.sent = True
        for step in lifecycle.steps:
            lasting = step.rule.rule.lasting
            yield finish_step(
                step, lifecycle.end_ns if lasting else min(step.span.start_ns + SHORTEST_NS, lifecycle.end_ns)
            )
        lifecycle.steps = []
        yield self._span(lifecycle)

    def _measure(self, top: Lifecycle) -> None:
        """Sets start and end of a lifecycle and of all below it that have not been sent, the lowest first."""
        order = [top]
        for lifecycle in order:
            order.extend(child for child in lifecycle.children if not child.sent)
        for lifecycle in reversed(order):
            if not lifecycle.sent:
                self._measure_one(lifecycle)

    def _measure_one(self, lifecycle: Lifecycle) -> None:
        for child in lifecycle.children:
            lifecycle.cover(child.start_ns, child.end_ns)
        first = lifecycle.child_start_ns
        start = lifecycle.nominal_ns
        if start is None:
            start = first if first is not None else self._begin_of(lifecycle)
        elif first is not None:
            if first < start + lifecycle.slack_ns:
                start = first  # the child shows when in that second it was, or that a clock is a little off
        elif start < lifecycle.story.root.nominal_ns_or(start) < start + lifecycle.slack_ns:
            start = lifecycle.story.root.nominal_ns_or(start)  # the same second, and not before what caused it
        end = max(start + SHORTEST_NS, lifecycle.child_end_ns or 0, lifecycle.nominal_end_ns or 0)
        lifecycle.start_ns, lifecycle.end_ns = start, end

    @staticmethod
    def _begin_of(lifecycle: Lifecycle) -> int:
        above: Lifecycle | None = lifecycle
        while above is not None:
            if above.nominal_ns is not None:
                return above.nominal_ns
            above = above.parent
        return lifecycle.story.opened_ns

    def _span(self, lifecycle: Lifecycle) -> Span:
        story = lifecycle.story
        chain, _ = self._catalog.chain(lifecycle.record)
        name = lifecycle_name(lifecycle.record.kind, lifecycle.shown_phase)
        failed = lifecycle.failure
        return Span(
            trace_id=story.trace_id,
            span_id=lifecycle.span_id,
            parent_id=b"" if lifecycle.parent is None else lifecycle.parent.span_id,
            name=name,
            service=self._service,
            start_ns=lifecycle.start_ns,
            end_ns=lifecycle.end_ns,
            attributes=lifecycle_attributes(lifecycle, chain),
            error="" if failed is None else (failed.message or failed.reason),
            links=tuple(story.links) if lifecycle is story.root else (),
        )


def judge(story: Story) -> None:
    """Settles how a story and everything in it that has not been sent ended."""
    for lifecycle in story.lifecycles.values():
        if lifecycle.sent:
            continue
        if lifecycle.record.kind == "Pod":
            judge_leaf(lifecycle)
        elif lifecycle is not story.root and story.outcome in ("settled", "healed", "deleted"):
            lifecycle.failure = None
    _judge_root(story)


def judge_leaf(lifecycle: Lifecycle) -> None:
    """Settles how a phase of a Pod ended: a failure that healed is none."""
    record = lifecycle.record
    obj = record.object
    phase = lifecycle.shown_phase
    if phase == "run":
        lifecycle.nominal_end_ns = _last_finish(lifecycle)
        if obj.phase != "Failed":
            if health.ended(obj):
                lifecycle.failure = None
        else:
            lifecycle.failure = health.failure(obj) or lifecycle.failure
    elif phase == "startup":
        condition = obj.condition("Ready")
        if record.ready_ns is not None:
            lifecycle.failure = None
            if condition is not None and condition.status == "True":
                lifecycle.nominal_end_ns = condition.changed_ns
        elif health.failure(obj) is not None:
            lifecycle.failure = health.failure(obj)
    elif phase == "termination":
        lifecycle.failure = None
        lifecycle.nominal_end_ns = _last_breath(lifecycle)
    elif health.ready(obj) and obj.deletion_ns is None:
        lifecycle.failure = None


def _judge_root(story: Story) -> None:
    """Settles how a story ended, from its outcome and what the objects say."""
    chapter = story.chapter
    root = story.root
    own = health.failure(story.origin.object)
    first = root.failure
    root.failure = None
    if story.outcome in ("capped", "superseded", "unfinished"):
        root.failure = (
            (chapter.failure if chapter else None) or (own if story.outcome != "superseded" else None) or first
        )
    elif story.outcome == "settled" and chapter is not None and story.origin.kind == "Job":
        root.failure = own
    if chapter is not None and chapter.failure is not None and root.failure is None and story.outcome != "deleted":
        root.failure = chapter.failure if chapter.failure.reason == "ProgressDeadlineExceeded" else None


def first_failure(lifecycle: Lifecycle, reason: str, message: str) -> None:
    """Notes a Warning as the possible cause of everything above it, unless something failed before."""
    above: Lifecycle | None = lifecycle
    while above is not None:
        if above.failure is None and not above.sent:
            above.failure = Failure(reason, message)
        above = above.parent


def _last_breath(lifecycle: Lifecycle) -> int | None:
    """When a Pod was gone: within the second in which its last container ended, if that is known."""
    finished, gone = _last_finish(lifecycle), lifecycle.record.gone_ns
    return finished if gone is None else instant(finished, gone)


def _last_finish(lifecycle: Lifecycle) -> int | None:
    dying = lifecycle.record.dying_ns if lifecycle.shown_phase == "termination" else None
    times = [c.finished_ns for c in lifecycle.record.object.containers if c.finished_ns is not None]
    last = max(times, default=None)
    if last is None or (dying is not None and last < dying - 2 * SECOND):
        return None
    return last
