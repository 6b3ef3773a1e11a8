"""The reference of the encoder: a span's message built plainly, field by field, of protobuf's own classes."""

from __future__ import annotations

from opentelemetry.proto.trace.v1 import trace_pb2 as otlp

from kspanpy.core.model import Span
from kspanpy.export.checked import checked
from kspanpy.export.resource import LINK_RELATION
from kspanpy.export.sink import DropReason

FLAGS = int(otlp.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)


def plainly(span: Span) -> bytes | DropReason:
    """The span as a field of a ScopeSpans message, or why there is none. Each span is checked, and repaired if need be."""
    good = checked(span)
    if isinstance(good, DropReason):
        return good
    message = otlp.Span(
        trace_id=good.trace_id,
        span_id=good.span_id,
        parent_span_id=good.parent_id,
        flags=FLAGS,
        name=good.name,
        kind=otlp.Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=good.start_ns,
        end_time_unix_nano=good.end_ns,
        dropped_attributes_count=good.dropped_attributes,
        dropped_links_count=good.dropped_links,
    )
    for key, value in good.attributes:
        attribute = message.attributes.add(key=key)
        match value:
            case str():
                attribute.value.string_value = value
            case bool():
                attribute.value.bool_value = value
            case int():
                attribute.value.int_value = value
            case float():
                attribute.value.double_value = value
    for link in good.links:
        other = message.links.add(trace_id=link.trace_id, span_id=link.span_id, flags=FLAGS)
        other.attributes.add(key=LINK_RELATION).value.string_value = link.relation
    message.status.SetInParent()
    if good.error:
        message.status.code = otlp.Status.STATUS_CODE_ERROR
        message.status.message = good.error
    scope = otlp.ScopeSpans(spans=[message])
    return scope.SerializeToString(deterministic=True)
