"""What holds whatever the cluster does and however the clock runs: any objects, any Events, in any order.

The pools are small, so that what is made up interacts: objects own each other, die, come back, and are spoken of before they are
seen. Memory is longer than any example: what was forgotten may be told anew, and is not looked at here.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kspanpy.core.linker import Linker, LinkerStats
from kspanpy.core.model import (
    SECOND,
    Condition,
    Container,
    Event,
    FieldManager,
    Object,
    ObjectReference,
    OwnerReference,
    Span,
)
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import (
    Discarded,
    EventSeen,
    Input,
    ObjectGone,
    ObjectSeen,
    Output,
    OwnerMissing,
    SpanEnded,
    Tick,
    WatchMissing,
    WatchProgress,
)
from kspanpy.replay import read, replay
from tests.core.cluster import T0

APIS = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}
APIS |= {"Node": "v1", "PersistentVolumeClaim": "v1", "Widget": "example.test/v1"}
REASONS = {
    "Scheduled",
    "Pulling",
    "Pulled",
    "Created",
    "Started",
    "Killing",
    "BackOff",
    "Unhealthy",
    "FailedScheduling",
}
REASONS |= {"SuccessfulCreate", "SuccessfulDelete", "ScalingReplicaSet", "NodeNotReady", "Provisioning", "", "Surprise"}
MESSAGES = ["", "Created pod: a", "Deleted pod: b", "Created job c", "Stopping container app", "Back-off restarting"]

kinds = st.sampled_from(sorted(APIS))
names = st.sampled_from(["a", "b", "c"])
namespaces = st.sampled_from(["n", "m", ""])
versions = st.none() | st.integers(1, 60)
times = st.integers(-600, 1200).map(lambda s: T0 + s * SECOND)  # whole seconds, as the cluster writes them
instants = st.integers(-600 * SECOND, 1200 * SECOND).map(lambda ns: T0 + ns)
maybe_times = st.none() | times


@st.composite
def owner_references(draw: st.DrawFn) -> OwnerReference:
    """An owner of the pools: it may not exist, be another kind, or own itself."""
    kind, name = draw(kinds), draw(names)
    uid = draw(st.sampled_from([f"{kind}-{name}", f"{kind}-{name}", f"Pod-{name}", ""]))
    return OwnerReference(APIS[kind], kind, name, uid, controller=draw(st.booleans()))


conditions = st.builds(
    Condition,
    type=st.sampled_from(["Ready", "Available", "Progressing", "Complete", "Failed", "ReplicaFailure", "DiskPressure"]),
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=st.sampled_from(["", "ProgressDeadlineExceeded", "BackoffLimitExceeded"]),
    changed_ns=maybe_times,
    updated_ns=maybe_times,
)
managers = st.builds(
    FieldManager,
    manager=st.sampled_from(["kubectl-set", "kube-controller-manager"]),
    operation=st.just("Update"),
    subresource=st.sampled_from(["", "status", "scale"]),
    time_ns=maybe_times,
    touches_spec=st.booleans(),
)
containers = st.builds(
    Container,
    name=st.just("app"),
    state=st.sampled_from(["waiting", "running", "terminated"]),
    reason=st.sampled_from(["", "OOMKilled", "CrashLoopBackOff"]),
    finished_ns=maybe_times,
    exit_code=st.none() | st.integers(0, 1),
)
counts = st.integers(0, 2)


@st.composite
def objects(draw: st.DrawFn) -> Object:
    """Any version of any object of the pools."""
    kind, name = draw(kinds), draw(names)
    deleted = draw(st.none() | st.none() | times)
    return Object(
        api_version=APIS[kind],
        kind=kind,
        namespace=draw(namespaces),
        name=name,
        uid=f"{kind}-{name}",
        resource_version=draw(versions),
        generation=draw(st.integers(0, 4)),
        created_ns=draw(maybe_times),
        deletion_ns=deleted,
        grace_s=draw(st.sampled_from([0, 30])),
        owners=tuple(draw(st.lists(owner_references(), max_size=2))),
        managers=tuple(draw(st.lists(managers, max_size=2))),
        replicas=draw(st.none() | counts),
        paused=draw(st.sampled_from([False, False, True])),
        template=draw(st.sampled_from(["x", "y"])),
        observed_generation=draw(st.integers(0, 4)),
        current=draw(counts),
        updated=draw(counts),
        ready=draw(counts),
        available=draw(counts),
        phase=draw(st.sampled_from(["", "Pending", "Running", "Succeeded", "Failed", "Bound"])),
        conditions=tuple(draw(st.lists(conditions, max_size=2))),
        containers=tuple(draw(st.lists(containers, max_size=1))),
    )


@st.composite
def references(draw: st.DrawFn) -> ObjectReference:
    """A pointer to the pools; half of it may be missing, and the uid may be a name."""
    kind, name = draw(kinds), draw(names)
    uid = draw(st.sampled_from([f"{kind}-{name}", f"{kind}-{name}", "", name]))
    return ObjectReference(
        kind=draw(st.sampled_from([kind, kind, kind, ""])),
        namespace=draw(namespaces),
        name=name,
        uid=uid,
        api_version=draw(st.sampled_from([APIS[kind], ""])),
        resource_version=draw(versions),
        field_path=draw(st.sampled_from(["", "spec.containers{app}"])),
    )


events = st.builds(
    Event,
    uid=st.integers(0, 15).map("event-{}".format),
    name=st.sampled_from(["x.1", f"x.{T0:x}"]),
    namespace=namespaces,
    involved=references(),
    reason=st.sampled_from(sorted(REASONS)),
    message=st.sampled_from(MESSAGES),
    type=st.sampled_from(["Normal", "Warning", ""]),
    component=st.sampled_from(["kubelet", ""]),
    resource_version=versions,
    count=st.integers(0, 5),
    series_count=st.sampled_from([0, 0, 3]),
    series_last_ns=st.none() | instants,
    event_time_ns=st.none() | instants,
    first_ns=maybe_times,
    last_ns=maybe_times,
    created_ns=maybe_times,
)
facts = st.one_of(
    st.builds(ObjectSeen, objects()),
    st.builds(ObjectSeen, objects()),
    st.builds(ObjectGone, objects()),
    st.builds(EventSeen, events),
    st.builds(EventSeen, events),
    st.builds(EventSeen, events),
    st.builds(WatchProgress, kinds, st.integers(0, 60)),
    st.builds(WatchMissing, kinds),
    st.builds(OwnerMissing, references(), st.just("forbidden")),
    st.just(Tick()),
)
# Any clock: it may stand, jump and go back.
histories = st.lists(st.tuples(facts, instants), max_size=40)

CRAMPED = LinkerSettings(
    cluster_uid="c",
    max_pending=3,
    max_objects=5,
    max_tombstones=3,
    max_open_stories=2,
    max_closed_lifecycles=4,
    max_events_remembered=6,
    max_chapters=2,
    max_depth=3,
)
ROOMY = LinkerSettings(cluster_uid="c")
often = settings(deadline=None, suppress_health_check=list(HealthCheck))


def run(history: Iterable[tuple[Input, int]], limits: LinkerSettings) -> tuple[list[Output], list[LinkerStats]]:
    """All outputs, and how much was held after each step."""
    linker = Linker(limits)
    outputs: list[Output] = []
    stats = []
    for fact, now_ns in history:
        outputs += linker.step(fact, now_ns)
        stats.append(linker.stats())
    outputs += linker.finish(T0 + 1300 * SECOND)
    return outputs, [*stats, linker.stats()]


def spans_of(outputs: Iterable[Output]) -> list[Span]:
    """The spans among them."""
    return [output.span for output in outputs if isinstance(output, SpanEnded)]


def check_accounts(history: list[tuple[Input, int]], outputs: list[Output]) -> None:
    """Every occurrence has a span or a reason."""
    told = sum("k8s.event.uid" in span.attributes for span in spans_of(outputs))
    discarded = sum(isinstance(output, Discarded) for output in outputs)
    assert told + discarded == sum(isinstance(fact, EventSeen) for fact, _ in history)


def check_trees(spans: list[Span]) -> None:
    """Each span once; one root a trace; each parent there, in its trace; children not longer than their parents."""
    by_id = {(span.trace_id, span.span_id): span for span in spans}
    assert len(by_id) == len(spans)
    roots = Counter(span.trace_id for span in spans if not span.parent_id)
    assert roots == Counter({span.trace_id for span in spans})
    for span in spans:
        assert len(span.trace_id) == 16
        assert len(span.span_id) == 8
        assert 0 <= span.start_ns <= span.end_ns
        if span.parent_id:
            parent = by_id[span.trace_id, span.parent_id]
            assert parent.start_ns <= span.start_ns <= span.end_ns <= parent.end_ns, (parent.name, span.name)
            assert "k8s.event.uid" not in parent.attributes


@often
@given(history=histories)
def test_any_history_is_told_in_whole_trees(history):
    """No exception; every occurrence one span or a reason; whatever is told hangs together."""
    outputs, stats = run(history, ROOMY)
    check_accounts(history, outputs)
    check_trees(spans_of(outputs))
    assert (stats[-1].pending_events, stats[-1].open_stories) == (0, 0)


@often
@given(history=histories)
def test_a_cramped_linker_loses_memory_never_events(history):
    """With room for next to nothing every occurrence still has a span or a reason, and every bound holds after every step."""
    outputs, stats = run(history, CRAMPED)
    check_accounts(history, outputs)
    for held in stats:
        assert held.objects <= CRAMPED.max_objects
        assert held.tombstones <= CRAMPED.max_tombstones
        assert held.pending_events <= CRAMPED.max_pending
        assert held.open_stories <= CRAMPED.max_open_stories
        assert held.events_remembered <= CRAMPED.max_events_remembered


@often
@given(history=histories)
def test_closed_stories_above_the_bound_are_forgotten_with_the_next_step(history):
    """What one step has closed may be too much; the next one lets go of it before it does anything else."""
    ticking = [(fact, at) for entry in history for fact, at in (entry, (Tick(), entry[1]))]
    _, stats = run(ticking, CRAMPED)
    for held in stats[1:-1:2]:
        assert held.closed_lifecycles <= CRAMPED.max_closed_lifecycles


@often
@given(history=histories)
def test_a_cramped_linker_leaves_no_orphans(history):
    """What it has to tell anew is told in whole trees, too: every parent is there and every trace has one root."""
    outputs, _ = run(history, CRAMPED)
    check_trees(spans_of(outputs))


@often
@given(history=histories, extra=st.lists(instants, max_size=5))
def test_how_often_the_caller_ticks_changes_nothing(history, extra):
    """Everything due happens at its own time: more ticks, the same spans."""
    ordered = sorted(history, key=lambda entry: entry[1])
    ticking = sorted([*ordered, *((Tick(), at) for at in extra)], key=lambda entry: entry[1])
    assert spans_of(run(ticking, ROOMY)[0]) == spans_of(run(ordered, ROOMY)[0])


@often
@given(history=histories)
def test_one_history_has_one_telling(history):
    """Two linkers that see the same say the same."""
    assert run(history, ROOMY)[0] == run(history, ROOMY)[0]


# -- a real recording with one bad line anywhere

CAPTURE = Path(__file__).resolve().parents[1] / "fixtures" / "captures" / "job.ndjson.gz"
LINES = gzip.decompress(CAPTURE.read_bytes()).splitlines(keepends=True)
# (a line, whether it is about something: then it may have a span of its own)
POISON = {
    "truncated": b'{"received":"2026-11-23T06:47:30Z","type":"ADDED","object":{"kind":"Event","metadata":{\n',
    "null": b"null\n",
    "binary": b"\x00\xff\xfe\x80\n",
    "a list": b"[1, 2, 3]\n",
    "no object": b'{"received":"2026-11-23T06:47:30Z","type":"ADDED","object":null}\n',
    "an empty Event": b'{"type":"ADDED","object":{"kind":"Event","apiVersion":"v1","metadata":null}}\n',
    "an unknown type": b'{"type":"SURPRISED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"uid":"u"}}}\n',
}


def told(lines: list[bytes], folder: Path) -> list[Span]:
    """The spans of a recording."""
    path = folder / "capture.ndjson"
    path.write_bytes(b"".join(lines))
    spans: list[Span] = []
    with read(str(path)) as capture:
        replay(capture, Linker(ROOMY), spans.append)
    return spans


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The spans of the recording as it is."""
    return told(LINES, tmp_path_factory.mktemp("clean"))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.integers(1, len(LINES)), poison=st.sampled_from(sorted(POISON)))
def test_a_bad_line_anywhere_changes_nothing(tmp_path_factory, undisturbed, place, poison):
    """The rest of the recording comes out exactly as without it."""
    lines = [*LINES[:place], POISON[poison], *LINES[place:]]
    assert told(lines, tmp_path_factory.mktemp("poisoned")) == undisturbed


def cut(line: bytes) -> bytes:
    """The line, broken off in its middle."""
    return line[: len(line) // 2] + b"\n"


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.integers(1, len(LINES) - 1))
def test_a_broken_line_costs_its_event_and_no_other(tmp_path_factory, undisturbed, place):
    """A line that breaks off takes at most its own Event with it: every other one is told, by the same ids."""
    spans = told([*LINES[:place], cut(LINES[place]), *LINES[place + 1 :]], tmp_path_factory.mktemp("broken"))
    thing = json.loads(LINES[place])["object"]
    lost = {thing["metadata"]["uid"]} if thing["kind"] == "Event" else set()
    before, after = (
        {span.span_id for span in all_spans if span.attributes.get("k8s.event.uid", "") not in {"", *lost}}
        for all_spans in (undisturbed, spans)
    )
    assert before == after
