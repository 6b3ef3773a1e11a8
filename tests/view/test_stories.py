"""Spans into stories: nothing lost, nothing twice, what looks alike folded."""

from __future__ import annotations

import random
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from kspanpy.core.model import Span
from kspanpy.view.stories import Fold, Node, Row, Story, fold, stories

from .spans import event, identity, lifecycle, rollout


def spans_in(rows: Iterable[Row]) -> list[Span]:
    """Every span that the rows show or count."""
    found: list[Span] = []
    for row in rows:
        for node in row.nodes if isinstance(row, Fold) else [row]:
            found += [below.span for below in node.walk()]
    return found


def everything(story: Story) -> list[Span]:
    """The spans of a story."""
    return spans_in([story.root, *story.strays])


class TestGrouping:
    """One trace, one story."""

    def test_the_tree_is_that_of_the_parents(self) -> None:
        """Children in order of time, whatever the order of the spans."""
        spans = rollout(3)
        random.Random(1).shuffle(spans)
        (story,) = stories(spans)
        assert story.root.span.name == "Deployment rollout"
        assert [node.span.attributes["k8s.object.name"] for node in story.root.children] == ["web-0", "web-1", "web-2"]
        assert [len(node.children) for node in story.root.children] == [1, 1, 1]

    def test_stories_are_in_order_of_time(self) -> None:
        """The first thing that happened comes first."""
        late, early = lifecycle("late", at=5, trace=b"A" * 16), lifecycle("early", trace=b"B" * 16)
        assert [story.root.span for story in stories([late, early])] == [early, late]

    def test_a_span_that_came_twice_is_there_once(self) -> None:
        """A retry in a span file."""
        (story,) = stories(rollout(2) * 2)
        assert story.spans == 5

    def test_a_span_without_its_parent_is_not_lost(self) -> None:
        """It stands beside the root; the root is the one that has no parent."""
        (story,) = stories([lifecycle("lost", "nobody", at=-500), *rollout()])
        assert story.root.span.name == "Deployment rollout"
        assert [node.span.attributes["k8s.object.name"] for node in story.strays] == ["lost"]
        assert story.start_ns == story.strays[0].span.start_ns

    @given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
    def test_any_parents_give_every_span_once(self, edges: list[tuple[int, int]]) -> None:
        """Rings, a span that is its own parent, several roots: each span has exactly one place."""
        spans = {str(key): lifecycle(str(key), str(parent) if parent else "", at=key) for key, parent in edges}
        found = stories(spans.values())
        shown = [span.span_id for story in found for span in everything(story)]
        assert sorted(shown) == sorted(identity(key) for key in spans)

    def test_no_spans_no_stories(self) -> None:
        """An empty recording."""
        assert stories([]) == []


class TestFolding:
    """Twelve pods like this."""

    def nodes(self, spans: list[Span]) -> list[Node]:
        """The children of the root of a story of these spans."""
        return stories(spans)[0].root.children

    def test_few_are_shown_one_by_one(self) -> None:
        """Three pods are three rows."""
        assert all(isinstance(row, Node) for row in fold(self.nodes(rollout(3))))

    def test_many_pods_show_the_slowest(self) -> None:
        """It is what the others waited for; the rest is one row."""
        shown, folded = fold(self.nodes(rollout(12)))
        assert isinstance(shown, Node)
        assert isinstance(folded, Fold)
        assert (shown.span.attributes["k8s.object.name"], len(folded.nodes)) == ("web-11", 11)

    def test_repeated_events_show_the_first(self) -> None:
        """When it began is what one wants to know."""
        repeats = [event(f"e{n}", "web", reason="BackOff", message=f"Back-off restarting {n}", at=n) for n in range(5)]
        shown, folded = fold(self.nodes([*rollout(0), *repeats]))
        assert isinstance(shown, Node)
        assert isinstance(folded, Fold)
        assert (shown.span.attributes["k8s.event.message"], len(folded.nodes)) == ("Back-off restarting 0", 4)

    def test_the_one_that_failed_is_not_folded_away(self) -> None:
        """One pod of twelve that had trouble looks different, and so is shown."""
        spans = [*rollout(12), event("bad", "web-5", reason="Failed", message="no image", type_="Warning", at=500)]
        names = [row.span.attributes["k8s.object.name"] for row in fold(self.nodes(spans)) if isinstance(row, Node)]
        assert "web-5" in names

    def test_events_that_say_different_things_are_different(self) -> None:
        """Scaled up is not scaled down."""
        says = ["Scaled up a", "Scaled down b"] * 3
        spans = [event(f"e{n}", "web", reason="ScalingReplicaSet", message=text, at=n) for n, text in enumerate(says)]
        assert len(fold(self.nodes([*rollout(0), *spans]))) == 6

    @given(st.lists(st.sampled_from(["Pulled", "Created", "BackOff"]), max_size=30), st.integers(1, 5))
    def test_folding_loses_nothing(self, reasons: list[str], over: int) -> None:
        """Every sibling is shown, or counted once."""
        spans = [event(f"e{n}", "web", reason=reason, at=n) for n, reason in enumerate(reasons)]
        nodes = self.nodes([*rollout(0), *spans])
        shown = [span.span_id for span in spans_in(fold(nodes, over=over))]
        assert sorted(shown) == sorted(node.span.span_id for node in nodes)
