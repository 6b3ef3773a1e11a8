"""A clock that does not wait."""

from __future__ import annotations

import threading
import time


class HastyClock:
    """Waits are over at once: they only move this clock. It also moves with real time, so that nothing stands still.

    Waits longer than `longest` are real.
    """

    def __init__(self, *, longest: float = float("inf")) -> None:
        self._longest = longest
        self._skipped = 0.0
        self._lock = threading.Lock()
        self.waits: list[float] = []

    def wall_ns(self) -> int:
        """Real time."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Real time and what was skipped."""
        return time.monotonic() + self._skipped

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        """Over at once."""
        if seconds > self._longest:
            return wake.wait(seconds)
        if wake.wait(0.002):
            return True
        with self._lock:
            self.waits.append(seconds)
            self._skipped += seconds
        return False
