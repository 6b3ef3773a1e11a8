"""The yardstick, a process: a bare Python loop that reads a watch of Events and decodes each line with msgspec. Nothing else.

    python -m tests.bench.reader PORT COUNT

Says `{"open": true}` when the watch is open, and after COUNT Events what they cost: seconds of CPU, without the start.
"""

from __future__ import annotations

import http.client
import json
import sys
import time

import msgspec


class Named(msgspec.Struct):
    """metadata, involvedObject."""

    name: str = ""
    namespace: str = ""
    uid: str = ""


class Event(msgspec.Struct, rename="camel"):
    """The few fields that say what happened."""

    metadata: Named
    involved_object: Named
    reason: str = ""
    message: str = ""
    type: str = ""
    count: int | None = None
    last_timestamp: str | None = None
    event_time: str | None = None


class Line(msgspec.Struct):
    """A line of the watch."""

    type: str
    object: Event


def main() -> None:
    """See the module."""
    port, count = int(sys.argv[1]), int(sys.argv[2])
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/api/v1/events?watch=true&resourceVersion=1")
    response = connection.getresponse()
    print(json.dumps({"open": True}), flush=True)
    decoder = msgspec.json.Decoder(Line)
    rest, read, size = b"", 0, 0
    cpu, began = time.process_time(), time.monotonic()
    while read < count:
        data = response.read1(65536)
        size += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            decoder.decode(line)
        read += len(lines)
    print(
        json.dumps({"cpu_s": time.process_time() - cpu, "seconds": time.monotonic() - began, "bytes": size}), flush=True
    )
    # Without a proper end: the connection is closed by the operating system.


if __name__ == "__main__":
    main()
