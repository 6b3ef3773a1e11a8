"""A collector for tests: a real gRPC or HTTP server on loopback that answers by a script and keeps what it accepted.

    with FakeCollector("grpc", script=[Fail("UNAVAILABLE"), Accept()]) as collector: ...

The script is followed request by request; after its end `rule` decides, and without one everything is accepted.
"""

from __future__ import annotations

import contextlib
import gzip
import http.server
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Accept:
    """Take the spans; `rejected` of them are reported as partial success. `slow_s`: answer late."""

    rejected: int = 0
    message: str = ""
    slow_s: float = 0.0


@dataclass(frozen=True)
class Fail:
    """Refuse with a gRPC code name; `retry_info_s` adds a RetryInfo."""

    code: str
    details: str = ""
    retry_info_s: float | None = None


@dataclass(frozen=True)
class Answer:
    """Answer HTTP with this status, whatever it means."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Reset:
    """Cut the TCP connection instead of answering (HTTP only)."""


Reply = Accept | Fail | Answer | Reset


class FakeCollector:
    """See the module. `requests`: every decoded request; `accepted`: span ids that were taken, in order; `replies`: the answers.

    `tls` is (key, certificate); with `client_ca` clients must have a certificate of it.
    """

    def __init__(
        self,
        protocol: str,
        script: Iterable[Reply] = (),
        *,
        rule: Callable[[ExportTraceServiceRequest], Reply] = lambda _: Accept(),
        tls: tuple[bytes, bytes] | None = None,
        client_ca: bytes | None = None,
        port: int = 0,
    ) -> None:
        self.protocol = protocol
        self.script = deque(script)
        self.rule = rule
        self.replies: list[Reply] = []
        self.payloads: list[bytes] = []
        self.requests: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.accepted: list[bytes] = []
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        if protocol == "grpc":
            self._grpc = grpc.server(futures.ThreadPoolExecutor(4))
            self._grpc.add_generic_rpc_handlers((_Handler(self),))
            if tls:
                credentials = grpc.ssl_server_credentials((tls,), client_ca, client_ca is not None)
                self.port = self._grpc.add_secure_port(f"127.0.0.1:{port}", credentials)
            else:
                self.port = self._grpc.add_insecure_port(f"127.0.0.1:{port}")
            self._grpc.start()
        else:
            self._http = _HttpServer(("127.0.0.1", port), _http_handler(self))
            self._http.daemon_threads = True
            if tls:
                self._http.socket = _tls_socket(self._http.socket, tls, client_ca)
            self.port = self._http.server_address[1]
            self._thread = threading.Thread(
                target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
            )
            self._thread.start()

    @property
    def endpoint(self) -> str:
        """For OtlpSettings."""
        return f"http://127.0.0.1:{self.port}" + ("" if self.protocol == "grpc" else "/v1/traces")

    def reply_to(self, payload: bytes, headers: dict[str, str]) -> Reply:
        """Record a request and pick its answer."""
        request = ExportTraceServiceRequest.FromString(payload)
        with self._lock:
            self.payloads.append(payload)
            self.requests.append(request)
            self.headers.append(headers)
            reply = self.script.popleft() if self.script else self.rule(request)
            self.replies.append(reply)
            if isinstance(reply, Accept):
                self.accepted += span_ids(request)
        if isinstance(reply, Accept) and reply.slow_s:
            time.sleep(reply.slow_s)
        return reply

    def close(self) -> None:
        """Stop."""
        if self.protocol == "grpc":
            self._grpc.stop(None).wait()
        else:
            self._http.shutdown()
            self._http.server_close()
            for connection in tuple(self._connections):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def span_ids(request: ExportTraceServiceRequest) -> list[bytes]:
    """The span ids of a request, in order."""
    return [span.span_id for rs in request.resource_spans for ss in rs.scope_spans for span in ss.spans]


def unused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def response(reply: Accept) -> bytes:
    """What an accepting collector answers."""
    message = ExportTraceServiceResponse()
    if reply.rejected or reply.message:
        message.partial_success.rejected_spans = reply.rejected
        message.partial_success.error_message = reply.message
    return message.SerializeToString()


def _tls_socket(plain: socket.socket, tls: tuple[bytes, bytes], client_ca: bytes | None) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key"), Path(folder, "certificate")
        key.write_bytes(tls[0])
        certificate.write_bytes(tls[1])
        context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.decode())
    return context.wrap_socket(plain, server_side=True)


class _HttpServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was cut, on purpose: not worth a page of text. Anything else is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, collector: FakeCollector) -> None:
        self._collector = collector

    def service(self, handler_call_details):
        if handler_call_details.method != "/opentelemetry.proto.collector.trace.v1.TraceService/Export":
            return None
        return grpc.unary_unary_rpc_method_handler(self._export)

    def _export(self, payload: bytes, context: grpc.ServicerContext) -> bytes:
        reply = self._collector.reply_to(payload, dict(context.invocation_metadata()))
        if isinstance(reply, Accept):
            return response(reply)
        code = grpc.StatusCode[reply.code]
        if reply.retry_info_s is not None:
            detail = Any()
            delay = Duration()
            delay.FromNanoseconds(int(reply.retry_info_s * 1e9))
            detail.Pack(RetryInfo(retry_delay=delay))
            status = Status(code=code.value[0], message=reply.details, details=[detail])
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.set_code(code)
        context.set_details(reply.details)
        return b""


def _http_handler(collector: FakeCollector) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            collector._connections.add(self.connection)

        def do_POST(self) -> None:
            try:
                body = self.rfile.read(int(self.headers["Content-Length"]))
            except OSError:
                body = b""
            if len(body) < int(self.headers["Content-Length"]):  # cut in the middle: no request
                self.close_connection = True
                return
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()} | {":path": self.path}
            reply = collector.reply_to(body, headers)
            if isinstance(reply, Reset):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            if isinstance(reply, Accept):
                reply = Answer(200, {"Content-Type": "application/x-protobuf"}, response(reply))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            try:
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:  # the client did not wait
                self.close_connection = True

        def finish(self) -> None:
            collector._connections.discard(self.connection)
            with contextlib.suppress(OSError, ValueError):  # the connection may have been cut on purpose
                super().finish()

        def log_message(self, *args: object) -> None:
            pass

    return Handler
