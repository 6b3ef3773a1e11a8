"""What is right: where every occurrence of a history belongs.

`decided` is the change that an occurrence belongs to as `score.py` defines it: of a Pod's start the newest change when the Pod was
created, of its end the newest when its deletion began, else the newest before the occurrence. It may be `Free` (the change had
settled more than five seconds before) or, where the shown time and the true one, within the tolerance of clocks, disagree,
`None`: both answers are right, and the occurrence is only counted.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from kspanpy.core.model import SECOND, Event, Object
from kspanpy.core.timing import occurrence
from tests.model.known import KNOWN
from tests.model.world import Change, Emission, World, is_ready

SLACK_NS = SECOND // 4
SURE_NS = SECOND - SLACK_NS // 2  # the patience with watches for what neither a birth nor a death dates
FREE_AFTER_NS = 5 * SECOND
SETTLE_NS = 10 * SECOND
CAP_NS = 3300 * SECOND
REACH_NS = 32 * SECOND  # a Pod that died so long before its owner may have died of the same deletion


@dataclass(frozen=True)
class Free:
    """After a change that had settled: with it, or in an incident's trace."""

    number: int


@dataclass
class Life:
    """The moments of one object."""

    first: Object
    last: Object
    born_rv: int
    born_ns: int
    dying_rv: int | None = None
    dying_ns: int | None = None
    ready_ns: int | None = None
    gone_ns: int | None = None
    versions: list[tuple[int, Object]] = field(default_factory=list)


@dataclass
class Told:
    """One change and when its story was over."""

    number: int
    change: Change
    settled_ns: int | None = None  # first
    closed_ns: int | None = None  # when it had stayed so, with no Pod starting or stopping, for the settle window
    next_ns: int | None = None
    before_deletion: bool = False  # the next change is the end of the object


class Truth:
    """Everything that the model knows."""

    def __init__(self, world: World, late_s: float) -> None:
        self.world = world
        self.late_ns = int(late_s * SECOND)
        self.lives: dict[str, Life] = {}
        for line in world.lines:
            if isinstance(line.thing, Object):
                self._note(line.thing, line.at_ns, gone=line.type == "DELETED")
        self.changes: dict[str, list[Told]] = defaultdict(list)
        for change in world.changes:
            root = self.chain(change.uid)[-1]
            if self.changes[root]:
                self.changes[root][-1].next_ns = change.at_ns
                self.changes[root][-1].before_deletion = change.what == "delete"
            self.changes[root].append(Told(len(self.changes[root]) + 1, change))
        for root, told in self.changes.items():
            for one in told:
                self._settle(root, one)

    def _note(self, obj: Object, at_ns: int, *, gone: bool) -> None:
        life = self.lives.get(obj.uid)
        rv = obj.resource_version or 0
        if life is None:
            life = self.lives[obj.uid] = Life(obj, obj, rv, at_ns)
        life.last = obj
        life.versions.append((at_ns, obj))
        if life.dying_rv is None and (gone or obj.deletion_ns is not None):
            life.dying_rv, life.dying_ns = rv, at_ns
        if life.ready_ns is None and (is_ready(obj) or obj.phase == "Succeeded") and not gone:
            life.ready_ns = at_ns
        if gone:
            life.gone_ns = at_ns

    def chain(self, uid: str) -> list[str]:
        """From an object to its root object: their uids."""
        chain = [uid]
        while owners := self.lives[chain[-1]].last.owners:
            chain.append(owners[0].uid)
        return chain

    def beneath(self, root: str) -> list[Life]:
        """Everything that has this root object."""
        return [life for uid, life in self.lives.items() if self.chain(uid)[-1] == root]

    # -- when was a change over?

    def _settle(self, root: str, told: Told) -> None:
        end_ns = told.next_ns if told.next_ns is not None else self.world.now_ns + 3600 * SECOND
        origin = self.lives[told.change.uid]
        pods = [life for life in self.beneath(root) if life.first.kind == "Pod"]
        if told.change.what == "delete":
            ends = [life.gone_ns for life in self.beneath(root) if life.first.kind != "Widget"]
            if all(end is not None for end in ends):
                told.settled_ns = max(end for end in ends if end is not None)
                told.closed_ns = told.settled_ns + SETTLE_NS + self.late_ns
            return
        moments = sorted(
            {at_ns for life in [origin, *pods] for at_ns, _ in life.versions if told.change.at_ns <= at_ns < end_ns}
        )
        since_ns = None
        for at_ns in [*moments, end_ns]:
            if since_ns is not None and at_ns - since_ns > SETTLE_NS + 2 * self.late_ns + SECOND:
                told.closed_ns = since_ns + SETTLE_NS + 2 * self.late_ns + SECOND
                return
            settled = well(version(origin, at_ns))
            if settled and told.settled_ns is None and at_ns < end_ns:
                told.settled_ns = at_ns
            quiet = settled and not any(_busy(pod, at_ns) for pod in pods)
            since_ns = (since_ns if since_ns is not None else at_ns) if quiet else None

    # -- where does an occurrence belong?

    def decided(self, event: Event, emission: Emission) -> tuple[str, object]:
        """The root's uid; the number of the change, Free, or None."""
        chain = self.chain(emission.about)
        root = chain[-1]
        if self.lives[root].first.kind == "CronJob":
            life = self.lives[emission.about]
            doomed = (
                life.dying_ns is not None and emission.at_ns >= life.dying_ns - SLACK_NS
            )  # of the Job's story or the end's
            return root, (None if len(chain) == 1 or doomed else chain[-2])
        if "same-name" in KNOWN and event.count > 1 and event.involved.kind == "StatefulSet":
            return root, None
        occ = occurrence(event, emission.at_ns)
        answers = {
            self._at(root, emission, at_ns)
            for at_ns in (emission.at_ns, occ.at_ns, occ.latest_ns, occ.latest_ns + SLACK_NS)
        }
        if not self.changes.get(root):
            return root, None
        return root, answers.pop() if len(answers) == 1 else None

    def _at(self, root: str, emission: Emission, at_ns: int) -> object:
        life = self.lives[emission.about]
        moment_rv, moment_ns = None, at_ns
        if life.first.kind == "Pod":
            if life.dying_ns is not None and at_ns >= life.dying_ns:
                moment_rv, moment_ns = life.dying_rv, life.dying_ns
            elif life.ready_ns is None or at_ns < life.ready_ns + SECOND:
                moment_rv, moment_ns = life.born_rv, life.born_ns
        chain = self.chain(emission.about)
        told = [one for one in self.changes.get(root, []) if one.change.uid in chain or len(chain) == 1]
        if moment_rv is not None:
            past = [one for one in told if one.change.rv <= moment_rv]
        else:
            past = [one for one in told if one.change.at_ns <= moment_ns]
        if not past:
            return None
        if moment_rv is None and self.late_ns > SURE_NS and moment_ns < past[-1].change.at_ns + self.late_ns + SECOND:
            return None  # it is not waited longer than that for a watch that might contradict
        newest = past[-1]
        if moment_rv is None and "young-pod" in KNOWN and life.ready_ns is not None:
            sudden = moment_ns - newest.change.at_ns < self.late_ns + SLACK_NS
            if sudden and moment_ns < life.ready_ns + SETTLE_NS + self.late_ns + SLACK_NS:
                return None
        if moment_rv == life.dying_rv and self._may_be_the_end(newest, moment_ns):
            return None
        if newest.settled_ns is not None and at_ns > newest.settled_ns + FREE_AFTER_NS:
            return Free(newest.number)
        if at_ns > newest.change.at_ns + CAP_NS - 10 * SECOND:
            return Free(newest.number)
        return newest.number

    @staticmethod
    def _may_be_the_end(newest: Told, died_ns: int) -> bool:
        """A Pod that died while all was well, shortly before its owner did: perhaps of the same deletion."""
        well = newest.settled_ns is not None and newest.settled_ns <= died_ns
        return well and newest.before_deletion and (newest.next_ns or 0) - died_ns < REACH_NS

    def incident(self, emission: Emission, root: str) -> Told | None:
        """The change that an occurrence on a settled workload must follow, in a trace of its own; None: not so clear."""
        told = [one for one in self.changes.get(root, []) if one.change.at_ns <= emission.at_ns]
        if not told or told[-1].change.what == "delete":
            return None
        last = told[-1]
        life = self.lives[emission.about]
        if last.closed_ns is None or emission.at_ns <= last.closed_ns:
            return None
        if last.next_ns is not None and emission.at_ns > last.next_ns - (
            REACH_NS if last.before_deletion else 2 * SECOND
        ):
            return None
        if life.dying_ns is not None and life.dying_ns <= last.closed_ns:
            return None
        starting = life.ready_ns is None or emission.at_ns < life.ready_ns + 2 * SECOND
        return None if life.first.kind == "Pod" and starting and life.born_ns <= last.closed_ns else last


def version(life: Life, at_ns: int) -> Object:
    """The newest version at a time."""
    return next((obj for when, obj in reversed(life.versions) if when <= at_ns), life.first)


def well(obj: Object) -> bool:
    """Whether a root object has become as wished."""
    if obj.kind == "Pod":
        return is_ready(obj) or obj.phase in ("Succeeded", "Failed")
    if obj.kind == "Job":
        return any(c.type in ("Complete", "Failed") for c in obj.conditions)
    if obj.observed_generation < obj.generation:
        return False
    wanted = obj.replicas or 0
    if obj.kind == "DaemonSet":
        return obj.current == obj.updated == obj.available == wanted
    return obj.paused or obj.current == obj.updated == obj.available == wanted


def _busy(pod: Life, at_ns: int) -> bool:
    """Whether a Pod is starting or stopping."""
    if at_ns < pod.born_ns or (pod.gone_ns is not None and at_ns >= pod.gone_ns):
        return False
    obj = version(pod, at_ns)
    if obj.phase in ("Succeeded", "Failed") and obj.deletion_ns is None:
        return False
    return obj.deletion_ns is not None or not is_ready(obj)
