"""The delivery of batches as a state machine: what to send, how long to wait, what an answer does. No threads, no clock.

`next` says what is to be done now, `resolve` takes the outcome of the send. One request is under way at a time.

* transient: the same bytes again after a pause, for ever; meanwhile the queue fills and its limits decide what is lost.
* no answer in time: the same, in halves, down to `FEW_SPANS`: what a narrow network can not carry in time as one request it may
  carry as several. Requests grow again as they are accepted.
* refused for its content: the halves are sent instead, and so on, so that one bad span does not cost its batch. Bounded by
  `MAX_DIVISIONS` refusals per batch; and when not one span of a whole batch got through, the following batches are not
  divided either until something is accepted: then it is not one span but everything that the receiver refuses.
* refused for another reason (unauthenticated, not found): the batch is lost, and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from kspanpy.export.queue import EncodedSpan, SpanQueue
from kspanpy.export.retry import Accepted, Backoff, Outcome, Permanent, Transient
from kspanpy.export.sink import AttemptResult, DropReason

SECOND: Final = 1_000_000_000

MAX_DIVISIONS: Final = 64
"""Finds three or four bad spans among 512 one by one; beyond that, what was not yet separated is given up together."""

FEW_SPANS: Final = 16
"""Requests are not made smaller than this because there was no answer; some 10 KB."""

GROW_AFTER: Final = 2
"""So many accepted requests in a row double the size of the next ones."""

HURRY_PAUSE_S: Final = 1.0
"""The longest own pause while the process waits to end; a pause that the receiver asked for is kept."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes now and `resolve` the outcome."""

    payload: bytes
    spans: tuple[EncodedSpan, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until_ns`, or before a span comes if that is None."""

    until_ns: int | None


Action: TypeAlias = Send | Wait


class Delivery:
    """Not safe for threads by itself: whoever owns it holds the lock of the queue."""

    def __init__(
        self, queue: SpanQueue, assemble: Callable[[Sequence[EncodedSpan]], bytes], *, backoff: Backoff | None = None
    ) -> None:
        self.attempts = dict.fromkeys(AttemptResult, 0)
        self._queue = queue
        self._assemble = assemble
        self._backoff = backoff or Backoff()
        self._parts: deque[tuple[EncodedSpan, ...]] = deque()  # of the batch in flight; the first is sent next
        self._payload = b""  # of the first part, kept for its retries
        self._not_before_ns = 0
        self._is_asked_to_wait = False
        self._divisions = 0
        self._has_accepted = False  # any span of this batch
        self._may_divide = True
        self._most = queue.limits.batch_spans  # spans in a request, for now
        self._in_time = 0  # accepted requests in a row

    def next(self, now_ns: int, *, flush: bool = False) -> Action:
        """What to do now. `flush`: send what there is, however young and few."""
        while True:
            if not self._parts:
                due = self._queue.due_ns()
                if due is None:
                    return Wait(None)
                if due > now_ns and not flush:
                    return Wait(due)
                self._start(self._queue.take(self._most))
            if now_ns < self._not_before_ns:
                return Wait(self._not_before_ns)
            spans = self._parts[0]
            try:
                self._payload = self._payload or self._assemble(spans)
            except Exception:  # noqa: BLE001 - a defect; it costs this batch and not the ones behind it
                self._queue.reject(self._parts.popleft(), DropReason.ENCODING)
            else:
                return Send(self._payload, spans)

    def resolve(self, outcome: Outcome, now_ns: int, *, hurry: bool = False) -> tuple[EncodedSpan, ...]:
        """Take the outcome of the last `Send`; the spans that the receiver now has."""
        if not self._parts:
            return ()  # abandoned while the request was under way
        if isinstance(outcome, Transient):
            self.attempts[AttemptResult.TRANSIENT] += 1
            pause_s = self._backoff.pause_s(outcome.retry_after_s)
            self._is_asked_to_wait = bool(outcome.retry_after_s)
            if hurry and not self._is_asked_to_wait:
                pause_s = min(pause_s, HURRY_PAUSE_S)
            self._not_before_ns = now_ns + int(pause_s * SECOND)
            if outcome.timed_out:
                self._narrow()
            return ()
        self._backoff.reset()
        self._not_before_ns = 0
        spans = self._parts.popleft()
        self._payload = b""
        if isinstance(outcome, Accepted):
            self.attempts[AttemptResult.PARTIAL if outcome.rejected else AttemptResult.ACCEPTED] += 1
            self._queue.acknowledge(spans, rejected=outcome.rejected)
            self._has_accepted = self._may_divide = True
            self._widen()
        else:
            self.attempts[AttemptResult.PERMANENT] += 1
            self._refused(spans, outcome)
        if not self._parts and not self._has_accepted:
            self._may_divide = False
        return spans if isinstance(outcome, Accepted) else ()

    def hurry(self) -> None:
        """The process wants to end: try now, unless the receiver itself asked for a pause."""
        if not self._is_asked_to_wait:
            self._not_before_ns = 0
        self._backoff.reset()

    def abandon(self, reason: DropReason) -> int:
        """The end, for the batch in flight and the queue: what is on no shelf is lost; how many spans that was."""
        in_flight = [span for part in self._parts for span in part]
        self._parts.clear()
        self._payload = b""
        return self._queue.abandon(in_flight, reason)

    def _start(self, batch: tuple[EncodedSpan, ...]) -> None:
        self._parts.append(batch)
        self._payload = b""
        self._divisions = 0
        self._has_accepted = False

    def _narrow(self) -> None:
        self._in_time = 0
        half = len(self._parts[0]) // 2
        if half < FEW_SPANS:
            return
        spans = self._parts.popleft()
        self._parts.extendleft((spans[half:], spans[:half]))
        self._payload = b""
        self._most = half

    def _widen(self) -> None:
        self._in_time += 1
        if self._in_time >= GROW_AFTER:
            self._in_time = 0
            self._most = min(self._most * 2, self._queue.limits.batch_spans)

    def _refused(self, spans: tuple[EncodedSpan, ...], outcome: Permanent) -> None:
        if outcome.divisible and len(spans) > 1 and self._may_divide and self._divisions < MAX_DIVISIONS:
            self._divisions += 1
            half = len(spans) // 2
            # To the back: the largest parts first, so that giving up late still means that most was tried.
            self._parts.extend((spans[:half], spans[half:]))
        else:
            self._queue.reject(spans, DropReason.REJECTED)
