"""Imagined histories of a cluster, told in every order that watches may have, against what the model knows to be true.

`HYPOTHESIS_PROFILE=explore` looks at thousands (`scripts/explore`); `KSPANPY_MODEL_STATISTICS` names a file for what was looked at.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model.delivery import PROMPT, Lateness, tell
from tests.model.histories import GAPS, HOURS, Cluster, History, histories
from tests.model.judge import Verdict, judge
from tests.model.known import KNOWN
from tests.model.world import World

pytestmark = pytest.mark.timeout(600)  # a failure takes minutes to become a small one
EXPLORE = settings().max_examples >= 1000
often = settings(
    max_examples=settings().max_examples if EXPLORE else 60, deadline=None, suppress_health_check=list(HealthCheck)
)
SUMS: Counter[str] = Counter()
LARGEST: Counter[str] = Counter()

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
OTHERS = ("ReplicaSet", "Pod", "Node", "Event")


@st.composite
def late(draw: st.DrawFn) -> Lateness:
    """Two or three watches that are late; workloads as far as `known` allows."""
    others = draw(st.dictionaries(st.sampled_from(OTHERS), st.sampled_from([0.05, 0.3, 3.0]), max_size=3))
    most = st.just(0.05) if "late-change" in KNOWN else st.sampled_from([0.05, 0.3, 0.8])
    workloads = draw(st.dictionaries(st.sampled_from(WORKLOADS), most, max_size=2))
    relists = st.lists(
        st.tuples(st.sampled_from([*WORKLOADS, *OTHERS]), st.sampled_from([5.0, 33.3, 100.0])), max_size=2
    )
    return Lateness(
        seed=draw(st.integers(0, 99)),
        kinds=others | workloads,
        jitter=draw(st.sampled_from([0.0, 0.05])),
        relists=tuple(draw(relists)),
    )


@pytest.fixture(scope="module", autouse=True)
def statistics():
    """What was looked at, as a line of JSON."""
    yield
    if path := os.environ.get("KSPANPY_MODEL_STATISTICS"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"sums": SUMS, "largest": LARGEST}) + "\n")


def check(world: World, lateness: Lateness) -> Verdict:
    """What is told of a history received like that must be right."""
    verdict = judge(world, tell(world, lateness), lateness.most)
    assert not verdict.wrong, "\n".join(verdict.wrong)
    return verdict


def play(history: History) -> World:
    """What happens, counted."""
    world = Cluster(history).play(history)
    SUMS["histories"] += 1
    kinds = Counter(line.kind == "Event" for line in world.lines)
    objects = len({line.thing.uid for line in world.lines if line.kind != "Event"})
    for name, number in {"lines": kinds.total(), "events": kinds[True], "objects": objects}.items():
        SUMS[name] += number
        LARGEST[name] = max(LARGEST[name], number)
    SUMS["changes"] += len(world.changes)
    LARGEST["changes"] = max(LARGEST["changes"], len(world.changes))
    return world


def note(verdict: Verdict) -> None:
    """Counts what was judged."""
    SUMS["tellings"] += 1
    for name in ("occurrences", "decided", "free", "open", "incidents"):
        SUMS[name] += getattr(verdict, name)


@often
@given(history=histories())
def test_every_event_is_told_where_it_belongs(history):
    """Every watch shows at once what is written: one tree a change, incidents on their own, everything under its object."""
    note(check(play(history), PROMPT))


@often
@given(history=histories(), lateness=late())
def test_watches_may_overtake_each_other(history, lateness):
    """Lines come late, twice, and Events before their objects: still all in its place, and by the same ids."""
    world = play(history)
    prompt, verdict = judge(world, tell(world, PROMPT), 0), check(world, lateness)
    note(verdict)
    keys = prompt.decided_keys & verdict.decided_keys if "incident-id" in KNOWN else set(verdict.places)
    parts = slice(1) if "phase-edge" in KNOWN else slice(2)  # the trace; its parent, too
    assert {key: verdict.places[key][parts] for key in keys} == {key: prompt.places[key][parts] for key in keys}


@often
@given(history=histories(GAPS[4:] + HOURS, size=8), lateness=late())
def test_hours_pass(history, lateness):
    """Events expire and are written anew under another uid with a higher count; what was told is forgotten."""
    note(check(play(history), lateness))
