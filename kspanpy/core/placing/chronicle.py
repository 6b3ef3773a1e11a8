"""Takes in the versions of objects: keeps the catalog, and opens a chapter whenever one was created, changed or deleted."""

from __future__ import annotations

from kspanpy.core.changes import change as changes
from kspanpy.core.changes import what
from kspanpy.core.changes.change import Change
from kspanpy.core.changes.revisions import Revisions
from kspanpy.core.changes.who import is_wish
from kspanpy.core.model import SECOND, Object
from kspanpy.core.moment import Moment
from kspanpy.core.objects import health
from kspanpy.core.objects.catalog import Catalog, Record, causal_owner
from kspanpy.core.placing.placer import Placer
from kspanpy.core.placing.waiting import PhaseItem
from kspanpy.core.rules.kinds import KINDS, OTHER_CHANGING_KIND, OTHER_KIND
from kspanpy.core.stories.shape import Chapter
from kspanpy.core.stories.storybook import StoryBook
from kspanpy.core.timing import instant

_FIRST_READY_NS = 120 * SECOND  # what was created before anybody looked is taken to have been ready by then


class Chronicle:
    """The history of every object, as it is seen."""

    def __init__(self, moment: Moment, catalog: Catalog, book: StoryBook, placer: Placer) -> None:
        self._moment = moment
        self._catalog = catalog
        self._book = book
        self._placer = placer
        self._revisions = Revisions(capacity=moment.settings.max_objects)

    def seen(self, obj: Object, *, looked_up: bool = False) -> None:
        """A version of an object."""
        self._revisions.note(obj)
        record = self._catalog.get(obj.uid, obj.namespace)
        if record is None:
            record = self._introduce(self._catalog.add(obj, self._moment.now_ns), looked_up=looked_up)
        elif not record.real:
            self._catalog.reveal(record, obj, self._moment.now_ns)
            self._introduce(record, looked_up=looked_up)
        elif record.gone_ns is None and not _stale(record.object, obj):
            self._update(record, obj)
        self._book.news_of(record)
        self._placer.retry(obj)

    def gone(self, obj: Object) -> None:
        """The last version of an object."""
        now_ns = self._moment.now_ns
        self._revisions.gone(obj)
        record = self._catalog.get(obj.uid, obj.namespace)
        if record is None:
            record = self._introduce(self._catalog.add(obj, now_ns))
        if record.gone_ns is None:
            dying = record.dying_ns is not None
            if not _stale(record.object, obj):
                self._catalog.renew(record, obj)
                record.note_status(obj, now_ns)
            record.die(None, obj.resource_version, now_ns)
            self._catalog.bury(record, now_ns)
            if not dying:
                self._dies(record)
            self._book.news_of(record)
            if record.chapters:
                self._placer.retry_kind(record.kind)
        self._placer.retry(obj)

    def _introduce(self, record: Record, *, looked_up: bool = False) -> Record:
        obj = record.object
        if looked_up and obj.kind not in KINDS:
            record.rule = OTHER_KIND  # its changes will not be seen, so none of them can be the cause of others
            self._catalog.will_not_end(record, self._moment.now_ns)
        if record.rule.created and not self._follows(record):
            self._created(record)
        elif record.kind == "Pod" and (record.fresh or not (health.settled(obj) or self._is_old(record))):
            self._placer.place(PhaseItem(self._moment.now_ns, obj.namespace, record=record, death=False))
        if record.dying_ns is not None:
            self._dies(record)
        return record

    def _is_old(self, record: Record) -> bool:
        """True for what began so long ago that it is told from its Events only."""
        return record.ready_ns is not None or self._moment.now_ns - record.born_ns > self._moment.cap_ns

    def _update(self, record: Record, obj: Object) -> None:
        before, dying = record.object, record.dying_ns is not None
        self._catalog.renew(record, obj)
        if obj.owners != before.owners:
            self._catalog.adopt(record, causal_owner(obj))  # orphaned, adopted, released by a label
        record.note_status(obj, self._moment.now_ns)
        if record.dying_ns is not None and not dying:
            self._dies(record)
        elif _changed(record, before, obj) and not dying and not self._follows(record):
            change = changes.between(
                before,
                obj,
                rollback=self._rollback(record, before),
                traceparents=self._moment.settings.traceparent_keys,
            )
            at_ns = instant(change.at_ns, self._moment.now_ns)
            phase = _phase(record, before, change)
            self._placer.open(Chapter(record, phase=phase, change=change, rv=obj.resource_version, at_ns=at_ns))

    def _rollback(self, record: Record, before: Object) -> str:
        """To what a change went back, if its pod template is one of before."""
        obj = record.object
        if obj.template == before.template or not obj.template:
            return ""
        if record.kind == "Deployment":
            revision = self._revisions.of(obj)
            return f"rollback to revision {revision}" if revision else ""
        known = next((c for c in reversed(record.chapters) if c.change.template == obj.template), None)
        return "" if known is None else f"rollback to generation {known.generation}"

    def _follows(self, record: Record) -> bool:
        """True if its changes are its owner's: an owner that is known, or of a kind that is watched and so will be."""
        if not record.rule.follows or record.owner is None:
            return False
        owner = self._catalog.owner(record)
        rule = owner.rule if owner is not None and owner.real else KINDS.get(record.owner.kind)
        return rule is not None and bool(rule.created or rule.changed)

    def _created(self, record: Record) -> None:
        obj, fresh = record.object, record.fresh
        tell = changes.creation if fresh and obj.generation <= 1 else changes.last_change
        change = tell(obj, traceparents=self._moment.settings.traceparent_keys)
        rv = obj.resource_version if fresh else None
        at_ns = instant(change.at_ns, self._moment.now_ns)
        if not fresh and change.at_ns is not None:
            at_ns = change.at_ns  # what it brought about came after the beginning of that second
        chapter = Chapter(record, phase=record.rule.created, change=change, rv=rv, at_ns=at_ns)
        if not fresh:
            self._find_end(chapter)
        self._placer.open(chapter)

    def _find_end(self, chapter: Chapter) -> None:
        """A change that was made before anybody looked: is it over, and since when?"""
        record, obj = chapter.origin, chapter.origin.object
        if health.settled(obj):
            since_ns = health.settled_since(obj)
            ended_ns = chapter.at_ns if since_ns is None else since_ns + SECOND
        elif (well_ns := health.was_ready_until(obj)) is not None:
            ended_ns = well_ns
        elif record.dying_ns is not None:
            ended_ns = record.dying_ns
        elif self._moment.now_ns - chapter.at_ns > self._moment.cap_ns:
            ended_ns = chapter.at_ns + _FIRST_READY_NS  # no story lasts so long
        else:
            return
        if not record.rule.workload:  # such conditions tell the newest change, not the first
            ended_ns = min(ended_ns, chapter.at_ns + _FIRST_READY_NS)
        chapter.settled_ns = ended_ns
        chapter.ends_ns = ended_ns + self._moment.settle_ns

    def _dies(self, record: Record) -> None:
        now_ns = self._moment.now_ns
        owned = (
            record.owner is not None and record.owner.kind in KINDS
        )  # then it goes because its owner does, or wants it to
        if record.rule.deleted and not owned:
            at_ns = now_ns if record.dying_ns is None else record.dying_ns
            owner = self._catalog.owner(record)
            going = owner is not None and (owner.dying_ns is not None or owner.gone_ns is not None)
            change = changes.deletion(record.object, owner_is_going=going)
            self._placer.open(
                Chapter(record, phase=record.rule.deleted, change=change, rv=record.dying_rv, at_ns=at_ns)
            )
        if record.kind == "Pod" and not health.ended(record.object):
            self._placer.place(PhaseItem(now_ns, record.object.namespace, record=record, death=True))


def _changed(record: Record, before: Object, after: Object) -> bool:
    """True if somebody wished for something else: of kinds that nothing is known about, the generation alone does not tell."""
    if after.generation == before.generation or not record.rule.changed:
        return False
    return record.rule != OTHER_CHANGING_KIND or is_wish(before, after)


def _phase(record: Record, before: Object, change: Change) -> str:
    """What a change begins: a pod template that was held back is rolled out when it is let go, not when it moves."""
    obj = record.object
    if obj.kind == "Deployment" and obj.paused and change.phase == "rollout":
        return "update"
    if change.phase != "update":
        return change.phase
    resumed = before.paused and not obj.paused and obj.kind == "Deployment" and _held_back(record, before)
    return "rollout" if resumed or _let_go(before, obj) else "update"


def _let_go(before: Object, after: Object) -> bool:
    """True for a new update strategy (OnDelete, a partition) that replaces Pods which the old one had spared."""
    if not before.on_delete or before.updated >= (before.replicas or 0):
        return False
    return not after.on_delete or any(part.startswith("updateStrategy") for part in what.moved(before, after))


def _held_back(record: Record, paused: Object) -> bool:
    """True if the pod template is another one than that of the Pods."""
    held = False
    for chapter in reversed(record.chapters):
        if chapter.phase != "update" or chapter.change.phase != "rollout":
            if held:
                return chapter.change.template != record.object.template
            break
        held = True
    return (
        held or paused.updated < paused.current
    )  # by its status: in the middle of a rollout, or before anybody looked


def _stale(before: Object, after: Object) -> bool:
    """True for a version that brings nothing new: a relist, a line delivered twice."""
    if before.resource_version is None or after.resource_version is None:
        return before == after
    return after.resource_version <= before.resource_version
