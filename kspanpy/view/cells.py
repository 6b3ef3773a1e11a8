"""The small pieces of a line: durations, times, bars. Pure text; widths are in terminal cells."""

from __future__ import annotations

from datetime import UTC, datetime

from kspanpy.core.model import MILLISECOND, SECOND

_MINUTE_S = 60
_ASCII = str.maketrans(
    {"├": "|", "└": "`", "│": "|", "─": "-", "━": "=", "╸": "=", "╺": "=", "●": "*", "✗": "x", "…": "~", "→": ">", "·": "-",
     "↳": ">", "⋯": ".", "–": "-", "▏": "|", "×": "x"}
)  # fmt: skip


def duration(ns: int) -> str:
    """`850 ms`, `12.3 s`, `2 m 05 s`, `1 h 02 m`: three figures at most."""
    if ns < SECOND:
        return f"{max(ns, 0) // MILLISECOND} ms"
    seconds = ns / SECOND
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, _MINUTE_S)
    if minutes < _MINUTE_S:
        return f"{minutes} m {rest:02} s"
    return f"{minutes // _MINUTE_S} h {minutes % _MINUTE_S:02} m"


def moment(ns: int) -> str:
    """`2026-01-01 12:00:03 UTC`; times that no calendar has are shown as they are."""
    try:
        return datetime.fromtimestamp(ns // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{ns} ns"


def bar(start: float, end: float, width: int) -> tuple[int, str]:
    """A bar from `start` to `end` (0 to 1) on `width` cells: (cells before it, its text). Half cells; never empty."""
    halves = 2 * width
    first = min(max(round(start * halves), 0), halves - 1)
    last = min(max(round(end * halves), first + 1), halves)
    lead, begins_late = divmod(first, 2)
    cells = (last + 1) // 2 - lead
    if cells == 1 and last - first == 1:
        return lead, "╺" if begins_late else "╸"
    text = ["━"] * cells
    if begins_late:
        text[0] = "╺"
    if last % 2:
        text[-1] = "╸"
    return lead, "".join(text)


def plain(text: str) -> str:
    """`text` for a terminal that knows only ASCII."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
