"""The delivery in virtual time: outages, refusals, bad spans, and the exporter contract of the OpenTelemetry Collector."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.export import AttemptResult, DropReason
from kspanpy.export.delivery import MAX_DIVISIONS, SECOND, Send
from kspanpy.export.retry import Accepted, Permanent, Transient
from tests.export.world import World


def test_spans_arrive_in_order_and_in_batches():
    """The oldest first, 512 at a time, the rest after the flush interval."""
    world = World(lambda _: Accepted())
    world.offer(1200)
    world.run()
    assert world.receiver.took == list(range(1, 1201))
    assert world.receiver.asked_ns == [0, 0, SECOND]


def test_ten_minutes_without_a_collector_lose_nothing():
    """50 spans/s for 600 s: nothing lost, attempts stay rare, everything delivered within a minute of the return."""
    back = 600 * SECOND
    world = World(lambda _: Accepted() if world.now_ns >= back else Transient("UNAVAILABLE"))
    for second in range(600):
        world.offer(50)
        world.run((second + 1) * SECOND)
    assert len(world.receiver.asked_ns) <= 35
    assert world.queue.queued_bytes + world.queue.in_flight_bytes < 64 * 1024 * 1024
    world.run()
    assert world.receiver.took == list(range(1, 30_001))
    assert world.receiver.asked_ns[-1] <= back + 60 * SECOND
    assert not world.dropped


def test_an_outage_beyond_the_queue_is_bounded_and_counted():
    """What does not fit is dropped oldest first, and dropped = emitted - delivered, exactly."""
    world = World(lambda _: Accepted() if world.now_ns >= 600 * SECOND else Transient("UNAVAILABLE"), spans=10_000)
    for second in range(600):
        world.offer(50)
        world.run((second + 1) * SECOND)
        assert world.queue.pending <= 10_000
    world.run()
    assert world.dropped == {DropReason.QUEUE_FULL: 30_000 - len(world.receiver.took)}
    assert world.receiver.took[-9000:] == list(range(21_001, 30_001))


def test_a_retry_sends_the_same_bytes():
    """Also when more spans have come meanwhile: duplicates after an ambiguous failure are byte-identical."""
    script = [Transient("a"), Transient("b"), Accepted()]
    world = World(lambda _: script.pop(0) if script else Accepted())
    world.offer(10)
    world.run(2 * SECOND)
    world.offer(10)
    world.run()
    assert len(set(world.receiver.payloads[:3])) == 1
    assert world.receiver.took == list(range(1, 21))


def narrow(world: World, bytes_per_s: int, timeout_s: float = 10.0):
    """A network that carries so much, spans of 600 bytes, and attempts with that timeout."""

    def rule(ids):
        needed_s = len(ids) * 600 / bytes_per_s
        world.now_ns += int(min(needed_s, timeout_s) * SECOND)
        return Accepted() if needed_s < timeout_s else Transient("DEADLINE_EXCEEDED", timed_out=True)

    return rule


def test_a_network_of_ten_kilobytes_a_second():
    """Less comes than it can carry: all of it arrives, though a full request would never be through in time."""
    world = World(lambda _: Accepted())
    world.offer(512)
    world.receiver.rule = narrow(world, 10_000)
    for second in range(600):
        world.offer(8)
        world.run((second + 1) * SECOND)
    world.run()
    assert world.receiver.took == list(range(1, 512 + 4800 + 1))
    assert world.receiver.asked_ns[-1] < 700 * SECOND


def test_a_network_that_can_not_carry_it_all():
    """50 spans/s of 600 bytes over 10 KB/s: most of what it can carry arrives, the rest is bounded and counted, oldest first."""
    world = World(lambda _: Accepted(), spans=5000)
    world.receiver.rule = narrow(world, 10_000)
    for second in range(600):
        world.offer(50)
        world.run((second + 1) * SECOND)
        assert world.queue.pending <= 5000
    assert len(world.receiver.took) * 600 >= 600 * 10_000 * 0.5
    world.balanced()
    assert set(world.dropped) == {DropReason.QUEUE_FULL}


def test_after_a_silence_requests_grow_again():
    """A black hole of ten minutes makes requests small; when it is gone and takes half a second for each, 30,000 spans are soon through."""
    world = World(lambda _: Accepted())

    def rule(ids):
        if world.now_ns < 600 * SECOND:
            world.now_ns += 10 * SECOND
            return Transient("DEADLINE_EXCEEDED", timed_out=True)
        world.now_ns += SECOND // 2
        return Accepted()

    world.receiver.rule = rule
    for second in range(600):
        world.offer(50)
        world.run((second + 1) * SECOND)
    world.run()
    assert world.receiver.took == list(range(1, 30_001))
    assert world.receiver.asked_ns[-1] <= 690 * SECOND


def test_a_slow_receiver_keeps_up():
    """2 s for each request at 50 spans/s: nothing is lost, and little waits."""
    world = World(lambda _: Accepted(), takes_ns=2 * SECOND)
    for second in range(600):
        world.offer(50)
        world.run((second + 1) * SECOND)
        assert world.queue.pending <= 300
    assert not world.dropped


@pytest.mark.parametrize("hint", [7.0, 120.0])
def test_the_receivers_pause_is_kept(hint):
    """Retry-After and RetryInfo: not one request earlier, not much later."""
    script = [Transient("busy", hint)]
    world = World(lambda _: script.pop() if script else Accepted(), batch_age_ns=0)
    world.offer(1)
    world.run()
    assert hint <= world.receiver.asked_ns[1] / SECOND <= hint * 1.1


@pytest.mark.parametrize("bad", [{1}, {256}, {512}, {7, 300}, {100, 101, 500}])
def test_one_bad_span_does_not_cost_its_batch(bad):
    """A refused batch is halved until the bad spans are alone: 511 of 512 arrive."""
    world = World(lambda ids: Permanent("INVALID_ARGUMENT", divisible=True) if bad & set(ids) else Accepted())
    world.offer(512)
    world.run()
    assert set(world.receiver.took) == set(range(1, 513)) - bad
    assert world.dropped == {DropReason.REJECTED: len(bad)}


def test_a_receiver_that_takes_only_small_requests_gets_small_ones():
    """413: everything arrives."""
    world = World(lambda ids: Permanent("HTTP 413", divisible=True) if len(ids) > 100 else Accepted())
    world.offer(2048)
    world.run()
    assert sorted(world.receiver.took) == list(range(1, 2049))


def test_a_receiver_that_refuses_everything_is_not_stormed():
    """After one batch of which nothing got through, the others cost one request each - until something is accepted."""
    world = World(lambda _: Permanent("HTTP 400", divisible=True))
    world.offer(5 * 512)
    world.run()
    assert len(world.receiver.asked_ns) <= 1 + 2 * MAX_DIVISIONS + 4
    assert world.dropped == {DropReason.REJECTED: 5 * 512}
    world.receiver.rule = lambda ids: Permanent("HTTP 400", divisible=True) if 5 * 512 + 513 in ids else Accepted()
    world.offer(1024)
    world.run()
    assert len(world.receiver.took) == 1023


def test_refusals_of_the_sender_are_not_divided():
    """A missing token is not a bad span: one request, the batch is counted as rejected, nothing is sent again."""
    world = World(lambda _: Permanent("HTTP 401"))
    world.offer(512)
    world.run()
    assert len(world.receiver.asked_ns) == 1
    assert world.dropped == {DropReason.REJECTED: 512}


def test_a_partial_success_is_counted_and_not_sent_again():
    """The rejected ones are lost, as the receiver says; the rest is acknowledged."""
    world = World(lambda _: Accepted(rejected=3, message="too old"))
    world.offer(10)
    world.run()
    assert len(world.receiver.asked_ns) == 1
    assert (world.queue.acknowledged, world.dropped) == (7, {DropReason.REJECTED: 3})
    assert world.delivery.attempts[AttemptResult.PARTIAL] == 1


def test_a_defect_in_assembling_costs_its_batch_only():
    """The batches behind it are sent."""
    world = World(lambda _: Accepted())
    world.delivery._assemble = lambda spans: 1 / (int.from_bytes(spans[0].key, "big") - 1) and b"x"
    world.offer(1024)
    world.run()
    assert world.dropped == {DropReason.ENCODING: 512}
    assert len(world.receiver.took) == 512


def test_hurry_tries_at_once_and_often():
    """At shutdown a pause of half a minute is not waited for; the next ones are at most a second."""
    world = World(lambda _: Transient("UNAVAILABLE"))
    world.offer(1)
    world.run(300 * SECOND)
    before = len(world.receiver.asked_ns)
    world.delivery.hurry()
    world.run(310 * SECOND, hurry=True)
    assert 9 <= len(world.receiver.asked_ns) - before <= 21


def test_hurry_respects_a_receiver_that_asked_for_a_pause():
    """Retry-After holds at shutdown too."""
    world = World(lambda _: Transient("busy", 60.0))
    world.offer(1)
    world.run(2 * SECOND)
    world.delivery.hurry()
    world.run(30 * SECOND, hurry=True)
    assert len(world.receiver.asked_ns) == 1


def test_what_is_abandoned_stays_lost():
    """An answer that comes after the end is not counted a second time."""
    world = World(lambda _: Accepted())
    world.offer(5)
    assert isinstance(world.delivery.next(0, flush=True), Send)
    assert world.delivery.abandon(DropReason.SHUTDOWN) == 5
    assert world.delivery.resolve(Accepted(), 0) == ()
    world.balanced()
    assert world.dropped == {DropReason.SHUTDOWN: 5}


CONTRACT = {
    "ok": (1.0, 0.0, 0.0),
    "transient": (0.5, 0.5, 0.0),
    "permanent": (0.5, 0.0, 0.5),
    "mixed": (0.4, 0.4, 0.2),
}


@pytest.mark.parametrize("weights", CONTRACT.values(), ids=CONTRACT.keys())
@pytest.mark.parametrize("divisible", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_exporter_contract(weights, divisible, seed):
    """The Collector's contract checker: accepted + dropped = sent, each accepted once, transient is never a loss."""
    rng = random.Random(seed)
    outcomes = [Accepted(), Transient("random"), Permanent("random", divisible=divisible)]
    world = World(lambda _: rng.choices(outcomes, weights)[0], batch_spans=10)
    for _ in range(100):
        world.offer(rng.randrange(1, 20))
        world.run(world.now_ns + SECOND // 2)
    world.run()
    assert world.queue.pending == 0
    assert max(Counter(world.receiver.took).values(), default=1) == 1
    assert len(world.receiver.took) + sum(world.queue.dropped.values()) == world.count
    assert set(world.dropped) <= ({DropReason.REJECTED} if weights[2] else set())


@given(st.data())
def test_the_books_balance_under_any_receiver(data):
    """Any outcomes, any arrivals, any limits: the invariant holds after every step, and the delivery always ends."""
    outcome = st.one_of(
        st.builds(Accepted, st.integers(-1, 30)),
        st.builds(Transient, st.just("t"), st.none() | st.floats(0, 400), st.booleans()),
        st.builds(Permanent, st.just("p"), st.booleans()),
    )
    script = data.draw(st.lists(outcome, max_size=40))
    world = World(
        lambda _: script.pop() if script else Accepted(),
        spans=data.draw(st.integers(1, 60)),
        bytes=data.draw(st.integers(700, 40_000)),
        batch_spans=data.draw(st.integers(1, 30)),
        batch_bytes=data.draw(st.integers(700, 9_000)),
    )
    for count in data.draw(st.lists(st.integers(0, 50), max_size=8)):
        world.offer(count)
        world.balanced()
        world.run(world.now_ns + data.draw(st.integers(0, 20)) * SECOND)
    world.run()
    world.balanced()
    assert world.queue.pending == world.queue.in_flight_bytes == world.queue.queued_bytes == 0
