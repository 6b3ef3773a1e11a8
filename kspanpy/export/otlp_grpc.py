"""One attempt to send a request by OTLP/gRPC.

The call takes ready bytes, so a retry costs no encoding. gRPC's own retries are off: attempts are counted and spaced by
`Delivery`. After a failure of the connection the channel is made anew, because gRPC would otherwise refuse attempts for up
to two minutes by its own schedule, and would keep an address that DNS has changed since.
"""

from __future__ import annotations

import threading
from typing import Final, TypeAlias

import grpc

from kspanpy import __version__
from kspanpy.export import answers
from kspanpy.export.retry import Accepted, Outcome, Transient, grpc_outcome
from kspanpy.export.settings import OtlpSettings
from kspanpy.export.tls import TlsFiles, read

METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

_OPTIONS: Final = (
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel shall be a new connection
    ("grpc.max_receive_message_length", 256 * 1024),  # answers are tiny
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.primary_user_agent", f"kspanpy/{__version__}"),
)
_CONNECTION_CODES: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"})

_Call: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, Accepted]"


class GrpcSender:
    """See the module."""

    def __init__(self, settings: OtlpSettings) -> None:
        self._settings = settings
        self._files = TlsFiles(settings)
        self._metadata = tuple(
            (name, value.encode() if name.endswith("-bin") else value) for name, value in settings.headers.items()
        )
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._call: _Call | None = None
        self._is_closed = False

    def send(self, payload: bytes, *, timeout_s: float) -> Outcome:
        """Send once; never raises."""
        if self._files.changed():
            self._disconnect()
        try:
            call = self._connected()
            return call(payload, timeout=timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            outcome, code = _failure(error)
            if code in _CONNECTION_CODES:
                self._disconnect()
            return outcome
        except Exception as error:  # noqa: BLE001 - closed meanwhile, unreadable key: nothing that a later attempt might not cure
            self._disconnect()
            return Transient(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Cancels a call under way."""
        self._is_closed = True
        self._disconnect()

    def _connected(self) -> _Call:
        with self._lock:
            if self._is_closed:
                raise RuntimeError("closed")
            if self._call is None:
                self._channel = self._open()
                self._call = self._channel.unary_unary(
                    METHOD,
                    request_serializer=lambda payload: payload,
                    response_deserializer=answers.accepted,
                )
            return self._call

    def _open(self) -> grpc.Channel:
        settings = self._settings
        compression = grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression
        if settings.insecure:
            return grpc.insecure_channel(settings.target, options=_OPTIONS, compression=compression)
        credentials = grpc.ssl_channel_credentials(
            read(settings.certificate), read(settings.client_key), read(settings.client_certificate)
        )
        return grpc.secure_channel(settings.target, credentials, options=_OPTIONS, compression=compression)

    def _disconnect(self) -> None:
        with self._lock:
            channel, self._channel, self._call = self._channel, None, None
        if channel is not None:
            channel.close()


def _failure(error: grpc.RpcError) -> tuple[Outcome, str]:
    # Every error that a call raises is also a grpc.Call; the types do not say so.
    if not isinstance(error, grpc.Call):
        return Transient(type(error).__name__), "UNKNOWN"
    code = error.code().name
    return grpc_outcome(code, str(error.details() or ""), _retry_info(error.trailing_metadata())), code


def _retry_info(metadata: object) -> float | None:
    """The delay of the RetryInfo in a status' details; None without one."""
    for name, value in metadata or ():  # type: ignore[attr-defined]
        if name == "grpc-status-details-bin":
            return answers.retry_delay_s(value)
    return None
