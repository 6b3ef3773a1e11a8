"""What the benchmark says of what it measured: verdicts, tables, and whether a run is worse than the saved one."""

from __future__ import annotations

import json

import pytest

from tests.bench.baseline import MARGIN, baseline, compare, merged
from tests.bench.figures import Compare, Figure, figure, markdown, number, table
from tests.bench.page import PAGE, renewed, tables
from tests.bench.registry import SCENARIOS, SHORT, summary
from tests.bench.scenarios.profile import shares, stage
from tests.bench.scenarios.standing import slope


def ratio(value: float) -> Figure:
    """Compared as a ratio."""
    return Figure("speed", "against the bare reader", value, "x", goal=5, compare=Compare.RATIO)


def count(value: float) -> Figure:
    """Compared as a count."""
    return Figure("calls", "decode", value, "calls", compare=Compare.COUNT)


def test_a_goal_is_met_or_falls_short():
    """At most, or at least; without a goal nothing is said."""
    assert ratio(5).verdict == "ok"
    assert ratio(5.01).verdict == "falls short"
    assert Figure("linker", "events", 40_000, goal=40_000, at_least=True).verdict == "ok"
    assert Figure("linker", "events", 39_999, goal=40_000, at_least=True).verdict == "falls short"
    assert count(1).verdict == ""
    assert Figure("score", "captures", "skipped", goal=1).verdict == ""


def test_the_table_has_one_row_for_each_figure():
    """With goal and unit, columns below each other."""
    text = table([ratio(4), Figure("linker", "events on one core", 41_000.4, "/s", goal=40_000, at_least=True)])
    head, first, second = text.splitlines()
    assert first.split() == ["speed", "against", "the", "bare", "reader", "≤", "5x", "4x", "ok"]
    assert "≥ 40 000 /s" in second
    assert "41 000 /s" in second
    assert head.index("goal") == first.index("≤") == second.index("≥")


def test_the_page_says_in_bold_what_falls_short():
    """A figure that falls short is not hidden."""
    assert markdown([ratio(6)]).splitlines()[-1] == "| speed | against the bare reader | ≤ 5x | 6x | **falls short** |"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (3.14159, "3.14"), (123.4, "123"), (1234.5, "1 234"), (0, "0")]
)
def test_numbers_have_three_digits_that_matter(value, text):
    """More would be noise."""
    assert number(value) == text


def test_a_figure_survives_its_json():
    """`--page` reads what `--json` wrote."""
    one = ratio(4.2)
    assert figure(json.loads(json.dumps(one.as_dict()))) == one


def test_counts_fail_at_ten_percent():
    """They are exact, so more is not noise."""
    saved = baseline([count(100)], "3.11")
    assert compare([count(110)], saved, "3.11").failed == []
    assert compare([count(110.1)], saved, "3.11").failed == ["calls: decode"]
    assert compare([count(50)], saved, "3.11").failed == []


def test_counts_of_another_python_are_skipped_and_that_is_said():
    """Another interpreter calls other functions."""
    found = compare([count(1000)], baseline([count(100)], "3.11"), "3.13")
    assert found.failed == []
    assert found.lines == ["skipped  calls: decode: the baseline is of Python 3.11, this is 3.13"]


def test_ratios_fail_at_a_wider_margin():
    """They move by themselves on a machine that others use, too."""
    saved = baseline([ratio(10)], "3.11")
    most = 10 * (1 + MARGIN[Compare.RATIO])
    assert compare([ratio(most)], saved, "3.13").failed == []
    assert compare([ratio(most + 0.1)], saved, "3.13").failed == ["speed: against the bare reader"]


def test_a_ratio_that_should_be_high_fails_when_it_falls():
    """The other direction."""
    high = [Figure("x", "y", value, at_least=True, compare=Compare.RATIO) for value in (10.0, 7.0, 14.0)]
    saved = baseline(high[:1], "3.11")
    assert compare(high[1:2], saved, "3.11").failed == ["x: y"]
    assert compare(high[2:], saved, "3.11").failed == []


def test_what_must_be_exact_fails_at_any_difference():
    """The score table does not move."""
    old, new = (Figure("score", "digest", text, compare=Compare.EXACT) for text in ("a", "b"))
    assert compare([old], baseline([old], "3.11"), "3.11").failed == []
    assert compare([new], baseline([old], "3.11"), "3.11").failed == ["score: digest"]


def test_seconds_are_never_compared():
    """They are the machine's."""
    slow = Figure("cold", "CPU", 5.0, "s")
    assert baseline([slow], "3.11")["figures"] == {}
    assert compare([slow], {"python": "3.11", "figures": {"cold: CPU": 1.0}}, "3.11").lines == []


def test_what_the_baseline_does_not_have_is_new_and_no_failure():
    """And what was not measured is not missed."""
    found = compare([count(5)], baseline([ratio(1)], "3.11"), "3.11")
    assert found.failed == []
    assert found.lines == ["new      calls: decode: 5 calls"]


def test_a_run_of_some_scenarios_renews_only_their_part_of_the_baseline():
    """Unless the baseline is of another Python."""
    old = baseline([count(100), ratio(10)], "3.11")
    assert merged(old, baseline([count(90)], "3.11"))["figures"] == {count(0).key: 90, ratio(0).key: 10}
    assert merged(old, baseline([count(90)], "3.12")) == {"python": "3.12", "figures": {count(0).key: 90}}


def test_memory_is_the_slope_of_the_line_that_fits_best():
    """What is there anyway falls out."""
    assert slope([10, 20, 50], [105, 110, 125]) == pytest.approx(0.5)


def test_every_scenario_says_what_it_does():
    """In a line, for --help; the short form has only what there is."""
    assert all(summary(scenario).endswith(".") for scenario in SCENARIOS.values())
    assert set(SHORT) <= set(SCENARIOS)


def test_a_stack_counts_for_the_innermost_part_of_kspanpy_in_it():
    """What a library does counts for whoever called it."""
    assert stage("run (kspanpy/app/loop.py:1);step (kspanpy/core/linker.py:2)") == "linker"
    assert (
        stage("offer (/x/kspanpy/export/pipeline.py:1);encode (/x/kspanpy/export/encode.py:9);make (proto.py:3)")
        == "encode"
    )
    assert stage("run (kspanpy/kube/reflector.py:1);read1 (http/client.py:2)").startswith("reading")
    assert stage("main (runpy.py:1)") == "anything else"
    assert shares("a (kspanpy/core/x.py:1) 3\nb (kspanpy/decode/y.py:1) 1\n") == {"linker": 0.75, "decode": 0.25}


def test_a_table_of_the_page_is_renewed_from_the_report_of_its_form():
    """Others stay as they are."""
    text = "a\n<!-- figures full: made by scripts/bench -->\nold\n<!-- end -->\n<!-- figures real: made by scripts/bench -->\nkept\n<!-- end -->\n"
    report = {"machine": {"cpu": "C", "cores": 2, "python": "3.11.7"}, "figures": [ratio(4).as_dict()]}
    new = renewed(text, {"full": report})
    assert "old" not in new
    assert "kept" in new
    assert "| speed | against the bare reader | ≤ 5x | 4x | ok |" in new
    assert renewed(new, {"full": report}) == new


def test_where_the_time_goes_has_a_table_of_its_own():
    """It is in the report of a full run."""
    share = Figure("profile", "linker, 28%", 46.0, "µs").as_dict()
    report = {"form": "full", "machine": {}, "figures": [share, ratio(4).as_dict()]}
    assert {table: len(part["figures"]) for table, part in tables([report])} == {"full": 1, "profile": 1}
    assert [table for table, _ in tables([{**report, "form": "real", "figures": [ratio(4).as_dict()]}])] == ["real"]


def test_a_scenario_that_was_measured_again_replaces_its_rows():
    """So one scenario can be taken again without the rest."""
    first = {"form": "full", "figures": [ratio(9).as_dict(), count(3).as_dict()]}
    again = {"form": "full", "figures": [ratio(4).as_dict()]}
    [(table, part)] = tables([first, again])
    assert table == "full"
    assert [(one["scenario"], one["value"]) for one in part["figures"]] == [("speed", 4), ("calls", 3)]


def test_the_page_has_a_table_for_each_form():
    """docs/performance.md can be renewed."""
    text = PAGE.read_text(encoding="utf-8")
    for form in ("full", "real", "profile"):
        assert f"<!-- figures {form}: " in text
