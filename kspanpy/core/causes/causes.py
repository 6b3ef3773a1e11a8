"""Finds the causes that ownership does not name, and links both ends.

Evidence is always something the cluster wrote down: a name in an Event of the right emitter, a reference in a spec, a condition, a
label whose manager made the change. It often comes before the story of the cause, so it waits (bounded) until that opens.
That something merely happened near is no evidence.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from kspanpy.core.causes import relations
from kspanpy.core.causes.relations import RELATIONS, Relation
from kspanpy.core.changes import provenance
from kspanpy.core.changes.change import UNKNOWN
from kspanpy.core.model import SECOND, Event, Link, Object, ObjectReference
from kspanpy.core.moment import Moment
from kspanpy.core.objects import health, identity
from kspanpy.core.objects.catalog import Catalog, Record
from kspanpy.core.rules.table import CompiledRule
from kspanpy.core.settings import Limit
from kspanpy.core.stories.shape import Chapter, Lifecycle, Story
from kspanpy.core.timing import Occurrence

AFTER_LOG_NS = 2 * SECOND  # an apply log is written after what it tells of, but clocks differ
MAX_LINKS = 32  # of one span: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits allows 128
_ANYWHERE = "*"  # no namespace is called so
_AUTOSCALER = "horizontal-pod-autoscaler"

# Condition DisruptionTarget of a Pod -> its Node had it deleted. https://kubernetes.io/docs/concepts/workloads/pods/disruptions/
# Preemption names the preemptor in an Event; nobody writes down who called the eviction API.
_BY_NODE = frozenset({"DeletionByTaintManager", "TerminationByKubelet", "DeletionByPodGC"})

_CLUSTER_SCOPED = frozenset({"Node", "NodeClaim", "NodePool", "PersistentVolume"})

# Kinds whose controllers apply others -> the names under which those write (managedFields).
# fluxcd/kustomize-controller, fluxcd/helm-controller; argoproj/argo-cd common/common.go
_APPLIERS = {
    "Kustomization": frozenset({"kustomize-controller"}),
    "HelmRelease": frozenset({"helm-controller"}),
    "Application": frozenset({"argocd-controller", "argocd-application-controller"}),
}


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One end of a cause, found at `at_ns`; the other end is an object whose story may not have opened."""

    known: Lifecycle
    relation: Relation
    at_ns: int
    known_is_cause: bool = False
    said_ns: int = 0  # when the Event happened that says so

    def ends(self, other: Lifecycle) -> tuple[Lifecycle, Lifecycle, Relation]:
        """Effect, cause, and how they hang together."""
        return (other, self.known, self.relation) if self.known_is_cause else (self.known, other, self.relation)

    def is_about(self, other: Lifecycle) -> bool:
        """True if this is the part of the other object's life that is meant."""
        relation, story = self.relation, other.story
        if relation.phases and other.shown_phase not in relation.phases:
            return False
        if relation.trouble and not story.serious and health.settled(other.record.object):
            return False
        if relation == relations.NEEDED:  # what was there before is only used
            return other.record.born_ns >= self.known.record.born_ns
        if relation == relations.APPLIED:
            return self._applied(story)
        return True

    def _applied(self, story: Story) -> bool:
        """An apply log names what it changed; only a change that the same controller made is meant."""
        chapter = story.chapter
        if chapter is None or chapter.is_deletion or not appliers(self.known.record.kind) & _authors(chapter):
            return False
        return -relations.APPLIED.within_ns <= chapter.at_ns - self.said_ns <= AFTER_LOG_NS


class Rescale:
    """An autoscaler has scaled something: one change follows from it."""

    __slots__ = ("chapter", "lifecycle", "occ")

    def __init__(self, occ: Occurrence, lifecycle: Lifecycle) -> None:
        self.occ = occ
        self.lifecycle = lifecycle
        self.chapter: Chapter | None = None

    def made(self, chapter: Chapter) -> bool:
        """True if it may have made this change: at once, and nobody else is known to have."""
        if chapter.phase != "scale" or chapter.change.manager not in (_AUTOSCALER, UNKNOWN):
            return False
        within_ns = relations.RESCALED.within_ns
        return self.occ.at_ns - within_ns <= chapter.at_ns <= self.occ.latest_ns + within_ns


class Causes:
    """What is known of causes between stories."""

    def __init__(self, moment: Moment, catalog: Catalog) -> None:
        self._moment = moment
        self._catalog = catalog
        # The first two hold at most max_evidence.
        self._waiting: OrderedDict[str, list[Evidence]] = OrderedDict()  # by uid or name of the object that caused it
        self._rescales: OrderedDict[str, Rescale] = OrderedDict()  # by the name of what was scaled
        self._applying: OrderedDict[str, Lifecycle] = OrderedDict()  # what is told of GitOps objects, by uid and name

    # -- what is told of

    def opened(self, lifecycle: Lifecycle) -> None:
        """A lifecycle has been opened: does it answer evidence, or bring some?"""
        record, story = lifecycle.record, lifecycle.story
        self._answer(lifecycle)
        if record.kind == "Pod":
            self._look_at_pod(lifecycle)
        if lifecycle is story.root and story.chapter is not None:
            self._look_at_change(story)

    def said(self, lifecycle: Lifecycle, record: Record, event: Event, occ: Occurrence, rule: CompiledRule) -> None:
        """An Event has been placed: does it name a cause, or something that it has brought about?"""
        known = rule.rule
        if known.severity == "serious" and lifecycle is lifecycle.story.root:
            self._answer(lifecycle)  # now it is known to be trouble
        if known.related and event.related is not None and event.related.uid:
            self._other(lifecycle, RELATIONS[known.related], self._found(event.related, occ), event.related, occ)
        name = known.cause or known.effect
        if not name:
            return
        relation = RELATIONS[name]
        if known.via == "node":
            self._by_node(lifecycle, relation, occ.at_ns)
        elif known.via == "target":
            if record.object.target is not None:
                self._rescaled(lifecycle, record, record.object.target, occ)
        else:
            for mention in rule.mentions(event.message):
                namespace = mention.namespace or ("" if mention.kind in _CLUSTER_SCOPED else event.involved.namespace)
                named = ObjectReference(mention.kind, namespace, mention.name, mention.uid)
                found = self._found(named, occ)
                self._other(lifecycle, relation, found, named, occ, known_is_cause=bool(known.effect))

    def follow(self, effect: Story, cause: Story, relation: Relation) -> None:
        """One story comes of another, for certain."""
        _relate(effect.root, cause.root, relation)

    # -- evidence

    def _look_at_pod(self, lifecycle: Lifecycle) -> None:
        pod = lifecycle.record.object
        phase = lifecycle.shown_phase
        if phase in ("startup", "run"):
            for claim in pod.claims:
                self._waits_for(lifecycle, claim)
        elif phase == "termination" and pod.node_name:
            disruption = pod.condition("DisruptionTarget")
            if disruption is not None and disruption.status == "True" and disruption.reason in _BY_NODE:
                self._by_node(lifecycle, relations.EVICTED, self._moment.now_ns)

    def _waits_for(self, lifecycle: Lifecycle, claim: str) -> None:
        """A Pod can not start before its claims are bound; one that was bound before the Pod was there cost nothing."""
        record = lifecycle.record
        found = identity.alive_at(
            self._catalog.named("PersistentVolumeClaim", record.object.namespace, claim), record.born_ns
        )
        if found is None or not _bound_by(found, record.born_ns):
            key = name_key("PersistentVolumeClaim", record.object.namespace, claim)
            self._seek(found, key, Evidence(lifecycle, relations.WAITED, self._moment.now_ns))

    def _by_node(self, lifecycle: Lifecycle, relation: Relation, at_ns: int) -> None:
        node = lifecycle.record.object.node_name
        if not node:
            return
        found = identity.alive_at(self._catalog.named("Node", "", node), at_ns)
        ends = [lifecycle]
        if lifecycle.story.chapter is None and lifecycle is not lifecycle.story.root:
            ends.append(lifecycle.story.root)
        for end in ends:
            self._seek(found, name_key("Node", "", node), Evidence(end, relation, self._moment.now_ns))

    def _look_at_change(self, story: Story) -> None:
        if story.chapter is not None:
            obj = story.chapter.origin.object
            rescale = self._rescales.get(name_key(obj.kind, obj.namespace, obj.name))
            if rescale is not None and rescale.chapter is None and rescale.made(story.chapter):
                self._rescaled_by(rescale, story.chapter)
            if not story.chapter.is_deletion:
                self._look_for_applier(story, story.chapter)

    def _look_for_applier(self, story: Story, chapter: Chapter) -> None:
        """The marks of a GitOps object stay when somebody edits by hand: they count if its controller made this change."""
        for kind, key in _marks(chapter.origin.object):
            if not appliers(kind) & _authors(chapter):
                continue
            applier = self._applying.get(key)
            if applier is not None and not applier.story.closed:
                _relate(story.root, applier, relations.APPLIED_BY_MARK)
            else:
                evidence = Evidence(story.root, relations.APPLIED_BY_MARK, self._moment.now_ns)
                self._seek(None, key, evidence)

    def _rescaled(self, lifecycle: Lifecycle, record: Record, target: ObjectReference, occ: Occurrence) -> None:
        """An autoscaler has scaled what its scaleTargetRef names; whose number it was does not matter."""
        namespace = record.object.namespace
        key = name_key(target.kind, namespace, target.name)
        rescale = self._rescales[key] = Rescale(occ, lifecycle)
        self._rescales.move_to_end(key)
        if len(self._rescales) > self._moment.settings.max_evidence:
            self._rescales.popitem(last=False)
            self._moment.reached[Limit.EVIDENCE] += 1
        found = identity.alive_at(self._catalog.named(target.kind, namespace, target.name), occ.at_ns)
        made = [c for c in (found.chapters if found is not None else ()) if c.story is not None and rescale.made(c)]
        if made:  # rather the one that says so itself
            self._rescaled_by(rescale, next((c for c in made if c.change.manager == _AUTOSCALER), made[-1]))

    def _rescaled_by(self, rescale: Rescale, chapter: Chapter) -> None:
        rescale.chapter = chapter
        if chapter.story is not None:
            _relate(chapter.story.root, rescale.lifecycle, relations.RESCALED)

    # -- both ends

    def _found(self, reference: ObjectReference, occ: Occurrence) -> Record | None:
        if reference.uid:
            record = self._catalog.seen(reference.uid) or self._catalog.get(reference.uid, reference.namespace)
            return record if record is not None and reference.kind in ("", record.kind) else None
        named = self._catalog.named(reference.kind, reference.namespace, reference.name)
        return identity.alive_at(named, occ.at_ns)

    def _other(
        self,
        known: Lifecycle,
        relation: Relation,
        record: Record | None,
        reference: ObjectReference,
        occ: Occurrence,
        *,
        known_is_cause: bool = False,
    ) -> None:
        if record is None and (occ.n > 1 or not reference.kind):
            return  # what a repeated Event names may be long gone
        key = reference.uid or name_key(reference.kind, reference.namespace, reference.name)
        evidence = Evidence(known, relation, self._moment.now_ns, known_is_cause, occ.latest_ns)
        self._seek(record, key, evidence)

    def _seek(self, record: Record | None, key: str, evidence: Evidence) -> None:
        """Links what is known with what is being told of the object at the other end, now or when that opens."""
        other = None if record is None else _told_of(record, evidence)
        if other is not None:
            _relate(*evidence.ends(other))
            return
        waiting = self._waiting.setdefault(key if record is None else record.uid, [])
        waiting.append(evidence)
        del waiting[:-MAX_LINKS]
        if len(self._waiting) > self._moment.settings.max_evidence:
            self._waiting.popitem(last=False)
            self._moment.reached[Limit.EVIDENCE] += 1

    def _note_applier(self, lifecycle: Lifecycle, keys: list[str]) -> None:
        for key in keys:
            self._applying[key] = lifecycle
            self._applying.move_to_end(key)
        while len(self._applying) > self._moment.settings.max_evidence:
            self._applying.popitem(last=False)
            self._moment.reached[Limit.EVIDENCE] += 1

    def _answer(self, other: Lifecycle) -> None:
        obj = other.record.object
        keys = [other.record.uid, name_key(obj.kind, obj.namespace, obj.name)]
        if obj.kind in _APPLIERS:
            keys.append(name_key(obj.kind, _ANYWHERE, obj.name))
            self._note_applier(other, keys)
        if not self._waiting:
            return
        for key in keys:
            kept = []
            for evidence in self._waiting.pop(key, ()):
                if self._moment.now_ns - evidence.at_ns > evidence.relation.within_ns:
                    continue
                if evidence.is_about(other):
                    _relate(*evidence.ends(other))
                else:
                    kept.append(evidence)
            if kept:
                self._waiting[key] = kept


def name_key(kind: str, namespace: str, name: str) -> str:
    """Under which an object is waited for while its uid is not known."""
    return f"{kind}/{namespace}/{name}"


def appliers(kind: str) -> frozenset[str]:
    """The field managers under which the controller of this kind writes; none for kinds that apply nothing."""
    return _APPLIERS.get(kind, frozenset())


def _marks(obj: Object) -> Iterator[tuple[str, str]]:
    """The GitOps objects that an object says it comes from: kind, and the key under which they are known."""
    found = provenance.of(obj)
    if found.kustomization:
        yield "Kustomization", name_key("Kustomization", found.kustomization_namespace, found.kustomization)
    if found.helmrelease:
        yield "HelmRelease", name_key("HelmRelease", found.helmrelease_namespace, found.helmrelease)
    # "namespace_name" outside of Argo CD's own namespace (argo-cd util/argo/argo.go), else only the name.
    if found.application:
        namespace, _, name = found.application.rpartition("_")
        yield "Application", name_key("Application", namespace or _ANYWHERE, name)


def _authors(chapter: Chapter) -> frozenset[str]:
    return frozenset(chapter.change.manager.split(", "))


def _bound_by(claim: Record, at_ns: int) -> bool:
    """True if a claim was bound by then."""
    if claim.object.phase != "Bound":
        return False
    bound_ns = claim.chapters[0].settled_ns if claim.chapters else None
    return bound_ns is None or bound_ns <= at_ns


def _relate(effect: Lifecycle, cause: Lifecycle, relation: Relation) -> None:
    if effect.story is cause.story:
        return
    _link(effect, cause, relation.name)
    if relation.forward:
        _link(cause, effect, relation.forward)


def _link(from_: Lifecycle, to: Lifecycle, relation: str) -> None:
    link = Link(to.story.trace_id, to.span_id, relation)
    if not from_.sent and link not in from_.links and len(from_.links) < MAX_LINKS:
        from_.links.append(link)


def _told_of(record: Record, evidence: Evidence) -> Lifecycle | None:
    """What is being told of an object, or has been told lately, if the evidence is about that."""
    for lifecycle in _lifecycles(record):
        story = lifecycle.story
        recent = not story.closed or lifecycle.end_ns + evidence.relation.within_ns >= evidence.at_ns
        if recent and not story.forgotten and evidence.is_about(lifecycle):
            return lifecycle
    return None


def _lifecycles(record: Record) -> Iterator[Lifecycle]:
    yield from (record.phases[phase] for phase in ("startup", "run", "termination") if phase in record.phases)
    if record.episode is not None:
        yield record.episode.root
    for chapter in reversed(record.chapters):
        if chapter.story is not None:
            yield chapter.story.lifecycles.get((record.uid, ""), chapter.story.root)
