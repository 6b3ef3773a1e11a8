"""The linker: facts in, spans out.

An event's way: `step` -> dedupe here -> `Placer.place` (which object, whose chain, which chapter and phase; it waits where
something still to come could contradict) -> its event span under a lifecycle span -> `SpanEnded`, at once or when its end is
known. An object's way: `step` -> `Chronicle` (its record, perhaps a new chapter, a birth, a death) -> `StoryBook` (the stories
that this completes).

`now` is a parameter; everything that is due by then happens first, each at its own time, so the outcome does not depend on how
often the caller ticks.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kspanpy.core.causes.causes import Causes
from kspanpy.core.model import Event, Object
from kspanpy.core.moment import Moment
from kspanpy.core.objects.catalog import Catalog, name_uid
from kspanpy.core.placing.chronicle import Chronicle
from kspanpy.core.placing.dedupe import SeenEvents
from kspanpy.core.placing.placer import Placer
from kspanpy.core.placing.waiting import EventItem
from kspanpy.core.rules.table import RuleTable
from kspanpy.core.settings import Limit, LinkerSettings
from kspanpy.core.steps import (
    Discarded,
    DiscardReason,
    EventSeen,
    GapBegan,
    GapEnded,
    Input,
    ObjectGone,
    ObjectSeen,
    Output,
    OwnerMissing,
    WatchMissing,
    WatchProgress,
)
from kspanpy.core.stories.storybook import StoryBook
from kspanpy.core.timing import occurrence

_FOREVER_NS = 1 << 63
_OF_THE_CLUSTER = frozenset({"default", "kube-system"})  # where Events about what has no namespace are written


class LinkerStats(msgspec.Struct, frozen=True):
    """How much the linker holds."""

    objects: int
    tombstones: int
    pending_events: int
    open_stories: int
    closed_stories: int
    closed_lifecycles: int
    events_remembered: int
    open_steps: int = 0  # event spans that wait for their end
    reached: dict[Limit, int] = {}  # how often a capacity was reached

    @property
    def held_events(self) -> int:
        """Occurrences that have been taken in and have neither a finished span nor a reason yet."""
        return self.pending_events + self.open_steps


class Linker:
    """Turns what is seen of a cluster into the spans of its stories."""

    def __init__(self, settings: LinkerSettings, *, rules: RuleTable | None = None) -> None:
        self._moment = Moment(settings)
        self._catalog = Catalog(settings)
        causes = Causes(self._moment, self._catalog)
        self._book = StoryBook(self._moment, self._catalog, causes)
        self._placer = Placer(self._moment, self._catalog, causes, self._book, rules or RuleTable())
        self._chronicle = Chronicle(self._moment, self._catalog, self._book, self._placer)
        self._seen = SeenEvents(capacity=settings.max_events_remembered, memory_ns=self._moment.memory_ns)
        self._in_gap = False

    def step(self, fact: Input, now_ns: int) -> list[Output]:
        """Takes one fact, received at `now_ns`; returns what follows from it and from the time that has passed.

        A defect costs what it happened to, no more: the fact is taken in even if something that was due could not be done, and
        `said` has what came out before the exception.
        """
        out = self._moment.out = []
        try:
            self._advance(now_ns)
        finally:
            self._take(fact)
        return out

    def _take(self, fact: Input) -> None:
        if isinstance(fact, EventSeen):
            self._event(fact.event)
        elif isinstance(fact, ObjectSeen):
            self._chronicle.seen(_with_uid(fact.object), looked_up=fact.looked_up)
        elif isinstance(fact, ObjectGone):
            self._chronicle.gone(_with_uid(fact.object))
        elif isinstance(fact, WatchProgress):
            self._catalog.synced.add(fact.kind)
            self._catalog.missing.discard(fact.kind)
            self._placer.progress(fact.kind, fact.resource_version)
        elif isinstance(fact, WatchMissing):
            self._catalog.missing.add(fact.kind)
        elif isinstance(fact, OwnerMissing):
            self._placer.owner_missing(fact.reference)
        elif isinstance(fact, GapBegan):
            self._in_gap = True
        elif isinstance(fact, GapEnded):
            self._in_gap = False
            self._advance(self._moment.now_ns)

    def said(self) -> list[Output]:
        """What the last `step` or `finish` had to say until it ended or was interrupted by a defect."""
        return self._moment.out

    def finish(self, now_ns: int) -> list[Output]:
        """Nothing more will come: places what waits and closes what is open, as it stands."""
        out = self._moment.out = []
        self._in_gap = False
        self._advance(now_ns)
        while (item := self._placer.waiting.overdue(_FOREVER_NS)) is not None:
            self._placer.place(item)
        self._book.close_all()
        return out

    def next_deadline(self) -> int | None:
        """When `step` should be called again even if nothing is received."""
        if self._in_gap:
            return None
        patience, due = self._placer.waiting.next_deadline(), self._moment.next_due()
        return due if patience is None or (due is not None and due < patience) else patience

    def objects(self) -> Iterator[Object]:
        """What is known to exist: the newest version of every object that was seen and has not gone."""
        return (record.object for record in self._catalog.records() if record.real and record.gone_ns is None)

    def stats(self) -> LinkerStats:
        """How much is held at the moment."""
        return LinkerStats(
            objects=len(self._catalog),
            tombstones=self._catalog.tombstones,
            pending_events=self._placer.waiting.events,
            open_stories=self._book.open,
            closed_stories=self._book.closed,
            closed_lifecycles=self._book.closed_lifecycles,
            events_remembered=len(self._seen),
            open_steps=self._moment.open_steps,
            reached={
                **self._moment.reached,
                **self._catalog.reached,
                **self._book.reached,
                Limit.PENDING: self._placer.waiting.evicted,
                Limit.EVENTS: self._seen.evicted,
            },
        )

    def _advance(self, now_ns: int) -> None:
        moment, waiting = self._moment, self._placer.waiting
        while not self._in_gap:
            due = moment.next_due()
            item = waiting.overdue(now_ns if due is None or due > now_ns else due)
            if item is not None:
                moment.reach(item.until_ns)
                self._placer.place(item)
            elif due is not None and due <= now_ns:
                moment.reach(due)
                self._book.due(moment.take_due())
            else:
                break
        moment.reach(now_ns)
        self._catalog.forget(moment.now_ns)
        self._book.forget()

    def _event(self, event: Event) -> None:
        now_ns = self._moment.now_ns
        if not event.uid:  # the server gives every Event one; a recording may have lost it
            event = msgspec.structs.replace(event, uid=f"{event.namespace}/{event.name}")
        if event.namespace != event.involved.namespace:
            event = _in_its_namespace(event)
        occ = occurrence(event, now_ns)
        before = self._seen.note(event.uid, occ.n, now_ns, name=(event.namespace, event.name))
        if occ.n <= before:
            self._moment.say(Discarded(DiscardReason.DUPLICATE))
            return
        delta = occ.n - before if before else 1
        self._placer.place(EventItem(now_ns, event.namespace, event=event, occ=occ, delta=delta))


def _with_uid(obj: Object) -> Object:
    """The server gives every object a uid; a recording may have lost it, and then its names stand in."""
    if obj.uid:
        return obj
    return msgspec.structs.replace(obj, uid=name_uid(obj.api_version, obj.kind, obj.namespace, obj.name))


def _in_its_namespace(event: Event) -> Event:
    """An Event speaks of its own namespace; those in some places, of what has none. The API server takes no other (ValidateEventCreate)."""
    involved = event.involved
    if not event.namespace or (not involved.namespace and event.namespace in _OF_THE_CLUSTER):
        return event
    return msgspec.structs.replace(event, involved=msgspec.structs.replace(involved, namespace=event.namespace))
