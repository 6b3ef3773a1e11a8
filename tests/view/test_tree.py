"""Stories as lines: what a person reads, in a terminal of any width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kspanpy.core import sanitize
from kspanpy.core.model import Link, Span
from kspanpy.view import listing, stories, tree
from kspanpy.view.tree import MAX_ROWS, MIN_WIDTH

from .spans import TRACE, event, lifecycle, rollout


def lines(spans: list[Span], *, width: int = 100) -> list[str]:
    """The only story of these spans, as plain lines."""
    (story,) = stories(spans)
    return [line.plain.rstrip() for line in tree(story, width=width)]


def test_a_story_reads_like_this() -> None:
    """The whole picture: who, what, when, the tree, bars in proportion, offsets and durations."""
    change = {"k8s.object.generation": 4, "kspanpy.change.summary": "image a -> b", "kspanpy.change.manager": "kubectl"}
    spans = [
        *rollout(1, **change),
        event("scaled", "web", reason="ScalingReplicaSet", message="Scaled up", service="deployment-controller"),
    ]
    assert lines(spans, width=80) == [
        "● Deployment rollout  shop/web  gen 4                                     10.0 s",
        "  image a -> b, by kubectl",
        "  2026-11-23 06:46:10 UTC · 4 spans · trace 54545454545454545454545454545454",
        "                                             0 ─────── 10.0 s",
        "├─ Pod startup  web-0                        ━╸                   +0 ms   1.00 s",
        "│  └─ Started  Container started              ╺                 +900 ms",
        "└─ ScalingReplicaSet  Scaled up              ╸                    +0 ms",
    ]


def test_a_failure_says_why() -> None:
    """In the head, and beside what failed; the same sentence is not said twice."""
    spans = [
        *rollout(0, error="no such image"),
        lifecycle("web-0", "web", error="no such image"),
        event("failed", "web-0", reason="Failed", message="registry says no", type_="Warning"),
    ]
    found = lines(spans)
    assert found[0].startswith("✗ Deployment rollout")
    assert found[1] == "  no such image"
    assert sum("no such image" in line for line in found) == 1
    assert any(line.lstrip("│└├─ ").startswith("✗ Failed") for line in found)
    assert any(line.strip("│└├─ ") == "registry says no" for line in found)


def test_causes_are_named() -> None:
    """A link leads to the trace of the cause."""
    found = lines([lifecycle("web", name="Deployment incident", links=(Link(b"C" * 16, b"1" * 8, "rollout"),))])
    assert f"  ↳ rollout · trace {(b'C' * 16).hex()}" in found


def test_many_alike_are_one_line() -> None:
    """Twelve pods: the slowest, and a line for the others with the time that they took together."""
    found = lines(rollout(12))
    assert sum("Pod startup" in line for line in found) == 1
    assert any("⋯ 11 more like this" in line for line in found)


def test_wide_terminals_show_who_said_it() -> None:
    """The service has a column where there is room."""
    assert not any("kubelet" in line for line in lines(rollout(), width=100))
    assert any(line.endswith("kubelet") for line in lines(rollout(), width=120))


def test_a_huge_story_is_cut_and_says_so() -> None:
    """A terminal is not a database."""
    spans = [*rollout(0), *(event(f"e{n}", "web", reason=f"R{n}", at=n) for n in range(MAX_ROWS + 50))]
    found = lines(spans)
    assert found[-1] == "… 50 more lines"
    assert len(found) < MAX_ROWS + 10


def test_a_deep_story_does_not_break_it() -> None:
    """Deeper than any owner chain, and than Python's stack."""
    chain = [lifecycle("0")] + [lifecycle(str(n), str(n - 1), at=n) for n in range(1, 1200)]
    assert len(lines(chain)) > MAX_ROWS


@pytest.mark.parametrize("width", [1, 60, 80, 100, 110, 160, 1000])
def test_no_line_is_wider_than_asked(width: int) -> None:
    """Also with wide characters; very narrow terminals get the least width that makes sense."""
    spans = [
        *rollout(1, error="映像がありません " * 30),
        event("e", "web-0", reason="Failed", message="映像がありません " * 30, type_="Warning"),
    ]
    limit = max(width, MIN_WIDTH)
    assert all(cell_len(line) <= limit for line in lines(spans, width=width))


@given(st.text(max_size=120), st.integers(60, 130))
def test_hostile_text_stays_in_its_cell(text: str, width: int) -> None:
    """Names, reasons, messages, services of anyone who may create an Event: no control characters, no markup, no overflow."""
    nasty = f"[red]{text}[/red]\x1b[2J"
    root = Span(
        TRACE, b"1" * 8, b"", nasty, nasty, 1, 10**9, {"k8s.object.name": nasty, "kspanpy.change.summary": nasty}, nasty
    )
    inner = event("e", "x", reason=nasty, message=nasty, type_="Warning", service=nasty)
    inner = Span(TRACE, b"2" * 8, b"1" * 8, nasty, nasty, 1, 5, inner.attributes, nasty)
    found = lines([root, inner], width=width)
    assert all(line == sanitize.text(line, 1000) for line in found)
    assert all(cell_len(line) <= width for line in found)
    assert any("[red]" in line for line in found)


@given(st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70))
def test_any_times_can_be_drawn(start: int, end: int) -> None:
    """A span file is a file: it may say anything."""
    spans = rollout(1)
    spans[1] = Span(TRACE, spans[1].span_id, spans[1].parent_id, "Pod startup", "kubernetes", start, end, {})
    assert len(lines(spans)) >= 5


class TestListing:
    """Stories as a table."""

    def test_a_line_for_each(self) -> None:
        """When, how long, what, how it ended, and the beginning of the trace id."""
        bad = lifecycle("api", name="Deployment incident", at=2000, ms=60_000, error="crash loop", trace=b"\xab" * 16)
        found = [line.plain.rstrip() for line in listing(stories([*rollout(2), bad]), width=100)]
        assert found == [
            "start       took  story                object    spans  outcome  trace",
            "06:46:10  10.0 s  Deployment rollout   shop/web      5  ok       54545454",
            "06:46:12  60.0 s  Deployment incident  shop/api      1  failed   abababab",
        ]

    def test_a_long_name_gives_way(self) -> None:
        """The other columns stay where they are."""
        spans = [lifecycle("x" * 200, name="Deployment rollout")]
        for width in (80, 100):
            found = [line.plain for line in listing(stories(spans), width=width)]
            assert all(cell_len(line) <= width for line in found)
            assert "…" in found[1]
            assert found[1].rstrip().endswith("54545454")
