"""The parts that all kinds share, from wire to model: metadata, references, conditions, small clean values."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Final

from kspanpy.core import model, sanitize
from kspanpy.decode import fields, ownership, wire
from kspanpy.decode.altered import clean, first
from kspanpy.decode.remembered import remembered
from kspanpy.decode.times import nanoseconds

_INT32 = 2**31 - 1
_INT64 = 2**63 - 1
_NO_TEXTS: Mapping[str, str] = {}

# How many different ones are remembered: some hundred bytes each.
_WORDS = 4096
_SHARED = 1024
_CONDITIONS = 2048


def text(value: str | None, limit: int) -> str:
    """A clean text; empty where the cluster said nothing."""
    if value and len(value) <= limit and value.isprintable():  # as in `clean`, without calling it: most texts are such
        return value
    return clean(value, limit) if value else ""


def _vocabulary(limit: int) -> Callable[[str | None], str]:
    return remembered(lambda value: sys.intern(clean(value, limit)) if value else "", capacity=_WORDS)


word: Final = _vocabulary(sanitize.NAME)
"""A clean text out of a small vocabulary (kinds, namespaces, names of nodes): kept once in memory."""

term: Final = _vocabulary(sanitize.REASON)
"""The same, of reasons, states and names of programs, which are shorter."""

_field_path: Final = _vocabulary(fields.FIELD_PATH)


def count(value: int | None) -> int:
    """A number of things: the API's int32, never negative."""
    if value is None or value < 0:
        return 0
    return min(value, _INT32)


def resource_version(value: str | None) -> int | None:
    """A resourceVersion as a number. It is opaque by contract and an etcd revision in fact; whatever else it is, is None."""
    if value and len(value) <= 19 and value.isascii() and value.isdigit():
        number = int(value)
        return number if number <= _INT64 else None
    return None


def generation(value: int | None) -> int:
    """metadata.generation and status.observedGeneration are int64."""
    if value is None or value < 0:
        return 0
    return min(value, _INT64)


def allowed(values: dict[str, str | None] | None, allow: frozenset[str], limit: int) -> Mapping[str, str]:
    """Only the allow-listed keys, with clean values; the same mapping for all objects that have the same."""
    if not values:
        return _NO_TEXTS
    kept = [(key, clean(value, limit)) for key, value in values.items() if key in allow and value is not None]
    return _mapping(tuple(kept)) if kept else _NO_TEXTS


def _make_mapping(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return dict(items)


_mapping = remembered(_make_mapping, capacity=_SHARED)
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
        word(value.kind),
        word(value.namespace),
        text(value.name, sanitize.NAME),
        text(value.uid, sanitize.NAME),
        word(value.api_version),
        resource_version(value.resource_version),
        _field_path(value.field_path),
    )


def owners(values: list[wire.OwnerReference | None] | None) -> tuple[model.OwnerReference, ...]:
    """The owners that can be found again: those with a kind and a uid or name."""
    if not values:
        return ()
    return tuple(
        [
            _owner(value)
            for value in first(values, fields.MAX_OWNERS)
            if value is not None and value.kind and (value.uid or value.name)
        ]
    )


def _make_owner(value: wire.OwnerReference) -> model.OwnerReference:
    return model.OwnerReference(
        api_version=word(value.api_version),
        kind=word(value.kind),
        name=text(value.name, sanitize.NAME),
        uid=text(value.uid, sanitize.NAME),
        controller=value.controller is True,
    )


_owner = remembered(_make_owner, capacity=_SHARED)


def managers(values: list[wire.ManagedFields | None] | None, *, parts: bool = True) -> tuple[model.FieldManager, ...]:
    """Who wrote what; `parts`: which parts of the spec it owns, too."""
    if not values:
        return ()
    look = ownership.read if parts else ownership.glance
    return tuple(
        [
            _manager(
                (
                    value.manager,
                    value.operation,
                    value.subresource,
                    value.time,
                    ownership.STATUS if value.subresource == "status" else look(value.fields),
                )
            )
            for value in first(values, fields.MAX_MANAGERS)
            if value is not None
        ]
    )


def _make_manager(entry: tuple[str | None, str | None, str | None, str | None, ownership.Owned]) -> model.FieldManager:
    manager, operation, subresource, time, owned = entry
    return model.FieldManager(term(manager), term(operation), term(subresource), nanoseconds(time), *owned)


_manager = remembered(_make_manager, capacity=_SHARED)


def conditions(values: list[wire.Condition | None] | None) -> tuple[model.Condition, ...]:
    """status.conditions; an entry without a type says nothing."""
    if not values:
        return ()
    return tuple(
        [_condition(value) for value in first(values, fields.MAX_CONDITIONS) if value is not None and value.type]
    )


def _make_condition(value: wire.Condition) -> model.Condition:
    return model.Condition(
        type=term(value.type),
        status=term(value.status),
        reason=term(value.reason),
        message=text(value.message, sanitize.CONDITION_MESSAGE),
        changed_ns=nanoseconds(value.last_transition_time),
        updated_ns=nanoseconds(value.last_update_time),
    )


_condition = remembered(_make_condition, capacity=_CONDITIONS)
