"""docs/problems.md names every class of problems, and what shows it, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kspanpy.core.rules.emitters import RULES
from kspanpy.core.rules.problems import CONDITIONS, CONTAINERS, Problem

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "problems.md").read_text()
ROWS = {row[1].strip(" `"): row for row in (line.split("|") for line in PAGE.splitlines() if line.startswith("| `"))}


def test_every_class_is_on_the_page_and_no_other() -> None:
    """In the order of the code."""
    assert list(ROWS) == list(Problem)


@pytest.mark.parametrize("problem", Problem, ids=str)
def test_what_shows_it_is_on_the_page(problem: Problem) -> None:
    """Reasons of Events, states of containers, conditions: exactly those of the code; and the rest is not empty."""
    _, _, meaning, events, states, advice, _ = ROWS[problem]
    assert set(re.findall("`([^`]+)`", events)) == {
        reason for rule in RULES if rule.problem == problem for reason in rule.reason.split()
    }
    assert set(re.findall("`([^`]+)`", states)) == {
        *(state for state, shown in CONTAINERS.items() if shown is problem),
        *(f"{type_}/{reason}" for (type_, reason), shown in CONDITIONS.items() if shown is problem),
    }
    assert meaning.strip()
    assert advice.strip()


@pytest.mark.parametrize("problem", Problem, ids=str)
def test_something_shows_it(problem: Problem) -> None:
    """A class that nothing belongs to is none."""
    assert (
        any(rule.problem == problem for rule in RULES)
        or problem in CONTAINERS.values()
        or problem in CONDITIONS.values()
    )
