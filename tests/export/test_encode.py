"""The bytes: what they say, that they say the same as the SDK's, that they never change, and that one bad span costs itself."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from enum import Enum, StrEnum

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from kspanpy.core.model import Span
from kspanpy.export import DropReason, cluster_attributes
from kspanpy.export.checked import MAX_ATTRIBUTES, MAX_TEXT, checked
from kspanpy.export.encode import MAX_KEYS, MAX_NAMES, MAX_RESOURCES, MAX_SHAPES, Encoder
from kspanpy.export.otlp_json import JsonEncoder
from kspanpy.export.queue import EncodedSpan
from kspanpy.export.wire import MAX_HEADS, MAX_INTEGERS
from tests.export.plain import plainly
from tests.export.spans import T0, captured, link, span, spans
from tests.fakes.collector import span_ids

CLUSTER = cluster_attributes({"deployment.environment.name": "test"}, cluster_uid="c-1", cluster_name="prod")


class Word(StrEnum):
    """Text that is not exactly a str."""

    READY = "ready"


class Name(str, Enum):  # noqa: UP042 - on purpose
    """Text that shows itself as another one."""

    POD = "pod"


def decode(payload: bytes) -> ExportTraceServiceRequest:
    """What a receiver reads."""
    return ExportTraceServiceRequest.FromString(payload)


def variety() -> list[Span]:
    """One of everything that is good."""
    return [
        *spans(3),
        span(4, service="kubernetes", parent_id=b"", error="ImagePullBackOff", links=(link(), link("caused by"))),
        span(5, attributes={}, end_ns=T0),
        span(6, attributes={"k": "é" * 300, "big": 2**63 - 1, "small": -(2**63)}),
    ]


def as_the_sdk_sees(given: Span) -> ReadableSpan:
    """The same span as the SDK would hold it."""

    def context(trace_id: bytes, span_id: bytes) -> SpanContext:
        return SpanContext(int.from_bytes(trace_id, "big"), int.from_bytes(span_id, "big"), False, TraceFlags(1))

    return ReadableSpan(
        given.name,
        context=context(given.trace_id, given.span_id),
        parent=context(given.trace_id, given.parent_id) if given.parent_id else None,
        resource=Resource(dict(sorted((CLUSTER | {"service.name": given.service}).items()))),
        attributes=dict(sorted(given.attributes.items())),
        links=[Link(context(x.trace_id, x.span_id), {"kspanpy.link.relation": x.relation}) for x in given.links],
        status=Status(StatusCode.ERROR, given.error) if given.error else Status(),
        start_time=given.start_ns,
        end_time=given.end_ns,
    )


def test_equal_to_the_sdk():
    """Decoded, a request is what the SDK's encoder makes of the same spans; only the scope's name is ours."""
    ours = decode(Encoder(CLUSTER).encode(variety()))
    sdk = encode_spans([as_the_sdk_sees(one) for one in variety()])
    for resource_spans in ours.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            assert scope_spans.scope.name == "kspanpy"
            assert not scope_spans.scope.version
            scope_spans.scope.Clear()
    for resource_spans in sdk.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            scope_spans.scope.SetInParent()
    assert ours == sdk


def test_assembled_bytes_are_canonical():
    """Bytes put together field by field are the bytes that protobuf writes for the whole message."""
    payload = Encoder(CLUSTER).encode(variety())
    assert decode(payload).SerializeToString(deterministic=True) == payload


VALUES = (
    st.text(st.characters())
    | st.integers()
    | st.booleans()
    | st.floats()
    | st.sampled_from(
        ["", "x" * 127, "x" * 128, "x" * 255, "é" * 128, "x" * MAX_TEXT, "é" * MAX_TEXT, "x" * (MAX_TEXT + 1)]
    )
    | st.sampled_from(
        [0, 1, True, False, 1.0, -0.0, 0.0, float("nan"), -1, 2**63 - 1, -(2**63), 2**63, None, Word.READY]
    )
)
KEYS = st.sampled_from(["a", "b", "k8s.pod.name", "é", "", "x" * 200, "\ud800", Word.READY, "ready", 5])
ANY_SPAN = st.builds(
    span,
    st.integers(1, 9),
    parent_id=st.sampled_from([b"", b"12345678"]),
    name=st.sampled_from(["Pod.Started", "", "é", "x" * 3000, "\udfff", Word.READY]),
    service=st.sampled_from(["kubelet", "", "é", "x" * 300]),
    start_ns=st.sampled_from([1, T0, 2**64 - 1]),
    end_ns=st.sampled_from([1, T0 + 7, 2**64 - 1]),
    attributes=st.dictionaries(KEYS, VALUES) | st.just({f"k{number}": number for number in range(130)}),
    error=st.sampled_from(["", "BackOff", "é" * 2000, "x" * 3000, "\ud800", Word.READY]),
    links=st.sampled_from([(), (link(),), (link("é" * 100), link("")), (link("\ud800"),), (link(),) * 130, [link()]]),
)
KEPT = Encoder(CLUSTER)


@given(ANY_SPAN)
def test_the_bytes_are_those_of_protobuf(one):
    """Whatever is in a span, and whatever was encoded before it: what protobuf's classes write, built plainly of the checked span."""
    plain = plainly(one)
    for encoder in (Encoder({}), KEPT):
        encoded = encoder.encode_span(one)
        assert (encoded.payload if isinstance(encoded, EncodedSpan) else encoded) == plain


@given(ANY_SPAN)
def test_only_what_needs_no_repair_goes_the_short_way(one):
    """A span that is written without `checked` is one in which `checked` finds nothing to repair."""
    if KEPT.encode_clean(one) is not None:
        assert not checked(one).repaired


def test_the_spans_of_the_captures_need_no_repair():
    """All of them go the short way, and are what protobuf's classes write."""
    for one in captured():
        encoded = KEPT.encode_clean(one)
        assert encoded is not None
        assert encoded.payload == plainly(one)


def test_equal_values_of_other_types_are_other_bytes():
    """1, True and 1.0 are equal, and so are 0.0 and -0.0; what was remembered of one must not be sent for the other."""
    for value in (1, True, 1.0, 0, False, 0.0, -0.0, 1, True, 1.0):
        one = span(attributes={"k": value})
        assert KEPT.encode_span(one).payload == plainly(one)


def test_golden():
    """One span as text; a change here changes what backends compare after an upgrade."""
    one = span(links=(link(),), error="BackOff", attributes={"b": 1, "a": "x", "c": True, "d": 0.5})
    assert json.loads(JsonEncoder({"k8s.cluster.uid": "c-1"}).to_json([one])) == {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": [
                        {"key": "k8s.cluster.uid", "value": {"stringValue": "c-1"}},
                        {"key": "service.name", "value": {"stringValue": "kubelet"}},
                    ]
                },
                "scopeSpans": [
                    {
                        "scope": {"name": "kspanpy"},
                        "spans": [
                            {
                                "traceId": "0102030405060708090a0b0c0d0e0f10",
                                "spanId": "0000000000000001",
                                "parentSpanId": "00000000000f423f",
                                "flags": 256,
                                "name": "Pod.Started",
                                "kind": 1,
                                "startTimeUnixNano": "1800000000000000000",
                                "endTimeUnixNano": "1800000000001000000",
                                "attributes": [
                                    {"key": "a", "value": {"stringValue": "x"}},
                                    {"key": "b", "value": {"intValue": "1"}},
                                    {"key": "c", "value": {"boolValue": True}},
                                    {"key": "d", "value": {"doubleValue": 0.5}},
                                ],
                                "links": [
                                    {
                                        "traceId": "1112131415161718191a1b1c1d1e1f20",
                                        "spanId": "2122232425262728",
                                        "attributes": [
                                            {"key": "kspanpy.link.relation", "value": {"stringValue": "continues"}}
                                        ],
                                        "flags": 256,
                                    }
                                ],
                                "status": {"message": "BackOff", "code": 2},
                            }
                        ],
                    }
                ],
            }
        ]
    }


def test_json_and_protobuf_say_the_same():
    """The span file, read by protobuf's own JSON reader (ids as hex), is the request that would be sent."""
    odd = span(9, attributes={"nan": float("nan"), "inf": float("inf"), "minus": float("-inf"), "none": None})
    line = json.loads(JsonEncoder(CLUSTER).to_json([*variety(), odd]))

    def base64_ids(node):
        if isinstance(node, list):
            return [base64_ids(item) for item in node]
        if isinstance(node, dict):
            return {
                key: base64.b64encode(bytes.fromhex(value)).decode()
                if key in ("traceId", "spanId", "parentSpanId")
                else base64_ids(value)
                for key, value in node.items()
            }
        return node

    read = json_format.ParseDict(base64_ids(line), ExportTraceServiceRequest())
    assert read.SerializeToString(deterministic=True) == Encoder(CLUSTER).encode([*variety(), odd])


def test_json_is_one_line_of_valid_text():
    """Whatever is in the span, a line of the span file is one line of UTF-8 JSON."""
    line = JsonEncoder({}).to_json([span(attributes={"m": 'a\n"\u2028\ud800\x00é'})])
    assert "\n" not in line
    line.encode()
    assert json.loads(line)


def test_the_order_of_attributes_does_not_matter():
    """The same span built in another order is byte-identical."""
    given = span().attributes
    backwards = span(attributes=dict(reversed(given.items())))
    assert Encoder({}).encode([span()]) == Encoder({}).encode([backwards])
    assert JsonEncoder({}).to_json([span()]) == JsonEncoder({}).to_json([backwards])


def test_another_process_writes_the_same_bytes():
    """Nothing of the process is in the bytes: not its id, its hash seed, its environment."""
    program = "from tests.export.test_encode import *; print(Encoder(CLUSTER).encode(variety()).hex())"
    environ = os.environ | {"PYTHONHASHSEED": "7", "OTEL_RESOURCE_ATTRIBUTES": "a=b", "OTEL_SERVICE_NAME": "x"}
    run = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert bytes.fromhex(run.stdout) == Encoder(CLUSTER).encode(variety())


def test_each_service_is_one_resource():
    """Spans are grouped by service; service.name is the span's, whatever the variables say; the cluster is on each."""
    encoder = Encoder(cluster_attributes({"service.name": "mine", "k8s.cluster.uid": "wrong"}, cluster_uid="c-1"))
    request = decode(encoder.encode([span(1, service="a"), span(2, service="b"), span(3, service="a")]))
    resources = [{a.key: a.value.string_value for a in rs.resource.attributes} for rs in request.resource_spans]
    assert resources == [{"k8s.cluster.uid": "c-1", "service.name": name} for name in ("a", "b")]


def test_what_is_remembered_is_bounded():
    """A flood of service names, of names, of keys, of values costs time, not memory; and the bytes stay right."""
    encoder = Encoder({})
    for number in range(3 * MAX_RESOURCES):
        one = span(
            1,
            service=f"s{number}",
            name=f"n{number}",
            attributes={f"k{number}": "x" * number, "count": number, "text": "x" * number, "a": "b"},
        )
        encoded = encoder.encode_span(one)
        assert number % 97 or encoded.payload == plainly(one)
    assert len(encoder._resources) <= MAX_RESOURCES
    assert len(encoder._names) <= MAX_NAMES
    assert len(encoder._keys) <= MAX_KEYS
    assert len(encoder._shapes) <= MAX_SHAPES
    for key in encoder._keys.values():
        assert len(key.heads) <= MAX_HEADS
        assert len(key._integers) <= MAX_INTEGERS


BAD = [
    pytest.param({"trace_id": b""}, DropReason.INVALID_ID, id="no trace id"),
    pytest.param({"trace_id": bytes(16)}, DropReason.INVALID_ID, id="zero trace id"),
    pytest.param({"span_id": b"1"}, DropReason.INVALID_ID, id="short span id"),
    pytest.param({"parent_id": b"123456789"}, DropReason.INVALID_ID, id="long parent id"),
    pytest.param({"span_id": "12345678"}, DropReason.INVALID_ID, id="text as id"),
    pytest.param({"start_ns": -1}, DropReason.INVALID_TIME, id="before 1970"),
    pytest.param({"start_ns": 0}, DropReason.INVALID_TIME, id="unknown time"),
    pytest.param({"end_ns": 2**64}, DropReason.INVALID_TIME, id="after 2554"),
    pytest.param({"start_ns": None}, DropReason.INVALID_TIME, id="no time"),
    pytest.param({"start_ns": 1.5}, DropReason.INVALID_TIME, id="float time"),
    pytest.param({"name": None}, DropReason.ENCODING, id="no name"),
    pytest.param({"attributes": None}, DropReason.ENCODING, id="no attributes"),
    pytest.param({"attributes": ""}, DropReason.ENCODING, id="text as attributes"),
    pytest.param({"links": (None,)}, DropReason.ENCODING, id="no link"),
    pytest.param({"error": 7}, DropReason.ENCODING, id="number as error"),
]


@pytest.mark.parametrize(("changes", "reason"), BAD)
def test_a_bad_span_costs_itself(changes, reason):
    """511 of 512 are encoded, by both encoders, and the reason is one of the list."""
    batch = [*spans(300), span(301, **changes), *spans(211, first=302)]
    assert Encoder({}).encode_span(batch[300]) is reason
    assert len(span_ids(decode(Encoder({}).encode(batch)))) == 511
    line = json.loads(JsonEncoder({}).to_json(batch))
    assert len(line["resourceSpans"][0]["scopeSpans"][0]["spans"]) == 511


REPAIRED = [
    pytest.param({"end_ns": T0 - 1}, lambda s: s.end_time_unix_nano == T0, id="end before start"),
    pytest.param({"end_ns": -5}, lambda s: s.end_time_unix_nano == T0, id="end before 1970"),
    pytest.param({"name": "a\ud800b"}, lambda s: s.name == "a\ufffdb", id="surrogate in the name"),
    pytest.param({"attributes": {"k": "\udfff"}}, lambda s: s.attributes[0].value.string_value == "\ufffd", id="surrogate"),
    pytest.param({"attributes": {"k": "x" * 10**6}}, lambda s: len(s.attributes[0].value.string_value) == MAX_TEXT, id="long"),
    pytest.param({"attributes": {"k": None, "l": [1], "m": 2**63, 5: "x", "": "y"}}, lambda s: s.dropped_attributes_count == 5, id="wrong types"),
    pytest.param({"attributes": {f"k{i}": i for i in range(200)}}, lambda s: (len(s.attributes), s.dropped_attributes_count) == (MAX_ATTRIBUTES, 72), id="too many"),
    pytest.param({"attributes": {Word.READY: "x", "b": [1]}}, lambda s: s.attributes[0].key == "ready", id="enum as key"),
    pytest.param({"links": (link(),) * 200}, lambda s: (len(s.links), s.dropped_links_count) == (128, 72), id="too many links"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "holds"), REPAIRED)
def test_what_is_cheap_to_repair_is_repaired(changes, holds):
    """The span is sent, with what was left out counted in OTLP's own fields, and it is marked as repaired."""
    good = checked(span(**changes))
    assert good.repaired
    [sent] = decode(Encoder({}).encode([span(**changes)])).resource_spans[0].scope_spans[0].spans
    assert holds(sent)


def test_a_good_span_is_not_repaired():
    """Among them one with an enum's text as a value."""
    assert not any(checked(one).repaired for one in variety())
    good = checked(span(attributes={"phase": Word.READY, "nan": float("nan")}))
    assert not good.repaired
    assert type(dict(good.attributes)["phase"]) is str


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.integers())


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "trace_id": st.binary(min_size=16, max_size=16) | ANYTHING,
            "span_id": ANYTHING,
            "parent_id": ANYTHING,
            "name": st.text(st.characters()) | ANYTHING,
            "service": st.text(st.characters()) | ANYTHING,
            "start_ns": ANYTHING,
            "end_ns": ANYTHING,
            "attributes": st.dictionaries(st.text(st.characters()), ANYTHING) | ANYTHING,
            "error": st.text(st.characters()) | ANYTHING,
        },
    )
)
def test_no_span_breaks_the_encoders(changes):
    """Any value in any field: bytes that can be read, or a reason; and both encoders agree."""
    one = span(**changes)
    encoded = Encoder({}).encode_span(one)
    assert isinstance(encoded, EncodedSpan | DropReason)
    assert span_ids(decode(Encoder({}).encode([one, span(7)])))[-1] == (7).to_bytes(8, "big")
    count = sum(len(rs["scopeSpans"][0]["spans"]) for rs in json.loads(JsonEncoder({}).to_json([one]))["resourceSpans"])
    assert count == isinstance(encoded, EncodedSpan)


def test_empty_fields_are_left_out():
    """As the Collector's file exporter does: a root has no parentSpanId, a span without attributes no attributes."""
    line = json.loads(JsonEncoder({}).to_json([span(parent_id=b"", attributes={})]))
    assert list(line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]) == [
        *("traceId", "spanId", "flags", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "status")
    ]
