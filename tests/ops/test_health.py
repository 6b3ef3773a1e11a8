"""Alive and ready: pure functions of a few times."""

from __future__ import annotations

import pytest

from kspanpy.ops.health import ACTIVITY_S, HEARTBEAT_S, Vital, not_alive, not_ready

NOW = 10_000.0


@pytest.mark.parametrize(
    ("age", "alive"),
    [
        pytest.param(0.0, True, id="just now"),
        pytest.param(HEARTBEAT_S, True, id="on the limit"),
        pytest.param(HEARTBEAT_S + 0.1, False, id="too long ago"),
    ],
)
def test_alive_is_a_loop_that_comes_round(age: float, *, alive: bool) -> None:
    """Within 60 s, and nothing else: a restart heals neither the API server nor the backend."""
    assert (not_alive(Vital(heartbeat_s=NOW - age), now_s=NOW) == "") is alive


def test_nothing_outside_makes_the_process_dead() -> None:
    """An API server that is away for half an hour costs readiness, not life."""
    vital = Vital(heartbeat_s=NOW, activity_s=NOW - 1800, synced=True)
    assert not_alive(vital, now_s=NOW) == ""
    assert not_ready(vital, now_s=NOW) != ""


@pytest.mark.parametrize(
    ("vital", "said"),
    [
        pytest.param(Vital(heartbeat_s=NOW, activity_s=NOW, synced=True), "", id="all well"),
        pytest.param(Vital(heartbeat_s=NOW, activity_s=NOW - ACTIVITY_S, synced=True), "", id="quiet but in time"),
        pytest.param(Vital(heartbeat_s=NOW, activity_s=NOW), "the first lists are not complete", id="starting"),
        pytest.param(Vital(heartbeat_s=NOW, synced=True), "no word from the API server", id="never heard"),
        pytest.param(
            Vital(heartbeat_s=NOW, activity_s=NOW - ACTIVITY_S - 1, synced=True),
            "no word from the API server",
            id="stale",
        ),
        pytest.param(
            Vital(heartbeat_s=NOW, activity_s=NOW, synced=True, draining=True), "shutting down", id="draining"
        ),
    ],
)
def test_ready_is_to_see_the_cluster_as_it_is(vital: Vital, said: str) -> None:
    """Listed, heard within 3 min, not about to stop; the answer says what is missing."""
    reason = not_ready(vital, now_s=NOW)
    assert reason.startswith(said)
    assert bool(reason) == bool(said)
