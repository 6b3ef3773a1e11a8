"""The bytes of an input file: opened, expanded if they are gzip, cut into lines. Nothing here knows what a line means.

Damage costs only what is damaged: a gzip file that ends early gives everything up to that point, then one `Malformed`.
Memory is bounded by the longest line that is read.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kspanpy.decode.results import Malformed, MalformedReason, malformed
from kspanpy.errors import InputError, UsageError

CHUNK = 256 * 1024
MAX_LINE_BYTES = 20 * 1024 * 1024  # the largest object that is decoded, and its envelope

_GZIP = b"\x1f\x8b"
_EXPANDED_CHUNK = 1024 * 1024  # a small file may expand to a huge one: in pieces


def open_input(path: str) -> BinaryIO:
    """The file, or standard input for `-`."""
    if path == "-":
        return sys.stdin.buffer
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a directory; name one capture file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: can not be opened: {getattr(error, 'strerror', None) or error}") from None


def chunks(stream: BinaryIO, name: str) -> Iterator[bytes | Malformed]:
    """The content, expanded if it begins like gzip, in pieces that are not empty."""
    compressed = _read(stream, name)
    first = next(compressed, b"")
    if not first.startswith(_GZIP):
        if first:
            yield first
        yield from compressed
        return
    inflater = _Inflater()
    yield from inflater.feed(first)
    for chunk in compressed:
        if inflater.done:
            return
        yield from inflater.feed(chunk)
    yield from inflater.end()


def lines(pieces: Iterator[bytes | Malformed], *, limit: int = MAX_LINE_BYTES) -> Iterator[bytes | Malformed]:
    """Lines without their ends; the last one may lack its own. Empty lines are left out, too long ones are Malformed."""
    rest = b""
    too_long = False
    for piece in pieces:
        if isinstance(piece, Malformed):
            if rest.strip():
                yield rest
            rest = b""
            yield piece
            continue
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if too_long:
                too_long = False
            elif len(line) > limit:
                yield malformed(MalformedReason.TOO_LARGE, f"a line of more than {limit} bytes")
            elif line.strip():
                yield line
        if too_long:
            rest = b""
        elif len(rest) > limit:
            too_long, rest = True, b""
            yield malformed(MalformedReason.TOO_LARGE, f"a line of more than {limit} bytes")
    if rest.strip():
        yield rest


def _read(stream: BinaryIO, name: str) -> Iterator[bytes]:
    # What has arrived comes out at once: a pipe must not have to fill a whole chunk first.
    read = getattr(stream, "read1", stream.read)
    while True:
        try:
            chunk = read(CHUNK)
        except OSError as error:
            raise InputError(f"{name}: can not be read: {error.strerror or error}") from None
        if not chunk:
            return
        yield chunk


class _Inflater:
    """gzip, one or several members, until it ends or makes no sense."""

    def __init__(self) -> None:
        self.done = False
        self._stream = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> Iterator[bytes | Malformed]:
        while data and not self.done:
            if self._stream.eof:
                data = data.lstrip(b"\0")  # padding between or after members is allowed
                if not data:
                    return
                self._stream = zlib.decompressobj(wbits=31)
            before = self._stream.copy()
            try:
                out = self._stream.decompress(data, _EXPANDED_CHUNK)
            except zlib.error as error:
                yield from self._last_bytes(before, data)
                yield self._damaged(error)
                return
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if out:
                yield out

    def end(self) -> Iterator[bytes | Malformed]:
        if self.done or self._stream.eof:
            return
        if out := self._stream.flush():
            yield out
        if not self._stream.eof:
            yield self._damaged("the gzip data ends early")

    def _damaged(self, detail: object) -> Malformed:
        self.done = True
        return malformed(MalformedReason.DAMAGED, detail)

    @staticmethod
    def _last_bytes(stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        """What was good before the error: zlib itself gives nothing of a piece that has one."""
        good = bytearray()
        try:
            for position in range(len(data)):
                good += stream.decompress(data[position : position + 1])
        except zlib.error:
            if good:
                yield bytes(good)
