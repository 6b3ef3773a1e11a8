"""The shape of what is being told: chapters, stories, lifecycle spans. Only data and small facts about it; where
something belongs is decided by `chapters` and `phases`, what is opened and closed by `storybook`.

A *chapter* is one change of one object (created, generation moved, deleted): a stretch of its life, known whether or not
there is anything to tell. A *story* is one trace: that of a chapter, or an *episode*, which is trouble while no change is
open. A *lifecycle* is the part of one object's life that falls in one story: one span, sent once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kspanpy.core import ids
from kspanpy.core.changes.change import Change
from kspanpy.core.model import SECOND, Link, Span
from kspanpy.core.objects.health import Failure
from kspanpy.core.rules.table import CompiledRule

if TYPE_CHECKING:
    from kspanpy.core.objects.catalog import Record

_MAX_SYMPTOMS = 16
_MAX_MILESTONES = 64


class Chapter:
    """One change of one object, from its write until the next one or until the object has long been settled."""

    __slots__ = (
        "at_ns",
        "change",
        "consequences",
        "cut_short",
        "ends_ns",
        "failure",
        "generation",
        "inside",
        "key",
        "nominal_ns",
        "origin",
        "part",
        "phase",
        "rv",
        "settled_ns",
        "slack_ns",
        "story",
        "superseded",
        "until_ns",
    )

    def __init__(self, origin: Record, *, phase: str, change: Change, rv: int | None, at_ns: int) -> None:
        self.origin = origin
        self.phase = phase
        self.key = _key(origin, phase)
        self.change = change
        self.generation = origin.object.generation
        self.rv = rv  # store order of the write; None: it was made before anybody looked
        self.at_ns = at_ns  # the instant of the write, for comparing
        self.nominal_ns = at_ns if change.at_ns is None else change.at_ns  # ... for showing, by the cluster's clock
        self.slack_ns = SECOND if self.nominal_ns % SECOND == 0 else 0
        self.ends_ns: int | None = None  # the last instant that belongs to it; None: it is still open
        self.settled_ns: int | None = None  # when its object was seen to be as wished, if it is
        self.superseded = False
        self.until_ns: int | None = None  # when the next change began
        self.cut_short = False  # superseded before it had settled
        self.failure: Failure | None = None
        self.consequences: list[Chapter] = []  # changes of lower objects that it brought about
        self.inside: Chapter | None = None  # it is a consequence of this change of a higher object
        self.story: Story | None = None
        self.part = 1

    @property
    def is_deletion(self) -> bool:
        """True for the end of its object."""
        return self.phase == self.origin.rule.deleted

    def covers(self, at_ns: int) -> bool:
        """True if something that happened then may belong to this chapter."""
        return self.ends_ns is None or at_ns <= self.ends_ns


def _key(origin: Record, phase: str) -> str:
    """What tells this chapter of an object from its others: the same for everybody who sees that change.

    Where an object need not have been seen, its namespace is a part: whoever only speaks of a uid can not make the id of a story of
    another namespace.
    """
    if phase == origin.rule.deleted:
        return f"deletion/{origin.object.namespace}"
    return f"{origin.object.namespace}/{origin.uid}" if origin.kind == "Job" else str(origin.object.generation)


class OpenStep:
    """An event span that lasts until the next step of its object."""

    __slots__ = ("at_ns", "field_path", "rule", "span")

    def __init__(self, span: Span, *, rule: CompiledRule, at_ns: int, field_path: str) -> None:
        self.span = span
        self.at_ns = at_ns
        self.rule = rule
        self.field_path = field_path

    def ended_by(self, reason: str, field_path: str, at_ns: int) -> bool:
        """True if that step is the end of this one."""
        if at_ns < self.at_ns:
            return False
        if self.rule.any_step:
            return True
        return reason in self.rule.ends and (field_path == self.field_path or not field_path or not self.field_path)


class Milestone(msgspec.Struct, frozen=True, gc=False):
    """A step on a Pod's way that an Event told of."""

    step: str  # scheduled, pulling, pulled, created, started
    at_ns: int


class Symptom(msgspec.Struct, frozen=True, gc=False):
    """Something that went wrong, as an Event or a container's state shows it."""

    problem: str  # its class: `rules.problems.Problem`
    reason: str
    message: str
    at_ns: int
    container: str = ""
    weak: bool = False  # it may well mean nothing: a probe that failed once


class Lifecycle:
    """One phase of one object in one story: a span under construction, and after that what late events need of it."""

    __slots__ = (
        "child_end_ns",
        "child_start_ns",
        "children",
        "end_ns",
        "failure",
        "finished_ns",
        "last_ns",
        "links",
        "milestones",
        "nominal_end_ns",
        "nominal_ns",
        "parent",
        "phase",
        "record",
        "sent",
        "slack_ns",
        "span_id",
        "start_ns",
        "steps",
        "story",
        "symptoms",
    )

    def __init__(self, story: Story, record: Record, *, phase: str, parent: Lifecycle | None) -> None:
        self.story = story
        self.record = record
        self.phase = phase  # empty: that of its story
        self.parent = parent
        self.span_id = ids.lifecycle_span_id(story.own_id, record.uid, phase)
        self.children: list[Lifecycle] = []
        self.nominal_ns: int | None = None  # when it began by the cluster's word, and how much later it may have been
        self.slack_ns = 0
        self.nominal_end_ns: int | None = None
        self.child_start_ns: int | None = None
        self.child_end_ns: int | None = None
        self.finished_ns: int | None = None  # when it was seen to be over
        self.last_ns = 0  # when something last arrived for it
        self.steps: list[OpenStep] = []
        self.links: list[Link] = []
        self.milestones: list[Milestone] = []
        self.symptoms: list[Symptom] = []  # the first of each class
        self.failure: Failure | None = None
        self.sent = False
        self.start_ns = 0  # final once sent
        self.end_ns = 0

    @property
    def shown_phase(self) -> str:
        """The phase in the span's name: its own, that of its own change within the story, that of the story."""
        if self.phase or self.parent is None:
            return self.phase or self.story.phase
        chapter = self.story.chapter
        own = next((c.phase for c in reversed(self.record.chapters) if chapter is not None and c.inside is chapter), "")
        return own or self.story.phase

    def nominal_ns_or(self, other_ns: int) -> int:
        """When it began by the cluster's word, else that."""
        return other_ns if self.nominal_ns is None else self.nominal_ns

    def steps_at(self, step: str) -> list[int]:
        """When this step was taken, by the Events that told of it."""
        return [milestone.at_ns for milestone in self.milestones if milestone.step == step]

    def suffers(self, symptom: Symptom) -> None:
        """Takes note of a symptom: of each class the earliest, whatever comes first, and a strong one before a weak one."""
        if not self.is_news(symptom.problem, weak=symptom.weak, at_ns=symptom.at_ns):
            return
        for position, known in enumerate(self.symptoms):
            if known.problem == symptom.problem:
                self.symptoms[position] = symptom
                return
        self.symptoms.append(symptom)

    def is_news(self, problem: str, *, weak: bool, at_ns: int) -> bool:
        """True for a symptom that `suffers` would take note of."""
        for known in self.symptoms:
            if known.problem == problem:
                return (weak, at_ns) < (known.weak, known.at_ns)
        return len(self.symptoms) < _MAX_SYMPTOMS

    def passes(self, milestone: Milestone) -> None:
        """Takes note of a step on the way."""
        if len(self.milestones) < _MAX_MILESTONES:
            self.milestones.append(milestone)

    def cover(self, start_ns: int, end_ns: int) -> None:
        """A child lies here."""
        if self.child_start_ns is None or start_ns < self.child_start_ns:
            self.child_start_ns = start_ns
        if self.child_end_ns is None or end_ns > self.child_end_ns:
            self.child_end_ns = end_ns


class Story:
    """One trace: a bounded chapter in the life of a root object, or an episode of trouble."""

    __slots__ = (
        "chapter",
        "closed",
        "complete_ns",
        "first_event_ns",
        "first_phases",
        "follows",
        "forgotten",
        "key",
        "last_event_ns",
        "last_ns",
        "lifecycles",
        "namespace",
        "open_leaves",
        "opened_ns",
        "origin",
        "outcome",
        "over",
        "own_id",
        "parent_id",
        "phase",
        "relapse",
        "root",
        "root_record",
        "serious",
        "superseded",
        "told_here",
        "trace_id",
        "well_ns",
    )

    def __init__(
        self,
        root_record: Record,
        *,
        cluster_uid: str,
        key: str,
        phase: str,
        origin: Record,
        chapter: Chapter | None,
        now_ns: int,
        told_here: bool,
    ) -> None:
        self.key = key
        self.told_here = (
            told_here  # False: it is only followed, for what it means to others; another shard makes its spans
        )
        self.own_id = ids.trace_id(cluster_uid, root_record.uid, key)
        self.trace_id = self.own_id  # unless it becomes a part of somebody else's trace, with others of its kind
        self.parent_id = b""
        self.root_record = root_record
        self.namespace = root_record.object.namespace
        self.origin = origin  # the object whose status says when it is over
        self.phase = phase
        self.chapter = chapter
        self.lifecycles: dict[tuple[str, str], Lifecycle] = {}  # by uid and phase; as many as spans will be sent of it
        self.first_phases = {root_record.uid: ""}  # uid -> the phase of its first lifecycle; at most one for each
        self.open_leaves: dict[tuple[str, str], Lifecycle] = {}  # phases of Pods that are not over
        self.opened_ns = now_ns
        self.last_ns = now_ns  # when something last arrived for it
        self.first_event_ns = 0  # when something first happened in it, if it is an episode
        self.last_event_ns = 0  # ... and last happened
        self.follows: Chapter | None = None  # the change before an episode
        self.relapse = False  # an episode like the one before it, which had seemed to be over
        self.complete_ns: int | None = None  # since when nothing more is expected
        self.well_ns = 0, 0  # from when to when it was complete the last time, if something came in between
        self.superseded = False
        self.serious = False
        self.over = False  # a late Event told of it when something newer was going on
        self.closed = False
        self.forgotten = False
        self.outcome = ""
        self.root = Lifecycle(self, root_record, phase="", parent=None)
        self.lifecycles[root_record.uid, ""] = self.root

    def outlived_at(self, at_ns: int) -> bool:
        """True if something that happened then comes after its end although it was not over."""
        return self.closed and self.outcome == "capped" and at_ns > self.root.end_ns

    @property
    def link(self) -> tuple[bytes, bytes]:
        """What another trace points to: trace id, id of the root span."""
        return self.trace_id, self.root.span_id
