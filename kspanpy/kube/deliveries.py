"""What the watches hand on, and what they tell of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from kspanpy.core import steps
from kspanpy.core.model import Object
from kspanpy.decode import Change, MalformedReason, to_step
from kspanpy.kube.failures import FailureReason


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """One change (for the linker and for a capture file), or how far the watches of a kind have come, or only a cursor.

    `cursor`: once this delivery has been taken in, the watch of `kind` in `namespace` (empty: of all) can be resumed at this
    resourceVersion, and nothing is lost. Empty: at the one before, since a list is under way and only good when it is whole.
    `backlog`: it had piled up before it could be read: it comes out of a list, or of a watch that was resumed after an outage.
    """

    received_ns: int
    kind: str
    change: Change | None = None
    progress: steps.WatchProgress | steps.WatchMissing | None = None
    namespace: str = ""
    cursor: str = ""
    backlog: bool = False

    def step(self) -> steps.Input | None:
        """The linker's input; None for an Event that expired and for what only moves the cursor."""
        return self.progress if self.change is None else to_step(self.change.type, self.change.object)


class Relief(Protocol):
    """Who receives Events and can not keep up: what it would drop need not be read. It counts what it drops."""

    @property
    def needed(self) -> bool:
        """Whether `drops` is worth asking. Cheap."""

    def drops(self, namespace: str, *, warning: bool, backlog: bool) -> bool:
        """True: the next Event of this namespace is dropped, and was counted."""


class Resume(msgspec.Struct, frozen=True):
    """Where a former process stopped with one watch: its newest cursor, and the objects that it had been shown and that were
    still there. If the cursor has expired, those of them that a new list does not show have gone.
    """

    cursor: str
    known: Sequence[Object] = ()


class WatchState(StrEnum):
    """What a watch is doing. A closed list."""

    WAITING = "waiting"  # Events: for the first lists of the objects they are about
    LISTING = "listing"
    WATCHING = "watching"
    RETRYING = "retrying"
    FORBIDDEN = "forbidden"
    NOT_SERVED = "not-served"
    STOPPED = "stopped"


class WatchHealth(msgspec.Struct, frozen=True, gc=False):
    """One watch, at one moment. `reason` says what is wrong, and for a missing right which; empty when all is well."""

    kind: str
    namespace: str
    synced: bool
    last_byte_age_s: float | None
    state: WatchState
    reason: str = ""


@dataclass(slots=True)
class Counters:
    """Plain numbers that only grow, as many as there are reasons. One thread writes them, any may read."""

    lists: int = 0  # requests for a page
    watches: int = 0  # requests for a stream
    relists: int = 0  # lists that were completed after the first one
    bytes: int = 0
    changes: int = 0
    filtered: int = 0  # of namespaces that are not wanted
    forgotten: int = 0  # known objects beyond the capacity
    failures: dict[FailureReason, int] = field(default_factory=lambda: dict.fromkeys(FailureReason, 0))
    malformed: dict[MalformedReason, int] = field(default_factory=lambda: dict.fromkeys(MalformedReason, 0))

    def add(self, other: Counters) -> None:
        """Sum up."""
        for name in ("lists", "watches", "relists", "bytes", "changes", "filtered", "forgotten"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for failure, number in other.failures.items():
            self.failures[failure] += number
        for malformed, number in other.malformed.items():
            self.malformed[malformed] += number
