"""The judge sees what is wrong: it must not be content with anything."""

from __future__ import annotations

import msgspec
import pytest

from kspanpy.core.model import Span
from tests.model.delivery import PROMPT, tell
from tests.model.histories import Act, Cluster, History
from tests.model.judge import judge
from tests.model.world import World

HISTORY = History((Act(1, "create", 0, 1), Act(20, "image"), Act(3, "scale", 0, 4), Act(60, "kill"), Act(40, "wait")))


@pytest.fixture(scope="module")
def world() -> World:
    """Two changes that overlap, and an incident."""
    return Cluster(HISTORY).play(HISTORY)


@pytest.fixture
def spans(world: World) -> list[Span]:
    """What is told of it."""
    return tell(world, PROMPT)


def events(spans: list[Span], name: str) -> list[int]:
    """Where the event spans of that name are."""
    return [place for place, span in enumerate(spans) if span.name == name]


def test_what_is_right_is_right(world: World, spans: list[Span]) -> None:
    """Nothing to say."""
    verdict = judge(world, spans, 0)
    assert verdict.wrong == []
    assert min(verdict.decided, verdict.free, verdict.incidents) > 0


def test_a_missing_span(world: World, spans: list[Span]) -> None:
    """Every occurrence has one."""
    del spans[events(spans, "Pod.Started")[0]]
    assert "not told: Started Container started" in judge(world, spans, 0).wrong


def test_a_span_sent_twice(world: World, spans: list[Span]) -> None:
    """Each only once."""
    assert "two spans with one id" in judge(world, [*spans, spans[3]], 0).wrong


def test_a_span_under_another_object(world: World, spans: list[Span]) -> None:
    """The parent of an event is its own object's lifecycle."""
    one, two = events(spans, "Pod.Started")[:2]
    spans[one] = msgspec.structs.replace(spans[one], parent_id=spans[two].parent_id, trace_id=spans[two].trace_id)
    assert any(text.startswith("under another object") for text in judge(world, spans, 0).wrong)


def test_a_span_in_the_trace_of_another_change(world: World, spans: list[Span]) -> None:
    """A whole trace that should be two, or an event in the wrong one."""
    roots = [span.trace_id for span in spans if span.name in ("Deployment rollout", "Deployment scale")]
    merged = [msgspec.structs.replace(s, trace_id=roots[0]) if s.trace_id == roots[1] else s for s in spans]
    wrong = judge(world, merged, 0).wrong
    assert any("with another change" in text for text in wrong)
    assert any(text.startswith("two roots") for text in wrong)


def test_an_incident_without_its_link(world: World, spans: list[Span]) -> None:
    """What happens to a settled workload follows the change before."""
    bare = [msgspec.structs.replace(span, links=()) for span in spans]
    assert any(text.startswith("an incident without a link") for text in judge(world, bare, 0).wrong)
