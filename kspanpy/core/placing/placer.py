"""Finds the place of every occurrence, birth, death and change; lets it wait where something still to come could contradict.

An occurrence waits, within bounds, for its object, for the owners of that, for the version of the object that its emitter had
seen, for the object that its message names, and for the watch that could still show a newer change. `core.stories.chapters` says
where it belongs; here is only what it waits for. `joining` makes its span.
"""

from __future__ import annotations

from collections import OrderedDict

from kspanpy.core.causes.causes import Causes, name_key
from kspanpy.core.changes.change import deletion
from kspanpy.core.model import Event, Object, ObjectReference, OwnerReference
from kspanpy.core.moment import Moment
from kspanpy.core.objects import identity, naming
from kspanpy.core.objects.catalog import Catalog, Record
from kspanpy.core.objects.kinship import Kinship
from kspanpy.core.placing import hearsay
from kspanpy.core.placing.hearsay import Hearsay
from kspanpy.core.placing.joining import Joiner
from kspanpy.core.placing.waiting import (
    ChapterItem,
    EventItem,
    ForObject,
    ForWatch,
    Item,
    Need,
    PhaseItem,
    WaitingRoom,
)
from kspanpy.core.rules.kinds import KINDS
from kspanpy.core.rules.table import CompiledRule, RuleTable
from kspanpy.core.steps import LookupOwner
from kspanpy.core.stories import chapters, phases
from kspanpy.core.stories.shape import Chapter, Lifecycle, Story
from kspanpy.core.stories.storybook import StoryBook
from kspanpy.core.timing import Occurrence


class Placer:
    """Everything that has to find its story comes through `place`."""

    def __init__(self, moment: Moment, catalog: Catalog, causes: Causes, book: StoryBook, rules: RuleTable) -> None:
        self._moment = moment
        self._catalog = catalog
        self._book = book
        self._joiner = Joiner(moment, causes)
        self._rules = rules
        self._kinship = Kinship(catalog, capacity=moment.settings.max_tombstones)
        self._hearsay = Hearsay(capacity=moment.settings.max_tombstones)
        self._asked: OrderedDict[tuple[str, str], int] = OrderedDict()  # (namespace, uid) that were looked up, and when
        self.waiting = WaitingRoom(moment.settings.max_pending)

    def place(self, item: Item) -> None:
        """Places it, or lets it wait; in a crowd the one that has waited longest is placed as well as can be."""
        if item.placed:
            return  # meanwhile: it was crowded out by another one that waited for the same
        try:
            need = self._place_event(item) if isinstance(item, EventItem) else self._need_of(item)
        except Exception:
            self.waiting.done(item)  # a defect costs this item; it is not held any more, and not tried again
            raise
        if need is None:
            self.waiting.done(item)
            return
        crowded_out = self.waiting.put(item, need)
        if crowded_out is not None:
            self.place(crowded_out)

    def _need_of(self, item: Item) -> Need | None:
        """Places what is no occurrence, or says what it has to wait for."""
        if isinstance(item, PhaseItem):
            return self._place_phase(item)
        if isinstance(item, ChapterItem):
            return self._place_chapter(item)
        raise TypeError(item)

    def open(self, chapter: Chapter) -> None:
        """An object has been changed: its newest chapter begins."""
        record = chapter.origin
        if record.chapters:
            self._book.supersede(record.chapters[-1], chapter)
        record.chapters.append(chapter)
        if len(record.chapters) > self._moment.settings.max_chapters:
            del record.chapters[0]
        if record.fresh or not record.real or chapter.rv is not None or chapter.ends_ns is None:
            self.place(ChapterItem(self._moment.now_ns, record.object.namespace, chapter=chapter))

    def retry(self, obj: Object) -> None:
        """An object has been seen: what waited for it?"""
        self._hearsay.forget(obj)
        if self.waiting.for_objects:
            for item in self.waiting.for_object(obj.uid):
                self.place(item)
            for item in self.waiting.for_object(name_key(obj.kind, obj.namespace, obj.name)):
                self.place(item)
        if obj.kind in KINDS:  # of others there may be no watch that could come any further
            self.progress(obj.kind, obj.resource_version)

    def retry_kind(self, kind: str) -> None:
        """An object of this kind is gone: its watch will say no more about it."""
        for item in self.waiting.for_kind(kind):
            self.place(item)

    def progress(self, kind: str, resource_version: int | None) -> None:
        """A watch has come this far: what waited for that?"""
        if self._catalog.advance(kind, resource_version):
            for item in self.waiting.for_watch(kind, self._catalog.watermarks[kind]):
                self.place(item)

    def owner_missing(self, reference: ObjectReference) -> None:
        """A lookup found nothing: the reference has to do."""
        record = self._stand_in(reference)
        for item in self.waiting.for_object(record.uid):
            self.place(item)

    # -- what each kind of item needs

    def _place_event(self, item: EventItem) -> Need | None:
        event, occ, catalog = item.event, item.occ, self._catalog
        involved = event.involved
        record = catalog.get(involved.uid, involved.namespace)
        shown = record is not None and record.real
        if not item.heard:
            item.heard = True
            if not (shown and catalog.synced >= naming.OWNED):  # else whatever it names is shown, too
                self._hear(event, occ, record)
        if not shown or not involved.uid:
            record = identity.find(catalog, involved, occ.at_ns)
        if record is None:
            if not item.forced:
                return self._await_object(involved)
            record = identity.namesake(catalog, involved, occ.at_ns)
            if record is None:
                record = self._stand_in(involved, occ)
        line = catalog.line_above(record)
        if line is not None:
            chain, decisive = [record, *line.records], chapters.deciders_of(record, line)
            if catalog.mortal:
                catalog.used(chain, self._moment.now_ns)
        else:
            chain, need = self._chain(record, forced=item.forced)
            if need is not None:
                return need
            decisive = chapters.deciders(chain)
        kind = record.object.kind
        rule = item.rule
        if rule is None or item.kind != kind:
            rule = item.rule = self._rules.find(kind, event.reason, event.message, event.component)
            item.kind = kind
        named, missing = self._named(chain, rule, event, occ) if rule.rule.names else (None, "")
        phase = rule.rule.phase
        if kind == "Pod":
            phase = phases.pod_phase(
                chain, occ, rule, settle_ns=self._moment.settle_ns, written_rv=event.resource_version
            )
            if phase == "termination" and not record.real:
                record.die(occ.at_ns, None, occ.at_ns)  # nobody else will tell
        if not item.forced:
            need = self._behind(record, event)
            if need is None and missing and occ.n > 1:
                need = self._await_named(rule.rule.names, event)
            if need is None and named is None and missing:
                need = ForObject(missing, self._patience(rule.rule.names))
            if need is None:
                need = self._await_chapter(record, decisive, event, occ, phase, named=named)
            if need is not None:
                return need
        self._joiner.join(
            self._lifecycle_of(item, chain, decisive, phase, rule, named=named), item, chain, rule, line=line
        )
        return None

    def _place_phase(self, item: PhaseItem) -> Need | None:
        record = item.record
        chain, need = self._chain(record, forced=item.forced)
        if need is not None:
            return need
        phase = "termination" if item.death else ("run" if len(chain) > 1 and chain[1].kind == "Job" else "startup")
        if phase in record.phases:
            return None  # an event about it came first
        decisive = chapters.deciders(chain)
        if not item.forced:
            rv = record.dying_rv if item.death else record.born_rv
            need = self._await_deciders(decisive, record, rv)
            if need is not None:
                return need
            if _chapter_of(decisive, chain, record, death=item.death) is None:
                # An event about it may say what this is about, or the end of its root object that it was deleted with.
                return ForObject(chain[-1].uid, self._moment.settings.sure_hold_s)
        self._phase(record, phase, chain, decisive, f"{record.uid}/{phase}")
        return None

    def _place_chapter(self, item: ChapterItem) -> Need | None:
        chapter = item.chapter
        chain, need = self._chain(chapter.origin, forced=item.forced)
        if need is not None:
            return need
        for record in chain[1:]:  # a change of a higher object that is still open makes this one its consequence
            above = record.chapters[-1] if record.chapters else None
            if above is not None and above.at_ns <= chapter.at_ns and above.covers(chapter.at_ns):
                self._book.consequence(chapter, above.inside or above)
                return None
        self._book.refresh(self._book.of_chapter(chapter, chain))
        return None

    # -- waiting

    def _chain(self, record: Record, *, forced: bool) -> tuple[list[Record], Need | None]:
        chain, missing = self._catalog.chain(record)
        for _ in range(self._moment.settings.max_depth):  # in a full catalog a stand-in may push out another
            if missing is None and (chain[-1].real or not self._guess_owner(chain[-1])):
                break
            if missing is not None:
                reference = _reference(missing, chain[-1].object.namespace)
                if not forced:
                    return chain, self._await_object(reference)
                self._stand_in(reference)
            chain, missing = self._catalog.chain(record)
        if self._catalog.mortal:
            self._catalog.used(chain, self._moment.now_ns)
        return chain, None

    # -- objects that nobody shows

    def _hear(self, event: Event, occ: Occurrence, record: Record | None) -> None:
        """Takes note of what an Event says of others, and of its own object: it is asked where they can not be read."""
        involved = event.involved
        shown = record is not None and record.real
        if not shown:
            self._kinship.meet(involved)
            self._hearsay.hear(event, occ)
            if record is not None:
                self._take_hearsay(record)
        owner = OwnerReference(involved.api_version, involved.kind, involved.name, involved.uid, controller=True)
        if (scaled := hearsay.scaled(event)) and not (shown and "ReplicaSet" in self._catalog.synced):
            self._kinship.hear("ReplicaSet", involved.namespace, scaled, owner)
            return
        rule = self._rules.find(involved.kind, event.reason, event.message, event.component)
        if rule.rule.fate and not (shown and rule.rule.names in self._catalog.synced):
            name = rule.named(event.message)
            if name:
                deleted_ns = occ.at_ns if rule.rule.fate == "died" else None
                self._kinship.hear(rule.rule.names, involved.namespace, name, owner, deleted_ns)

    def _stand_in(self, reference: ObjectReference, occ: Occurrence | None = None) -> Record:
        """A record for what only references and Events speak of, with what has been heard of it."""
        record = self._catalog.stand_in(reference, self._moment.now_ns)
        if not record.real:
            if occ is not None:
                record.born_ns = min(record.born_ns, occ.at_ns)
            self._take_hearsay(record)
        return record

    def _take_hearsay(self, record: Record) -> None:
        for chapter in self._hearsay.changes(record):
            self.open(chapter)

    def _went_alone(self, record: Record, chapter: Chapter, at_ns: int) -> bool:
        """True for a Pod that nobody shows and that went while its owner did nothing: something else is going on."""
        if record.real or chapter.origin.real or self._kinship.deleted_by_owner(record, at_ns):
            return False
        return chapter.story is None or at_ns > chapter.story.last_event_ns + hearsay.QUIET_NS

    def _guess_owner(self, record: Record) -> bool:
        """Finds an owner for the top of a chain that has none because nobody could show it; False: there is none to be found."""
        if record.real or record.owner is not None:
            return False
        found = self._kinship.owner_of(record)
        if found is None:
            return False
        self._catalog.adopt(record, found[0])
        record.confidence = found[1].value
        return True

    def _await_object(self, reference: ObjectReference) -> Need:
        """Waits for an object that nobody has shown: its watch will, or a lookup."""
        asked_ns = self._asked.get((reference.namespace, reference.uid), -self._moment.memory_ns)
        if reference.uid and reference.kind not in KINDS and self._moment.now_ns - asked_ns >= self._moment.memory_ns:
            self._ask(reference)
        patience_s = self._patience(reference.kind)
        if reference.uid and reference.kind != "Node":
            return ForObject(reference.uid, patience_s)
        return ForObject(name_key(reference.kind, reference.namespace, reference.name), patience_s)

    def _ask(self, reference: ObjectReference) -> None:
        """Looks an object up; what was found is forgotten one day, and so is that it was asked for."""
        now_ns, asked = self._moment.now_ns, self._asked
        while asked and (
            len(asked) >= self._moment.settings.max_tombstones
            or now_ns - next(iter(asked.values())) > self._moment.memory_ns
        ):
            asked.popitem(last=False)
        key = reference.namespace, reference.uid
        asked.pop(key, None)
        asked[key] = now_ns
        self._moment.say(LookupOwner(reference))

    def _patience(self, kind: str) -> float:
        """How long to wait for an object of a kind that has not been shown."""
        settings = self._moment.settings
        if kind in self._catalog.missing:
            return settings.structure_hold_s if kind in naming.OWNED else 0.0  # an Event may still name its owner
        return settings.sure_hold_s if kind in KINDS and kind not in self._catalog.synced else settings.structure_hold_s

    def _behind(self, record: Record, event: Event) -> Need | None:
        """Waits for the version of the object that the emitter had seen: it must come."""
        held = event.involved.resource_version
        if held is None:
            return None
        seen = record.object.resource_version
        if seen is None or held <= seen or record.gone_ns is not None:
            return None
        return ForObject(record.uid, self._moment.settings.sure_hold_s)

    def _await_chapter(
        self,
        record: Record,
        decisive: list[Record],
        event: Event,
        occ: Occurrence,
        phase: str,
        *,
        named: Record | None,
    ) -> Need | None:
        """Waits for what could still show that the event belongs to another change, unless that was decided before."""
        if named is not None:
            rv = named.born_rv if named.dying_rv is None else max(named.dying_rv, named.born_rv or 0)
            return self._await_deciders(decisive, named, rv)
        ready_ns = record.ready_ns
        # What befalls a young Pod may be of a newer change.
        young = phase == "startup" and ready_ns is not None and occ.at_ns > ready_ns + phases.AFTER_READY_NS
        if phase != "incident" and not young and record.object.kind == "Pod":
            if phase in record.phases:
                return None
            if phase == "termination":
                if record.dying_ns is None:
                    return ForObject(record.uid, self._patience("Pod"))
                return self._await_deciders(decisive, record, record.dying_rv)
            return self._await_deciders(decisive, record, record.born_rv)
        return self._await_deciders(decisive, record, event.resource_version, sure=False)

    def _await_named(self, kind: str, event: Event) -> Need | None:
        """A repeated Event may name the next object of the same name: its watch has to have come as far as the Event."""
        rv = event.resource_version
        if rv is None or self._catalog.watermarks.get(kind, rv) >= rv:
            return None
        return ForWatch(kind, rv, self._moment.settings.hold_s)

    def _await_deciders(
        self, decisive: list[Record], record: Record, rv: int | None, *, sure: bool = True
    ) -> Need | None:
        if rv is None:
            return None
        watermarks = self._catalog.watermarks
        for decider in decisive:
            if decider is not record and decider.gone_ns is None:
                kind = decider.object.kind
                if watermarks.get(kind, rv) < rv:
                    return ForWatch(kind, rv, self._patience(kind) if sure else self._moment.settings.hold_s)
        return None

    # -- deciding

    def _named(
        self, chain: list[Record], rule: CompiledRule, event: Event, occ: Occurrence
    ) -> tuple[Record | None, str]:
        """The object that the message names, if it exists and ownership agrees; and the key under which it would come."""
        name = rule.named(event.message)
        if not name:
            return None, ""
        kind, namespace = rule.rule.names, event.involved.namespace
        named = self._catalog.named(kind, namespace, name)
        owned = [r for r in named if r.owner is not None and r.owner.uid == chain[0].uid]
        return phases.befallen(owned, occ, fate=rule.rule.fate), name_key(kind, namespace, name)

    def _lifecycle_of(
        self,
        item: EventItem,
        chain: list[Record],
        decisive: list[Record],
        phase: str,
        rule: CompiledRule,
        *,
        named: Record | None,
    ) -> Lifecycle:
        event, occ, record = item.event, item.occ, chain[0]
        key = f"{event.uid}/{occ.n}"
        known = phase in ("startup", "run") or (phase == "termination" and record.dying_ns is not None)
        if known and record.object.kind == "Pod":
            return self._phase(record, phase, chain, decisive, key, at_ns=occ.at_ns)
        if named is not None:
            its_chain, _ = self._catalog.chain(named)
            chapter = _chapter_of(chapters.deciders(its_chain), its_chain, named, death=rule.rule.fate == "died")
        else:
            chapter = chapters.at_moment(decisive, event, occ)
        begins = rule.rule.begins or named is not None
        story = self._story(chapter, chain, decisive, occ.at_ns, key, begins=begins)
        return self._book.lifecycle(story, chain, self._book.phase_in(story, record, phase))

    def _phase(
        self,
        record: Record,
        phase: str,
        chain: list[Record],
        decisive: list[Record],
        key: str,
        *,
        at_ns: int | None = None,
    ) -> Lifecycle:
        """The lifecycle of a Pod's birth or death: decided once. `at_ns`: of an occurrence in it."""
        known = record.phases.get(phase)
        if known is not None:
            if at_ns is None or not known.story.outlived_at(at_ns):
                return known
            chapter = known.story.chapter  # it is still not over: the next part of the same story
            story = self._story(chapter, chain, decisive, at_ns, key, begins=False)
            return self._book.lifecycle(story, chain, self._book.phase_in(story, record, phase))
        death = phase == "termination"
        begun_ns = record.dying_ns if death and record.dying_ns is not None else record.born_ns
        chapter = _chapter_of(decisive, chain, record, death=death)
        if death and chapter is None:
            chapter = self._end_of_lost_owner(chain[-1], begun_ns)
        if death and chapter is not None and self._went_alone(record, chapter, begun_ns):
            chapter = None
        story = self._story(chapter, chain, decisive, begun_ns if at_ns is None else at_ns, key, begins=True)
        lifecycle = self._book.lifecycle(story, chain, self._book.phase_in(story, record, phase))
        record.phases[phase] = lifecycle
        return lifecycle

    def _end_of_lost_owner(self, root: Record, at_ns: int) -> Chapter | None:
        """An owner that is missing in a complete list has been deleted, and what it owned goes with it."""
        if root.real or root.kind not in self._catalog.synced or not root.rule.deleted:
            return None
        if not root.chapters:
            self.open(Chapter(root, phase=root.rule.deleted, change=deletion(root.object), rv=None, at_ns=at_ns))
        return root.chapters[-1] if root.chapters[-1].is_deletion else None

    def _story(
        self,
        chapter: Chapter | None,
        chain: list[Record],
        decisive: list[Record],
        at_ns: int,
        key: str,
        *,
        begins: bool,
    ) -> Story:
        untold = chapter is not None and chapter.story is None
        if chapter is not None and not (untold and self._moment.now_ns - chapter.at_ns > self._moment.cap_ns):
            story = self._book.of_chapter(chapter, chain)
            if not story.forgotten:
                return story
        return self._book.episode(chain, decisive, at_ns, key, begins=begins)


def _chapter_of(decisive: list[Record], chain: list[Record], record: Record, *, death: bool) -> Chapter | None:
    return chapters.of_death(decisive, chain, record) if death else chapters.of_birth(decisive, record)


def _reference(owner: OwnerReference, namespace: str) -> ObjectReference:
    return ObjectReference(
        kind=owner.kind, namespace=namespace, name=owner.name, uid=owner.uid, api_version=owner.api_version
    )
