"""Which of an Event's times to believe, and how far.

Events carry up to seven times, most of them null, some whole seconds, some later than the fact. The order of trust:

1. a series' lastObservedTime (microseconds),
2. eventTime (microseconds; client-go's tools/events),
3. the name's suffix: client-go names an Event `<object>.<hex of UnixNano>` with the clock reading of its first occurrence
   (client-go tools/record/util/util.go, GenerateEventName) - believed only if firstTimestamp agrees to the second,
4. lastTimestamp, a truncated second,
5. metadata.creationTimestamp, then the time of receipt.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from string import hexdigits

import msgspec

from kspanpy.core.model import SECOND, Event

_LAST_NS = 253_402_300_799 * SECOND
_LOWER_HEX = frozenset(hexdigits.lower())


class Occurrence(msgspec.Struct, frozen=True, gc=False):
    """One observed step of one Event: its number, its time, and how much later the true time may be (both ns)."""

    n: int
    at_ns: int
    slack_ns: int

    @property
    def latest_ns(self) -> int:
        """The last instant at which it can have happened."""
        return self.at_ns + self.slack_ns


def occurrence(event: Event, received_ns: int) -> Occurrence:
    """The newest step that this version of an Event shows."""
    n = event.series_count or event.count or 1
    if event.series_last_ns is not None and n > 1:
        return Occurrence(n, event.series_last_ns, 0)
    if event.event_time_ns is not None:
        return Occurrence(n, event.event_time_ns, 0)
    first, last = event.first_ns, event.last_ns
    if last is None:
        last = first
    if first is not None and first == last and n == 1:
        exact = name_clock(event.name)
        if exact is not None and exact // SECOND == first // SECOND:
            return Occurrence(n, exact, 0)
    if last is not None:
        return Occurrence(n, last, _slack(last))
    if event.created_ns is not None:
        return Occurrence(n, event.created_ns, _slack(event.created_ns))
    return Occurrence(n, received_ns, 0)


def name_clock(name: str) -> int | None:
    """The nanoseconds in an Event's name, if it ends as client-go ends it."""
    _, dot, suffix = name.rpartition(".")
    if dot and 15 <= len(suffix) <= 16 and _LOWER_HEX.issuperset(suffix):
        return int(suffix, 16)
    return None


def instant(seconds_ns: int | None, received_ns: int) -> int:
    """When something happened that the cluster dates by a truncated second and that was seen at `received_ns`.

    The true time lies in that second and before the receipt; where the clocks disagree, the cluster's second wins.
    """
    if seconds_ns is None:
        return received_ns
    return min(max(received_ns, seconds_ns), seconds_ns + SECOND)


def rfc3339(at_ns: int) -> str:
    """Microseconds since 1970 as text; a time that no calendar holds becomes its nearest edge."""
    if not 0 <= at_ns <= _LAST_NS:
        at_ns = min(max(at_ns, 0), _LAST_NS)
    at_s, rest_ns = divmod(at_ns, SECOND)
    return f"{_second(at_s)}.{rest_ns // 1000:06}Z"


@lru_cache(maxsize=1024)  # what happens at about the same time shares its second; strftime costs as much as a span
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _slack(at_ns: int) -> int:
    return SECOND if at_ns % SECOND == 0 else 0
