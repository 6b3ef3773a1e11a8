"""The yardstick, a process: a bare Python reader of watches of a real API server that decodes each line with msgspec. Nothing else.

    python -m tests.bench.real.floor KUBECONFIG PATH...

One thread a path. Says how many lines it has read whenever its standard input has a line; what it costs is read from outside.
"""

from __future__ import annotations

import json
import sys
import threading
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from tests.bench.real.account import Account


class Metadata(msgspec.Struct):
    """What every object has."""

    name: str = ""
    namespace: str = ""
    uid: str = ""


class Thing(msgspec.Struct, rename="camel"):
    """An Event, or any object."""

    metadata: Metadata
    involved_object: Metadata | None = None
    reason: str = ""
    message: str = ""
    count: int | None = None


class Line(msgspec.Struct):
    """Of a watch."""

    type: str
    object: Thing


def main() -> None:
    """See the module."""
    account = Account(Path(sys.argv[1]))
    read = dict.fromkeys(sys.argv[2:], 0)

    def follow(path: str) -> None:
        connection = HTTPSConnection(account.host, account.port, context=account.tls)
        connection.request("GET", f"{path}?limit=1", headers=account.headers)
        version = json.load(connection.getresponse())["metadata"]["resourceVersion"]
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "3600"}
        connection.request("GET", f"{path}?{urlencode(query)}", headers=account.headers)
        response = connection.getresponse()
        decoder, rest = msgspec.json.Decoder(Line), b""
        while data := response.read1(65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                decoder.decode(line)
            read[path] += len(lines)

    for path in read:
        threading.Thread(target=follow, args=(path,), daemon=True).start()
    for _ in sys.stdin:
        print(json.dumps(read), flush=True)


if __name__ == "__main__":
    main()
