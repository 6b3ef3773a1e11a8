"""The decoder's promise, for any bytes: a value or Malformed, clean and bounded text, and the next line is read as if nothing had been.

`check` raises AssertionError (or whatever the decoder let through) when the promise is broken. It needs no atheris.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from kspanpy import decode
from kspanpy.core import sanitize
from kspanpy.core.model import Event, Object
from kspanpy.kube.framing import LineSplitter

_HINTS = (
    ("", ""),
    ("Event", "v1"),
    ("Pod", "v1"),
    ("Deployment", "apps/v1"),
    ("PartialObjectMetadata", "meta.k8s.io/v1"),
)
_RESULTS = (decode.Change, decode.Bookmark, decode.WatchFailure, decode.Malformed)
_NEXT = (
    b'{"type":"ADDED","object":{"kind":"Event","apiVersion":"v1","metadata":{"name":"next","namespace":"n","uid":"u"}}}'
)
_EXPECTED = decode.watch_line(_NEXT)
_LONGEST_TEXT = 1024
_LONGEST_TOKEN = 16 * 1024
_END_NS = 1 << 63


def check(data: bytes) -> None:
    """Everything that is promised of these bytes."""
    for kind, api_version in _HINTS:
        found = decode.watch_line(data, kind=kind, api_version=api_version)
        assert isinstance(found, _RESULTS), type(found)
        _check_value(found)
        if isinstance(found, decode.Change):
            decode.to_step(found.type, found.object)
        thing = decode.object_from(data, kind=kind, api_version=api_version)
        assert isinstance(thing, (Object, Event, decode.Malformed)), type(thing)
        _check_value(thing)
        page = decode.list_page(data, kind=kind, api_version=api_version)
        assert isinstance(page, (decode.ListPage, decode.Malformed)), type(page)
        _check_value(page)
        if isinstance(page, decode.ListPage):
            assert len(page.items) == len(page.raws)
    lines = list(_lines(data + b"\n" + _NEXT + b"\n"))
    assert lines, data
    assert decode.watch_line(lines[-1]) == _EXPECTED


def _lines(stream: bytes) -> Iterator[bytes]:
    splitter = LineSplitter(capacity=1 << 20)
    for start in range(0, len(stream), 61):
        for line in splitter.feed(stream[start : start + 61]):
            if line is not None:
                yield line


def _check_value(value: Any) -> None:
    if isinstance(value, msgspec.Raw):
        return
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            field = getattr(value, name)
            _check_field(name, field)
            _check_value(field)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            _check_field("key", key)
            _check_field("entry", entry)
    elif isinstance(value, list | tuple):
        assert len(value) <= 512 or isinstance(value, list), len(value)
        for entry in value:
            _check_field("entry", entry)
            _check_value(entry)


def _check_field(name: str, value: Any) -> None:
    if isinstance(value, str):
        limit = _LONGEST_TOKEN if name == "continue_token" else _LONGEST_TEXT
        assert value == sanitize.text(value, limit), (name, value[:200])
        value.encode()
    elif isinstance(value, int):
        assert -(2**31) <= value < _END_NS, (name, value)
        assert value >= 0 or name == "exit_code", (name, value)
