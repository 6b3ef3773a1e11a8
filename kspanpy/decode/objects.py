"""One Kubernetes object: JSON -> `Object`, `Event` or `Malformed`.

The JSON's own kind and apiVersion count; the caller's hints stand in where it has none (items of lists) or where it only says
that it is metadata (PartialObjectMetadata).
"""

from __future__ import annotations

import re
from typing import cast

from kspanpy.core import sanitize, steps
from kspanpy.core.model import Event, Object, ObjectReference
from kspanpy.decode import fields, kinds, wire
from kspanpy.decode.metadata import allowed, count, generation, managers, owners, reference, remarks, text, word
from kspanpy.decode.metadata import resource_version as number
from kspanpy.decode.parsing import Bytes, parse
from kspanpy.decode.results import Malformed, MalformedReason, malformed
from kspanpy.decode.times import nanoseconds

# API servers write these two first. A wrong guess costs a second pass, nothing else: the parsed values decide.
_BEGINNING = re.compile(rb'\s*\{\s*"(?:kind"\s*:\s*"([A-Za-z]{1,63})"\s*,\s*"apiVersion"\s*:\s*"([a-z0-9./-]{1,127})"|'
                        rb'apiVersion"\s*:\s*"([a-z0-9./-]{1,127})"\s*,\s*"kind"\s*:\s*"([A-Za-z]{1,63})")')  # fmt: skip
_PARTIAL = "PartialObjectMetadata"


def object_from(raw: Bytes, *, kind: str = "", api_version: str = "") -> Object | Event | Malformed:
    """The object in `raw`. Never raises."""
    view = memoryview(raw)
    guess = _BEGINNING.match(view[:512])
    guessed_kind, guessed_version = kind, api_version
    if guess is not None:
        guessed_kind = (guess[1] or guess[4]).decode("ascii")
        guessed_version = (guess[2] or guess[3]).decode("ascii")
        if guessed_kind == _PARTIAL:
            guessed_kind, guessed_version = kind, api_version
    type_ = _wire_type(guessed_kind, guessed_version)
    thing = parse(raw, type_)
    if isinstance(thing, Malformed):
        return thing
    true_kind, true_version = _name_of(thing, kind=kind, api_version=api_version)
    if _wire_type(true_kind, true_version) is not type_:
        thing = parse(raw, _wire_type(true_kind, true_version))
        if isinstance(thing, Malformed):  # pragma: no cover - the first pass would have found it
            return thing
    return _model(thing, kind=true_kind, api_version=true_version)


def to_step(change_type: str, thing: Object | Event) -> steps.Input | None:
    """The linker's input for a change; None for an Event that expired, which says nothing."""
    if isinstance(thing, Event):
        return None if change_type == "DELETED" else steps.EventSeen(thing)
    return steps.ObjectGone(thing) if change_type == "DELETED" else steps.ObjectSeen(thing)


def _wire_type(kind: str, api_version: str) -> type[wire.Thing]:
    return wire.Event if kinds.is_event(kind, api_version) else kinds.row(kind, api_version).wire


def _name_of(thing: wire.Thing, *, kind: str, api_version: str) -> tuple[str, str]:
    if not thing.kind or thing.kind == _PARTIAL:
        return kind, api_version
    return thing.kind, thing.api_version or (api_version if thing.kind == kind else "")


def _model(thing: wire.Thing, *, kind: str, api_version: str) -> Object | Event | Malformed:
    if thing.metadata is None:
        return malformed(MalformedReason.NO_METADATA, kind)
    if not thing.metadata.name and not thing.metadata.uid:
        return malformed(MalformedReason.NO_IDENTITY, kind)
    if not kind:
        return malformed(MalformedReason.NO_KIND)
    if kinds.is_event(kind, api_version):
        return _event(cast("wire.Event", thing), thing.metadata)
    metadata = thing.metadata
    row = kinds.row(kind, api_version)
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
        managers=managers(metadata.managed_fields, parts=row.changes),
        labels=allowed(metadata.labels, fields.LABELS, fields.LABEL_VALUE),
        annotations=remarks(metadata.annotations),
        **row.fields(thing),
    )


_NOWHERE = ObjectReference()


def _event(thing: wire.Event, metadata: wire.Metadata) -> Event:
    source = thing.source or thing.deprecated_source or wire.EventSource()
    series = thing.series or wire.EventSeries()
    involved = thing.involved_object or thing.regarding
    return Event(
        uid=text(metadata.uid, sanitize.UID),
        name=text(metadata.name, sanitize.NAME),
        namespace=word(metadata.namespace),
        involved=_NOWHERE if involved is None else reference(involved),
        reason=word(thing.reason, sanitize.REASON),
        message=text(thing.message or thing.note, sanitize.MESSAGE),
        type=word(thing.type, sanitize.REASON),
        action=word(thing.action, sanitize.REASON),
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
