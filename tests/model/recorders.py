"""How the recorders of client-go make Events of what controllers tell them. Facts: client-go tools/record, tools/events.

`Correlator` is the legacy one: aggregate, count, filter. Pure: what was emitted and the time in, what is to be written out.
`Legacy` and `Modern` write that to a world, one write after another, each as slow as the emitter's client is throttled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from kspanpy.core.model import SECOND, Event, ObjectReference
from tests.model.world import Emission, World, whole

COMBINED = "(combined from similar events): "
MAX_EVENTS, MAX_INTERVAL_NS = 10, 600 * SECOND
BURST, REFILL_NS = 25, 300 * SECOND
TTL_NS = 3600 * SECOND
REFRESH_NS, FINISH_NS = 1800 * SECOND, 360 * SECOND


@dataclass(frozen=True)
class Source:
    """Who emits."""

    component: str
    host: str = ""


@dataclass(frozen=True)
class Draft:
    """An Event before it is written. `name` holds its first nanosecond; `reporting` is lost when events are combined."""

    involved: ObjectReference
    type: str
    reason: str
    message: str
    name: str
    first_ns: int
    last_ns: int
    count: int = 1
    reporting: bool = True


def name_of(involved: ObjectReference, at_ns: int) -> str:
    """`GenerateEventName`."""
    return f"{involved.name}.{at_ns:x}"


class Correlator:
    """`EventCorrelator` of one broadcaster with one source: EventAggregator, eventLogger, EventSourceObjectSpamFilter."""

    def __init__(self) -> None:
        self._similar: dict[tuple[object, ...], tuple[dict[str, None], int]] = {}
        self._known: dict[tuple[object, ...], Draft] = {}
        self._budget: dict[tuple[object, ...], tuple[float, int]] = {}

    def correlate(self, draft: Draft, now_ns: int) -> Draft | None:
        """What to write: a new Event (count 1), a PATCH (count above 1), or nothing."""
        draft, key = self._aggregate(draft, now_ns)
        known = self._known.get(key)
        if known is not None:
            draft = replace(draft, name=known.name, first_ns=known.first_ns, count=known.count + 1)
        self._known[key] = draft
        return draft if self._may(draft, now_ns) else None

    def _aggregate(self, draft: Draft, now_ns: int) -> tuple[Draft, tuple[object, ...]]:
        thing = _without_version(draft.involved)
        key = (thing, draft.type, draft.reason, draft.message, draft.involved.field_path)
        group = (thing, draft.type, draft.reason)
        messages, last_ns = self._similar.get(group, ({}, 0))
        if now_ns - last_ns > MAX_INTERVAL_NS:
            messages = {}
        messages[draft.message] = None
        self._similar[group] = messages, now_ns
        if len(messages) < MAX_EVENTS:
            return draft, key
        del messages[next(iter(messages))]
        name = name_of(draft.involved, now_ns)
        message = draft.message if draft.message.startswith(COMBINED) else COMBINED + draft.message
        combined = replace(draft, name=name, message=message, first_ns=now_ns, last_ns=now_ns, reporting=False)
        return combined, group

    def _may(self, draft: Draft, now_ns: int) -> bool:
        key = (_without_version(draft.involved), draft.type)
        tokens, since_ns = self._budget.get(key, (float(BURST), now_ns))
        tokens = min(float(BURST), tokens + (now_ns - since_ns) / REFILL_NS)
        self._budget[key] = (tokens - 1 if tokens >= 1 else tokens), now_ns
        return tokens >= 1


def _without_version(involved: ObjectReference) -> ObjectReference:
    return msgspec.structs.replace(involved, resource_version=None, field_path="")


class Legacy:
    """`tools/record`: one goroutine that writes what the correlator lets pass, in order."""

    def __init__(self, world: World, source: Source, *, write_s: float = 0.004) -> None:
        self._world = world
        self._source = source
        self.write_s = write_s
        self._correlator = Correlator()
        self._free_ns = 0
        self._stored: dict[str, tuple[Event, int]] = {}  # by name; until when

    def emit(self, about: str, involved: ObjectReference, reason: str, message: str, *, warning: bool = False) -> None:
        """`Eventf`."""
        now_ns = self._world.now_ns
        type_ = "Warning" if warning else "Normal"
        draft = Draft(involved, type_, reason, message, name_of(involved, now_ns), now_ns, now_ns)
        begin_ns = max(now_ns, self._free_ns)
        result = self._correlator.correlate(draft, begin_ns)
        if result is None:
            return
        self._free_ns = begin_ns + int(self.write_s * SECOND)
        emission = Emission(about, now_ns, reason, message)
        self._world.after((self._free_ns - now_ns) / SECOND, lambda: self._write(result, emission))

    def _write(self, draft: Draft, emission: Emission) -> None:
        world = self._world
        now_ns, rv = world.now_ns, world.version()
        event, until_ns = self._stored.get(draft.name, (None, 0))
        if draft.count > 1 and event is not None and now_ns < until_ns:
            event = msgspec.structs.replace(
                event, resource_version=rv, count=draft.count, last_ns=whole(draft.last_ns), message=draft.message
            )
            world.log("MODIFIED", event)
        else:
            source = self._source
            event = Event(
                uid=f"event-{world.number()}",
                name=draft.name,
                namespace=draft.involved.namespace or "default",
                involved=draft.involved,
                reason=draft.reason,
                message=draft.message,
                type=draft.type,
                component=source.component,
                instance=source.host if draft.reporting else "",
                host=source.host,
                resource_version=rv,
                count=draft.count,
                first_ns=whole(draft.first_ns),
                last_ns=whole(draft.last_ns),
                created_ns=whole(now_ns),
            )
            world.log("ADDED", event)
        self._stored[draft.name] = event, now_ns + TTL_NS
        world.emissions[event.uid, draft.count] = emission


class Modern:
    """`tools/events`: microseconds; the second time a series, from then on in memory until refreshed or finished."""

    def __init__(self, world: World, component: str) -> None:
        self._world = world
        self._component = component
        self._cache: dict[tuple[object, ...], tuple[Event, Emission]] = {}
        self._busy = False

    def emit(
        self, about: str, involved: ObjectReference, reason: str, action: str, note: str, *, warning: bool
    ) -> None:
        """`Eventf`."""
        world = self._world
        now_ns = world.now_ns // 1000 * 1000
        type_ = "Warning" if warning else "Normal"
        key = (type_, action, reason, involved)
        emission = Emission(about, now_ns, reason, note)
        known = self._cache.get(key)
        if known is None:
            event = Event(
                uid=f"event-{world.number()}",
                name=name_of(involved, now_ns),
                namespace=involved.namespace or "default",
                involved=involved,
                reason=reason,
                message=note,
                type=type_,
                action=action,
                component=self._component,
                instance=f"{self._component}-1",
                event_time_ns=now_ns,
                created_ns=whole(now_ns),
            )
            self._write(key, event, emission, "ADDED")
        else:
            event = msgspec.structs.replace(
                known[0], series_count=(known[0].series_count or 1) + 1, series_last_ns=now_ns
            )
            if event.series_count == 2:
                self._write(key, event, emission, "MODIFIED")
            else:
                self._cache[key] = event, emission
        if not self._busy:
            self._busy = True
            world.after(FINISH_NS / SECOND, self._finish)

    def _write(self, key: tuple[object, ...], event: Event, emission: Emission, type_: str) -> None:
        event = msgspec.structs.replace(event, resource_version=self._world.version())
        self._cache[key] = event, emission
        self._world.log(type_, event)
        self._world.emissions[event.uid, event.series_count or 1] = emission

    def _finish(self) -> None:
        """`finishSeries`: what was quiet for six minutes is written once more and forgotten."""
        world = self._world
        for key, (event, emission) in list(self._cache.items()):
            if world.now_ns - (event.series_last_ns or event.event_time_ns or 0) > FINISH_NS:
                if (event.uid, event.series_count or 1) not in world.emissions:
                    self._write(key, event, emission, "MODIFIED")
                del self._cache[key]
        self._busy = bool(self._cache)
        if self._busy:
            world.after(FINISH_NS / SECOND, self._finish)
