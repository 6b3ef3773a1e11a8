"""Decoding is total: any bytes give a value or Malformed, and an odd field does not cost the object."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.core import steps
from kspanpy.core.model import Event, Object, ObjectReference
from kspanpy.decode import (
    Bookmark,
    Change,
    ListPage,
    Malformed,
    MalformedReason,
    WatchFailure,
    list_page,
    object_from,
    to_step,
    watch_line,
)

LINES = (Path(__file__).parents[1] / "fixtures" / "lines.ndjson").read_bytes().splitlines()
RESULTS = (Change, Bookmark, WatchFailure, Malformed)
EVENT = {
    "kind": "Event",
    "apiVersion": "v1",
    "metadata": {"name": "e", "uid": "u", "managedFields": [None]},
    "involvedObject": {"kind": "Pod", "name": "p"},
    "message": "m",
    "count": 1,
}


def line(body, type_="ADDED"):
    """A watch line."""
    return json.dumps({"type": type_, "object": body}).encode()


def event_of(data):
    """The Event in a watch line."""
    change = watch_line(data)
    assert isinstance(change, Change), change
    assert isinstance(change.object, Event)
    return change.object


@pytest.mark.parametrize("data", LINES, ids=lambda data: json.loads(data)["object"]["kind"])
def test_real_lines_are_decoded_and_keep_their_bytes(data):
    """A change keeps the object's JSON unchanged, for the capture file."""
    change = watch_line(data)
    assert isinstance(change, Change)
    assert bytes(change.raw) in data
    assert json.loads(bytes(change.raw)) == json.loads(data)["object"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", MalformedReason.EMPTY),
        (b" \n", MalformedReason.EMPTY),
        (b"nul", MalformedReason.NOT_JSON),
        (b'{"type":"ADDED","object":{"kind"', MalformedReason.NOT_JSON),
        (b"\x1f\x8b\x00\xff", MalformedReason.NOT_JSON),
        (b"[1]", MalformedReason.NOT_AN_OBJECT),
        (b"{}", MalformedReason.UNKNOWN_TYPE),
        (b'{"type":"RENAMED","object":{}}', MalformedReason.UNKNOWN_TYPE),
        (b'{"type":5,"object":{}}', MalformedReason.UNKNOWN_TYPE),
        (b'{"type":"ADDED"}', MalformedReason.NOT_AN_OBJECT),
        (b'{"type":"ADDED","object":null}', MalformedReason.NOT_AN_OBJECT),
        (b'{"type":"ADDED","object":[]}', MalformedReason.NOT_AN_OBJECT),
        (b'{"type":"ADDED","object":{"kind":"Pod"}}', MalformedReason.NO_METADATA),
        (b'{"type":"ADDED","object":{"kind":"Pod","metadata":{}}}', MalformedReason.NO_IDENTITY),
        (b'{"type":"ADDED","object":{"metadata":{"name":"x"}}}', MalformedReason.NO_KIND),
        (b"[" * 1_000_000, MalformedReason.TOO_DEEP),
        (b'{"a":' * 100_000, MalformedReason.TOO_DEEP),
        (b'{"type":"ADDED","object":{"spec":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", MalformedReason.TOO_DEEP),
        (b'{"type":"' + b"x" * (17 * 1024 * 1024), MalformedReason.TOO_LARGE),
    ],
    ids=lambda value: value if isinstance(value, MalformedReason) else repr(value[:20]),
)
def test_unusable_lines_have_a_reason(data, reason):
    """Every way to be unusable has a name, and a detail that is safe to log."""
    result = watch_line(data)
    assert isinstance(result, Malformed)
    assert result.reason is reason
    assert len(result.detail) <= 200
    assert result.detail.isprintable()


@pytest.mark.parametrize(
    "odd",
    [
        {"lastTimestamp": 5},
        {"involvedObject": None},
        {"involvedObject": "p"},
        {"count": "many"},
        {"count": 1.5},
        {"count": True},
        {"series": []},
        {"source": 1},
        {"message": None},
        {"related": {"name": {}}},
        {"metadata": {"name": "e", "uid": "u", "managedFields": [None, 1, {"time": 3}]}},
        {"metadata": {"name": "e", "uid": "u", "ownerReferences": [{"kind": "X"}, None, {}]}},
        {"metadata": {"name": "e", "uid": "u", "annotations": {"traceparent": 1}, "labels": [], "generation": "x"}},
        {"metadata": {"name": "e", "uid": "u", "resourceVersion": 12}},
    ],
    ids=json.dumps,
)
def test_one_wrong_field_does_not_cost_the_event(odd):
    """It counts as missing; the others are there."""
    event = event_of(line(EVENT | odd))
    assert (event.name, event.uid, event.type) == ("e", "u", "")
    assert event.count in {0, 1}


@pytest.mark.parametrize("digits", [11, 30, 400, 6000])
def test_a_count_beyond_its_type_is_bounded(digits):
    """No number of the cluster's can be larger than what is sent on."""
    data = line(EVENT | {"count": "X"}).replace(b'"X"', b"9" * digits)
    assert event_of(data).count in {0, 2**31 - 1}


def test_a_missing_reference_is_an_empty_one():
    """Nothing about the involved object is better than no event."""
    body = {key: value for key, value in EVENT.items() if key != "involvedObject"}
    assert event_of(line(body)).involved == ObjectReference()


def test_invalid_utf_8_does_not_cost_the_object():
    """The bytes are replaced."""
    event = event_of(line(EVENT).replace(b'"m"', b'"\xff\xfe caf\xe9"'))
    assert event.message == "\ufffd\ufffd caf\ufffd"


@pytest.mark.parametrize("escape", [b"\\ud800", b"\\udc00x", b"\\ud800\\ud800"])
def test_lone_surrogates_do_not_cost_the_object(escape):
    """They can not be encoded, so they are replaced."""
    event_of(line(EVENT).replace(b'"m"', b'"' + escape + b'"')).message.encode()


def test_a_message_of_a_megabyte_is_cut():
    """The event stays, and is small."""
    assert len(event_of(line(EVENT | {"message": "x" * 1_000_000})).message) == 1024


def test_containers_of_an_object_are_bounded():
    """However much a Pod lists, what is kept has a limit."""
    body = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": "p",
            "ownerReferences": [{"kind": "K", "name": "o", "uid": "u"}] * 1000,
            "managedFields": [{"manager": "m"}] * 1000,
        },
        "spec": {
            "containers": [{"name": "c"}] * 1000,
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}] * 1000,
        },
        "status": {"conditions": [{"type": "T"}] * 1000, "containerStatuses": [{"name": "c"}] * 1000},
    }
    thing = object_from(json.dumps(body).encode())
    assert isinstance(thing, Object)
    sizes = [thing.owners, thing.managers, thing.images, thing.claims, thing.conditions, thing.containers]
    assert [len(each) for each in sizes] == [16, 64, 64, 64, 32, 64]


def test_hints_name_what_does_not_name_itself():
    """Items of lists have no kind; metadata-only objects have another one."""
    raw = b'{"metadata":{"name":"x","uid":"u"},"spec":{"replicas":2}}'
    thing = object_from(raw, kind="Deployment", api_version="apps/v1")
    assert isinstance(thing, Object)
    assert (thing.kind, thing.replicas) == ("Deployment", 2)
    partial = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"x"}}'
    thing = object_from(partial, kind="Rollout", api_version="argoproj.io/v1alpha1")
    assert isinstance(thing, Object)
    assert (thing.kind, thing.api_version) == ("Rollout", "argoproj.io/v1alpha1")


def test_the_objects_own_kind_counts_wherever_it_stands():
    """The order of keys is not an API promise, and a hint may be wrong."""
    raw = b'{"metadata":{"name":"x"},"spec":{"replicas":2},"apiVersion":"apps/v1","kind":"Deployment"}'
    thing = object_from(raw, kind="Pod", api_version="v1")
    assert isinstance(thing, Object)
    assert (thing.kind, thing.replicas) == ("Deployment", 2)


def test_bookmarks():
    """They say how far the watch has come, and when the initial events have all been sent."""
    metadata = {"resourceVersion": "12", "annotations": {"k8s.io/initial-events-end": "true"}}
    body = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata}
    assert watch_line(line(body, "BOOKMARK")) == Bookmark("Pod", 12, "12", initial_events_end=True)
    body["metadata"] = {"resourceVersion": "opaque"}
    assert watch_line(line(body, "BOOKMARK")) == Bookmark("Pod", None, "opaque", initial_events_end=False)


def test_failures_of_a_watch():
    """An ERROR line and a bare Status are the same news."""
    status = {
        "kind": "Status",
        "code": 410,
        "reason": "Expired",
        "message": "too old",
        "details": {"retryAfterSeconds": 2},
    }
    expected = WatchFailure(410, "Expired", "too old", 2.0)
    assert watch_line(line(status, "ERROR")) == expected
    assert watch_line(json.dumps(status).encode()) == expected
    assert watch_line(b'{"type":"ERROR"}') == WatchFailure(0, "", "an error without a Status")


def test_a_page_of_a_list():
    """Items in order with their JSON, the place to watch from, and where the next page is; a bad item is only itself bad."""
    body = b"""{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5","continue":"abc"},
      "items":[{"metadata":{"name":"x"}},null,{"metadata":{}}]}"""
    page = list_page(body, kind="Pod", api_version="v1")
    assert isinstance(page, ListPage)
    assert (page.resource_version, page.resource_version_text, page.continue_token) == (5, "5", "abc")
    first, *others = page.items
    assert isinstance(first, Object)
    assert (first.kind, first.name) == ("Pod", "x")
    assert [type(other) for other in others] == [Malformed, Malformed]
    assert [bytes(raw) for raw in page.raws] == [b'{"metadata":{"name":"x"}}', b"null", b'{"metadata":{}}']
    assert list_page(body) == page or isinstance(list_page(body), ListPage)


@pytest.mark.parametrize(
    "body", [b'{"kind":"PodList","metadata":{},"items":null}', b'{"kind":"PodList","metadata":{}}']
)
def test_an_empty_list_is_a_list(body):
    """Go writes null for no items."""
    page = list_page(body, kind="Pod", api_version="v1")
    assert isinstance(page, ListPage)
    assert page.items == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"kind":"Status","metadata":{},"code":403}', b"<html>"])
def test_another_answer_is_not_a_list(body):
    """A proxy's error page is not an empty cluster."""
    assert isinstance(list_page(body, kind="Pod", api_version="v1"), Malformed)


def test_inputs_of_the_linker():
    """Objects are seen or gone, Events are seen; that an Event expired says nothing."""
    event = event_of(line(EVENT))
    thing = Object(api_version="v1", kind="Pod", namespace="", name="x", uid="")
    assert to_step("MODIFIED", event) == steps.EventSeen(event)
    assert to_step("DELETED", event) is None
    assert to_step("ADDED", thing) == steps.ObjectSeen(thing)
    assert to_step("DELETED", thing) == steps.ObjectGone(thing)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_result(data):
    """Nothing raises."""
    assert isinstance(watch_line(data), RESULTS)
    assert isinstance(object_from(data, kind="Pod", api_version="v1"), Object | Malformed)
    assert isinstance(list_page(data, kind="Pod", api_version="v1"), ListPage | Malformed)


@given(st.sampled_from(LINES), st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=4)), min_size=1, max_size=5))
def test_damaged_real_lines_give_a_result(data, damage):
    """Bytes overwritten, put in or cut away anywhere."""
    for position, patch in damage:
        data = data[:position] + patch + data[position + 1 :]
    assert isinstance(watch_line(data), RESULTS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(LINES), st.data())
def test_real_objects_with_any_value_anywhere_keep_their_identity(data, draw):
    """Whatever stands in one field that is not its metadata, the object comes out with its name."""
    body = json.loads(data)
    thing = body["object"]
    place, key = thing, draw.draw(st.sampled_from(sorted(set(thing) - {"metadata", "kind", "apiVersion"})))
    while isinstance(place[key], dict | list) and place[key] and draw.draw(st.booleans()):
        place = place[key]
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw.draw(st.sampled_from(keys))
    place[key] = draw.draw(JSON)
    change = watch_line(json.dumps(body).encode())
    assert isinstance(change, Change), change
    assert change.object.name == thing["metadata"]["name"]
    msgspec.json.encode(change.object)
