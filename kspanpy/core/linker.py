"""The linker: facts in, spans out. The only mutable object of the core, and the only place that opens and closes stories.

An event's way: `step` -> dedupe -> `_place_event` (which object, whose chain, which chapter and phase; waits where something
still to come could contradict) -> `_join` (its event span under the lifecycle span) -> `SpanEnded`, at once or when its end is
known. An object's way: `step` -> its record -> perhaps a new chapter, a birth, a death -> the stories that it settles.

`now` is a parameter; everything that is due by then happens first, each at its own time, so the outcome does not depend on how
often the caller ticks.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from itertools import count

import msgspec

from kspanpy.core import attributes, changes, health, identity, ids, placing, telling
from kspanpy.core.catalog import Catalog, Record
from kspanpy.core.model import SECOND, Event, Link, Object, ObjectReference, OwnerReference, Span
from kspanpy.core.rules import KINDS, OWNER_PHASES, SERIOUS, CompiledRule, RuleTable
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import (
    Discarded,
    DiscardReason,
    EventSeen,
    Input,
    LookupOwner,
    ObjectGone,
    ObjectSeen,
    Output,
    OwnerMissing,
    SpanEnded,
    WatchProgress,
)
from kspanpy.core.stories import Chapter, Lifecycle, OpenStep, Story
from kspanpy.core.timing import Occurrence, instant, occurrence
from kspanpy.core.waiting import ChapterItem, EventItem, ForObject, ForWatch, Item, Need, PhaseItem, WaitingRoom

_FIRST_READY_NS = 120 * SECOND  # what was created before anybody looked is taken to have been ready by then
_LEAF_PHASES = ("startup", "run", "termination", "incident")


class LinkerStats(msgspec.Struct, frozen=True):
    """How much the linker holds."""

    objects: int
    tombstones: int
    pending_events: int
    open_stories: int
    closed_stories: int
    closed_lifecycles: int
    events_remembered: int


class Linker:
    """Turns what is seen of a cluster into the spans of its stories."""

    def __init__(self, settings: LinkerSettings, *, rules: RuleTable | None = None) -> None:
        self._settings = settings
        self._rules = rules or RuleTable()
        self._catalog = Catalog(settings)
        self._waiting = WaitingRoom(settings.max_pending)
        self._teller = telling.Teller(self._catalog, service=settings.service)
        self._seen: OrderedDict[str, int] = OrderedDict()  # event uid -> highest n
        self._asked: OrderedDict[str, None] = OrderedDict()  # uids of owners that were looked up
        self._open: dict[bytes, Story] = {}
        self._closed: OrderedDict[bytes, tuple[int, Story]] = OrderedDict()
        self._closed_lifecycles = 0
        self._timers: list[tuple[int, int, Story | Lifecycle]] = []
        self._order = count()
        self._now = 0
        self._out: list[Output] = []
        self._settle_ns = int(settings.settle_s * SECOND)
        self._linger_ns = int(settings.linger_s * SECOND)
        self._quiet_ns = int(settings.quiet_s * SECOND)
        self._skew_ns = int(settings.skew_s * SECOND)

    # -- the interface

    def step(self, fact: Input, now_ns: int) -> list[Output]:
        """Takes one fact, received at `now_ns`; returns what follows from it and from the time that has passed."""
        self._out = []
        self._advance(now_ns)
        if isinstance(fact, EventSeen):
            self._event(fact.event)
        elif isinstance(fact, ObjectSeen):
            self._object(fact.object)
        elif isinstance(fact, ObjectGone):
            self._gone(fact.object)
        elif isinstance(fact, WatchProgress):
            self._progress(fact.kind, fact.resource_version)
        elif isinstance(fact, OwnerMissing):
            self._owner_missing(fact.reference)
        return self._out

    def finish(self, now_ns: int) -> list[Output]:
        """Nothing more will come: places what waits and closes what is open, as it stands."""
        self._out = []
        self._advance(now_ns)
        while (item := self._waiting.overdue(1 << 63)) is not None:
            self._place(item)
        for story in list(self._open.values()):
            complete = story.complete_ns is not None
            self._close(story, self._good_end(story) if complete else "unfinished")
        return self._out

    def next_deadline(self) -> int | None:
        """When `step` should be called again even if nothing is received."""
        waiting = self._waiting.next_deadline()
        timer = self._timers[0][0] if self._timers else None
        return min((due for due in (waiting, timer) if due is not None), default=None)

    def stats(self) -> LinkerStats:
        """How much is held at the moment."""
        return LinkerStats(
            objects=len(self._catalog),
            tombstones=self._catalog.tombstones,
            pending_events=self._waiting.events,
            open_stories=len(self._open),
            closed_stories=len(self._closed),
            closed_lifecycles=self._closed_lifecycles,
            events_remembered=len(self._seen),
        )

    # -- time

    def _advance(self, now_ns: int) -> None:
        while True:
            waiting = self._waiting.next_deadline()
            timer = self._timers[0][0] if self._timers else None
            due = min((d for d in (waiting, timer) if d is not None), default=None)
            if due is None or due > now_ns:
                break
            self._now = max(self._now, due)
            if due == waiting:
                item = self._waiting.overdue(due)
                if item is not None:
                    self._place(item)
            else:
                self._timer(heapq.heappop(self._timers)[2])
        self._now = max(self._now, now_ns)
        self._catalog.forget(self._now)
        self._forget_stories()

    def _at(self, due_ns: int, what: Story | Lifecycle) -> None:
        heapq.heappush(self._timers, (due_ns, next(self._order), what))

    def _timer(self, what: Story | Lifecycle) -> None:
        if isinstance(what, Story):
            self._check_story(what)
        else:
            self._check_leaf(what)

    # -- objects

    def _object(self, obj: Object) -> None:
        record = self._catalog.get(obj.uid)
        if record is None:
            record = self._new_object(obj)
        elif not record.real:
            self._catalog.reveal(record, obj, self._now)
            self._introduce(record)
        else:
            before = record.object
            if record.gone_ns is not None or _stale(before, obj):
                self._progress(obj.kind, obj.resource_version)
                return
            dying = record.dying_ns is not None
            record.object = obj
            record.note_status(obj, self._now)
            if record.dying_ns is not None and not dying:
                self._dies(record)
            elif obj.generation != before.generation and record.rule.changed and not dying:
                self._changed(record, before)
        self._settle(record)
        self._retry(obj)

    def _new_object(self, obj: Object) -> Record:
        record = self._catalog.add(obj, self._now)
        self._introduce(record)
        return record

    def _introduce(self, record: Record) -> None:
        obj = record.object
        if record.rule.created and not self._follows(record):
            self._created(record)
        elif record.kind == "Pod" and (record.fresh or not health.settled(obj)):
            self._place(PhaseItem(record, death=False, received_ns=self._now))
        if record.dying_ns is not None:
            self._dies(record)

    def _follows(self, record: Record) -> bool:
        """True if its changes are its owner's: an owner that is known, or of a kind that is watched and so will be."""
        if not record.rule.follows or record.owner is None:
            return False
        owner = self._catalog.get(record.owner.uid)
        rule = owner.rule if owner is not None else KINDS.get(record.owner.kind)
        return rule is not None and bool(rule.created or rule.changed)

    def _gone(self, obj: Object) -> None:
        record = self._catalog.get(obj.uid)
        if record is None:
            record = self._new_object(obj)
        if record.gone_ns is None:
            dying = record.dying_ns is not None
            if not _stale(record.object, obj):
                record.object = obj
                record.note_status(obj, self._now)
            record.die(None, obj.resource_version, self._now)
            self._catalog.bury(record, self._now)
            if not dying:
                self._dies(record)
            self._settle(record)
        self._retry(obj)

    def _dies(self, record: Record) -> None:
        if record.rule.deleted and not self._follows(record):
            change = changes.Change("", "deleted", changes.UNKNOWN, None)
            self._open_chapter(
                record, record.rule.deleted, "deletion", change, record.dying_rv, record.dying_ns or self._now
            )
        if record.kind == "Pod" and not health.ended(record.object):
            self._place(PhaseItem(record, death=True, received_ns=self._now))

    def _created(self, record: Record) -> None:
        obj = record.object
        key = obj.uid if record.kind == "Job" else str(obj.generation)
        rv = obj.resource_version if record.fresh else None
        change = changes.creation(obj) if record.fresh else changes.last_change(obj)
        chapter = self._open_chapter(record, record.rule.created, key, change, rv, instant(change.at_ns, self._now))
        if not record.fresh and health.settled(obj):
            since = health.settled_since(obj)
            ended_ns = chapter.at_ns if since is None else since + SECOND
            if not record.rule.workload:  # such conditions tell the newest change, not the first
                ended_ns = min(ended_ns, chapter.at_ns + _FIRST_READY_NS)
            chapter.ends_ns = ended_ns + self._settle_ns

    def _changed(self, record: Record, before: Object) -> None:
        change = changes.between(before, record.object)
        obj = record.object
        at_ns = instant(change.at_ns, self._now)
        self._open_chapter(record, change.phase, str(obj.generation), change, obj.resource_version, at_ns)

    def _open_chapter(
        self, record: Record, phase: str, key: str, change: changes.Change, rv: int | None, at_ns: int
    ) -> Chapter:
        chapter = Chapter(record, phase=phase, key=key, change=change, rv=rv, at_ns=at_ns)
        if chapter.nominal_ns % SECOND == 0:
            chapter.slack_ns = SECOND
        if record.chapters:
            self._supersede(record.chapters[-1])
        record.chapters.append(chapter)
        if len(record.chapters) > self._settings.max_chapters:
            del record.chapters[0]
        if record.fresh or rv is not None:
            self._place(ChapterItem(chapter, received_ns=self._now))
        return chapter

    def _supersede(self, chapter: Chapter) -> None:
        chapter.superseded = True
        chapter.cut_short = chapter.ends_ns is None
        if chapter.story is not None:
            self._note_failure(chapter)
            self._refresh(chapter.story)

    # -- what an object's news mean for the stories that wait for it

    def _settle(self, record: Record) -> None:
        for lifecycle in record.phases.values():
            self._check_done(lifecycle)
        if record.chapters:
            chapter = record.chapters[-1]
            self._note_failure(chapter)
            if chapter.story is not None:
                self._refresh(chapter.story)
            else:
                self._refresh_chapter(chapter, complete=self._origin_settled(chapter))
        if record.episode is not None and not record.episode.closed:
            self._refresh(record.episode)

    def _note_failure(self, chapter: Chapter) -> None:
        found = health.failure(chapter.origin.object)
        if found is not None and chapter.failure is None and chapter.covers(self._now):
            chapter.failure = found

    def _origin_settled(self, chapter: Chapter) -> bool:
        origin = chapter.origin
        if chapter.phase == origin.rule.deleted:
            return origin.gone_ns is not None
        return chapter.superseded or origin.gone_ns is not None or health.settled(origin.object)

    def _refresh(self, story: Story) -> None:
        """Sees whether a story is complete, that is: nothing more is expected to happen in it."""
        if story.closed:
            return
        if story.chapter is not None:
            complete = not story.open_leaves and self._origin_settled(story.chapter)
            self._refresh_chapter(story.chapter, complete=complete)
        else:
            origin = story.origin
            healthy = story.superseded or origin.gone_ns is not None or health.settled(origin.object)
            complete = healthy and not story.open_leaves
        if not complete:
            story.complete_ns = None
        elif story.complete_ns is None:
            story.complete_ns = self._now
            self._at(self._due(story), story)

    def _refresh_chapter(self, chapter: Chapter, *, complete: bool) -> None:
        if not complete:
            if chapter.ends_ns is not None and self._now <= chapter.ends_ns:
                chapter.ends_ns = None
        elif chapter.ends_ns is None:
            chapter.ends_ns = self._now + self._settle_ns

    def _due(self, story: Story) -> int:
        """When a complete story may be closed, if nothing comes in between."""
        since = story.complete_ns or self._now
        if story.chapter is None:
            return story.last_ns + (self._linger_ns if story.superseded else self._quiet_ns)
        window = self._linger_ns if story.chapter.superseded else self._settle_ns
        return max(since + window, story.last_ns + self._linger_ns)

    def _check_story(self, story: Story) -> None:
        if story.closed:
            return
        if self._now >= story.opened_ns + int(self._settings.story_cap_s * SECOND):
            self._close(story, "capped")
        elif story.complete_ns is not None:
            due = self._due(story)
            if due <= self._now:
                self._close(story, self._good_end(story))
            else:
                self._at(due, story)

    def _good_end(self, story: Story) -> str:
        chapter = story.chapter
        if chapter is None:
            return "superseded" if story.superseded else "healed"
        if chapter.phase == chapter.origin.rule.deleted:
            return "deleted"
        if health.settled(chapter.origin.object) and not chapter.superseded:
            return "settled"
        if chapter.superseded:
            return "superseded" if chapter.cut_short else "settled"
        return "deleted"

    def _check_done(self, lifecycle: Lifecycle) -> None:
        story = lifecycle.story
        if story.closed or lifecycle.sent:
            return
        key = lifecycle.record.uid, lifecycle.phase
        if not _over(lifecycle):
            story.open_leaves[key] = lifecycle
            lifecycle.finished_ns = None
        elif lifecycle.finished_ns is None:
            lifecycle.finished_ns = self._now
            story.open_leaves.pop(key, None)
            if lifecycle is not story.root:
                self._at(self._now + self._settle_ns, lifecycle)
        self._refresh(story)

    def _check_leaf(self, leaf: Lifecycle) -> None:
        if leaf.sent or leaf.story.closed or leaf.finished_ns is None:
            return
        due = max(leaf.finished_ns + self._settle_ns, leaf.last_ns + self._linger_ns)
        if due > self._now:
            self._at(due, leaf)
            return
        telling.judge_leaf(leaf)
        self._emit(self._teller.leaf(leaf))

    # -- placing: everything that has to find its story comes through here

    def _retry(self, obj: Object) -> None:
        for item in self._waiting.for_object(obj.uid):
            self._place(item)
        for item in self._waiting.for_object(name_key(obj.kind, obj.namespace, obj.name)):
            self._place(item)
        self._progress(obj.kind, obj.resource_version)

    def _progress(self, kind: str, resource_version: int | None) -> None:
        if self._catalog.advance(kind, resource_version):
            for item in self._waiting.for_watch(kind, self._catalog.watermarks[kind]):
                self._place(item)

    def _owner_missing(self, reference: ObjectReference) -> None:
        record = self._catalog.stand_in(reference, self._now)
        for item in self._waiting.for_object(record.uid):
            self._place(item)

    def _place(self, item: Item) -> None:
        if isinstance(item, EventItem):
            need, patience = self._place_event(item)
        elif isinstance(item, PhaseItem):
            need, patience = self._place_phase(item), self._settings.structure_hold_s
        elif isinstance(item, ChapterItem):
            need, patience = self._place_chapter(item), self._settings.structure_hold_s
        else:  # pragma: no cover - there are no other items
            return
        if need is None:
            self._waiting.done(item)
            return
        crowded_out = self._waiting.put(item, need, item.received_ns + int(patience * SECOND))
        if crowded_out is not None:
            self._place(crowded_out)

    def _place_event(self, item: EventItem) -> tuple[Need | None, float]:
        event, occ = item.event, item.occ
        record = identity.find(self._catalog, event.involved, occ.at_ns)
        if record is None:
            if not item.forced:
                return self._await_object(event.involved), self._settings.structure_hold_s
            record = self._catalog.stand_in(event.involved, self._now)
        chain, need = self._chain(record, forced=item.forced)
        if need is not None:
            return need, self._settings.structure_hold_s
        held = event.involved.resource_version
        behind = (
            held is not None
            and record.real
            and record.gone_ns is None
            and held > (record.object.resource_version or held)
        )
        if behind and not item.forced:
            return ForObject(record.uid), self._settings.hold_s
        rule = self._rules.find(record.kind, event.reason, event.message)
        named, missing = self._named(chain, rule, event, occ)
        if named is None and missing and not item.forced:
            return ForObject(missing), self._settings.structure_hold_s
        if not item.forced:
            need = self._await_watch(chain, record, event, named)
            if need is not None:
                return need, self._settings.hold_s
        self._join(self._lifecycle_of(item, chain, rule, named), item, chain, rule)
        return None, 0.0

    def _place_phase(self, item: PhaseItem) -> Need | None:
        record = item.record
        chain, need = self._chain(record, forced=item.forced)
        if need is not None:
            return need
        phase = "termination" if item.death else ("run" if len(chain) > 1 and chain[1].kind == "Job" else "startup")
        if phase in record.phases:
            return None  # an event about it came first
        rv = record.dying_rv if item.death else record.born_rv
        decisive = placing.deciders(chain)
        if not item.forced:
            need = self._await_deciders(decisive, record, rv)
            if need is not None:
                return need
            if self._chapter_of(decisive, chain, record, death=item.death) is None:
                return ForObject(record.uid)  # an event may say what this is about
        self._phase(record, phase, chain, decisive)
        return None

    def _place_chapter(self, item: ChapterItem) -> Need | None:
        chapter = item.chapter
        chain, need = self._chain(chapter.origin, forced=item.forced)
        if need is not None:
            return need
        for record in chain[1:]:  # a change of a higher object that is still open makes this one its consequence
            above = record.chapters[-1] if record.chapters else None
            if above is not None and above.covers(chapter.at_ns) and above.at_ns <= chapter.at_ns:
                chapter.inside = above.inside or above
                return None
        story = self._story_of(chapter, chain)
        self._refresh(story)
        return None

    def _chain(self, record: Record, *, forced: bool) -> tuple[list[Record], Need | None]:
        chain, missing = self._catalog.chain(record)
        while missing is not None:
            reference = _reference(missing, chain[-1].object.namespace)
            if not forced:
                return chain, self._await_object(reference)
            self._catalog.stand_in(reference, self._now)
            chain, missing = self._catalog.chain(record)
        return chain, None

    def _await_object(self, reference: ObjectReference) -> Need:
        """Waits for an object that nobody has shown: its watch will, or a lookup."""
        if reference.uid and reference.kind not in KINDS and reference.uid not in self._asked:
            self._asked[reference.uid] = None
            if len(self._asked) > self._settings.max_tombstones:
                self._asked.popitem(last=False)
            self._out.append(LookupOwner(reference))
        if reference.uid and reference.kind != "Node":
            return ForObject(reference.uid)
        return ForObject(name_key(reference.kind, reference.namespace, reference.name))

    def _await_watch(self, chain: list[Record], record: Record, event: Event, named: Record | None) -> Need | None:
        """Waits for the watch that could still show a newer change, unless the place has been decided before."""
        if record.phases and record.kind == "Pod":
            return None
        subject = named or record
        rv = event.resource_version if named is None else named.born_rv
        return self._await_deciders(placing.deciders(chain), subject, rv)

    def _await_deciders(self, decisive: list[Record], record: Record, rv: int | None) -> Need | None:
        if rv is None:
            return None
        for decider in decisive:
            if (
                decider is not record
                and decider.gone_ns is None
                and self._catalog.watermarks.get(decider.kind, rv) < rv
            ):
                return ForWatch(decider.kind, rv)
        return None

    # -- deciding

    def _named(
        self, chain: list[Record], rule: CompiledRule, event: Event, occ: Occurrence
    ) -> tuple[Record | None, str]:
        """The object that the message names, if it exists and ownership agrees; else the key under which it would come."""
        name = rule.named(event.message) if rule.rule.names else ""
        if not name:
            return None, ""
        kind, namespace = rule.rule.names, event.involved.namespace
        owned = [
            r for r in self._catalog.named(kind, namespace, name) if r.owner is not None and r.owner.uid == chain[0].uid
        ]
        return placing.befallen(owned, occ, fate=rule.rule.fate), name_key(kind, namespace, name)

    def _chapter_of(
        self, decisive: list[Record], chain: list[Record], record: Record, *, death: bool
    ) -> Chapter | None:
        if death:
            return placing.of_death(decisive, chain, record)
        return placing.of_birth(decisive, record)

    def _lifecycle_of(
        self, item: EventItem, chain: list[Record], rule: CompiledRule, named: Record | None
    ) -> Lifecycle:
        event, occ, record = item.event, item.occ, chain[0]
        decisive = placing.deciders(chain)
        if record.kind == "Pod":
            phase = placing.pod_phase(chain, occ, rule, settle_ns=self._settle_ns)
            if phase in ("startup", "run") or (phase == "termination" and record.dying_ns is not None):
                return self._phase(record, phase, chain, decisive, occ_key=_occurrence_key(item))
        else:
            phase = rule.rule.phase
        if named is not None:
            born_chain, _ = self._catalog.chain(named)
            chapter = self._chapter_of(placing.deciders(born_chain), born_chain, named, death=rule.rule.fate == "died")
        else:
            chapter = placing.at_moment(decisive, event, occ)
        story = self._story_at(chapter, chain, decisive, occ.at_ns, _occurrence_key(item))
        return self._lifecycle(story, chain, self._phase_in(story, record, phase))

    def _phase_in(self, story: Story, record: Record, phase: str) -> str:
        """The phase of an object in a story; empty: that of the story."""
        if record is story.root_record:
            return ""
        if record.kind == "Pod":
            return "" if story.chapter is None and phase == "incident" else phase
        if record.kind in ("ReplicaSet", "ReplicationController"):
            if phase:
                return phase
            known = next((k for uid, k in story.lifecycles if uid == record.uid), None)
            return known if known is not None else ("scale-up" if story.chapter is not None else "")
        if record.kind == "Job":
            return "run"
        return phase

    def _phase(
        self, record: Record, phase: str, chain: list[Record], decisive: list[Record], occ_key: str = ""
    ) -> Lifecycle:
        """The lifecycle of a Pod's birth or death: decided once."""
        known = record.phases.get(phase)
        if known is not None and not known.story.forgotten:
            return known
        death = phase == "termination"
        chapter = self._chapter_of(decisive, chain, record, death=death)
        at_ns = (record.dying_ns if death else record.born_ns) or record.born_ns
        story = self._story_at(chapter, chain, decisive, at_ns, occ_key or f"{record.uid}/{phase}")
        lifecycle = self._lifecycle(story, chain, "" if record is story.root_record else phase)
        record.phases[phase] = lifecycle
        return lifecycle

    # -- stories and lifecycles

    def _story_at(
        self, chapter: Chapter | None, chain: list[Record], decisive: list[Record], at_ns: int, key: str
    ) -> Story:
        if chapter is not None:
            story = self._story_of(chapter, chain)
            if not story.forgotten:
                return story
        return self._episode(chain, decisive, at_ns, key)

    def _story_of(self, chapter: Chapter, chain: list[Record]) -> Story:
        story = chapter.story
        if story is not None and not (story.closed and story.outcome == "capped" and chapter.ends_ns is None):
            return story
        root = chain[-1]
        key = chapter.key if chapter.origin is root else f"{chapter.origin.uid}/{chapter.key}"
        if story is not None:  # it outlived the cap: the next part
            chapter.part += 1
            key = f"{key}/part {chapter.part}"
        previous, story = story, self._new_story(root, key, chapter.phase, chapter.origin, chapter)
        chapter.story = story
        story.root.nominal_ns = chapter.nominal_ns if previous is None else self._now
        story.root.slack_ns = chapter.slack_ns if previous is None else 0
        if previous is not None:
            story.links.append(Link(*previous.link, "continues"))
        if root.episode is not None and not root.episode.closed:
            root.episode.superseded = True
            self._refresh(root.episode)
        if chapter.origin is root and root.kind == "Pod":
            root.phases[chapter.phase] = story.root
            self._check_done(story.root)
        return story

    def _episode(self, chain: list[Record], decisive: list[Record], at_ns: int, key: str) -> Story:
        root = chain[-1]
        story = root.episode
        previous = None
        if story is not None and not story.forgotten:
            if story.closed:
                if at_ns <= story.root.end_ns:
                    return story
                previous = story if story.outcome == "capped" else None
            elif abs(at_ns - story.last_event_ns) <= self._settings.episode_gap_s * SECOND:
                return story
            else:
                self._close(story, "healed" if story.complete_ns is not None else "capped")
        origin = decisive[0] if decisive else root
        story = self._new_story(root, key, root.rule.troubled, origin, None)
        story.last_event_ns = at_ns
        last = placing.newest(decisive, rv=None, at_ns=at_ns)
        if previous is not None:
            story.links.append(Link(*previous.link, "continues"))
        if last is not None and last.story is not None:
            story.links.append(Link(*last.story.link, "follows change"))
        root.episode = story
        if origin is not root:
            origin.episode = story
        self._refresh(story)
        return story

    def _new_story(self, root: Record, key: str, phase: str, origin: Record, chapter: Chapter | None) -> Story:
        story = Story(
            root,
            cluster_uid=self._settings.cluster_uid,
            key=key,
            phase=phase,
            origin=origin,
            chapter=chapter,
            now=self._now,
        )
        self._open[story.trace_id] = story
        self._at(self._now + int(self._settings.story_cap_s * SECOND), story)
        if len(self._open) > self._settings.max_open_stories:
            self._close(next(iter(self._open.values())), "capped")
        return story

    def _lifecycle(self, story: Story, chain: list[Record], phase: str) -> Lifecycle:
        """The lifecycle span of `chain[0]` in this story, with all that has to be above it."""
        record = chain[0]
        if record is story.root_record:
            return story.root
        known = story.lifecycles.get((record.uid, phase))
        if known is not None:
            return known
        if len(chain) > 1:
            shown = phase or "incident"
            above_phase = OWNER_PHASES.get(shown, "") if story.chapter is not None or shown != "incident" else ""
            if shown == "incident" and any(b.story is story for b in _births(record)):
                above_phase = OWNER_PHASES["startup"]  # a Pod that this story made
            parent = self._lifecycle(story, chain[1:], self._phase_in(story, chain[1], above_phase))
        else:
            parent = story.root
        lifecycle = Lifecycle(story, record, phase=phase, parent=parent)
        story.lifecycles[record.uid, phase] = lifecycle
        parent.children.append(lifecycle)
        if record.kind == "Pod":
            self._open_leaf(lifecycle)
        if story.closed:
            self._closed_lifecycles += 1
            self._out.append(SpanEnded(self._teller.late(lifecycle)))
        return lifecycle

    def _open_leaf(self, lifecycle: Lifecycle) -> None:
        record = lifecycle.record
        obj = record.object
        if lifecycle.phase in ("startup", "run"):
            lifecycle.nominal_ns, lifecycle.slack_ns = obj.created_ns, SECOND
        elif lifecycle.phase == "termination":
            if obj.deletion_ns is not None:
                lifecycle.nominal_ns, lifecycle.slack_ns = obj.deletion_ns - obj.grace_s * SECOND, SECOND
            else:
                lifecycle.nominal_ns = record.dying_ns
        record.phases[lifecycle.phase] = lifecycle
        self._check_done(lifecycle)

    # -- events

    def _event(self, event: Event) -> None:
        occ = occurrence(event, self._now)
        before = self._seen.get(event.uid, 0)
        if occ.n <= before:
            self._out.append(Discarded(DiscardReason.DUPLICATE))
            return
        self._seen[event.uid] = occ.n
        self._seen.move_to_end(event.uid)
        if len(self._seen) > self._settings.max_events_remembered:
            self._seen.popitem(last=False)
        delta = occ.n - before if before else 1
        self._place(EventItem(event, occ, delta=delta, received_ns=self._now))

    def _join(self, lifecycle: Lifecycle, item: EventItem, chain: list[Record], rule: CompiledRule) -> None:
        """Makes the event span under its lifecycle span; sends it if its end is known."""
        event, occ = item.event, item.occ
        story = lifecycle.story
        shortest = occ.at_ns + telling.SHORTEST_NS
        start, end = telling.fit(lifecycle, occ.at_ns, shortest, received_ns=item.received_ns, skew_ns=self._skew_ns)
        warning = event.type == "Warning"
        span = Span(
            trace_id=story.trace_id,
            span_id=ids.event_span_id(event.uid, occ.n),
            parent_id=lifecycle.span_id,
            name=attributes.event_name(chain[0].kind, event.reason),
            service=attributes.event_service(event),
            start_ns=start,
            end_ns=end,
            attributes=attributes.event_attributes(event, occ, chain, delta=item.delta),
            error=event.message or event.reason if warning else "",
        )
        if warning and not rule.rule.harmless:
            telling.first_failure(lifecycle, event.reason, event.message)
        if not story.closed:
            story.last_ns = lifecycle.last_ns = self._now
            story.last_event_ns = max(story.last_event_ns, occ.at_ns)
            if warning or event.reason in SERIOUS:
                story.serious = True
        if not lifecycle.sent:
            lifecycle.cover(start, end)
        step = OpenStep(span, rule=rule, at_ns=occ.at_ns, field_path=event.involved.field_path)
        known_end = self._known_end(chain[0], step)
        self._remember_step(chain[0], lifecycle, event, occ.at_ns)
        if not rule.ends and not rule.any_step:
            self._out.append(SpanEnded(span))
        elif known_end is not None or lifecycle.sent:
            self._end_step(lifecycle, step, known_end or end)
        else:
            lifecycle.steps.append(step)

    def _remember_step(self, record: Record, lifecycle: Lifecycle, event: Event, at_ns: int) -> None:
        """Ends the open steps that this one ends, and remembers it for steps that arrive after their end."""
        field_path = event.involved.field_path
        ended = [s for s in lifecycle.steps if s.ended_by(event.reason, field_path, at_ns)]
        for step in ended:
            lifecycle.steps.remove(step)
            self._end_step(lifecycle, step, at_ns)
        record.steps.append((at_ns, event.reason, field_path))
        if len(record.steps) > 32:
            del record.steps[0]

    def _known_end(self, record: Record, step: OpenStep) -> int | None:
        ends = [at for at, reason, path in record.steps if step.ended_by(reason, path, at)]
        return min(ends, default=None)

    def _end_step(self, lifecycle: Lifecycle, step: OpenStep, end_ns: int) -> None:
        if lifecycle.sent:
            end_ns = min(end_ns, lifecycle.end_ns)
        else:
            lifecycle.cover(step.span.start_ns, end_ns)
        self._out.append(SpanEnded(telling.finish_step(step, end_ns)))

    # -- the end

    def _close(self, story: Story, outcome: str) -> None:
        if story.chapter is None and not story.serious and story.phase in ("incident", "outage"):
            story.phase = "activity"
        story.outcome = outcome
        for (_, phase), lifecycle in story.lifecycles.items():
            if lifecycle.sent:
                continue
            if lifecycle.record.kind == "Pod" and (phase in _LEAF_PHASES or lifecycle is not story.root):
                telling.judge_leaf(lifecycle)
            elif lifecycle is not story.root and outcome in ("settled", "healed", "deleted"):
                lifecycle.failure = None
        telling.judge_story(story)
        self._emit(self._teller.story(story))
        story.closed = True
        story.open_leaves.clear()
        del self._open[story.trace_id]
        self._closed[story.trace_id] = (self._now, story)
        self._closed_lifecycles += len(story.lifecycles)

    def _forget_stories(self) -> None:
        horizon = self._now - int(self._settings.memory_s * SECOND)
        while self._closed:
            closed_ns, story = next(iter(self._closed.values()))
            if closed_ns > horizon and self._closed_lifecycles <= self._settings.max_closed_lifecycles:
                return
            del self._closed[story.trace_id]
            self._closed_lifecycles -= len(story.lifecycles)
            story.forgotten = True
            for lifecycle in story.lifecycles.values():
                if lifecycle.record.phases.get(lifecycle.phase) is lifecycle:
                    del lifecycle.record.phases[lifecycle.phase]
            if story.root_record.episode is story:
                story.root_record.episode = None
            if story.origin.episode is story:
                story.origin.episode = None

    def _emit(self, spans: Iterable[Span]) -> None:
        self._out.extend(SpanEnded(span) for span in spans)


def _stale(before: Object, after: Object) -> bool:
    """True for a version that brings nothing new: a relist, a line delivered twice."""
    if before.resource_version is None or after.resource_version is None:
        return before == after
    return after.resource_version <= before.resource_version


def _over(lifecycle: Lifecycle) -> bool:
    """True when nothing more of this phase of a Pod is to come."""
    record = lifecycle.record
    if record.gone_ns is not None:
        return True
    phase = lifecycle.shown_phase
    if phase == "termination":
        return False
    if record.dying_ns is not None or health.ended(record.object):
        return True
    if phase == "run":
        return False
    if phase == "startup":
        return record.ready_ns is not None
    return health.ready(record.object)


def _births(record: Record) -> list[Lifecycle]:
    return [record.phases[phase] for phase in ("startup", "run") if phase in record.phases]


def _reference(owner: OwnerReference, namespace: str) -> ObjectReference:
    return ObjectReference(
        kind=owner.kind, namespace=namespace, name=owner.name, uid=owner.uid, api_version=owner.api_version
    )


def name_key(kind: str, namespace: str, name: str) -> str:
    return f"{kind}/{namespace}/{name}"


def _occurrence_key(item: EventItem) -> str:
    return f"{item.event.uid}/{item.occ.n}"
