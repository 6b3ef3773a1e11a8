"""The process was down for a while: what fell due then waits for what happened then."""

from __future__ import annotations

from kspanpy.core.steps import GapBegan, GapEnded
from tests.core.acting import crash, roll_out
from tests.core.cluster import Cluster

DOWN_S = 120


def settled_just_now() -> tuple[Cluster, tuple]:
    """A rollout whose story would be closed in ten seconds."""
    cluster = Cluster()
    web = cluster.deployment()
    rs, pod = roll_out(cluster, web)
    cluster.settle(web)
    cluster.wait(1)
    return cluster, (pod, rs, web)


def test_a_story_is_not_closed_by_time_that_nobody_saw() -> None:
    """A Pod that crashes three seconds after the rollout belongs to it, whenever we hear of it."""
    cluster, (pod, rs, web) = settled_just_now()
    cluster.tell(GapBegan())
    crash(cluster, pod, rs, web)
    crashed_ns = cluster.now_ns
    cluster.wait(DOWN_S)
    assert cluster.roots() == []
    cluster.tell(GapEnded())
    cluster.wait(3600)
    assert cluster.roots()[0].name == "Deployment rollout"
    assert cluster.span("Pod.BackOff").trace_id == cluster.roots()[0].trace_id
    assert cluster.roots()[0].end_ns >= crashed_ns - 10**9


def test_when_nothing_happened_it_is_closed_at_its_end() -> None:
    """With the content that it would have had."""
    cluster, _ = settled_just_now()
    expected, _ = settled_just_now()
    expected.wait(DOWN_S)
    cluster.tell(GapBegan())
    cluster.wait(DOWN_S)
    assert cluster.roots() == []
    cluster.tell(GapEnded())
    assert cluster.roots() == expected.roots()


def test_the_end_of_a_recording_ends_a_gap() -> None:
    """Nothing stays open for want of an answer."""
    cluster, _ = settled_just_now()
    cluster.tell(GapBegan())
    cluster.finish()
    assert len(cluster.roots()) == 1
