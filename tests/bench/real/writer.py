"""A process that writes Events to a real API server as fast as it takes them.

    python -m tests.bench.real.writer KUBECONFIG NAMESPACE COUNT

About the Pods of the namespace, one after the other; their reasons are those of a container that restarts, as recorded. The bodies are
made first; then several connections are kept busy. Prints what it did as JSON.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, Final

from tests.bench.cluster import recorded
from tests.bench.real.account import Account
from tests.faults.generator import stamp

CONNECTIONS: Final = 12
REASONS: Final = ("Pulled", "Created", "Started", "BackOff")


def shapes() -> dict[str, dict[str, Any]]:
    """Reason -> the recorded Event, without what the API server gives it."""
    found: dict[str, dict[str, Any]] = {}
    for line in recorded("crash-loop"):
        thing = line["object"]
        if thing["kind"] == "Event" and thing["reason"] in REASONS:
            found.setdefault(thing["reason"], thing | {"metadata": {}, "count": 1})
    return found


def bodies(pods: list[dict[str, Any]], count: int) -> Iterator[bytes]:
    """The Events, as they are sent."""
    known, now_ns = shapes(), time.time_ns()
    for number in range(count):
        pod = pods[number % len(pods)]["metadata"]
        event = known[REASONS[number // len(pods) % len(REASONS)]]
        about = {"kind": "Pod", "apiVersion": "v1", "fieldPath": "spec.containers{app}"}
        about |= {
            key: pod[key]
            for key in ("namespace", "name", "uid", "resourceVersion" if "resourceVersion" in pod else "name")
        }
        named = {"name": f"{pod['name']}.{now_ns + number:016x}", "namespace": pod["namespace"]}
        times = {"firstTimestamp": stamp(now_ns), "lastTimestamp": stamp(now_ns)}
        yield json.dumps(event | times | {"metadata": named, "involvedObject": about}).encode()


def main() -> None:
    """See the module."""
    account, namespace, count = Account(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    connection = HTTPSConnection(account.host, account.port, context=account.tls)
    connection.request("GET", f"/api/v1/namespaces/{namespace}/pods", headers=account.headers)
    pods = json.load(connection.getresponse())["items"]
    waiting = list(bodies(pods, count))[::-1]
    bad: list[bytes] = []

    def write() -> None:
        plain = socket.create_connection((account.host, account.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with account.tls.wrap_socket(plain, server_hostname=account.host) as sock:
            while True:
                try:
                    body = waiting.pop()
                except IndexError:
                    return
                _post(sock, account, namespace, body, bad)

    threads = [threading.Thread(target=write) for _ in range(CONNECTIONS)]
    began = time.time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.time() - began
    print(json.dumps({"events": count - len(bad), "pods": len(pods), "seconds": seconds, "ended": time.time()}))
    if bad:
        sys.exit(f"{len(bad)} Events were refused: {bad[0][:300]!r}")


def _post(sock: ssl.SSLSocket, account: Account, namespace: str, body: bytes, bad: list[bytes]) -> None:
    head = (
        f"POST /api/v1/namespaces/{namespace}/events HTTP/1.1\r\nHost: {account.host}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in account.headers.items())
        + "\r\n"
    )
    sock.sendall(head.encode() + body)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += sock.recv(65536)
    headers, _, rest = answer.partition(b"\r\n\r\n")
    size = next(
        int(line.partition(b":")[2]) for line in headers.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(rest) < size:
        rest += sock.recv(65536)
    if b" 201 " not in headers[:20]:
        bad.append(rest)


if __name__ == "__main__":
    main()
