"""Spans as readable lines: time, duration, service, name, object, message. For people; programs read the span file.

Everything goes through `sanitize.text`, so that no Event can move the cursor, colour the terminal or forge a line.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Sequence
from typing import Final

from kspanpy.core import sanitize
from kspanpy.core.model import MILLISECOND, SECOND, Span
from kspanpy.export.checked import CheckedSpan, checked
from kspanpy.export.output import Output
from kspanpy.export.sink import DropReason, ExportStats

MESSAGE: Final = 200


class ConsoleSink:
    """A `SpanSink` on standard output, or into a file."""

    def __init__(self, path: str = "-") -> None:
        self._output = Output(path)
        self._lock = threading.Lock()
        self._emitted = self._acknowledged = 0
        self._dropped = dict.fromkeys(DropReason, 0)
        self._last_success_ns = 0

    @property
    def is_broken(self) -> bool:
        """Nobody reads the pipe any more; a command may end early."""
        return self._output.is_broken

    def offer(self, spans: Sequence[Span]) -> None:
        """Print."""
        with self._lock:
            for span in spans:
                self._emitted += 1
                good = checked(span)
                if isinstance(good, DropReason):
                    self._dropped[good] += 1
                elif self._output.write((readable(good) + "\n").encode()):
                    self._acknowledged += 1
                    self._last_success_ns = time.time_ns()
                else:
                    self._dropped[DropReason.WRITE_FAILED] += 1

    def drain(self, deadline_s: float = 0.0) -> bool:  # noqa: ARG002 - of the interface; nothing waits here
        """Nothing waits; False if nothing can be written."""
        return not self._output.error

    def close(self) -> None:
        """Nothing is printed any more."""
        with self._lock:
            self._output.close()

    def stats(self) -> ExportStats:
        """The counters now."""
        with self._lock:
            return ExportStats(
                emitted=self._emitted,
                acknowledged=self._acknowledged,
                dropped=dict(self._dropped),
                last_success_ns=self._last_success_ns,
                last_error=self._output.error,
            )


def readable(span: CheckedSpan) -> str:
    """One line."""
    attributes = dict(span.attributes)
    start = dt.datetime.fromtimestamp(span.start_ns // SECOND, tz=dt.UTC)
    milliseconds = span.start_ns % SECOND // MILLISECOND
    where = "/".join(str(attributes[key]) for key in ("k8s.namespace.name", "k8s.object.name") if attributes.get(key))
    fields = [
        f"{start:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z",
        f"{_duration(span.end_ns - span.start_ns):>7}",
        f"{sanitize.text(span.service, 64):<22}",
        f"{sanitize.text(span.name, 128):<30}",
        sanitize.text(where, 320),
        sanitize.text(str(attributes.get("k8s.event.message", "")), MESSAGE),
    ]
    if span.error:
        fields.append(f"ERROR: {sanitize.text(span.error, MESSAGE)}")
    return "  ".join(field for field in fields if field).rstrip()


def _duration(nanoseconds: int) -> str:
    if nanoseconds < SECOND:
        return f"{nanoseconds // MILLISECOND}ms"
    if nanoseconds < 60 * SECOND:
        return f"{nanoseconds / SECOND:.1f}s"
    minutes, seconds = divmod(nanoseconds // SECOND, 60)
    return f"{minutes}m{seconds:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"
