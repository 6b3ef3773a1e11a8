"""The linker's thread: order, time, back-pressure, accounts. A small linker of the tests says what it was given."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kspanpy.app.loop import BATCH, Loop
from kspanpy.core.linker import LinkerStats
from kspanpy.core.model import SECOND, Event, ObjectReference, Span
from kspanpy.core.steps import Discarded, DiscardReason, EventSeen, Input, LookupOwner, Output, SpanEnded, Tick

REFERENCE = ObjectReference(kind="Rollout", name="web")


def event(uid: str, *, at_ns: int | None = None) -> EventSeen:
    """An Event."""
    return EventSeen(Event(uid=uid, name=uid, namespace="shop", involved=ObjectReference(), event_time_ns=at_ns))


def span(uid: str, *, parent: bytes = b"1" * 8, error: str = "") -> Span:
    """An event span, or with parent b"" a root."""
    attributes = {"k8s.event.uid": uid} if parent else {}
    return Span(b"t" * 16, b"2" * 8, parent, "x", "y", 1, 2, dict(attributes), error)


class FakeLinker:
    """Gives a span for each Event, unless its uid asks for something else."""

    def __init__(self) -> None:
        self.facts: list[tuple[Input, int]] = []
        self.deadline: int | None = None
        self.held = 0
        self.gate = threading.Event()
        self.gate.set()

    def step(self, fact: Input, now_ns: int, /) -> list[Output]:
        """What the uid asks for."""
        self.gate.wait(5)
        self.facts.append((fact, now_ns))
        if isinstance(fact, Tick):
            self.deadline = None
        if not isinstance(fact, EventSeen):
            return []
        match fact.event.uid.partition(":")[0]:
            case "defect":
                raise RuntimeError("a defect")
            case "held":
                self.held += 1
                return []
            case "forgotten":
                return []
            case "twice":
                return [Discarded(DiscardReason.DUPLICATE)]
            case "owned":
                return [LookupOwner(REFERENCE), SpanEnded(span("owned"))]
        return [SpanEnded(span(fact.event.uid))]

    def finish(self, now_ns: int, /) -> list[Output]:
        """What was held, and the root."""
        held = [fact for fact, _ in self.facts if isinstance(fact, EventSeen) and fact.event.uid.startswith("held")]
        self.held = 0
        return [*(SpanEnded(span("held")) for _ in held), SpanEnded(span("", parent=b"", error="failed"))]

    def said(self) -> list[Output]:
        """What it had said before a defect."""
        return [SpanEnded(span("rescued", parent=b""))]

    def next_deadline(self) -> int | None:
        """As a test sets it."""
        return self.deadline

    def stats(self) -> LinkerStats:
        """What is held."""
        return LinkerStats(0, 0, self.held, 0, 0, 0, 0)


class Running:
    """A loop with what came out of it."""

    def __init__(self, *, capacity: int = 100, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self.linker = FakeLinker()
        self.spans: list[Span] = []
        self.offers: list[int] = []
        self.lookups: list[ObjectReference] = []
        self.loop = Loop(self.linker, offer=self.offer, lookup=self.lookups.append, capacity=capacity, wall_ns=wall_ns)

    def offer(self, spans: list[Span]) -> None:  # type: ignore[misc]
        """A sink."""
        self.offers.append(len(spans))
        self.spans += spans

    def deliver(self, *uids: str) -> None:
        """Events, received now."""
        for uid in uids:
            self.loop.deliver(time.time_ns(), event(uid))


@contextmanager
def running(**kwargs: object) -> Iterator[Running]:
    """Started; stopped whatever happens."""
    run = Running(**kwargs)  # type: ignore[arg-type]
    run.loop.start()
    try:
        yield run
    finally:
        run.linker.gate.set()
        run.loop.stop(5)


def until(condition: Callable[[], bool]) -> None:
    """Waits for what another thread does."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


class TestOrder:
    """What goes in, in which order, at which time."""

    def test_inputs_are_taken_in_the_order_of_delivery(self) -> None:
        """And nothing is lost or doubled, also over several batches."""
        uids = [str(number) for number in range(3 * BATCH)]
        with running(capacity=10_000) as run:
            run.deliver(*uids)
            assert run.loop.stop(5)
        assert [fact.event.uid for fact, _ in run.linker.facts if isinstance(fact, EventSeen)] == uids
        assert len(run.spans) == len(uids) + 1
        assert max(run.offers) <= BATCH + 1

    def test_time_never_runs_backwards(self) -> None:
        """Watches are threads: their times of receipt arrive a little out of order."""
        with running() as run:
            for received in (50, 40, 60):
                run.loop.deliver(time.time_ns() + received * SECOND, event(str(received)))
            run.loop.stop(5)
        times = [now for _, now in run.linker.facts]
        assert times == sorted(times)

    def test_a_deadline_wakes_it_without_an_input(self) -> None:
        """`next_deadline` is kept to a few milliseconds; before it, there is no step."""
        with running() as run:
            run.linker.deadline = time.time_ns() + SECOND // 20
            due = run.linker.deadline
            run.deliver("held")  # so that it looks at the deadline
            until(lambda: any(isinstance(fact, Tick) for fact, _ in run.linker.facts))
            ticks = [now for fact, now in run.linker.facts if isinstance(fact, Tick)]
        assert ticks[0] >= due

    def test_it_sleeps_when_there_is_nothing_to_do(self) -> None:
        """No busy loop: no step, and no time spent."""
        with running() as run:
            before = run.loop.counts.busy_s
            time.sleep(0.1)
            assert run.linker.facts == []
            assert run.loop.counts.busy_s - before < 0.01

    def test_what_trickles_in_is_taken_together(self) -> None:
        """Waking up for each input would cost more than what is done with it."""
        with running(capacity=10_000) as run:
            for number in range(100):
                run.deliver(f"e{number}")
                time.sleep(0.002)
            until(lambda: len(run.spans) == 100)
        assert len(run.offers) <= 10

    def test_a_small_inbox_is_not_full_before_it_is_looked_at(self) -> None:
        """However fast it fills up: 40,000 inputs a second are more than can be read."""
        assert [Running(capacity=size).loop.round_s for size in (100, 1_000, 10_000, 1_000_000)] == [
            0.0025,
            0.025,
            0.25,
            0.25,
        ]

    def test_a_clock_that_is_set_back_does_not_stop_time(self) -> None:
        """What is due in 50 ms is due in 50 ms, though the wall clock says: in an hour."""
        back = [0]
        with running(wall_ns=lambda: time.time_ns() - back[0]) as run:
            run.deliver("first")
            until(lambda: len(run.spans) == 1)
            back[0] = 3600 * SECOND
            run.loop.deliver(time.time_ns() - back[0], event("held:second"))
            until(lambda: len(run.linker.facts) == 2)
            run.linker.deadline = run.linker.facts[-1][1] + SECOND // 20
            run.loop.deliver(time.time_ns() - back[0], event("held:third"))
            until(lambda: any(isinstance(fact, Tick) for fact, _ in run.linker.facts))


class TestBackPressure:
    """One bounded inbox."""

    def test_who_delivers_waits_while_it_is_full(self) -> None:
        """And goes on when there is room; every input arrives."""
        with running(capacity=5) as run:
            run.linker.gate.clear()
            done = threading.Event()

            def produce() -> None:
                run.deliver(*(str(number) for number in range(600)))
                done.set()

            threading.Thread(target=produce, daemon=True).start()
            assert not done.wait(0.05)
            assert run.loop.waiting <= 5
            run.linker.gate.set()
            assert done.wait(5)
            run.loop.stop(5)
        assert run.loop.counts.seen == 600

    def test_after_the_end_nobody_is_held_up(self) -> None:
        """A watch that delivers too late returns."""
        with running(capacity=1) as run:
            run.loop.stop(5)
            run.deliver("too", "late", "for", "this")
        assert run.loop.counts.seen == 0


class TestAccounts:
    """seen = exported + discarded + pending, at every moment."""

    def test_every_event_is_accounted_for(self) -> None:
        """Exported, discarded with a reason, or pending; at the end nothing is pending."""
        with running() as run:
            run.deliver("a", "twice", "held:1", "owned", "twice:2", "b")
            until(lambda: run.loop.counts.seen == 6)
            counts = run.loop.counts
            assert (counts.exported, counts.discarded[DiscardReason.DUPLICATE], counts.pending) == (3, 2, 1)
            assert set(counts.discarded) == set(DiscardReason)
            assert run.lookups == [REFERENCE]
            run.loop.stop(5)
            counts = run.loop.counts
            assert (counts.exported, counts.pending) == (4, 0)
            assert (counts.stories, counts.failed_stories) == (1, 1)

    def test_a_defect_costs_one_input(self, caplog: pytest.LogCaptureFixture) -> None:
        """It is counted and logged, and the next input is taken."""
        with running() as run:
            run.deliver("defect", "a")
            until(lambda: run.loop.counts.exported == 1)
            counts = run.loop.counts
            assert (counts.errors, counts.discarded[DiscardReason.DEFECT], counts.unaccounted) == (1, 1, 0)
        assert "a defect of this program" in caplog.text

    def test_a_defect_costs_no_span_that_was_told_before_it(self) -> None:
        """What the interrupted step had said is sent."""
        with running() as run:
            run.deliver("defect")
            until(lambda: len(run.spans) == 1)
            assert run.spans[0].attributes == {}

    def test_an_event_that_the_linker_forgets_is_not_called_pending(self) -> None:
        """`pending` is what the linker says it holds, not what is left over: a loss without a name shows as unaccounted."""
        with running() as run:
            run.deliver("forgotten", "held", "a")
            until(lambda: run.loop.counts.seen == 3)
            counts = run.loop.counts
            assert (counts.pending, counts.unaccounted, counts.discarded[DiscardReason.DEFECT]) == (1, 1, 0)

    def test_defects_do_not_flood_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        """The first ten with a traceback; all are counted."""
        with running() as run:
            run.deliver(*["defect"] * 50)
            until(lambda: run.loop.counts.seen == 50)
        assert run.loop.counts.errors == 50
        assert len(caplog.records) == 10

    def test_a_sink_that_raises_does_not_end_it(self) -> None:
        """Sinks promise not to; a promise can be broken."""
        with running() as run:
            run.loop._offer = lambda _: 1 / 0  # type: ignore[assignment]
            run.deliver("a", "b")
            until(lambda: run.loop.counts.seen == 2)
            assert run.loop.counts.errors >= 1
            assert run.loop.stop(5)

    def test_the_lag_is_that_of_what_happens_now(self) -> None:
        """What the first list brings happened before the start and says nothing."""
        with running() as run:
            now = time.time_ns()
            run.loop.deliver(now + 2 * SECOND, event("new", at_ns=now + SECOND))
            run.loop.deliver(now + 2 * SECOND, event("old", at_ns=now - 1800 * SECOND))
            until(lambda: run.loop.counts.seen == 2)
        assert sum(run.loop.lag.counts) == 1
        assert run.loop.lag.sum == pytest.approx(1.0, abs=0.2)


class TestEnd:
    """`stop`."""

    def test_what_is_in_the_inbox_is_taken_first(self) -> None:
        """Then the linker is finished, then it is over."""
        with running() as run:
            run.linker.gate.clear()
            run.deliver("a", "b", "c")
            threading.Timer(0.02, run.linker.gate.set).start()
            assert run.loop.stop(5)
        assert len(run.spans) == 4

    def test_it_keeps_its_deadline(self) -> None:
        """A linker that hangs does not hang the end."""
        with running() as run:
            run.linker.gate.clear()
            run.deliver("a")
            began = time.monotonic()
            assert not run.loop.stop(0.05)
            assert time.monotonic() - began < 1

    def test_stopping_twice_or_unstarted_is_fine(self) -> None:
        """The end of a start that failed half way."""
        assert Running().loop.stop(0.0)
        with running() as run:
            assert run.loop.stop(5)
            assert run.loop.stop(5)
