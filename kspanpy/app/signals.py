"""SIGTERM and SIGINT: the first asks for an orderly end, the second does not wait for it.

While the service starts there is nothing to put in order: the first signal then ends the start wherever it is.
"""

from __future__ import annotations

import os
import signal
from threading import Event as Flag
from types import FrameType, TracebackType
from typing import Final, Self

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
SECOND_SIGNAL_EXIT: Final = 1


class Interrupted(BaseException):
    """A signal came while the service was starting. Not an Exception: nobody may take it for a failure and go on."""


class Signals:
    """A context in which the signals are ours."""

    def __init__(self) -> None:
        self.asked = Flag()
        self._starting = True
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def started(self) -> None:
        """From now on a signal only sets `asked`."""
        self._starting = False

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked.is_set():
            os._exit(SECOND_SIGNAL_EXIT)
        self.asked.set()
        if self._starting:
            raise Interrupted
