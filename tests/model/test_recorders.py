"""The model's recorders do what client-go's do, as `docs/causality.md` and the recorded captures know it."""

from __future__ import annotations

from kspanpy.core.model import SECOND, Event, ObjectReference
from tests.model.recorders import COMBINED, Correlator, Draft, Legacy, Modern, Source, name_of
from tests.model.world import T0, World

POD = ObjectReference(kind="Pod", namespace="shop", name="web-1", uid="u", api_version="v1")


def draft(message: str, at_ns: int, *, reason: str = "Created", involved: ObjectReference = POD) -> Draft:
    """What a controller says."""
    return Draft(involved, "Normal", reason, message, name_of(involved, at_ns), at_ns, at_ns)


def written(world: World) -> list[Event]:
    """Every version of every Event."""
    return [line.thing for line in world.lines if isinstance(line.thing, Event)]


def test_the_same_again_is_counted_under_its_first_name() -> None:
    """Same object, reason and message: a PATCH of count and lastTimestamp, however much later."""
    correlator = Correlator()
    first = correlator.correlate(draft("hello", T0), T0)
    later = T0 + 5000 * SECOND
    again = correlator.correlate(draft("hello", later), later)
    assert first is not None
    assert again is not None
    assert (again.name, again.count, again.first_ns, again.last_ns) == (first.name, 2, T0, later)


def test_the_tenth_similar_message_is_combined() -> None:
    """Nine of their own; the tenth and all after it are one Event whose message is the latest."""
    correlator = Correlator()
    results = [correlator.correlate(draft(f"pod {n}", T0 + n), T0 + n) for n in range(12)]
    told = [result for result in results if result is not None]
    assert [result.count for result in told] == [1] * 10 + [2, 3]
    assert [result.message for result in told[8:]] == ["pod 8", *(f"{COMBINED}pod {n}" for n in (9, 10, 11))]
    assert len({result.name for result in told}) == 10
    assert not told[9].reporting


def test_ten_quiet_minutes_end_the_similarity() -> None:
    """After more than 600 s without one, a new message is an Event of its own."""
    correlator = Correlator()
    for n in range(12):
        correlator.correlate(draft(f"pod {n}", T0), T0)
    later = T0 + 601 * SECOND
    result = correlator.correlate(draft("pod 99", later), later)
    assert result is not None
    assert result.message == "pod 99"


def test_after_a_burst_of_25_one_in_five_minutes_is_written() -> None:
    """Of one source and object, whatever the reason; what is skipped was counted."""
    correlator = Correlator()
    counts = [correlator.correlate(draft("hello", T0), T0) for _ in range(30)]
    assert [result is not None for result in counts] == [True] * 25 + [False] * 5
    later = T0 + 301 * SECOND
    result = correlator.correlate(draft("hello", later), later)
    assert result is not None
    assert result.count == 31


def test_an_expired_event_is_created_again_with_its_count() -> None:
    """An hour after its last write the PATCH finds nothing: the same name, another uid, the old first time."""
    world = World()
    recorder = Legacy(world, Source("kubelet", "node-1"))
    for gap in (0, 10, 4000):
        world.run(gap)
        recorder.emit("u", POD, "Created", "Container created")
        world.run(1)
    first, second, third = written(world)
    assert first.uid == second.uid != third.uid
    assert first.name == third.name
    assert (second.count, third.count, third.first_ns) == (2, 3, first.first_ns)


def test_a_throttled_recorder_is_late_but_its_times_are_not() -> None:
    """Each write takes its time, in order; firstTimestamp is when it was said."""
    world = World()
    recorder = Legacy(world, Source("replicaset-controller"), write_s=2.0)
    for n in range(5):
        recorder.emit("u", POD, "SuccessfulCreate", f"Created pod: {n}")
    world.run(20)
    assert {event.first_ns for event in written(world)} == {T0}
    assert world.lines[-1].at_ns >= T0 + 10 * SECOND


def test_a_series_is_written_at_its_second_time_and_when_it_is_over() -> None:
    """tools/events: the third to the last stay in memory until it has been quiet for six minutes."""
    world = World()
    recorder = Modern(world, "default-scheduler")
    for _ in range(5):
        recorder.emit("u", POD, "FailedScheduling", "Scheduling", "0/3 nodes are available", warning=True)
        world.run(60)
    world.run(1200)
    assert [event.series_count for event in written(world)] == [0, 2, 5]
    assert written(world)[0].event_time_ns == T0
