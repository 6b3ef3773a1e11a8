"""What a receiver says in protobuf: what it does not keep of a request, why it refuses one, when to try again.

Protobuf's classes are imported for the first answer that says anything: the spans need none (`wire`), and most answers say nothing.
"""

from __future__ import annotations

from typing import Final

from kspanpy.export.retry import Accepted

_NOTHING: Final = frozenset({b"", b"\x0a\x00"})
"""An ExportTraceServiceResponse without content, or as the Collector writes it: with a partial_success without content."""


def accepted(body: bytes) -> Accepted:
    """Of an ExportTraceServiceResponse. Raises ValueError if it is none."""
    if body in _NOTHING:
        return Accepted()
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse  # noqa: PLC0415

    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError:
        raise ValueError("not an ExportTraceServiceResponse") from None
    return Accepted(max(partial.rejected_spans, 0), partial.error_message)


def status_message(body: bytes) -> str:
    """The text of a google.rpc.Status; empty if it is none."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        return str(Status.FromString(body).message)
    except DecodeError:
        return ""


def retry_delay_s(body: bytes) -> float | None:
    """The delay of the RetryInfo among the details of a google.rpc.Status; None without one."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # noqa: PLC0415
    from google.rpc.status_pb2 import Status  # noqa: PLC0415

    try:
        for detail in Status.FromString(body).details:
            info = RetryInfo()
            if detail.Is(RetryInfo.DESCRIPTOR) and detail.Unpack(info):
                return max(0.0, float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9))
    except (DecodeError, TypeError, ValueError):
        return None
    return None
