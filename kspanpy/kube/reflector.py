"""The thread that drives one `ListWatch`: it asks, requests, reads and hands on. It decides nothing.

Nothing that comes from the network or from the receiver ends it, only `stop`: that closes the open stream, so the thread ends at
once wherever it reads; what it does then has no effect any more.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from kspanpy.decode import Change, Glance, Malformed
from kspanpy.kube.client import Client, Stream
from kspanpy.kube.clock import Clock
from kspanpy.kube.deliveries import Counters, Delivery, Relief, Resume, WatchHealth, WatchState
from kspanpy.kube.failures import FailureReason, TransportError, retry_after
from kspanpy.kube.listwatch import Degraded, Failed, List, ListWatch, Outcome, Progress, Rewound, Wait, Watch, version
from kspanpy.kube.namespaces import Target
from kspanpy.kube.settings import WatchSettings

_log = logging.getLogger(__name__)
_AFTER_DEFECT_S: Final = 5.0
_CATCH_UP_S: Final = 20.0
_WAITED_S: Final = 0.001  # a read that took longer had to wait
_LATE_S: Final = 5.0  # a watch that has not ended so long after it should have is dead


class Reflector:
    """One watched collection. `receive` gets `wanted` changes, the cursors of others, and progress; `settled` is called once:
    listed, caught up after a restart, or known to be out of reach; `absent` whenever it is found to be out of reach; `rewound`
    when the API server's history has gone back. `relief`: what the receiver would drop is dropped before it is read.
    """

    def __init__(
        self,
        client: Client,
        target: Target,
        *,
        settings: WatchSettings,
        clock: Clock,
        random: Callable[[], float],
        wanted: Callable[[Target, Change], bool],
        receive: Callable[[Target, Delivery | Progress], None],
        settled: Callable[[Target], None],
        absent: Callable[[Target], None],
        rewound: Callable[[Target], None],
        malformed: Callable[[str, Malformed], None],
        gate: Callable[[], None] | None = None,
        relief: Relief | None = None,
        resume: Resume | None = None,
    ) -> None:
        self.target = target
        self.counters = Counters()
        self._client = client
        self._settings = settings
        self._clock = clock
        self._wanted, self._receive, self._settled, self._malformed = wanted, receive, settled, malformed
        self._absent, self._rewound = absent, rewound
        self._gate = gate
        self._relief = relief
        self._protocol = ListWatch(target.resource, settings=settings, random=random, resume=resume)
        self._path = target.resource.path(target.namespace)
        self._is_settled = False
        self._waiting = gate is not None
        self._last_byte: float | None = None
        self._caught_up_at = 0.0
        self._stop, self._anew = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        name = f"watch-{target.resource.plural}" + (f"-{target.namespace}" if target.namespace else "")
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; does not wait."""
        self._stop.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def relist(self) -> None:
        """Begin again with a list, soon; from any thread."""
        self._anew.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def join(self, timeout_s: float) -> bool:
        """Whether the thread has ended."""
        if self._thread.ident is not None:
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def health(self, *, now: float) -> WatchHealth:
        """What can be told at this moment."""
        last_byte, protocol = self._last_byte, self._protocol
        return WatchHealth(
            kind=self.target.resource.kind,
            namespace=self.target.namespace,
            synced=protocol.synced,
            last_byte_age_s=None if last_byte is None else max(now - last_byte, 0.0),
            state=self._state(),
            reason=self._reason(),
        )

    def _state(self) -> WatchState:
        if self._stop.is_set():
            return WatchState.STOPPED
        return WatchState.WAITING if self._waiting else WatchState(self._protocol.state)

    def _reason(self) -> str:
        degraded, failure = self._protocol.degraded, self._protocol.failure
        if degraded is None:
            return "" if failure is None else str(failure)
        return missing(degraded, self.target)

    def _run(self) -> None:
        if self._gate is not None:
            self._gate()
            self._waiting = False
        while not self._stop.is_set():
            try:
                self._step()
            except Exception:  # noqa: BLE001 - counted and logged; nothing may end a stream
                self.counters.failures[FailureReason.INTERNAL] += 1
                _log.exception("watch of %s: a defect of this program; it goes on", self.target.resource.plural)
                self._clock.wait(self._stop, _AFTER_DEFECT_S)

    def _step(self) -> None:
        if self._anew.is_set():
            self._anew.clear()
            self._protocol.relist()
        request = self._protocol.next(now=self._clock.monotonic())
        if isinstance(request, Wait):
            self._clock.wait(self._stop, request.seconds)
            return
        try:
            if isinstance(request, List):
                self._list(request)
            else:
                self._watch(request)
        except TransportError as error:
            if not self._stop.is_set():
                silent = self._protocol.streaming and error.reason is FailureReason.TIMEOUT
                reason = FailureReason.SILENT if silent else error.reason
                self._handle(self._protocol.failed(reason, now=self._clock.monotonic()), detail=error.detail)
        finally:
            with self._lock:
                self._stream = None

    def _list(self, request: List) -> None:
        self.counters.lists += 1
        query = {"limit": str(request.limit)}
        if request.resource_version:
            query["resourceVersion"] = request.resource_version
        if request.continue_token:
            query["continue"] = request.continue_token
        with self._open(query, timeout_s=self._settings.list_timeout_s) as stream:
            accepted = self._accepted(stream)
            if accepted:
                body = stream.body()
                self._seen(len(body))
                self._handle(self._protocol.page(body, now=self._clock.monotonic()), listed=True)

    def _watch(self, request: Watch) -> None:
        self.counters.watches += 1
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": request.resource_version,
            "timeoutSeconds": str(request.timeout_s),
        }
        gap_s = 0.0 if self._last_byte is None else self._clock.monotonic() - self._last_byte
        silence_s = min(self._settings.silence_s, request.timeout_s + _LATE_S)
        with self._open(query, timeout_s=silence_s) as stream:
            if not self._accepted(stream):
                return
            self._protocol.opened(now=self._clock.monotonic())
            self._caught_up_at = self._clock.monotonic() + min(gap_s, _CATCH_UP_S)
            asked_at = self._clock.monotonic()
            for data in stream.chunks():
                self._seen(len(data))
                had_to_wait = self._clock.monotonic() - asked_at > _WAITED_S
                sheds = self._sheds if self._relief is not None and self._relief.needed else None
                self._handle(self._protocol.chunk(data, now=self._clock.monotonic(), sheds=sheds))
                if not self._protocol.streaming or self._stop.is_set():
                    return
                if had_to_wait:
                    self._stop.wait(self._settings.gather_s)
                asked_at = self._clock.monotonic()
            if not self._stop.is_set():
                self._handle(self._protocol.closed(now=self._clock.monotonic()))

    def _sheds(self, seen: Glance) -> bool:
        relief = self._relief
        if relief is None or seen.namespace in self._settings.exclude:  # not wanted, which is no loss
            return False
        if not relief.drops(seen.namespace, warning=seen.warning, backlog=self._is_catching_up()):
            return False
        self.counters.changes += 1
        return True

    def _open(self, query: Mapping[str, str], *, timeout_s: float) -> Stream:
        stream = self._client.stream(self._path, query=query, timeout_s=timeout_s)
        with self._lock:
            self._stream = stream
            if self._stop.is_set() or self._anew.is_set():
                stream.close()
        return stream

    def _accepted(self, stream: Stream) -> bool:
        if stream.status == 200:
            self._seen(0)
            return True
        seconds = retry_after(stream.headers.get("retry-after"))
        self._handle(self._protocol.answered(stream.status, now=self._clock.monotonic(), retry_after_s=seconds))
        return False

    def _seen(self, size: int) -> None:
        self.counters.bytes += size
        self._last_byte = self._clock.monotonic()

    def _handle(self, outcomes: list[Outcome], *, detail: str = "", listed: bool = False) -> None:
        passed = ""  # the version of the last change, when nobody wanted it
        outcomes.reverse()
        while outcomes:
            # Each is let go when it has been handed on: a list of Events is long, and who takes it may be slow.
            outcome = outcomes.pop()
            if self._stop.is_set():
                return
            cursor = version(outcome) if isinstance(outcome, Change) and not listed else ""
            match outcome:
                case Malformed():
                    self.counters.malformed[outcome.reason] += 1
                    self._guarded(functools.partial(self._malformed, self.target.resource.kind, outcome))
                case Failed():
                    self.counters.failures[outcome.reason] += 1
                    _log.debug("%s of %s failed: %s %s", outcome.verb, self._path, outcome.reason, detail)
                case Degraded():
                    _log.warning("%s; goes on without", missing(outcome, self.target))
                    self._guarded(functools.partial(self._absent, self.target))
                    self._settle()
                case Rewound():
                    self._guarded(functools.partial(self._rewound, self.target))
                case Change() if not self._wanted(self.target, outcome):
                    self.counters.filtered += 1
                    passed = cursor or passed
                case Change():
                    self.counters.changes += 1
                    self._hand_on(outcome, cursor=cursor, listed=listed)
                    passed = ""
                case Progress():
                    self._guarded(functools.partial(self._receive, self.target, outcome))
                    passed = ""
                    if outcome.end_of_list:
                        self._settle()
        if passed:  # once for many
            self._hand_on(None, cursor=passed)
        self.counters.relists, self.counters.forgotten = self._protocol.relists, self._protocol.known.forgotten

    def _hand_on(self, change: Change | None, *, cursor: str, listed: bool = False) -> None:
        kind, namespace = self.target.key
        delivery = Delivery(
            self._clock.wall_ns(),
            kind,
            change=change,
            namespace=namespace,
            cursor=cursor,
            backlog=listed or self._is_catching_up(),
        )
        self._guarded(functools.partial(self._receive, self.target, delivery))

    def _is_catching_up(self) -> bool:
        """For a while after a watch was resumed: for as long as nobody had read, within limits."""
        return self._clock.monotonic() < self._caught_up_at

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:  # noqa: BLE001 - counted and logged; nothing may end a stream
            self.counters.failures[FailureReason.INTERNAL] += 1
            _log.exception("the receiver of the watch of %s failed; it goes on", self.target.resource.plural)

    def _settle(self) -> None:
        if not self._is_settled:
            self._is_settled = True
            self._guarded(functools.partial(self._settled, self.target))


def missing(degraded: Degraded, target: Target) -> str:
    """Which right, or which API, is missing."""
    resource = target.resource
    if degraded.reason is FailureReason.NOT_FOUND:
        return f"{resource.plural} of {resource.api_version} are not served by this API server"
    group = f' of API group "{resource.group}"' if resource.group else ""
    where = f" in namespace {target.namespace}" if target.namespace else ""
    return f"may not {degraded.verb} {resource.plural}{group}{where}: grant the verbs get, list, watch (RBAC)"
