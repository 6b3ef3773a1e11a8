"""From lifecycles to spans: when each one starts and ends, how it failed, and what late events see of it.

The cluster dates most things by truncated seconds, Events by nanoseconds. A lifecycle span takes the cluster's word for when
it began and ended, refined by its children: they lie inside, always. Nothing here looks at the clock.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kspanpy.core.model import MILLISECOND, Span
from kspanpy.core.moment import Moment
from kspanpy.core.objects.catalog import Catalog
from kspanpy.core.stories.shape import Lifecycle, OpenStep, Story
from kspanpy.core.telling.attributes import lifecycle_attributes, lifecycle_name
from kspanpy.core.verdicts import verdict
from kspanpy.core.verdicts.verdict import Verdict

SHORTEST_NS = MILLISECOND


def fit(lifecycle: Lifecycle, start_ns: int, end_ns: int, *, received_ns: int, skew_ns: int) -> tuple[int, int]:
    """Where a child may lie: inside a parent that has been sent; near one that has not, however wrong a clock is."""
    if lifecycle.sent:
        low, high = lifecycle.start_ns, lifecycle.end_ns
    else:
        low = 0 if lifecycle.nominal_ns is None else lifecycle.nominal_ns - skew_ns
        high = received_ns + skew_ns
    if low <= start_ns <= end_ns <= high and start_ns <= high - SHORTEST_NS:
        return start_ns, end_ns  # as nearly always
    if not lifecycle.sent:
        high = max(high, low + SHORTEST_NS)
    start_ns = min(max(start_ns, low), max(high - SHORTEST_NS, low))
    return start_ns, min(max(end_ns, start_ns), high)


def finish_step(step: OpenStep, end_ns: int) -> Span:
    """The event span with its real end."""
    return msgspec.structs.replace(step.span, end_ns=max(end_ns, step.span.end_ns))


class Teller:
    """Makes the lifecycle spans of a story."""

    def __init__(self, moment: Moment, catalog: Catalog) -> None:
        self._moment = moment
        self._catalog = catalog
        self._service = moment.settings.service

    def leaf(self, lifecycle: Lifecycle) -> Iterator[Span]:
        """A lifecycle that is over before its story is, and what was still open in it."""
        self._measure(lifecycle)
        yield from self._send(lifecycle)

    def story(self, story: Story) -> Iterator[Span]:
        """Everything of a story that has not been sent, the root first. What can not be judged is told without a verdict."""
        root = story.root
        self._measure(root)
        conclusion, defect = None, None
        try:
            conclusion = verdict.of(story) if story.told_here else None
        except Exception as error:  # noqa: BLE001 - raised below, when all has been told
            defect = error
        pending = [root]
        while pending:
            lifecycle = pending.pop()
            if not lifecycle.sent:
                yield from self._send(lifecycle, conclusion if lifecycle is root else None)
            pending.extend(reversed(lifecycle.children))
        if defect is not None:
            raise defect

    def late(self, lifecycle: Lifecycle) -> Iterator[Span]:
        """A lifecycle that came to light after its parent had been sent: inside it, whatever its own times say."""
        parent = lifecycle.parent
        if parent is not None and parent.sent:
            start = parent.start_ns if lifecycle.nominal_ns is None else lifecycle.nominal_ns
            lifecycle.start_ns = min(max(start, parent.start_ns), parent.end_ns)
            lifecycle.end_ns = parent.end_ns
        lifecycle.sent = True
        if lifecycle.story.told_here:
            yield self._span(lifecycle)

    def _send(self, lifecycle: Lifecycle, conclusion: Verdict | None = None) -> Iterator[Span]:
        lifecycle.sent = True
        for step in lifecycle.steps:
            lasting = step.rule.rule.lasting
            yield finish_step(
                step, lifecycle.end_ns if lasting else min(step.span.start_ns + SHORTEST_NS, lifecycle.end_ns)
            )
        self._moment.open_steps -= len(lifecycle.steps)
        lifecycle.steps = []
        if lifecycle.story.told_here:
            yield self._span(lifecycle, conclusion)

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

    def _span(self, lifecycle: Lifecycle, conclusion: Verdict | None = None) -> Span:
        story = lifecycle.story
        chain, _ = self._catalog.chain(lifecycle.record)
        name = lifecycle_name(lifecycle.record.kind, lifecycle.shown_phase)
        failed = lifecycle.failure
        return Span(
            trace_id=story.trace_id,
            span_id=lifecycle.span_id,
            parent_id=story.parent_id if lifecycle.parent is None else lifecycle.parent.span_id,
            name=name,
            service=self._service,
            start_ns=lifecycle.start_ns,
            end_ns=lifecycle.end_ns,
            attributes=lifecycle_attributes(lifecycle, chain, conclusion),
            error="" if failed is None else (failed.message or failed.reason),
            links=tuple(lifecycle.links),
        )
