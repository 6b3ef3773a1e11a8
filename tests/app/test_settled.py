"""What the counters of a queue say about its oldest span, against what is true."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kspanpy.app.settled import BATCH, UNKNOWN_S, Settled
from kspanpy.export import ExportStats
from kspanpy.export.sink import DropReason


class Sink:
    """A queue as the export has it: batches from the front, drops behind what is in flight, refusals at the door."""

    def __init__(self) -> None:
        self.emitted = self.acknowledged = 0
        self.dropped = dict.fromkeys(DropReason, 0)
        self.waiting: list[float] = []
        self.flying: list[float] = []

    def stats(self) -> ExportStats:
        """As a sink gives them."""
        return ExportStats(
            emitted=self.emitted,
            acknowledged=self.acknowledged,
            dropped=dict(self.dropped),
            queued=len(self.waiting),
            in_flight=len(self.flying),
        )

    def oldest(self, now: float) -> float:
        """The truth."""
        return min([now, *self.waiting, *self.flying])

    def act(self, action: str, number: int, now: float) -> None:
        """One thing that happens to it."""
        if action == "offer":
            self.emitted += number
            self.waiting += [now] * number
        elif action == "refuse":
            self.emitted += number
            self.dropped[DropReason.INVALID_ID] += number
        elif action == "take" and not self.flying:
            self.flying, self.waiting = self.waiting[:BATCH], self.waiting[BATCH:]
        elif action == "acknowledge":
            self.acknowledged += len(self.flying[:number])
            del self.flying[:number]
        elif action == "reject":  # the second half first
            rejected = len(self.flying[number:])
            self.dropped[DropReason.REJECTED] += rejected
            del self.flying[number:]
        elif action == "overflow":
            self.dropped[DropReason.QUEUE_FULL] += len(self.waiting[:number])
            del self.waiting[:number]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["offer", "offer", "refuse", "take", "acknowledge", "acknowledge", "reject", "overflow", "look"]
        ),
        st.integers(0, 700),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_it_is_never_told_younger_than_it_is(actions: list[tuple[str, int]]) -> None:
    """Whatever is dropped, refused and rejected in between, and however seldom it is looked at."""
    sink, now = Sink(), 100.0
    settled = Settled(sink.stats(), now)
    for action, number in actions:
        now += 1.0
        sink.act(action, number, now)
        if action in {"offer", "refuse"}:
            settled.offered(sink.stats(), now)
        if action == "look":
            assert settled.oldest(sink.stats(), now) <= sink.oldest(now)
    now += 1.0
    assert settled.oldest(sink.stats(), now) <= sink.oldest(now)
    sink.act("take", 0, now)
    sink.act("acknowledge", 10**6, now)
    sink.waiting.clear()
    assert settled.oldest(sink.stats(), now) == now


def test_without_losses_it_is_exact_while_nothing_is_in_flight() -> None:
    """And a batch at a time while something is."""
    sink, settled = Sink(), Settled(ExportStats(), 0.0)
    for second in range(1, 11):
        sink.act("offer", 100, float(second))
        settled.offered(sink.stats(), float(second))
    assert settled.oldest(sink.stats(), 20.0) == 1.0
    sink.act("take", 0, 20.0)
    sink.act("acknowledge", BATCH, 20.0)
    assert settled.oldest(sink.stats(), 20.0) == 6.0


def test_what_a_former_process_has_left_is_as_old_as_it_can_be() -> None:
    """Until all of it has gone."""
    left = ExportStats(emitted=10, recovered=10, queued=10)
    settled = Settled(left, 5000.0)
    assert settled.oldest(left, 5001.0) == 5000.0 - UNKNOWN_S
    assert settled.oldest(ExportStats(emitted=10, recovered=10, acknowledged=10), 5002.0) == 5002.0


def test_years_of_an_outage_take_a_bounded_memory() -> None:
    """Marks grow together, towards the earlier time."""
    sink, settled = Sink(), Settled(ExportStats(), 0.0)
    for second in range(1, 5000):
        sink.act("offer", 1, float(second))
        settled.offered(sink.stats(), float(second))
    assert len(settled._marks) < 2100
    assert settled.oldest(sink.stats(), 1e9) == 1.0
