"""One namespace floods: memory stays bounded, the others do not wait, and what is dropped is counted.

Figures are printed. The generator and kspanpy share the machine, so the rate that fits depends on it; the bounds do not.
"""

from __future__ import annotations

import json

import pytest

from tests.faults.flooding import flood

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

RATE, SECONDS = 5_000, 60
MOST_MIB, MOST_LAG_S = 200, 10

PLANS = {
    "names": {"variant": "names"},
    "count": {"variant": "count"},
    "ghosts": {"variant": "ghosts"},
    "messages": {"variant": "messages"},
    "reasons": {"variant": "reasons"},
    "more than fits": {"variant": "names", "rate": 4 * RATE},
    "more ghosts than fit": {"variant": "ghosts", "rate": 4 * RATE},
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_flood_is_bounded_and_only_the_flooder_pays(plan, tmp_path, capsys):
    """5,000 Events a second for a minute from one namespace, 20 a second from twenty others; and floods that no linker takes in."""
    figures = flood({"rate": RATE, "seconds": SECONDS} | plan, tmp_path)
    with capsys.disabled():
        print(json.dumps({name: value for name, value in figures.items() if name not in ("metrics", "told")}))
        print(json.dumps(figures["metrics"]))
    value = figures["metrics"].get
    assert figures["peak_mib"] <= MOST_MIB
    assert figures["beacons"] == figures["told"]["quiet"]  # none of the others' Events was lost
    assert figures["lag_max"] <= MOST_LAG_S
    discarded = sum(number for name, number in figures["metrics"].items() if "discarded" in name)
    seen = value("kspanpy_events_seen_total", 0)
    assert seen == value("kspanpy_events_exported_total", 0) + discarded + value("kspanpy_events_pending", 0)
    assert seen == figures["told"]["flooded"] + figures["told"]["quiet"]
    assert value("kspanpy_spans_dropped_total", 0) == 0
    if value('kspanpy_events_discarded_total{reason="flood"}', 0):
        assert "'flooder'" in (tmp_path / "kspanpy.log").read_text()


def test_events_that_were_stored_before_the_start_are_all_told(tmp_path, capsys):
    """A list of 40,000 Events of one namespace is a backlog, not a flood: it waits, and nothing is dropped."""
    plan = {"variant": "steady", "listed": 40_000, "seconds": 5, "before": 2, "after": 20, "quiet_rate": 20}
    figures = flood(plan, tmp_path)
    with capsys.disabled():
        print(json.dumps({name: value for name, value in figures.items() if name != "metrics"}))
    assert (
        figures["metrics"]["kspanpy_events_exported_total"] + figures["metrics"].get("kspanpy_events_pending", 0)
        == 40_000 + figures["told"]["quiet"]
    )
    assert figures["peak_mib"] <= MOST_MIB
