"""The one thread that runs the linker: takes what the watches deliver, steps, hands on what comes out.

Everything goes through one bounded inbox. When it is full the watches wait, and TCP makes the API server wait; when that does not
help, who floods loses Events (`intake`).
Invariants: only this thread touches the linker; its time never runs backwards, even when the wall clock does; it sleeps until the
next input or the linker's next deadline, whichever is first; no input, however bad, ends it.

With a checkpoint each round is written down before its spans may be sent, and the end of the process is no end of the stories: the
next one goes on with them. Where it begins, time stands still for the linker until the watches have caught up.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, Full
from threading import Event as Flag
from threading import Thread
from typing import Final, Protocol, cast

from kspanpy.app.accounts import Accounts, Counts
from kspanpy.app.checkpoint import Checkpoint, Held, answered
from kspanpy.app.intake import Arrival, Inbox
from kspanpy.app.passing import PassingTime
from kspanpy.core.linker import Linker as RealLinker
from kspanpy.core.linker import LinkerStats
from kspanpy.core.model import ObjectReference, Span
from kspanpy.core.steps import (
    Discarded,
    EventSeen,
    GapBegan,
    GapEnded,
    Input,
    LookupOwner,
    Output,
    SpanEnded,
    Tick,
)
from kspanpy.state import Target

BATCH: Final = 256  # inputs between two offers to the sink
HEARTBEAT_S: Final = 5.0  # the longest sleep
ROUND_S: Final = 0.25
"""From a round to the next when there is little to do. What trickles in is taken together: a round for each
input would cost more than the linker does, and nobody sees a quarter of a second in what is held for seconds anyway."""
_FASTEST: Final = 40_000  # inputs a second that may come meanwhile: no inbox is full before the next round
_PUT_S: Final = 0.5
_ENDINGS: Final = 10  # how often the end is tried when a defect interrupts it
_GAP_S: Final = 30.0  # the longest wait for the watches to catch up
_GAP_SLEEP_S: Final = 0.1
_CALM_S: Final = 5.0  # a flood pauses now and then
_ASKED: Final = 2_000  # lookups that are remembered as open


class Linker(Protocol):
    """What is needed of `kspanpy.core.linker.Linker`."""

    def step(self, fact: Input, now_ns: int, /) -> list[Output]:
        """Take one input."""

    def finish(self, now_ns: int, /) -> list[Output]:
        """Close what is open."""

    def said(self) -> list[Output]:
        """What the step that was interrupted by an exception had said before."""

    def next_deadline(self) -> int | None:
        """When to step again even if nothing is received."""

    def stats(self) -> LinkerStats:
        """How much is held."""


class Loop:
    """Start it once, stop it once. `deliver` may be called by any thread and blocks while the inbox is full."""

    def __init__(
        self,
        linker: Linker,
        *,
        offer: Callable[[Sequence[Span]], None],
        lookup: Callable[[ObjectReference], None],
        capacity: int,
        checkpoint: Checkpoint | None = None,
        restored: Held | None = None,
        caught_up: Callable[[], bool] = lambda: True,
        hands_over: bool = False,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`restored`: what the linker was restored with; then it waits until the watches have `caught_up`.

        `hands_over`: another process goes on with the open stories, so at the end they are not told as they stand.
        """
        self.capacity = capacity
        self.round_s = min(ROUND_S, capacity / _FASTEST)
        self._hands_over = hands_over
        self.heartbeat_s = monotonic()
        self._linker = linker
        self._offer, self._lookup = offer, lookup
        self._monotonic = monotonic
        self._time = PassingTime(wall_ns, monotonic)
        self._inbox = Inbox(capacity, monotonic=monotonic)
        self._stopping, self._over = Flag(), Flag()
        self._checkpoint, self._caught_up = checkpoint, caught_up
        self._gap_until_s: float | None = None
        self._calm_at_s = 0.0
        self._taken: list[tuple[int, Input]] = []  # in this round
        self._cursors: dict[Target, str] = {}  # of this round
        self._asked: dict[ObjectReference, None] = {}
        self._emitted = 0
        self._restored = restored
        self._accounts = Accounts(
            began_ns=self._time.now_ns, seen=0 if restored is None else linker.stats().held_events
        )
        self.lag = self._accounts.lag
        if restored is not None:
            self._emitted, self._asked, self._time.now_ns = restored.emitted, restored.asked, restored.now_ns
        self.counts = self._count()
        self._thread = Thread(target=self._run, name="linker", daemon=True)

    @property
    def waiting(self) -> int:
        """Inputs in the inbox."""
        return self._inbox.qsize()

    @property
    def relief(self) -> Inbox:
        """What a watch may ask whether an Event would be dropped."""
        return self._inbox

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def deliver(
        self,
        received_ns: int,
        fact: Input | None,
        *,
        target: Target = ("", ""),
        cursor: str = "",
        backlog: bool = False,
    ) -> None:
        """Hand over an input, which may have piled up before it could be read; waits while the inbox is full.

        When the loop is over it is dropped: the next start sees it again. In a flood an Event may be dropped, and is counted.
        """
        arrival = Arrival(received_ns, fact, target, cursor)
        while not self._over.is_set():
            try:
                self._inbox.offer(arrival, timeout=_PUT_S, backlog=backlog)
            except Full:
                continue
            return

    def stop(self, deadline_s: float) -> bool:
        """Take what is in the inbox, finish the linker, end. True if that was done before the deadline."""
        self._stopping.set()
        if self._thread.ident is None:
            return True
        with suppress(Full):  # a full inbox needs no waking
            self._inbox.put_nowait(Arrival(0, None))
        self._thread.join(deadline_s)
        ended = not self._thread.is_alive()
        self._over.set()
        return ended

    def _run(self) -> None:
        self._begin()
        while not (self._stopping.is_set() and self._inbox.empty()):
            self._round()
        self._end()
        self._over.set()

    def _begin(self) -> None:
        """After a restart: what happened meanwhile is still to come, and so are the answers to what was asked."""
        restored, self._restored = self._restored, None
        if restored is None:
            return
        self._gap_until_s = self._monotonic() + _GAP_S
        self._carry_out(self._step(GapBegan()), [])
        self._hand_on(restored.in_doubt)
        for reference in list(self._asked):
            self._lookup(reference)

    def _round(self) -> None:
        batch = self._take()
        began = self._monotonic()
        self._time.look()
        spans: list[Span] = []
        for arrival in batch:
            if arrival.cursor:
                self._cursors[arrival.target] = arrival.cursor
            if arrival.fact is None:
                continue
            self._time.received(arrival.received_ns)
            if isinstance(arrival.fact, EventSeen):
                self._accounts.event(arrival.fact, arrival.received_ns)
            self._carry_out(self._step(arrival.fact), spans)
        if self._inbox.empty():  # else what waits in it is older than the wall clock
            self._let_time_pass(spans)
        self._hand_on(spans)
        self._inbox.report()
        self.heartbeat_s = self._monotonic()
        self._accounts.busy_s += self.heartbeat_s - began
        self._write_down(self.heartbeat_s - began)
        self.counts = self._count()

    def _let_time_pass(self, spans: list[Span]) -> None:
        if self._gap_until_s is not None:
            if not self._caught_up() and self._monotonic() < self._gap_until_s:
                return
            self._gap_until_s = None
            self._time.passes()
            self._carry_out(self._step(GapEnded()), spans)
            return
        self._time.passes()
        due = self._linker.next_deadline()
        if due is not None and due <= self._time.now_ns:
            self._carry_out(self._step(Tick()), spans)

    def _write_down(self, worked_s: float) -> None:
        if self._checkpoint is None:
            return
        self._checkpoint.commit(worked_s)
        # In a flood it would hold up everybody, and need memory when there is least of it.
        if self._inbox.needed and not self._inbox.empty():
            self._calm_at_s = self._monotonic() + _CALM_S
        calm = self._inbox.empty() or self._monotonic() >= self._calm_at_s
        if self._checkpoint.overdue or (self._checkpoint.due and calm):
            self._snapshot()

    def _snapshot(self) -> None:
        if self._checkpoint is not None:
            held = Held(
                cast("RealLinker", self._linker),
                now_ns=self._time.now_ns,
                emitted=self._emitted,
                asked=self._asked,
            )
            self._checkpoint.snapshot(held)

    def _take(self) -> list[Arrival]:
        """What is there, after the first wait; empty when there is nothing but time has passed."""
        batch: list[Arrival] = []
        try:
            batch.append(self._inbox.get(timeout=self._sleep_s()))
            if self._inbox.qsize() < BATCH:
                self._stopping.wait(self._pause_s())
            while len(batch) < BATCH:
                batch.append(self._inbox.get_nowait())
        except Empty:
            pass
        return batch

    def _sleep_s(self) -> float:
        if self._gap_until_s is not None:
            return _GAP_SLEEP_S
        due = self._linker.next_deadline()
        if due is None:
            return HEARTBEAT_S
        return min(max(self._time.until_s(due), self._pause_s(), 0.001), HEARTBEAT_S)

    def _pause_s(self) -> float:
        return max(self.heartbeat_s + self.round_s - self._monotonic(), 0.0)

    def _step(self, fact: Input) -> list[Output]:
        if self._checkpoint is not None:
            self._taken.append((self._time.now_ns, fact))
        if self._asked:
            answered(self._asked, fact)
        try:
            return self._linker.step(fact, self._time.now_ns)
        except Exception:  # noqa: BLE001 - counted and logged there; nothing may end the loop
            self._accounts.defect()
            return self._linker.said()

    def _carry_out(self, outputs: list[Output], spans: list[Span]) -> None:
        pending = deque(outputs)
        for output in pending:
            match output:
                case SpanEnded(span=span):
                    self._emitted += 1
                    self._accounts.span(span)
                    spans.append(span)
                case Discarded(reason=reason):
                    self._accounts.discarded(reason)
                case LookupOwner(reference=reference):
                    if self._checkpoint is not None and len(self._asked) < _ASKED:
                        self._asked[reference] = None
                    self._lookup(reference)

    def _end(self) -> None:
        """Stories that are open are left to the next process if it can know of them; else they are told as they stand."""
        if self._checkpoint is not None:
            self._snapshot()
            return
        if self._hands_over:
            self.counts = self._count()
            return
        for _ in range(_ENDINGS):  # each defect costs one item; what comes after it shall be told all the same
            spans: list[Span] = []
            defects = self._accounts.errors
            self._carry_out(self._finished(), spans)
            self._hand_on(spans)
            if self._accounts.errors == defects:
                break
        self.counts = self._count()

    def _finished(self) -> list[Output]:
        try:
            return self._linker.finish(self._time.now_ns)
        except Exception:  # noqa: BLE001 - counted and logged there; nothing may end the loop
            self._accounts.defect()
            return self._linker.said()

    def _hand_on(self, spans: list[Span]) -> None:
        if self._checkpoint is not None:  # written with the spans, before they can be sent
            self._checkpoint.record(self._taken, self._cursors, emitted=self._emitted)
            self._taken, self._cursors = [], {}
        if not spans:
            return
        try:
            self._offer(spans)
        except Exception:  # noqa: BLE001 - counted and logged there; nothing may end the loop
            self._accounts.defect()

    def _count(self) -> Counts:
        # What was dropped is read once: it may grow at any moment.
        return self._accounts.count(self._linker.stats(), dropped=self._inbox.dropped)
