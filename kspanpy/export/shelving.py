"""Carries out what the queue wants of its shelf, and goes on in memory when the shelf fails.

One lock is held around each use of the shelf, together with what the queue is told of it, so that a span that was just put there
can not be loaded before the queue knows it. The queue's own lock is never held while the disk works, with one exception: nothing
is left in memory and the shelf is over its limit. `offer` may so wait for a load of a few milliseconds, never for the network.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from kspanpy.export.queue import EncodedSpan, SpanQueue
from kspanpy.export.shelf import Shelf

RETRY_NS: Final = 5_000_000_000
"""How long a shelf that could not be read is left alone."""

_log = logging.getLogger(__name__)


class Shelving:
    """Without a shelf every method does nothing. `changed` is the lock of the queue."""

    def __init__(
        self, shelf: Shelf | None, queue: SpanQueue, changed: AbstractContextManager[bool], clock: Callable[[], int]
    ) -> None:
        self.errors = 0
        self._shelf = shelf
        self._queue = queue
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()
        self._is_failing = False
        self._not_before_ns: int | None = None
        if shelf is not None:
            try:
                queue.recover(*shelf.waiting())
            except Exception as error:  # noqa: BLE001 - as in `_failed`
                self._failed(error)

    def put(self, spans: Sequence[EncodedSpan], enqueue: Callable[[Sequence[EncodedSpan]], None]) -> None:
        """Store the spans and give them, numbered, to `enqueue`, which takes the queue's lock itself."""
        if self._shelf is None:
            enqueue(spans)
            return
        with self._lock:
            # A shelf that is over its limit and can not be read, so that nothing can be dropped from it, gets no more.
            if spans and self._shelf is not None and not self._queue.is_over:
                try:
                    first = self._shelf.put(spans)
                except Exception as error:  # noqa: BLE001
                    self._failed(error)
                else:
                    self._worked()
                    spans = [span.numbered(first + index) for index, span in enumerate(spans)]
            enqueue(spans)
            while self._queue.is_over and self._load():
                pass

    def tend(self) -> None:
        """Remove what is settled and load what there is room for."""
        if self._shelf is None:
            return
        with self._lock:
            self._remove()
            while self._load():
                pass

    @property
    def retry_ns(self) -> int | None:
        """When a load that failed may be tried again; None when none failed."""
        return self._not_before_ns

    def close(self) -> None:
        """Remove what is settled; the shelf is not used any more."""
        with self._lock:
            self._remove()
            self._shelf = None

    def _load(self) -> bool:
        """Whether something was loaded, or found to be lost."""
        with self._changed:
            wanted = self._queue.wanted()
        now = self._clock()
        if wanted is None or self._shelf is None or now < (self._not_before_ns or now):
            return False
        try:
            found = self._shelf.load(wanted.after, spans=wanted.spans, size=wanted.size)
            spans = [span.numbered(number) for number, span in found]
        except Exception as error:  # noqa: BLE001
            self._failed(error)
            self._not_before_ns = now + RETRY_NS
            return False
        self._not_before_ns = None
        self._worked()
        with self._changed:
            self._queue.loaded(spans, now)
        return True

    def _remove(self) -> None:
        with self._changed:
            numbers = self._queue.settled()
        if numbers and self._shelf is not None:
            try:
                self._shelf.remove(numbers)
            except Exception as error:  # noqa: BLE001
                self._failed(error)  # the next process sends them once more

    def _failed(self, error: Exception) -> None:
        """Whatever the shelf does, spans go on: its owner may raise what it likes."""
        self.errors += 1
        if not self._is_failing:
            self._is_failing = True
            reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            _log.error("spans can not be kept on disk, going on in memory: %s", reason)

    def _worked(self) -> None:
        if self._is_failing:
            self._is_failing = False
            _log.info("spans are kept on disk again")
