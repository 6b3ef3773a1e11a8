"""One Kubernetes object: JSON -> `Object`, `Event` or `Malformed`.

The JSON's own kind and apiVersion count; the caller's hints stand in where it has none (items of lists) or where it only says
that it is metadata (PartialObjectMetadata).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import msgspec

from kspanpy.core import sanitize, steps
from kspanpy.core.model import Event, Object, ObjectReference
from kspanpy.decode import fields, kinds, wire
from kspanpy.decode.metadata import allowed, count, generation, managers, owners, reference, remarks, term, text, word
from kspanpy.decode.metadata import resource_version as number
from kspanpy.decode.parsing import NOT_STRICT, Bytes, decoder, parse
from kspanpy.decode.remembered import remembered
from kspanpy.decode.results import Malformed, MalformedReason, malformed
from kspanpy.decode.times import nanoseconds

# API servers write these two first. A wrong guess costs a second pass, nothing else: the parsed values decide.
_BEGINNING = re.compile(rb'\s*\{\s*"(?:kind"\s*:\s*"([A-Za-z]{1,63})"\s*,\s*"apiVersion"\s*:\s*"([a-z0-9./-]{1,127})"|'
                        rb'apiVersion"\s*:\s*"([a-z0-9./-]{1,127})"\s*,\s*"kind"\s*:\s*"([A-Za-z]{1,63})")')  # fmt: skip
_PARTIAL = "PartialObjectMetadata"


class _Form(NamedTuple):
    """How the objects of one kind and apiVersion are read; `row` is None for Events."""

    wire: type[wire.AnyThing]
    strict: Callable[[Bytes], Any]
    row: kinds.Row | None


def _make_form(name: tuple[str, str]) -> _Form:
    row = None if kinds.is_event(*name) else kinds.row(*name)
    type_: type[wire.AnyThing] = wire.Event if row is None else row.wire
    return _Form(type_, decoder(type_).decode, row)


_form = remembered(_make_form, capacity=1024)


def _make_name(beginning: bytes) -> tuple[str, str]:
    found = _BEGINNING.match(beginning)
    return ((found[1] or found[4]).decode("ascii"), (found[2] or found[3]).decode("ascii")) if found else ("", "")


_name = remembered(_make_name, capacity=1024)


def _guess(raw: bytes | memoryview, at: int, *, kind: str, api_version: str) -> tuple[str, str]:
    """Kind and apiVersion, by how the object begins."""
    beginning = _BEGINNING.match(raw, at, at + 512)
    name = (kind, api_version) if beginning is None else _name(beginning[0])
    return (kind, api_version) if name[0] == _PARTIAL else name


def object_from(raw: Bytes, *, kind: str = "", api_version: str = "") -> Object | Event | Malformed:
    """The object in `raw`. Never raises."""
    guessed = _guess(memoryview(raw), 0, kind=kind, api_version=api_version)
    form = _form(guessed)
    thing = parse(raw, form.wire)
    if isinstance(thing, Malformed):
        return thing
    name = _name_of(thing, kind=kind, api_version=api_version)
    if name != guessed:
        true_form = _form(name)
        if true_form.wire is not form.wire:
            thing = parse(raw, true_form.wire)
            if isinstance(thing, Malformed):  # pragma: no cover - the first pass would have found it
                return thing
        form = true_form
    return _model(thing, form, name)


def plain_object(
    line: bytes, at: int, raw: msgspec.Raw, *, kind: str, api_version: str
) -> Object | Event | Malformed | None:
    """The same in one pass for JSON without any oddity, which stands in `line` from `at` on. None: it has some, or is no JSON."""
    name = _guess(line, at, kind=kind, api_version=api_version)
    form = _form(name)
    try:
        thing = form.strict(raw)
    except NOT_STRICT:
        return None
    return _model(thing, form, name) if _name_of(thing, kind=kind, api_version=api_version) == name else None


def to_step(change_type: str, thing: Object | Event) -> steps.Input | None:
    """The linker's input for a change; None for an Event that expired, which says nothing."""
    if isinstance(thing, Event):
        return None if change_type == "DELETED" else steps.EventSeen(thing)
    return steps.ObjectGone(thing) if change_type == "DELETED" else steps.ObjectSeen(thing)


def _name_of(thing: wire.AnyThing, *, kind: str, api_version: str) -> tuple[str, str]:
    if not thing.kind or thing.kind == _PARTIAL:
        return kind, api_version
    return thing.kind, thing.api_version or (api_version if thing.kind == kind else "")


def _model(thing: wire.AnyThing, form: _Form, name: tuple[str, str]) -> Object | Event | Malformed:
    kind, api_version = name
    short = thing.metadata
    if short is None:
        return malformed(MalformedReason.NO_METADATA, kind)
    if not short.name and not short.uid:
        return malformed(MalformedReason.NO_IDENTITY, kind)
    if not kind:
        return malformed(MalformedReason.NO_KIND)
    if form.row is None:
        return _event(cast("wire.Event", thing), short)
    metadata = cast("wire.Metadata", short)
    return Object(  # in the order of its fields: by name it takes several times as long
        word(api_version),
        word(kind),
        word(metadata.namespace),
        text(metadata.name, sanitize.NAME),
        text(metadata.uid, sanitize.UID),
        number(metadata.resource_version),
        generation(metadata.generation),
        nanoseconds(metadata.creation_timestamp),
        nanoseconds(metadata.deletion_timestamp),
        count(metadata.deletion_grace_period_seconds),
        owners(metadata.owner_references),
        managers(metadata.managed_fields, parts=form.row.changes),
        allowed(metadata.labels, fields.LABELS, fields.LABEL_VALUE),
        remarks(metadata.annotations),
        **form.row.fields(thing),
    )


_NOWHERE = ObjectReference()
_NO_SOURCE = wire.EventSource()
_NO_SERIES = wire.EventSeries()


def _event(thing: wire.Event, metadata: wire.ShortMetadata) -> Event:
    source = thing.source or thing.deprecated_source or _NO_SOURCE
    series = thing.series or _NO_SERIES
    involved = thing.involved_object or thing.regarding
    return Event(  # in the order of its fields, too
        text(metadata.uid, sanitize.UID),
        text(metadata.name, sanitize.NAME),
        word(metadata.namespace),
        _NOWHERE if involved is None else reference(involved),
        term(thing.reason),
        text(thing.message or thing.note, sanitize.MESSAGE),
        term(thing.type),
        term(thing.action),
        word(thing.reporting_component or thing.reporting_controller or source.component),
        word(thing.reporting_instance),
        word(source.host),
        None if thing.related is None else reference(thing.related),
        number(metadata.resource_version),
        count(thing.count if thing.count is not None else thing.deprecated_count),
        nanoseconds(thing.first_timestamp or thing.deprecated_first_timestamp),
        nanoseconds(thing.last_timestamp or thing.deprecated_last_timestamp),
        nanoseconds(thing.event_time),
        count(series.count),
        nanoseconds(series.last_observed_time),
        nanoseconds(metadata.creation_timestamp),
        remarks(metadata.annotations),
    )
