"""Which phase of an object's life an occurrence belongs to, and what befell the object that a message names."""

from __future__ import annotations

from collections.abc import Sequence

from kspanpy.core.model import SECOND
from kspanpy.core.objects.catalog import Record
from kspanpy.core.rules.table import CompiledRule
from kspanpy.core.stories.chapters import TOLERANCE_NS, deciders, newest
from kspanpy.core.timing import Occurrence

AFTER_READY_NS = SECOND  # a step that was under way when the Pod became ready
_SPOKEN_OF_NS = 3 * SECOND
_ENDED = ("Failed",)


def pod_phase(
    chain: Sequence[Record], occ: Occurrence, rule: CompiledRule, *, settle_ns: int, written_rv: int | None = None
) -> str:
    """Which phase of a Pod's life an occurrence belongs to: startup, run (of a Job), termination, incident.

    `written_rv`: the resourceVersion of the Event; where its time is too close to tell, store order does.
    """
    pod = chain[0]
    if rule.rule.phase == "termination" and not (pod.dying_ns is not None and _long_before(occ, pod.dying_ns)):
        return "termination"
    if pod.dying_ns is not None and pod.object.phase not in _ENDED and _after(occ, pod, written_rv):
        return "termination"
    if len(chain) > 1 and chain[1].object.kind == "Job":
        return "run"
    if pod.ready_ns is None or occ.at_ns <= pod.ready_ns + AFTER_READY_NS:
        return "startup"
    if occ.at_ns <= pod.ready_ns + settle_ns:
        decisive = deciders(chain)
        now = newest(decisive, rv=None, at_ns=occ.latest_ns + TOLERANCE_NS)
        if now is None or now is newest(decisive, rv=pod.born_rv, at_ns=pod.born_ns):
            return "startup"
    return "incident"


def befallen(candidates: Sequence[Record], occ: Occurrence, *, fate: str) -> Record | None:
    """Of the objects of one name and owner, oldest first, the one that this Event says was created or deleted."""
    if fate == "died":
        doomed = [r for r in candidates if r.dying_ns is not None]
        doomed = [r for r in doomed if not _long_before(occ, r.dying_ns or 0)]
        return _nearest([(r, r.dying_ns or 0) for r in doomed], occ, alone=len(candidates) == 1)
    return _nearest([(r, r.born_ns) for r in candidates], occ, alone=len(candidates) == 1)


def _after(occ: Occurrence, pod: Record, written_rv: int | None) -> bool:
    """True for what happened when the Pod's deletion had begun."""
    dying_ns = pod.dying_ns or 0
    if abs(occ.at_ns - dying_ns) <= TOLERANCE_NS and written_rv is not None and pod.dying_rv is not None:
        return written_rv > pod.dying_rv
    return occ.at_ns > dying_ns - TOLERANCE_NS


def _long_before(occ: Occurrence, at_ns: int) -> bool:
    """True if what an Event speaks of came so much later that it spoke of nothing: an eviction called off, a forgery."""
    return occ.latest_ns + _SPOKEN_OF_NS < at_ns


def _nearest(found: list[tuple[Record, int]], occ: Occurrence, *, alone: bool) -> Record | None:
    if occ.n == 1 and alone and found:
        return found[0][0]
    near = [r for r, at in found if occ.at_ns - 2 * SECOND <= at <= occ.latest_ns + 2 * SECOND]
    return near[-1] if near else None
