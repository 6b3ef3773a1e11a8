"""A day in virtual time: nothing that is held grows. The short version is in `tests/app/test_growth.py`."""

from __future__ import annotations

import json
import time

import pytest

from kspanpy.core.settings import LinkerSettings
from tests.faults.soaking import Soak, grown

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def test_a_day_grows_nothing(capsys):
    """Rollouts, crashes, kills, lost nodes, custom owners, deletions, and 16 CronJobs a minute: hour 2 against hour 24."""
    soak = Soak(LinkerSettings(cluster_uid="c", max_chapters=16), crons=16)
    began = time.process_time()
    before = None
    while soak.hours < 24:
        soak.cycle()
        if before is None and soak.hours >= 2:
            before = soak.held()
    after = soak.held()
    assert before is not None
    figures = {
        "hours": round(soak.hours, 1),
        "events": soak.events,
        "objects": soak.objects,
        "cpu_s": round(time.process_time() - began),
        "held_mib": [round(held.total_bytes / 2**20, 2) for held in (before, after)],
    }
    with capsys.disabled():
        print(json.dumps(figures))
    # What is tidied up now and then doubles meanwhile; a leak would be twelve times as large.
    assert grown(before, after, by=2) == {}
    assert after.total_bytes <= 1.1 * before.total_bytes
    seen, accounted = soak.accounts()
    assert 0 <= seen - accounted <= 100
