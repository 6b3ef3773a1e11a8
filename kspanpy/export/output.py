"""A byte stream that counts instead of failing: the file, or standard output, under the sinks that write lines.

A line is written whole or not at all where the file allows it: after a failed write the file is cut back, so that a full
disk never leaves half a line in the middle. When nobody reads the pipe any more, nothing is written any more.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from kspanpy.core import sanitize
from kspanpy.errors import UsageError

_NO_DESCRIPTOR: Final = -1


def _standard_output() -> int:
    """Its descriptor, because bytes left in Python's own buffer fail once more, loudly, at exit when the pipe is broken."""
    sys.stdout.flush()
    try:
        return sys.stdout.fileno()
    except (OSError, ValueError):
        return _NO_DESCRIPTOR  # replaced by an object in memory


class Output:
    """See the module. `path` "-" is standard output, which is not closed."""

    def __init__(self, path: str) -> None:
        self.error = ""
        """Of the newest write that failed."""
        self.is_broken = False
        """The reader of the pipe is gone."""
        self._good = 0  # how long the file is after the last whole line
        self._owns = path != "-"
        self._is_closed = False
        try:
            if self._owns:
                self._descriptor = os.open(Path(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            else:
                self._descriptor = _standard_output()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise UsageError(f"{sanitize.text(path, 256)} can not be written: {reason}") from None

    def write(self, line: bytes) -> bool:
        """Whether all of it was written."""
        if self.is_broken or self._is_closed:
            return False
        written = 0
        try:
            if self._descriptor == _NO_DESCRIPTOR:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
                written = len(line)
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError as error:
            self.error = error.strerror or type(error).__name__
            if isinstance(error, BrokenPipeError):
                self.is_broken = True
            elif written:
                self._cut()
            return False
        self._good += written
        return True

    def close(self) -> None:
        """Close the file; nothing is written any more. Safe to call twice."""
        was_closed, self._is_closed = self._is_closed, True
        if self._owns and not was_closed:
            try:
                os.close(self._descriptor)
            except OSError as error:
                self.error = error.strerror or type(error).__name__

    def _cut(self) -> None:
        try:
            if self._owns:
                os.ftruncate(self._descriptor, self._good)
                os.lseek(self._descriptor, self._good, os.SEEK_SET)
                return
        except OSError:
            pass
        self.is_broken = True  # a pipe with half a line in it: the rest would only make it worse
