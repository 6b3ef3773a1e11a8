"""The judge: what the model knows of a history against the spans that kspanpy made of it.

`decided` is the change that an occurrence belongs to as `score.py` defines it: of a Pod's start the newest change when the Pod was
created, of its end the newest when its deletion began, else the newest before the occurrence. It may be `FREE` (the change had
settled more than five seconds before) or, where the shown time and the true one, within the tolerance of clocks, disagree,
`OPEN`: both answers are right, and the occurrence is only counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from kspanpy.core.model import SECOND, Event, Object, Span
from kspanpy.core.timing import occurrence
from tests.model.world import T0, Change, Emission, World, is_ready

FREE, OPEN = "free", "open"
SLACK_NS = SECOND // 4
SURE_NS = SECOND - SLACK_NS // 2  # the patience with watches for what neither a birth nor a death dates
FREE_AFTER_NS = 5 * SECOND
SETTLE_NS = 10 * SECOND
CAP_NS = 3300 * SECOND
REACH_NS = 32 * SECOND  # a Pod that died so long before its owner may have died of the same deletion
ROOTS_WITHOUT_CHANGES = ("Node",)


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
        """uids from an object to its root object."""
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
        """(root uid, number of the change, FREE or OPEN)."""
        chain = self.chain(emission.about)
        root = chain[-1]
        if self.lives[root].first.kind == "CronJob":
            life = self.lives[emission.about]
            doomed = life.dying_ns is not None and emission.at_ns >= life.dying_ns - SLACK_NS  # of the Job's story or the end's
            return root, (OPEN if len(chain) == 1 or doomed else chain[-2])
        occ = occurrence(event, emission.at_ns)
        answers = {
            self._at(root, emission, at_ns)
            for at_ns in (emission.at_ns, occ.at_ns, occ.latest_ns, occ.latest_ns + SLACK_NS)
        }
        if not self.changes.get(root):
            return root, OPEN
        return root, answers.pop() if len(answers) == 1 else OPEN

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
            return OPEN
        if moment_rv is None and self.late_ns > SURE_NS and moment_ns < past[-1].change.at_ns + self.late_ns + SECOND:
            return OPEN  # it is not waited longer than that for a watch that might contradict
        newest = past[-1]
        if moment_rv == life.dying_rv and self._may_be_the_end(newest, moment_ns):
            return OPEN
        if newest.settled_ns is not None and at_ns > newest.settled_ns + FREE_AFTER_NS:
            return FREE
        if at_ns > newest.change.at_ns + CAP_NS - 10 * SECOND:
            return FREE
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
        if last.next_ns is not None and emission.at_ns > last.next_ns - (REACH_NS if last.before_deletion else 2 * SECOND):
            return None
        if life.dying_ns is not None and life.dying_ns <= last.closed_ns:
            return None
        if life.first.kind == "Pod" and (life.ready_ns is None or emission.at_ns < life.ready_ns + 2 * SECOND):
            if life.born_ns <= last.closed_ns:
                return None
        return last


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


@dataclass
class Verdict:
    """What was found; `wrong` is empty where all is well."""

    occurrences: int = 0
    decided: int = 0
    free: int = 0
    open: int = 0
    incidents: int = 0
    wrong: list[str] = field(default_factory=list)


def judge(world: World, spans: list[Span], late_s: float) -> Verdict:
    """Everything that can be wrong with the spans of a history."""
    truth, verdict = Truth(world, late_s), Verdict()
    wrong = verdict.wrong
    by_id = {(span.trace_id, span.span_id): span for span in spans}
    wrong += [f"sent twice: {span.name}" for span, n in Counter(map(id, by_id.values())).items() if n > 1]
    if len(by_id) != len(spans):
        wrong.append("two spans with one id")
    if len({span.span_id for span in spans}) != len(spans):
        wrong.append("one span id in two traces")
    roots: dict[bytes, Span] = {}
    for span in spans:
        if not span.parent_id:
            if span.trace_id in roots:
                wrong.append(f"two roots: {span.name}")
            roots[span.trace_id] = span
    told: dict[tuple[str, int], Span] = {}
    for span in spans:
        _judge_place(truth, span, by_id, wrong)
        if "k8s.event.uid" in span.attributes:
            key = str(span.attributes["k8s.event.uid"]), int(span.attributes["k8s.event.count"])
            if key in told:
                wrong.append(f"two spans of one occurrence: {span.name}")
            told[key] = span
    _judge_chapters(truth, told, by_id, roots, verdict)
    return verdict


def _judge_place(truth: Truth, span: Span, by_id: dict[tuple[bytes, bytes], Span], wrong: list[str]) -> None:
    if not span.parent_id:
        return
    parent = by_id.get((span.trace_id, span.parent_id))
    if parent is None:
        wrong.append(f"orphan: {describe(span)}")
        return
    if not parent.start_ns <= span.start_ns <= span.end_ns <= parent.end_ns:
        wrong.append(f"outside its parent: {describe(span)}")
    if "k8s.event.uid" not in span.attributes:
        uid, above = str(span.attributes["k8s.object.uid"]), parent.attributes["k8s.object.uid"]
        if uid in truth.lives and above not in truth.chain(uid)[1:2]:
            wrong.append(f"not under its owner: {describe(span)}")


def _judge_chapters(
    truth: Truth,
    told: dict[tuple[str, int], Span],
    by_id: dict[tuple[bytes, bytes], Span],
    roots: dict[bytes, Span],
    verdict: Verdict,
) -> None:
    wrong, world = verdict.wrong, truth.world
    events = {(line.thing.uid, _n(line.thing)): line.thing for line in world.lines if isinstance(line.thing, Event)}
    labels: dict[tuple[str, int], tuple[str, object]] = {}
    for key, event in events.items():
        emission = world.emissions[key]
        span = told.get(key)
        verdict.occurrences += 1
        if span is None:
            wrong.append(f"not told: {event.reason} {event.message}")
            continue
        parent = by_id.get((span.trace_id, span.parent_id))
        if parent is None or parent.attributes["k8s.object.uid"] != emission.about:
            wrong.append(f"under another object: {describe(span)}")
        root, label = truth.decided(event, emission)
        tops = {root, *truth.chain(emission.about)[-2:]} if truth.lives[root].first.kind == "CronJob" else {root}
        top = roots.get(span.trace_id)
        if top is None or top.attributes["k8s.object.uid"] not in tops:
            wrong.append(f"another root: {describe(span)}")
            continue
        verdict.open += label == OPEN
        verdict.free += label == FREE
        if label not in (OPEN, FREE):
            labels[key] = root, label
        before = truth.incident(emission, root)
        if before is not None:
            verdict.incidents += 1
            relations = {(link.relation, link.trace_id) for link in top.links}
            phase = str(top.attributes.get("kspanpy.phase"))
            if phase not in ("incident", "activity"):
                wrong.append(f"an incident in the trace of a change: {when(emission.at_ns)} {describe(span)} in {top.name}")
            elif not {"follows change", "continues"} & {relation for relation, _ in relations}:
                wrong.append(f"an incident without a link: {when(emission.at_ns)} {describe(span)} in {top.name}")
    verdict.decided = len(labels)
    _compare(labels, {key: told[key].trace_id for key in labels}, told, roots, world, wrong)


def _compare(labels, traces, told, roots, world, wrong) -> None:
    """BCubed precision and recall are 1 just if traces and changes are the same partition."""
    majority: dict[tuple[str, object], Counter[bytes]] = defaultdict(Counter)
    for key, label in labels.items():
        majority[label][traces[key]] += 1
    of_trace: dict[bytes, Counter[tuple[str, object]]] = defaultdict(Counter)
    for key, label in labels.items():
        of_trace[traces[key]][label] += 1
    for key, label in labels.items():
        trace = traces[key]
        if majority[label].most_common(1)[0][0] != trace:
            where = f"{when(world.emissions[key].at_ns)} {describe(told[key])} of change {label[1]}"
            wrong.append(f"not with its change: {where} in {roots[trace].name} {roots[trace].attributes.get('k8s.object.generation')}")
        elif of_trace[trace].most_common(1)[0][0] != label:
            where = f"{when(world.emissions[key].at_ns)} {describe(told[key])} of change {label[1]}"
            wrong.append(f"with another change: {where} in {roots[trace].name}")


def _n(event: Event) -> int:
    return event.series_count or event.count or 1


def describe(span: Span) -> str:
    """A span in a few words."""
    message = span.attributes.get("k8s.event.message", "")
    return f"{span.name} {span.attributes.get('k8s.object.name')} {message}"[:150]


def when(at_ns: int) -> str:
    """Seconds since the beginning."""
    return f"+{(at_ns - T0) / SECOND:.2f}s"
