"""What an API server sends about many objects: the lines of a watch, the pages of a list."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from kspanpy.core import sanitize
from kspanpy.decode import fields, wire
from kspanpy.decode.metadata import count, text, word
from kspanpy.decode.metadata import resource_version as number
from kspanpy.decode.objects import object_from, plain_object
from kspanpy.decode.parsing import Bytes, parse
from kspanpy.decode.results import Bookmark, Change, ListPage, Malformed, MalformedReason, WatchFailure, malformed

CHANGES: Final = frozenset({"ADDED", "MODIFIED", "DELETED"})

_PLAIN = re.compile(rb'\{"type":"(ADDED|MODIFIED|DELETED)","object":(?=\{)')  # as API servers write it
_CHANGE: Final = {change.encode(): change for change in CHANGES}
MAX_PAGE_BYTES = 512 * 1024 * 1024
_TOKEN = 16 * 1024  # a continue token is an opaque text of some hundred bytes
_VERSION = 128


def watch_line(line: bytes, *, kind: str = "", api_version: str = "") -> Change | Bookmark | WatchFailure | Malformed:
    """One line of a watch response. Never raises."""
    begins = _PLAIN.match(line) if len(line) <= fields.MAX_OBJECT_BYTES else None
    if begins is not None and line[-1:] == b"}":
        # If what is between this beginning and the last brace is one JSON value, it is the object, and there is nothing else in
        # the line: it need not be parsed twice.
        raw = msgspec.Raw(memoryview(line)[begins.end() : -1])
        thing = plain_object(line, begins.end(), raw, kind=kind, api_version=api_version)
        if thing is not None:
            return thing if isinstance(thing, Malformed) else Change(_CHANGE[begins[1]], thing, raw)
    event = parse(line, wire.WatchEvent)
    if isinstance(event, Malformed):
        return event
    if event.kind == "Status" and not event.type:  # the request failed before the watch began
        return _failure(line)
    return change_from(event.type or "", event.object, kind=kind, api_version=api_version)


def change_from(
    type_: str, raw: msgspec.Raw, *, kind: str = "", api_version: str = ""
) -> Change | Bookmark | WatchFailure | Malformed:
    """The parts of a watch line, put together."""
    if type_ == "ERROR":
        return _failure(raw)
    if type_ == "BOOKMARK":
        return _bookmark(raw, kind=kind)
    if type_ not in CHANGES:
        return malformed(MalformedReason.UNKNOWN_TYPE, type_)
    if not memoryview(raw):
        return malformed(MalformedReason.NOT_AN_OBJECT, "no object")
    thing = object_from(raw, kind=kind, api_version=api_version)
    return thing if isinstance(thing, Malformed) else Change(type_, thing, raw)


def list_page(body: Bytes, *, kind: str = "", api_version: str = "") -> ListPage | Malformed:
    """One page of a list; the items of a `PodList` are Pods even if nobody says so. Never raises."""
    page = parse(body, wire.List, limit=MAX_PAGE_BYTES)
    if isinstance(page, Malformed):
        return page
    list_kind = page.kind or ""
    # Go leaves out the items of an empty list or writes null, so a list is also what is called one.
    if page.items is None and (page.metadata is None or not list_kind.endswith("List")):
        return malformed(MalformedReason.NOT_A_LIST, list_kind)
    if not kind and list_kind.endswith("List"):
        kind, api_version = list_kind.removesuffix("List"), api_version or page.api_version or ""
    raws = page.items or []
    metadata = page.metadata or wire.ListMetadata()
    return ListPage(
        items=[object_from(raw, kind=kind, api_version=api_version) for raw in raws],
        raws=raws,
        resource_version=number(metadata.resource_version),
        resource_version_text=text(metadata.resource_version, _VERSION),
        continue_token=text(metadata.continue_token, _TOKEN),
    )


def _bookmark(raw: Bytes, *, kind: str) -> Bookmark | Malformed:
    thing = parse(raw, wire.Thing)
    if isinstance(thing, Malformed):
        return thing
    metadata = thing.metadata or wire.Metadata()
    return Bookmark(
        kind=word(kind or thing.kind),
        resource_version=number(metadata.resource_version),
        resource_version_text=text(metadata.resource_version, _VERSION),
        initial_events_end=(metadata.annotations or {}).get(fields.INITIAL_EVENTS_END) == "true",
    )


def _failure(raw: Bytes) -> WatchFailure:
    status = parse(raw, wire.Status)
    if isinstance(status, Malformed):
        return WatchFailure(0, "", "an error without a Status")
    seconds = status.details.retry_after_seconds if status.details else None
    return WatchFailure(
        code=count(status.code),
        reason=text(status.reason, sanitize.REASON),
        message=text(status.message, sanitize.MESSAGE),
        retry_after_s=None if seconds is None or seconds <= 0 else float(count(seconds)),
    )
