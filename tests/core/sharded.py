"""One linker and, beside it, the shards of several: the same facts for all, and what comes out compared at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from kspanpy.core.linker import Linker
from kspanpy.core.model import Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.shard import Shard
from kspanpy.core.steps import Discarded, DiscardReason, Input, LookupOwner, Output, SpanEnded

COUNTS = (2, 3, 5)


class Shards:
    """Takes what a linker takes, gives what one process alone gives; AssertionError where its shards say anything else."""

    def __init__(self, settings: LinkerSettings, counts: Iterable[int] = COUNTS) -> None:
        self.alone = Linker(settings)
        self.spans_of: Counter[Shard] = Counter()
        self._several = [
            [
                (shard, Linker(msgspec.structs.replace(settings, shard=shard)))
                for shard in (Shard(index, count) for index in range(count))
            ]
            for count in counts
        ]

    def step(self, fact: Input, now_ns: int) -> list[Output]:
        """One fact for all of them."""
        said = self.alone.step(fact, now_ns)
        for linkers in self._several:
            self._compare(said, [(shard, linker.step(fact, now_ns), linker) for shard, linker in linkers])
        return said

    def finish(self, now_ns: int) -> list[Output]:
        """The end for all of them."""
        said = self.alone.finish(now_ns)
        for linkers in self._several:
            self._compare(said, [(shard, linker.finish(now_ns), linker) for shard, linker in linkers])
        return said

    def _compare(self, said: list[Output], parts: list[tuple[Shard, list[Output], Linker]]) -> None:
        due, stats = self.alone.next_deadline(), self.alone.stats() if said else None
        spans, together = [_bytes(span) for span in spans_in(said)], Counter[bytes]()
        for shard, outputs, linker in parts:
            assert linker.next_deadline() == due, shard
            assert stats is None or linker.stats() == stats, shard  # everything is followed everywhere
            if not said:
                assert outputs == [], shard
                continue
            own = [_bytes(span) for span in spans_in(outputs)]
            together.update(own)
            self.spans_of[shard] += len(own)
            assert own == [span for span in spans if span in set(own)], shard  # in the same order
            assert _lookups(outputs) == _lookups(said), shard
            assert _events(outputs) == _events(said), shard  # every Event is accounted for
        # Together all, to the last byte, and none twice.
        assert together == Counter(spans), (said, [outputs for _, outputs, _ in parts])


def spans_in(outputs: list[Output]) -> list[Span]:
    """The spans among them."""
    return [output.span for output in outputs if isinstance(output, SpanEnded)]


def _bytes(span: Span) -> bytes:
    return msgspec.msgpack.encode(span)


def _events(outputs: list[Output]) -> tuple[int, int]:
    """Those that are told, here or by another shard, and those that were seen before."""
    here = sum("k8s.event.uid" in span.attributes for span in spans_in(outputs))
    return here + outputs.count(Discarded(DiscardReason.OTHER_SHARD)), outputs.count(Discarded(DiscardReason.DUPLICATE))


def _lookups(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if isinstance(output, LookupOwner)]
