"""A story as a tree with a waterfall beside it, for a terminal of any width.

    Deployment rollout  shop/web  gen 4                                              12.3 s
    web: web:1 → web:2, by kubectl-set · 2026-01-01 12:00:03 UTC · 38 spans · trace 4bf9...

    ├─ ScalingReplicaSet  Scaled up replica set …   ╸                              +0 ms
    ├─ ReplicaSet scale-up  web-6d4                 ━━━━━━━━━━━━━━━━              +10 ms   8.12 s
    │  └─ Pod startup  web-6d4-x7k2p                 ━━━━━━━━━━━━━                +30 ms   7.90 s

Invariants: no line is wider than asked for; every text from a span is sanitised again here (spans may come from a file);
nothing is interpreted as markup; at most `MAX_ROWS` lines a story, and what is left out is said.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from rich.text import Text

from kspanpy.core.model import MILLISECOND, Span
from kspanpy.core.sanitize import text as clean
from kspanpy.view import cells
from kspanpy.view.stories import Fold, Node, Row, Story, fold, is_event, is_warning

MAX_ROWS = 400
_HEAD_LINES = 3
MIN_WIDTH = 60
MAX_WIDTH = 160

_ERROR = "bold red"
_WARNING = "yellow"
_DIM = "bright_black"
_LIFECYCLE = "bold"
_VERDICT = "bold green"
_SAME = 60  # characters of an error that a verdict repeats
_SERVICE = "cyan"


class _Layout(NamedTuple):
    """Widths of the columns, in cells; the gap before a column is its own."""

    label: int
    bar: int
    offset: int
    duration: int
    service: int

    @property
    def width(self) -> int:
        return sum(self) + sum(1 for column in self[1:] if column)


def tree(story: Story, *, width: int = 100) -> list[Text]:
    """The lines of a story, none wider than `width`."""
    width = min(max(width, MIN_WIDTH), MAX_WIDTH)
    rows = list(_rows(story))
    headline = clean(story.root.span.error, 300)
    layout = _layout(width, rows)
    lines = [*_head(story, width), _axis(story, layout)]
    for guide, below, row in rows[:MAX_ROWS]:
        lines.append(_line(story, layout, guide, row, headline=headline))
        if isinstance(row, Node) and (note := _note(row.span)) and note != headline:
            indent = Text(f"{below}   ", style=_DIM)
            indent.append(note, style=_ERROR if row.span.error else _WARNING)
            indent.truncate(layout.width, overflow="ellipsis")
            lines.append(indent)
    if len(rows) > MAX_ROWS:
        lines.append(Text(f"… {len(rows) - MAX_ROWS} more lines", style=_DIM))
    return lines


def _head(story: Story, width: int) -> list[Text]:
    root = story.root.span
    title = Text(no_wrap=True)
    title.append("✗ " if story.failed else "● ", style=_ERROR if story.failed else "green")
    title.append(clean(root.name, 80), style=_LIFECYCLE)
    title.append(f"  {clean(story.object, 200)}", style="bold cyan")
    if generation := story.text("k8s.object.generation"):
        title.append(f"  gen {clean(generation, 20)}", style=_DIM)
    took = cells.duration(story.end_ns - story.start_ns)
    title.truncate(width - len(took) - 2, overflow="ellipsis", pad=True)
    title.append(f"  {took}", style="bold")

    lines = [title]
    summary, manager = story.text("kspanpy.change.summary"), story.text("kspanpy.change.manager")
    who = "" if manager == "unknown" else clean(manager, 80)
    why = ", by ".join(part for part in (clean(summary, 300), who) if part)
    for text, style in (
        (why, ""),
        (clean(story.text("kspanpy.verdict"), 600), _ERROR if story.failed else _VERDICT),
        (_error(story), _ERROR),
        (f"{cells.moment(story.start_ns)} · {story.spans} spans · trace {story.trace_id.hex()}", _DIM),
        *(
            (f"↳ {clean(link.relation, 60) or 'caused by'} · trace {link.trace_id.hex()}", _DIM)
            for link in root.links[:4]
        ),
    ):
        wrapped = textwrap.wrap(text, width - 2, break_on_hyphens=False, max_lines=_HEAD_LINES, placeholder="…")
        for part in wrapped:
            line = Text(f"  {part}", style=style, no_wrap=True)
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
    return lines


def _error(story: Story) -> str:
    """Why it failed in the cluster's words, where the verdict does not say them."""
    said, verdict = clean(story.root.span.error, 300), clean(story.text("kspanpy.verdict"), 600)
    return "" if said and said[:_SAME] in verdict else said


def _axis(story: Story, layout: _Layout) -> Text:
    """What the bars are drawn on: from the beginning to the end of the story."""
    end = cells.duration(story.end_ns - story.start_ns)
    line = Text(" " * (layout.label + 1), no_wrap=True)
    line.append("0 " + "─" * (layout.bar - len(end) - 3) + f" {end}", style=_DIM)
    return line


def _layout(width: int, rows: list[tuple[str, str, Row]]) -> _Layout:
    services = [len(_service(row)) for _, _, row in rows[:MAX_ROWS]]
    service = min(max(services, default=0), 23) if width >= 110 else 0
    offset, took = 9, 8
    bar = max(width // 5, 12)
    label = width - bar - offset - took - service - 3 - bool(service)
    return _Layout(label, bar, offset, took, service)


def _rows(story: Story) -> Iterator[tuple[str, str, Row]]:
    """Guide, guide of the lines below, row; the root is the head and has no row of its own."""
    pending: list[tuple[str, list[Row]]] = [("", fold([*story.root.children, *story.strays]))]
    while pending:
        guide, siblings = pending.pop()
        if not siblings:
            continue
        row, rest = siblings[0], siblings[1:]
        pending.append((guide, rest))
        below = guide + ("│  " if rest else "   ")
        deeper = fold(row.children) if isinstance(row, Node) else []
        yield guide + ("├─ " if rest else "└─ "), below + ("│" if deeper else " "), row
        if deeper:
            pending.append((below, deeper))


def _line(story: Story, layout: _Layout, guide: str, row: Row, *, headline: str) -> Text:
    spans = [row.span] if isinstance(row, Node) else [node.span for node in row.nodes]
    start, end = min(span.start_ns for span in spans), max(span.end_ns for span in spans)
    line = Text(guide, style="", no_wrap=True)
    line.stylize(_DIM, 0, len(guide))
    _label(line, row, headline=headline)
    line.truncate(layout.label, overflow="ellipsis", pad=True)

    began, total = story.start_ns, max(story.end_ns - story.start_ns, 1)
    lead, drawn = cells.bar((start - began) / total, (end - began) / total, layout.bar)
    line.append(" " + " " * lead)
    line.append(drawn, style=_colour(spans[0]) if isinstance(row, Node) else _DIM)
    line.append(" " * (layout.bar - lead - len(drawn)))
    line.append(f" {'+' + cells.duration(start - began):>{layout.offset}}", style=_DIM)
    lasting = "" if end - start <= MILLISECOND else cells.duration(end - start)
    line.append(f" {lasting:>{layout.duration}}", style="" if isinstance(row, Node) else _DIM)
    if layout.service:
        line.append(f" {_service(row)[: layout.service]}", style=_SERVICE)
    line.truncate(layout.width, overflow="crop")
    return line


def _label(line: Text, row: Row, *, headline: str) -> None:
    if isinstance(row, Fold):
        line.append(f"⋯ {len(row.nodes)} more like this", style=_DIM)
        return
    span = row.span
    if span.error:
        line.append("✗ ", style=_ERROR)
    if not is_event(span):
        line.append(clean(span.name, 80), style=_ERROR if span.error else _LIFECYCLE)
        line.append(f"  {clean(str(span.attributes.get('k8s.object.name', '')), 253)}", style="cyan")
        return
    reason = clean(str(span.attributes.get("k8s.event.reason", "")), 80) or clean(span.name, 80)
    line.append(reason, style=_colour(span) if is_warning(span) or span.error else "")
    count = span.attributes.get("k8s.event.count", 1)
    if isinstance(count, int) and count > 1:
        line.append(f" ×{count}", style=_DIM)
    if _note(span) in ("", headline):
        line.append(f"  {_message(span)}", style=_DIM)


def _message(span: Span) -> str:
    return clean(str(span.attributes.get("k8s.event.message", "")), 300)


def _note(span: Span) -> str:
    """What deserves a line of its own: why something failed."""
    if is_event(span):
        return _message(span) if is_warning(span) or span.error else ""
    return clean(span.error, 300)


def _service(row: Row) -> str:
    span = row.span if isinstance(row, Node) else row.like.span
    return clean(span.service, 60) if is_event(span) and isinstance(row, Node) else ""


def _colour(span: Span) -> str:
    if span.error:
        return "red"
    if is_warning(span):
        return _WARNING
    return "blue" if is_event(span) else "green"
