"""Objects, the sequence of resourceVersions, and the history of both: what etcd and the watch cache are to a real API server."""

from __future__ import annotations

import copy
import json
import threading
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kspanpy.kube import WATCHED

Key = tuple[str, str]  # namespace, name
Object = dict[str, Any]
_KINDS = {resource.plural: (resource.kind, resource.api_version) for resource in WATCHED}


class Entry(NamedTuple):
    """One line of a watch."""

    revision: int
    type: str
    namespace: str
    line: bytes
    at: float


class History:
    """The entries of one resource. Positions count from its beginning, whatever has been forgotten since."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.forgotten = 0

    def behind(self, revision: int) -> int:
        """The position of the first entry that is newer."""
        return self.forgotten + bisect_right(self.entries, revision, key=lambda entry: entry.revision)

    def since(self, position: int, most: int) -> list[Entry]:
        """At most so many entries from there."""
        start = max(position - self.forgotten, 0)
        return self.entries[start : start + most]

    def forget(self, number: int) -> None:
        """The first so many."""
        del self.entries[:number]
        self.forgotten += number


class Store:
    """Every write gets the next resourceVersion. `changed` is notified of all."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.now: Callable[[], float] = time.monotonic  # of the history's window, bookmarks and the end of watches
        self.revision = 100
        self.oldest = 0  # who asks for what is older is answered with 410
        self.compactions = 0
        self.window_s: float | None = None  # how long the history is kept
        self.objects: dict[str, dict[Key, Object]] = {}
        self.histories: defaultdict[str, History] = defaultdict(History)
        self.snapshots: dict[str, tuple[int, list[Object]]] = {}  # of lists that go on with a continue token

    def put(self, plural: str, thing: Object) -> Object:
        """Create or replace; gives what was stored."""
        with self.changed:
            return self._put(plural, json.loads(json.dumps(thing)))

    def preload(self, plural: str, things: Iterable[Object]) -> None:
        """Many at once, which are kept as they are."""
        with self.changed:
            for thing in things:
                self._put(plural, thing)

    def pour(self, plural: str, number: int, make: Callable[[int], tuple[str, bytes]]) -> None:
        """New versions at thousands a second: `make(revision)` gives the namespace and the object's JSON. Watches show them, lists do not."""
        with self.changed:
            at = self.now()
            entries = self.histories[plural].entries
            for _ in range(number):
                self.revision += 1
                namespace, data = make(self.revision)
                line = b'{"type":"ADDED","object":%b}\n' % data
                entries.append(Entry(self.revision, "ADDED", namespace, line, at))
            self._trim(at)
            self.changed.notify_all()

    def delete(self, plural: str, name: str, namespace: str = "", *, unseen: bool = False) -> None:
        """Delete; `unseen`: and leave no trace in the history."""
        with self.changed:
            self.revision += 1
            thing = copy.deepcopy(self.objects[plural].pop((namespace, name)))
            thing["metadata"]["resourceVersion"] = str(self.revision)
            if not unseen:
                self._record(plural, "DELETED", thing)

    def write(self, verb: str, plural: str, namespace: str, name: str, thing: Object) -> tuple[int, Object]:
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
                    thing = _merged(held, thing)
                thing["metadata"]["uid"] = held["metadata"]["uid"]
            if verb == "delete":
                self.delete(plural, name, namespace)
                return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
            thing["metadata"] |= {"name": name} | ({"namespace": namespace} if namespace else {})
            written = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            thing["metadata"]["managedFields"] = [{"manager": "client", "operation": "Update", "time": written}]
            return 201 if verb == "create" else 200, self.put(plural, thing)

    def bookmark(self, plural: str, kind: str = "", api_version: str = "") -> None:
        """Tell the open watches of it how far they are."""
        with self.changed:
            line = self.bookmark_line(plural, kind, api_version)
            self.histories[plural].entries.append(Entry(self.revision, "BOOKMARK", "", line, self.now()))
            self.changed.notify_all()

    def bookmark_line(self, plural: str, kind: str = "", api_version: str = "") -> bytes:
        """How far everybody is."""
        known = _KINDS.get(plural, (plural, "v1"))
        thing = {"kind": kind or known[0], "apiVersion": api_version or known[1]}
        return _line("BOOKMARK", thing | {"metadata": {"resourceVersion": str(self.revision)}})

    def compact(self) -> None:
        """Forget the history: cursors and tokens from before are gone, and open watches end."""
        with self.changed:
            self.revision += 1
            self.oldest = self.revision
            self.compactions += 1
            for history in self.histories.values():
                history.forget(len(history.entries))
            self.snapshots.clear()
            self.changed.notify_all()

    def backup(self) -> tuple[int, Any]:
        """For `restore`."""
        with self.lock:
            return self.revision, copy.deepcopy(self.objects)

    def restore(self, backup: tuple[int, Any]) -> None:
        """As etcd from a backup: everything is as it was, the resourceVersion too; who waits for a later one waits."""
        with self.changed:
            self.revision, self.objects = backup[0], copy.deepcopy(backup[1])
            for history in self.histories.values():
                history.forget(len(history.entries))
            self.snapshots.clear()
            self.changed.notify_all()

    def _put(self, plural: str, thing: Object) -> Object:
        self.revision += 1
        metadata = thing.setdefault("metadata", {})
        key = (metadata.get("namespace", ""), metadata["name"])
        metadata.setdefault("uid", f"uid-{plural}-{'-'.join(key)}")
        metadata["resourceVersion"] = str(self.revision)
        kind = "MODIFIED" if key in self.objects.setdefault(plural, {}) else "ADDED"
        self.objects[plural][key] = thing
        self._record(plural, kind, thing)
        return thing

    def _record(self, plural: str, type_: str, thing: Object) -> None:
        metadata, at = thing["metadata"], self.now()
        entry = Entry(self.revision, type_, metadata.get("namespace", ""), _line(type_, thing), at)
        self.histories[plural].entries.append(entry)
        self._trim(at)
        self.changed.notify_all()

    def _trim(self, now: float) -> None:
        if self.window_s is None:
            return
        for history in self.histories.values():
            old = bisect_right(history.entries, now - self.window_s, key=lambda entry: entry.at)
            if old:
                self.oldest = max(self.oldest, history.entries[old - 1].revision)
                history.forget(old)


def status(code: int, reason: str = "", message: str = "") -> Object:
    """A Status, as failures are told."""
    kind = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return kind | {"code": code, "reason": reason, "message": message}


def error_line(code: int, reason: str = "") -> bytes:
    """The line of a watch that ends it."""
    return _line("ERROR", status(code, reason))


def _line(type_: str, thing: Object) -> bytes:
    return json.dumps({"type": type_, "object": thing}).encode() + b"\n"


def _merged(held: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, anything else replaces."""
    if not isinstance(held, dict) or not isinstance(patch, dict):
        return patch
    found = {key: value for key, value in held.items() if patch.get(key, value) is not None}
    return found | {key: _merged(held.get(key), value) for key, value in patch.items() if value is not None}
