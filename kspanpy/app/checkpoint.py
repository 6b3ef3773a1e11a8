"""The state on disk, from the side of the loop: what is written when, and how a linker is made of it again.

    every round      the inputs it took, the cursors of the watches, the spans it made: one transaction, before anything is sent
    now and then     a snapshot of the linker, so that a start replays seconds of work, not hours
    at the start     the snapshot, the inputs since; the spans they make were stored before and are not made twice

A disk that fails costs the checkpoint, never the service: it is counted, logged, and tried again with a new snapshot.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kspanpy.core.linker import Linker
from kspanpy.core.model import Object, ObjectReference, Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import Input, LookupOwner, ObjectSeen, OwnerMissing, SpanEnded
from kspanpy.errors import StartupError
from kspanpy.export import OVERHEAD, EncodedSpan
from kspanpy.kube import Resume, WatchSettings
from kspanpy.state import StateFile, Target, UnusableStateError, fingerprint

_log = logging.getLogger(__name__)

_REPLAY_S: Final = 2.0  # a snapshot is due when a replay would take so long ...
_SHARE: Final = 20.0  # ... and so many times as long as the snapshot itself takes
_JOURNAL_BYTES: Final = 64 * 1024 * 1024
_RETRY_S: Final = 30.0
_TRIES: Final = 3

OPERATIONS: Final = ("round", "snapshot", "restore", "replay")
"""What can fail. `replay`: it did not give as many spans as the first time, which is a bug."""


class Held(msgspec.Struct):
    """What a snapshot holds, and what is restored."""

    linker: Linker
    now_ns: int = 0
    emitted: int = 0  # spans that the linker has made in all
    asked: dict[ObjectReference, None] = msgspec.field(default_factory=dict)  # lookups without an answer
    in_doubt: list[Span] = msgspec.field(
        default_factory=list
    )  # of a replay: they may not have been stored; empty in a snapshot


def open_state(folder: Path, *, identity: str) -> StateFile:
    """The state of this cluster in this folder; a new one where it can not be used. Raises StartupError."""
    try:
        try:
            return StateFile.open(folder, identity=identity)
        except UnusableStateError as error:
            _log.warning("the state in %s can not be used: %s; it is put aside", folder, error)
            StateFile.discard(folder)
            return StateFile.open(folder, identity=identity)
    except (OSError, UnusableStateError) as error:
        raise StartupError(
            f"KSPANPY_STATE_DIRECTORY {folder} can not be used: {error}; give a folder that only this process writes to"
        ) from None


def resumptions(held: Held, cursors: Mapping[Target, str]) -> dict[Target, Resume]:
    """Where each watch goes on, with what it had shown."""
    known: defaultdict[str, list[Object]] = defaultdict(list)
    for thing in held.linker.objects():
        known[thing.kind].append(thing)
    return {
        (kind, namespace): Resume(
            cursor, [thing for thing in known[kind] if not namespace or thing.namespace == namespace]
        )
        for (kind, namespace), cursor in cursors.items()
    }


class Checkpoint:
    """Owned by the loop's thread; only the counters are read by others."""

    def __init__(
        self,
        state: StateFile,
        settings: LinkerSettings,
        *,
        watched: WatchSettings | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """What `settings` told of what was `watched` is not what others would tell: with others the linker begins anew."""
        self.errors: Counter[str] = Counter()  # by operation
        self.snapshots = 0
        self.snapshot_bytes = 0
        self.snapshot_s = 0.0  # how long the last one took
        self._state = state
        self._fingerprint = fingerprint((settings, watched))
        self._monotonic = monotonic
        self._worked_s = 0.0
        self._retry_at_s = 0.0
        self._was_broken = False

    def record(self, taken: Sequence[tuple[int, Input]], cursors: Mapping[Target, str], *, emitted: int) -> None:
        """What this round took in. It is written with the round's spans, else by `commit`."""
        self._state.record(taken, cursors, emitted=emitted)

    def commit(self, worked_s: float) -> None:
        """The end of a round that took the linker so long."""
        self._worked_s += worked_s
        was_broken, self._was_broken = self._was_broken, self._state.broken  # it may have broken with the spans
        if self._was_broken and not was_broken:
            self._failed("round", OSError("spans could not be written"))
            return
        try:
            self._state.commit()
        except OSError as error:
            self._failed("round", error)
            self._was_broken = True

    @property
    def journal_bytes(self) -> int:
        """Of the inputs since the last snapshot."""
        return self._state.journal_bytes

    def size(self) -> int:
        """Bytes on the disk; 0 when that can not be told."""
        try:
            return self._state.size()
        except OSError:
            return 0

    @property
    def due(self) -> bool:
        """Whether a snapshot is worth its time, or needed because a round could not be written."""
        if self.overdue:
            return True
        return self._may_try and self._worked_s > max(_REPLAY_S, _SHARE * self.snapshot_s)

    @property
    def overdue(self) -> bool:
        """Whether one is due that can not wait until there is less to do: the journal has an end, and a round was not written."""
        return self._may_try and (self._state.broken or self._state.journal_bytes > _JOURNAL_BYTES)

    @property
    def _may_try(self) -> bool:
        return self._monotonic() >= self._retry_at_s

    def snapshot(self, held: Held) -> None:
        """Writes one."""
        began = self._monotonic()
        content = {name: getattr(held, name) for name in held.__struct_fields__}
        try:
            size = self._state.snapshot(content, {}, emitted=held.emitted, fingerprint=self._fingerprint)
        except Exception as error:  # noqa: BLE001 - counted and logged; the service goes on without
            self._failed("snapshot", error)
            return
        self.snapshot_s = self._monotonic() - began
        self.snapshot_bytes = size
        self.snapshots += 1
        self._was_broken = False
        self._worked_s = 0.0
        _log.debug("snapshot: %d bytes in %.3f s", size, self.snapshot_s)

    def restore(self, settings: LinkerSettings) -> Held | None:
        """What was held at the last commit; None for a new beginning. Raises StartupError when the disk does not give it."""
        began = self._monotonic()
        try:
            self._state.begin_restoring(tries=_TRIES)
            content, inputs = self._state.restore(fingerprint=self._fingerprint)
            fresh = content is None
            held = Held(Linker(settings)) if fresh else Held(**content)
            stored = self._state.emitted()
            taken = _replay(held, inputs)
        except (UnusableStateError, TypeError) as error:
            _log.warning("the state on disk can not be used: %s; begins anew with what the API server still has", error)
            self.errors["restore"] += 1
            self._state.forget_linker()
            return None
        except OSError as error:
            raise StartupError(f"KSPANPY_STATE_DIRECTORY can not be read or written: {error}") from None
        if fresh and not taken:
            return None
        if held.emitted == stored:
            held.in_doubt = []
        else:  # a bug; nobody knows which of them are stored, so they are told again
            self.errors["replay"] += 1
            _log.error("the replay made %d spans, the first time it were %d", held.emitted, stored)
        self._worked_s = self._monotonic() - began
        _log.info("restored", extra={"replayed": taken, "took_s": round(self._worked_s, 3), **_sizes(held)})
        return held

    def _failed(self, operation: str, error: Exception) -> None:
        self.errors[operation] += 1
        self._retry_at_s = self._monotonic() + _RETRY_S
        _log.error("the checkpoint is not written (%s: %s); goes on without, tries again", type(error).__name__, error)


def _sizes(held: Held) -> dict[str, int]:
    stats = held.linker.stats()
    return {"objects": stats.objects, "open_stories": stats.open_stories, "events_pending": stats.held_events}


def _replay(held: Held, inputs: Iterator[tuple[int, Input]]) -> int:
    """Takes the inputs again. What comes out was stored when it came out the first time."""
    taken = 0
    for now_ns, fact in inputs:
        taken += 1
        held.now_ns = now_ns
        answered(held.asked, fact)
        try:
            outputs = held.linker.step(fact, now_ns)
        except Exception:  # noqa: BLE001 - a defect that the loop counted and logged when it happened
            outputs = held.linker.said()
        for output in outputs:
            match output:
                case SpanEnded(span=span):
                    held.emitted += 1
                    held.in_doubt.append(span)
                case LookupOwner(reference=reference):
                    held.asked[reference] = None
    return taken


def answered(asked: dict[ObjectReference, None], fact: Input) -> None:
    """Crosses off what this input answers."""
    if isinstance(fact, OwnerMissing):
        asked.pop(fact.reference, None)
    elif isinstance(fact, ObjectSeen) and fact.looked_up:
        for reference in [reference for reference in asked if reference.uid == fact.object.uid]:
            del asked[reference]


class SpanShelf:
    """The spans of the state file, as the export wants them."""

    def __init__(self, state: StateFile) -> None:
        self._state = state

    def put(self, spans: Sequence[EncodedSpan]) -> int:
        """Stores them, with the round that made them."""
        return self._state.put([(span.key, span.service, span.payload) for span in spans])

    def load(self, after: int, *, spans: int, size: int) -> list[tuple[int, EncodedSpan]]:
        """The next ones."""
        return [
            (number, EncodedSpan(*row))
            for number, row in self._state.load(after, spans=spans, size=size, each=OVERHEAD)
        ]

    def remove(self, numbers: Sequence[int]) -> None:
        """They are settled."""
        self._state.remove(numbers)

    def waiting(self) -> tuple[int, int]:
        """Spans and bytes that were left."""
        count, size = self._state.waiting()
        return count, size + count * OVERHEAD
