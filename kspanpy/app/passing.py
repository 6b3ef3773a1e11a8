"""The linker's time: that of receipt while inputs come, the wall clock's when none do. It never runs backwards."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from kspanpy.core.model import SECOND

_log = logging.getLogger(__name__)

_JUMP_NS: Final = SECOND


class PassingTime:
    """When the wall clock is set back, this one goes on: what should happen in 10 s happens in 10 s."""

    def __init__(self, wall_ns: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self.now_ns = wall_ns()
        self._wall_ns, self._monotonic = wall_ns, monotonic
        self._before = self.now_ns, monotonic()
        self._ahead_ns = 0

    def look(self) -> None:
        """Has the wall clock been set? To be called often."""
        wall_ns, monotonic = self._wall_ns(), self._monotonic()
        before_ns, before = self._before
        jump_ns = before_ns + int((monotonic - before) * SECOND) - wall_ns
        if abs(jump_ns) > _JUMP_NS:
            self._ahead_ns = max(self._ahead_ns + jump_ns, 0)
            _log.warning("the clock jumped by %.1f s", -jump_ns / SECOND)
        self._before = wall_ns, monotonic

    def received(self, at_ns: int) -> None:
        """Something was received then, by the wall clock."""
        self.now_ns = max(self.now_ns, at_ns + self._ahead_ns)

    def passes(self) -> None:
        """Nothing more is waiting that was received before now."""
        self.received(self._wall_ns())

    def until_s(self, due_ns: int) -> float:
        """Seconds, at most 0 when it is over."""
        return (due_ns - self._wall_ns() - self._ahead_ns) / SECOND
