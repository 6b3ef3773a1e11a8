"""Answers to `LookupOwner`: the metadata of objects of kinds that are not watched, such as a custom resource that owns a Deployment.

Only metadata is fetched (PartialObjectMetadata): specs, and what they may hold, never enter this process. Answers come from one worker
thread through `deliver_step`, never from within `request`, so the linker may ask while it is stepping. Every question gets exactly one
answer, unless the same is already on its way. The API server is spared: a cache, also of what was not found, and five requests a second.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from kspanpy.core import steps
from kspanpy.core.model import Object, ObjectReference
from kspanpy.decode import object_from
from kspanpy.kube.client import METADATA_ONLY, Client, Response
from kspanpy.kube.clock import Clock, SystemClock
from kspanpy.kube.discovery import Discovery, object_path
from kspanpy.kube.failures import FailureReason, TransportError, of_status, retry_after

_log = logging.getLogger(__name__)

Answer: TypeAlias = steps.ObjectSeen | steps.OwnerMissing

FORBIDDEN: Final = "forbidden"
NOT_FOUND: Final = "not found"
UNAVAILABLE: Final = "unavailable"

_RATE: Final = 5.0
_BURST: Final = 20.0
_FOUND_S: Final = 300.0
_KEPT_S: Final = {FORBIDDEN: 300.0, NOT_FOUND: 60.0, UNAVAILABLE: 10.0}
_LONGEST_PAUSE_S: Final = 60.0


@dataclass(slots=True)
class LookupCounters:
    """Plain numbers that only grow."""

    requests: int = 0
    cached: int = 0
    found: int = 0
    forbidden: int = 0
    not_found: int = 0
    unavailable: int = 0
    refused: int = 0  # the queue was full: answered as unavailable
    lost: int = 0  # so many were refused at once that not even that could be told


class TokenBucket:
    """At most `burst` at once and `rate` a second in the long run. Pure."""

    def __init__(self, *, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, 0.0

    def take(self, *, now: float) -> float:
        """Take one and give the seconds to wait before using it."""
        self._tokens = min(self._burst, self._tokens + max(now - self._at, 0.0) * self._rate)
        self._at = max(now, self._at)
        self._tokens -= 1.0
        return max(-self._tokens / self._rate, 0.0)


class OwnerLookup:
    """Start it, ask it, stop it. `capacity` bounds the remembered answers, `queue_capacity` the open questions."""

    def __init__(
        self,
        client: Client,
        *,
        capacity: int = 10_000,
        queue_capacity: int = 1_000,
        deliver_step: Callable[[Answer], None],
        clock: Clock | None = None,
    ) -> None:
        self.counters = LookupCounters()
        self._client = client
        self._capacity = capacity
        self._queue_capacity = queue_capacity
        self._deliver = deliver_step
        self._clock = clock or SystemClock()
        self._discovery = Discovery(client)
        self._bucket = TokenBucket(rate=_RATE, burst=_BURST)
        self._cache: OrderedDict[ObjectReference, tuple[float, Answer]] = OrderedDict()
        self._lock = threading.Lock()
        self._queue: OrderedDict[ObjectReference, None] = OrderedDict()
        self._refused: deque[ObjectReference] = deque(maxlen=queue_capacity)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="owner-lookup", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self, deadline_s: float = 1.0) -> bool:
        """Answer no more; True when the thread has ended before the deadline."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def request(self, reference: ObjectReference) -> None:
        """Ask. Never waits, never answers by itself."""
        with self._lock:
            if reference in self._queue:
                return
            if len(self._queue) < self._queue_capacity:
                self._queue[reference] = None
            else:
                self.counters.refused += 1
                self.counters.lost += len(self._refused) == self._queue_capacity
                self._refused.append(reference)
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if not self._one():
                    self._wake.wait()
                    self._wake.clear()
            except Exception:  # noqa: BLE001 - counted and logged; nothing may end the answers
                self.counters.unavailable += 1
                _log.exception("owner lookup: a defect of this program; it goes on")

    def _one(self) -> bool:
        with self._lock:
            refused = self._refused.popleft() if self._refused else None
            reference = next(iter(self._queue), None) if refused is None else None
        if refused is not None:
            self._deliver(steps.OwnerMissing(refused, UNAVAILABLE))
            return True
        if reference is None:
            return False
        try:
            answer: Answer = self._answer(reference)
        except Exception:
            self._finish(reference, steps.OwnerMissing(reference, UNAVAILABLE))
            raise
        self._finish(reference, answer)
        return True

    def _finish(self, reference: ObjectReference, answer: Answer) -> None:
        with self._lock:
            self._queue.pop(reference, None)
        if not self._stop.is_set():
            self._deliver(answer)

    def _answer(self, reference: ObjectReference) -> Answer:
        entry = self._cache.get(reference)
        if entry is not None and self._clock.monotonic() < entry[0]:
            self.counters.cached += 1
            self._cache.move_to_end(reference)
            return entry[1]
        answer = self._ask(reference)
        kept = _FOUND_S if isinstance(answer, steps.ObjectSeen) else _KEPT_S[answer.reason]
        self._cache[reference] = (self._clock.monotonic() + kept, answer)
        self._cache.move_to_end(reference)
        while len(self._cache) > self._capacity:
            self._cache.popitem(last=False)
        self._count(answer)
        return answer

    def _ask(self, reference: ObjectReference) -> Answer:
        try:
            if not self._discovery.cached(reference, now=self._clock.monotonic()):
                self._wait()
            resource = self._discovery.resource(reference, now=self._clock.monotonic())
            path = None if resource is None else object_path(resource, reference)
            if path is None:
                return steps.OwnerMissing(reference, NOT_FOUND)
            response = self._get(path)
        except TransportError as error:
            return steps.OwnerMissing(reference, _REASONS.get(error.reason, UNAVAILABLE))
        thing = object_from(response.body, kind=reference.kind, api_version=reference.api_version)
        if not isinstance(thing, Object):
            return steps.OwnerMissing(reference, UNAVAILABLE)
        if reference.uid and thing.uid != reference.uid:  # another object of the same name: the owner itself is gone
            return steps.OwnerMissing(reference, NOT_FOUND)
        return steps.ObjectSeen(thing, looked_up=True)

    def _get(self, path: str) -> Response:
        self._wait()
        self.counters.requests += 1
        response = self._client.get(path, headers={"Accept": METADATA_ONLY}, timeout_s=10.0)
        if response.status == 200:
            return response
        seconds = retry_after(response.headers.get("retry-after"))
        if seconds is not None:
            self._clock.wait(self._stop, min(seconds, _LONGEST_PAUSE_S))
        raise TransportError(of_status(response.status))

    def _wait(self) -> None:
        seconds = self._bucket.take(now=self._clock.monotonic())
        if seconds > 0:
            self._clock.wait(self._stop, seconds)
        if self._stop.is_set():
            raise TransportError(FailureReason.RESET, "stopped")

    def _count(self, answer: Answer) -> None:
        if isinstance(answer, steps.ObjectSeen):
            self.counters.found += 1
        elif answer.reason == FORBIDDEN:
            self.counters.forbidden += 1
        elif answer.reason == NOT_FOUND:
            self.counters.not_found += 1
        else:
            self.counters.unavailable += 1


_REASONS: Final = {
    FailureReason.FORBIDDEN: FORBIDDEN,
    FailureReason.NOT_FOUND: NOT_FOUND,
    FailureReason.GONE: NOT_FOUND,
}
