"""Which part of the stories one of several processes tells: by the root object, so that a story is told as a whole.

Every shard takes in everything and decides the same as one process alone would: where an Event belongs, when a story opens and
closes, what caused what. Only the telling is divided: spans are made in the one shard that a story is told by. Less would not do.
Spans link to stories of other root objects, whose ids and ends depend on all of their Events; and who is forgotten in a crowd
depends on all who are there. So n shards together give exactly the spans of one process, whatever happens.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

import msgspec

from kspanpy.core.model import Object

MOST: Final = 256  # shards
_TEXT = re.compile(r"(?P<index>auto|0|[1-9][0-9]{0,2})/(?P<count>[1-9][0-9]{0,2})", re.ASCII)
_ORDINAL = re.compile(r"(?:^|[^0-9])(?P<number>0|[1-9][0-9]{0,2})$", re.ASCII)


class Shard(msgspec.Struct, frozen=True):
    """Number `index` (from 0) of `count`; the default tells everything."""

    index: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def tells(self, root: Object) -> bool:
        """True if the stories of this root object are told here. By name, not by uid: what is made again stays where it was."""
        if self.count == 1:
            return True
        key = f"{root.namespace}\x1f{root.kind}\x1f{root.name}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") % self.count == self.index


def parse(text: str, *, host: str = "") -> Shard:
    """`0/4`, or `auto/4` for the number that the name of the host ends in; empty for everything. Raises ValueError."""
    if not text:
        return Shard()
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError("not INDEX/COUNT")
    number, count = found["index"], int(found["count"])
    if number == "auto":
        ordinal = _ORDINAL.search(host.partition(".")[0])
        if ordinal is None:
            raise ValueError("the name of the host does not end in a number")
        number = ordinal["number"]
    if not int(number) < count <= MOST:
        raise ValueError("no such shard")
    return Shard(int(number), count)
