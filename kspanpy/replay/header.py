"""The first line of a capture file: of which cluster it is, and when and where it was recorded.

{"capture":1,"kubernetes":"v1.36.3","cluster":{"uid":...},"recorded":...,"namespaces":[...],"note":...}
"""

from __future__ import annotations

import json

import msgspec

from kspanpy.core import sanitize
from kspanpy.decode.times import nanoseconds, rfc3339
from kspanpy.decode.wire import NOTHING, Wire

VERSION = 1
MAX_NAMESPACES = 100_000


class Cluster(Wire):
    """The cluster, as the header has it."""

    uid: str | None = None


class Line(Wire):
    """Any line of a capture file: a header, a change, or (more than the contract asks) a bare watch event or object."""

    capture: int | None = None
    received: str | None = None
    type: str | None = None
    object: msgspec.Raw = NOTHING

    kind: str | None = None
    metadata: msgspec.Raw = NOTHING

    kubernetes: str | None = None
    cluster: Cluster | None = None
    recorded: str | None = None
    namespaces: list[str | None] | None = None
    note: str | None = None


class Header(msgspec.Struct, frozen=True):
    """What is known of a recording; all of it may be missing."""

    cluster_uid: str = ""
    kubernetes: str = ""
    namespaces: tuple[str, ...] = ()
    recorded_ns: int | None = None
    note: str = ""

    @classmethod
    def from_line(cls, line: Line) -> Header:
        """The header in a line that is one."""
        return cls(
            cluster_uid=sanitize.text((line.cluster.uid if line.cluster else None) or "", sanitize.UID),
            kubernetes=sanitize.text(line.kubernetes or "", sanitize.UID),
            namespaces=tuple(
                sanitize.text(name, sanitize.NAME) for name in (line.namespaces or [])[:MAX_NAMESPACES] if name
            ),
            recorded_ns=nanoseconds(line.recorded),
            note=sanitize.text(line.note or "", sanitize.MESSAGE),
        )

    def line(self) -> bytes:
        """The header as the first line of a file."""
        value: dict[str, object] = {
            "capture": VERSION,
            "kubernetes": self.kubernetes,
            "cluster": {"uid": self.cluster_uid},
        }
        if self.recorded_ns is not None:
            value["recorded"] = rfc3339(self.recorded_ns)
        value["namespaces"] = list(self.namespaces)
        if self.note:
            value["note"] = self.note
        return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
