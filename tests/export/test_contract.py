"""The exporter contract of the OpenTelemetry Collector, over both transports: unique ids x {ok, transient, permanent, mixed}.

After `CheckConsumeContract` (opentelemetry-collector, exporter/exportertest/contract_checker.go): what was sent was accepted or dropped,
nothing is pending, nothing is accepted twice; and by the OTLP specification nothing is sent again that must not be. Pauses are virtual.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from kspanpy.export import DropReason
from kspanpy.export.retry import HINT_MAX_S
from tests.export.wire import PROTOCOLS, Wire
from tests.fakes.collector import Accept, Answer, Fail, FakeCollector, span_ids

SECOND = 1_000_000_000

TRANSIENT = {
    "grpc": [
        Fail("UNAVAILABLE"),
        Fail("DEADLINE_EXCEEDED"),
        Fail("ABORTED", retry_info_s=40.0),
        Fail("RESOURCE_EXHAUSTED", retry_info_s=3.0),
    ],
    "http": [Answer(429, {"Retry-After": "40"}), Answer(502), Answer(503, {"Retry-After": "3"}), Answer(504)],
}
# The first of each is about the sender, the others about the content: a part of it may pass.
PERMANENT = {
    "grpc": [Fail("UNAUTHENTICATED"), Fail("INVALID_ARGUMENT"), Fail("RESOURCE_EXHAUSTED")],
    "http": [Answer(401), Answer(400), Answer(413)],
}
PARTIAL = [Accept(rejected=1, message="one was too old")]

CONTRACT = {
    "ok": (1.0, 0.0, 0.0, 0.0),
    "transient": (0.5, 0.5, 0.0, 0.0),
    "permanent": (0.5, 0.0, 0.5, 0.0),
    "partial": (0.5, 0.0, 0.0, 0.5),
    "mixed": (0.3, 0.3, 0.2, 0.2),
}


@pytest.mark.parametrize("weights", CONTRACT.values(), ids=CONTRACT.keys())
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exporter_contract(protocol, weights):
    """Accepted + dropped = sent; each id accepted once; transient is no loss; a refusal or a partial success is never repeated."""
    rng = random.Random(f"{protocol} {weights}")
    kinds = [[Accept()], TRANSIENT[protocol], PERMANENT[protocol], PARTIAL]
    rule = lambda _: rng.choice(rng.choices(kinds, weights)[0])  # noqa: E731
    with FakeCollector(protocol, rule=rule) as collector, Wire(collector, batch_spans=10) as wire:
        for _ in range(30):
            wire.offer(rng.randrange(1, 30))
            wire.run(attempts=3)
        wire.run()

    final = [
        (payload, reply)
        for payload, reply in zip(collector.payloads, collector.replies, strict=True)
        if reply not in TRANSIENT[protocol]
    ]
    assert len(final) == len({payload for payload, _ in final}), "sent again after an answer that was final"
    assert max(Counter(collector.accepted).values()) == 1
    refused_in_part = sum(reply.rejected for reply in collector.replies if isinstance(reply, Accept))
    queue = wire.queue
    assert queue.pending == 0
    assert queue.acknowledged == len(collector.accepted) - refused_in_part
    assert queue.acknowledged + sum(queue.dropped.values()) == queue.emitted == wire.offered
    assert set(wire.dropped) <= ({DropReason.REJECTED} if weights[2] or weights[3] else set())


@pytest.mark.parametrize(
    ("protocol", "busy", "pause_s"),
    [
        ("grpc", Fail("RESOURCE_EXHAUSTED", retry_info_s=7.0), 7.0),
        ("grpc", Fail("UNAVAILABLE", retry_info_s=120.0), 120.0),
        ("http", Answer(429, {"Retry-After": "7"}), 7.0),
        ("http", Answer(503, {"Retry-After": "120"}), 120.0),
        ("http", Answer(503, {"Retry-After": "86400"}), HINT_MAX_S),
    ],
)
def test_the_pause_that_the_receiver_asks_for_is_kept(protocol, busy, pause_s):
    """Each of three times: not a request earlier, and at most a tenth later. Nothing is lost."""
    with FakeCollector(protocol, [busy] * 3) as collector, Wire(collector) as wire:
        wire.offer(100)
        wire.run()
    pauses = [(later - earlier) / SECOND for earlier, later in zip(wire.asked_ns, wire.asked_ns[1:], strict=False)]
    assert len(pauses) == 3
    assert all(pause_s <= pause <= pause_s * 1.1 for pause in pauses)
    assert len(set(collector.payloads)) == 1
    assert wire.queue.acknowledged == 100


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_too_large_for_the_receiver_is_divided_and_not_repeated(protocol):
    """RESOURCE_EXHAUSTED without RetryInfo, 413: no request comes twice, and everything arrives in smaller ones."""
    too_large = Fail("RESOURCE_EXHAUSTED", "larger than max") if protocol == "grpc" else Answer(413)
    rule = lambda request: Accept() if len(span_ids(request)) <= 100 else too_large  # noqa: E731
    with FakeCollector(protocol, rule=rule) as collector, Wire(collector) as wire:
        wire.offer(512)
        wire.run()
    assert len(set(collector.payloads)) == len(collector.payloads)
    assert len({*collector.accepted}) == wire.queue.acknowledged == 512
    assert not wire.dropped


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_span_that_the_receiver_refuses_costs_itself(protocol):
    """511 of 512 are delivered, once each, and the one is counted."""
    refused = Fail("INVALID_ARGUMENT", "bad span") if protocol == "grpc" else Answer(400)
    bad = (300).to_bytes(8, "big")
    rule = lambda request: refused if bad in span_ids(request) else Accept()  # noqa: E731
    with FakeCollector(protocol, rule=rule) as collector, Wire(collector) as wire:
        wire.offer(512)
        wire.run()
    assert len(collector.accepted) == len({*collector.accepted}) == wire.queue.acknowledged == 511
    assert wire.dropped == {DropReason.REJECTED: 1}
