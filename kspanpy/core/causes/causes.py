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
from kspanpy.core.changes.change import UNKNOWN
from kspanpy.core.model import SECOND, Event, Link, ObjectReference
from kspanpy.core.moment import Moment
from kspanpy.core.objects import identity
from kspanpy.core.objects.catalog import Catalog, Record
from kspanpy.core.rules.table import CompiledRule
from kspanpy.core.stories.shape import Lifecycle, Story
from kspanpy.core.timing import Occurrence

MAX_LINKS = 32  # of one span: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits allows 128
_AUTOSCALER = "horizontal-pod-autoscaler"

# Condition DisruptionTarget of a Pod -> its Node had it deleted. https://kubernetes.io/docs/concepts/workloads/pods/disruptions/
# Preemption names the preemptor in an Event; nobody writes down who called the eviction API.
_BY_NODE = frozenset({"DeletionByTaintManager", "TerminationByKubelet", "DeletionByPodGC"})

_CLUSTER_SCOPED = frozenset({"Node", "NodeClaim", "NodePool", "PersistentVolume", "ValidatingAdmissionPolicy"})

# Kinds whose controllers apply others -> the names under which those write (managedFields).
# fluxcd/kustomize-controller, fluxcd/helm-controller; argoproj/argo-cd common/common.go
_APPLIERS = {
    "Kustomization": frozenset({"kustomize-controller"}),
    "HelmRelease": frozenset({"helm-controller"}),
    "Application": frozenset({"argocd-controller", "argocd-application-controller"}),
}


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One end of a cause, found at `at_ns`; the other end is an object whose story has not opened."""

    known: Lifecycle
    relation: Relation
    at_ns: int
    known_is_cause: bool


class Causes:
    """What is known of causes between stories."""

    def __init__(self, moment: Moment, catalog: Catalog) -> None:
        self._moment = moment
        self._catalog = catalog
        self._waiting: OrderedDict[str, list[Evidence]] = OrderedDict()  # by uid or name of the object that caused it
        self._rescales: OrderedDict[str, tuple[Occurrence, Lifecycle]] = OrderedDict()  # by the name of what was scaled

    # -- what is told of

    def opened(self, lifecycle: Lifecycle) -> None:
        """A lifecycle has been opened: does it answer evidence, or bring some?"""
        record, story = lifecycle.record, lifecycle.story
        for key in (record.uid, name_key(record.kind, record.object.namespace, record.object.name)):
            self._answer(key, lifecycle)
        if record.kind == "Pod":
            self._look_at_pod(lifecycle)
        if lifecycle is story.root and story.chapter is not None:
            self._look_at_change(story)

    def said(self, lifecycle: Lifecycle, record: Record, event: Event, occ: Occurrence, rule: CompiledRule) -> None:
        """An Event has been placed: does it name a cause, or something that it has brought about?"""
        known = rule.rule
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
                if relation is relations.APPLIED:
                    self._applied(lifecycle, record, found, occ)
                else:
                    self._other(lifecycle, relation, found, named, occ, known_is_cause=bool(known.effect))

    def follow(self, effect: Story, cause: Story, relation: Relation) -> None:
        """One story comes of another, for certain."""
        self._relate(effect.root, cause.root, relation)

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
        if found is None or (found.object.phase != "Bound" and found.gone_ns is None):
            key = name_key("PersistentVolumeClaim", record.object.namespace, claim)
            self._seek(found, key, lifecycle, relations.WAITED)

    def _by_node(self, lifecycle: Lifecycle, relation: Relation, at_ns: int) -> None:
        node = lifecycle.record.object.node_name
        found = identity.alive_at(self._catalog.named("Node", "", node), at_ns)
        self._seek(found, name_key("Node", "", node), lifecycle, relation)
        if lifecycle.story.chapter is None and lifecycle is not lifecycle.story.root:
            self._seek(found, name_key("Node", "", node), lifecycle.story.root, relation)

    def _look_at_change(self, story: Story) -> None:
        chapter = story.chapter
        if chapter is None:
            return
        obj = chapter.origin.object
        if chapter.change.manager in (_AUTOSCALER, UNKNOWN) and chapter.phase == "scale":
            occ, autoscaler = self._rescales.get(name_key(obj.kind, obj.namespace, obj.name), (None, None))
            if occ is not None and autoscaler is not None and _at_once(occ, chapter.at_ns):
                self._relate(story.root, autoscaler, relations.RESCALED)

    def _rescaled(self, lifecycle: Lifecycle, record: Record, target: ObjectReference, occ: Occurrence) -> None:
        """An autoscaler has scaled what its scaleTargetRef names; whose number it was does not matter."""
        namespace = record.object.namespace
        key = name_key(target.kind, namespace, target.name)
        self._rescales[key] = occ, lifecycle
        self._rescales.move_to_end(key)
        if len(self._rescales) > self._moment.settings.max_evidence:
            self._rescales.popitem(last=False)
        found = identity.alive_at(self._catalog.named(target.kind, namespace, target.name), occ.at_ns)
        for chapter in reversed(found.chapters if found is not None else ()):
            scaled = chapter.phase == "scale" and chapter.change.manager in (_AUTOSCALER, UNKNOWN)
            if scaled and chapter.story is not None and _at_once(occ, chapter.at_ns):
                self._relate(chapter.story.root, lifecycle, relations.RESCALED)

    def _applied(self, lifecycle: Lifecycle, record: Record, found: Record | None, occ: Occurrence) -> None:
        """An apply log names what it changed; only a change that the same controller made is meant."""
        for chapter in reversed(found.chapters if found is not None else ()):
            near = -relations.APPLIED.within_ns <= chapter.at_ns - occ.latest_ns <= 2 * SECOND
            if near and chapter.story is not None and chapter.change.manager in appliers(record.kind):
                self._relate(chapter.story.root, lifecycle, relations.APPLIED)
                return

    # -- both ends

    def _found(self, reference: ObjectReference, occ: Occurrence) -> Record | None:
        if reference.uid:
            return self._catalog.get(reference.uid)
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
        self._seek(record, key, known, relation, known_is_cause=known_is_cause)

    def _seek(
        self, record: Record | None, key: str, known: Lifecycle, relation: Relation, *, known_is_cause: bool = False
    ) -> None:
        """Links `known` with what is being told of the object at the other end, now or when that opens."""
        now_ns = self._moment.now_ns
        other = None if record is None else _told_of(record, now_ns, relation)
        if other is not None:
            self._relate(*((other, known) if known_is_cause else (known, other)), relation)
            return
        waiting = self._waiting.setdefault(key if record is None else record.uid, [])
        waiting.append(Evidence(known, relation, now_ns, known_is_cause))
        del waiting[:-MAX_LINKS]
        if len(self._waiting) > self._moment.settings.max_evidence:
            self._waiting.popitem(last=False)

    def _answer(self, key: str, other: Lifecycle) -> None:
        for evidence in self._waiting.pop(key, ()) if self._waiting else ():
            if self._moment.now_ns - evidence.at_ns <= evidence.relation.within_ns:
                ends = (other, evidence.known) if evidence.known_is_cause else (evidence.known, other)
                self._relate(*ends, evidence.relation)

    @staticmethod
    def _relate(effect: Lifecycle, cause: Lifecycle, relation: Relation) -> None:
        if effect.story is cause.story:
            return
        _link(effect, cause, relation.name)
        if relation.forward:
            _link(cause, effect, relation.forward)


def name_key(kind: str, namespace: str, name: str) -> str:
    """Under which an object is waited for while its uid is not known."""
    return f"{kind}/{namespace}/{name}"


def appliers(kind: str) -> frozenset[str]:
    """The field managers under which the controller of this kind writes; none for kinds that apply nothing."""
    return _APPLIERS.get(kind, frozenset())


def _link(from_: Lifecycle, to: Lifecycle, relation: str) -> None:
    link = Link(to.story.trace_id, to.span_id, relation)
    if not from_.sent and link not in from_.links and len(from_.links) < MAX_LINKS:
        from_.links.append(link)


def _told_of(record: Record, now_ns: int, relation: Relation) -> Lifecycle | None:
    """What is being told of an object, or has been told lately."""
    for lifecycle in _lifecycles(record):
        story = lifecycle.story
        recent = not story.closed or lifecycle.end_ns + relation.within_ns >= now_ns
        if recent and not story.forgotten:
            return lifecycle
    return None


def _lifecycles(record: Record) -> Iterator[Lifecycle]:
    yield from (record.phases[phase] for phase in ("startup", "run") if phase in record.phases)
    if record.episode is not None:
        yield record.episode.root
    for chapter in reversed(record.chapters):
        if chapter.story is not None:
            yield chapter.story.lifecycles.get((record.uid, ""), chapter.story.root)


def _at_once(occ: Occurrence, at_ns: int) -> bool:
    within_ns = relations.RESCALED.within_ns
    return occ.at_ns - within_ns <= at_ns <= occ.latest_ns + within_ns
