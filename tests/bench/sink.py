"""A process that takes OTLP over HTTP, counts, and says so: the cheapest collector there is.

    python -m tests.bench.sink PORT

GET answers with what has come so far: requests, bytes, event spans (by their attribute, without decoding), when the last request
came, and the lags of the `beacon NUMBER WALL_NS` in messages, in seconds, sorted.
"""

from __future__ import annotations

import gzip
import http.server
import json
import re
import sys
import threading
import time
from typing import Any, Final

_BEACON: Final = re.compile(rb"beacon (\d+) (\d+) ")
_EVENT_SPAN: Final = b"k8s.event.uid"


class Taken:
    """What has come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = self._bytes = self._events = 0
        self._last = 0.0
        self._lags: dict[int, float] = {}

    def take(self, body: bytes, now_ns: int) -> None:
        """One request. A message may come twice, as the status of its story's root span: the first one counts."""
        beacons = _BEACON.findall(body) if b"beacon " in body else ()
        with self._lock:
            self._requests += 1
            self._bytes += len(body)
            self._events += body.count(_EVENT_SPAN)
            self._last = time.time()
            for number, at_ns in beacons:
                self._lags.setdefault(int(number), (now_ns - int(at_ns)) / 1e9)

    def report(self) -> dict[str, Any]:
        """For JSON."""
        with self._lock:
            return {
                "requests": self._requests,
                "bytes": self._bytes,
                "events": self._events,
                "last": self._last,
                "lags": sorted(self._lags.values()),
            }


def server(port: int, taken: Taken) -> http.server.ThreadingHTTPServer:
    """Not yet serving."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            taken.take(body, time.time_ns())
            self._answer(b"", "application/x-protobuf")

        def do_GET(self) -> None:
            self._answer(json.dumps(taken.report()).encode(), "application/json")

        def _answer(self, body: bytes, content_type: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    found = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    found.daemon_threads = True
    return found


if __name__ == "__main__":
    server(int(sys.argv[1]), Taken()).serve_forever()
