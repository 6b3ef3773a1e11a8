"""The span that brought a change about, if whoever made the change left a W3C trace context on the object.

The annotation stays on the object and is copied to what the object makes (kubernetes-events 7.15), so it counts only for the change
with which it came. https://www.w3.org/TR/trace-context-2/#traceparent-header, KEP-5915 for the key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from kspanpy.core.model import Object

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER = re.compile(r"[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_MAX_STATE, _MAX_MEMBERS = 512, 32
_KEY = "traceparent"


class TraceContext(msgspec.Struct, frozen=True, gc=False):
    """A span of somebody else's trace."""

    trace_id: bytes
    span_id: bytes
    state: str = ""


def fresh(before: Object | None, after: Object, keys: Sequence[str]) -> TraceContext | None:
    """The context that came with this change (`before` None: with the object), by the first of these annotations that has one."""
    if before is None and after.owners:
        return None  # its maker made it, and what is written on it may be a copy
    for key in keys:
        value = after.annotations.get(key)
        if value and (before is None or before.annotations.get(key) != value):
            context = _read(value, after.annotations.get(state_key(key), ""))
            if context is not None:
                return context
    return None


def state_key(key: str) -> str:
    """Where the tracestate stands that belongs to a traceparent; empty if there is no such place."""
    return key.removesuffix(_KEY) + "tracestate" if key.endswith(_KEY) else ""


def parse(parent: str, state: str = "") -> TraceContext | None:
    """None for anything but a valid traceparent. A tracestate that is not valid is left out, as the specification has it."""
    match = _PARENT.fullmatch(parent)
    if match is None:
        return None
    version, trace, span, _, more = match.groups()
    if version == "ff" or (version == "00" and more):  # later versions may say more, after a dash
        return None
    trace_id, span_id = bytes.fromhex(trace), bytes.fromhex(span)
    if not any(trace_id) or not any(span_id):
        return None
    return TraceContext(trace_id, span_id, state if _is_state(state) else "")


def _read(value: str, state: str) -> TraceContext | None:
    if not value.startswith("{"):
        return parse(value, state)
    try:  # Tekton writes the headers as one JSON object
        carrier = msgspec.json.decode(value, type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return parse(carrier.get(_KEY, ""), carrier.get("tracestate", ""))


def _is_state(state: str) -> bool:
    members = [member.strip(" \t") for member in state.split(",")]
    return len(state) <= _MAX_STATE and len(members) <= _MAX_MEMBERS and all(map(_MEMBER.fullmatch, members))
