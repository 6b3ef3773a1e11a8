"""A cluster that only writes: lists and watches of every kind, made of templates, fast enough to flood a reader.

    python tests/faults/generator.py PORT '{"pods": 10000, "deployments": 1000, "rate": 5000, "seconds": 60, ...}'

A process of its own on a raw socket: one thread a connection, no parsing beyond the request line. Every watch line is an HTTP chunk of
its own, as API servers send it. Events follow a time table, not the reader: what it is late for was written all the same, so
lag counts from the time table. Quiet namespaces write `beacon N AT` in their messages: number and wall clock in ns.

What the flood consists of (`variant`):

- `names`: Events of new names about one Pod; `count`: one Event counted up; `ghosts`: about Pods that do not exist;
- `messages`: messages of 1 to 32 KB; `reasons`: 10,000 reasons; `steady`: nothing but the quiet namespaces.

`listed` Events are there before anybody watches: of the flooder, or with `of_pods` those of a cluster at work. Then every third Pod
was made within the last hour and has the six Events of a start; what is left of them are failed probes of the others, over that hour.

Prints one JSON line when the Events' watch is open, one when the flood begins, when it ends and when the time table is over.
"""

from __future__ import annotations

import calendar
import gzip
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

CAPTURE: Final = Path(__file__).resolve().parent.parent / "fixtures" / "captures" / "deployment.ndjson.gz"
FLOODER: Final = "flooder"
TICK_S: Final = 0.02
HOUR_NS: Final = 3600 * 1_000_000_000
YOUNG: Final = 3  # with `of_pods` each of so many Pods is one
_START: Final = ("Scheduled", "Pulling", "Pulled", "Created", "Started", "Unhealthy")
_TIME: Final = re.compile(r"(?<=\")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(?=\")")
_KINDS: Final = {
    "events": "Event",
    "pods": "Pod",
    "nodes": "Node",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
}


def templates() -> dict[str, dict[str, Any]]:
    """One real object of every kind that the capture holds, in its last version before it was deleted, with managedFields and all."""
    found: dict[str, dict[str, Any]] = {}
    for line in gzip.decompress(CAPTURE.read_bytes()).splitlines()[1:]:
        seen = json.loads(line)
        if seen["type"] != "DELETED" and not seen["object"]["metadata"].get("deletionTimestamp"):
            thing = seen["object"]
            ready = any(
                c["type"] == "Ready" and c["status"] == "True" for c in thing.get("status", {}).get("conditions", ())
            )
            if thing["kind"] != "Pod" or ready:
                found[thing["kind"]] = thing
    return found


def uid(group: int, number: int) -> str:
    """A uid that looks like one."""
    return f"{group:08x}-0000-4000-8000-{number:012x}"


def stamp(at_ns: int) -> str:
    """RFC 3339, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ns // 1_000_000_000))


def seconds(text: str) -> int:
    """Of an RFC 3339 time in whole seconds, since the epoch."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


class Cluster:
    """The objects, and the time table of the Events."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = {
            "deployments": 20,
            "pods": 200,
            "quiet": 20,
            "quiet_rate": 20,
            "rate": 5000,
            "seconds": 60,
            "before": 10,
            "after": 15,
            "variant": "names",
            "listed": 0,
            "of_pods": False,
        } | plan
        self.version = 1000
        self._began_ns = time.time_ns()
        self._templates = templates()
        event = self._templates["Event"]
        for field in ("deprecatedFirstTimestamp", "firstTimestamp", "lastTimestamp"):
            event.pop(field, None)
        event["metadata"] |= {"name": "@NAME", "namespace": "@SPACE", "uid": "@UID", "resourceVersion": "@RV"}
        event["metadata"]["creationTimestamp"] = event["firstTimestamp"] = event["lastTimestamp"] = "@AT"
        event["involvedObject"] = {
            "kind": "Pod",
            "namespace": "@SPACE",
            "name": "@POD",
            "uid": "@OF",
            "apiVersion": "v1",
            "fieldPath": "spec.containers{web}",
        }
        event |= {"reason": "@REASON", "message": "@MESSAGE", "type": "@TYPE", "count": "@COUNT"}
        event |= {"source": {"component": "kubelet", "host": "node-1"}, "reportingComponent": "kubelet"}
        shape = json.dumps({"type": "@DID", "object": event}, separators=(",", ":"))
        self._shape = re.sub(r'"?@([A-Z]+)"?', self._hole, shape.replace("%", "%%")) + "\n"
        self.lock = threading.Lock()

    @staticmethod
    def _hole(match: re.Match[str]) -> str:
        return "%(" + match[1] + ")d" if match[1] == "COUNT" else '"%(' + match[1] + ')s"'

    # -- objects

    def namespace(self, number: int) -> str:
        """Of a Deployment: the quiet namespaces share them."""
        return f"quiet-{number % self.plan['quiet']}"

    def items(self, kind: str) -> Iterator[dict[str, Any]]:
        """All objects of a kind."""
        deployments, pods = self.plan["deployments"], self.plan["pods"]
        if kind == "Deployment":
            for number in range(deployments):
                yield self._made(kind, self.namespace(number), f"app-{number}", uid(1, number))
        elif kind == "ReplicaSet":
            for number in range(deployments):
                owner = self._owner("apps/v1", "Deployment", f"app-{number}", uid(1, number))
                yield self._made(kind, self.namespace(number), f"app-{number}-5b89c5ccc4", uid(2, number), owner)
        elif kind == "Pod":
            for number in range(pods):
                of = number % max(deployments, 1)
                owner = self._owner("apps/v1", "ReplicaSet", f"app-{of}-5b89c5ccc4", uid(2, of))
                pod = self._made(kind, self.namespace(of), f"app-{of}-5b89c5ccc4-{number:05x}", uid(3, number), owner)
                pod["spec"]["nodeName"] = f"node-{number % 100}"
                yield self._young(pod, self._born_ns(number)) if self._is_young(number) else pod
            yield self._made(kind, FLOODER, "noisy", uid(9, 0), None)
        elif kind == "Node":
            for number in range(min(max(pods // 100, 1), 100)):
                yield self._made(kind, "", f"node-{number}", uid(4, number))
        elif kind == "Event":
            for number in range(self.plan["listed"]):
                line = self.pod_line(number) if self.plan["of_pods"] else self.flood_line(number, time.time_ns())
                yield json.loads(line)["object"]

    def _is_young(self, number: int) -> bool:
        return self.plan["of_pods"] and number % YOUNG == 0

    def _born_ns(self, number: int) -> int:
        return self._began_ns - HOUR_NS + int(HOUR_NS * 0.9 * number / self.plan["pods"])

    @staticmethod
    def _young(pod: dict[str, Any], born_ns: int) -> dict[str, Any]:
        """The Pod with all its times moved, so that it was made then."""
        moved_s = born_ns // 1_000_000_000 - seconds(pod["metadata"]["creationTimestamp"])
        text = _TIME.sub(lambda found: stamp((seconds(found[0]) + moved_s) * 1_000_000_000), json.dumps(pod))
        thing: dict[str, Any] = json.loads(text)
        return thing

    def _owner(self, api_version: str, kind: str, name: str, owner_uid: str) -> dict[str, Any]:
        controls = {"controller": True, "blockOwnerDeletion": True}
        return {"apiVersion": api_version, "kind": kind, "name": name, "uid": owner_uid} | controls

    def _made(
        self, kind: str, namespace: str, name: str, its_uid: str, owner: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        thing: dict[str, Any] = json.loads(json.dumps(self._templates[kind]))
        thing["metadata"] |= {"name": name, "uid": its_uid, "resourceVersion": str(self._next())}
        thing["metadata"].pop("ownerReferences", None)
        if namespace:
            thing["metadata"]["namespace"] = namespace
        if owner is not None:
            thing["metadata"]["ownerReferences"] = [owner]
        return thing

    def _next(self) -> int:
        self.version += 1
        return self.version

    # -- Events

    def flood_line(self, number: int, at_ns: int) -> bytes:
        """One line of the flood."""
        variant = self.plan["variant"]
        fill = {
            "DID": "ADDED",
            "NAME": f"noisy.{at_ns + number:016x}",
            "SPACE": FLOODER,
            "UID": uid(7, number),
            "RV": self._next(),
            "AT": stamp(at_ns),
            "POD": "noisy",
            "OF": uid(9, 0),
            "REASON": "Unhealthy",
            "MESSAGE": f"Readiness probe failed: attempt {number}",
            "TYPE": "Warning" if number % 10 == 0 else "Normal",
            "COUNT": 1,
        }
        if variant == "count":
            fill |= {"DID": "MODIFIED", "NAME": "noisy.0", "UID": uid(7, 0), "COUNT": number + 1}
        elif variant == "ghosts":
            fill |= {"POD": f"ghost-{number % 300_000}", "OF": uid(8, number % 300_000)}
        elif variant == "messages":
            fill["MESSAGE"] = "x" * (1024 << number % 6)
        elif variant == "reasons":
            fill["REASON"] = f"Reason{number % 10_000}"
        return (self._shape % fill).encode()

    def pod_line(self, number: int) -> bytes:
        """One of the Events that a cluster at work has stored."""
        pods, listed = self.plan["pods"], self.plan["listed"]
        starts = -(-pods // YOUNG) * len(_START)
        if number < starts:
            pod, reason = number // len(_START) * YOUNG, _START[number % len(_START)]
            return self._pod_line(
                number, pod, self._born_ns(pod) + number % len(_START) * 1_000_000_000, reason=reason, message=reason
            )
        at_ns = self._began_ns - HOUR_NS + int(HOUR_NS * (number - starts) / max(listed - starts, 1))
        number_of_old = number % (pods - pods // YOUNG - 1)
        pod = number_of_old // (YOUNG - 1) * YOUNG + 1 + number_of_old % (YOUNG - 1)
        message = f"Readiness probe failed: attempt {number}"
        return self._pod_line(number, pod, at_ns, reason="Unhealthy", message=message)

    def quiet_line(self, number: int, at_ns: int) -> bytes:
        """One Event of a quiet namespace, about a Pod that exists."""
        pod = number % max(self.plan["pods"], 1)
        return self._pod_line(number, pod, at_ns, reason="Unhealthy", message=f"beacon {number} {at_ns} ")

    def _about(self, pod: int, number: int, at_ns: int) -> dict[str, Any]:
        """What an Event of this number says of where it belongs."""
        of = pod % max(self.plan["deployments"], 1)
        return {
            "SPACE": self.namespace(of),
            "UID": uid(6, number),
            "RV": self._next(),
            "AT": stamp(at_ns),
            "POD": f"app-{of}-5b89c5ccc4-{pod:05x}",
            "OF": uid(3, pod),
        }

    def _pod_line(self, number: int, pod: int, at_ns: int, *, reason: str, message: str) -> bytes:
        about = self._about(pod, number, at_ns)
        of = pod % max(self.plan["deployments"], 1)
        fill = about | {
            "DID": "ADDED",
            "NAME": f"{about['POD']}.{at_ns:016x}" if self.plan["of_pods"] else f"app-{of}.{at_ns:016x}",
            "REASON": reason,
            "MESSAGE": message,
            "TYPE": "Warning" if reason == "Unhealthy" else "Normal",
            "COUNT": 1,
        }
        return (self._shape % fill).encode()

    def write_events(self, send: Callable[[bytes], None]) -> None:
        """Follows the time table; `send` blocks when the reader does."""
        plan = self.plan
        steady = plan["variant"] == "steady"
        begins, ends = time.monotonic() + plan["before"], time.monotonic() + plan["before"] + plan["seconds"]
        started_ns, started = time.time_ns(), time.monotonic()
        flooded = quiet = 0
        told: set[str] = set()
        say(open=time.time())
        while (now := time.monotonic()) < ends + plan["after"]:
            for name, at in (("begins", begins), ("ends", ends)):
                if now >= at and name not in told:
                    told.add(name)
                    say(**{name: time.time()})
            lines = []
            owed = 0 if steady else int((min(now, ends) - begins) * plan["rate"])
            while quiet < (now - started) * plan["quiet_rate"]:
                at_ns = started_ns + int(quiet / plan["quiet_rate"] * 1e9)
                lines.append(self.quiet_line(quiet, at_ns))
                quiet += 1
            for number in range(flooded, min(max(owed, 0), flooded + 500)):
                lines.append(self.flood_line(number, time.time_ns()))
                flooded += 1
            if lines:
                send(b"".join(b"%x\r\n%b\r\n" % (len(line), line) for line in lines))
            if flooded >= owed:
                time.sleep(TICK_S)
        say(over=time.time(), flooded=flooded, quiet=quiet, late=max(owed - flooded, 0))


def say(**what: Any) -> None:
    """A line for whoever started this."""
    print(json.dumps(what), flush=True)


class Server:
    """The API server's part: discovery is not asked for, so there is none."""

    def __init__(self, port: int, cluster: Cluster) -> None:
        self._cluster = cluster
        self._socket = socket.create_server(("127.0.0.1", port))
        self._pages: dict[str, list[bytes]] = {}
        self._flooding = threading.Event()

    def serve(self) -> None:
        """Until killed."""
        while True:
            connection, _ = self._socket.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                path, _, query = head.split(b" ", 2)[1].decode().partition("?")
                try:
                    if not self._answer(connection, path, query):
                        return
                except OSError:
                    return

    def _answer(self, connection: socket.socket, path: str, query: str) -> bool:
        plural = path.rpartition("/")[2]
        if plural == "kube-system":
            body = b'{"metadata":{"name":"kube-system","uid":"00000000-0000-4000-8000-00000000c0de"}}'
        elif plural == "version":
            body = b'{"major":"1","minor":"36","gitVersion":"v1.36.0"}'
        elif plural not in _KINDS:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")
            return True
        elif "watch=" in query:
            if not re.search(r"timeoutSeconds=1(&|$)", query):  # else somebody only asks whether they may
                self._watch(connection, plural)
            return False
        else:
            body = self._page(plural, query)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        return True

    def _page(self, plural: str, query: str) -> bytes:
        kind = _KINDS[plural]
        asked = re.search(r"continue=(\d+)", query)
        with self._cluster.lock:
            if kind not in self._pages:
                things = [json.dumps(thing, separators=(",", ":")).encode() for thing in self._cluster.items(kind)]
                self._pages[kind] = [b",".join(things[at : at + 500]) for at in range(0, len(things), 500)] or [b""]
            pages = self._pages[kind]
            number = int(asked[1]) if asked else 0
            more = f',"continue":"{number + 1}"' if number + 1 < len(pages) else ""
            version = self._cluster.version
        head = f'{{"kind":"{kind}List","apiVersion":"v1","metadata":{{"resourceVersion":"{version}"{more}}},"items":['
        return head.encode() + pages[number] + b"]}"

    def _watch(self, connection: socket.socket, plural: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        if plural == "events" and not self._flooding.is_set():
            self._flooding.set()
            self._cluster.write_events(connection.sendall)
        while True:
            metadata = {"resourceVersion": str(self._cluster.version)}
            mark = json.dumps({"type": "BOOKMARK", "object": {"kind": _KINDS[plural], "metadata": metadata}}).encode()
            connection.sendall(b"%x\r\n%b\n\r\n" % (len(mark) + 1, mark))
            time.sleep(1.0)


if __name__ == "__main__":
    Server(int(sys.argv[1]), Cluster(json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})).serve()
