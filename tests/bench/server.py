"""A process that lists and watches as an API server does, as fast as it is read, and otherwise costs nothing.

    python -m tests.bench.server PORT '{"pods": 1000, "deployments": 100, "listed": 0}'

It does what its standard input says, a JSON object a line, and answers each with one when that is done:

    {"do": "burst", "count": 50000}            Events about the Pods there are (`cluster.MIX`), at full speed
    {"do": "burst", ..., "shape": "counted"}   ... or a count that grows; or a reason, such as BackOff
    {"do": "steady", "rate": 500, "seconds": 20}   in real time, each with `beacon NUMBER WALL_NS` in its message
    {"do": "stories", "count": 400, "gap_s": 0.05} recorded stories, in real time
    {"do": "huge", "pods": 5000, "per_s": 250}     one rollout of one Deployment, in real time

Bytes are made before they are sent: in a burst the sender only waits for the reader. Every line is an HTTP chunk of its own, as API
servers send it.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

from tests.bench.cluster import Cluster
from tests.bench.recorded import Written, huge, stories
from tests.faults import generator
from tests.faults.generator import say

_PLURALS: Final = {kind: plural for plural, kind in generator._KINDS.items()}
BOOKMARK_S: Final = 60.0
BLOCK: Final = 128 * 1024  # about so many bytes are written at a time


class Server(generator.Server):
    """The lists are those of `Cluster`; the watches get what is asked for."""

    def __init__(self, port: int, cluster: Cluster) -> None:
        super().__init__(port, cluster)
        self._bench = cluster
        self._watching: dict[str, list[socket.socket]] = {}
        self._writing = threading.Lock()
        self._number = 0
        self._over = threading.Event()

    def _watch(self, connection: socket.socket, plural: str) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        with self._writing:
            connection.sendall(head)
            self._watching.setdefault(plural, []).append(connection)
        try:
            while connection.recv(1024):  # nothing comes until the reader leaves
                pass
        except OSError:
            pass
        finally:
            with self._writing:
                self._watching[plural].remove(connection)

    def bookmarks(self) -> None:
        """As API servers send them, once a minute; of Events there are none."""
        while not self._over.wait(BOOKMARK_S):
            for plural in set(self._watching) - {"events"}:
                metadata = {"resourceVersion": str(self._bench.version)}
                mark = {"type": "BOOKMARK", "object": {"kind": generator._KINDS[plural], "metadata": metadata}}
                self._send(plural, [json.dumps(mark).encode() + b"\n"])

    def _send(self, plural: str, lines: Iterable[bytes]) -> None:
        data = b"".join(b"%x\r\n%b\r\n" % (len(line), line) for line in lines)
        with self._writing:
            for connection in self._watching.get(plural, []):
                try:
                    connection.sendall(data)
                except OSError:  # it has left
                    continue

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Does one thing; says what it was."""
        began = time.monotonic()
        did = {"burst": self._burst, "steady": self._steady, "stories": self._stories, "huge": self._huge}[
            order.pop("do")
        ]
        return did(**order) | {"seconds": time.monotonic() - began}

    def _burst(self, count: int, shape: str = "") -> dict[str, Any]:
        now_ns, first = time.time_ns(), self._number
        if shape == "counted":
            lines = [self._bench.counted(number, now_ns) for number in range(first, first + count)]
        else:
            lines = [self._bench.event(number, now_ns, reason=shape) for number in range(first, first + count)]
        self._number += count
        size = sum(map(len, lines))
        each = max(BLOCK * count // max(size, 1), 1)
        for at in range(0, count, each):
            self._send("events", lines[at : at + each])
        return {"events": count, "bytes": size}

    def _steady(self, rate: float, seconds: float, shape: str = "BackOff") -> dict[str, Any]:
        began, sent, size = time.monotonic(), 0, 0
        while sent < rate * seconds:
            owed = min(int((time.monotonic() - began) * rate), int(rate * seconds))
            lines = []
            for number in range(self._number + sent, self._number + owed):
                at_ns = time.time_ns()
                reason = "" if shape == "mix" else shape
                lines.append(self._bench.event(number, at_ns, reason=reason, note=f" beacon {number} {at_ns} "))
            if lines:
                self._send("events", lines)
            sent, size = owed, size + sum(map(len, lines))
            time.sleep(0.01)
        self._number += sent
        return {"events": sent, "bytes": size}

    def _stories(self, count: int, gap_s: float) -> dict[str, Any]:
        return self._play(list(stories(count, time.time() + 1, gap_s)))

    def _huge(self, pods: int, per_s: float) -> dict[str, Any]:
        return self._play(list(huge(pods, time.time() + 1, per_s)))

    def _play(self, changes: list[Written]) -> dict[str, Any]:
        late = time.time() - changes[0].at  # making them took its time
        done, longest = 0, 0.0
        while done < len(changes):
            now, due = time.time(), []
            while done < len(changes) and changes[done].at + late <= now:
                due.append(changes[done])
                done += 1
            if due:
                longest = max(longest, now - due[0].at - late)
            for change in due:
                self._send(_PLURALS[change.kind], [change.line])
            time.sleep(0.005)
        size = sum(len(change.line) for change in changes)
        events = sum(change.is_step for change in changes)
        return {"events": events, "changes": len(changes), "bytes": size, "behind_s": longest}


def main() -> None:
    """See the module."""
    plan = {"quiet": 20, "now_ns": time.time_ns()} | json.loads(sys.argv[2])
    server = Server(int(sys.argv[1]), Cluster(plan))
    threading.Thread(target=server.serve, daemon=True).start()
    threading.Thread(target=server.bookmarks, daemon=True).start()
    say(listening=True)
    for line in sys.stdin:
        say(**server.obey(json.loads(line)))


if __name__ == "__main__":
    main()
