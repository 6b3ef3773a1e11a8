"""The loop with its state on disk: killed wherever it is, the next one goes on as if nothing had happened."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from kspanpy.app.checkpoint import Checkpoint, Held, SpanShelf, open_state, resumptions
from kspanpy.app.loop import Loop
from kspanpy.core.linker import Linker
from kspanpy.core.model import SECOND, Event, Object, ObjectReference, OwnerReference, Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.shard import Shard
from kspanpy.core.steps import EventSeen, ObjectGone, ObjectSeen, OwnerMissing
from kspanpy.errors import StartupError
from kspanpy.export.encode import Encoder
from kspanpy.kube import WatchSettings
from kspanpy.state import StateFile
from tests.state.recordings import FIXTURES, SETTINGS, Taken, ended, feed, inputs_of

PODS = ("Pod", "")
T0 = 1_800_000_000 * SECOND


class Clock:
    """The time of the recording."""

    def __init__(self) -> None:
        self.now_ns = 0

    def wall_ns(self) -> int:
        """Set by the test."""
        return self.now_ns


def until(condition: Callable[[], bool]) -> None:
    """Waits for the loop's thread."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


class Process:
    """What survives of a kspanpy is its folder."""

    def __init__(self, folder: Path, clock: Clock, *, caught_up: Callable[[], bool] = lambda: True) -> None:
        self.folder, self.clock = folder, clock
        self.state = open_state(folder, identity="the-cluster")
        self.checkpoint = Checkpoint(self.state, SETTINGS)
        self.held = self.checkpoint.restore(SETTINGS)
        self.shelf = SpanShelf(self.state)
        self.encoder = Encoder({})
        self.asked: list[ObjectReference] = []
        self.fed = 0
        self.loop = Loop(
            self.held.linker if self.held else Linker(SETTINGS),
            offer=self.offer,
            lookup=self.asked.append,
            capacity=100_000,
            checkpoint=self.checkpoint,
            restored=self.held,
            caught_up=caught_up,
            wall_ns=clock.wall_ns,
        )
        self.loop.start()

    def offer(self, spans: Sequence[Span]) -> None:
        """To the shelf, where they stay."""
        with suppress(OSError):
            self.shelf.put([self.encoder.encode_span(span) for span in spans])  # type: ignore[misc]

    def feed(self, taken: Sequence[Taken]) -> None:
        """Lets it take these in."""
        for now_ns, fact in taken:
            self.clock.now_ns = now_ns
            self.loop.deliver(now_ns, fact, target=PODS, cursor=str(now_ns))
        until(lambda: self.state.cursors().get(PODS) == str(taken[-1][0]))

    def kill(self, to: Path, *, caught_up: Callable[[], bool] = lambda: True) -> Process:
        """Kill -9, and the next process on what is on the disk at this moment."""
        shutil.copytree(self.folder, to)
        self.loop._offer = lambda _: None  # it is dead
        self.loop.stop(5)
        self.state.close()
        after = Process(to, self.clock, caught_up=caught_up)
        until(lambda: not caught_up() or after.loop._gap_until_s is None)
        return after

    def stop(self) -> list[tuple[bytes, bytes]]:
        """An orderly end; what is on the shelf: ids and content of the spans, in order."""
        assert self.loop.stop(10)
        rows = [(row[0], row[2]) for _, row in self.state.load(0, spans=100_000, size=1 << 30)]
        self.state.close()
        return rows


def told(spans: Sequence[Span]) -> list[tuple[bytes, bytes]]:
    """As they are on a shelf."""
    encoded = [Encoder({}).encode_span(span) for span in spans]
    return [(span.key, span.payload) for span in encoded]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["captures/deployment", "recorded/strategies", "recorded/incident", "recorded/gitops"])
@pytest.mark.parametrize("snapshots", [False, True])
def test_killed_five_times_it_tells_what_one_process_would_have_told(
    tmp_path: Path, name: str, *, snapshots: bool
) -> None:
    """Every span once, in order, byte-identical; with snapshots in between and without."""
    recording = inputs_of(FIXTURES / f"{name}.ndjson.gz")
    clock = Clock()
    process = Process(tmp_path / "0", clock)
    for part in range(6):
        process.feed(recording[part * len(recording) // 6 : (part + 1) * len(recording) // 6])
        if snapshots and part % 2:
            process.loop._snapshot()
        if part < 5:
            process = process.kill(tmp_path / str(part + 1))
            assert process.checkpoint.errors.total() == 0
    rows = process.stop()
    whole = Linker(SETTINGS)
    expected = told(feed(whole, recording, answer=False))
    assert rows[: len(expected)] == expected
    # What is open at the end is left to the next process, and told by it.
    after = Process(tmp_path / "5", clock)
    assert after.held is not None
    assert told(ended(after.held.linker, recording[-1][0])) == told(ended(whole, recording[-1][0]))
    after.loop.stop(5)
    after.state.close()


def test_an_orderly_end_leaves_open_stories_to_the_next_process(tmp_path: Path, rollout: list[Taken]) -> None:
    """Nothing is told as unfinished, and nothing is replayed."""
    clock = Clock()
    process = Process(tmp_path / "a", clock)
    process.feed(rollout[: len(rollout) // 2])
    rows = process.stop()
    assert rows == told(feed(Linker(SETTINGS), rollout[: len(rollout) // 2]))
    state = StateFile.open(tmp_path / "a", identity="the-cluster")
    content, inputs = state.restore(fingerprint=process.checkpoint._fingerprint)
    assert content["linker"].stats().open_stories > 0
    assert list(inputs) == []
    state.close()


class TestGap:
    """While nobody looked, things went on."""

    def test_time_stands_still_until_the_watches_have_caught_up(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """No story is closed by time that nobody saw; then all of them are."""
        clock = Clock()
        caught_up = False
        process = Process(tmp_path / "a", clock)
        process.feed(rollout)
        clock.now_ns += 300 * SECOND
        process = process.kill(tmp_path / "b", caught_up=lambda: caught_up)
        process.feed([(clock.now_ns, rollout[-1][1])])
        assert process.loop.counts.stories == 0
        caught_up = True
        until(lambda: process.loop.counts.stories > 0)
        process.stop()

    def test_questions_without_an_answer_are_asked_again(self, tmp_path: Path) -> None:
        """And answered ones are not."""
        clock = Clock()
        process = Process(tmp_path / "a", clock)
        process.feed([(T0, owned("red")), (T0, owned("blue"))])
        assert len(process.asked) == 2
        process.feed([(T0 + 1, OwnerMissing(process.asked[0], "not found"))])
        process = process.kill(tmp_path / "b")
        until(lambda: bool(process.asked))
        assert [reference.name for reference in process.asked] == ["blue"]
        process.stop()


def owned(name: str) -> ObjectSeen:
    """A Deployment of something that nobody watches."""
    owner = OwnerReference("example.test/v1", "Gadget", name, f"uid-{name}", controller=True)
    return ObjectSeen(
        Object("apps/v1", "Deployment", "shop", f"{name}-web", f"web-{name}", owners=(owner,), generation=1)
    )


def test_watches_go_on_with_what_they_had_shown(rollout: list[Taken]) -> None:
    """Alive objects of the watch's kind and namespace, at its cursor."""
    linker = Linker(SETTINGS)
    feed(linker, rollout)
    gone = {fact.object.uid for _, fact in rollout if isinstance(fact, ObjectGone)}
    pods = {fact.object.uid for _, fact in rollout if isinstance(fact, ObjectSeen) and fact.object.kind == "Pod"} - gone
    found = resumptions(Held(linker), {PODS: "17", ("Pod", "elsewhere"): "18"})
    assert found[PODS].cursor == "17"
    assert {thing.uid for thing in found[PODS].known} == pods
    assert found["Pod", "elsewhere"].known == []


@pytest.mark.parametrize(("overdue", "snapshots"), [(False, 1), (True, 4)])
def test_in_a_flood_a_snapshot_waits_until_it_has_to(tmp_path: Path, *, overdue: bool, snapshots: int) -> None:
    """1,000 Events wait, which are four rounds; after the last one there is nothing left to do."""

    class Eager(Checkpoint):
        due = property(lambda _: True)
        overdue = property(lambda _: now)

    now = overdue
    state = open_state(tmp_path, identity="the-cluster")
    checkpoint = Eager(state, SETTINGS)
    loop = Loop(
        Linker(SETTINGS),
        offer=lambda _: None,
        lookup=lambda _: None,
        capacity=2_000,
        checkpoint=checkpoint,
        wall_ns=lambda: T0,
    )
    for number in range(1_000):
        event = Event(uid=f"e{number}", name="e", namespace="noisy", involved=ObjectReference("Pod", "noisy", "p", "u"))
        loop.deliver(T0, EventSeen(event))
    loop.start()
    until(lambda: loop.counts.seen == 1_000)
    assert checkpoint.snapshots == snapshots
    assert loop.stop(5)
    state.close()


class TestTrouble:
    """What can be wrong with a folder."""

    def test_other_settings_begin_anew(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """The spans stay, and what the API server still has is told by the new settings."""
        process = Process(tmp_path / "a", Clock())
        process.feed(rollout)
        kept = len(process.stop())
        state = open_state(tmp_path / "a", identity="the-cluster")
        other = LinkerSettings(cluster_uid="the-cluster", settle_s=1)
        assert Checkpoint(state, other).restore(other) is None
        assert (state.cursors(), state.waiting()[0]) == ({}, kept)
        state.close()

    @pytest.mark.parametrize("shard", [Shard(1, 2), Shard(0, 3)])
    def test_another_shard_begins_anew(self, tmp_path: Path, rollout: list[Taken], shard: Shard) -> None:
        """What was followed for others has no spans. Those that were finished stay, and are sent."""
        first, other = (msgspec.structs.replace(SETTINGS, shard=number) for number in (Shard(0, 2), shard))
        state = open_state(tmp_path / "a", identity="the-cluster")
        linker = Linker(first)
        feed(linker, rollout)
        Checkpoint(state, first).snapshot(Held(linker))
        state.close()
        state = open_state(tmp_path / "a", identity="the-cluster")
        assert Checkpoint(state, first).restore(first) is not None
        assert Checkpoint(state, other).restore(other) is None
        state.close()

    def test_other_namespaces_begin_anew(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """A cursor of all that was wanted is none for what is wanted now."""
        process = Process(tmp_path / "a", Clock())
        process.feed(rollout)
        process.stop()
        state = open_state(tmp_path / "a", identity="the-cluster")
        assert Checkpoint(state, SETTINGS, watched=WatchSettings(exclude=("shop",))).restore(SETTINGS) is None
        assert state.cursors() == {}
        state.close()

    def test_a_replay_that_gives_something_else_loses_nothing(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """It would be a bug. What may not have been stored is told again, and the bug is counted."""
        process = Process(tmp_path / "a", Clock())
        process.feed(rollout)
        kept = len(process.state.load(0, spans=100_000, size=1 << 30))
        process.state._connection.execute("UPDATE facts SET value = '1' WHERE name = 'emitted'")
        after = process.kill(tmp_path / "b")
        assert after.checkpoint.errors["replay"] == 1
        rows = after.stop()
        assert len(rows) == 2 * kept
        assert set(rows[:kept]) == set(rows[kept:])

    def test_a_full_disk_costs_the_checkpoint_and_not_the_service(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """It is counted, and a snapshot makes it whole again."""
        clock = Clock()
        process = Process(tmp_path / "a", clock)
        process.state._connection.execute("PRAGMA query_only = ON")
        for now_ns, fact in rollout:
            clock.now_ns = now_ns
            process.loop.deliver(now_ns, fact, target=PODS, cursor=str(now_ns))
        events = sum(isinstance(fact, EventSeen) for _, fact in rollout)
        until(lambda: process.loop.counts.seen == events)
        assert process.checkpoint.errors["round"] >= 1
        process.state._connection.execute("PRAGMA query_only = OFF")
        process.loop.stop(5)
        process.state.close()
        after = Process(tmp_path / "a", clock)
        assert after.held is not None
        assert after.held.linker.stats().objects > 5
        after.stop()

    def test_a_folder_that_can_not_be_used_is_no_start(self, tmp_path: Path) -> None:
        """One line that names it."""
        (tmp_path / "file").write_text("")
        with pytest.raises(StartupError, match=r"KSPANPY_STATE_DIRECTORY .*file.* can not be used"):
            open_state(tmp_path / "file", identity="x")

    def test_a_disk_that_does_not_take_anything_is_no_start(self, tmp_path: Path) -> None:
        """One line, no traceback."""
        state = open_state(tmp_path, identity="x")
        state._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StartupError, match="KSPANPY_STATE_DIRECTORY can not be read or written"):
            Checkpoint(state, SETTINGS).restore(SETTINGS)
        state.close()

    def test_a_damaged_snapshot_begins_anew(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """Counted and told."""
        process = Process(tmp_path / "a", Clock())
        process.feed(rollout)
        process.stop()
        path = tmp_path / "a" / "linker.snapshot"
        path.write_bytes(path.read_bytes()[:-100])
        after = Process(tmp_path / "a", Clock())
        assert after.held is None
        assert after.checkpoint.errors["restore"] == 1
        after.stop()

    def test_a_state_that_ends_the_process_does_not_do_so_for_ever(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """Three processes that died while they read it are enough."""
        process = Process(tmp_path / "a", Clock())
        process.feed(rollout)
        process.stop()
        for _ in range(3):
            state = open_state(tmp_path / "a", identity="the-cluster")
            assert Checkpoint(state, SETTINGS).restore(SETTINGS) is not None
            state.close()
        after = Process(tmp_path / "a", Clock())
        assert after.held is None
        after.stop()
