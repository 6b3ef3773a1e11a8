"""The delivery in virtual time over a real transport: real bytes, real servers, and pauses that cost nothing.

What decides (queue, delivery) and what sends (one attempt of a sender) are the service's own; only its thread is replaced by a loop whose
clock jumps to whatever is waited for.
"""

from __future__ import annotations

from typing import Self

from kspanpy.export import DropReason, OtlpSettings, QueueLimits, otlp_sender
from kspanpy.export.delivery import Delivery, Send
from kspanpy.export.encode import Encoder
from kspanpy.export.queue import SpanQueue
from kspanpy.export.retry import Backoff, Outcome
from tests.export.spans import spans
from tests.fakes.collector import FakeCollector

PROTOCOLS = {"grpc": "grpc", "http": "http/protobuf"}


def settings_for(protocol: str, port: int, **changes) -> OtlpSettings:
    """Settings that lead to that port."""
    scheme = "https" if "certificate" in changes else "http"
    path = "" if protocol == "grpc" else "/v1/traces"
    return OtlpSettings(protocol=PROTOCOLS[protocol], endpoint=f"{scheme}://127.0.0.1:{port}{path}", **changes)


class Wire:
    """See the module. `port`: of what is in front of the collector, such as a proxy."""

    def __init__(self, collector: FakeCollector, *, port: int = 0, timeout_s: float = 5.0, **limits: int) -> None:
        self.now_ns = 0
        self.offered = 0
        self.timeout_s = timeout_s
        self.outcomes: list[Outcome] = []
        self.asked_ns: list[int] = []
        self.encoder = Encoder({})
        self.sender = otlp_sender(settings_for(collector.protocol, port or collector.port))
        self.queue = SpanQueue(QueueLimits(**limits))
        self.delivery = Delivery(self.queue, self.encoder.assemble, backoff=Backoff(jitter=lambda: 0.5))

    def offer(self, count: int) -> None:
        """That many new spans now."""
        for one in spans(count, self.offered + 1):
            encoded = self.encoder.encode_span(one)
            assert not isinstance(encoded, DropReason)
            self.queue.put(encoded, self.now_ns)
        self.offered += count

    def run(self, *, attempts: int = 10_000) -> None:
        """Until nothing is left to do, or so many attempts were made."""
        while attempts:
            action = self.delivery.next(self.now_ns, flush=True)
            if isinstance(action, Send):
                attempts -= 1
                outcome = self.sender.send(action.payload, timeout_s=self.timeout_s)
                self.outcomes.append(outcome)
                self.asked_ns.append(self.now_ns)
                self.delivery.resolve(outcome, self.now_ns)
                queue = self.queue
                settled = queue.acknowledged + sum(queue.dropped.values())
                assert queue.emitted == settled + queue.queued + queue.in_flight
            elif action.until_ns is None:
                return
            else:
                self.now_ns = max(self.now_ns, action.until_ns)

    @property
    def dropped(self) -> dict[DropReason, int]:
        """The reasons that occurred."""
        return {reason: count for reason, count in self.queue.dropped.items() if count}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sender.close()
