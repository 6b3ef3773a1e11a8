"""What every encoder asks of a span first: so that one bad span costs itself and never its batch, whatever made it.

The core promises clean spans; this is the last gate before bytes, where a mistake would cost 511 others. What is cheap to
repair is repaired (cut, replaced, left out and counted in the field that OTLP has for it); a span without a valid id or
time has no place in any trace and is dropped. The result is a pure function of the span: repaired the same way every time.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kspanpy.core.model import AttributeValue, Link, Span
from kspanpy.export.sink import DropReason

MAX_TIME_NS: Final = 2**64 - 1
MAX_ATTRIBUTES: Final = 128
MAX_LINKS: Final = 128
MAX_TEXT: Final = 2048
"""Characters of a value, a name or a key. The core cuts earlier; Tempo cuts at 2048 bytes."""
ELLIPSIS: Final = "…"

_INT64: Final = range(-(2**63), 2**63)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_NO_ID: Final = frozenset({bytes(8), bytes(16)})


class CheckedSpan(NamedTuple):
    """A span that can be encoded: attributes sorted by key, every text valid Unicode and bounded."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    service: str
    start_ns: int
    end_ns: int
    attributes: list[tuple[str, AttributeValue]]
    error: str
    links: tuple[Link, ...]
    dropped_attributes: int
    dropped_links: int
    repaired: bool


def checked(span: Span) -> CheckedSpan | DropReason:
    """The span as it can be sent, or why it can not. Never raises."""
    try:
        return _checked(span)
    except Exception:  # noqa: BLE001 - not even a span of the wrong types may cost the others
        return DropReason.ENCODING


def _checked(span: Span) -> CheckedSpan | DropReason:
    if not (is_id(span.trace_id, 16) and is_id(span.span_id, 8)):
        return DropReason.INVALID_ID
    if span.parent_id != b"" and not is_id(span.parent_id, 8):
        return DropReason.INVALID_ID
    start, end = span.start_ns, span.end_ns
    if type(start) is not int or type(end) is not int or not (0 < start <= MAX_TIME_NS and end <= MAX_TIME_NS):
        return DropReason.INVALID_TIME
    # A span that ends before it starts has lost its length, not its place.
    end = max(start, end)

    attributes, dropped_attributes = _attributes(span.attributes)
    links = span.links
    if links:
        links = tuple(
            Link(link.trace_id, link.span_id, clean_text(link.relation))
            for link in links[:MAX_LINKS]
            if is_id(link.trace_id, 16) and is_id(link.span_id, 8)
        )
    if not all(isinstance(text, str) for text in (span.name, span.service, span.error)):
        return DropReason.ENCODING
    name, service, error = clean_text(span.name), clean_text(span.service), clean_text(span.error)
    repaired = (
        dropped_attributes > 0
        or end != span.end_ns
        or links != span.links
        or (name, service, error) != (span.name, span.service, span.error)
        or any(_differs(span.attributes.get(key), value) for key, value in attributes)
    )
    return CheckedSpan(
        span.trace_id,
        span.span_id,
        span.parent_id,
        name,
        service,
        start,
        end,
        attributes,
        error,
        links,
        dropped_attributes,
        len(span.links) - len(links),
        repaired,
    )


def _differs(given: object, sent: object) -> bool:
    return given is not sent and given != sent


def is_id(value: bytes, size: int) -> bool:
    """Whether it is a trace id (16 bytes) or span id (8); all zero is none."""
    return type(value) is bytes and len(value) == size and value not in _NO_ID


def _attributes(given: dict[str, AttributeValue]) -> tuple[list[tuple[str, AttributeValue]], int]:
    """The attributes that can be encoded, sorted, and how many can not."""
    kept: dict[str, AttributeValue] = {}
    for key, value in given.items():
        if not isinstance(key, str) or not key:
            continue
        kind = type(value)
        key = clean_text(str.__str__(key))  # of an enum its text, as below  # noqa: PLW2901
        if kind is str:
            kept[key] = clean_text(value)  # type: ignore[arg-type]
        elif isinstance(value, str):
            kept[key] = clean_text(str(value))
        elif kind is bool or kind is float or (kind is int and value in _INT64):
            kept[key] = value
    attributes = sorted(kept.items())  # keys are unique, so values are never compared
    return attributes[:MAX_ATTRIBUTES], len(given) - min(len(attributes), MAX_ATTRIBUTES)


def clean_text(value: str) -> str:
    """`value` as valid Unicode of at most MAX_TEXT characters."""
    if len(value) > MAX_TEXT:
        value = value[: MAX_TEXT - 1] + ELLIPSIS
    if value.isascii():
        return value
    return _SURROGATES.sub("\ufffd", value)
