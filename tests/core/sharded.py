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
        stats, spans, told = self.alone.stats(), spans_in(said), []
        for shard, outputs, linker in parts:
            part = spans_in(outputs)
            told += part
            self.spans_of[shard] += len(part)
            assert linker.stats() == stats, (shard, linker.stats(), stats)  # everything is followed everywhere
            assert linker.next_deadline() == self.alone.next_deadline(), shard
            assert _lookups(outputs) == _lookups(said), shard
            assert _events(part) + _others(outputs) == _events(spans), shard  # every Event is accounted for
            assert _duplicates(outputs) == _duplicates(said), shard
            order = [_bytes(span) for span in spans if any(span == own for own in part)]
            assert [_bytes(span) for span in part] == order, shard  # in the same order
        # Together all, to the last byte, and none twice.
        assert Counter(map(_bytes, told)) == Counter(map(_bytes, spans)), (told, spans)


def spans_in(outputs: list[Output]) -> list[Span]:
    """The spans among them."""
    return [output.span for output in outputs if isinstance(output, SpanEnded)]


def _bytes(span: Span) -> bytes:
    return msgspec.msgpack.encode(span)


def _events(spans: list[Span]) -> int:
    return sum("k8s.event.uid" in span.attributes for span in spans)


def _others(outputs: list[Output]) -> int:
    return outputs.count(Discarded(DiscardReason.OTHER_SHARD))


def _duplicates(outputs: list[Output]) -> int:
    return outputs.count(Discarded(DiscardReason.DUPLICATE))


def _lookups(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if isinstance(output, LookupOwner)]
