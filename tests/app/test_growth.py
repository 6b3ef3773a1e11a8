"""300 cycles of making, changing, breaking and deleting workloads leave nothing behind. A whole day: `scripts/faults -k day`."""

from __future__ import annotations

from kspanpy.core.settings import LinkerSettings
from tests.faults.soaking import Act, Soak, grown

SHORT = (
    Act(2, "create", 0, 0),
    Act(1, "widget", 0, 0),
    Act(15, "image", 0, 2),
    Act(3, "kill", 0),
    Act(15, "delete", 0, 0),
    Act(2, "delete", 0, 0),
    Act(40, "delete", 0, 0),
)


def test_three_hundred_cycles_leave_nothing_behind():
    """What an hour's memory holds after 60 of them is what it holds after 300."""
    settings = LinkerSettings(cluster_uid="c", max_chapters=4, memory_s=600, story_cap_s=550)
    soak = Soak(settings, crons=0)
    for _ in range(60):
        soak.cycle(SHORT)
    before = soak.held()
    for _ in range(240):
        soak.cycle(SHORT)
    after = soak.held()
    assert grown(before, after, by=1.3, least=50) == {}
    seen, accounted = soak.accounts()
    assert 0 <= seen - accounted <= 20
