"""/livez, /readyz and /metrics on one port: a small server that can not be used to hold up the service.

Invariants: at most `_THREADS` requests at a time, each gone after `_DEADLINE_S` whatever the client does, and sooner
while others wait, so that silent clients can not keep the probes out; only GET and HEAD;
one request per connection; nothing of the request is logged or sent back.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import BoundedSemaphore, Lock, Thread
from typing import Any, Final

from kspanpy.errors import StartupError

_THREADS: Final = 8
_DEADLINE_S: Final = 10.0
_PRESSED_S: Final = 1.0  # what a request may take while another one waits for its place
_TEXT: Final = "text/plain; charset=utf-8"

Reason = Callable[[], str]  # why not; empty for yes


class OpsServer:
    """The server and its thread."""

    def __init__(
        self, listen: str, *, not_alive: Reason, not_ready: Reason, metrics: Callable[[], tuple[str, bytes]]
    ) -> None:
        """Listens at once, so that a port that is taken stops the start. Raises StartupError."""
        routes: dict[str, Callable[[], _Answer]] = {
            "/livez": lambda: _verdict(not_alive()),
            "/readyz": lambda: _verdict(not_ready()),
            "/metrics": lambda: (HTTPStatus.OK, *metrics()),
        }
        try:
            self._server = _Server(*_family(listen), routes)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise StartupError(f"KSPANPY_LISTEN={listen}: can not listen there: {why}") from None
        self.port = int(self._server.server_address[1])
        self._thread = Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="ops-http", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Requests under way are left to their daemon threads."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=1.0)


_Answer = tuple[HTTPStatus, str, bytes]


def _verdict(reason: str) -> _Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
    return status, _TEXT, f"{reason or 'ok'}\n".encode()


def _family(listen: str) -> tuple[tuple[str, int], socket.AddressFamily]:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    return (host, int(port)), socket.AF_INET6 if ":" in host else socket.AF_INET


class _Handler(BaseHTTPRequestHandler):
    timeout = 5.0  # between two bytes; the whole request has `_DEADLINE_S`
    server_version = "kspanpy"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        route = self.server.routes.get(self.path.partition("?")[0])
        status, kind, body = route() if route else (HTTPStatus.NOT_FOUND, _TEXT, b"not found\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the base class looks for it

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Probes are not worth a line, and what strangers send even less."""


class _Server(HTTPServer):
    request_queue_size = 32

    def __init__(
        self, address: tuple[str, int], family: socket.AddressFamily, routes: dict[str, Callable[[], _Answer]]
    ) -> None:
        self.address_family = family
        self.routes = routes
        self._free = BoundedSemaphore(_THREADS)
        self._lock = Lock()
        self._open: dict[int, tuple[float, socket.socket]] = {}  # at most _THREADS
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's looks its own name up in DNS, which may take long or fail.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "kspanpy", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        until = time.monotonic() + 2 * _PRESSED_S
        while not self._free.acquire(timeout=_PRESSED_S / 10):
            self._end_older_than(_PRESSED_S)
            if time.monotonic() > until:
                self.shutdown_request(request)
                return
        with self._lock:
            self._open[id(request)] = (time.monotonic(), request)
        Thread(target=self._answer, args=(request, client_address), name="ops-request", daemon=True).start()

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: S110, BLE001 - a client that went away, or a scrape that failed: the next one tells
            pass
        finally:
            with self._lock:
                self._open.pop(id(request), None)
            self.shutdown_request(request)
            self._free.release()

    def service_actions(self) -> None:
        """Called between requests and every poll: ends the requests that take too long."""
        self._end_older_than(_DEADLINE_S)

    def _end_older_than(self, seconds: float) -> None:
        late = time.monotonic() - seconds
        with self._lock:
            for since, request in self._open.values():
                if since < late:
                    with _quiet():
                        request.shutdown(socket.SHUT_RDWR)


class _quiet:  # noqa: N801 - reads as a word
    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, OSError)
