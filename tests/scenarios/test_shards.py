"""n shards together tell exactly what one process tells: every recording there is, compared at every step."""

from __future__ import annotations

from pathlib import Path

import pytest

from kspanpy.core.linker import Linker
from kspanpy.core.model import Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.shard import Shard
from kspanpy.replay import replay
from tests.core.sharded import Shards
from tests.scenarios.replaying import HERE, entries_of

RECORDINGS = [
    *sorted((HERE.parent / "fixtures").glob("*/*.ndjson.gz")),
    *sorted(HERE.glob("*/capture.ndjson")),
    *sorted((HERE.parents[2] / "shared" / "captures").glob("*.ndjson*")),  # when they are there
]
RECORDINGS = [path for path in RECORDINGS if ".truth." not in path.name]


def name_of(path: Path) -> str:
    """Unlike that of any other."""
    return f"{path.parent.name}/{path.name.partition('.')[0]}"


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
def test_shards_together_tell_what_one_process_tells(path: Path) -> None:
    """Two, three and five: the same spans to the last byte (ids, times, attributes, links), none of them twice."""
    shards = Shards(LinkerSettings(cluster_uid="cluster"))
    told = replay(entries_of(path), shards, lambda _: None)
    for count in (2, 3, 5):
        assert sum(number for shard, number in shards.spans_of.items() if shard.count == count) == told.spans > 0


def test_stories_of_two_shards_link_to_each_other() -> None:
    """A Pod that one shard tells of makes way for one that the other tells of: each knows the ids that the other gives."""
    told: list[dict[tuple[bytes, bytes], Span]] = []
    for index in range(2):
        spans: list[Span] = []
        linker = Linker(LinkerSettings(cluster_uid="cluster", shard=Shard(index, 2)))
        replay(entries_of(HERE / "preemption" / "capture.ndjson"), linker, spans.append)
        told.append({(span.trace_id, span.span_id): span for span in spans})
    for own, other in (told, told[::-1]):
        links = [link for span in own.values() for link in span.links]
        across = {link.relation for link in links if (link.trace_id, link.span_id) in other}
        assert across & {"preempted", "preempted by"}
        assert all((link.trace_id, link.span_id) in own | other for link in links)


def test_each_shard_has_its_share() -> None:
    """A comparison in which one shard tells everything would prove little."""
    shards = Shards(LinkerSettings(cluster_uid="cluster"), counts=[2])
    replay(entries_of(HERE.parent / "fixtures" / "recorded" / "no-pauses.ndjson.gz"), shards, lambda _: None)
    told = shards.spans_of
    assert min(told.values()) > 0.3 * sum(told.values())
    assert len(told) == 2
