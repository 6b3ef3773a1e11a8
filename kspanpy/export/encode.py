"""Spans as OTLP protobuf: each span once, alone, into bytes; requests by putting those bytes together.

A span is encoded when it is offered, so a bad one can only cost itself, the queue knows the true size of what it holds, and
retries and halved batches cost nothing. Protobuf makes this legal: a message is the concatenation of its fields.

Only content of the cluster and of the settings is in the bytes - no pid, no version, no time of sending - because a span
that is sent again after a restart must be byte-identical. Attributes are sorted by key for the same reason.

Nearly every span needs no repair: `encode_clean` checks and writes it in one pass and refuses whatever it is not sure of. That goes
through `checked`, and then the same way. The bytes are those of protobuf's own classes; the numbers of the fields are those of
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from kspanpy.core.model import Link, Span
from kspanpy.export.checked import MAX_ATTRIBUTES, MAX_LINKS, MAX_TEXT, MAX_TIME_NS, CheckedSpan, checked, is_id
from kspanpy.export.queue import EncodedSpan
from kspanpy.export.resource import LINK_RELATION, SCOPE, resource_attributes_of
from kspanpy.export.sink import DropReason
from kspanpy.export.wire import AttributeKey, Heads, NotCleanError, field, varint

MAX_RESOURCES: Final = 1024
"""How many services' encoded resources are remembered."""

MAX_NAMES: Final = 1024
MAX_KEYS: Final = 256
MAX_SHAPES: Final = 256
"""How many names of spans, keys of attributes, and combinations of keys are remembered. There are some dozens of each."""

_ROOT: Final = struct.Struct("<2s16s2s8s").pack  # trace_id, span_id, each with tag and length
_CHILD: Final = struct.Struct("<2s16s2s8s2s8s").pack  # and parent_span_id
_TIMES: Final = struct.Struct("<cQcQ").pack  # start_time_unix_nano, end_time_unix_nano
_INTERNAL: Final = b"\x30\x01"  # kind
_DROPPED_ATTRIBUTES: Final = b"\x50"  # tags of the counts
_DROPPED_LINKS: Final = b"\x70"
_CODE_ERROR: Final = b"\x18\x02"  # status.code
_FLAGS: Final = b"\x00\x01\x00\x00"  # SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK: known not to be remote
_SPAN_FLAGS: Final = b"\x85\x01" + _FLAGS
_LINK_FLAGS: Final = b"\x35" + _FLAGS
# The status is always present: SDKs and the Collector write it so, and readers need not tell absent from unset.
_UNSET: Final = field(15, b"") + _SPAN_FLAGS

_Shape: TypeAlias = list[tuple[str, Heads, AttributeKey]]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Encoder:
    """Makes requests. May be used by several threads: its only state are caches of pure results."""

    def __init__(self, resource_attributes: Mapping[str, str]) -> None:
        self._attributes = dict(resource_attributes)
        self._resources: dict[str, bytes] = {}
        self._names: dict[str, bytes] = {}
        self._keys: dict[str, AttributeKey] = {}
        self._shapes: dict[tuple[str, ...], _Shape] = {}  # the keys as a span has them -> sorted
        self._relation = AttributeKey(4, LINK_RELATION)
        self._scope = field(1, field(1, SCOPE.encode()))

    def encode_span(self, span: Span) -> EncodedSpan | DropReason:
        """One span as bytes, or why there are none. Never raises."""
        clean = self.encode_clean(span)
        if clean is not None:
            return clean
        good = checked(span)
        return good if isinstance(good, DropReason) else self.encode_checked(good)

    def encode_clean(self, span: Span) -> EncodedSpan | None:
        """One span as bytes; None if it has to be checked first. Never raises."""
        try:
            return EncodedSpan(span.trace_id + span.span_id, span.service, self._payload(span))
        except Exception:  # noqa: BLE001 - something of the wrong type, too large, not Unicode: `checked` knows what to do
            return None

    def encode_checked(self, span: CheckedSpan) -> EncodedSpan | DropReason:
        """One checked span as bytes."""
        try:
            repaired = Span(*span[:7], dict(span.attributes), span.error, span.links)
            payload = self._payload(repaired, span.dropped_attributes, span.dropped_links)
        except Exception:  # noqa: BLE001 - checked() should have caught it; if not, it still costs only this span
            return DropReason.ENCODING
        return EncodedSpan(span.trace_id + span.span_id, span.service, payload)

    def assemble(self, spans: Iterable[EncodedSpan]) -> bytes:
        """A serialised ExportTraceServiceRequest: one ResourceSpans for each service, in the order of their first spans."""
        services: dict[str, list[bytes]] = {}
        for span in spans:
            services.setdefault(span.service, [self._scope]).append(span.payload)
        return b"".join(
            field(1, self._resource(service) + field(2, b"".join(parts))) for service, parts in services.items()
        )

    def encode(self, spans: Sequence[Span]) -> bytes:
        """A serialised ExportTraceServiceRequest of those of the spans that can be encoded."""
        encoded = (self.encode_span(span) for span in spans)
        return self.assemble(span for span in encoded if isinstance(span, EncodedSpan))

    def _payload(self, span: Span, dropped_attributes: int = 0, dropped_links: int = 0) -> bytes:
        """The span as a field of a ScopeSpans message. Raises anything if it is not clean."""
        start, end, attributes, links = span.start_ns, span.end_ns, span.attributes, span.links
        if not (type(start) is type(end) is int and 0 < start <= end <= MAX_TIME_NS and type(attributes) is dict):
            raise NotCleanError
        if span.service not in self._resources:
            _clean(span.service)
            self._resource(span.service)
        name = self._names.get(span.name) or self._name(span.name)
        parts = [_ids(span), name, _TIMES(b"\x39", start, b"\x41", end)]
        add = parts.append
        keys = tuple(attributes)
        for key, heads, writer in self._shapes.get(keys) or self._shape(keys):
            value = attributes[key]
            if type(value) is str:
                text = value.encode()
                add(heads[len(text)])
                add(text)
            elif isinstance(value, str):
                add(writer.text(_text_of(value)))
            else:
                add(writer.other(value))
        if dropped_attributes:
            add(_DROPPED_ATTRIBUTES + varint(dropped_attributes))
        if links != ():
            add(self._links(links))
        if dropped_links:
            add(_DROPPED_LINKS + varint(dropped_links))
        error = span.error
        add(_UNSET if error == "" else field(15, field(2, _clean(error)) + _CODE_ERROR) + _SPAN_FLAGS)
        content = b"".join(parts)
        # A look at the length of the whole saves one at that of each text: one that is too long makes the whole longer, too.
        if len(content) > MAX_TEXT and any(type(text) is str and len(text) > MAX_TEXT for text in attributes.values()):
            raise NotCleanError
        return field(2, content)

    def _shape(self, keys: tuple[str, ...]) -> _Shape:
        if len(keys) > MAX_ATTRIBUTES:
            raise NotCleanError
        writers = {key: self._key(key) for key in sorted(map(str.__str__, keys))}
        shape = [(key, writer.heads, writer) for key, writer in writers.items()]
        return _remember(self._shapes, keys, shape, MAX_SHAPES)

    def _key(self, key: str) -> AttributeKey:
        known = self._keys.get(key)
        if known is None:
            if not _clean(key):
                raise NotCleanError
            if len(self._keys) >= MAX_KEYS:
                self._shapes.clear()  # they hold keys, too
            known = _remember(self._keys, key, AttributeKey(9, key), MAX_KEYS)
        return known

    def _name(self, name: str) -> bytes:
        text = _clean(name)
        return _remember(self._names, name, (field(5, text) if text else b"") + _INTERNAL, MAX_NAMES)

    def _links(self, links: tuple[Link, ...]) -> bytes:
        if type(links) is not tuple or len(links) > MAX_LINKS:
            raise NotCleanError
        return b"".join(
            field(13, _pointer(link) + self._relation.text(_clean(link.relation)) + _LINK_FLAGS) for link in links
        )

    def _resource(self, service: str) -> bytes:
        known = self._resources.get(service)
        if known is None:
            attributes = resource_attributes_of(service, self._attributes)
            content = b"".join(AttributeKey(1, key).text(value.encode()) for key, value in attributes)
            known = _remember(self._resources, service, field(1, content), MAX_RESOURCES)
        return known


def _ids(span: Span) -> bytes:
    trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_id
    if is_id(trace_id, 16) and is_id(span_id, 8):
        if is_id(parent_id, 8):
            return _CHILD(b"\x0a\x10", trace_id, b"\x12\x08", span_id, b"\x22\x08", parent_id)
        if parent_id == b"":
            return _ROOT(b"\x0a\x10", trace_id, b"\x12\x08", span_id)
    raise NotCleanError


def _pointer(link: Link) -> bytes:
    if is_id(link.trace_id, 16) and is_id(link.span_id, 8):
        return _ROOT(b"\x0a\x10", link.trace_id, b"\x12\x08", link.span_id)
    raise NotCleanError


def _clean(text: str) -> bytes:
    """UTF-8, if it is a text that nothing has to be done to."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise NotCleanError
    return text.encode()


def _text_of(value: str) -> bytes:
    """An enum's text, if that is what it compares as."""
    text = str(value)
    if text != value:
        raise NotCleanError
    return _clean(text)


def _remember(cache: dict[_Key, _Value], key: _Key, value: _Value, limit: int) -> _Value:
    """`value`, now in the cache; a full one starts anew, which costs microseconds."""
    if len(cache) >= limit:
        cache.clear()
    cache[key] = value
    return value
