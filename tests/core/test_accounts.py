"""Every occurrence that has been taken in is told, discarded with a reason, or held; and the linker knows how many it holds."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings

from kspanpy.core.linker import Linker
from kspanpy.core.model import SECOND, ObjectReference, Span
from kspanpy.core.rules.table import CompiledRule, RuleTable
from kspanpy.core.settings import Limit, LinkerSettings
from kspanpy.core.steps import Discarded, EventSeen, Input, Output, SpanEnded
from kspanpy.core.stories.shape import Lifecycle, Story
from tests.core.cluster import T0, Cluster
from tests.core.test_properties import CRAMPED, ROOMY, check_trees, histories, often, run

fewer = settings(often, max_examples=30)


class Book:
    """Keeps the accounts of a linker from outside."""

    def __init__(self, linker: Linker) -> None:
        self.linker = linker
        self.spans: list[Span] = []
        self.seen = self.told = self.discarded = self.defects = 0

    def step(self, fact: Input, now_ns: int) -> None:
        """As the loop does."""
        self.seen += isinstance(fact, EventSeen)
        try:
            self._note(self.linker.step(fact, now_ns))
        except ZeroDivisionError:
            self.defects += 1
            self._note(self.linker.said())

    def finish(self) -> None:
        """As the loop does: a defect costs one item."""
        while True:
            try:
                self._note(self.linker.finish(T0 + 1300 * SECOND))
            except ZeroDivisionError:
                self.defects += 1
                self._note(self.linker.said())
            else:
                return

    @property
    def missing(self) -> int:
        """Of those seen: neither told nor discarded nor held."""
        return self.seen - self.told - self.discarded - self.linker.stats().held_events

    def _note(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, SpanEnded):
                self.spans.append(output.span)
                self.told += "k8s.event.uid" in output.span.attributes
            self.discarded += isinstance(output, Discarded)


@pytest.mark.parametrize("limits", [ROOMY, CRAMPED], ids=["roomy", "cramped"])
@fewer
@given(history=histories)
def test_nothing_is_missing_after_any_step(limits: LinkerSettings, history: list[tuple[Input, int]]) -> None:
    """Whatever happens, in whatever order, with room for next to nothing: no bound costs an Event its span."""
    book = Book(Linker(limits))
    for fact, now_ns in history:
        book.step(fact, now_ns)
        assert book.missing == 0
    book.finish()
    assert book.missing == book.linker.stats().held_events == 0


def test_a_limit_that_is_reached_is_counted() -> None:
    """By its name; with room for all none is."""
    cluster = Cluster(max_pending=2, max_open_stories=2, max_closed_lifecycles=1)
    for number in range(4):
        unknown = ObjectReference(kind="Widget", namespace="shop", name=f"w{number}", uid=f"w{number}")
        cluster.event(unknown, "Surprise")
    cluster.wait(60)
    reached = cluster.linker.stats().reached
    assert (reached[Limit.PENDING], reached[Limit.OPEN_STORIES]) == (2, 2)
    cluster.wait(600)
    assert cluster.linker.stats().reached[Limit.CLOSED_LIFECYCLES] > 0
    _, stats = run([(EventSeen(cluster.event(cluster.pod(), "Surprise")), T0)], ROOMY)
    assert not any(stats[-1].reached.values())


class Defective(RuleTable):
    """Fails for a reason that any Event can have."""

    def find(self, kind: str, reason: str, message: str, component: str = "") -> CompiledRule:
        """As it should, mostly."""
        if reason == "Surprise":
            raise ZeroDivisionError
        return super().find(kind, reason, message, component)


@fewer
@given(history=histories)
def test_a_defect_costs_the_event_that_met_it_and_no_other(history: list[tuple[Input, int]]) -> None:
    """It is not held for ever, not tried for ever, and takes neither what was told before it nor what comes after it along."""
    book = Book(Linker(ROOMY, rules=Defective()))
    for fact, now_ns in history:
        before = book.missing, book.defects
        book.step(fact, now_ns)
        assert before[0] <= book.missing <= before[0] + (book.defects - before[1])
    book.finish()
    surprises = sum(isinstance(fact, EventSeen) and fact.event.reason == "Surprise" for fact, _ in history)
    assert book.linker.stats().held_events == 0
    assert book.missing <= surprises


@fewer
@given(history=histories)
def test_a_story_that_can_not_be_judged_is_told_without_a_verdict(history: list[tuple[Input, int]]) -> None:
    """Whole, and it does not stay open."""

    def of(story: Story) -> None:
        raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kspanpy.core.telling.spans.verdict.of", of)
        book = Book(Linker(ROOMY))
        for fact, now_ns in history:
            book.step(fact, now_ns)
            assert book.missing == 0
        book.finish()
    held = book.linker.stats()
    assert (book.missing, held.held_events, held.open_stories) == (0, 0, 0)
    check_trees(book.spans)


@fewer
@given(history=histories)
def test_a_span_that_can_not_be_made_is_not_tried_for_ever(history: list[tuple[Input, int]]) -> None:
    """What was under it may be lost, and is then missing at once, not held; its story does not stay open."""

    def attributes(lifecycle: Lifecycle, *rest: object) -> dict[str, str]:
        if lifecycle.record.kind == "Pod":
            raise ZeroDivisionError
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kspanpy.core.telling.spans.lifecycle_attributes", attributes)
        book = Book(Linker(ROOMY))
        for fact, now_ns in history:
            before = book.missing, book.defects
            book.step(fact, now_ns)
            assert book.missing >= before[0]
            assert book.missing == before[0] or book.defects > before[1]
        book.finish()
    held = book.linker.stats()
    assert (held.held_events, held.open_stories) == (0, 0)


def test_what_waits_for_its_place_and_what_waits_for_its_end_is_held() -> None:
    """An image that is being pulled: the span of `Pulling` ends with `Pulled`, or with its story."""
    cluster = Cluster()
    web = cluster.pod(name="web")
    cluster.event(web, "Pulling", 'Pulling image "web:1"')
    cluster.wait(10)
    assert (cluster.linker.stats().held_events, cluster.linker.stats().open_steps) == (1, 1)
    cluster.event(web, "Pulled", "Successfully pulled image")
    cluster.wait(10)
    assert cluster.linker.stats().held_events == 0
