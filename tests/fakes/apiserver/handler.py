"""HTTP of the fake API server: one thread a connection."""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import ssl
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from fakes.apiserver.faults import Fault, Seen
from fakes.apiserver.store import Entry, error_line, status

if TYPE_CHECKING:
    from fakes.apiserver.server import FakeApiServer

_POLL_S = 0.01
_MOST_ENTRIES = 500  # in one look at the history
_BEFORE_END_S = 2.0  # a watch gets a last bookmark so long before its end


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    fake: FakeApiServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        """Read or watch."""
        self._answer()

    def do_POST(self) -> None:
        """Create."""
        self._answer("create")

    def do_PUT(self) -> None:
        """Replace."""
        self._answer("update")

    def do_PATCH(self) -> None:
        """Merge."""
        self._answer("patch")

    def do_DELETE(self) -> None:
        """Delete."""
        self._answer("delete")

    def _answer(self, writes: str = "") -> None:
        fake, body = self.fake, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        steps = parts.path.strip("/").split("/")
        rest = steps[2:] if steps[0] == "api" else steps[3:]
        namespace = ""
        if len(rest) >= 3 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        plural = rest[0] if rest else parts.path
        verb = writes or ("get" if len(rest) != 1 else "watch" if query.get("watch") == "true" else "list")
        authorization, accept = self.headers.get("Authorization", ""), self.headers.get("Accept", "")
        seen = Seen(verb, plural, namespace, query, authorization, accept, time.monotonic(), body)
        with (
            fake.lock
        ):  # what is planned or ended from now on goes for later requests, or for this one if it is a watch
            fake.seen.append(seen)
            fault, self._epoch = fake.take_fault(seen), fake.epoch
        if fault.mute:
            return self._hang()
        fake.stopped.wait(fault.delay_s)
        if fault.status or fault.body is not None:
            code = fault.status or 200
            return self._send(code, json.dumps(status(code)).encode() if fault.body is None else fault.body, fault)
        if fake.token and authorization.lower() != f"bearer {fake.token}".lower():
            return self._json(401, status(401, "Unauthorized"))
        if (verb, plural) in fake.forbidden:
            return self._json(403, status(403, "Forbidden", f"may not {verb}"))
        if plural in fake.unserved:
            return self._json(404, status(404, "NotFound"))
        if parts.path == "/version":
            return self._json(200, {"gitVersion": "v1.36.3-fake"})
        if parts.path in fake.kinds:
            return self._json(200, {"kind": "APIResourceList", "resources": fake.kinds[parts.path]})
        if writes:
            thing = json.loads(body) if body else {}
            if query.get("dryRun") == "All":
                return self._json(200, thing)
            code, answer = fake.write(verb, plural, namespace, rest[1] if len(rest) > 1 else "", thing)
            return self._json(code, answer, fault)
        if verb == "get":
            return self._get(plural, namespace, rest, fault)
        if verb == "list":
            return self._list(plural, namespace, query, fault)
        return self._watch(seen, fault)

    # Whole answers

    def _get(self, plural: str, namespace: str, rest: list[str], fault: Fault) -> None:
        with self.fake.lock:
            thing = self.fake.objects.get(plural, {}).get((namespace, rest[1])) if len(rest) == 2 else None
        if thing is None:
            return self._json(404, status(404, "NotFound"))
        if "as=PartialObjectMetadata" in self.headers.get("Accept", ""):
            thing = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]}
        return self._json(200, thing, fault)

    def _list(self, plural: str, namespace: str, query: dict[str, str], fault: Fault) -> None:
        fake, token = self.fake, query.get("continue", "")
        with fake.lock:
            if token:
                name, _, start = base64.b64decode(token).decode().partition(":")
                if name not in fake.snapshots:
                    return self._json(410, status(410, "Expired"))
                revision, things = fake.snapshots[name]
            else:
                found = sorted(fake.objects.get(plural, {}).items(), key=lambda item: item[0])
                things = [thing for (space, _), thing in found if not namespace or space == namespace]
                revision, start = fake.revision, "0"
                name = f"{plural}-{len(fake.snapshots)}"
            limit, first = int(query.get("limit", "0")) or len(things) or 1, int(start)
            page, more = things[first : first + limit], first + limit < len(things) or plural in fake.endless
            metadata = {"resourceVersion": str(revision)}
            if more:
                fake.snapshots[name] = (revision, things)
                metadata["continue"] = base64.b64encode(f"{name}:{first + limit}".encode()).decode()
            body = {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": page}
        return self._json(200, body, fault)

    def _json(self, code: int, body: dict[str, Any], fault: Fault | None = None) -> None:
        self._send(code, json.dumps(body).encode(), fault or Fault())

    def _send(self, code: int, data: bytes, fault: Fault) -> None:
        self.send_response(code)
        for name, value in ({"Content-Type": "application/json"} | fault.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        size, pause_s = fault.trickle or (len(data) or 1, 0.0)
        whole, data = len(data), data[: fault.cut_after]
        for start in range(0, len(data), size):
            self.wfile.write(data[start : start + size])
            if self.fake.stopped.wait(pause_s):
                break
        if len(data) < whole:
            self._break()

    # Watches

    def _watch(self, seen: Seen, fault: Fault) -> None:
        fake, version = self.fake, int(seen.query.get("resourceVersion") or 0)
        with fake.lock:
            fake.open_watches += 1
            compactions = fake.compactions
            gone = version < fake.oldest
            position = fake.histories[seen.plural].behind(version)
            self._budget = fault.cut_after if fault.cut_after is not None else fake.cut_watch_after()
        self._trickle = fault.trickle
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            for name, value in fault.headers.items():
                self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._chunks(b"".join([*fault.lines, *([error_line(410, "Expired")] if gone else ())]))
            if gone or fault.closed:
                return self._end()
            if fault.silent:
                return self._hang()
            return self._follow(seen, version, position, compactions=compactions)
        except ConnectionError:
            self.close_connection = True
        finally:
            with fake.lock:
                fake.open_watches -= 1

    def _follow(self, seen: Seen, version: int, position: int, *, compactions: int) -> None:
        fake, history = self.fake, self.fake.histories[seen.plural]
        end = fake.now() + float(seen.query.get("timeoutSeconds", "600"))
        mark = self._next_mark(seen, end)
        while True:
            with fake.changed:
                entries = history.since(position, _MOST_ENTRIES)
                expired = compactions != fake.compactions or position < history.forgotten
                over = self._epoch != fake.epoch or fake.stopped.is_set()
                if not entries and not over and not expired and not (over := fake.now() > end):
                    fake.changed.wait(_POLL_S)
                marking = mark is not None and not entries and fake.now() >= mark and fake.revision > version
                bookmark = fake.bookmark_line(seen.plural) if marking else b""
            if expired:
                self._chunks(error_line(410, "Expired"))
                return self._end()
            position += len(entries)
            lines = [entry.line for entry in entries if _shown(entry, seen, version)]
            if self._budget is None and not fake.slice:
                lines = [b"".join(lines)]
            for line in lines:
                self._chunks(line)
            if mark is not None and fake.now() >= mark and not entries:
                self._chunks(bookmark)
                mark = self._next_mark(seen, end)
            if entries:
                continue
            if over:
                return self._break() if fake.abrupt else self._end()
            if self._left():
                self.close_connection = True
                return None

    def _next_mark(self, seen: Seen, end: float) -> float | None:
        every_s, now = self.fake.bookmark_every_s, self.fake.now()
        if every_s is None or seen.plural == "events" or seen.query.get("allowWatchBookmarks") != "true":
            return None
        last = end - _BEFORE_END_S
        return min(now + every_s, last) if last > now else now + every_s

    def _left(self) -> bool:
        """Whether the client has gone: it never sends anything while it watches."""
        if isinstance(self.connection, ssl.SSLSocket):
            return bool(select.select([self.connection], [], [], 0)[0])
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False

    def _chunks(self, data: bytes) -> None:
        if self._budget is not None:
            cut = len(data) >= self._budget
            data = data[: self._budget]
            self._budget -= len(data)
            if cut:
                self._write(data)
                self._break()
                raise ConnectionAbortedError
        self._write(data)

    def _write(self, data: bytes) -> None:
        size, pause_s = self._trickle or (self.fake.slice or len(data) or 1, 0.0)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.fake.stopped.wait(pause_s)

    def _hang(self) -> None:
        """Not a byte, until the client leaves or the server ends."""
        while not self.fake.stopped.wait(_POLL_S) and self._epoch == self.fake.epoch and not self._left():
            pass
        self._break()

    def _end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def _break(self) -> None:
        """As when a middlebox forgets the connection: no last chunk."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


def _shown(entry: Entry, seen: Seen, version: int) -> bool:
    if entry.revision <= version and entry.type != "BOOKMARK":
        return False
    return entry.type == "BOOKMARK" or not seen.namespace or entry.namespace == seen.namespace
