"""The exporter of the OpenTelemetry SDK in place of kspanpy's own: what arrives is equal, and nothing is lost unseen."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from kspanpy.export import DropReason, OtlpSettings, otlp_pipeline, otlp_sender
from kspanpy.export.encode import Encoder
from kspanpy.export.retry import Accepted, Permanent, Transient
from kspanpy.export.variables import Headers
from tests.export.spans import captured, link, span, spans
from tests.fakes.collector import Accept, Answer, Fail, FakeCollector, unused_port

PROTOCOLS = {"grpc": "grpc", "http": "http/protobuf"}
CLUSTER = {"k8s.cluster.uid": "c-1", "deployment.environment.name": "test"}
ODD = [
    span(1, attributes={"nan": float("inf"), "flag": False, "zero": 0, "empty": "", "long": "é" * 3000, "wrong": [1]}),
    span(2, links=(link(),) * 200, error="BackOff", parent_id=b""),
    span(3, name="", service="", attributes={}),
]


def settings_for(collector: FakeCollector, **changes) -> OtlpSettings:
    """Where it listens."""
    return OtlpSettings(protocol=PROTOCOLS[collector.protocol], endpoint=collector.endpoint, **changes)


def attempt(collector: FakeCollector, *, timeout_s: float = 5.0, **changes):
    """What comes of one attempt."""
    sender = otlp_sender(settings_for(collector, timeout_s=timeout_s, **changes), through_sdk=True)
    try:
        return sender.send(Encoder(CLUSTER).encode(spans(20)), timeout_s=timeout_s)
    finally:
        sender.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_what_arrives_is_equal(protocol, compression):
    """For all spans of the captures, request by request; and for spans that had to be repaired."""
    encoder = Encoder(CLUSTER)
    everything = [*ODD, *captured()]
    requests = [encoder.encode(everything[first : first + 512]) for first in range(0, len(everything), 512)]
    received = []
    for through_sdk in (False, True):
        with FakeCollector(protocol) as collector:
            sender = otlp_sender(settings_for(collector, compression=compression), through_sdk=through_sdk)
            assert {sender.send(request, timeout_s=10.0) for request in requests} == {Accepted()}
            sender.close()
        received.append(collector.requests)
    assert len(received[0]) == len(requests)
    assert received[0] == received[1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_queue_is_the_same(protocol):
    """Spans are acknowledged when the SDK's exporter says success; what can not be sent is counted as always."""
    acknowledged: list[bytes] = []
    with FakeCollector(protocol, [Fail("INVALID_ARGUMENT") if protocol == "grpc" else Answer(400)]) as collector:
        pipeline = otlp_pipeline(
            settings_for(collector, headers=Headers({"x-scope": "a"})),
            CLUSTER,
            on_acknowledged=acknowledged.extend,
            through_sdk=True,
        )
        pipeline.offer([*spans(100), span(101, span_id=b"")])
        assert pipeline.drain(10)
        pipeline.close()
        stats = pipeline.stats()
    assert collector.accepted == [one.span_id for one in spans(100)]  # refused as a whole, sent in halves
    assert len(acknowledged) == stats.acknowledged == 100
    assert {reason: number for reason, number in stats.dropped.items() if number} == {DropReason.INVALID_ID: 1}
    assert all(headers["x-scope"] == "a" for headers in collector.headers)


@pytest.mark.parametrize(
    ("protocol", "reply", "expected"),
    [
        ("grpc", Fail("UNAUTHENTICATED", "who are you"), Permanent("UNAUTHENTICATED: who are you")),
        ("grpc", Fail("INVALID_ARGUMENT", "no"), Permanent("INVALID_ARGUMENT: no", divisible=True)),
        ("http", Answer(401), Permanent("HTTP 401: Unauthorized")),
        ("http", Answer(413), Permanent("HTTP 413: Request Entity Too Large", divisible=True)),
    ],
)
def test_a_refusal_is_known_as_one(protocol, reply, expected):
    """From the error that the exporter logs: else a batch that nobody wants would be tried for ever."""
    with FakeCollector(protocol, [reply, reply]) as collector:
        assert [attempt(collector), attempt(collector)] == [
            expected,
            expected,
        ]  # the exporter logs a repetition only once


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_outage_is_transient(protocol, caplog):
    """The exporter has tried again within its time, and its own log lines are not written: ours say it, redacted."""
    path = "" if protocol == "grpc" else "/v1/traces"
    settings = OtlpSettings(
        protocol=PROTOCOLS[protocol], endpoint=f"http://127.0.0.1:{unused_port()}{path}", timeout_s=0.2
    )
    sender = otlp_sender(settings, through_sdk=True)
    assert isinstance(sender.send(Encoder({}).encode(spans(2)), timeout_s=0.2), Transient)
    sender.close()
    assert isinstance(sender.send(Encoder({}).encode(spans(2)), timeout_s=0.2), Transient)
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry.exporter.otlp.proto")]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_close_interrupts_its_pauses(protocol):
    """An export that waits to try again ends."""
    busy = Fail("UNAVAILABLE") if protocol == "grpc" else Answer(503)
    with FakeCollector(protocol, rule=lambda _: busy) as collector:
        sender = otlp_sender(settings_for(collector, timeout_s=30), through_sdk=True)
        outcomes: list = []
        thread = threading.Thread(
            target=lambda: outcomes.append(sender.send(Encoder({}).encode(spans(2)), timeout_s=30))
        )
        thread.start()
        while not collector.replies:
            time.sleep(0.01)
        sender.close()
        thread.join(5)
    assert isinstance(outcomes[0], Transient)


def test_partial_success_is_not_seen():
    """What the SDK does not tell: the page of the settings says so."""
    with FakeCollector("http", [Accept(rejected=3)]) as collector:
        assert attempt(collector) == Accepted()


def test_nothing_of_the_sdk_is_imported_unless_it_is_asked_for():
    """Neither by a sender of our own, nor by its encoder."""
    program = (
        "import sys; from kspanpy.export import *; p = otlp_pipeline(OtlpSettings(protocol='http/protobuf')); p.close();"
        "print(*[m for m in sys.modules if m.startswith(('opentelemetry', 'google', 'grpc'))])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
