"""One attempt to send a request through the OpenTelemetry SDK's own OTLP exporter: KSPANPY_OTLP_EXPORTER=sdk.

For whoever wants the SDK's code between kspanpy and the network. Spans are checked, queued, spilled and counted as always; then the
bytes become the SDK's spans, and its exporter encodes and sends them. What arrives is equal. What the SDK's exporter does by itself:

* it tries again within the timeout, and says only in its log why it gave up: that is read here, and taken for transient if unclear;
* it does not tell of spans that the receiver has accepted but not kept, nor how long the receiver asked to wait;
* HTTP: a redirect is a success to it (the spans are lost), ~/.netrc counts, and a slow answer is not cut off;
* it keeps its timeout at the end of the process, too; `close` interrupts it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from kspanpy.core.model import AttributeValue
from kspanpy.export.retry import Accepted, Outcome, Transient, grpc_outcome, http_outcome
from kspanpy.export.settings import OtlpSettings
from kspanpy.export.tls import TlsFiles, read

if TYPE_CHECKING:
    import grpc

_ERROR: Final = otlp.Status.STATUS_CODE_ERROR


class SdkSender:
    """See the module."""

    def __init__(self, settings: OtlpSettings) -> None:
        self._settings = settings
        self._files = TlsFiles(settings)
        self._exporter = self._open()
        self._is_closed = False

    def send(self, payload: bytes, *, timeout_s: float) -> Outcome:  # noqa: ARG002 - the exporter has its own
        """Send once, as the SDK understands it; never raises."""
        try:
            if self._is_closed:
                return Transient("closed")
            if self._files.changed():
                self._exporter.shutdown()
                self._exporter = self._open()
            with _errors_of(self._exporter) as said:
                result = self._exporter.export(readable_spans(payload))
        except Exception as error:  # noqa: BLE001 - whatever it is, a later attempt may go better, and nothing is lost meanwhile
            return Transient(f"{type(error).__name__}: {error}")
        return Accepted() if result is SpanExportResult.SUCCESS else _failure(said)

    def close(self) -> None:
        """Ends the pauses of an export under way, and with gRPC its call."""
        self._is_closed = True
        self._exporter.shutdown()

    def _open(self) -> SpanExporter:
        settings = self._settings
        if settings.protocol == "grpc":
            import grpc  # noqa: PLC0415
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

            return OTLPSpanExporter(
                endpoint=settings.endpoint,
                insecure=settings.insecure,
                credentials=None if settings.insecure else self._credentials(),
                headers=dict(settings.headers),
                timeout=settings.timeout_s,
                compression=grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression,
            )
        from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as http  # noqa: PLC0415

        return http.OTLPSpanExporter(
            endpoint=settings.endpoint,
            certificate_file=settings.certificate or None,
            client_key_file=settings.client_key or None,
            client_certificate_file=settings.client_certificate or None,
            headers=dict(settings.headers),
            timeout=settings.timeout_s,
            compression=Compression.Gzip if settings.compression == "gzip" else Compression.NoCompression,
        )

    def _credentials(self) -> grpc.ChannelCredentials:
        import grpc  # noqa: PLC0415

        files = self._files
        return grpc.ssl_channel_credentials(
            read(files.certificate), read(files.client_key), read(files.client_certificate)
        )


def readable_spans(payload: bytes) -> list[ReadableSpan]:
    """The spans of a serialised ExportTraceServiceRequest as the SDK would have made them."""
    found = []
    for resource_spans in ExportTraceServiceRequest.FromString(payload).resource_spans:
        resource = Resource(_attributes(resource_spans.resource.attributes))
        for scope_spans in resource_spans.scope_spans:
            scope = InstrumentationScope(scope_spans.scope.name)
            found += [_readable_span(span, resource, scope) for span in scope_spans.spans]
    return found


def _readable_span(span: otlp.Span, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    attributes = BoundedAttributes(attributes=_attributes(span.attributes))
    attributes.dropped = span.dropped_attributes_count
    links = BoundedList.from_seq(
        None, [Link(_context(link.trace_id, link.span_id), _attributes(link.attributes)) for link in span.links]
    )
    links.dropped = span.dropped_links_count
    return ReadableSpan(
        span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_span_id) if span.parent_span_id else None,
        resource=resource,
        attributes=attributes,
        links=links,
        status=Status(StatusCode.ERROR, span.status.message) if span.status.code == _ERROR else Status(),
        start_time=span.start_time_unix_nano,
        end_time=span.end_time_unix_nano,
        instrumentation_scope=scope,
    )


def _context(trace_id: bytes, span_id: bytes) -> SpanContext:
    return SpanContext(int.from_bytes(trace_id, "big"), int.from_bytes(span_id, "big"), is_remote=False)


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, AttributeValue]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}


@contextlib.contextmanager
def _errors_of(exporter: SpanExporter) -> Iterator[list[logging.LogRecord]]:
    """The errors that the exporter logs on this thread; its log lines are not written, because ours say the same, redacted."""
    errors: list[logging.LogRecord] = []
    here = threading.get_ident()

    def collect(record: logging.LogRecord) -> bool:
        if record.thread != here:
            return True
        if record.levelno >= logging.ERROR:
            errors.append(record)
        return False

    loggers = [logging.getLogger(kind.__module__) for kind in type(exporter).__mro__]
    for logger in loggers:
        logger.filters.insert(0, collect)  # before the exporter's own, which leaves out repetitions
    try:
        yield errors
    finally:
        for logger in loggers:
            logger.removeFilter(collect)


def _failure(errors: list[logging.LogRecord]) -> Outcome:
    """What the last error says: the values in it are a gRPC status code or an HTTP status, and the receiver's words."""
    if not errors:
        return Transient("the SDK's exporter does not say why")
    values = errors[-1].args if isinstance(errors[-1].args, tuple) else ()
    for place, value in enumerate(values):
        words = str(values[place + 1] or "") if place + 1 < len(values) else ""
        if type(value) is int:
            return http_outcome(value, words, None)
        if isinstance(value, Enum):
            return grpc_outcome(value.name, words, None)
    return Transient(errors[-1].getMessage())
