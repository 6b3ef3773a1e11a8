"""What one step of the linker shares: the time it is, what has come out so far, and what is due later."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import count
from typing import Final

from kspanpy.core.model import SECOND, Span
from kspanpy.core.settings import Limit, LinkerSettings
from kspanpy.core.steps import Discarded, DiscardReason, Output, SpanEnded
from kspanpy.core.stories.shape import Lifecycle, Story

_LEAST_TIDY: Final = 1024
_TOLD_ELSEWHERE: Final = Discarded(DiscardReason.OTHER_SHARD)


class Moment:
    """Passed to every part of the linker; `now_ns` never goes back."""

    def __init__(self, settings: LinkerSettings) -> None:
        self.settings = settings
        self.now_ns = 0
        self.out: list[Output] = []
        self.reached = dict.fromkeys(Limit, 0)  # how often
        self.open_steps = 0  # event spans that wait for their end, of all lifecycles
        self.settle_ns = int(settings.settle_s * SECOND)
        self.linger_ns = int(settings.linger_s * SECOND)
        self.quiet_ns = int(settings.quiet_s * SECOND)
        self.cap_ns = int(settings.story_cap_s * SECOND)
        self.relapse_ns = int(settings.relapse_s * SECOND)
        self.rest_ns = int(settings.rest_s * SECOND)
        self.gap_ns = int(settings.episode_gap_s * SECOND)
        self.skew_ns = int(settings.skew_s * SECOND)
        self.memory_ns = int(settings.memory_s * SECOND)
        # With what is open: what is over is let go of when it is half of it (`tidy`).
        self._due: list[tuple[int, int, Story | Lifecycle]] = []
        self._order = count()
        self._tidy_at = _LEAST_TIDY

    def reach(self, now_ns: int) -> None:
        """It is so late now."""
        self.now_ns = max(self.now_ns, now_ns)

    def say(self, output: Output) -> None:
        """One more output of this step."""
        self.out.append(output)

    def emit(self, span: Span, story: Story) -> None:
        """A span of a story is finished. Of a story that another shard tells there are only those of Events, as times."""
        self.out.append(SpanEnded(span) if story.told_here else _TOLD_ELSEWHERE)

    def emit_all(self, spans: Iterable[Span], story: Story) -> None:
        """Spans of a story that are finished."""
        for span in spans:
            self.emit(span, story)

    def at(self, due_ns: int, what: Story | Lifecycle) -> None:
        """Look at this story or leaf again then."""
        heapq.heappush(self._due, (due_ns, next(self._order), what))
        if len(self._due) >= self._tidy_at:
            self.tidy()

    def tidy(self) -> None:
        """Most stories are over long before their cap: they are not kept for it."""
        self._due = [entry for entry in self._due if not _is_over(entry[2])]
        heapq.heapify(self._due)
        self._tidy_at = max(2 * len(self._due), _LEAST_TIDY)

    def next_due(self) -> int | None:
        """When something has to be looked at."""
        return self._due[0][0] if self._due else None

    def take_due(self) -> Story | Lifecycle:
        """The next of them."""
        return heapq.heappop(self._due)[2]


def _is_over(what: Story | Lifecycle) -> bool:
    """True for what needs no looking at any more."""
    return what.closed if isinstance(what, Story) else what.sent or what.story.closed
