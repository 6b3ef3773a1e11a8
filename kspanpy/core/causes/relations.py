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
    within_ns: int = _MINUTE  # how far apart the evidence and the cause's own story may be


FOLLOWS = Relation("follows change")
CONTINUES = Relation("continues")
RESCALED = Relation("rescaled by", "rescaled", 2 * SECOND)
EVICTED = Relation("evicted by", "evicted")
HIT = Relation("hit by", "hit")
PREEMPTED = Relation("preempted by", "preempted")
WAITED = Relation("waited for", "held up", 60 * _MINUTE)
BLOCKED = Relation("blocked by", "blocked")
REJECTED = Relation("rejected by", "rejected")
APPLIED = Relation("applied by", "applied", 15 * _MINUTE)
CREATED = Relation("created by", "created")
NEEDED = Relation("needed by", "needed", 60 * _MINUTE)
REMOVED = Relation("removed by", "removed", 15 * _MINUTE)

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
        REJECTED,
        APPLIED,
        CREATED,
        NEEDED,
        REMOVED,
    )
}
