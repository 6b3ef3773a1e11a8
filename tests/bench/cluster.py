"""The cluster of the benchmarks: real recorded objects and Events, in any number.

Objects are those of `tests/faults/generator.py`: recorded ones, managedFields and all, under other names. Events are recorded ones,
too: each reason that the kubelet and the scheduler wrote about a Pod in a capture is a shape, filled in with who it is about.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.faults import generator

CAPTURES: Final = Path(__file__).resolve().parent.parent / "fixtures" / "captures"
NORMAL: Final = ("Scheduled", "Pulling", "Pulled", "Created", "Started")
MIX: Final = (*NORMAL, "BackOff", *NORMAL[1:])
"""The reasons of a Pod, in this order, again and again: it starts, its container crashes and starts again."""

_COUNTED: Final = 1 << 40  # the numbers of Events that are written again


def recorded(capture: str) -> list[dict[str, Any]]:
    """The lines of a capture of tests/fixtures, without its header."""
    return [
        json.loads(line) for line in gzip.decompress((CAPTURES / f"{capture}.ndjson.gz").read_bytes()).splitlines()
    ][1:]


def shapes() -> dict[str, str]:
    """Reason -> a watch line with `%` places: DID NAME SPACE UID RV AT POD OF NODE COUNT NOTE (at the end of the message)."""
    found: dict[str, str] = {}
    for capture in ("deployment", "crash-loop"):
        for line in recorded(capture):
            thing = line["object"]
            if thing["kind"] == "Event" and thing["involvedObject"]["kind"] == "Pod":
                found.setdefault(thing["reason"], _shape(thing))
    return found


def _shape(event: dict[str, Any]) -> str:
    about, space = event["involvedObject"], event["metadata"]["namespace"]
    event = json.loads(json.dumps(event))
    event["message"] += "@NOTE@"
    if "count" in event:  # the scheduler's have none
        event["count"] = "@COUNT@"
    event["metadata"] |= {"name": "@NAME@", "uid": "@UID@", "resourceVersion": "@RV@", "namespace": "@SPACE@"}
    # A version that the lists have passed: an Event about a later one would wait for it.
    event["involvedObject"] |= {"namespace": "@SPACE@", "resourceVersion": "1000"}
    text = json.dumps({"type": "@DID@", "object": event}, separators=(",", ":")).replace("%", "%%")
    text = text.replace(f"{space}/", "@SPACE@/").replace(about["name"], "@POD@").replace(about["uid"], "@OF@")
    text = re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"', '"@AT@"', text).replace('"@COUNT@"', "%(COUNT)d")
    return re.sub(r"@([A-Z]+)@", r"%(\1)s", text) + "\n"


class Cluster(generator.Cluster):
    """`pods` of `deployments`, all well, in `quiet` namespaces."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self._reasons = shapes()

    def event(self, number: int, at_ns: int, *, reason: str = "", note: str = "") -> bytes:
        """A new Event about a Pod that exists, one Pod after the other."""
        turn = number // self.plan["pods"]
        return self._line(number, at_ns, reason or MIX[turn % len(MIX)], number=number, note=note)

    def counted(self, number: int, at_ns: int) -> bytes:
        """The one BackOff of a Pod, one Pod after the other: written once, and then again with a count that grows."""
        pods = self.plan["pods"]
        return self._line(number, at_ns, "BackOff", number=_COUNTED + number % pods, count=number // pods + 1)

    def _line(self, about: int, at_ns: int, reason: str, *, number: int, note: str = "", count: int = 1) -> bytes:
        pod = about % self.plan["pods"]
        where = self._about(pod, number, at_ns)
        fill = where | {
            "DID": "MODIFIED" if count > 1 else "ADDED",
            "NAME": f"{where['POD']}.{number:016x}",
            "COUNT": count,
            "NOTE": note,
        }
        return (self._reasons[reason] % fill).encode()

    def items(self, kind: str) -> Iterator[dict[str, Any]]:
        """All objects of a kind; of Events, the `listed` ones."""
        if kind != "Event":
            yield from super().items(kind)
            return
        now_ns = self.plan["now_ns"]
        for number in range(self.plan["listed"]):
            yield json.loads(self.event(number, now_ns - (self.plan["listed"] - number) * 10_000_000))["object"]
