"""Durations, times and bars: pure text of known width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.core.model import MILLISECOND, SECOND
from kspanpy.view import cells


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (-5, "0 ms"),
        (0, "0 ms"),
        (999 * MILLISECOND, "999 ms"),
        (SECOND, "1.00 s"),
        (9_994 * MILLISECOND, "9.99 s"),
        (9_995 * MILLISECOND, "10.0 s"),
        (99_940 * MILLISECOND, "99.9 s"),
        (99_950 * MILLISECOND, "1 m 40 s"),
        (125 * SECOND, "2 m 05 s"),
        (3_599_600 * MILLISECOND, "1 h 00 m"),
        (7_380 * SECOND, "2 h 03 m"),
    ],
)
def test_durations_have_three_figures(ns: int, text: str) -> None:
    """The unit is the one in which a person would say it; rounding never gives 60 s or 60 m."""
    assert cells.duration(ns) == text


@given(st.integers(-(10**18), 10**18))
def test_durations_are_short(ns: int) -> None:
    """A column of a fixed width holds them up to a day."""
    assert len(cells.duration(min(ns, 86_400 * SECOND))) <= 9


@pytest.mark.parametrize("ns", [-(10**30), 0, 10**18, 2**64, 10**30])
def test_any_time_can_be_shown(ns: int) -> None:
    """A span file may hold what no calendar has."""
    assert cells.moment(ns).endswith((" UTC", " ns"))


@pytest.mark.parametrize(
    ("start", "end", "lead", "text"),
    [
        pytest.param(0.0, 1.0, 0, "━━━━", id="all of it"),
        pytest.param(0.0, 0.5, 0, "━━", id="the first half"),
        pytest.param(0.5, 1.0, 2, "━━", id="the second half"),
        pytest.param(0.125, 0.375, 0, "╺╸", id="half cells"),
        pytest.param(0.0, 0.0, 0, "╸", id="an instant at the beginning"),
        pytest.param(1.0, 1.0, 3, "╺", id="an instant at the end"),
    ],
)
def test_bars_are_in_proportion(start: float, end: float, lead: int, text: str) -> None:
    """With half cells, and never empty."""
    assert cells.bar(start, end, 4) == (lead, text)


@given(st.floats(-1, 2), st.floats(-1, 2), st.integers(1, 60))
def test_a_bar_stays_in_its_column(start: float, end: float, width: int) -> None:
    """Also for spans that lie outside their story."""
    lead, text = cells.bar(start, end, width)
    assert lead >= 0
    assert 1 <= len(text) <= width - lead


@given(st.text())
def test_any_text_has_an_ascii_form(text: str) -> None:
    """For terminals that know no more."""
    assert cells.plain(text).isascii()
