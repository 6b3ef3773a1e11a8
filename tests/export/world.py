"""The delivery in virtual time: a queue, its shelf, a simulated receiver, and a clock that jumps to whatever is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kspanpy.export import DropReason, QueueLimits
from kspanpy.export.delivery import Delivery, Send
from kspanpy.export.queue import EncodedSpan, SpanQueue
from kspanpy.export.retry import Accepted, Backoff, Outcome
from kspanpy.export.shelf import Shelf
from kspanpy.export.shelving import Shelving


class Receiver:
    """Answers by `rule(ids of the request)`; keeps what it took and when it was asked."""

    def __init__(self, rule: Callable[[list[int]], Outcome]) -> None:
        self.rule = rule
        self.took: list[int] = []
        self.asked_ns: list[int] = []
        self.payloads: list[bytes] = []

    def answer(self, action: Send, now_ns: int) -> Outcome:
        """The outcome of one request."""
        ids = [int.from_bytes(one.key, "big") for one in action.spans]
        self.asked_ns.append(now_ns)
        self.payloads.append(action.payload)
        outcome = self.rule(ids)
        if isinstance(outcome, Accepted):
            self.took += ids
        return outcome


class World:
    """See the module. `first`: the id of the first span that will be offered. `takes_ns`: how long each request lasts."""

    def __init__(
        self,
        rule: Callable[[list[int]], Outcome],
        *,
        jitter: float = 0.5,
        shelf: Shelf | None = None,
        first: int = 1,
        takes_ns: int = 0,
        **limits: int,
    ) -> None:
        self.now_ns = 0
        self.count = first - 1
        self.takes_ns = takes_ns
        self.receiver = Receiver(rule)
        self.queue = SpanQueue(QueueLimits(**limits))
        self.delivery = Delivery(self.queue, self.assemble, backoff=Backoff(jitter=lambda: jitter))
        self.shelving = Shelving(shelf, self.queue, threading.RLock(), lambda: self.now_ns)

    @staticmethod
    def assemble(spans) -> bytes:
        """Stands for the encoder: the ids."""
        return b"".join(one.key for one in spans)

    def offer(self, count: int, size: int = 500) -> None:
        """That many new spans now."""
        spans = []
        for _ in range(count):
            self.count += 1
            spans.append(EncodedSpan(self.count.to_bytes(24, "big"), "s", bytes(size)))
        if spans:
            self.shelving.put(spans, self._enqueue)

    def _enqueue(self, spans) -> None:
        for span in spans:
            self.queue.put(span, self.now_ns)

    def run(self, until_ns: int | None = None, *, hurry: bool = False) -> None:
        """Do what the delivery says until then, or until nothing is left to do."""
        while True:
            self.shelving.tend()
            action = self.delivery.next(self.now_ns, flush=hurry)
            if isinstance(action, Send):
                self.now_ns += self.takes_ns
                self.delivery.resolve(self.receiver.answer(action, self.now_ns), self.now_ns, hurry=hurry)
                self.balanced()
                continue
            times = [time for time in (action.until_ns, self.shelving.retry_ns) if time is not None]
            if not times or (until_ns is not None and min(times) > until_ns):
                break
            self.now_ns = max(self.now_ns, min(times))
        self.now_ns = max(self.now_ns, until_ns or 0)

    def stop(self) -> int:
        """The process ends; how many spans are lost."""
        self.shelving.close()
        lost = self.delivery.abandon(DropReason.SHUTDOWN)
        self.balanced()
        return lost

    def balanced(self) -> None:
        """Emitted = acknowledged + dropped + queued + in flight + left."""
        queue = self.queue
        settled = queue.acknowledged + sum(queue.dropped.values()) + queue.left
        assert queue.emitted == settled + queue.queued + queue.in_flight

    @property
    def in_memory(self) -> int:
        """Bytes of spans in memory."""
        return self.queue._waiting_bytes + self.queue.in_flight_bytes

    @property
    def dropped(self) -> dict[DropReason, int]:
        """The reasons that occurred."""
        return {reason: count for reason, count in self.queue.dropped.items() if count}
