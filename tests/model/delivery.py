"""In which order the lines of the watches are received: each watch keeps its own order, watches overtake each other.

A `Lateness` says how late each watch is. Replaying one history with several of them must make the same spans.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

from kspanpy.core.linker import Linker
from kspanpy.core.model import SECOND, Event, Object, Span
from kspanpy.core.rules.kinds import KINDS
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import (
    EventSeen,
    Input,
    LookupOwner,
    ObjectGone,
    ObjectSeen,
    OwnerMissing,
    SpanEnded,
    WatchProgress,
)
from tests.core.sharded import Shards
from tests.model.world import T0, UNWATCHED, Line, World

BOOKMARK_S = 60
LOOKUP_S = 0.05


@dataclass(frozen=True)
class Lateness:
    """Seconds by which the lines of each kind are late (others: `others`), plus up to `jitter` for each line."""

    seed: int = 0
    others: float = 0.0
    kinds: dict[str, float] = field(default_factory=dict)
    jitter: float = 0.0
    relists: tuple[tuple[str, float], ...] = ()  # (kind, seconds after the beginning): its watch is started again
    bookmarks: bool = True

    @property
    def most(self) -> float:
        """The latest that anything is."""
        return max([self.others, *self.kinds.values()]) + self.jitter


PROMPT = Lateness()


def received(world: World, lateness: Lateness) -> list[tuple[int, Input]]:
    """The facts in the order of their receipt."""
    chance = random.Random(lateness.seed)
    last: dict[str, int] = {}
    found: list[tuple[int, float, int, Input]] = []

    def put(at_ns: int, kind: str, fact: Input, rank: float) -> None:
        last[kind] = max(at_ns, last.get(kind, 0))
        found.append((last[kind], rank, len(found), fact))

    lines = [line for line in world.lines if line.kind not in UNWATCHED]
    for kind in sorted({*KINDS, "Event"}):
        mine = [line for line in lines if line.kind == kind]
        relists = sorted(T0 + int(s * SECOND) for k, s in lateness.relists if k == kind)
        late_s, rank = lateness.kinds.get(kind, lateness.others), chance.random()
        for position, line in enumerate(mine):
            while relists and relists[0] < line.at_ns:
                for fact in _listed(mine[:position]):
                    put(relists[0], kind, fact, rank)
                relists.pop(0)
            at_ns = line.at_ns + int((late_s + chance.random() * lateness.jitter) * SECOND)
            put(at_ns, kind, _fact(line), rank)
    end_ns = max(lines[-1].at_ns, world.now_ns) if lines else world.now_ns
    if lateness.bookmarks:
        _bookmark(lines, found, end_ns)
    return [(at_ns, fact) for at_ns, _, _, fact in sorted(found, key=lambda f: f[:3])]


def _bookmark(lines: list[Line], found: list[tuple[int, float, int, Input]], end_ns: int) -> None:
    """Once a minute every watch says how far it has come, behind all that it had to say until then."""
    late = max((at_ns for at_ns, *_ in found), default=end_ns) - end_ns
    for at_ns in range(T0, end_ns, BOOKMARK_S * SECOND):
        rv = max((line.rv for line in lines if line.at_ns <= at_ns), default=0)
        for kind in KINDS:
            due = at_ns + max(late, 0) + 20 * SECOND if at_ns > T0 else T0
            found.append((due, 2.0, len(found), WatchProgress(kind, rv if at_ns > T0 else 1)))


def _fact(line: Line) -> Input:
    if isinstance(line.thing, Event):
        return EventSeen(line.thing)
    return ObjectGone(line.thing) if line.type == "DELETED" else ObjectSeen(line.thing)


def _listed(lines: list[Line]) -> list[Input]:
    """What a list shows: the newest version of everything that exists."""
    newest: dict[str, Line] = {}
    for line in lines:
        newest[line.thing.uid] = line
    return [_fact(line) for _, line in sorted(newest.items()) if line.type != "DELETED"]


def tell(world: World, lateness: Lateness, linker: Linker | Shards | None = None) -> list[Span]:
    """The spans that a linker makes of what it receives, with all that it looks up answered."""
    linker = Linker(LinkerSettings(cluster_uid="c")) if linker is None else linker
    spans: list[Span] = []
    facts = [(at_ns, number, fact) for number, (at_ns, fact) in enumerate(received(world, lateness))]
    number = len(facts)
    unwatched = [line for line in world.lines if line.kind in UNWATCHED]
    now_ns = T0
    while facts:
        now_ns, _, fact = heapq.heappop(facts)
        for output in linker.step(fact, now_ns):
            if isinstance(output, SpanEnded):
                spans.append(output.span)
            elif isinstance(output, LookupOwner):
                number += 1
                due_ns = now_ns + int(LOOKUP_S * SECOND)
                past = [line for line in unwatched if line.thing.uid == output.reference.uid and line.at_ns <= due_ns]
                answer: Input = OwnerMissing(output.reference, "not found")
                if past and past[-1].type != "DELETED" and isinstance(past[-1].thing, Object):
                    answer = ObjectSeen(past[-1].thing, looked_up=True)
                heapq.heappush(facts, (due_ns, number, answer))
    spans += [output.span for output in linker.finish(now_ns + 120 * SECOND) if isinstance(output, SpanEnded)]
    return spans
