"""Spans as OTLP protobuf: each span once, alone, into bytes; requests by putting those bytes together.

A span is encoded when it is offered, so a bad one can only cost itself, the queue knows the true size of what it holds, and
retries and halved batches cost nothing. Protobuf makes this legal: a message is the concatenation of its fields.

Only content of the cluster and of the settings is in the bytes - no pid, no version, no time of sending - because a span
that is sent again after a restart must be byte-identical. Attributes are sorted by key for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp

from kspanpy.core.model import Span
from kspanpy.export.checked import CheckedSpan, checked
from kspanpy.export.queue import EncodedSpan
from kspanpy.export.resource import LINK_RELATION, SCOPE, resource_attributes_of
from kspanpy.export.sink import DropReason

MAX_RESOURCES: Final = 1024
"""How many services' encoded resources are remembered."""

FLAGS: Final = int(otlp.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)


class Encoder:
    """Makes requests. May be used by several threads: its only state is a cache of pure results."""

    def __init__(self, resource_attributes: Mapping[str, str]) -> None:
        self._attributes = dict(resource_attributes)
        self._resources: dict[str, bytes] = {}
        self._scope = _field(1, InstrumentationScope(name=SCOPE).SerializeToString())

    def encode_span(self, span: Span) -> EncodedSpan | DropReason:
        """One span as bytes, or why there are none. Never raises."""
        good = checked(span)
        if isinstance(good, DropReason):
            return good
        return self.encode_checked(good)

    def encode_checked(self, span: CheckedSpan) -> EncodedSpan | DropReason:
        """One checked span as bytes."""
        try:
            payload = _field(2, _message(span).SerializeToString(deterministic=True))
        except Exception:  # noqa: BLE001 - checked() should have caught it; if not, it still costs only this span
            return DropReason.ENCODING
        return EncodedSpan(span.trace_id + span.span_id, span.service, payload)

    def assemble(self, spans: Iterable[EncodedSpan]) -> bytes:
        """A serialised ExportTraceServiceRequest: one ResourceSpans for each service, in the order of their first spans."""
        services: dict[str, list[bytes]] = {}
        for span in spans:
            services.setdefault(span.service, [self._scope]).append(span.payload)
        request = bytearray()
        for service, parts in services.items():
            request += _field(1, self._resource(service) + _field(2, b"".join(parts)))
        return bytes(request)

    def encode(self, spans: Sequence[Span]) -> bytes:
        """A serialised ExportTraceServiceRequest of those of the spans that can be encoded."""
        encoded = (self.encode_span(span) for span in spans)
        return self.assemble(span for span in encoded if isinstance(span, EncodedSpan))

    def _resource(self, service: str) -> bytes:
        known = self._resources.get(service)
        if known is None:
            attributes = [
                KeyValue(key=key, value=AnyValue(string_value=value))
                for key, value in resource_attributes_of(service, self._attributes)
            ]
            known = _field(1, Resource(attributes=attributes).SerializeToString(deterministic=True))
            if len(self._resources) >= MAX_RESOURCES:
                self._resources.clear()  # more services than components exist: some flood; a rebuild costs microseconds
            self._resources[service] = known
        return known


def _message(span: CheckedSpan) -> otlp.Span:
    message = otlp.Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_id,
        flags=FLAGS,
        name=span.name,
        kind=otlp.Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
    )
    add = message.attributes.add
    for key, value in span.attributes:
        attribute = add()
        attribute.key = key
        kind = type(value)
        if kind is str:
            attribute.value.string_value = value  # type: ignore[assignment]
        elif kind is bool:
            attribute.value.bool_value = value  # type: ignore[assignment]
        elif kind is int:
            attribute.value.int_value = value  # type: ignore[assignment]
        else:
            attribute.value.double_value = value  # type: ignore[assignment]
    for link in span.links:
        other = message.links.add(trace_id=link.trace_id, span_id=link.span_id, flags=FLAGS)
        other.attributes.add(key=LINK_RELATION).value.string_value = link.relation
    # The status is always present: SDKs and the Collector write it so, and readers need not tell absent from unset.
    message.status.SetInParent()
    if span.error:
        message.status.code = otlp.Status.STATUS_CODE_ERROR
        message.status.message = span.error
    message.dropped_attributes_count = span.dropped_attributes
    message.dropped_links_count = span.dropped_links
    return message


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field; numbers under 16 have a tag of one byte."""
    size = len(content)
    head = bytearray((number << 3 | 2,))
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + content
