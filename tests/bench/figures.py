"""What a benchmark says: figures, their goals, and the table that shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Compare(StrEnum):
    """How a figure is held against the one of a saved baseline."""

    NO = ""
    """Not at all: it depends on the machine."""
    COUNT = "count"
    """Calls or instructions: the same on every run of one Python, so a small change is a change."""
    RATIO = "ratio"
    """Against a yardstick of the same run: the machine falls out of it, its noise does not."""
    EXACT = "exact"
    """Must not move at all."""


@dataclass(frozen=True)
class Figure:
    """One measured number. `goal` is the most it may be, or the least where `at_least`; None: there is none."""

    scenario: str
    name: str
    value: float | str
    unit: str = ""
    goal: float | None = None
    at_least: bool = False
    compare: Compare = Compare.NO

    @property
    def key(self) -> str:
        """What it is called in a baseline."""
        return f"{self.scenario}: {self.name}"

    @property
    def verdict(self) -> str:
        """`ok`, `falls short`, or nothing where there is no goal."""
        if self.goal is None or isinstance(self.value, str):
            return ""
        good = self.value >= self.goal if self.at_least else self.value <= self.goal
        return "ok" if good else "falls short"

    @property
    def shown(self) -> str:
        """The value with its unit."""
        return self.value if isinstance(self.value, str) else _with_unit(self.value, self.unit)

    @property
    def shown_goal(self) -> str:
        """The goal with its unit and direction."""
        if self.goal is None:
            return ""
        return ("≥ " if self.at_least else "≤ ") + _with_unit(self.goal, self.unit)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `figure` reads it."""
        return asdict(self) | {"compare": str(self.compare), "verdict": self.verdict}


def figure(plain: dict[str, Any]) -> Figure:
    """The figure that `as_dict` gave."""
    known = {name: plain[name] for name in ("scenario", "name", "value", "unit", "goal", "at_least") if name in plain}
    return Figure(**known, compare=Compare(plain.get("compare", "")))


def number(value: float) -> str:
    """Three digits that matter; thousands apart."""
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _with_unit(value: float, unit: str) -> str:
    text = number(value)
    if not unit:
        return text
    return f"{text}{unit}" if unit in {"x", "%"} else f"{text} {unit}"


COLUMNS = ("scenario", "what", "goal", "measured", "")


def rows(figures: Iterable[Figure]) -> list[tuple[str, ...]]:
    """One row a figure, under `COLUMNS`."""
    return [(one.scenario, one.name, one.shown_goal, one.shown, one.verdict) for one in figures]


def table(figures: Iterable[Figure]) -> str:
    """For a terminal."""
    lines = [COLUMNS, *rows(figures)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    text = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join(text)


def markdown(figures: Iterable[Figure]) -> str:
    """For a page; what falls short is bold."""
    head = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
    body = (
        f"| {' | '.join('**falls short**' if cell == 'falls short' else cell for cell in row)} |"
        for row in rows(figures)
    )
    return "\n".join([head, *body])
