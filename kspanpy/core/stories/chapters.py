"""Where does it belong? Which chapter, and which phase of its object: decided from records alone, changing nothing.

Ownership makes the tree; time only decides which chapter, and store order (resourceVersions of one etcd) where both sides
were seen changing:

- a Pod's startup belongs to the chapter in which the Pod was created, its termination to the one in which its deletion began;
- a controller's Event belongs where the object that it names was born or died, else to the version of the object that the
  controller held when it wrote (involvedObject.resourceVersion), else to its time;
- what happens after a chapter's end belongs to an episode (None).
"""

from __future__ import annotations

from collections.abc import Sequence

from kspanpy.core.model import MILLISECOND, SECOND, Event
from kspanpy.core.objects.catalog import Line, Record
from kspanpy.core.stories.shape import Chapter
from kspanpy.core.timing import Occurrence

TOLERANCE_NS = 200 * MILLISECOND  # clocks of one cluster
DELETION_REACH_NS = 30 * SECOND  # the deletion of a large namespace kills Pods that long before their owners


def deciders(chain: Sequence[Record]) -> list[Record]:
    """The objects of a chain whose changes open chapters, from the object up."""
    found = []
    for position, record in enumerate(chain):
        rule = record.rule
        if not (rule.created or rule.changed or rule.deleted):
            continue
        owner = chain[position + 1] if position + 1 < len(chain) else None
        if rule.follows and owner is not None and owner.real and (owner.rule.created or owner.rule.changed):
            continue
        found.append(record)
        if rule.apart:
            break
    return found


def deciders_of(record: Record, line: Line) -> list[Record]:
    """The same of an object whose line of owners is known: most objects of a cluster share one with others."""
    if line.decisive is None:
        line.decisive = deciders(line.records)
    rule, owner = record.rule, line.records[0].rule
    if rule.follows and (owner.created or owner.changed):  # those in a line are real
        return line.decisive
    if not (rule.created or rule.changed or rule.deleted):
        return line.decisive
    return [record] if rule.apart else [record, *line.decisive]


def newest(decisive: Sequence[Record], *, rv: int | None, at_ns: int) -> Chapter | None:
    """The newest chapter that had begun by then: by store order where that is known, else by time."""
    best: Chapter | None = None
    for record in decisive:
        for chapter in reversed(record.chapters):
            begun = chapter.rv <= rv if chapter.rv is not None and rv is not None else chapter.at_ns <= at_ns
            if begun:
                top = chapter.inside or chapter
                if best is None or _order(top) > _order(best):
                    best = top
                break
    return best


def of_birth(decisive: Sequence[Record], record: Record) -> Chapter | None:
    """The chapter in which an object was created; None: no change was open."""
    chapter = newest(decisive, rv=record.born_rv, at_ns=record.born_ns)
    if chapter is None:  # its owner was seen too late for an order: the first chapter made it
        chapter = next((c for r in decisive for c in r.chapters[:1] if c.at_ns <= record.born_ns + SECOND), None)
    return chapter if chapter is not None and chapter.covers(record.born_ns) else None


def of_death(decisive: Sequence[Record], chain: Sequence[Record], record: Record) -> Chapter | None:
    """The chapter in which an object's deletion began; None: no change was open."""
    at_ns = record.born_ns if record.dying_ns is None else record.dying_ns
    chapter = newest(decisive, rv=record.dying_rv, at_ns=at_ns)
    at_rest = chapter is None or (chapter.settled_ns is not None and at_ns > chapter.settled_ns)
    if at_rest:  # nothing was going on: was an owner being deleted with it?
        for owner in reversed(chain):
            last = owner.chapters[-1] if owner.chapters else None
            if last is not None and last.phase == owner.rule.deleted and last.at_ns <= at_ns + DELETION_REACH_NS:
                return last
    return chapter if chapter is not None and chapter.covers(at_ns) else None


def at_moment(decisive: Sequence[Record], event: Event, occ: Occurrence) -> Chapter | None:
    """The chapter in which something happened that neither a birth nor a death dates."""
    by_time = newest(decisive, rv=None, at_ns=occ.latest_ns + TOLERANCE_NS)
    written = event.resource_version
    if by_time is not None and by_time.rv is not None and written is not None and by_time.rv > written:
        by_time = newest(decisive, rv=written, at_ns=occ.at_ns)  # the Event had been written before that change
    chapter = by_time
    held = event.involved.resource_version
    if held is not None:  # that of the first step: the others came later
        by_version = newest(decisive, rv=held, at_ns=0)
        if by_version is not None and (chapter is None or _order(by_version) > _order(chapter)):
            chapter = by_version
    return chapter if chapter is not None and chapter.covers(occ.at_ns) else None


def _order(chapter: Chapter) -> tuple[int, int]:
    return chapter.at_ns, chapter.rv or 0
