"""Shards that begin anew see other things than those that went on: what that means for who tells an Event (docs/sharding.md).

Shards that took in the same tell each Event exactly once (tests/core/test_shard.py). One that has lost its state begins with what the
API server still shows, and may find another root object for an Event whose owners have gone: one that another shard tells of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from kspanpy.core.linker import Linker
from kspanpy.core.model import Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.shard import Shard
from kspanpy.core.telling.attributes import is_event
from tests.state.recordings import RECORDINGS, SETTINGS, Taken, ended, feed, inputs_of
from tests.state.test_anew import shown

CUT = 0.5


def settings(index: int, count: int) -> LinkerSettings:
    """Of one shard."""
    return msgspec.structs.replace(SETTINGS, shard=Shard(index, count))


def events(spans: Iterable[Span]) -> set[bytes]:
    """The ids of the event spans: each is one step of one Event, whoever tells it."""
    return {span.span_id for span in spans if is_event(span)}


def told(how: LinkerSettings, taken: list[Taken]) -> set[bytes]:
    """What a process with these settings tells of all this."""
    linker = Linker(how)
    return events([*feed(linker, taken), *ended(linker, taken[-1][0])])


def test_one_shard_that_begins_anew_beside_one_that_went_on() -> None:
    """What it had told and tells again covers all. An Event in a thousand may be told by both, one in a hundred by nobody if it was never there."""
    count: Counter[str] = Counter()
    for path in RECORDINGS[::2]:
        recording = inputs_of(path)
        at = int(CUT * len(recording))
        _, start = shown(recording[:at], recording[at][0])
        expected = told(SETTINGS, recording)
        for index in range(2):
            other = told(settings(1 - index, 2), recording)
            before = events(feed(Linker(settings(index, 2)), recording[:at]))
            again = told(settings(index, 2), [*start, *recording[at:]])
            count["events"] += len(expected)
            count["lost"] += len(expected - other - before - again)
            count["lost if it was not there before"] += len(expected - other - again)
            count["told by both"] += len(other & again)
    assert count["lost"] == 0, count
    assert count["lost if it was not there before"] < 0.02 * count["events"], count
    assert count["told by both"] < 0.001 * count["events"], count


def test_another_number_of_shards() -> None:
    """All begin anew with the same: nothing that the API server still has is lost, and no two of them tell the same."""
    for path in RECORDINGS[::2]:
        recording = inputs_of(path)
        at = int(CUT * len(recording))
        _, start = shown(recording[:at], recording[at][0])
        before = [events(feed(Linker(settings(index, 2)), recording[:at])) for index in range(2)]
        after = [told(settings(index, 3), [*start, *recording[at:]]) for index in range(3)]
        together = set().union(*after)
        assert sum(map(len, after)) == len(together), path.name
        assert told(SETTINGS, recording) <= together.union(*before), path.name
