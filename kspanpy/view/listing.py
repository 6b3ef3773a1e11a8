"""Stories as a table, one line each: what `kspanpy replay --list` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from kspanpy.core.sanitize import text as clean
from kspanpy.view import cells
from kspanpy.view.stories import Story

_HEAD = ("start", "took", "story", "object", "spans", "outcome", "trace")
_RIGHT = frozenset({"took", "spans"})


def listing(stories: Sequence[Story], *, width: int = 100) -> list[Text]:
    """A line for each story, under a line of titles. The object's name gives way when the width does not suffice."""
    rows = [_HEAD, *(_row(story) for story in stories)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    too_wide = sum(widths) + 2 * (len(widths) - 1) - width
    if too_wide > 0:
        widths[3] = max(widths[3] - too_wide, 12)
    lines = []
    for number, row in enumerate(rows):
        line = Text(no_wrap=True)
        for column, value in enumerate(row):
            cell = Text(value, style=_style(number, column, failed=number > 0 and stories[number - 1].failed))
            if _HEAD[column] in _RIGHT:
                cell.align("right", widths[column])
            else:
                cell.truncate(widths[column], overflow="ellipsis", pad=column < len(_HEAD) - 1)
            line.append(cell)
            line.append("" if column == len(_HEAD) - 1 else "  ")
        line.truncate(width, overflow="crop")
        lines.append(line)
    return lines


def _row(story: Story) -> tuple[str, ...]:
    warnings = story.warnings
    outcome = "failed" if story.failed else f"ok, {warnings} warning{'s' * (warnings != 1)}" if warnings else "ok"
    return (
        cells.moment(story.start_ns)[11:19],
        cells.duration(story.end_ns - story.start_ns),
        clean(story.root.span.name, 80),
        clean(story.object, 320),
        str(story.spans),
        outcome,
        story.trace_id.hex()[:8],
    )


def _style(number: int, column: int, *, failed: bool) -> str:
    if number == 0:
        return "bold"
    if _HEAD[column] == "outcome":
        return "red" if failed else "green"
    return "bright_black" if _HEAD[column] in {"trace", "start"} else ""
