"""The span file: one OTLP/JSON ExportTraceServiceRequest per line, for `--output FILE` or `-`.

Spans are collected into lines of up to 512 in the order in which they came, so that the same spans make the same file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from kspanpy.core.model import Span
from kspanpy.export.checked import CheckedSpan, checked
from kspanpy.export.otlp_json import JsonEncoder
from kspanpy.export.output import Output
from kspanpy.export.sink import DropReason, ExportStats

LINE_SPANS: Final = 512


class SpanFile:
    """A `SpanSink`; raises a `UsageError` at once if the path can not be written."""

    def __init__(self, path: str, resource_attributes: Mapping[str, str] | None = None) -> None:
        self._output = Output(path)
        self._encoder = JsonEncoder(resource_attributes or {})
        self._lock = threading.Lock()
        self._waiting: list[CheckedSpan] = []
        self._emitted = self._acknowledged = self._repaired = 0
        self._dropped = dict.fromkeys(DropReason, 0)
        self._last_success_ns = 0
        self._is_closed = False

    @property
    def is_broken(self) -> bool:
        """Nobody reads the pipe any more; a command may end early."""
        return self._output.is_broken

    def offer(self, spans: Sequence[Span]) -> None:
        """Collect, and write the lines that are full."""
        with self._lock:
            for span in spans:
                self._emitted += 1
                good = checked(span)
                if isinstance(good, DropReason):
                    self._dropped[good] += 1
                elif self._is_closed:
                    self._dropped[DropReason.SHUTDOWN] += 1
                else:
                    self._repaired += good.repaired
                    self._waiting.append(good)
                    if len(self._waiting) >= LINE_SPANS:
                        self._write()

    def drain(self, deadline_s: float = 0.0) -> bool:  # noqa: ARG002 - of the interface; a file does not keep one waiting
        """Write what was collected; False if nothing can be written."""
        with self._lock:
            self._write()
            return not self._output.error

    def close(self) -> None:
        """Write what was collected, and close the file."""
        with self._lock:
            if not self._is_closed:
                self._write()
                self._is_closed = True
                self._output.close()

    def stats(self) -> ExportStats:
        """The counters now."""
        with self._lock:
            return ExportStats(
                emitted=self._emitted,
                acknowledged=self._acknowledged,
                dropped=dict(self._dropped),
                queued=len(self._waiting),
                capacity=LINE_SPANS,
                repaired=self._repaired,
                last_success_ns=self._last_success_ns,
                last_error=self._output.error,
            )

    def _write(self) -> None:
        if not self._waiting:
            return
        spans, self._waiting = self._waiting, []
        try:
            line = self._encoder.line(spans).encode() + b"\n"
        except Exception:  # noqa: BLE001 - a defect; it costs this line
            self._dropped[DropReason.ENCODING] += len(spans)
            return
        if self._output.write(line):
            self._acknowledged += len(spans)
            self._last_success_ns = time.time_ns()
        else:
            self._dropped[DropReason.WRITE_FAILED] += len(spans)
