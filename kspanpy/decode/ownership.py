"""Which parts of a spec a manager owns, by the fieldsV1 of its entry in managedFields.

Only names are in there, no values. What was read is remembered by its bytes: the entry of whoever created an object comes again
with every version of it. https://github.com/kubernetes-sigs/structured-merge-diff/blob/master/fieldpath/serialize-pe.go
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from kspanpy.decode import fields, parsing
from kspanpy.decode.altered import clean, first
from kspanpy.decode.specs import shared

_REMEMBERED = 4096  # entries; some hundred bytes each. Grows with different entries, then the longest unused go
_LONGEST = 32 * 1024


class Owned(NamedTuple):
    """What the fields of one entry say."""

    touches_spec: bool
    touches_status: bool
    parts: tuple[str, ...]


NOTHING = Owned(touches_spec=False, touches_status=False, parts=())
SPEC = Owned(touches_spec=True, touches_status=False, parts=())
STATUS = Owned(touches_spec=False, touches_status=True, parts=())  # of the subresource: no wish can be written there


def glance(raw: msgspec.Raw) -> Owned:
    """Whether anything of the spec is owned, without reading which: enough where a spec does not change."""
    return SPEC if b'"f:spec"' in bytes(raw) else NOTHING


def read(raw: msgspec.Raw) -> Owned:
    """The parts in `raw`. Never raises."""
    data = bytes(raw)
    return _remembered(data) if len(data) <= _LONGEST else _read(data)


def _read(data: bytes) -> Owned:
    try:
        value = msgspec.json.decode(data) if data else None
    except (msgspec.MsgspecError, UnicodeError):
        value = parsing.plain(data)
    except RecursionError:
        return NOTHING
    if not isinstance(value, dict):
        return NOTHING
    names = {clean(name, fields.PART) for name in _spec(value.get("f:spec"))}
    parts = shared(tuple(first(sorted(names), fields.MAX_PARTS)))
    return Owned(touches_spec="f:spec" in value, touches_status="f:status" in value, parts=parts)


_remembered = lru_cache(maxsize=_REMEMBERED)(_read)


def _spec(owned: Any, within: str = "") -> Iterator[str]:
    for key, value in _children(owned):
        if key == "template" and value:
            yield from _template(value, f"{within}template/")
        elif key == "jobTemplate" and isinstance(value, dict):
            if "f:metadata" in value:
                yield "jobTemplate/metadata"
            yield from _spec(value.get("f:spec"), "jobTemplate/")
        else:
            yield within + key


def _template(owned: Any, within: str) -> Iterator[str]:
    for key, value in _children(owned):
        if key == "metadata":
            yield from _metadata(value, within)
        elif key == "spec":
            yield from _pod(value, within)
        else:
            yield within + key


def _metadata(owned: Any, within: str) -> Iterator[str]:
    for key, value in _children(owned):
        names = [name for name, _ in _children(value)]
        if key == "annotations" and fields.RESTARTED_AT in names:
            yield f"{within}restartedAt"
            names.remove(fields.RESTARTED_AT)
            if names:
                yield within + key
        else:
            yield within + key


def _pod(owned: Any, within: str) -> Iterator[str]:
    for key, value in _children(owned):
        if key not in ("containers", "initContainers") or not isinstance(value, dict):
            yield within + key
            continue
        for entry, inner in value.items():
            name = _name(entry)
            if name:
                for field, _ in _children(inner):
                    if field == "name":
                        yield within + key  # whoever owns the name has put the container into the list
                    else:
                        yield f"{within}{key}/{name}/{field}"


def _name(entry: str) -> str:
    """`app` of `k:{"name":"app"}`."""
    if not entry.startswith("k:"):
        return ""
    try:
        key = json.loads(entry[2:])
    except (ValueError, RecursionError):
        return ""
    return str(key.get("name", "")) if isinstance(key, dict) else ""


def _children(owned: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(owned, dict):
        for key, value in owned.items():
            if key.startswith("f:"):
                yield key[2:], value
