"""The changes of a workload that nobody can show, as far as its controllers' Events tell of them.

Where objects can be read, generations cut a life into chapters and nothing here is asked. With Events alone:

- a Deployment: scaling up another ReplicaSet than before begins a rollout; scaling the only one begins a scale;
- another owner of Pods: its controller acts again after it has been quiet for a while.

What is heard of an object before it is known whether it will be shown is kept (bounded), and taken in order of time.
"""

from __future__ import annotations

import re
from collections import OrderedDict

from kspanpy.core.changes.change import UNKNOWN, Change
from kspanpy.core.model import SECOND, Event, Object
from kspanpy.core.objects.catalog import Record
from kspanpy.core.stories.shape import Chapter
from kspanpy.core.timing import Occurrence

UNORDERED_NS = SECOND  # the Events of one change are written within so long, in any order
QUIET_NS = 5 * SECOND  # controllers go on at once when a Pod is ready; people do not
MAX_HEARD = 256  # of one object
_ACTS = frozenset({"SuccessfulCreate", "SuccessfulDelete", "FailedCreate"})
_SCALED = re.compile(
    r"Scaled (?P<way>up|down) replica set (?P<rs>\S+) (?:from (?P<f>\d+) to (?P<t>\d+)|to (?P<t2>\d+)(?: from (?P<f2>\d+))?)"
)
_SUMMARY = "as its Events tell"


class Heard:
    """What Events told of one workload."""

    __slots__ = ("acted_ns", "current", "sizes", "waiting")

    def __init__(self) -> None:
        self.waiting: list[tuple[Occurrence, Event]] = []  # at most MAX_HEARD
        self.current = ""  # the ReplicaSet that was scaled up last
        self.sizes: dict[str, int] = {}  # by ReplicaSet; at most MAX_HEARD
        self.acted_ns: int | None = None


class Hearsay:
    """What Events told of workloads, by namespace and uid."""

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._heard: OrderedDict[tuple[str, str], Heard] = OrderedDict()

    def hear(self, event: Event, occ: Occurrence) -> None:
        """An Event about an object that has not been shown yet."""
        if event.reason not in _ACTS and event.reason != "ScalingReplicaSet":
            return
        heard = self._heard.setdefault((event.involved.namespace, event.involved.uid), Heard())
        if len(heard.waiting) < MAX_HEARD:
            heard.waiting.append((occ, event))
        if len(self._heard) > self._capacity:
            self._heard.popitem(last=False)

    def forget(self, obj: Object) -> None:
        """It has been shown: its own history counts."""
        self._heard.pop((obj.namespace, obj.uid), None)

    def changes(self, record: Record) -> list[Chapter]:
        """The changes that have been heard of since the last call, in order of time."""
        heard = self._heard.get((record.object.namespace, record.uid))
        if heard is None or not heard.waiting:
            return []
        waiting, heard.waiting = sorted(heard.waiting, key=lambda entry: entry[0].at_ns), []
        found = []
        for occ, event in waiting:
            phase = self._phase(heard, record, event, occ)
            if phase:
                change = Change(phase, _SUMMARY, UNKNOWN, occ.at_ns)
                found.append(Chapter(record, phase=phase, change=change, rv=None, at_ns=occ.at_ns - UNORDERED_NS))
                if record.kind != "Job":  # it runs once
                    found[-1].key = f"{event.uid}/{occ.n}"
        return found

    @staticmethod
    def _phase(heard: Heard, record: Record, event: Event, occ: Occurrence) -> str:
        scaled = _SCALED.search(event.message) if event.reason == "ScalingReplicaSet" else None
        if scaled is not None:
            before = {rs: size for rs, size in heard.sizes.items() if size and rs != scaled["rs"]}
            heard.sizes[scaled["rs"]] = int(scaled["t"] or scaled["t2"])
            if len(heard.sizes) > MAX_HEARD:
                heard.sizes.pop(next(iter(heard.sizes)))
            if scaled["way"] == "up" and scaled["rs"] != heard.current:
                heard.current = scaled["rs"]
                return "rollout"
            if scaled["way"] == "down" and scaled["rs"] == heard.current and before:
                heard.current = max(before, key=lambda rs: before[rs])  # never in a rollout: it is rolled back
                heard.acted_ns = occ.latest_ns
                return "rollout"
            if scaled["rs"] == heard.current and not before:
                goes_on = heard.acted_ns is not None and occ.at_ns - heard.acted_ns <= QUIET_NS  # with what began so
                return "" if goes_on else "scale"
            if not heard.current:  # the first thing that is heard: a rollout that was under way
                heard.current = scaled["rs"] if scaled["way"] == "up" else ""
                return "rollout"
            return ""
        if event.reason not in _ACTS or record.rule.follows:
            return ""
        if not record.rule.changed:  # a Job runs once
            first, heard.acted_ns = heard.acted_ns is None, occ.latest_ns
            return record.rule.created if first else ""
        quiet = heard.acted_ns is None or occ.at_ns - heard.acted_ns > QUIET_NS
        heard.acted_ns = occ.latest_ns
        return "rollout" if quiet else ""


def scaled(event: Event) -> str:
    """The ReplicaSet that a Deployment says it has scaled; empty for any other Event."""
    found = _SCALED.search(event.message) if event.reason == "ScalingReplicaSet" else None
    return "" if found is None else found["rs"]
