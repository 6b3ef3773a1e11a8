"""A process that has lost its state begins with what the API server shows: nothing is lost, and what can be seen again is told as before."""

from __future__ import annotations

from collections import Counter

from kspanpy.core.linker import Linker
from kspanpy.core.model import Event, Object, Span
from kspanpy.core.steps import EventSeen, ObjectGone, ObjectSeen, WatchProgress
from kspanpy.core.telling.attributes import is_event, is_root
from tests.state.recordings import RECORDINGS, SETTINGS, Taken, ended, feed, inputs_of

CUTS = (0.3, 0.6)


def shown(taken: list[Taken], now_ns: int) -> tuple[dict[str, Object], list[Taken]]:
    """What lists show after all this: the objects that are there (by uid), and the inputs of a start."""
    objects: dict[str, Object] = {}
    events: dict[str, Event] = {}
    for _, fact in taken:
        if isinstance(fact, ObjectSeen):
            objects[fact.object.uid] = fact.object
        elif isinstance(fact, ObjectGone):
            objects.pop(fact.object.uid, None)
        elif isinstance(fact, EventSeen):
            events[fact.event.uid] = fact.event
    newest = max([thing.resource_version or 0 for thing in objects.values()], default=1)
    start: list[Taken] = [(now_ns, ObjectSeen(thing)) for thing in objects.values()]
    start += [(now_ns, WatchProgress(kind, newest)) for kind in {thing.kind for thing in objects.values()}]
    start += [(now_ns, EventSeen(event)) for event in sorted(events.values(), key=_when)]
    return objects, [*start, (now_ns, WatchProgress("Event", newest))]


def _when(event: Event) -> int:
    return event.series_last_ns or event.last_ns or event.event_time_ns or event.first_ns or 0


def why(before: Span, root: Span | None, objects: dict[str, Object]) -> str:
    """What a process that begins anew can not see of the span's story; empty: all of it is there."""
    if root is None:
        return "its story was not told"
    owner = objects.get(str(root.attributes["k8s.object.uid"]))
    if owner is None:
        return "its root object has gone"
    if root.name.endswith((" incident", " outage", " activity")):
        return "what began its episode has been overwritten"
    if owner.generation != root.attributes.get("k8s.object.generation", owner.generation):
        return "its change is not the newest any more"
    return "" if before.attributes.get("k8s.object.uid") in objects else "its object has gone"


def test_in_all_recordings() -> None:
    """36 recordings, each begun anew at 30 and at 60 %."""
    count: Counter[str] = Counter()
    for path in RECORDINGS:
        recording = inputs_of(path)
        whole = Linker(SETTINGS)
        expected = [*feed(whole, recording), *ended(whole, recording[-1][0])]
        roots = {span.trace_id: span for span in expected if is_root(span)}
        for cut in CUTS:
            at = int(cut * len(recording))
            sent = {span.span_id: span for span in feed(Linker(SETTINGS), recording[:at])}
            objects, start = shown(recording[:at], recording[at][0])
            linker = Linker(SETTINGS)
            told = [*feed(linker, [*start, *recording[at:]]), *ended(linker, recording[-1][0])]
            delivered = sent.keys() | {span.span_id for span in told}
            count["lost"] += sum(is_event(span) and span.span_id not in delivered for span in expected)
            for span in told:
                before = sent.get(span.span_id)
                if before is None or not is_event(span):
                    continue
                reason = why(before, roots.get(before.trace_id), objects) or "all of it can be seen"
                count[f"{'the same' if span == before else 'another'}: {reason}"] += 1
    assert count["lost"] == 0
    same, other = count["the same: all of it can be seen"], count["another: all of it can be seen"]
    assert same > 1_500, count
    assert other <= same / 100, count
