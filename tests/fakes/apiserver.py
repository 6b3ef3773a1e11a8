"""An API server on loopback that speaks list and watch as the real one does, with a history, and that can be told to misbehave.

It holds plain dicts. Every write gets the next resourceVersion of one sequence, as with one etcd. Lists are paged by `limit` and
`continue`; watches replay the history after their resourceVersion and then follow it. `compact` forgets the history, so that older
cursors and continue tokens are answered with 410. A `Fault` is used up by the first request that it matches.

Objects can be created (POST), replaced (PUT), changed by a merge patch (PATCH) and deleted (DELETE) too. A write that names a
resourceVersion other than the stored one is answered with 409, and so is the creation of what exists.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

_POLL_S = 0.01


@dataclass
class Fault:
    """What happens to the next request that matches: `verb` is list, watch, get, create, update, patch or delete;
    `plural` empty matches any.
    """

    verb: str = ""
    plural: str = ""
    status: int = 0  # answer with this status
    headers: dict[str, str] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)  # a watch gets these lines first
    cut_after: int | None = None  # break the connection after so many bytes of body
    silent: bool = False  # headers, and then never a byte
    times: int = 1
    continued: bool | None = None  # only lists with (or without) a continue token


@dataclass
class Seen:
    """One request as it came."""

    verb: str
    plural: str
    namespace: str
    query: dict[str, str]
    authorization: str
    accept: str
    at: float
    body: bytes = b""


class FakeApiServer:
    """Use it as a context manager."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.revision = 100
        self.oldest = 0
        self.objects: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
        self.history: list[tuple[int, str, str, dict[str, Any]]] = []
        self.snapshots: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        self.faults: list[Fault] = []
        self.forbidden: set[tuple[str, str]] = set()  # (verb, plural)
        self.unserved: set[str] = set()
        self.token = ""
        self.seen: list[Seen] = []
        self.epoch = 0
        self.abrupt = False
        self.stopping = False
        self.slice = 0  # bytes in a chunk; 0: a line each
        self.cut_watch_after: Callable[[], int | None] = lambda: None
        self.open_watches = 0
        self.kinds: dict[str, list[dict[str, Any]]] = {}  # discovery: group version path -> resources
        handler = type("Handler", (_Handler,), {"fake": self})
        self.http = _Quiet(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(2)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def kubeconfig(self, folder: Path, *, token: str = "", user: dict[str, Any] | None = None) -> str:
        """Write one that points here, and give its path."""
        path = folder / "kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": user or ({"token": token} if token else {})}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}],
        }
        path.write_text(json.dumps(content))
        return str(path)

    # Writes

    def put(self, plural: str, thing: dict[str, Any]) -> dict[str, Any]:
        """Create or replace; gives what was stored."""
        with self.changed:
            self.revision += 1
            thing = json.loads(json.dumps(thing))
            metadata = thing.setdefault("metadata", {})
            key = (metadata.get("namespace", ""), metadata["name"])
            metadata.setdefault("uid", f"uid-{plural}-{'-'.join(key)}")
            metadata["resourceVersion"] = str(self.revision)
            kind = "MODIFIED" if key in self.objects.setdefault(plural, {}) else "ADDED"
            self.objects[plural][key] = thing
            self._record(plural, kind, thing)
            return thing

    def write(
        self, verb: str, plural: str, namespace: str, name: str, thing: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """What a client writes: the status and the body of the answer."""
        with self.changed:
            metadata = thing.setdefault("metadata", {})
            name = name or metadata.get("name", "")
            held = self.objects.get(plural, {}).get((namespace, name))
            if verb == "create":
                if held is not None:
                    return 409, status(409, "AlreadyExists")
            elif held is None:
                return 404, status(404, "NotFound")
            else:
                version = metadata.get("resourceVersion", "")
                if version not in {"", held["metadata"]["resourceVersion"]}:
                    return 409, status(409, "Conflict", "the object has been modified")
                if verb == "patch":
                    thing = merged(held, thing)
                thing["metadata"]["uid"] = held["metadata"]["uid"]
            if verb == "delete":
                self.delete(plural, name, namespace)
                return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
            thing["metadata"] |= {"name": name} | ({"namespace": namespace} if namespace else {})
            return 201 if verb == "create" else 200, self.put(plural, thing)

    def delete(self, plural: str, name: str, namespace: str = "", *, unseen: bool = False) -> None:
        """Delete; `unseen`: and leave no trace in the history."""
        with self.changed:
            self.revision += 1
            thing = self.objects[plural].pop((namespace, name))
            thing = json.loads(json.dumps(thing))
            thing["metadata"]["resourceVersion"] = str(self.revision)
            if not unseen:
                self._record(plural, "DELETED", thing)

    def bookmark(self, plural: str, kind: str, api_version: str) -> None:
        """Tell all watches of it how far they are."""
        with self.changed:
            thing = {"kind": kind, "apiVersion": api_version, "metadata": {"resourceVersion": str(self.revision)}}
            self._record(plural, "BOOKMARK", thing)

    def compact(self) -> None:
        """Forget the history: cursors and tokens from before are gone."""
        with self.changed:
            self.revision += 1
            self.oldest = self.revision
            self.history.clear()
            self.snapshots.clear()
            self.changed.notify_all()

    def close_watches(self, *, abrupt: bool = False) -> None:
        """End every open watch, as it should be or by a broken connection."""
        with self.changed:
            self.epoch += 1
            self.abrupt = abrupt
            self.changed.notify_all()

    def fault(self, **kwargs: Any) -> None:
        """Plan a misbehaviour."""
        with self.lock:
            self.faults.append(Fault(**kwargs))

    def requests(self, verb: str = "", plural: str = "") -> list[Seen]:
        """Those that came so far."""
        with self.lock:
            return [s for s in self.seen if (not verb or s.verb == verb) and (not plural or s.plural == plural)]

    def _record(self, plural: str, type_: str, thing: dict[str, Any]) -> None:
        self.history.append((int(thing["metadata"]["resourceVersion"]), plural, type_, thing))
        self.changed.notify_all()

    def take_fault(self, verb: str, plural: str, query: dict[str, str]) -> Fault | None:
        """The first planned misbehaviour that fits, used up."""
        with self.lock:
            for fault in self.faults:
                if (
                    fault.verb in {"", verb}
                    and fault.plural in {"", plural}
                    and fault.continued in {None, "continue" in query}
                ):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
            return None


def status(code: int, reason: str = "", message: str = "") -> dict[str, Any]:
    """A Status, as failures are told."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


def merged(held: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, anything else replaces."""
    if not isinstance(held, dict) or not isinstance(patch, dict):
        return patch
    found = {key: value for key, value in held.items() if patch.get(key, value) is not None}
    return found | {key: merged(held.get(key), value) for key, value in patch.items() if value is not None}


def error_line(code: int, reason: str = "") -> bytes:
    """The line of a watch that ends it."""
    return json.dumps({"type": "ERROR", "object": status(code, reason)}).encode() + b"\n"


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break here on purpose."""


class _Handler(BaseHTTPRequestHandler):
    fake: FakeApiServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer("create")

    def do_PUT(self) -> None:
        self._answer("update")

    def do_PATCH(self) -> None:
        self._answer("patch")

    def do_DELETE(self) -> None:
        self._answer("delete")

    def _answer(self, writes: str = "") -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        steps = parts.path.strip("/").split("/")
        rest = steps[2:] if steps[0] == "api" else steps[3:]
        namespace = ""
        if len(rest) >= 3 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        plural = rest[0] if rest else parts.path
        verb = writes or ("get" if len(rest) != 1 else "watch" if query.get("watch") == "true" else "list")
        authorization = self.headers.get("Authorization", "")
        with self.fake.lock:
            accept = self.headers.get("Accept", "")
            self.fake.seen.append(Seen(verb, plural, namespace, query, authorization, accept, time.monotonic(), body))
        if self.fake.token and authorization.lower() != f"bearer {self.fake.token}".lower():
            return self._json(401, status(401, "Unauthorized"))
        fault = self.fake.take_fault(verb, plural, query)
        if fault is not None and fault.status:
            return self._json(fault.status, status(fault.status), fault.headers)
        if (verb, plural) in self.fake.forbidden:
            return self._json(403, status(403, "Forbidden", f"may not {verb}"))
        if plural in self.fake.unserved:
            return self._json(404, status(404, "NotFound"))
        if parts.path == "/version":
            return self._json(200, {"gitVersion": "v1.36.3-fake"})
        if parts.path in self.fake.kinds:
            return self._json(200, {"kind": "APIResourceList", "resources": self.fake.kinds[parts.path]})
        if writes:
            thing = json.loads(body) if body else {}
            if query.get("dryRun") == "All":
                return self._json(200, thing)
            code, answer = self.fake.write(verb, plural, namespace, rest[1] if len(rest) > 1 else "", thing)
            return self._json(code, answer, cut_after=fault.cut_after if fault else None)
        if verb == "get":
            return self._get(plural, namespace, rest)
        if verb == "list":
            return self._list(plural, namespace, query, fault)
        return self._watch(plural, namespace, query, fault)

    def _get(self, plural: str, namespace: str, rest: list[str]) -> None:
        with self.fake.lock:
            thing = self.fake.objects.get(plural, {}).get((namespace, rest[1])) if len(rest) == 2 else None
        if thing is None:
            return self._json(404, status(404, "NotFound"))
        if "as=PartialObjectMetadata" in self.headers.get("Accept", ""):
            thing = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]}
        return self._json(200, thing)

    def _list(self, plural: str, namespace: str, query: dict[str, str], fault: Fault | None) -> None:
        fake, token = self.fake, query.get("continue", "")
        with fake.lock:
            if token:
                name, _, start = base64.b64decode(token).decode().partition(":")
                if name not in fake.snapshots:
                    return self._json(410, status(410, "Expired"))
                revision, things = fake.snapshots[name]
            else:
                found = sorted(fake.objects.get(plural, {}).items())
                things = [thing for (space, _), thing in found if not namespace or space == namespace]
                revision, start = fake.revision, "0"
                name = f"{plural}-{len(fake.snapshots)}"
            limit, first = int(query.get("limit", "0")) or len(things) or 1, int(start)
            page, more = things[first : first + limit], first + limit < len(things)
            if more:
                fake.snapshots[name] = (revision, things)
            metadata = {"resourceVersion": str(revision)}
            if more:
                metadata["continue"] = base64.b64encode(f"{name}:{first + limit}".encode()).decode()
            body = {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": page}
        return self._json(200, body, cut_after=fault.cut_after if fault else None)

    def _json(
        self, code: int, body: dict[str, Any], headers: dict[str, str] | None = None, *, cut_after: int | None = None
    ) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if cut_after is None else data[:cut_after])
        if cut_after is not None:
            self._break()

    def _watch(self, plural: str, namespace: str, query: dict[str, str], fault: Fault | None) -> None:
        fake, version = self.fake, query.get("resourceVersion", "")
        with fake.lock:
            epoch, position = fake.epoch, 0
            gone = version.isdigit() and int(version) < fake.oldest
            budget = fault.cut_after if fault and fault.cut_after is not None else fake.cut_watch_after()
            fake.open_watches += 1
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in [*(fault.lines if fault else ()), *([error_line(410, "Expired")] if gone else ())]:
                budget = self._chunks(line, budget)
            if gone:
                return self._end()
            deadline = time.monotonic() + float(query.get("timeoutSeconds", "600"))
            while True:
                with fake.changed:
                    compacted = bool(fake.oldest) and int(version or 0) < fake.oldest
                    entries, position = fake.history[position:], len(fake.history)
                    if not entries and epoch == fake.epoch and not fake.stopping:
                        fake.changed.wait(_POLL_S)
                if compacted:
                    self._chunks(error_line(410, "Expired"), budget)
                    return self._end()
                if fault is None or not fault.silent:
                    for revision, of, type_, thing in entries:
                        here = not namespace or type_ == "BOOKMARK" or thing["metadata"].get("namespace") == namespace
                        if (
                            of == plural
                            and here
                            and (
                                revision > int(version or 0) or (type_ == "BOOKMARK" and revision >= int(version or 0))
                            )
                        ):
                            line = json.dumps({"type": type_, "object": thing}).encode() + b"\n"
                            budget = self._chunks(line, budget)
                            version = str(revision)
                if entries:
                    continue
                if self._left():
                    self.close_connection = True
                    return None
                if epoch != fake.epoch or fake.stopping or time.monotonic() > deadline:
                    return self._break() if fake.abrupt else self._end()
        except ConnectionError:
            self.close_connection = True
        finally:
            with fake.lock:
                fake.open_watches -= 1

    def _left(self) -> bool:
        """Whether the client has gone."""
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False

    def _chunks(self, line: bytes, budget: int | None) -> int | None:
        if budget is not None and len(line) >= budget:
            self._send(line[:budget])
            self._break()
            raise ConnectionAbortedError
        self._send(line)
        return None if budget is None else budget - len(line)

    def _send(self, data: bytes) -> None:
        size = self.fake.slice or len(data)
        for start in range(0, len(data), size or 1):
            piece = data[start : start + size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def _break(self) -> None:
        """As when a middlebox forgets the connection: no last chunk."""
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
