"""One Kubernetes object: JSON -> `Object`, `Event` or `Malformed`.

The JSON's own kind and apiVersion count; the caller's hints stand in where it has none (items of lists) or where it only says
that it is metadata (PartialObjectMetadata).
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

from kspanpy.core import sanitize, steps
from kspanpy.core.model import Event, Object, ObjectReference
from kspanpy.decode import fields, kinds, wire
from kspanpy.decode.metadata import allowed, count, generation, managers, owners, reference, remarks, term, text, word
from kspanpy.decode.metadata import resource_version as number
from kspanpy.decode.parsing import Bytes, parse, strict
from kspanpy.decode.remembered import remembered
from kspanpy.decode.results import Malformed, MalformedReason, malformed
from kspanpy.decode.times import nanoseconds

# API servers write these two first. A wrong guess costs a second pass, nothing else: the parsed values decide.
_BEGINNING = re.compile(rb'\s*\{\s*"(?:kind"\s*:\s*"([A-Za-z]{1,63})"\s*,\s*"apiVersion"\s*:\s*"([a-z0-9./-]{1,127})"|'
                        rb'apiVersion"\s*:\s*"([a-z0-9./-]{1,127})"\s*,\s*"kind"\s*:\s*"([A-Za-z]{1,63})")')  # fmt: skip
_PARTIAL = "PartialObjectMetadata"


class _Form(NamedTuple):
    """How the objects of one kind and apiVersion are read; `row` is None for Events."""

    wire: type[wire.Thing]
    row: kinds.Row | None


def _make_form(name: tuple[str, str]) -> _Form:
    if kinds.is_event(*name):
        return _Form(wire.Event, None)
    row = kinds.row(*name)
    return _Form(row.wire, row)


_form = remembered(_make_form, capacity=1024)


def _make_name(beginning: bytes) -> tuple[str, str]:
    found = _BEGINNING.match(beginning)
    return ((found[1] or found[4]).decode("ascii"), (found[2] or found[3]).decode("ascii")) if found else ("", "")


_name = remembered(_make_name, capacity=1024)


def _guess(raw: Bytes, *, kind: str, api_version: str) -> tuple[str, str]:
    """Kind and apiVersion, by how the object begins."""
    beginning = _BEGINNING.match(memoryview(raw)[:512])
    name = (kind, api_version) if beginning is None else _name(beginning[0])
    return (kind, api_version) if name[0] == _PARTIAL else name


def object_from(raw: Bytes, *, kind: str = "", api_version: str = "") -> Object | Event | Malformed:
    """The object in `raw`. Never raises."""
    guessed = _guess(raw, kind=kind, api_version=api_version)
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


def plain_object(raw: Bytes, *, kind: str = "", api_version: str = "") -> Object | Event | Malformed | None:
    """The same in one pass, for JSON without any oddity. None: it has some, or is no JSON."""
    name = _guess(raw, kind=kind, api_version=api_version)
    form = _form(name)
    thing = strict(raw, form.wire)
    if thing is None or _name_of(thing, kind=kind, api_version=api_version) != name:
        return None
    return _model(thing, form, name)


def to_step(change_type: str, thing: Object | Event) -> steps.Input | None:
    """The linker's input for a change; None for an Event that expired, which says nothing."""
    if isinstance(thing, Event):
        return None if change_type == "DELETED" else steps.EventSeen(thing)
    return steps.ObjectGone(thing) if change_type == "DELETED" else steps.ObjectSeen(thing)


def _name_of(thing: wire.Thing, *, kind: str, api_version: str) -> tuple[str, str]:
    if not thing.kind or thing.kind == _PARTIAL:
        return kind, api_version
    return thing.kind, thing.api_version or (api_version if thing.kind == kind else "")


def _model(thing: wire.Thing, form: _Form, name: tuple[str, str]) -> Object | Event | Malformed:
    kind, api_version = name
    metadata = thing.metadata
    if metadata is None:
        return malformed(MalformedReason.NO_METADATA, kind)
    if not metadata.name and not metadata.uid:
        return malformed(MalformedReason.NO_IDENTITY, kind)
    if not kind:
        return malformed(MalformedReason.NO_KIND)
    if form.row is None:
        return _event(cast("wire.Event", thing), metadata)
    return Object(
        api_version=word(api_version),
        kind=word(kind),
        namespace=word(metadata.namespace),
        name=text(metadata.name, sanitize.NAME),
        uid=text(metadata.uid, sanitize.UID),
        resource_version=number(metadata.resource_version),
        generation=generation(metadata.generation),
        created_ns=nanoseconds(metadata.creation_timestamp),
        deletion_ns=nanoseconds(metadata.deletion_timestamp),
        grace_s=count(metadata.deletion_grace_period_seconds),
        owners=owners(metadata.owner_references),
        managers=managers(metadata.managed_fields, parts=form.row.changes),
        labels=allowed(metadata.labels, fields.LABELS, fields.LABEL_VALUE),
        annotations=remarks(metadata.annotations),
        **form.row.fields(thing),
    )


_NOWHERE = ObjectReference()
_NO_SOURCE = wire.EventSource()
_NO_SERIES = wire.EventSeries()


def _event(thing: wire.Event, metadata: wire.Metadata) -> Event:
    source = thing.source or thing.deprecated_source or _NO_SOURCE
    series = thing.series or _NO_SERIES
    involved = thing.involved_object or thing.regarding
    return Event(
        uid=text(metadata.uid, sanitize.UID),
        name=text(metadata.name, sanitize.NAME),
        namespace=word(metadata.namespace),
        involved=_NOWHERE if involved is None else reference(involved),
        reason=term(thing.reason),
        message=text(thing.message or thing.note, sanitize.MESSAGE),
        type=term(thing.type),
        action=term(thing.action),
        component=word(thing.reporting_component or thing.reporting_controller or source.component),
        instance=word(thing.reporting_instance),
        host=word(source.host),
        related=None if thing.related is None else reference(thing.related),
        resource_version=number(metadata.resource_version),
        count=count(thing.count if thing.count is not None else thing.deprecated_count),
        first_ns=nanoseconds(thing.first_timestamp or thing.deprecated_first_timestamp),
        last_ns=nanoseconds(thing.last_timestamp or thing.deprecated_last_timestamp),
        event_time_ns=nanoseconds(thing.event_time),
        series_count=count(series.count),
        series_last_ns=nanoseconds(series.last_observed_time),
        created_ns=nanoseconds(metadata.creation_timestamp),
        annotations=remarks(metadata.annotations),
    )
