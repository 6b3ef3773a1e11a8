"""Spans as OTLP/JSON lines, as the Collector's file exporter writes them: the span file of `--output`.

One ExportTraceServiceRequest per line. Ids are lower-case hex, 64-bit numbers are decimal strings, the order of keys is
fixed and attributes are sorted, so the same spans always give the same bytes. Needs neither protobuf nor gRPC.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from kspanpy.core.model import AttributeValue, Span
from kspanpy.export.checked import CheckedSpan, checked
from kspanpy.export.resource import LINK_RELATION, SCOPE, resource_attributes_of
from kspanpy.export.sink import DropReason

FLAGS: Final = 0x100
_INTERNAL: Final = 1
_ERROR: Final = 2


class JsonEncoder:
    """Makes lines."""

    def __init__(self, resource_attributes: Mapping[str, str]) -> None:
        self._attributes = dict(resource_attributes)

    def to_json(self, spans: Iterable[Span]) -> str:
        """One line, without its end, of those of the spans that can be encoded; they are grouped by service."""
        good = (checked(span) for span in spans)
        return self.line(span for span in good if not isinstance(span, DropReason))

    def line(self, spans: Iterable[CheckedSpan]) -> str:
        """One line of checked spans."""
        services: dict[str, list[dict[str, Any]]] = {}
        for span in spans:
            services.setdefault(span.service, []).append(_span(span))
        request = {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes(resource_attributes_of(service, self._attributes))},
                    "scopeSpans": [{"scope": {"name": SCOPE}, "spans": members}],
                }
                for service, members in services.items()
            ]
        }
        return msgspec.json.encode(request).decode()


def _span(span: CheckedSpan) -> dict[str, Any]:
    # Empty fields are left out, as the Collector leaves them out.
    fields: dict[str, Any] = {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
    if span.parent_id:
        fields["parentSpanId"] = span.parent_id.hex()
    fields["flags"] = FLAGS
    if span.name:
        fields["name"] = span.name
    fields["kind"] = _INTERNAL
    fields["startTimeUnixNano"] = str(span.start_ns)
    fields["endTimeUnixNano"] = str(span.end_ns)
    if span.attributes:
        fields["attributes"] = _attributes(span.attributes)
    if span.dropped_attributes:
        fields["droppedAttributesCount"] = span.dropped_attributes
    if span.links:
        fields["links"] = [
            {
                "traceId": link.trace_id.hex(),
                "spanId": link.span_id.hex(),
                "attributes": _attributes([(LINK_RELATION, link.relation)]),
                "flags": FLAGS,
            }
            for link in span.links
        ]
    if span.dropped_links:
        fields["droppedLinksCount"] = span.dropped_links
    fields["status"] = {"message": span.error, "code": _ERROR} if span.error else {}
    return fields


def _attributes(attributes: Iterable[tuple[str, AttributeValue]]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes]


def _value(value: AttributeValue) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if math.isfinite(value):
        return {"doubleValue": value}
    return {"doubleValue": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
