"""The judge: what the model knows of a history (`truth`) against the spans that were made of it.

Whole trees; every occurrence once, under its own object, in a trace about the right root object; of two occurrences one trace just if
they are of one change (then BCubed precision and recall are 1); what happens to a settled workload in a trace of its own that links
to the change before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from kspanpy.core.model import SECOND, Event, Span
from tests.model.known import KNOWN
from tests.model.truth import Free, Told, Truth
from tests.model.world import T0, World

Key = tuple[str, int]  # of an occurrence: uid of the Event, n
Label = tuple[str, object]  # uid of a root object, number of its change


@dataclass
class Verdict:
    """What was found; `wrong` is empty where all is well."""

    occurrences: int = 0
    decided: int = 0
    free: int = 0
    open: int = 0
    incidents: int = 0
    places: dict[Key, tuple[bytes, bytes]] = field(default_factory=dict)  # trace and parent of each occurrence
    decided_keys: set[Key] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def judge(world: World, spans: list[Span], late_s: float) -> Verdict:
    """Everything that can be wrong with the spans of a history, received that late."""
    court = _Court(world, spans, late_s)
    court.trees()
    court.occurrences()
    court.chapters()
    return court.verdict


class _Court:
    def __init__(self, world: World, spans: list[Span], late_s: float) -> None:
        self.world = world
        self.truth = Truth(world, late_s)
        self.verdict = Verdict()
        self.spans = spans
        self.by_id = {(span.trace_id, span.span_id): span for span in spans}
        self.roots = {span.trace_id: span for span in spans if not span.parent_id}
        self.told: dict[Key, Span] = {}
        self.labels: dict[Key, Label] = {}
        self.free: dict[Key, Label] = {}
        self.after: dict[Key, tuple[str, Told]] = {}  # incidents: what they follow

    def wrong(self, what: str, span: Span | None = None, key: Key | None = None) -> None:
        """Something is."""
        at = f" {when(self.world.emissions[key].at_ns)}" if key is not None else ""
        where = ""
        if span is not None:
            root = self.roots.get(span.trace_id)
            in_ = "" if root is None else f" in {root.name} {root.attributes.get('k8s.object.generation')}"
            where = f": {describe(span)}{in_}"
        self.verdict.wrong.append(f"{what}{at}{where}")

    def trees(self) -> None:
        """One root a trace, every parent there and around its children, owners above what they own."""
        if len(self.by_id) != len(self.spans):
            self.wrong("two spans with one id")
        if len({span.span_id for span in self.spans}) != len(self.spans):
            self.wrong("one span id in two traces")
        for span in self.spans:
            if not span.parent_id:
                if self.roots[span.trace_id] is not span:
                    self.wrong("two roots", span)
                continue
            parent = self.by_id.get((span.trace_id, span.parent_id))
            if parent is None:
                self.wrong("orphan", span)
                continue
            if not parent.start_ns <= span.start_ns <= span.end_ns <= parent.end_ns:
                self.wrong("outside its parent", span)
            uid = str(span.attributes["k8s.object.uid"])
            lifecycle = "k8s.event.uid" not in span.attributes and uid in self.truth.lives
            if lifecycle and parent.attributes["k8s.object.uid"] not in self.truth.chain(uid)[1:2]:
                self.wrong("not under its owner", span)

    def occurrences(self) -> None:
        """Each once, under the object it is about, in a trace about its root object."""
        for span in self.spans:
            if "k8s.event.uid" in span.attributes:
                key = str(span.attributes["k8s.event.uid"]), int(span.attributes["k8s.event.count"])
                if key in self.told:
                    self.wrong("told twice", span)
                self.told[key] = span
        self.verdict.places = {key: (span.trace_id, span.parent_id) for key, span in self.told.items()}
        for line in self.world.lines:
            if isinstance(line.thing, Event):
                self._occurrence(line.thing)

    def _occurrence(self, event: Event) -> None:
        truth, verdict = self.truth, self.verdict
        key = event.uid, event.series_count or event.count or 1
        emission, span = self.world.emissions[key], self.told.get(key)
        verdict.occurrences += 1
        if span is None:
            self.wrong(f"not told: {event.reason} {event.message}")
            return
        parent = self.by_id.get((span.trace_id, span.parent_id))
        if parent is None or parent.attributes["k8s.object.uid"] != emission.about:
            self.wrong("under another object", span, key)
        root, label = truth.decided(event, emission)
        tops = {root, *truth.chain(emission.about)[-2:]} if truth.lives[root].first.kind == "CronJob" else {root}
        top = self.roots.get(span.trace_id)
        if top is None or top.attributes["k8s.object.uid"] not in tops:
            self.wrong("another root", span, key)
        elif label is None:
            verdict.open += 1
        elif isinstance(label, Free):
            verdict.free += 1
            self.free[key] = root, label.number
        else:
            verdict.decided += 1
            self.labels[key] = root, label
        before = truth.incident(emission, root)
        if before is not None:
            verdict.incidents += 1
            self.after[key] = root, before

    def chapters(self) -> None:
        """Traces and changes are the same partition of what is decided; the rest is with its change or on its own."""
        by_label: dict[Label, Counter[bytes]] = defaultdict(Counter)
        by_trace: dict[bytes, Counter[Label]] = defaultdict(Counter)
        for key, label in self.labels.items():
            trace = self.told[key].trace_id
            by_label[label][trace] += 1
            by_trace[trace][label] += 1
        trace_of = {label: traces.most_common(1)[0][0] for label, traces in by_label.items()}
        label_of = {trace: labels.most_common(1)[0][0] for trace, labels in by_trace.items()}
        self.verdict.decided_keys = set(self.labels)
        for key, label in self.labels.items():
            span = self.told[key]
            if trace_of[label] != span.trace_id:
                self.wrong(f"not with its change {label[1]}", span, key)
            elif label_of[span.trace_id] != label:
                self.wrong(f"of change {label[1]}, with another change", span, key)
        for key, label in self.free.items():
            span = self.told[key]
            if label_of.get(span.trace_id, label) != label:
                self.wrong(f"after change {label[1]}, with another change", span, key)
        for key, (root, change) in self.after.items():
            self._incident(key, trace_of.get((root, change.number)))

    def _incident(self, key: Key, cause: bytes | None) -> None:
        span = self.told.get(key)
        top = None if span is None else self.roots.get(span.trace_id)
        if top is None:
            return
        follows = {link.trace_id for link in top.links if link.relation == "follows change"}
        if top.attributes.get("kspanpy.phase") not in ("incident", "activity"):
            self.wrong("an incident in the trace of a change", span, key)
        elif not follows or (cause not in {None, *follows} and "superseded-episode" not in KNOWN):
            self.wrong("an incident without a link to the change before", span, key)


def describe(span: Span) -> str:
    """A span in a few words."""
    message = span.attributes.get("k8s.event.message", "")
    return f"{span.name} {span.attributes.get('k8s.object.name')} {message}"[:150]


def when(at_ns: int) -> str:
    """Seconds since the beginning."""
    return f"+{(at_ns - T0) / SECOND:.2f}s"
