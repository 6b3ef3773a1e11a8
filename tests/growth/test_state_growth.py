"""What is written down costs what has changed; a snapshot costs what is held, and little memory."""

from __future__ import annotations

import io

from kspanpy.core.steps import EventSeen
from kspanpy.decode import watch_line
from kspanpy.state import StateFile, inputs, snapshot
from tests.faults import generator
from tests.growth.counting import LAW, calls, peak_bytes
from tests.growth.test_linker_memory import Watched

EVENTS = [
    EventSeen(watch_line(line).object)  # type: ignore[union-attr, arg-type]
    for line in (generator.Cluster({"pods": 100, "deployments": 10}).quiet_line(n, n) for n in range(1000))
]


class _Nowhere(io.RawIOBase):
    size = 0

    def write(self, data: object) -> int:
        size = len(memoryview(data))  # type: ignore[arg-type]
        self.size += size
        return size


def busy(pods: int) -> Watched:
    """Every Pod has had Events, and they wait, or are in stories."""
    watched = Watched(pods)
    watched.happens(3 * pods, each_s=0.1)
    return watched


def test_ten_times_as_much_is_a_snapshot_ten_times_as_large_with_ten_times_the_calls():
    """Of the writer's calls; those of the pickler are in C."""
    few, many = busy(100), busy(1000)
    written: list[int] = []

    def dump(watched: Watched) -> None:
        stream = _Nowhere()
        snapshot.dump({"linker": watched.linker}, stream)  # type: ignore[arg-type]
        written.append(stream.size)

    assert calls(dump, many) <= LAW * calls(dump, few)
    small, large = sorted(written)
    assert large <= LAW * small


def test_a_snapshot_takes_a_fraction_of_the_memory_of_what_it_writes():
    """Most of it for one batch, however many there are: it forgets what it has written, but for which nodes it has met."""
    few, many = busy(100), busy(1000)
    small, large = (peak_bytes(snapshot.dump, {"linker": watched.linker}, _Nowhere()) for watched in (few, many))
    assert large <= 5 * small
    assert large <= many.held() / 2


def test_ten_times_the_inputs_take_ten_times_the_calls_and_bytes(tmp_path):
    """As one round, and as many."""
    assert len(inputs.encode([(0, fact) for fact in EVENTS])) <= LAW * len(
        inputs.encode([(0, f) for f in EVENTS[:100]])
    )
    state = StateFile.open(tmp_path, identity="c")

    def write(number: int) -> None:
        for fact in EVENTS[:number]:
            state.record([(0, fact)], {("Event", ""): "1"}, emitted=0)
            state.commit()

    assert calls(write, 1000) <= LAW * calls(write, 100)
    state.close()
