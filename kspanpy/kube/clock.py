"""Time, for the drivers: the protocols get it as a parameter. Tests have a clock that does not wait."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What a driver needs of time."""

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow."""
        ...

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        """Until `wake` is set (True) or the time is over (False)."""
        ...


class SystemClock:
    """The real one."""

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        """Until `wake` is set (True) or the time is over (False)."""
        return wake.wait(seconds)
