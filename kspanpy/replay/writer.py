"""Writes a capture file while a cluster is watched: every line is whole, and on disk within a second.

A full disk must not stop the watch: the first error ends the writing, and what is not written is counted.
"""

from __future__ import annotations

from threading import Lock, Timer
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from kspanpy.core.model import Event
from kspanpy.decode.results import Change
from kspanpy.decode.times import rfc3339
from kspanpy.decode.wire import Wire
from kspanpy.replay.header import Header

FLUSH_AFTER_S = 1.0


class _Named(Wire):
    kind: str | None = None
    api_version: str | None = None


_NAMED = msgspec.json.Decoder(_Named)


class CaptureWriter:
    """Header first, then one line per change. Safe to use from several threads."""

    def __init__(self, stream: BinaryIO, header: Header, *, flush_after_s: float = FLUSH_AFTER_S) -> None:
        self.written = 0
        self.lost = 0
        self.error: OSError | None = None
        self._stream = stream
        self._flush_after_s = flush_after_s
        self._lock = Lock()
        self._timer: Timer | None = None
        self._closed = False
        with self._lock:
            self._put(header.line())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def write(self, received_ns: int, change: Change) -> bool:
        """Appends a change; False if it is lost (`error` says why)."""
        line = b'{"received":"%s","type":"%s","object":%s}\n' % (
            rfc3339(received_ns).encode("ascii"),
            change.type.encode("ascii", errors="replace"),
            named(change),
        )
        with self._lock:
            if self._put(line):
                self.written += 1
                return True
            self.lost += 1
            return False

    def flush(self) -> None:
        """Hands over to the operating system what is still held here."""
        with self._lock:
            self._timer = None
            self._flush()

    def close(self) -> None:
        """Flushes; later lines are lost. The stream itself belongs to the caller."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._flush()
            self._closed = True

    def _put(self, line: bytes) -> bool:
        if self.error is not None or self._closed:
            return False
        try:
            self._stream.write(line)
        except OSError as error:
            self.error = error
            return False
        if self._timer is None:
            # One sleeping thread at most; it is there only while something is unwritten.
            self._timer = Timer(self._flush_after_s, self.flush)
            self._timer.daemon = True
            self._timer.start()
        return True

    def _flush(self) -> None:
        if self._closed:
            return
        try:
            self._stream.flush()
        except OSError as error:
            self.error = self.error or error
        except ValueError as error:  # the stream was closed under us
            self.error = self.error or OSError(str(error))


def named(change: Change) -> bytes:
    """The object's JSON, unchanged but for what items of lists lack: kind and apiVersion; and on one line."""
    raw = bytes(change.raw)
    if b"\n" in raw or b"\r" in raw:
        raw = _one_line(raw)
    try:
        known = _NAMED.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw
    if known.kind and known.api_version:
        return raw
    thing = change.object
    kind, api_version = ("Event", "v1") if isinstance(thing, Event) else (thing.kind, thing.api_version)
    missing = {}
    if not known.kind:
        missing["kind"] = kind
    if not known.api_version:
        missing["apiVersion"] = api_version
    front = msgspec.json.encode(missing)[:-1]
    rest = raw.lstrip()[1:].lstrip()
    return front + (b"" if rest.startswith(b"}") else b",") + rest


def _one_line(raw: bytes) -> bytes:
    try:
        return msgspec.json.format(raw, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # A line break can not stand inside a JSON string, so it is only layout.
        return raw.replace(b"\n", b" ").replace(b"\r", b" ")
