"""The one thread that runs the linker: takes what the watches deliver, steps, hands on what comes out.

Everything goes through one bounded inbox. When it is full the watches wait, and TCP makes the API server wait; when that does not
help, who floods loses Events (`intake`).
Invariants: only this thread touches the linker; its time never runs backwards, even when the wall clock does; it sleeps until the
next input or the linker's next deadline, whichever is first; no input, however bad, ends it.

With a checkpoint each round is written down before its spans may be sent, and the end of the process is no end of the stories: the
next one goes on with them. Where it begins, time stands still for the linker until the watches have caught up.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, Full
from threading import Event as Flag
from threading import Thread
from typing import Final, NamedTuple, Protocol, cast

from kspanpy.app.checkpoint import Checkpoint, Held, answered
from kspanpy.app.intake import Arrival, Inbox, Target
from kspanpy.core.linker import Linker as RealLinker
from kspanpy.core.linker import LinkerStats
from kspanpy.core.model import SECOND, ObjectReference, Span
from kspanpy.core.steps import (
    Discarded,
    DiscardReason,
    EventSeen,
    GapBegan,
    GapEnded,
    Input,
    LookupOwner,
    Output,
    SpanEnded,
    Tick,
)
from kspanpy.core.telling.attributes import is_event, is_root
from kspanpy.core.timing import occurrence
from kspanpy.ops.metrics import Histogram

_log = logging.getLogger(__name__)

BATCH: Final = 256  # inputs between two offers to the sink
HEARTBEAT_S: Final = 5.0  # the longest sleep
_PUT_S: Final = 0.5
_SHOWN: Final = 10  # defects that are logged with a traceback; all are counted
_JUMP_NS: Final = SECOND
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


class Counts(NamedTuple):
    """One consistent reading of the loop, replaced as a whole after every batch.

    seen = exported + discarded + pending, where pending is what the linker itself says it holds: `unaccounted` is what is missing.
    """

    seen: int
    exported: int
    discarded: dict[DiscardReason, int]
    stories: int
    failed_stories: int
    errors: int
    busy_s: float
    held: LinkerStats

    @property
    def pending(self) -> int:
        """Events that still wait for their place, or whose span has not ended."""
        return self.held.held_events

    @property
    def unaccounted(self) -> int:
        """Events that nobody knows of any more (or, below 0, that were told twice): always 0, or it is a bug."""
        return self.seen - self.exported - sum(self.discarded.values()) - self.pending


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
        self._hands_over = hands_over
        self.lag = Histogram()
        self.heartbeat_s = monotonic()
        self._linker = linker
        self._offer, self._lookup = offer, lookup
        self._wall_ns, self._monotonic = wall_ns, monotonic
        self._inbox = Inbox(capacity, monotonic=monotonic)
        self._stopping, self._over = Flag(), Flag()
        self._started_ns = self._now_ns = wall_ns()
        self._checkpoint, self._caught_up = checkpoint, caught_up
        self._gap_until_s: float | None = None
        self._calm_at_s = 0.0
        self._taken: list[tuple[int, Input]] = []  # in this round
        self._cursors: dict[Target, str] = {}  # of this round
        self._asked: dict[ObjectReference, None] = {}
        self._emitted = 0
        self._clock = (self._started_ns, monotonic())
        self._ahead_ns = 0
        self._seen = self._exported = self._stories = self._failed = self._errors = 0
        self._errors_counted = 0
        self._discarded: Counter[DiscardReason] = Counter()
        self._busy_s = 0.0
        self._restored = restored
        if restored is not None:
            self._seen = linker.stats().held_events  # what is told of them will be counted as exported
            self._emitted, self._asked, self._now_ns = restored.emitted, restored.asked, restored.now_ns
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
        if self._restored is None:
            return
        self._restored = None
        self._gap_until_s = self._monotonic() + _GAP_S
        self._carry_out(self._step(GapBegan()), [])
        for reference in list(self._asked):
            self._lookup(reference)

    def _round(self) -> None:
        batch = self._take()
        began = self._monotonic()
        self._look_at_clock(began)
        spans: list[Span] = []
        for arrival in batch:
            if arrival.cursor:
                self._cursors[arrival.target] = arrival.cursor
            if arrival.fact is None:
                continue
            self._now_ns = max(self._now_ns, arrival.received_ns + self._ahead_ns)
            if isinstance(arrival.fact, EventSeen):
                self._note_event(arrival.fact, arrival.received_ns)
            self._carry_out(self._step(arrival.fact), spans)
        if self._inbox.empty():  # else what waits in it is older than the wall clock
            self._let_time_pass(spans)
        self._hand_on(spans)
        self._inbox.report()
        self.heartbeat_s = self._monotonic()
        self._busy_s += self.heartbeat_s - began
        self._write_down(self.heartbeat_s - began)
        self.counts = self._count()

    def _let_time_pass(self, spans: list[Span]) -> None:
        wall_ns = self._wall_ns() + self._ahead_ns
        if self._gap_until_s is not None:
            if not self._caught_up() and self._monotonic() < self._gap_until_s:
                return
            self._gap_until_s = None
            self._now_ns = max(self._now_ns, wall_ns)
            self._carry_out(self._step(GapEnded()), spans)
            return
        self._now_ns = max(self._now_ns, wall_ns)
        due = self._linker.next_deadline()
        if due is not None and due <= self._now_ns:
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
                now_ns=self._now_ns,
                emitted=self._emitted,
                asked=self._asked,
            )
            self._checkpoint.snapshot(held, {})

    def _take(self) -> list[Arrival]:
        """What is there, after the first wait; empty when there is nothing but time has passed."""
        batch: list[Arrival] = []
        try:
            batch.append(self._inbox.get(timeout=self._sleep_s()))
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
        return min(max((due - self._wall_ns() - self._ahead_ns) / SECOND, 0.001), HEARTBEAT_S)

    def _look_at_clock(self, monotonic: float) -> None:
        """When the wall clock is set back, our time goes on: what should happen in 10 s happens in 10 s."""
        wall = self._wall_ns()
        before_wall, before_monotonic = self._clock
        jump = before_wall + int((monotonic - before_monotonic) * SECOND) - wall
        if abs(jump) > _JUMP_NS:
            self._ahead_ns = max(self._ahead_ns + jump, 0)
            _log.warning("the clock jumped by %.1f s", -jump / SECOND)
        self._clock = (wall, monotonic)

    def _note_event(self, fact: EventSeen, received_ns: int) -> None:
        self._seen += 1
        at_ns = occurrence(fact.event, received_ns).at_ns
        if at_ns >= self._started_ns:  # what the first list brings happened long before
            self.lag.observe((received_ns - at_ns) / SECOND)

    def _step(self, fact: Input) -> list[Output]:
        if self._checkpoint is not None:
            self._taken.append((self._now_ns, fact))
        if self._asked:
            answered(self._asked, fact)
        try:
            return self._linker.step(fact, self._now_ns)
        except Exception:  # noqa: BLE001 - counted and logged there; nothing may end the loop
            self._defect()
            return self._linker.said()

    def _carry_out(self, outputs: list[Output], spans: list[Span]) -> None:
        pending = deque(outputs)
        for output in pending:
            match output:
                case SpanEnded(span=span):
                    self._note_span(span)
                    spans.append(span)
                case Discarded(reason=reason):
                    self._discarded[reason] += 1
                case LookupOwner(reference=reference):
                    if self._checkpoint is not None and len(self._asked) < _ASKED:
                        self._asked[reference] = None
                    self._lookup(reference)

    def _note_span(self, span: Span) -> None:
        self._emitted += 1
        if is_event(span):
            self._exported += 1
        elif is_root(span):
            self._stories += 1
            self._failed += bool(span.error)

    def _end(self) -> None:
        """Stories that are open are left to the next process if it can know of them; else they are told as they stand."""
        if self._checkpoint is not None:
            self._snapshot()
            return
        if self._hands_over:
            self.counts = self._count()
            return
        for _ in range(_SHOWN):  # each defect costs one item; what comes after it shall be told all the same
            spans: list[Span] = []
            defects = self._errors
            self._carry_out(self._finished(), spans)
            self._hand_on(spans)
            if self._errors == defects:
                break
        self.counts = self._count()

    def _finished(self) -> list[Output]:
        try:
            return self._linker.finish(self._now_ns)
        except Exception:  # noqa: BLE001 - counted and logged there; nothing may end the loop
            self._defect()
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
            self._defect()

    def _defect(self) -> None:
        self._errors += 1
        if self._errors <= _SHOWN:
            _log.exception("a defect of this program; the service goes on")

    def _count(self) -> Counts:
        dropped = self._inbox.dropped  # read once: it may grow at any moment
        counts = Counts(
            seen=self._seen + dropped,
            exported=self._exported,
            discarded={reason: self._discarded[reason] for reason in DiscardReason} | {DiscardReason.FLOOD: dropped},
            stories=self._stories,
            failed_stories=self._failed,
            errors=self._errors,
            busy_s=self._busy_s,
            held=self._linker.stats(),
        )
        lost = counts.unaccounted
        if lost > 0 and self._errors > self._errors_counted:
            self._discarded[DiscardReason.DEFECT] += lost
            counts.discarded[DiscardReason.DEFECT] += lost
        self._errors_counted = self._errors
        return counts
