"""The shelf: what does not fit into memory waits there, what the process leaves there is sent by the next one, all of it counted."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.export import DropReason, OtlpSettings, QueueLimits
from kspanpy.export.delivery import SECOND
from kspanpy.export.encode import Encoder
from kspanpy.export.pipeline import OtlpPipeline
from kspanpy.export.queue import OVERHEAD, EncodedSpan
from kspanpy.export.retry import Accepted, Backoff, Permanent, Transient
from tests.export.spans import spans
from tests.export.world import World
from tests.fakes.shelf import MemoryShelf

SIZE = 500 + OVERHEAD


def away_until(back_ns: int):
    """A receiver that is away until then."""
    return lambda world: lambda _: Accepted() if world.now_ns >= back_ns else Transient("UNAVAILABLE")


def world_with(shelf, rule, **limits) -> World:
    """A world whose receiver's rule knows the clock."""
    world = World(lambda _: Accepted(), shelf=shelf, **limits)
    world.receiver.rule = rule(world)
    return world


def test_what_does_not_fit_into_memory_waits_on_the_shelf():
    """A memory for 1000 spans, an outage of 20,000: all arrive, in order, each once, and memory keeps its limit."""
    shelf = MemoryShelf()
    world = world_with(shelf, away_until(400 * SECOND), spans=1000)
    for second in range(400):
        world.offer(50)
        world.run((second + 1) * SECOND)
        assert len(world.queue._waiting) + world.queue.in_flight <= 1000
    assert world.queue.spilled == 19_000
    assert len(shelf.spans) == 20_000
    world.run()
    assert world.receiver.took == list(range(1, 20_001))
    assert not world.dropped
    assert not shelf.spans


def test_a_span_is_on_the_shelf_before_it_can_be_sent():
    """Whatever is sent could be sent again by the next process."""
    shelf = MemoryShelf()
    world = World(lambda ids: Accepted() if {*ids} <= {*shelf.spans} else pytest.fail("not shelved"), shelf=shelf)
    for _ in range(20):
        world.offer(100)
        world.run(world.now_ns + SECOND)
    assert shelf.puts == [100] * 20
    assert world.receiver.took == list(range(1, 2001))


def test_one_offer_is_one_put():
    """One transaction, however many spans and however small the memory."""
    shelf = MemoryShelf()
    world = World(lambda _: Transient("UNAVAILABLE"), shelf=shelf, spans=10)
    world.offer(5000)
    assert shelf.puts == [5000]


def test_the_next_process_sends_what_was_left():
    """The same bytes in the same order, before what it makes itself; both processes' books balance."""
    shelf = MemoryShelf()
    first = World(lambda _: Transient("UNAVAILABLE"), shelf=shelf, spans=100)
    first.offer(1000)
    first.run(10 * SECOND)
    assert first.stop() == 0
    assert (first.queue.left, first.queue.pending, len(shelf.spans)) == (1000, 0, 1000)
    second = World(lambda _: Accepted(), shelf=shelf, first=1001, spans=100)
    assert (second.queue.recovered, second.queue.emitted, second.queue.queued) == (1000, 1000, 1000)
    second.offer(10)
    second.run()
    assert second.receiver.took == list(range(1, 1011))
    assert second.queue.acknowledged == second.queue.emitted == 1010
    assert not shelf.spans


def test_after_a_kill_only_what_was_not_acknowledged_comes_again():
    """No `close`, no goodbye: the shelf has everything that has no answer."""
    shelf = MemoryShelf()
    first = world_with(shelf, lambda world: lambda ids: Accepted() if ids[0] < 1000 else Transient("away"))
    first.offer(3000)
    first.run(5 * SECOND)
    second = World(lambda _: Accepted(), shelf=shelf)
    second.run()
    assert first.receiver.took + second.receiver.took == list(range(1, 3001))


def test_a_full_shelf_drops_the_oldest_and_counts_them():
    """Never more bytes than the limit; dropped = emitted - delivered, exactly; the newest arrive."""
    shelf = MemoryShelf()
    world = world_with(shelf, away_until(600 * SECOND), spans=1000, shelf_bytes=10_000 * SIZE)
    for second in range(600):
        world.offer(50)
        world.run((second + 1) * SECOND)
        world.balanced()
        assert world.queue.shelved_bytes <= 10_000 * SIZE
        assert len(world.queue._waiting) + world.queue.in_flight <= 1000
    assert shelf.highest <= 10_050 * SIZE  # what one offer brings, and its dropped ones are removed with the next look
    world.run()
    assert world.dropped == {DropReason.QUEUE_FULL: 30_000 - len(world.receiver.took)}
    assert world.receiver.took[-9000:] == list(range(21_001, 30_001))
    assert not shelf.spans


def test_one_offer_larger_than_everything():
    """More than memory and shelf together: the newest stay."""
    shelf = MemoryShelf()
    world = World(lambda _: Accepted(), shelf=shelf, spans=10, shelf_bytes=100 * SIZE)
    world.offer(1000)
    world.balanced()
    assert world.queue.queued == 100
    world.run()
    assert world.receiver.took == list(range(901, 1001))
    assert not shelf.spans


def test_what_is_refused_for_good_leaves_the_shelf():
    """The next process does not try it again."""
    shelf = MemoryShelf()
    world = World(lambda ids: Permanent("no", divisible=True) if 300 in ids else Accepted(), shelf=shelf)
    world.offer(512)
    world.run()
    assert world.dropped == {DropReason.REJECTED: 1}
    assert not shelf.spans


def test_a_shelf_that_can_not_be_written_costs_nothing_while_memory_lasts(caplog):
    """Export goes on in memory; counted at each failure, logged when it begins and ends; what is there still arrives."""
    caplog.set_level(logging.INFO)
    shelf = MemoryShelf()
    world = world_with(shelf, away_until(20 * SECOND), spans=1000)
    world.offer(1500)
    shelf.broken = {"put", "remove"}
    for _ in range(10):
        world.offer(10)
    assert world.shelving.errors == 10
    # Spans that are in memory only need the room of the oldest ones there.
    assert world.dropped == {DropReason.QUEUE_FULL: 100}
    shelf.broken = set()
    world.offer(10)
    world.run()
    assert sorted(world.receiver.took) == list(range(101, 1611))
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "No space left on device" in caplog.text


def test_a_shelf_that_can_not_be_read_is_tried_again():
    """What is spilled waits; what comes meanwhile is sent."""
    shelf = MemoryShelf()
    world = world_with(shelf, lambda world: lambda _: Accepted(), spans=600)
    world.offer(2000)
    shelf.broken = {"load"}
    world.run(60 * SECOND)
    assert world.receiver.took == list(range(1, 601))
    assert world.queue.spilled == 1400
    assert 5 <= world.shelving.errors <= 20
    shelf.broken = set()
    world.run()
    assert world.receiver.took == list(range(1, 2001))


def test_a_shelf_that_can_be_written_but_not_read_does_not_grow():
    """Over its limit nothing can be dropped from it, so nothing is added: memory takes over, and it is all counted."""
    shelf = MemoryShelf()
    world = World(lambda _: Transient("UNAVAILABLE"), shelf=shelf, spans=10, shelf_bytes=100 * SIZE)
    shelf.broken = {"load"}
    for _ in range(100):
        world.offer(10)
        world.balanced()
    assert shelf.highest <= 120 * SIZE
    shelf.broken = set()
    world.receiver.rule = lambda _: Accepted()
    world.run()
    assert world.queue.emitted == len(world.receiver.took) + world.dropped[DropReason.QUEUE_FULL]


def test_a_shelf_that_has_lost_what_it_held_is_counted():
    """A loss with a name, and the queue is not stuck."""
    shelf = MemoryShelf()
    world = World(lambda _: Accepted(), shelf=shelf, spans=600)
    world.offer(2000)
    for number in range(601, 2001):
        shelf.size -= shelf.spans.pop(number).size
    world.run()
    assert world.dropped == {DropReason.SHELF_LOST: 1400}
    assert (world.queue.queued, world.queue.queued_bytes, world.queue.shelved_bytes) == (0, 0, 0)


def test_a_shelf_that_has_more_than_it_said():
    """Everything is sent and counted as emitted."""
    shelf = MemoryShelf()
    shelf.put([EncodedSpan(number.to_bytes(24, "big"), "s", bytes(500)) for number in range(1, 2001)])
    shelf.waiting = lambda: (1000, 1000 * SIZE)
    world = World(lambda _: Accepted(), shelf=shelf, spans=100)
    world.run()
    assert set(range(1, 1001)) <= set(world.receiver.took)
    assert world.queue.emitted == world.queue.acknowledged == len(world.receiver.took)


def test_left_spans_that_the_new_limits_do_not_allow():
    """A span larger than a request may be now is dropped by that name, and does not stop the ones behind it."""
    shelf = MemoryShelf()
    first = World(lambda _: Transient("UNAVAILABLE"), shelf=shelf)
    first.offer(3)
    first.offer(1, size=5000)
    first.offer(3)
    first.stop()
    second = World(lambda _: Accepted(), shelf=shelf, batch_bytes=2000)
    second.run()
    assert second.receiver.took == [1, 2, 3, 5, 6, 7]
    assert second.dropped == {DropReason.TOO_LARGE: 1}
    assert not shelf.spans


@given(st.data())
def test_the_books_balance_with_a_shelf_that_fails(data):
    """Any outcomes, arrivals, limits and failures, and restarts between: every span is acknowledged or counted, none is pending."""
    outcome = st.one_of(
        st.builds(Accepted, st.integers(-1, 30)),
        st.builds(Transient, st.just("t"), st.none() | st.floats(0, 400)),
        st.builds(Permanent, st.just("p"), st.booleans()),
    )
    script = data.draw(st.lists(outcome, max_size=30))
    limits = {
        "spans": data.draw(st.integers(1, 60)),
        "bytes": data.draw(st.integers(700, 40_000)),
        "shelf_bytes": data.draw(st.integers(700, 80_000)),
        "batch_spans": data.draw(st.integers(1, 30)),
        "batch_bytes": data.draw(st.integers(700, 9_000)),
    }
    shelf = MemoryShelf()
    rule = lambda _: script.pop() if script else Accepted()  # noqa: E731
    world = World(rule, shelf=shelf, **limits)
    for count in data.draw(st.lists(st.integers(0, 90), max_size=8)):
        shelf.broken = data.draw(st.sets(st.sampled_from(["put", "load", "remove", "waiting"])))
        world.offer(count)
        world.balanced()
        world.run(world.now_ns + data.draw(st.integers(0, 20)) * SECOND)
        world.balanced()
        assert len(world.queue._waiting) + world.queue.in_flight <= limits["spans"]
        assert world.in_memory <= limits["bytes"]
        if data.draw(st.booleans()):
            world.stop()
            world = World(rule, shelf=shelf, first=world.count + 1, **limits)
    shelf.broken = set()
    world.run()
    world.balanced()
    queue = world.queue
    assert queue.pending == queue.in_flight_bytes == queue.queued_bytes == queue.shelved_bytes == 0


class Scripted:
    """A sender without a network."""

    def __init__(self, answer) -> None:
        self.answer = answer

    def send(self, payload, *, timeout_s):
        """One attempt."""
        return self.answer(payload)

    def close(self):
        """Nothing is open."""


def pipeline(answer, shelf, **limits) -> OtlpPipeline:
    """A running pipeline over that shelf."""
    limits = QueueLimits(**({"batch_age_ns": 5_000_000, "batch_spans": 10, "spans": 50} | limits))
    backoff = Backoff(jitter=lambda: -0.499)
    return OtlpPipeline(Scripted(answer), Encoder({}), OtlpSettings(), limits=limits, shelf=shelf, backoff=backoff)


def test_a_pipeline_hands_over_to_the_next_one(caplog):
    """With its threads: what the first could not send is left, logged as such, and sent by the second, byte-identical."""
    shelf, payloads = MemoryShelf(), []
    first = pipeline(lambda _: Transient("UNAVAILABLE"), shelf)
    for number in range(1, 1001, 100):
        first.offer(spans(100, number))
    assert not first.drain(0.02)
    assert first.stats().fullness == pytest.approx(shelf.size / (256 * 1024 * 1024))
    first.close()
    stats = first.stats()
    assert (stats.emitted, stats.left, stats.pending, stats.dropped_total) == (1000, 1000, 0, 0)
    assert "stopped with 1000 spans not sent: the next start sends them" in caplog.text
    second = pipeline(lambda payload: payloads.append(payload) or Accepted(), shelf)
    second.offer(spans(5, 1001))
    assert second.drain(10.0)
    second.close()
    stats = second.stats()
    assert (stats.emitted, stats.recovered, stats.acknowledged, stats.left) == (1005, 1000, 1005, 0)
    assert b"".join(payloads) == b"".join(
        Encoder({}).encode(spans(10, first)) for first in range(1, 1001, 10)
    ) + Encoder({}).encode(spans(5, 1001))
    assert not shelf.spans


def test_offering_and_sending_at_the_same_time():
    """Two threads, a memory much smaller than what passes through: everything arrives once."""
    shelf, payloads = MemoryShelf(), []
    running = pipeline(lambda payload: payloads.append(payload) or Accepted(), shelf, spans=20, batch_age_ns=0)
    for number in range(1, 3001, 30):
        running.offer(spans(30, number))
    assert running.drain(20.0)
    running.close()
    stats = running.stats()
    assert (stats.emitted, stats.acknowledged, stats.dropped_total, stats.left) == (3000, 3000, 0, 0)
    assert not shelf.spans
