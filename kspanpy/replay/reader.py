"""Reads what was recorded: capture files, and the output of `kubectl get events -o json`, plain or gzip.

The order of receipt is the clock of a replay, so it is put right where lines are slightly out of it. What can not be used
comes out as `Malformed`, in its place; only an input that is not a recording at all is an error, before the first entry.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from itertools import chain
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import msgspec

from kspanpy.core.model import Event, Object
from kspanpy.core.timing import occurrence
from kspanpy.decode import objects, parsing, streams
from kspanpy.decode.results import Bookmark, Change, Malformed, MalformedReason, WatchFailure, malformed
from kspanpy.decode.times import nanoseconds
from kspanpy.errors import InputError
from kspanpy.replay import documents, source
from kspanpy.replay.header import VERSION, Header, Line

REORDER_LINES = 64

_HEAD = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_EXPECTED = "expected a capture file (NDJSON, plain or gzip) or the output of `kubectl get events -o json`"
_OBJECT_LINE = re.compile(rb'^[ \t\r]*\{(?:[ \t]*"|[ \t\r]*$)', re.MULTILINE)
_OTHER_FORMATS = (
    (b"\xff\xfe", "it is UTF-16: convert it to UTF-8"),
    (b"\xfe\xff", "it is UTF-16: convert it to UTF-8"),
    (b"apiVersion:", "it is YAML: use `-o json`"),
    (b"LAST SEEN", "it is a table: use `kubectl get events -o json`"),
    (b"NAMESPACE ", "it is a table: use `kubectl get events -o json`"),
    (b"No resources found", "it has no events"),
)


class Entry(NamedTuple):
    """One line or list item: when it was received, and what it says."""

    received_ns: int
    what: Change | Malformed


class Capture:
    """An open recording: its header, then its entries, once, in order of receipt."""

    def __init__(self, name: str, stream: BinaryIO, header: Header, entries: Iterator[Entry]) -> None:
        self.name = name
        self.header = header
        self._stream = stream
        self._entries = entries

    def __iter__(self) -> Iterator[Entry]:
        return self._entries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file (not standard input, which is not ours)."""
        if self.name != "-":
            self._stream.close()


def read(path: str, *, stream: BinaryIO | None = None) -> Capture:
    """Opens a recording; `-` is standard input. Raises UsageError or InputError if it can not be one."""
    opened = source.open_input(path) if stream is None else stream
    name = "standard input" if path == "-" else path
    try:
        pieces = source.chunks(opened, name)
        head, damage = _head(pieces)
        _check(head, damage, name)
        content = chain((head,), () if damage is None else (damage,), pieces)
        if documents.begins(head):
            header, entries = Header(), _document_entries(documents.items(content, name), name)
        else:
            header, entries = _line_entries(source.lines(content), name)
    except BaseException:
        if stream is None and path != "-":
            opened.close()
        raise
    return Capture(path, opened, header, entries)


def _head(pieces: Iterator[bytes | Malformed]) -> tuple[bytes, Malformed | None]:
    """Enough of the beginning to know what it is; and what ended it, if it is not more data."""
    head = b""
    while len(head) < _HEAD and b"\n" not in head:
        piece = next(pieces, None)
        if piece is None or isinstance(piece, Malformed):
            return head.removeprefix(_BOM), piece
        head += piece
    return head.removeprefix(_BOM), None


def _check(head: bytes, damage: Malformed | None, name: str) -> None:
    if not head.strip():
        if damage is not None:
            raise InputError(f"{name}: is damaged from the beginning: {damage.detail}")
        raise InputError(f"{name}: is empty; {_EXPECTED}")
    for beginning, advice in _OTHER_FORMATS:
        if head.startswith(beginning):
            raise InputError(f"{name}: is not a capture: {advice}")
    if not _OBJECT_LINE.search(head):
        raise InputError(f"{name}: is not a capture; {_EXPECTED}")


def _line_entries(lines: Iterator[bytes | Malformed], name: str) -> tuple[Header, Iterator[Entry]]:
    first = next(lines, None)
    if isinstance(first, bytes):
        line = parsing.parse(first, Line)
        if isinstance(line, Line) and line.capture is not None:
            if line.capture != VERSION:
                raise InputError(
                    f"{name}: capture format {line.capture}; this version of kspanpy reads format {VERSION}"
                )
            header = Header.from_line(line)
            return header, _in_order(_received(lines, header.recorded_ns))
    return Header(), _in_order(_received(lines if first is None else chain(iter((first,)), lines), None))


def _received(lines: Iterator[bytes | Malformed], recorded_ns: int | None) -> Iterator[Entry]:
    """Lines with their times; one without a readable time has that of the line before."""
    previous = recorded_ns
    ahead = next(lines, None)
    while ahead is not None:
        line, ahead = ahead, next(lines, None)
        if isinstance(line, Malformed):
            yield Entry(previous or 0, line)
            continue
        received_ns, what = _entry(line)
        if what is None:
            continue
        at_end = ahead is None or isinstance(ahead, Malformed)
        if at_end and isinstance(what, Malformed) and what.reason is MalformedReason.NOT_JSON:
            what = malformed(MalformedReason.CUT_OFF, what.detail)
        if received_ns is None and previous is None and isinstance(what, Change):
            received_ns = _own_time(what.object)
        previous = received_ns if received_ns is not None else previous
        yield Entry(previous or 0, what)


def _entry(text: bytes) -> tuple[int | None, Change | Malformed | None]:
    line = parsing.parse(text, Line, limit=source.MAX_LINE_BYTES)
    if isinstance(line, Malformed):
        return None, line
    received_ns = nanoseconds(line.received)
    if line.capture is not None:  # the header of a recording that was appended to another
        return received_ns, None
    if not line.type and line.kind and memoryview(line.metadata):
        thing = objects.object_from(text)
        if isinstance(thing, Malformed):
            return received_ns, thing
        return _own_time(thing), Change("ADDED", thing, msgspec.Raw(text))
    what = streams.change_from(line.type or "", line.object)
    # Bookmarks and errors are about the watch, not about the cluster.
    return received_ns, None if isinstance(what, Bookmark | WatchFailure) else what


def _in_order(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Sorted by time of receipt as far as `REORDER_LINES` allows; equal times stay in file order."""
    waiting: list[tuple[int, int, Entry]] = []
    for number, entry in enumerate(entries):
        heapq.heappush(waiting, (entry.received_ns, number, entry))
        if len(waiting) > REORDER_LINES:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _document_entries(items: list[tuple[Object | Event | Malformed, msgspec.Raw]], name: str) -> Iterator[Entry]:
    """A list has no times of receipt: its items are taken as received when they happened."""
    if all(isinstance(thing, Malformed) for thing, _ in items):
        raise InputError(f"{name}: has no Kubernetes objects; {_EXPECTED}")
    dated: list[Entry] = []
    previous = 0
    for thing, raw in items:
        what = thing if isinstance(thing, Malformed) else Change("ADDED", thing, raw)
        time_ns = None if isinstance(thing, Malformed) else _own_time(thing)
        previous = previous if time_ns is None else time_ns
        dated.append(Entry(previous, what))
    return iter(sorted(dated, key=lambda entry: entry.received_ns))


def _own_time(thing: Object | Event) -> int | None:
    if isinstance(thing, Event):
        return occurrence(thing, 0).at_ns or None
    return thing.created_ns
