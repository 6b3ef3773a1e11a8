"""Is this run worse than the saved one? Pure.

Seconds are never compared, only what the machine has little to do with:

- counts of calls and instructions fail at +10 %. They are exact for one Python version; of another version they are skipped, and that
  is said;
- ratios against a yardstick of the same run fail at +35 %. On a machine that others use, too, they move by up to +-15 % from run to
  run; what a change of 10 % costs is found by the counts;
- what must be exact (the score table) fails at any difference.

What the baseline does not have is new and no failure; what was not measured in this run is not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tests.bench.figures import Compare, Figure, number

MARGIN = {Compare.COUNT: 0.10, Compare.RATIO: 0.35}


class Comparison(NamedTuple):
    """What came of it."""

    lines: list[str]
    """One for each figure that was compared or skipped."""
    failed: list[str]
    """The keys of those that got worse."""


def baseline(figures: Iterable[Figure], python: str) -> dict[str, Any]:
    """What is saved: only what can be compared. `python`: the version, as in 3.11."""
    kept = {one.key: one.value for one in figures if one.compare is not Compare.NO}
    return {"python": python, "figures": dict(sorted(kept.items()))}


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A baseline with the figures of a run of some scenarios only; of another Python version nothing is kept."""
    kept = old.get("figures", {}) if old.get("python") == new["python"] else {}
    return {"python": new["python"], "figures": dict(sorted((kept | new["figures"]).items()))}


def compare(figures: Iterable[Figure], saved: Mapping[str, Any], python: str) -> Comparison:
    """Holds a run against a saved one."""
    lines: list[str] = []
    failed: list[str] = []
    known: Mapping[str, float | str] = saved.get("figures", {})
    for one in figures:
        if one.compare is Compare.NO:
            continue
        if one.key not in known:
            lines.append(f"new      {one.key}: {one.shown}")
        elif one.compare is Compare.COUNT and saved.get("python") != python:
            lines.append(f"skipped  {one.key}: the baseline is of Python {saved.get('python')}, this is {python}")
        elif (why := _worse(one, known[one.key])) is not None:
            failed.append(one.key)
            lines.append(f"WORSE    {one.key}: {why}")
        else:
            lines.append(f"same     {one.key}: {_moved(one, known[one.key])}")
    return Comparison(lines, failed)


def _worse(one: Figure, before: float | str) -> str | None:
    if one.compare is Compare.EXACT or isinstance(before, str) or isinstance(one.value, str):
        return None if one.value == before else f"{before} -> {one.value}; it must not move"
    margin = MARGIN[one.compare]
    bad = one.value < before / (1 + margin) if one.at_least else one.value > before * (1 + margin)
    return f"{_moved(one, before)}; {margin:+.0%} is allowed" if bad else None


def _moved(one: Figure, before: float | str) -> str:
    if isinstance(before, str) or isinstance(one.value, str) or not before:
        return str(one.value)
    return f"{number(before)} -> {number(one.value)} ({one.value / before - 1:+.1%})"
