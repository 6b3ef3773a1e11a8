"""What a tenant can write, and what a broken line can hold: nothing stops, each is counted, everything else comes out right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kspanpy.core.linker import Linker
from kspanpy.core.model import SECOND, Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.replay import read, replay
from kspanpy.replay.driver import ReplaySummary

CAPTURE = Path(__file__).resolve().parents[1] / "fixtures" / "captures" / "unschedulable.ndjson.gz"


def lines() -> list[bytes]:
    """A real capture."""
    import gzip

    return gzip.decompress(CAPTURE.read_bytes()).splitlines(keepends=True)


LINES = lines()


def told(raw: list[bytes], folder: Path) -> tuple[list[Span], ReplaySummary]:
    """The spans of these lines."""
    path = folder / "capture.ndjson"
    path.write_bytes(b"".join(raw))
    spans: list[Span] = []
    with read(str(path)) as capture:
        summary = replay(capture, Linker(LinkerSettings(cluster_uid="c")), spans.append)
    return spans, summary


def line(kind: str, *, api: str = "v1", metadata: dict[str, Any] | None = None, **rest: Any) -> bytes:
    """One ADDED line in the middle of the recording."""
    meta = {"name": "x", "namespace": "poison", "uid": f"poison-{kind}", "creationTimestamp": "2026-11-23T06:47:30Z"}
    thing = {"kind": kind, "apiVersion": api, "metadata": {**meta, **(metadata or {})}, **rest}
    return json.dumps({"received": "2026-11-23T06:47:30.5Z", "type": "ADDED", "object": thing}).encode() + b"\n"


def event(**rest: Any) -> bytes:
    """An Event about an object that nobody knows."""
    about = {"kind": "Thing", "name": "t", "namespace": "poison", "uid": "thing"}
    return line("Event", **{"involvedObject": about, "reason": "Tested", "message": "m", "type": "Normal", **rest})


def owned(uid: str, owner: str, kind: str = "ReplicaSet") -> bytes:
    """An object with an owner."""
    owners = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}]
    return line(kind, api="apps/v1", metadata={"uid": uid, "name": uid, "ownerReferences": owners})


POISON = {
    "truncated": b'{"received":"2026-11-23T06:47:30Z","type":"ADDED","object":{"kind":"Ev\n',
    "invalid utf-8": event(message="zz").replace(b"zz", b"\xff\xfe"),
    "null object": b'{"received":"2026-11-23T06:47:30Z","type":"ADDED","object":null}\n',
    "null line": b"null\n",
    "null metadata": b'{"received":"2026-11-23T06:47:30Z","type":"ADDED","object":{"kind":"Event","metadata":null}}\n',
    "year 0": event(
        firstTimestamp="0000-01-01T00:00:00Z", lastTimestamp="0000-01-01T00:00:00Z", eventTime="0000-01-01T00:00:00Z"
    ),
    "year 9999": event(firstTimestamp="9999-12-31T23:59:59Z", lastTimestamp="9999-12-31T23:59:59Z"),
    "a megabyte": event(message="x" * 1_000_000),
    "control characters": event(message="\x1b[2J\r\n\x00\u2028", reason="A\x1b]0;x\x07B"),
    "no involvedObject": event(involvedObject=None),
    "empty involvedObject": event(involvedObject={}),
    "unknown fields": event(surprise={"deep": [1, {"er": None}]}, metadata={"uid": "u", "more": 1}),
    "wrong types": event(count="many", series=5, source=[], reason={}, message=7),
    "cyclic owners": owned("a", "b") + owned("b", "a") + owned("c", "c"),
    "a chain of depth 50": b"".join(owned(f"o{n}", f"o{n + 1}") for n in range(50)),
    "managedFields without time": line(
        "Deployment",
        api="apps/v1",
        metadata={"generation": 2, "managedFields": [{"manager": "kubectl", "subresource": "scale"}, None, {}]},
        spec={"replicas": 1},
    ),
    "binary": b"\x00\x01\x02\x03\n",
    "empty": b"\n",
}


def is_about_the_recording(span: Span) -> bool:
    """True for the namespaces and nodes of the recording."""
    return span.attributes.get("k8s.namespace.name", "default") in {"unschedulable", "default"} and bool(
        span.attributes["k8s.object.name"]
    )


@pytest.mark.parametrize("name", POISON)
def test_poison_costs_only_itself(name: str, tmp_path: Path) -> None:
    """The rest of the recording comes out exactly as without it, and no span holds a control character."""
    clean, before = told(LINES, tmp_path)
    spans, summary = told([*LINES[:40], POISON[name], *LINES[40:]], tmp_path)
    assert [s for s in spans if is_about_the_recording(s)] == [s for s in clean if is_about_the_recording(s)]
    assert summary.lines >= before.lines
    for span in spans:
        assert 0 < span.start_ns <= span.end_ns < 1 << 63
        for value in (span.name, span.error, *span.attributes.values()):
            assert not isinstance(value, str) or (len(value) <= 1100 and not any(ord(c) < 32 for c in value))


@pytest.mark.parametrize("name", ["truncated", "null object", "null line", "null metadata", "binary"])
def test_what_can_not_be_read_is_counted(name: str, tmp_path: Path) -> None:
    """By reason, once."""
    _, summary = told([*LINES[:40], POISON[name], *LINES[40:]], tmp_path)
    assert sum(summary.malformed.values()) == 1


def test_every_readable_event_gets_a_span(tmp_path: Path) -> None:
    """However odd: no event is without a place."""
    odd = ["year 0", "year 9999", "a megabyte", "control characters", "no involvedObject", "wrong types"]
    poison = [POISON[name].replace(b"poison-Event", name.replace(" ", "-").encode()) for name in odd]
    spans, _ = told([*LINES, *poison], tmp_path)
    uids = {span.attributes.get("k8s.event.uid") for span in spans}
    assert {name.replace(" ", "-") for name in odd} <= uids


NAMES = st.sampled_from(["a", "b", "c"])
KIND_OF_API = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}
KIND_OF_API |= {"Node": "v1", "PersistentVolumeClaim": "v1", "Widget": "example.test/v1"}
# Within what is remembered: no uid comes back from the dead.
STAMPS = st.integers(0, 3000).map(lambda s: f"2026-11-23T{6 + s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z")


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Objects of few names and uids that change, own each other and die in any order, and Events about them."""
    found, count = [], draw(st.integers(1, 40))
    for version in range(count):
        kind = draw(st.sampled_from([*KIND_OF_API, "Event", "Event", "Event", "Pod", "ReplicaSet"]))
        name = draw(NAMES)
        meta: dict[str, Any] = {"name": name, "namespace": draw(st.sampled_from(["n", "m"])), "uid": f"{kind}-{name}"}
        meta |= {"resourceVersion": str(version + draw(st.integers(0, 3))), "creationTimestamp": draw(STAMPS)}
        thing: dict[str, Any] = {"kind": kind, "metadata": meta}
        if kind == "Event":
            about = draw(st.sampled_from(list(KIND_OF_API)))
            meta["uid"] = f"e{draw(st.integers(0, 30))}"
            thing |= {
                "apiVersion": "v1",
                "involvedObject": {"kind": about, "namespace": "n", "name": name, "uid": f"{about}-{name}"},
                "reason": draw(
                    st.sampled_from(["Scheduled", "Pulling", "Pulled", "Killing", "BackOff", "SuccessfulCreate"])
                ),
                "message": draw(st.sampled_from(["Created pod: a", "Stopping container app", "Created job b", ""])),
                "type": draw(st.sampled_from(["Normal", "Warning"])),
                "count": draw(st.integers(0, 4)),
                "lastTimestamp": draw(STAMPS),
            }
        else:
            thing["apiVersion"] = KIND_OF_API[kind]
            meta["generation"] = draw(st.integers(0, 3))
            if draw(st.booleans()):
                owner = draw(st.sampled_from(list(KIND_OF_API)))
                uid = f"{owner}-{draw(NAMES)}"
                meta["ownerReferences"] = [
                    {"kind": owner, "name": uid[-1], "uid": uid, "apiVersion": "v1", "controller": True}
                ]
            if draw(st.booleans()):
                meta |= {"deletionTimestamp": draw(STAMPS), "deletionGracePeriodSeconds": 30}
            ready = draw(st.sampled_from(["True", "False"]))
            thing |= {
                "spec": {"replicas": draw(st.integers(0, 2)), "template": {"x": draw(st.integers(0, 2))}},
                "status": {
                    "observedGeneration": draw(st.integers(0, 3)),
                    "replicas": draw(st.integers(0, 2)),
                    "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": draw(STAMPS)}],
                    "phase": draw(st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Bound"])),
                },
            }
        type_ = draw(st.sampled_from(["ADDED", "MODIFIED", "MODIFIED", "DELETED"]))
        found.append({"received": draw(STAMPS), "type": type_, "object": thing})
    return found


SMALL = {
    "max_objects": 5, "max_tombstones": 3, "max_pending": 3, "max_open_stories": 2, "max_closed_lifecycles": 4, "max_chapters": 2,
    "max_depth": 3,
}  # fmt: skip


@pytest.mark.parametrize("limits", [pytest.param({}, id="roomy"), pytest.param(SMALL, id="cramped")])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories())
def test_any_history_makes_well_formed_stories(limits: dict[str, int], history: list[dict[str, Any]]) -> None:
    """No exception; every occurrence one span; each span once; whatever is sent hangs together; bounds hold."""
    from kspanpy.decode import object_from, to_step
    from kspanpy.decode.times import nanoseconds

    linker = Linker(LinkerSettings(cluster_uid="c", **limits))
    outputs: list[Any] = []
    seen = 0
    for entry in history:
        thing = object_from(json.dumps(entry["object"]).encode())
        step = to_step(entry["type"], thing)
        if step is not None:
            seen += entry["object"]["kind"] == "Event"
            outputs += linker.step(step, nanoseconds(entry["received"]))
    outputs += linker.finish(1_800_000_000 * SECOND)
    spans = [output.span for output in outputs if hasattr(output, "span")]
    events = [span for span in spans if "k8s.event.uid" in span.attributes]
    discarded = sum(type(output).__name__ == "Discarded" for output in outputs)
    assert len(events) + discarded == seen
    by_id = {(span.trace_id, span.span_id): span for span in spans}
    if not limits:  # what was forgotten in a cramped room may have to be told anew
        assert len(by_id) == len(spans)
    for span in spans:
        assert span.start_ns <= span.end_ns
        if span.parent_id:
            parent = by_id[span.trace_id, span.parent_id]
            assert limits or parent.start_ns <= span.start_ns <= span.end_ns <= parent.end_ns
    if not limits:
        roots = [span.trace_id for span in spans if not span.parent_id]
        assert len(roots) == len(set(roots)) == len({span.trace_id for span in spans})
    stats = linker.stats()
    assert stats.open_stories == stats.pending_events == 0
    assert not limits or stats.tombstones <= limits["max_tombstones"] + 1
