"""Opens, completes and closes stories, and forgets them an hour later.

A story is *complete* when nothing more is expected of it: its object has settled (or a newer change took over) and no phase of
a Pod in it is open. A complete story is closed when it has stayed so for the settle window and nothing has arrived for it
lately; then its lifecycle spans are sent. Phases of Pods are sent as soon as they have been over for the settle window. What
arrives later still finds its parent: a closed story is remembered for the life of an Event.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from kspanpy.core.causes import relations
from kspanpy.core.causes.causes import Causes
from kspanpy.core.crowd import Crowd
from kspanpy.core.model import SECOND, Link
from kspanpy.core.moment import Moment
from kspanpy.core.objects import health
from kspanpy.core.objects.catalog import Catalog, Record
from kspanpy.core.rules.kinds import OWNER_PHASES
from kspanpy.core.settings import Limit
from kspanpy.core.stories import chapters, episodes
from kspanpy.core.stories.shape import Chapter, Lifecycle, Story
from kspanpy.core.telling import judging, spans

_ENDING = ("startup", "run", "termination")  # phases that come once; trouble may come again in the same story
_OWNERS_OWN = frozenset(OWNER_PHASES.values()) - {"incident"}
_SCALED = ("ReplicaSet", "ReplicationController")  # they scale up and down for others


class StoryBook:
    """All stories, open and closed."""

    def __init__(self, moment: Moment, catalog: Catalog, causes: Causes) -> None:
        self._moment = moment
        self._causes = causes
        self._teller = spans.Teller(moment, catalog)
        self._open: dict[bytes, Story] = {}  # at most max_open_stories
        self._closed: OrderedDict[bytes, tuple[int, Story]] = (
            OrderedDict()
        )  # of at most max_closed_lifecycles lifecycles
        settings = moment.settings
        self._opened: Crowd[bytes] = Crowd(settings.max_open_stories, part=4)
        self._told: Crowd[bytes] = Crowd(settings.max_closed_lifecycles, part=8)  # weighed in lifecycles
        self.reached: Counter[Limit] = Counter()

    @property
    def open(self) -> int:
        """How many stories are open."""
        return len(self._open)

    @property
    def closed(self) -> int:
        """How many closed stories are remembered."""
        return len(self._closed)

    @property
    def closed_lifecycles(self) -> int:
        """How many lifecycles those have."""
        return self._told.total

    # -- finding and opening

    def of_chapter(self, chapter: Chapter, chain: list[Record]) -> Story:
        """The story of a change; the next part of it if it has outlived the cap."""
        known = chapter.story
        if known is not None and not (known.closed and known.outcome == "capped" and chapter.ends_ns is None):
            return known
        root = chain[-1]
        key = chapter.key if chapter.origin is root else f"{chapter.origin.uid}/{chapter.key}"
        if known is not None:
            chapter.part += 1
            key = f"{key}/part {chapter.part}"
        story = self._new(root, key, chapter.phase, origin=chapter.origin, chapter=chapter)
        chapter.story = story
        story.root.nominal_ns = chapter.nominal_ns if known is None else self._moment.now_ns
        story.root.slack_ns = chapter.slack_ns if known is None else 0
        if known is not None:
            self._causes.follow(story, known, relations.CONTINUES)
        elif (context := chapter.change.trace_context) is not None:
            if self._moment.settings.traceparent == "parent":
                story.trace_id, story.parent_id = context.trace_id, context.span_id
            else:
                story.root.links.append(Link(context.trace_id, context.span_id, relations.TRACEPARENT))
        self._overtake(root.episode)
        if chapter.origin is root and root.kind == "Pod":
            root.phases[chapter.phase] = story.root
            self.check_leaf(story.root)
        self._causes.opened(story.root)
        return story

    def episode(
        self, chain: list[Record], decisive: list[Record], at_ns: int, key: str, *, begins: bool = False
    ) -> Story:
        """The story of what happens to a root object while no change is open: the current one, or a new one.

        `begins`: it is no step of something that is going on (a Pod is lost or made, an autoscaler scales again): where all had
        been well for a while, it is a new story.
        """
        root = chain[-1]
        change = chapters.newest(decisive, rv=None, at_ns=at_ns)
        for known in reversed(root.episodes):
            if known.follows is not change and not known.closed:
                continue  # what comes after a change is other trouble, even if a Pod of before is still not well
            if episodes.has(known, at_ns, self._moment) and not (
                begins and episodes.rested(known, at_ns, self._moment)
            ):
                return known
        newest = root.episodes[-1] if root.episodes else None
        late = newest is not None and at_ns < newest.first_event_ns
        if newest is not None and not newest.closed and not late:
            well = newest.superseded or newest.complete_ns is not None or episodes.rested(newest, at_ns, self._moment)
            self.close(newest, self._good_end(newest) if well else "capped")
        origin = decisive[0] if decisive else root
        story = self._new(root, key, root.rule.troubled, origin=origin, chapter=None)
        story.first_event_ns = story.last_event_ns = at_ns
        story.over = late
        story.follows = change
        if newest is not None and not late:
            self._succeed(story, newest, begins=begins)
        if change is not None and change.story is not None:
            self._causes.follow(story, change.story, relations.FOLLOWS)
        episodes.remember(story, late=late)
        self.refresh(story)
        self._causes.opened(story.root)
        return story

    def _succeed(self, story: Story, before: Story, *, begins: bool) -> None:
        """An episode after another: its next part, or a relapse into what had seemed to be over."""
        story.relapse = not begins and episodes.is_relapse(story, before, self._moment)
        if before.outcome == "capped" or (before.outcome == "healed" and story.relapse):
            story.serious = before.serious
            self._causes.follow(story, before, relations.CONTINUES)

    def _overtake(self, episode: Story | None) -> None:
        """A change begins: trouble that is over by then had healed, other trouble is superseded."""
        if episode is None or episode.closed:
            return
        if episode.complete_ns is not None:
            self.close(episode, self._good_end(episode))
        else:
            episode.superseded = True
            self.refresh(episode)

    def lifecycle(self, story: Story, chain: list[Record], phase: str) -> Lifecycle:
        """The lifecycle span of `chain[0]` in this story, with all that has to be above it."""
        record = chain[0]
        if record is story.root_record:
            return story.root
        known = story.lifecycles.get((record.uid, phase))
        if known is not None:
            return known
        parent = story.root
        if len(chain) > 1:
            above = self._owner_phase(story, record, phase)
            parent = self.lifecycle(story, chain[1:], self.phase_in(story, chain[1], above))
        lifecycle = Lifecycle(story, record, phase=phase, parent=parent)
        story.lifecycles[record.uid, phase] = lifecycle
        parent.children.append(lifecycle)
        story.first_phases.setdefault(record.uid, phase)
        if record.kind == "Pod":
            self._open_leaf(lifecycle)
        self._causes.opened(lifecycle)
        if story.closed or parent.sent:
            if story.own_id in self._closed:
                self._told.grow(story.namespace)
            self._moment.emit_all(self._teller.late(lifecycle), story)
        return lifecycle

    @staticmethod
    def phase_in(story: Story, record: Record, phase: str) -> str:
        """The phase of an object in a story; empty: that of the story."""
        if record is story.root_record:
            return ""
        kind = record.object.kind
        if kind == "Pod":
            # A Pod that owns others does not scale.
            return "" if phase in _OWNERS_OWN or (story.chapter is None and phase == "incident") else phase
        if kind in _SCALED:
            if phase:
                return phase
            known = story.first_phases.get(record.uid)
            return known if known is not None else ("scale-up" if story.chapter is not None else "")
        return "run" if kind == "Job" else ""

    @staticmethod
    def _owner_phase(story: Story, record: Record, phase: str) -> str:
        shown = phase or "incident"
        if shown == "incident":
            if any(birth.story is story for birth in _births(record)):
                return OWNER_PHASES["startup"]  # a Pod that this story made
            if story.chapter is None:
                return ""
        return OWNER_PHASES.get(shown, "")

    def _open_leaf(self, lifecycle: Lifecycle) -> None:
        record = lifecycle.record
        obj = record.object
        before = record.phases.get(lifecycle.phase)
        if before is not None and before.story.closed:
            pass  # it began in the part before
        elif lifecycle.phase in ("startup", "run") and self._moment.now_ns - record.born_ns > self._moment.cap_ns:
            pass  # ... or long before anybody looked
        elif lifecycle.phase in ("startup", "run"):
            lifecycle.nominal_ns, lifecycle.slack_ns = obj.created_ns, SECOND
        elif lifecycle.phase == "termination":
            if obj.deletion_began_ns is not None:
                lifecycle.nominal_ns, lifecycle.slack_ns = obj.deletion_began_ns, SECOND
            else:
                lifecycle.nominal_ns = record.dying_ns
        record.phases[lifecycle.phase] = lifecycle
        self.check_leaf(lifecycle)

    def _new(self, root: Record, key: str, phase: str, *, origin: Record, chapter: Chapter | None) -> Story:
        settings, now_ns = self._moment.settings, self._moment.now_ns
        while True:
            story = Story(
                root,
                cluster_uid=settings.cluster_uid,
                key=key,
                phase=phase,
                origin=origin,
                chapter=chapter,
                now_ns=now_ns,
                told_here=settings.shard.tells(root.object),
            )
            if story.own_id not in self._open and story.own_id not in self._closed:
                break
            key += "/again"  # its object had to be forgotten meanwhile, or counts its generations backwards
        self._open[story.own_id] = story
        self._moment.at(now_ns + self._moment.cap_ns, story)
        self._opened.add(story.own_id, story.namespace, self._open.__contains__)
        while (oldest := self._opened.excess(self._open.__contains__)) is not None:
            self.reached[Limit.OPEN_STORIES] += 1
            self.close(self._open[oldest], "capped")
        return story

    # -- completing

    def news_of(self, record: Record) -> None:
        """An object has changed: what does that mean for the stories that wait for it?"""
        for lifecycle in record.phases.values():
            self.check_leaf(lifecycle)
        if record.chapters:
            chapter = record.chapters[-1]
            self._note_failure(chapter)
            story = (chapter.inside or chapter).story
            if story is not None:
                self.refresh(story)
            if chapter.story is None:
                self._refresh_chapter(chapter, complete=self._origin_settled(chapter))
        if record.episode is not None:
            self.refresh(record.episode)

    @staticmethod
    def consequence(chapter: Chapter, above: Chapter) -> None:
        """A change of a lower object happened because of one of a higher object, and says what kind of change that is."""
        chapter.inside = above
        # Those that can only be settled from now on: superseded, or of an object that is gone.
        above.consequences = [c for c in above.consequences if not (c.superseded or c.origin.gone_ns)] + [chapter]
        if above.phase == "update" and chapter.phase in ("rollout", "scale"):
            above.phase = chapter.phase
            if above.story is not None:
                above.story.phase = chapter.phase

    def supersede(self, chapter: Chapter, newer: Chapter) -> None:
        """A newer change of the same object has begun."""
        chapter.superseded = True
        chapter.until_ns = newer.nominal_ns
        chapter.cut_short = chapter.ends_ns is None
        if chapter.story is not None:
            self._note_failure(chapter)
            self.refresh(chapter.story)

    def refresh(self, story: Story) -> None:
        """Sees whether a story is complete by now, or no longer."""
        if story.closed:
            return
        if story.chapter is not None:
            complete = not story.open_leaves and self._all_settled(story.chapter)
            self._refresh_chapter(story.chapter, complete=complete)
        else:
            origin = story.origin
            healthy = story.superseded or origin.gone_ns is not None or health.settled(origin.object)
            complete = story.over or (healthy and not story.open_leaves)
        if not complete:
            if story.complete_ns is not None:
                story.well_ns = story.complete_ns, self._moment.now_ns
            story.complete_ns = None
        elif story.complete_ns is None:
            story.complete_ns = self._moment.now_ns
            self._moment.at(self._due(story), story)

    def _refresh_chapter(self, chapter: Chapter, *, complete: bool) -> None:
        now_ns = self._moment.now_ns
        if not complete:
            if chapter.ends_ns is not None and now_ns <= chapter.ends_ns:
                chapter.ends_ns = chapter.settled_ns = None
        elif chapter.ends_ns is None and chapter.origin.real:
            chapter.settled_ns = None if chapter.superseded else now_ns
            chapter.ends_ns = now_ns + self._moment.settle_ns

    def _all_settled(self, chapter: Chapter) -> bool:
        """True when nothing more is to come of a change, nor of what followed from it."""
        return self._origin_settled(chapter) and all(self._origin_settled(c) for c in chapter.consequences)

    @staticmethod
    def _origin_settled(chapter: Chapter) -> bool:
        origin = chapter.origin
        if not origin.real:
            return True  # nobody can tell: silence decides
        if chapter.is_deletion:
            return origin.gone_ns is not None
        if chapter.superseded or origin.gone_ns is not None:
            return True
        return health.settled(origin.object)

    def _note_failure(self, chapter: Chapter) -> None:
        if chapter.failure is None and chapter.covers(self._moment.now_ns):
            obj = chapter.origin.object
            if obj.observed_generation >= obj.generation or not chapter.origin.rule.workload:
                chapter.failure = health.failure(obj)  # before, its conditions speak of the change before

    def check_leaf(self, leaf: Lifecycle) -> None:
        """Sees whether a phase of a Pod is over by now, or no longer."""
        story = leaf.story
        if story.closed or leaf.sent:
            return
        key = leaf.record.uid, leaf.phase
        if not _over(leaf):
            story.open_leaves[key] = leaf
            leaf.finished_ns = None
        elif leaf.finished_ns is None:
            leaf.finished_ns = self._moment.now_ns
            story.open_leaves.pop(key, None)
            if leaf.phase in _ENDING and leaf is not story.root and leaf.record.real:
                self._moment.at(self._moment.now_ns + self._moment.settle_ns, leaf)
        self.refresh(story)

    # -- closing

    def due(self, what: Story | Lifecycle) -> None:
        """The time has come to look at a story or a leaf."""
        if isinstance(what, Story):
            self._story_due(what)
        else:
            self._leaf_due(what)

    def _story_due(self, story: Story) -> None:
        now_ns = self._moment.now_ns
        if story.closed:
            return
        if now_ns >= story.opened_ns + self._moment.cap_ns:
            self.close(story, "capped" if story.complete_ns is None else self._good_end(story))
        elif story.complete_ns is not None:
            due_ns = self._due(story)
            if due_ns <= now_ns:
                self.close(story, self._good_end(story))
            else:
                self._moment.at(due_ns, story)

    def _due(self, story: Story) -> int:
        """When a complete story may be closed, if nothing comes in between."""
        moment = self._moment
        if not story.origin.real and story.chapter is not None:
            return story.last_ns + moment.quiet_ns
        since_ns = moment.now_ns if story.complete_ns is None else story.complete_ns
        if story.chapter is None:
            if story.superseded or story.over:
                return story.last_ns + moment.linger_ns
            # A relapse seemed to be over before, and was not.
            return max(since_ns, story.last_ns) + (moment.relapse_ns if story.relapse else moment.quiet_ns)
        window_ns = moment.linger_ns if story.chapter.superseded else moment.settle_ns
        return max(since_ns + window_ns, story.last_ns + moment.linger_ns)

    def _leaf_due(self, leaf: Lifecycle) -> None:
        if leaf.sent or leaf.story.closed or leaf.finished_ns is None or leaf.children:
            return
        due_ns = max(leaf.finished_ns + self._moment.settle_ns, leaf.last_ns + self._moment.linger_ns)
        if due_ns > self._moment.now_ns:
            self._moment.at(due_ns, leaf)
            return
        judging.judge_leaf(leaf)
        self._moment.emit_all(self._teller.leaf(leaf), leaf.story)

    @staticmethod
    def _good_end(story: Story) -> str:
        chapter = story.chapter
        if chapter is None:
            return "superseded" if story.superseded else "healed"
        if chapter.is_deletion:
            return "deleted"
        if chapter.superseded:
            return "superseded" if chapter.cut_short else "settled"
        went = chapter.origin.gone_ns is not None and not health.settled(chapter.origin.object)
        return "deleted" if went else "settled"

    def close(self, story: Story, outcome: str) -> None:
        """Sends what has not been sent of a story."""
        if story.chapter is None and not story.serious:
            story.phase = "activity"
        story.outcome = outcome
        try:
            judging.judge(story)
            self._moment.emit_all(self._teller.story(story), story)
        finally:
            self._put_away(story)

    def _put_away(self, story: Story) -> None:
        story.closed = True
        if story.chapter is not None and story.chapter.ends_ns is None and not story.origin.real:
            story.chapter.ends_ns = story.last_event_ns + self._moment.quiet_ns
        story.open_leaves.clear()
        del self._open[story.own_id]
        self._opened.remove(story.namespace)
        self._closed[story.own_id] = (self._moment.now_ns, story)
        untold = [lifecycle for lifecycle in story.lifecycles.values() if not lifecycle.sent or lifecycle.steps]
        if untold:  # a defect: nothing more can be hung up there
            for lifecycle in untold:
                lifecycle.sent = True
                self._moment.open_steps -= len(lifecycle.steps)
                lifecycle.steps = []
            _let_go(story)
        self._told.add(story.own_id, story.namespace, self._closed.__contains__, len(story.lifecycles))

    def close_all(self) -> None:
        """Nothing more will come."""
        for story in list(self._open.values()):
            self.close(story, self._good_end(story) if story.complete_ns is not None else "unfinished")

    def forget(self) -> None:
        """Lets go of closed stories that no Event can belong to any more, and of the oldest where there are too many."""
        horizon = self._moment.now_ns - self._moment.memory_ns
        while self._closed:
            closed_ns, story = next(iter(self._closed.values()))
            if closed_ns > horizon:
                break
            self._forget(story)
        while (own_id := self._told.excess(self._closed.__contains__)) is not None:
            self.reached[Limit.CLOSED_LIFECYCLES] += 1
            self._forget(self._closed[own_id][1])

    def _forget(self, story: Story) -> None:
        del self._closed[story.own_id]
        self._told.remove(story.namespace, len(story.lifecycles))
        _let_go(story)


def _let_go(story: Story) -> None:
    story.forgotten = True
    for lifecycle in story.lifecycles.values():
        phases = lifecycle.record.phases
        if phases.get(lifecycle.phase) is lifecycle:
            del phases[lifecycle.phase]
    # A chapter of an object that lives on knows its story for ever, for its id: no need to keep all that was in it.
    story.lifecycles = {(story.root_record.uid, ""): story.root}
    story.first_phases = {story.root_record.uid: ""}
    story.root.children, story.root.milestones, story.root.symptoms, story.root.links = [], [], [], []
    for record in (story.root_record, story.origin):
        if story in record.episodes:
            record.episodes.remove(story)


def _over(leaf: Lifecycle) -> bool:
    """True when nothing more of this phase of a Pod is to come."""
    record = leaf.record
    phase = leaf.shown_phase
    if record.gone_ns is not None or not record.real:
        return True
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
