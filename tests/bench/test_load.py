"""What the benchmark is fed with: real recorded objects and Events under other names, and stories that the linker can tell."""

from __future__ import annotations

import json
from collections import Counter

from kspanpy.core.steps import EventSeen, SpanEnded, Tick
from tests.bench import feeding
from tests.bench.cluster import MIX, recorded
from tests.bench.fixed import Fixed, counted
from tests.bench.recorded import huge, stories

BEGIN = feeding.EPOCH_NS / 1e9


def spans_of(changes):
    """What the linker makes of them after the lists of a small cluster."""
    linker = feeding.linker_of(feeding.cluster(10, 2))
    told = []
    for change in changes:
        if change.kind != "Event" or change.is_step:
            told += linker.step(feeding.step(change.line), int(change.at * 1e9))
    told += linker.finish(int(change.at * 1e9) + 60_000_000_000)
    return [out.span for out in told if isinstance(out, SpanEnded)]


def test_an_event_is_a_recorded_one_about_another_pod():
    """The same fields, managedFields and all."""
    made = feeding.cluster(100, 10)
    [line] = feeding.lines(made, 7, 1)
    thing = json.loads(line)["object"]
    [model] = [change["object"] for change in recorded("deployment") if change["object"].get("reason") == MIX[0]][:1]
    assert thing.keys() == model.keys()
    assert thing["metadata"].keys() == model["metadata"].keys()
    assert thing["involvedObject"]["name"] == "app-7-5b89c5ccc4-00007"
    assert model["involvedObject"]["name"] not in json.dumps(thing)


def test_every_event_of_a_burst_becomes_a_span():
    """All are about Pods that exist, and a Pod's turn ends with an Event that has no sequel."""
    fixed = Fixed(600)
    fixed.decode()
    assert all(isinstance(step, EventSeen) for step in fixed.steps)
    fixed.link()
    assert fixed.linker.stats().pending_events <= feeding.A_SECOND  # the newest are held for a second
    rest = fixed.linker.step(Tick(), feeding.at_ns(2_000))
    told = fixed.spans + [out.span for out in rest if isinstance(out, SpanEnded)]
    told = [span for span in told if "k8s.event.uid" in span.attributes]
    assert len(told) == 600 + 400  # those of the warm-up waited for these
    assert fixed.linker.stats().held_events == 0


def test_recorded_stories_are_told_as_often_as_they_are_copied():
    """Each with its own root."""
    found = spans_of(stories(12, BEGIN + 1, 2.0))
    roots = Counter(span.name for span in found if not span.parent_id)
    assert roots["Deployment rollout"] >= 4
    assert roots["Job run"] == 2
    assert len({span.trace_id for span in found}) == sum(roots.values())


def test_a_huge_story_is_one_rollout_with_all_its_pods():
    """300 Pods, one trace."""
    found = spans_of(huge(300, BEGIN + 1, 100))
    startups = [span for span in found if span.name == "Pod startup"]
    assert len(startups) == 300
    assert {span.name for span in found if not span.parent_id} == {"Deployment rollout"}
    assert len({span.trace_id for span in found}) == 1


def test_counting_calls_gives_the_same_number_each_time():
    """So a change of ten percent is one."""
    fixed = Fixed(50)
    fixed.decode()
    assert counted(fixed.decode) == counted(fixed.decode) > 50
