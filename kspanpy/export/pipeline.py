"""The OTLP output: encodes and queues on the caller's thread, sends on its own.

`offer` never waits for the network and never raises, so a slow or absent receiver can not stop the watch. The thread only
carries out what `Delivery` says, one attempt at a time; everything it can lose is counted in the queue.

With a shelf every span is on it before the sending thread can see it; what does not fit into memory is on the shelf only.

Shutdown: `drain(deadline)` sends what there is and keeps its deadline exactly, whatever an attempt under way does; then
`close()` leaves the rest on the shelf for the next process, or without one counts it as dropped(shutdown). A request that is under
way at `close` may still arrive: its spans are left, or counted as lost, which errs on the safe side.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from kspanpy.core.model import Span
from kspanpy.export.checked import checked
from kspanpy.export.delivery import SECOND, Delivery, Send
from kspanpy.export.encode import Encoder
from kspanpy.export.queue import EncodedSpan, QueueLimits, SpanQueue
from kspanpy.export.retry import Accepted, Backoff, Outcome, Permanent, Transient
from kspanpy.export.settings import OtlpSettings
from kspanpy.export.shelf import Shelf
from kspanpy.export.shelving import Shelving
from kspanpy.export.sink import DropReason, ExportStats

CLOSE_S: Final = 1.0
"""How long `close` waits for the thread; an HTTP request under way can not be interrupted."""

SPAN_BYTES: Final = 1024
"""About what a span costs on the shelf."""

_REPORT_EVERY_NS: Final = 60 * SECOND

_log = logging.getLogger(__name__)


class Sender(Protocol):
    """One attempt to send ready bytes. Never raises."""

    def send(self, payload: bytes, *, timeout_s: float) -> Outcome:
        """Send once and say what came of it, within the time."""

    def close(self) -> None:
        """Free the connection; interrupts a `send` under way where that is possible."""


class OtlpPipeline:
    """See the module. Safe for threads."""

    def __init__(
        self,
        sender: Sender,
        encoder: Encoder,
        settings: OtlpSettings,
        *,
        limits: QueueLimits | None = None,
        shelf: Shelf | None = None,
        backoff: Backoff | None = None,
        on_acknowledged: Callable[[Sequence[bytes]], None] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        wall_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`on_acknowledged` gets trace id + span id of each span that arrived, on the sending thread.

        What waits on the `shelf` is sent. It stays its owner's, who closes it after the pipeline.
        """
        self._sender = sender
        self._encoder = encoder
        self._settings = settings
        self._queue = SpanQueue(limits or QueueLimits())
        self._delivery = Delivery(self._queue, encoder.assemble, backoff=backoff)
        self._on_acknowledged = on_acknowledged
        self._clock = clock
        self._wall_clock = wall_clock
        self._changed = threading.Condition()
        self._has_shelf = shelf is not None
        self._shelving = Shelving(shelf, self._queue, self._changed, clock)
        self._drain_until_ns: int | None = None
        self._is_closed = False
        self._capacity = self._queue.limits.spans
        if shelf is not None:
            self._capacity = max(self._capacity, self._queue.limits.shelf_bytes // SPAN_BYTES)
        self._repaired = 0
        self._last_success_ns = 0
        self._last_error = ""
        self._reported_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name="kspanpy-export", daemon=True)
        self._thread.start()

    def offer(self, spans: Sequence[Span]) -> None:
        """Encode, put on the shelf, and queue. By one thread at a time where there is a shelf: its order is that of the calls."""
        ready: list[EncodedSpan] = []
        refused: list[DropReason] = []
        repaired = 0
        for span in spans:
            encoded: EncodedSpan | DropReason | None = self._encoder.encode_clean(span)
            if encoded is None:
                good = checked(span)
                if isinstance(good, DropReason):
                    refused.append(good)
                    continue
                repaired += good.repaired
                encoded = self._encoder.encode_checked(good)
            if isinstance(encoded, DropReason):
                refused.append(encoded)
            elif self._has_shelf and not self._queue.fits(encoded):
                refused.append(DropReason.TOO_LARGE)  # before it is on the shelf
            else:
                ready.append(encoded)

        if refused or repaired or self._is_closed:  # seldom; `_enqueue` sees a pipeline that is closed meanwhile
            with self._changed:
                self._repaired += repaired
                if self._is_closed:
                    refused += [DropReason.SHUTDOWN] * len(ready)
                    ready = []
                for reason in refused:
                    self._queue.refuse(reason)
        if ready:
            self._shelving.put(ready, self._enqueue)

    def _enqueue(self, spans: Sequence[EncodedSpan]) -> None:
        with self._changed:
            now = self._clock()
            due_before = self._queue.due_ns()
            for span in spans:
                self._queue.put(span, now)
            if self._is_closed:  # meanwhile
                self._queue.abandon((), DropReason.SHUTDOWN)
            if self._queue.due_ns() != due_before:
                self._changed.notify_all()

    def drain(self, deadline_s: float) -> bool:
        """Send everything now; True when nothing is queued or in flight any more."""
        until = self._clock() + int(max(deadline_s, 0.0) * SECOND)
        with self._changed:
            self._drain_until_ns = until
            self._delivery.hurry()
            self._changed.notify_all()
            while self._queue.pending and not self._is_closed:
                remaining = until - self._clock()
                if remaining <= 0:
                    break
                self._changed.wait(remaining / SECOND)
            self._drain_until_ns = None
            return not self._queue.pending

    def close(self) -> None:
        """Stop; what is pending is left on the shelf, or lost and counted."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
        self._sender.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)
        self._shelving.close()  # first: a load under way is taken in, so that it is left again
        with self._changed:
            lost = self._delivery.abandon(DropReason.SHUTDOWN)
            left = self._queue.left
            self._changed.notify_all()
        if left:
            _log.warning(
                "stopped with %d spans not sent: the next start sends them; last error: %s",
                left,
                self._last_error or "none",
            )
        if lost:
            _log.error("stopped with %d spans not sent; last error: %s", lost, self._last_error or "none")

    def stats(self) -> ExportStats:
        """One consistent reading."""
        with self._changed:
            queue, limits = self._queue, self._queue.limits
            return ExportStats(
                emitted=queue.emitted,
                recovered=queue.recovered,
                acknowledged=queue.acknowledged,
                dropped=dict(queue.dropped),
                left=queue.left,
                queued=queue.queued,
                queued_bytes=queue.queued_bytes,
                in_flight=queue.in_flight,
                spilled=queue.spilled,
                capacity=self._capacity,
                capacity_bytes=limits.shelf_bytes if self._has_shelf else limits.bytes,
                fullness=self._fullness(),
                shelf_errors=self._shelving.errors,
                repaired=self._repaired,
                attempts=dict(self._delivery.attempts),
                last_success_ns=self._last_success_ns,
                last_error=self._last_error,
            )

    def _fullness(self) -> float:
        queue, limits = self._queue, self._queue.limits
        if self._has_shelf:
            return queue.shelved_bytes / limits.shelf_bytes
        return max(queue.pending / limits.spans, (queue.queued_bytes + queue.in_flight_bytes) / limits.bytes)

    def _run(self) -> None:
        while True:
            self._shelving.tend()
            with self._changed:
                if self._is_closed:
                    return
                now = self._clock()
                action = self._delivery.next(now, flush=self._drain_until_ns is not None)
                if not isinstance(action, Send):
                    retry_ns = self._shelving.retry_ns
                    if self._queue.wanted() is not None and retry_ns is None:
                        continue  # since `tend`
                    times = [until for until in (action.until_ns, retry_ns) if until is not None]
                    self._changed.wait(max(min(times) - now, 0) / SECOND if times else None)
                    continue
                timeout_s = self._settings.timeout_s
                if self._drain_until_ns is not None:
                    timeout_s = min(timeout_s, max(self._drain_until_ns - now, SECOND // 20) / SECOND)
            outcome = self._attempt(action.payload, timeout_s)
            with self._changed:
                if self._is_closed and not isinstance(outcome, Accepted):
                    return
                arrived = self._delivery.resolve(outcome, self._clock(), hurry=self._drain_until_ns is not None)
                report = self._note(outcome)
                self._changed.notify_all()
            # Outside of the lock: whoever takes these may be slow, and `offer` must not wait for it.
            if report is not None:
                _log.log(*report)
            if arrived and self._on_acknowledged is not None:
                try:
                    self._on_acknowledged([span.key for span in arrived])
                except Exception as error:  # noqa: BLE001 - the hook's failure is not the export's
                    _log.error("the acknowledgement of %d spans was not taken: %s", len(arrived), type(error).__name__)

    def _attempt(self, payload: bytes, timeout_s: float) -> Outcome:
        try:
            return self._sender.send(payload, timeout_s=timeout_s)
        except Exception as error:  # noqa: BLE001 - a sender that raises is a defect; spans do not pay for it
            return Transient(f"the sender failed: {type(error).__name__}")

    def _note(self, outcome: Outcome) -> tuple[int, str] | None:
        """Remember what came of an attempt; what to log of it: changes, and once a minute what still goes wrong."""
        pending, where = self._queue.pending, self._settings.shown_endpoint
        if isinstance(outcome, Accepted):
            self._last_success_ns = self._wall_clock()
        if isinstance(outcome, Accepted) and not outcome.rejected:
            self._last_error = ""
            if self._reported_ns is None:
                return None
            self._reported_ns = None
            return logging.INFO, f"{where}: spans arrive again; {pending} are pending"
        if isinstance(outcome, Accepted):
            reason, what = outcome.message, f"it did not keep {outcome.rejected} spans"
        elif isinstance(outcome, Permanent):
            reason, what = outcome.reason, "it refused spans for good"
        else:
            reason, what = outcome.reason, "spans do not arrive, will try again"
        self._last_error = self._settings.redact(reason)
        now = self._clock()
        if self._reported_ns is not None and now - self._reported_ns < _REPORT_EVERY_NS:
            return None
        self._reported_ns = now
        dropped = sum(self._queue.dropped.values())
        return logging.WARNING, f"{where}: {what}: {self._last_error} ({pending} pending, {dropped} dropped so far)"
