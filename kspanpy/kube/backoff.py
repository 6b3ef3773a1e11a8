"""How long to wait after a failed request: exponential with jitter, forgotten after a quiet while.

The figures are client-go's. Each delay is at least the base of its step, so that ten minutes of failures are at most 30
requests whatever the dice say; jitter only adds, so that many watches that failed together do not come back together.
Pure: time and randomness are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FIRST_S: Final = 0.8
FACTOR: Final = 2.0
LONGEST_S: Final = 30.0  # before jitter: never more than twice this
QUIET_S: Final = 120.0
LONGEST_RETRY_AFTER_S: Final = 300.0


class Backoff:
    """The delays of one stream of requests."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._base = FIRST_S
        self._again_at: float | None = None
        self.failures = 0  # in a row, with less than the quiet while between them

    def delay(self, *, now: float, retry_after_s: float | None = None) -> float:
        """Seconds to wait after the failure that has just happened; not less than the server asked for, within reason."""
        if self._again_at is not None and now - self._again_at > QUIET_S:
            self._base, self.failures = FIRST_S, 0
        self.failures += 1
        seconds = self._base * (1.0 + min(max(self._random(), 0.0), 1.0))
        self._base = min(self._base * FACTOR, LONGEST_S)
        if retry_after_s is not None:
            seconds = max(seconds, min(retry_after_s, LONGEST_RETRY_AFTER_S))
        self._again_at = now + seconds
        return seconds
