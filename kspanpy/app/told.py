"""What an earlier process has told and had acknowledged is not told again: for a process that begins without its state.

All that is known of the earlier one is a time, from the Lease: every span that it had finished before then has arrived. A process that
begins anew makes spans of the Events of the last hour again, and of the stories that end in it; mostly the same, but not always in the
same story, because the list no longer shows all changes (docs/decisions/004-checkpoint.md). So what is certain to have been told is left
out, and in doubt it is told again:

- an event span, if the event is older than that time by more than an Event waits for its place or its end
- a story, whole, if its root span ended before that time by more than a story can wait to be closed
- a phase that is told before its story, the same

An Event that is *new* to the API server is told in any case, however old it says it is: clocks of nodes may be slow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from kspanpy.core.model import SECOND, Event, Span
from kspanpy.core.telling.attributes import is_event, is_root

EVENT_S: Final = 90.0
"""From an event to its span: its receipt (15 s late at worst), its place (30 s), its end where another step ends it."""
STORY_S: Final = 900.0
"""From the end of a story to its telling: an incident that relapsed waits ten minutes."""
_MOST_NEW: Final = 100_000


class Told:
    """Stands before a sink. Safe for threads."""

    def __init__(self, offer: Callable[[Sequence[Span]], None], *, until_ns: int, now_ns: int) -> None:
        """`until_ns`: what was finished before then has arrived; 0: nobody said so. A time in the future is not believed."""
        self.left_out = 0
        self._offer = offer
        self._events_ns = self._stories_ns = 0
        if 0 < until_ns <= now_ns:
            self._events_ns = until_ns - int(EVENT_S * SECOND)
            self._stories_ns = until_ns - int(STORY_S * SECOND)
        self._new: set[str] = set()  # uids of Events that are younger than they say
        self._lock = threading.Lock()

    def came(self, event: Event, *, backlog: bool) -> None:
        """Call it with each Event before the linker has it. `backlog`: it comes out of a list, so it may be an old one."""
        if not self._events_ns or (backlog and (event.created_ns or 0) < self._events_ns):
            return
        times = (event.first_ns, event.last_ns, event.event_time_ns, event.series_last_ns)
        if min((time for time in times if time is not None), default=self._events_ns) < self._events_ns:
            with self._lock:
                self._new.add(event.uid)
                if len(self._new) > _MOST_NEW:  # in doubt everything is told
                    self._events_ns = self._stories_ns = 0
                    self._new.clear()

    def offer(self, spans: Sequence[Span]) -> None:
        """Hands on what may not have been told."""
        if not self._events_ns:
            self._offer(spans)
            return
        ends = {span.trace_id: span.end_ns for span in spans if is_root(span)}
        with self._lock:
            fresh = [span for span in spans if not self._was_told(span, ends.get(span.trace_id))]
            self.left_out += len(spans) - len(fresh)
        if fresh:
            self._offer(fresh)

    def _was_told(self, span: Span, root_end_ns: int | None) -> bool:
        """`root_end_ns`: of the root span, if it comes with it."""
        if is_event(span):
            is_old = span.start_ns < self._events_ns and span.end_ns < self._events_ns
            return is_old and span.attributes["k8s.event.uid"] not in self._new
        return (span.end_ns if root_end_ns is None else root_end_ns) < self._stories_ns
