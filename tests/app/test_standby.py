"""A sink that sends while its process leads, and keeps while it does not."""

from __future__ import annotations

import pytest

from kspanpy.app.leading import SeenUntil
from kspanpy.app.sinks import Nowhere
from kspanpy.app.standby import StandbySink
from kspanpy.core.model import Link, Span
from kspanpy.export import ExportStats
from kspanpy.export.sink import DropReason
from kspanpy.ops.health import Vital


def span(number: int) -> Span:
    """One with everything; every hundredth with what can not even be written as UTF-8."""
    return Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_id=b"",
        name=f"span {number}",
        service="kspanpy",
        start_ns=number,
        end_ns=2**62 + number,
        attributes={"text": "ü" if number % 100 else "\ud83d", "int": 2**63 - 1, "float": 1.0, "bool": True},
        error="late",
        links=(Link(b"t" * 16, b"s" * 8, "cause"),),
    )


class Slow(Nowhere):
    """Keeps what it gets; acknowledges when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Span] = []
        self.acknowledged = 0

    def offer(self, spans: object) -> None:
        """Keep."""
        self.got += spans  # type: ignore[arg-type]

    def stats(self) -> ExportStats:
        """What was not acknowledged is queued."""
        return ExportStats(
            emitted=len(self.got), acknowledged=self.acknowledged, queued=len(self.got) - self.acknowledged
        )


class Replica:
    """A standby sink, its clock, and the state of the election."""

    def __init__(self, *, spans: int = 1000, size: int = 10**6) -> None:
        self.now = 1000.0
        self.is_leader = False
        self.settled: float | None = None
        self.inner = Slow()
        self.sink = StandbySink(
            self.inner,
            leads=lambda: self.is_leader,
            settled_until=lambda: self.settled,
            margin_s=30.0,
            spans=spans,
            size=size,
            monotonic=lambda: self.now,
        )

    def pulse(self) -> None:
        """Until there is nothing more to do."""
        while self.sink.pulse():
            pass


@pytest.fixture
def replica() -> Replica:
    """One that stands by."""
    return Replica()


def test_a_leader_sends_at_once(replica: Replica) -> None:
    """Nothing is kept."""
    replica.is_leader = True
    replica.sink.offer([span(1), span(2)])
    assert replica.inner.got == [span(1), span(2)]
    assert replica.sink.kept().spans == 0


def test_a_standby_keeps_and_sends_at_the_takeover_what_it_kept_as_it_was(replica: Replica) -> None:
    """In order, before what comes next, and equal to the last bit."""
    replica.sink.offer([span(number) for number in range(1, 1000)])
    assert replica.inner.got == []
    assert replica.sink.stats() == ExportStats()
    replica.is_leader = True
    replica.sink.offer([span(1000)])
    replica.pulse()
    assert replica.inner.got == [span(number) for number in range(1, 1001)]
    assert all(got.attributes["float"].__class__ is float for got in replica.inner.got)
    assert replica.sink.kept() == (0, 0, 0)


def test_what_the_leader_has_had_acknowledged_is_let_go_a_margin_later(replica: Replica) -> None:
    """Not counted as emitted, nor as a loss."""
    replica.sink.offer([span(1)])
    replica.now = 1010.0
    replica.sink.offer([span(2)])
    replica.settled = 1030.0
    replica.pulse()
    assert replica.sink.kept().spans == 2
    replica.settled = 1035.0
    replica.pulse()
    assert (replica.sink.kept().spans, replica.sink.kept().yielded) == (1, 1)
    assert replica.sink.stats() == ExportStats()
    replica.is_leader, replica.settled = True, 2000.0
    replica.pulse()
    assert replica.inner.got == [span(2)]


def test_without_room_the_oldest_go_and_are_counted() -> None:
    """In spans and in bytes; the sum holds."""
    for replica, most in ((Replica(spans=10), 10**6), (Replica(size=6000), 6000)):
        replica.sink.offer([span(number) for number in range(1, 101)])
        stats, kept = replica.sink.stats(), replica.sink.kept()
        assert 0 < kept.spans <= 20
        assert kept.bytes <= most
        assert stats.emitted == stats.dropped[DropReason.QUEUE_FULL] == 100 - kept.spans
        replica.is_leader = True
        replica.pulse()
        assert replica.inner.got == [span(number) for number in range(101 - kept.spans, 101)]
        stats = replica.sink.stats()
        assert stats.emitted == stats.acknowledged + stats.dropped_total + stats.pending == 100


def test_leadership_that_is_lost_is_no_end(replica: Replica) -> None:
    """It keeps again, and can lead again."""
    replica.is_leader = True
    replica.sink.offer([span(1)])
    replica.is_leader = False
    replica.sink.offer([span(2)])
    assert replica.inner.got == [span(1)]
    replica.is_leader = True
    replica.pulse()
    assert replica.inner.got == [span(1), span(2)]


def test_the_lag_is_the_age_of_the_oldest_open_span(replica: Replica) -> None:
    """Also of those that were finished before the takeover; 0 when all is acknowledged."""
    assert replica.sink.lag_ns() == 0
    replica.sink.offer([span(1)])
    replica.now = 1020.0
    assert replica.sink.lag_ns() == 20_000_000_000
    replica.is_leader = True
    replica.pulse()
    replica.sink.offer([span(2)])
    replica.now = 1025.0
    assert replica.sink.lag_ns() == 25_000_000_000
    replica.inner.acknowledged = 1
    assert replica.sink.lag_ns() == 5_000_000_000
    replica.inner.acknowledged = 2
    assert replica.sink.lag_ns() == 0


def test_a_standby_that_ends_sends_nothing_and_a_leader_everything(replica: Replica) -> None:
    """`drain` of a standby has nothing to do."""
    replica.sink.offer([span(1)])
    assert replica.sink.drain(1.0)
    assert replica.inner.got == []
    replica.is_leader = True
    assert replica.sink.drain(1.0)
    assert replica.inner.got == [span(1)]


class TestSeenUntil:
    """How far a leader's own view reaches."""

    def test_it_is_the_last_look_at_an_empty_inbox_that_the_loop_has_come_round_after(self) -> None:
        """What was taken before is told then."""
        seen = SeenUntil(0.0)
        assert seen.look(2.0, waiting=0, vital=Vital(heartbeat_s=1.0, activity_s=2.0)) == 0.0
        assert seen.look(4.0, waiting=0, vital=Vital(heartbeat_s=3.0, activity_s=4.0)) == 2.0
        assert seen.look(6.0, waiting=9, vital=Vital(heartbeat_s=5.0, activity_s=6.0)) == 4.0
        assert seen.look(60.0, waiting=9, vital=Vital(heartbeat_s=59.0, activity_s=60.0)) == 4.0

    def test_a_loop_that_hangs_has_told_nothing_since(self) -> None:
        """Although its inbox is empty."""
        seen = SeenUntil(0.0)
        seen.look(2.0, waiting=0, vital=Vital(heartbeat_s=1.0, activity_s=2.0))
        assert seen.look(60.0, waiting=0, vital=Vital(heartbeat_s=1.5, activity_s=60.0)) == 0.0

    def test_a_deaf_leader_has_seen_nothing(self) -> None:
        """What the quietest watch has not heard of may be there; one that never heard knows nothing."""
        seen = SeenUntil(0.0)
        for second in range(2, 60, 2):
            vital = Vital(heartbeat_s=second - 1.0, activity_s=20.0)
            last = seen.look(float(second), waiting=0, vital=vital)
        assert last == 20.0
        assert seen.look(60.0, waiting=0, vital=Vital(heartbeat_s=59.0)) == 0.0
