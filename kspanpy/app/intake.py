"""The inbox between the watches and the linker, and who loses what when it can not keep up.

As long as the linker keeps up nobody is limited. A burst makes the watches wait, through TCP, and nothing is lost. But all namespaces
share one watch of Events: if it had to wait for long, everybody would pay for the one who floods. So when the inbox has been
under pressure for a while, a namespace that holds more of it than its share loses its newest Events, until the linker has caught up. They are
counted (`DiscardReason.FLOOD`) and logged by namespace; under pressure the watch asks before it reads an Event. Objects, which the tree is made of, always wait.

The share is that of the buffers of a network switch (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
switches", 1998): a fixed part of the room that is free. It needs no rates and no history: one who floods finds little room left for more
of the same, while there is always room for the others, however many flood. Who holds nothing is never limited.

`Shares` and `Losses` decide and know no clock; `Inbox` is the queue that asks them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from queue import Queue
from typing import Final, NamedTuple

from kspanpy.core.steps import EventSeen, Input
from kspanpy.state import Target

_log = logging.getLogger(__name__)

PATIENCE_S: Final = 1.0
"""So long the watches wait before anything is dropped."""

BACKLOG_PATIENCE_S: Final = 20.0
"""... and with what had piled up before: a list, a watch that was resumed after an outage. It is long but has an end."""

REPORT_S: Final = 60.0
MAX_NAMED: Final = 100  # namespaces that are logged by name at a time

_NORMAL: Final = 8  # this part of the free room: one who floods holds a ninth of the inbox
_WARNING: Final = 4  # ... and a fifth of it with Warnings


class Shares:
    """How much of the inbox each namespace holds, and whether it may have more.

    Pressure begins when a quarter of the inbox is taken, and ends when it is all but empty. Grows with the namespaces that have something in
    the inbox; each question costs the same.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._high, self._low = max(capacity // 4, 1), capacity // 16
        self._held: Counter[str] = Counter()
        self._waiting = 0
        self._since_s: float | None = None  # when pressure began

    def put(self, namespace: str | None) -> None:
        """One more is in the inbox; None: no Event."""
        self._waiting += 1
        if namespace is not None:
            self._held[namespace] += 1

    def taken(self, namespace: str | None) -> None:
        """One has left it."""
        self._waiting -= 1
        if namespace is not None:
            self._held[namespace] -= 1
            if not self._held[namespace]:
                del self._held[namespace]

    @property
    def pressed(self) -> bool:
        """Whether there is pressure, as far as `admit` has seen."""
        return self._since_s is not None

    def admit(self, namespace: str, *, warning: bool, backlog: bool, now_s: float) -> bool:
        """False for an Event that is to be dropped."""
        if self._waiting <= self._low:
            self._since_s = None
        elif self._since_s is None and self._waiting >= self._high:
            self._since_s = now_s
        if self._since_s is None or now_s - self._since_s < (BACKLOG_PATIENCE_S if backlog else PATIENCE_S):
            return True
        free = max(self._capacity - self._waiting, 0)
        return self._held[namespace] < max(free // (_WARNING if warning else _NORMAL), 1)


class Losses:
    """What has been dropped, by namespace, until it has been reported: when it begins, and then once a minute.

    Grows with the namespaces that lose something, up to `MAX_NAMED`.
    """

    def __init__(self) -> None:
        self.total = 0
        self._lost: dict[str, int] = {}
        self._more = 0  # of namespaces beyond those that are named
        self._reported_s: float | None = None

    def note(self, namespace: str, now_s: float) -> str | None:
        """One is dropped; what to log, if that is news."""
        self.total += 1
        if namespace not in self._lost and len(self._lost) >= MAX_NAMED:
            self._more += 1
            return None
        if self._reported_s is None:
            self._reported_s = now_s
        news = namespace not in self._lost
        self._lost[namespace] = self._lost.get(namespace, 0) + 1
        return (
            f"namespace {namespace!r} writes Events faster than they can be taken in: it loses the newest"
            if news
            else None
        )

    def report(self, now_s: float) -> list[str]:
        """What to log, once a minute; a namespace that has lost nothing since is forgotten."""
        if self._reported_s is None or now_s - self._reported_s < REPORT_S:
            return []
        lines = [
            f"namespace {namespace!r} lost {lost} Events in the last minute: it wrote faster than they could be taken in"
            for namespace, lost in self._lost.items()
            if lost
        ]
        if self._more:
            lines.append(f"other namespaces lost {self._more} Events in the last minute")
        self._lost = {namespace: 0 for namespace, lost in self._lost.items() if lost}
        self._more = 0
        self._reported_s = now_s if self._lost else None
        return lines


class Arrival(NamedTuple):
    """What was received when, and how far it moves which watch. No fact: something that says nothing to the linker, an expired Event."""

    received_ns: int
    fact: Input | None
    target: Target = ("", "")
    cursor: str = ""


class Inbox(Queue[Arrival]):
    """A queue of what arrives. `put` waits while it is full, and drops what `Shares` does not admit.

    Grows with what waits, up to its capacity in items; an Event takes about 1 KB.
    """

    def __init__(self, capacity: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(capacity)
        self._shares = Shares(capacity)
        self._losses = Losses()
        self._monotonic = monotonic

    @property
    def dropped(self) -> int:
        """Events that were not admitted."""
        return self._losses.total

    @property
    def needed(self) -> bool:
        """Whether `drops` may say yes."""
        return self._shares.pressed

    def drops(self, namespace: str, *, warning: bool, backlog: bool) -> bool:
        """Whether an Event of this namespace is not admitted now. If so it counts as dropped, and need not be read."""
        now_s = self._monotonic()
        with self.mutex:
            if self._shares.admit(namespace, warning=warning, backlog=backlog, now_s=now_s):
                return False
            news = self._losses.note(namespace, now_s)
        if news:
            _log.warning(news)
        return True

    def offer(self, item: Arrival, *, timeout: float, backlog: bool = False) -> bool:
        """Puts it in, or drops it and gives False. Raises `queue.Full` after `timeout` seconds: ask again, it may be dropped by then."""
        fact = item.fact
        if isinstance(fact, EventSeen):
            event = fact.event
            if self.drops(event.namespace, warning=event.type == "Warning", backlog=backlog):
                return False
        self.put(item, timeout=timeout)
        return True

    def report(self) -> None:
        """Logs what was lost, if a minute is over. To be called now and then."""
        if not self._losses.total:
            return
        with self.mutex:
            lines = self._losses.report(self._monotonic())
        for line in lines:
            _log.warning(line)

    def _put(self, item: Arrival) -> None:
        super()._put(item)
        self._shares.put(_namespace(item))

    def _get(self) -> Arrival:
        item = super()._get()
        self._shares.taken(_namespace(item))
        return item


def _namespace(item: Arrival) -> str | None:
    return item.fact.event.namespace if isinstance(item.fact, EventSeen) else None
