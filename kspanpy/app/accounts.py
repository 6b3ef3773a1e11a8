"""What becomes of every Event and every input, counted by the loop: seen = exported + discarded + pending, at every reading."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final, NamedTuple

from kspanpy.core.linker import LinkerStats
from kspanpy.core.model import SECOND, Span
from kspanpy.core.steps import DiscardReason, EventSeen
from kspanpy.core.telling.attributes import is_event, is_root
from kspanpy.core.timing import occurrence
from kspanpy.ops.metrics import Histogram

_log = logging.getLogger(__name__)

SHOWN: Final = 10  # defects that are logged with a traceback; all are counted


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


class Accounts:
    """Owned by the loop's thread; others read the `Counts` that it makes, and the histogram."""

    def __init__(self, *, began_ns: int, seen: int = 0) -> None:
        """`seen`: Events that a restored linker holds; what is told of them will be counted as exported."""
        self.lag = Histogram()
        self.errors = 0
        self.busy_s = 0.0
        self._began_ns = began_ns
        self._seen = seen
        self._exported = self._stories = self._failed = self._errors_counted = 0
        self._discarded: Counter[DiscardReason] = Counter()

    def event(self, fact: EventSeen, received_ns: int) -> None:
        """One is taken in."""
        self._seen += 1
        at_ns = occurrence(fact.event, received_ns).at_ns
        if at_ns >= self._began_ns:  # what the first list brings happened long before
            self.lag.observe((received_ns - at_ns) / SECOND)

    def span(self, span: Span) -> None:
        """One has ended."""
        if is_event(span):
            self._exported += 1
        elif is_root(span):
            self._stories += 1
            self._failed += bool(span.error)

    def discarded(self, reason: DiscardReason) -> None:
        """An Event gets no span."""
        self._discarded[reason] += 1

    def defect(self) -> None:
        """An exception that should not have been; to be called where it is handled."""
        self.errors += 1
        if self.errors <= SHOWN:
            _log.exception("a defect of this program; the service goes on")

    def count(self, held: LinkerStats, *, dropped: int) -> Counts:
        """A reading. `dropped`: Events that a flood cost before they were taken in. What a defect lost is found out here."""
        counts = Counts(
            seen=self._seen + dropped,
            exported=self._exported,
            discarded={reason: self._discarded[reason] for reason in DiscardReason} | {DiscardReason.FLOOD: dropped},
            stories=self._stories,
            failed_stories=self._failed,
            errors=self.errors,
            busy_s=self.busy_s,
            held=held,
        )
        lost = counts.unaccounted
        if lost > 0 and self.errors > self._errors_counted:
            self._discarded[DiscardReason.DEFECT] += lost
            counts.discarded[DiscardReason.DEFECT] += lost
        self._errors_counted = self.errors
        return counts
