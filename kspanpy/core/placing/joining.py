"""Makes the span of an occurrence that has found its place, and finds the end of those that last until the next step."""

from __future__ import annotations

from kspanpy.core import ids
from kspanpy.core.causes.causes import Causes
from kspanpy.core.model import AttributeValue, Event, Span
from kspanpy.core.moment import Moment
from kspanpy.core.objects.catalog import Line, Record
from kspanpy.core.placing.waiting import EventItem
from kspanpy.core.rules.table import CompiledRule
from kspanpy.core.stories.shape import Lifecycle, Milestone, OpenStep, Symptom
from kspanpy.core.telling import attributes, judging, spans
from kspanpy.core.timing import Occurrence

_MAX_STEPS = 32  # of one object
_UNTOLD: dict[
    str, AttributeValue
] = {}  # of a story that another shard tells only the times count: when it ends, what it covers


class Joiner:
    """Puts occurrences under lifecycle spans."""

    def __init__(self, moment: Moment, causes: Causes) -> None:
        self._moment = moment
        self._causes = causes

    def join(
        self, lifecycle: Lifecycle, item: EventItem, chain: list[Record], rule: CompiledRule, *, line: Line | None
    ) -> None:
        """Makes the event span under its lifecycle span; sends it if its end is known. `line`: the owners in the chain, if known as one."""
        event, occ, moment, record = item.event, item.occ, self._moment, chain[0]
        story, at_ns = lifecycle.story, occ.at_ns
        start_ns, end_ns = spans.fit(
            lifecycle, at_ns, at_ns + spans.SHORTEST_NS, received_ns=item.received_ns, skew_ns=moment.skew_ns
        )
        warning, severity = event.type == "Warning", rule.rule.severity
        if story.told_here:
            span = _span(lifecycle, item, chain, rule, line=line, times=(start_ns, end_ns))
            if rule.tells:
                self._take_note(lifecycle, event, occ, rule)
            if warning and severity not in ("noise", "harmless"):
                judging.first_failure(lifecycle, event.reason, event.message)
        else:
            span = Span(story.trace_id, b"", b"", "", "", start_ns, end_ns, _UNTOLD)
        if not story.closed:
            story.last_ns = lifecycle.last_ns = moment.now_ns
            story.last_event_ns = max(story.last_event_ns, at_ns)
            if severity == "serious" or (warning and severity != "noise"):
                story.serious = True
        if not lifecycle.sent:
            lifecycle.cover(start_ns, end_ns)
        if rule.causal:
            self._causes.said(lifecycle, record, event, occ, rule)
        if not rule.ends and not rule.any_step:  # nearly all: it is over as soon as it is told
            self._remember_step(record, lifecycle, event, at_ns)
            moment.emit(span, story)
            return
        step = OpenStep(span, rule=rule, at_ns=at_ns, field_path=event.involved.field_path)
        known_end = _known_end(record, step)
        self._remember_step(record, lifecycle, event, at_ns)
        if known_end is not None or lifecycle.sent:
            self._end_step(lifecycle, step, end_ns if known_end is None else known_end)
        else:
            lifecycle.steps.append(step)
            self._moment.open_steps += 1

    @staticmethod
    def _take_note(lifecycle: Lifecycle, event: Event, occ: Occurrence, rule: CompiledRule) -> None:
        """Keeps what the verdict on the story will be made of."""
        known = rule.rule
        if known.milestone and lifecycle.record.object.kind == "Pod":
            lifecycle.passes(Milestone(known.milestone, occ.at_ns))
        if known.problem and lifecycle.is_news(known.problem, weak=known.severity == "harmless", at_ns=occ.at_ns):
            container = event.involved.field_path.partition("{")[2].removesuffix("}")
            lifecycle.suffers(
                Symptom(
                    problem=known.problem,
                    reason=event.reason,
                    message=event.message,
                    at_ns=occ.at_ns,
                    container=container,
                    weak=known.severity == "harmless",
                )
            )

    def _remember_step(self, record: Record, lifecycle: Lifecycle, event: Event, at_ns: int) -> None:
        """Ends the open steps that this one ends, and keeps it for steps that arrive after their end."""
        field_path, steps = event.involved.field_path, record.steps
        if lifecycle.steps:
            for step in [s for s in lifecycle.steps if s.ended_by(event.reason, field_path, at_ns)]:
                lifecycle.steps.remove(step)
                self._moment.open_steps -= 1
                self._end_step(lifecycle, step, at_ns)
        steps.append((at_ns, event.reason, field_path))
        if len(steps) > _MAX_STEPS:
            del steps[0]

    def _end_step(self, lifecycle: Lifecycle, step: OpenStep, end_ns: int) -> None:
        if lifecycle.sent:
            end_ns = min(end_ns, lifecycle.end_ns)
        span = spans.finish_step(step, end_ns)
        if not lifecycle.sent:
            lifecycle.cover(span.start_ns, span.end_ns)
        self._moment.emit(span, lifecycle.story)


def _span(
    lifecycle: Lifecycle,
    item: EventItem,
    chain: list[Record],
    rule: CompiledRule,
    *,
    line: Line | None,
    times: tuple[int, int],
) -> Span:
    event, occ = item.event, item.occ
    return Span(  # in the order of its fields: by name it takes half as long again
        lifecycle.story.trace_id,
        ids.event_span_id(event.uid, occ.n),
        lifecycle.span_id,
        attributes.event_name(chain[0].object.kind, event.reason),
        attributes.event_service(event),
        times[0],
        times[1],
        attributes.event_attributes(event, occ, chain, line, delta=item.delta, problem=rule.rule.problem),
        (event.message or event.reason) if event.type == "Warning" else "",
    )


def _known_end(record: Record, step: OpenStep) -> int | None:
    ends = [at_ns for at_ns, reason, field_path in record.steps if step.ended_by(reason, field_path, at_ns)]
    return min(ends, default=None)
