"""The file on disk: rounds, cursors and spans together or not at all; damage costs the state, not the service."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kspanpy.core.model import ObjectReference
from kspanpy.core.steps import GapBegan, GapEnded, OwnerMissing, Tick
from kspanpy.state import Row, StateFile, UnusableStateError
from kspanpy.state.file import FILE, SNAPSHOT
from tests.state.recordings import Taken

PODS = ("Pod", "")


def row(number: int, size: int = 10) -> Row:
    """A span."""
    return number.to_bytes(24, "big"), "kubernetes", b"x" * size


def opened(folder: Path) -> StateFile:
    """Of one cluster."""
    return StateFile.open(folder, identity="the-cluster")


def killed(state: StateFile, folder: Path, to: Path) -> StateFile:
    """What the next process finds after kill -9: the files as they are at this moment."""
    shutil.copytree(folder, to)
    state.close()
    return opened(to)


class TestRounds:
    """One transaction each."""

    def test_inputs_come_back_as_they_were_taken(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """With their times, in their order."""
        extra: list[Taken] = [
            (rollout[-1][0], fact)
            for fact in (Tick(), GapBegan(), GapEnded(), OwnerMissing(ObjectReference(kind="X", name="x"), "forbidden"))
        ]
        state = opened(tmp_path / "a")
        for start in range(0, len(rollout), 10):
            state.record(rollout[start : start + 10], {}, emitted=0)
            state.commit()
        state.record(extra, {}, emitted=0)
        state.commit()
        after = killed(state, tmp_path / "a", tmp_path / "b")
        assert list(after.restore(fingerprint="f")[1]) == rollout + extra

    def test_what_was_not_committed_was_never_there(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """Neither inputs nor cursors nor the count."""
        state = opened(tmp_path / "a")
        state.record(rollout[:1], {PODS: "7"}, emitted=3)
        after = killed(state, tmp_path / "a", tmp_path / "b")
        assert (list(after.restore(fingerprint="f")[1]), after.cursors(), after.emitted()) == ([], {}, 0)

    def test_spans_bring_their_round_with_them(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """All or nothing."""
        state = opened(tmp_path / "a")
        state.record(rollout[:2], {PODS: "7"}, emitted=2)
        assert state.put([row(1), row(2)]) == 1
        after = killed(state, tmp_path / "a", tmp_path / "b")
        assert list(after.restore(fingerprint="f")[1]) == rollout[:2]
        assert (after.cursors(), after.emitted(), after.waiting()) == ({PODS: "7"}, 2, (2, 20))


class TestSpans:
    """In the order in which they came, until they are settled."""

    def test_numbers_are_never_used_twice(self, tmp_path: Path) -> None:
        """Not even when all are gone, and not in the next process."""
        state = opened(tmp_path / "a")
        assert state.put([row(1), row(2)]) == 1
        state.remove([1, 2])
        state.close()
        state = opened(tmp_path / "a")
        assert state.put([row(3)]) == 3

    def test_they_are_read_in_portions(self, tmp_path: Path) -> None:
        """By number and by size, but at least one."""
        state = opened(tmp_path / "a")
        state.put([row(number, size=100) for number in range(1, 11)])
        assert [number for number, _ in state.load(0, spans=4, size=10_000)] == [1, 2, 3, 4]
        assert [number for number, _ in state.load(4, spans=100, size=250)] == [5, 6]
        assert [number for number, _ in state.load(6, spans=100, size=1)] == [7]
        assert state.load(10, spans=5, size=1000) == []
        assert state.load(0, spans=1, size=1000)[0][1] == row(1, size=100)

    @settings(deadline=None, max_examples=30)  # a disk is as fast as it is
    @given(st.sets(st.integers(1, 60)))
    def test_any_of_them_can_be_removed(self, numbers: set[int]) -> None:
        """In any order, with gaps."""
        with tempfile.TemporaryDirectory() as folder:
            state = opened(Path(folder))
            state.put([row(number) for number in range(1, 61)])
            state.remove(list(numbers))
            assert {number for number, _ in state.load(0, spans=100, size=10**6)} == set(range(1, 61)) - numbers
            state.close()


class TestSnapshots:
    """They take the place of the inputs before them."""

    def test_only_what_came_after_is_replayed(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """Also when the process dies right after."""
        state = opened(tmp_path / "a")
        state.record(rollout[:5], {PODS: "5"}, emitted=1)
        state.commit()
        state.snapshot({"held": 5}, {}, emitted=1, fingerprint="f")
        state.record(rollout[5:7], {PODS: "7"}, emitted=2)
        state.commit()
        after = killed(state, tmp_path / "a", tmp_path / "b")
        held, inputs = after.restore(fingerprint="f")
        assert (held, list(inputs), after.emitted(), after.cursors()) == ({"held": 5}, rollout[5:7], 2, {PODS: "7"})

    def test_one_that_was_being_written_does_not_count(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """The one before does, with the inputs since."""
        state = opened(tmp_path / "a")
        state.snapshot({"held": 0}, {}, emitted=0, fingerprint="f")
        state.record(rollout[:2], {}, emitted=0)
        state.commit()
        (tmp_path / "a" / f"{SNAPSHOT}.new").write_bytes(b"half")
        after = killed(state, tmp_path / "a", tmp_path / "b")
        held, inputs = after.restore(fingerprint="f")
        assert (held, list(inputs)) == ({"held": 0}, rollout[:2])

    @pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.99])
    def test_a_flipped_bit_is_noticed(self, tmp_path: Path, at: float) -> None:
        """Whatever it would have meant."""
        state = opened(tmp_path / "a")
        state.snapshot({"held": list(range(1000))}, {}, emitted=0, fingerprint="f")
        path = tmp_path / "a" / SNAPSHOT
        data = bytearray(path.read_bytes())
        data[int(at * len(data))] ^= 4
        path.write_bytes(data)
        with pytest.raises(UnusableStateError):
            state.restore(fingerprint="f")

    def test_one_of_other_code_is_not_used_but_the_spans_are(self, tmp_path: Path) -> None:
        """An update of kspanpy sends what the version before could not."""
        state = opened(tmp_path / "a")
        state.put([row(1)])
        state.snapshot({"held": 0}, {PODS: "3"}, emitted=1, fingerprint="old")
        with pytest.raises(UnusableStateError, match="another version"):
            state.restore(fingerprint="new")
        state.forget_linker()
        held, inputs = state.restore(fingerprint="new")
        assert (held, list(inputs), state.emitted(), state.cursors()) == (None, [], 0, {})
        assert state.waiting() == (1, 10)


class TestTrouble:
    """Disks and people."""

    def test_two_processes_do_not_share_a_folder(self, tmp_path: Path) -> None:
        """The second one says so."""
        state = opened(tmp_path)
        with pytest.raises(OSError, match="in use by another process"):
            opened(tmp_path)
        state.close()
        opened(tmp_path).close()

    def test_another_cluster_is_not_taken_for_this_one(self, tmp_path: Path) -> None:
        """Its stories are not ours."""
        opened(tmp_path).close()
        with pytest.raises(UnusableStateError, match="another cluster"):
            StateFile.open(tmp_path, identity="other")
        StateFile.discard(tmp_path)
        StateFile.open(tmp_path, identity="other").close()
        assert (tmp_path / f"{FILE}.unusable").exists()

    @pytest.mark.parametrize("damage", [b"", b"not a database, and longer than a header of one would be " * 40])
    def test_a_damaged_file_is_put_aside(self, tmp_path: Path, damage: bytes) -> None:
        """An empty one is a new one."""
        (tmp_path / FILE).write_bytes(damage)
        try:
            opened(tmp_path).close()
        except UnusableStateError:
            StateFile.discard(tmp_path)
            opened(tmp_path).close()

    def test_a_round_that_fails_leaves_what_was_there(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """Nothing is written after it until a snapshot makes a new beginning: a hole would be worse than an old state."""
        state = opened(tmp_path / "a")
        state.record(rollout[:1], {PODS: "1"}, emitted=0)
        state.commit()
        state._connection.execute("PRAGMA query_only = ON")
        state.record(rollout[1:2], {PODS: "2"}, emitted=1)
        with pytest.raises(OSError, match="the state on disk"):
            state.put([row(1)])
        state._connection.execute("PRAGMA query_only = OFF")
        state.record(rollout[2:3], {PODS: "3"}, emitted=1)
        with pytest.raises(OSError, match="new beginning"):
            state.put([row(2)])
        state.commit()
        assert (list(state.restore(fingerprint="f")[1]), state.cursors()) == (rollout[:1], {PODS: "1"})
        state.snapshot({"held": 3}, {PODS: "3"}, emitted=2, fingerprint="f")
        assert state.put([row(3)]) == 1
        after = killed(state, tmp_path / "a", tmp_path / "b")
        assert (after.restore(fingerprint="f")[0], after.emitted(), after.cursors()) == ({"held": 3}, 2, {PODS: "3"})

    def test_only_the_owner_may_read_it(self, tmp_path: Path, rollout: list[Taken]) -> None:
        """Events may hold what is nobody else's business."""
        state = opened(tmp_path / "a")
        state.record(rollout[:1], {}, emitted=0)
        state.snapshot({}, {}, emitted=0, fingerprint="f")
        for path in (tmp_path / "a").iterdir():
            assert path.stat().st_mode & 0o077 == 0, path


def test_what_is_spilled_and_settled_gives_its_room_back(tmp_path: Path) -> None:
    """At the next snapshot."""
    state = opened(tmp_path)
    state.put([row(number, size=1000) for number in range(1, 5001)])
    full = state.size()
    state.remove(range(1, 5001))
    state.snapshot({}, {}, emitted=0, fingerprint="f")
    state.close()
    assert opened(tmp_path).size() < full / 4
