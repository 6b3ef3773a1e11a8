"""Imagined histories of a cluster, told in every order that watches may have, against what the model knows to be true."""

from __future__ import annotations

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from kspanpy.core.model import Span
from tests.model.delivery import PROMPT, Lateness, tell
from tests.model.histories import Cluster, History, histories
from tests.model.truth import Verdict, judge

MANY = settings().max_examples >= 1000
often = settings(
    max_examples=settings().max_examples if MANY else 60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
COUNTS = {"histories": 0, "objects": 0, "occurrences": 0, "changes": 0, "decided": 0, "free": 0, "open": 0, "incidents": 0}


def shape(spans: list[Span]) -> set[tuple[bytes, bytes, bytes, str]]:
    """Traces, ids, parents and names."""
    return {(span.trace_id, span.span_id, span.parent_id, span.name) for span in spans}


def check(history: History, lateness: Lateness) -> list[Span]:
    """The spans of a history received like that, which must be right."""
    world = Cluster(history).play(history)
    spans = tell(world, lateness)
    verdict = judge(world, spans, lateness.most)
    count(verdict, len({line.thing.uid for line in world.lines if line.kind != "Event"}), len(world.changes))
    assert not verdict.wrong, "\n".join(verdict.wrong)
    return spans


def count(verdict: Verdict, objects: int, changes: int) -> None:
    """For the summary: sums, and the largest history."""
    COUNTS["histories"] += 1
    COUNTS["objects"] = max(COUNTS["objects"], objects)
    COUNTS["changes"] = max(COUNTS["changes"], changes)
    COUNTS["occurrences"] = max(COUNTS["occurrences"], verdict.occurrences)
    for name in ("decided", "free", "open", "incidents"):
        COUNTS[name] += getattr(verdict, name)


@often
@given(history=histories())
def test_prompt(history):
    """Every watch shows at once what is written."""
    check(history, PROMPT)


latenesses = st.builds(
    Lateness,
    seed=st.integers(0, 99),
    kinds=st.dictionaries(
        st.sampled_from(["Deployment", "ReplicaSet", "Pod", "Event", "StatefulSet", "DaemonSet", "Job", "Node"]),
        st.sampled_from([0.05, 0.3, 0.9]),
        max_size=3,
    ),
    jitter=st.sampled_from([0.0, 0.05]),
)


@often
@given(history=histories(), lateness=latenesses)
def test_late(history, lateness):
    """Watches overtake each other."""
    check(history, lateness)


def test_summary():
    print(COUNTS)
