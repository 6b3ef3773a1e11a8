"""The parts that all kinds share, from wire to model: metadata, references, conditions, small clean values."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from kspanpy.core import model, sanitize
from kspanpy.decode import fields, ownership, wire
from kspanpy.decode.altered import clean, first
from kspanpy.decode.times import nanoseconds

_INT32 = 2**31 - 1
_INT64 = 2**63 - 1
_NO_TEXTS: Mapping[str, str] = {}


def text(value: str | None, limit: int) -> str:
    """A clean text; empty where the cluster said nothing."""
    return clean(value, limit) if value else ""


def word(value: str | None, limit: int = sanitize.NAME) -> str:
    """A clean text out of a small vocabulary (kinds, namespaces, reasons): kept once in memory."""
    return sys.intern(clean(value, limit)) if value else ""


def count(value: int | None) -> int:
    """A number of things: the API's int32, never negative."""
    return 0 if value is None else min(max(value, 0), _INT32)


def resource_version(value: str | None) -> int | None:
    """A resourceVersion as a number. It is opaque by contract and an etcd revision in fact; whatever else it is, is None."""
    if value and len(value) <= 19 and value.isascii() and value.isdigit():
        number = int(value)
        return number if number <= _INT64 else None
    return None


def generation(value: int | None) -> int:
    """metadata.generation and status.observedGeneration are int64."""
    return 0 if value is None else min(max(value, 0), _INT64)


def allowed(values: dict[str, str | None] | None, allow: frozenset[str], limit: int) -> Mapping[str, str]:
    """Only the allow-listed keys, with clean values."""
    if not values:
        return _NO_TEXTS
    return {key: clean(value, limit) for key, value in values.items() if value is not None and key in allow}


_CONTEXT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.{0,200})?")


def remarks(values: dict[str, str | None] | None) -> Mapping[str, str]:
    """The allow-listed annotations, and whatever is a W3C trace context by its form (with the tracestate beside it)."""
    if not values:
        return _NO_TEXTS
    kept = allowed(values, fields.ANNOTATIONS, fields.ANNOTATION_VALUE)
    contexts = [key for key, value in values.items() if value is not None and len(value) > 54 and value[2] == "-"]
    return {**kept, **_contexts(values, contexts)} if contexts else kept


def _contexts(values: dict[str, str | None], keys: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in first([key for key in keys if _CONTEXT.fullmatch(values[key] or "")], fields.MAX_CONTEXTS):
        found[clean(key, fields.ANNOTATION_KEY)] = clean(values[key] or "", fields.ANNOTATION_VALUE)
        state_key = key.removesuffix("traceparent") + "tracestate"
        if key.endswith("traceparent") and (state := values.get(state_key)):
            found[clean(state_key, fields.ANNOTATION_KEY)] = clean(state, fields.ANNOTATION_VALUE)
    return found


def reference(value: wire.ObjectReference | None) -> model.ObjectReference:
    """A reference as it was written; the uid may be a node's name, so it may be as long as one."""
    if value is None:
        return model.ObjectReference()
    return model.ObjectReference(
        kind=word(value.kind),
        namespace=word(value.namespace),
        name=text(value.name, sanitize.NAME),
        uid=text(value.uid, sanitize.NAME),
        api_version=word(value.api_version),
        resource_version=resource_version(value.resource_version),
        field_path=text(value.field_path, fields.FIELD_PATH),
    )


def owners(values: list[wire.OwnerReference | None] | None) -> tuple[model.OwnerReference, ...]:
    """The owners that can be found again: those with a kind and a uid or name."""
    if not values:
        return ()
    return tuple(
        model.OwnerReference(
            api_version=word(value.api_version),
            kind=word(value.kind),
            name=text(value.name, sanitize.NAME),
            uid=text(value.uid, sanitize.NAME),
            controller=value.controller is True,
        )
        for value in first(values, fields.MAX_OWNERS)
        if value is not None and value.kind and (value.uid or value.name)
    )


def managers(values: list[wire.ManagedFields | None] | None, *, parts: bool = True) -> tuple[model.FieldManager, ...]:
    """Who wrote what; `parts`: which parts of the spec it owns, too."""
    if not values:
        return ()
    look = ownership.read if parts else ownership.glance
    return tuple(
        model.FieldManager(
            word(value.manager, sanitize.REASON),
            word(value.operation, sanitize.REASON),
            word(value.subresource, sanitize.REASON),
            nanoseconds(value.time),
            *(ownership.STATUS if value.subresource == "status" else look(value.fields)),
        )
        for value in first(values, fields.MAX_MANAGERS)
        if value is not None
    )


def conditions(values: list[wire.Condition | None] | None) -> tuple[model.Condition, ...]:
    """status.conditions; an entry without a type says nothing."""
    if not values:
        return ()
    return tuple(
        model.Condition(
            type=word(value.type, sanitize.REASON),
            status=word(value.status, sanitize.REASON),
            reason=word(value.reason, sanitize.REASON),
            message=text(value.message, sanitize.CONDITION_MESSAGE),
            changed_ns=nanoseconds(value.last_transition_time),
            updated_ns=nanoseconds(value.last_update_time),
        )
        for value in first(values, fields.MAX_CONDITIONS)
        if value is not None and value.type
    )
