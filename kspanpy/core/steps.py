"""What goes into the linker and what comes out: its whole interface besides `Linker.step(input, now)`.

Inputs are facts, in the order in which they were received. Outputs are spans and commands; the caller carries them out
and, where there is an answer, feeds it back as an input. Nothing here waits, calls or reads a clock.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from kspanpy.core.model import Event, Object, ObjectReference, Span


class ObjectSeen(msgspec.Struct, frozen=True, gc=False):
    """A version of an object: listed, added or modified; or `looked_up`, in answer to `LookupOwner`: nobody will show the next."""

    object: Object
    looked_up: bool = False


class ObjectGone(msgspec.Struct, frozen=True, gc=False):
    """The last version of an object that has been deleted."""

    object: Object


class EventSeen(msgspec.Struct, frozen=True, gc=False):
    """A version of an Event: added or modified. (That an Event expired says nothing; the drivers drop it.)"""

    event: Event


class WatchProgress(msgspec.Struct, frozen=True, gc=False):
    """A bookmark or a finished list: nothing older of this kind is still to come."""

    kind: str
    resource_version: int


class WatchMissing(msgspec.Struct, frozen=True, gc=False):
    """A kind that can not be watched (no right to, not served): nothing will come of it, so nothing should wait for it."""

    kind: str


class OwnerMissing(msgspec.Struct, frozen=True, gc=False):
    """The answer to `LookupOwner` when there is no object to show."""

    reference: ObjectReference
    reason: str  # forbidden, not found, unavailable


class Tick(msgspec.Struct, frozen=True, gc=False):
    """Only time has passed."""


class GapBegan(msgspec.Struct, frozen=True, gc=False):
    """From now on nobody looks (the process was down): what would fall due waits for `GapEnded`, and for what is found out until then."""


class GapEnded(msgspec.Struct, frozen=True, gc=False):
    """The watches have caught up with what happened in the gap."""


Input: TypeAlias = (
    ObjectSeen | ObjectGone | EventSeen | WatchProgress | WatchMissing | OwnerMissing | Tick | GapBegan | GapEnded
)


class DiscardReason(StrEnum):
    """Why an occurrence got no span. A closed list: it is a metric label."""

    DUPLICATE = "duplicate"  # this step of this Event was seen before: a relist, a re-sent line
    DEFECT = "defect"  # a bug of kspanpy cost it its span; said by whoever runs the linker
    OTHER_SHARD = "other_shard"  # it is part of a story that another shard tells (`core.shard`)
    FLOOD = "flood"  # its namespace wrote faster than the linker could take in: dropped before it (`app.intake`)


class SpanEnded(msgspec.Struct, frozen=True, gc=False):
    """A span is finished: send it, once."""

    span: Span


class LookupOwner(msgspec.Struct, frozen=True, gc=False):
    """An owner of a kind that is not watched: fetch its metadata and answer with `ObjectSeen` or `OwnerMissing`."""

    reference: ObjectReference


class Discarded(msgspec.Struct, frozen=True, gc=False):
    """One occurrence will have no span."""

    reason: DiscardReason


Output: TypeAlias = SpanEnded | LookupOwner | Discarded
