"""The whole OTLP output with its thread, against real servers: delivery, shutdown, accounting, silence about secrets."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from kspanpy.export import DropReason, ExportStats, OtlpSettings, QueueLimits, SpanSink, otlp_pipeline
from kspanpy.export.encode import Encoder
from kspanpy.export.pipeline import OtlpPipeline
from kspanpy.export.retry import Accepted, Backoff, Transient
from kspanpy.export.variables import Headers
from tests.export.spans import span, spans
from tests.fakes.collector import Accept, Answer, Fail, FakeCollector, unused_port

PROTOCOLS = {"grpc": "grpc", "http": "http/protobuf"}
QUICK = QueueLimits(batch_age_ns=5_000_000, batch_spans=10)


def settings_for(collector: FakeCollector, **changes) -> OtlpSettings:
    """Settings that lead to the fake."""
    return OtlpSettings(protocol=PROTOCOLS[collector.protocol], endpoint=collector.endpoint, **changes)


def balanced(stats: ExportStats) -> bool:
    """Every span is in exactly one place."""
    return stats.emitted == stats.acknowledged + stats.dropped_total + stats.queued + stats.in_flight + stats.left


class Scripted:
    """A sender without a network: `answer(payload)` decides."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.closed = False

    def send(self, payload, *, timeout_s):
        """One attempt."""
        return self.answer(payload)

    def close(self):
        """Remember it."""
        self.closed = True


def pipeline_with(answer, **keywords) -> OtlpPipeline:
    """A pipeline over a scripted sender, with short pauses."""
    keywords.setdefault("limits", QUICK)
    return OtlpPipeline(Scripted(answer), Encoder({}), OtlpSettings(), **keywords)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_contract_over_the_wire(protocol):
    """Unique spans x {ok, transient, permanent, partial}: accepted + dropped = sent, nothing twice, nothing pending."""
    transient = Fail("UNAVAILABLE", retry_info_s=0.02) if protocol == "grpc" else Answer(503)
    permanent = Fail("UNAUTHENTICATED") if protocol == "grpc" else Answer(401)
    script = [Accept(), transient, Accept(), permanent, Accept(rejected=4, message="no"), transient]
    acknowledged = []
    with FakeCollector(protocol, script) as collector:
        pipeline = otlp_pipeline(settings_for(collector), {}, limits=QUICK, on_acknowledged=acknowledged.extend)
        pipeline._delivery._backoff = Backoff(jitter=lambda: -0.49)
        sink: SpanSink = pipeline
        sink.offer(spans(60))
        assert sink.drain(10.0)
        sink.close()
    stats = sink.stats()
    assert balanced(stats)
    assert max(Counter(collector.accepted).values()) == 1
    assert len(collector.accepted) == len(acknowledged) == 50
    assert (stats.acknowledged, stats.dropped[DropReason.REJECTED], stats.pending) == (46, 14, 0)
    assert stats.last_success_ns > 0
    assert {result.value: count for result, count in stats.attempts.items()} == {
        "accepted": 4,
        "partial": 1,
        "transient": 2,
        "permanent": 1,
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_outage_of_the_real_server(protocol):
    """Spans offered while nobody listens arrive when somebody does, byte-identical to what was offered."""
    port = unused_port()
    path = "" if protocol == "grpc" else "/v1/traces"
    settings = OtlpSettings(protocol=PROTOCOLS[protocol], endpoint=f"http://127.0.0.1:{port}{path}")
    pipeline = otlp_pipeline(settings, {}, limits=QUICK)
    pipeline._delivery._backoff = Backoff(jitter=lambda: -0.45)
    pipeline.offer(spans(25))
    while not pipeline.stats().last_error:
        time.sleep(0.005)
    with FakeCollector(protocol, port=port) as collector:
        assert pipeline.drain(10.0)
        pipeline.close()
    assert collector.accepted == [one.span_id for one in spans(25)]
    assert pipeline.stats().last_error == ""
    assert collector.payloads[0] == Encoder({}).encode(spans(10))


def test_young_spans_are_sent_without_being_asked():
    """The flush interval, without drain."""
    with FakeCollector("grpc") as collector:
        pipeline = otlp_pipeline(settings_for(collector), {}, limits=QUICK)
        pipeline.offer([span(1)])
        deadline = time.monotonic() + 5
        while pipeline.stats().acknowledged < 1 and time.monotonic() < deadline:
            time.sleep(0.005)
        pipeline.offer([span(2)])
        while pipeline.stats().acknowledged < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        pipeline.close()
    assert len(collector.accepted) == 2


def test_offer_does_not_wait_for_a_stuck_collector():
    """Ten thousand spans are taken while an attempt hangs; the queue stays within its limits, the books balance."""
    release = threading.Event()
    pipeline = pipeline_with(lambda _: release.wait(5) and Accepted(), limits=QueueLimits(spans=1000, batch_age_ns=0))
    began = time.monotonic()
    for first in range(1, 10_001, 100):
        pipeline.offer(spans(100, first))
        stats = pipeline.stats()
        assert balanced(stats)
        assert stats.pending <= 1000
    assert time.monotonic() - began < 5
    assert pipeline.stats().dropped[DropReason.QUEUE_FULL] >= 9000
    release.set()
    pipeline.close()
    assert balanced(pipeline.stats())


def test_drain_keeps_its_deadline():
    """Also while an attempt hangs: False at the deadline; close then counts the rest as lost at shutdown."""
    release = threading.Event()
    pipeline = pipeline_with(lambda _: release.wait(5) and Accepted())
    pipeline.offer(spans(25))
    began = time.monotonic()
    assert not pipeline.drain(0.05)
    assert time.monotonic() - began < 0.5
    threading.Timer(0.02, release.set).start()
    pipeline.close()
    stats = pipeline.stats()
    assert stats.pending == 0
    assert stats.dropped[DropReason.SHUTDOWN] + stats.acknowledged == 25
    assert balanced(stats)


def test_drain_does_not_wait_out_a_long_pause():
    """A collector that is back when the process ends gets everything, however long the pause was to be."""
    answers = [Transient("UNAVAILABLE")]
    pipeline = pipeline_with(lambda _: answers.pop() if answers else Accepted(), backoff=Backoff(jitter=lambda: 20.0))
    pipeline.offer(spans(10))
    while not pipeline.stats().last_error:
        time.sleep(0.005)
    began = time.monotonic()
    assert pipeline.drain(5.0)
    assert time.monotonic() - began < 2
    pipeline.close()


def test_after_close_everything_is_counted_as_lost():
    """Neither offer nor drain nor close raises or hangs afterwards."""
    pipeline = pipeline_with(lambda _: Accepted())
    pipeline.close()
    pipeline.close()
    pipeline.offer(spans(3))
    assert pipeline.drain(1.0)
    assert pipeline.stats().dropped[DropReason.SHUTDOWN] == 3
    assert balanced(pipeline.stats())


def test_bad_spans_cost_themselves():
    """One span with an impossible time among 512: 511 arrive, one is counted with its reason."""
    with FakeCollector("http") as collector:
        pipeline = otlp_pipeline(settings_for(collector), {})
        pipeline.offer([*spans(511), span(512, start_ns=-1)])
        assert pipeline.drain(10.0)
        pipeline.close()
    stats = pipeline.stats()
    assert (stats.acknowledged, stats.dropped[DropReason.INVALID_TIME]) == (511, 1)
    assert balanced(stats)


def test_defects_do_not_stop_the_thread(caplog):
    """A sender that raises and a hook that raises: the spans still arrive."""
    failures = [ValueError("secret text"), KeyError("x")]

    def answer(_payload):
        if failures:
            raise failures.pop()
        return Accepted()

    def hook(_keys):
        raise RuntimeError("secret text")

    pipeline = pipeline_with(answer, on_acknowledged=hook, backoff=Backoff(jitter=lambda: -0.49))
    pipeline.offer(spans(30))
    assert pipeline.drain(5.0)
    pipeline.close()
    assert pipeline.stats().acknowledged == 30
    assert "secret text" not in caplog.text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_planted_token_is_in_no_log_and_no_error(protocol, caplog):
    """The collector echoes the token and an escape sequence in its errors: neither is shown, at any level."""
    caplog.set_level(logging.DEBUG)
    token = "s3cr3t-t0ken-value"
    text = f"denied for Bearer {token} \x1b[2J\r\nroot: forged line"
    replies = (
        [Fail("UNAUTHENTICATED", text), Accept(rejected=1, message=text)]
        if protocol == "grpc"
        else [Answer(401, {"Content-Type": "text/plain"}, text.encode()), Accept(rejected=1, message=text)]
    )
    with FakeCollector(protocol, replies) as collector:
        settings = settings_for(collector, headers=Headers({"authorization": f"Bearer {token}"}))
        pipeline = otlp_pipeline(settings, {}, limits=QUICK)
        pipeline.offer(spans(20))
        assert pipeline.drain(10.0)
        pipeline.close()
    stats = pipeline.stats()
    assert "denied for ***" in stats.last_error
    assert "denied for ***" in caplog.text
    for shown in (repr(stats), caplog.text, repr(settings), repr(vars(pipeline))):
        assert token not in shown
        assert "\x1b" not in shown
    assert not any("\n" in record.getMessage() for record in caplog.records)


def test_the_log_tells_changes_not_every_attempt(caplog):
    """One warning when spans stop arriving, one line when they arrive again, whatever the number of attempts."""
    caplog.set_level(logging.INFO)
    answers = [Transient("UNAVAILABLE: nobody there")] * 20
    pipeline = pipeline_with(
        lambda _: answers.pop() if answers else Accepted(), backoff=Backoff(jitter=lambda: -0.4999)
    )
    pipeline.offer(spans(1))
    assert pipeline.drain(5.0)
    pipeline.close()
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "nobody there" in messages[0]
    assert "arrive again" in messages[1]


def test_spans_lost_at_the_end_are_logged(caplog):
    """How many, and the last error."""
    pipeline = pipeline_with(lambda _: Transient("UNAVAILABLE"))
    pipeline.offer(spans(5))
    assert not pipeline.drain(0.05)
    pipeline.close()
    assert "stopped with 5 spans not sent; last error: UNAVAILABLE" in caplog.text


def test_importing_the_package_is_quick():
    """`kspanpy --help` pays neither for gRPC nor requests nor protobuf; the span file does not need them either."""
    program = (
        "import sys, kspanpy.export as e; e.otlp_settings({}); e.SpanFile('-').close();"
        "print(sorted({'grpc', 'requests', 'google.protobuf', 'opentelemetry'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
