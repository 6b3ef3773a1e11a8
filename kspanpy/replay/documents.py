"""One JSON document over many lines: a `List` as kubectl prints it, or a single object.

It must be held whole, so it is bounded. One that ends in the middle (a full disk, a broken pipe) gives the items before that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from kspanpy.core.model import Event, Object
from kspanpy.decode import objects, parsing, streams
from kspanpy.decode.results import Malformed, MalformedReason, malformed
from kspanpy.errors import InputError

MAX_BYTES = streams.MAX_PAGE_BYTES

Item: TypeAlias = tuple[Object | Event | Malformed, msgspec.Raw]

_BEGINNING = re.compile(
    rb'\s*\{(?:[ \t\r]*\n|\s*"kind"\s*:\s*"[A-Za-z]*List"|\s*"apiVersion"\s*:\s*"[^"]{1,128}"\s*,'
    rb'\s*"(?:items"|metadata"|kind"\s*:\s*"[A-Za-z]*List"))'
)
_ITEMS = re.compile(r'"items"\s*:\s*\[')
_SEPARATOR = re.compile(r"[\s,]*")
_NO_RAW = msgspec.Raw(b"")


def begins(head: bytes) -> bool:
    """Whether this is the beginning of a document, and not of lines."""
    return _BEGINNING.match(head) is not None


def items(pieces: Iterator[bytes | Malformed], name: str) -> list[Item]:
    """The items of the document."""
    data = bytearray()
    damage: list[Item] = []
    for piece in pieces:
        if isinstance(piece, Malformed):
            damage.append((piece, _NO_RAW))
            break
        data += piece
        if len(data) > MAX_BYTES:
            raise InputError(f"{name}: is one document of more than {MAX_BYTES} bytes; give it as NDJSON")
    page = streams.list_page(bytes(data))
    if not isinstance(page, Malformed):
        return [*zip(page.items, page.raws, strict=True), *damage]
    if page.reason is MalformedReason.NOT_A_LIST:
        return [(objects.object_from(bytes(data)), msgspec.Raw(bytes(data))), *damage]
    return [
        *_salvage(data.decode("utf-8", errors="replace")),
        (malformed(MalformedReason.CUT_OFF, page.detail), _NO_RAW),
    ]


def _salvage(text: str) -> Iterator[Item]:
    """The whole items at the beginning of a list that has no end."""
    start = _ITEMS.search(text)
    if start is None:
        return
    decoder = json.JSONDecoder(strict=False)
    position = start.end()
    while True:
        separator = _SEPARATOR.match(text, position)
        position = separator.end() if separator else position
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        raw = parsing.dump(value)
        yield objects.object_from(raw), raw
