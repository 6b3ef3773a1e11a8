"""The relations between stories, as data: what the effect says of its cause, and what the cause says of its effect.

The effect's lifecycle span carries a link to the cause; the cause's span links forward where it has not been sent yet.
`docs/spans.md` lists them.
"""

from __future__ import annotations

import msgspec

from kspanpy.core.model import SECOND

_MINUTE = 60 * SECOND


class Relation(msgspec.Struct, frozen=True, gc=False):
    """One way in which something brings about something else. Empty `forward`: only the effect says so."""

    name: str
    forward: str = ""
    within_ns: int = _MINUTE  # how far apart the evidence and the story of the other end may be
    phases: frozenset[str] = frozenset()  # what the other end must be; empty: anything
    trouble: bool = False  # the other end must be in trouble: a healthy Node evicts nobody


def _phases(*phases: str) -> frozenset[str]:
    return frozenset(phases)


_STARTS = _phases("startup", "run")
_OUTAGE = _phases("outage")

FOLLOWS = Relation("follows change")
CONTINUES = Relation("continues")
RESCALED = Relation("rescaled by", "rescaled", 2 * SECOND)
EVICTED = Relation("evicted by", "evicted", phases=_OUTAGE, trouble=True)
HIT = Relation("hit by", "hit", phases=_OUTAGE, trouble=True)
PREEMPTED = Relation("preempted by", "preempted", phases=_STARTS)
WAITED = Relation("waited for", "held up", 60 * _MINUTE, phases=_STARTS | {"binding"})
BLOCKED = Relation("blocked by", "blocked")
APPLIED = Relation("applied by", "applied", 15 * _MINUTE)
APPLIED_BY_MARK = Relation("applied by", "applied")  # by what the applier wrote on the object: it reports at once
CREATED = Relation("created by", "created", phases=_phases("binding"))
NEEDED = Relation("needed by", "needed", 60 * _MINUTE, phases=_phases("join"))
REMOVED = Relation("removed by", "removed", 15 * _MINUTE, phases=_phases("deletion"))

TRACEPARENT = "traceparent"  # to a span that somebody else tells: there is no other end

RELATIONS: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        FOLLOWS,
        CONTINUES,
        RESCALED,
        EVICTED,
        HIT,
        PREEMPTED,
        WAITED,
        BLOCKED,
        APPLIED,
        CREATED,
        NEEDED,
        REMOVED,
    )
}
