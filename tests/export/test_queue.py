"""The queue: bounded in spans and bytes, the oldest go, and the books always balance."""

from __future__ import annotations

import tracemalloc

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kspanpy.export import DropReason, QueueLimits
from kspanpy.export.queue import OVERHEAD, EncodedSpan, SpanQueue

SECOND = 1_000_000_000


def item(number: int, size: int = 100) -> EncodedSpan:
    """An encoded span that costs that many bytes."""
    return EncodedSpan(number.to_bytes(24, "big"), "s", bytes(size - OVERHEAD) if size > OVERHEAD else b"")


def numbers(batch) -> list[int]:
    """Which items these are."""
    return [int.from_bytes(one.key, "big") for one in batch]


def test_a_waiting_span_costs_no_more_than_is_counted():
    """In memory, as the allocator sees it, for few and for ten times as many: what `KSPANPY_QUEUE_MEGABYTES` bounds is true."""
    for count in (2_000, 20_000):
        queue = SpanQueue(QueueLimits(spans=count))
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            queue.put(item(number, 1000), number * SECOND)
        cost = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert queue.queued_bytes * 0.9 < cost <= queue.queued_bytes


def test_a_batch_is_due_when_it_is_full_or_old():
    """By count at once, by bytes at once, else when its oldest span has waited for the flush interval."""
    queue = SpanQueue(QueueLimits(batch_spans=3, batch_bytes=1000, batch_age_ns=SECOND))
    assert queue.due_ns() is None
    queue.put(item(1, 250), 10 * SECOND)
    queue.put(item(2, 250), 10 * SECOND + 5)
    assert queue.due_ns() == 11 * SECOND
    queue.put(item(3, 250), 10 * SECOND + 6)
    assert queue.due_ns() == 10 * SECOND
    assert numbers(queue.take()) == [1, 2, 3]
    queue.put(item(4, 600), 12 * SECOND)
    queue.put(item(5, 600), 12 * SECOND)
    assert queue.due_ns() == 12 * SECOND
    assert numbers(queue.take()) == [4]


def test_the_oldest_waiting_spans_make_room():
    """Full by count: the newest stay. Spans in flight count for the limit and are not touched."""
    queue = SpanQueue(QueueLimits(spans=5, batch_spans=2))
    for number in range(1, 6):
        queue.put(item(number), 0)
    assert numbers(queue.take()) == [1, 2]
    queue.put(item(6), 0)
    queue.put(item(7), 0)
    assert numbers(queue.take()) == [5, 6]
    assert queue.dropped[DropReason.QUEUE_FULL] == 2
    assert queue.pending == 5


def test_bytes_are_a_limit_of_their_own():
    """A few large spans fill the queue as well as many small ones; one over the limit of a request is refused."""
    queue = SpanQueue(QueueLimits(bytes=1000, batch_bytes=900))
    for number in range(4):
        queue.put(item(number, 400), 0)
    queue.put(item(5, 901), 0)
    assert queue.queued_bytes == 800
    assert queue.dropped[DropReason.QUEUE_FULL] == 2
    assert queue.dropped[DropReason.TOO_LARGE] == 1


def test_a_receiver_can_not_reject_more_than_it_got():
    """A nonsensical partial success does not unbalance the books."""
    for rejected, kept in ((10**9, 0), (-5, 3)):
        queue = SpanQueue(QueueLimits())
        for number in range(3):
            queue.put(item(number), 0)
        queue.acknowledge(queue.take(), rejected=rejected)
        assert (queue.acknowledged, queue.dropped[DropReason.REJECTED]) == (kept, 3 - kept)


class Books(RuleBasedStateMachine):
    """emitted = acknowledged + dropped + queued + in flight, whatever happens in whatever order."""

    def __init__(self):
        super().__init__()
        self.queue = SpanQueue(QueueLimits(spans=20, bytes=8000, batch_spans=7, batch_bytes=2500))
        self.batches = []
        self.order = 0

    @rule(sizes=st.lists(st.integers(OVERHEAD, 2600), min_size=1, max_size=9))
    def put(self, sizes):
        """Spans come."""
        for size in sizes:
            self.order += 1
            self.queue.put(item(self.order, size), self.order)

    @rule()
    def take(self):
        """A batch, in the order in which its spans came."""
        batch = self.queue.take()
        assert numbers(batch) == sorted(numbers(batch))
        assert sum(one.size for one in batch) <= 2500
        if batch:
            self.batches.append(batch)

    @precondition(lambda self: self.batches)
    @rule(rejected=st.integers(-1, 9))
    def acknowledge(self, rejected):
        """The oldest batch arrived."""
        self.queue.acknowledge(self.batches.pop(0), rejected=rejected)

    @precondition(lambda self: self.batches)
    @rule(reason=st.sampled_from(DropReason))
    def reject(self, reason):
        """The newest batch is lost."""
        self.queue.reject(self.batches.pop(), reason)

    @rule(reason=st.sampled_from(DropReason))
    def refuse(self, reason):
        """A span could not be encoded."""
        self.queue.refuse(reason)

    @rule()
    def abandon(self):
        """Everything is given up."""
        self.queue.abandon([one for batch in self.batches for one in batch], DropReason.SHUTDOWN)
        self.batches.clear()
        assert self.queue.pending == 0

    @invariant()
    def balanced(self):
        """No span is counted twice or not at all."""
        queue = self.queue
        assert queue.emitted == queue.acknowledged + sum(queue.dropped.values()) + queue.queued + queue.in_flight
        assert queue.in_flight == sum(map(len, self.batches))
        assert queue.in_flight_bytes == sum(one.size for batch in self.batches for one in batch)
        assert queue.queued_bytes == sum(one.size for one in queue._waiting)
        assert len(queue._came) == len(queue._waiting)

    @invariant()
    def bounded(self):
        """Neither limit is ever passed."""
        assert self.queue.pending <= 20
        assert self.queue.queued_bytes + self.queue.in_flight_bytes <= 8000


Books.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_the_books_always_balance = Books.TestCase
