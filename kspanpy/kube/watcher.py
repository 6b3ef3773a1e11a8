"""All the watches together: what the service starts, asks for its health and stops.

Objects are listed first, side by side. The Events wait for that, for a bounded time, so that the first of them find the objects they are
about; after a restart they do not. The receiver is called by many threads at once; it may block, which slows the watches down through TCP, and nothing is lost.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from kspanpy.core import steps
from kspanpy.decode import Change, ListPage, Malformed, list_page
from kspanpy.errors import StartupError
from kspanpy.kube.client import Client
from kspanpy.kube.clock import Clock, SystemClock
from kspanpy.kube.deliveries import Counters, Delivery, Relief, Resume, WatchHealth
from kspanpy.kube.failures import FailureReason, TransportError
from kspanpy.kube.listwatch import Degraded, Progress
from kspanpy.kube.namespaces import ProgressMerger, Target, targets, wanted
from kspanpy.kube.reflector import Reflector, missing
from kspanpy.kube.resources import EVENTS, WATCHED, Resource
from kspanpy.kube.settings import WatchSettings

_log = logging.getLogger(__name__)
_REWOUND_S: Final = 60.0  # many watches find out at once
_SHOWN: Final = 10  # malformed things that are logged; all are counted


class Watcher:
    """Start it once, stop it once. `deliver` gets every change; `on_malformed` what could not be read, with its kind.

    `relief`: who tells which Events need not be read, since they would be dropped.
    `resume`: by kind and namespace (empty: all), where a former process stopped. Such watches go on from there without a list.
    """

    def __init__(
        self,
        client: Client,
        *,
        settings: WatchSettings,
        deliver: Callable[[Delivery], None],
        on_malformed: Callable[[str, Malformed], None] | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = random.random,
        resources: Sequence[Resource] = WATCHED,
        relief: Relief | None = None,
        resume: Mapping[tuple[str, str], Resume] = MappingProxyType({}),
    ) -> None:
        self._client = client
        self._settings = settings
        self._deliver = deliver
        self._on_malformed = on_malformed
        self._clock = clock or SystemClock()
        self._exclude = frozenset(settings.exclude)
        self._logged = 0
        self._resume = {key: start for key, start in resume.items() if start.cursor}
        watched = targets(resources, settings)
        self._merger = ProgressMerger(watched)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._unsettled = set(watched)
        self._reachable = set(watched)
        self._objects_first = threading.Event()
        self._stopping = False
        self._rewound_at = -_REWOUND_S
        self._reflectors = [
            Reflector(
                client,
                target,
                settings=settings,
                clock=self._clock,
                random=random,
                wanted=self._wanted,
                receive=self._receive,
                settled=self._settled,
                absent=self._absent,
                rewound=self._rewound,
                malformed=self._malformed,
                gate=self._gate(target),
                # An unscoped watch shows mostly what is not wanted, which only the whole Event tells.
                relief=relief if target.resource == EVENTS and not target.unscoped else None,
                resume=self._resume.get(target.key),
            )
            for target in watched
        ]

    def start(self) -> None:
        """Begin; StartupError when Events may not be read, without which there is nothing to do."""
        for reflector in self._reflectors:
            if reflector.target.resource == EVENTS and not reflector.target.unscoped:
                self._check(reflector.target)
        self._release_events()
        for reflector in self._reflectors:
            reflector.start()

    def stop(self, deadline_s: float = 1.0) -> bool:
        """Stop delivering at once; True when every thread has ended before the deadline."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for reflector in self._reflectors:
            reflector.stop()
        self._objects_first.set()
        end = self._clock.monotonic() + deadline_s
        return all(reflector.join(end - self._clock.monotonic()) for reflector in self._reflectors)

    def wait_synced(self, timeout_s: float) -> bool:
        """Whether, within this time, every kind has been listed, or has caught up after a restart, or is known to be out of reach."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or not self._unsettled, timeout_s)
            return not self._unsettled

    def health(self, now: float | None = None) -> list[WatchHealth]:
        """Of each watch. `now` is the clock's monotonic time."""
        at = self._clock.monotonic() if now is None else now
        return [reflector.health(now=at) for reflector in self._reflectors]

    def counters(self) -> dict[str, Counters]:
        """By kind: a copy of the numbers as they are now."""
        found: dict[str, Counters] = {}
        for reflector in self._reflectors:
            found.setdefault(reflector.target.resource.kind, Counters()).add(reflector.counters)
        return found

    def _wanted(self, target: Target, change: Change) -> bool:
        return wanted(change.object, target, exclude=self._exclude)

    def _receive(self, target: Target, outcome: Delivery | Progress) -> None:
        if isinstance(outcome, Delivery):
            self._deliver(outcome)
            return
        version = None
        with self._lock:
            self._reachable.add(target)
            if outcome.resource_version is not None:
                version = self._merger.moved(target, outcome.resource_version)
        self._progress(target, version, outcome.cursor)

    def _progress(self, target: Target, version: int | None, cursor: str = "") -> None:
        kind, namespace = target.key
        progress = None if version is None else steps.WatchProgress(kind, version)
        if progress is not None or cursor:
            now_ns = self._clock.wall_ns()
            self._deliver(Delivery(now_ns, kind, progress=progress, namespace=namespace, cursor=cursor))

    def _settled(self, target: Target) -> None:
        with self._changed:
            self._unsettled.discard(target)
            version = self._merger.absent(target)
            self._changed.notify_all()
        self._release_events()
        self._progress(target, version)

    def _absent(self, target: Target) -> None:
        """May not be read. If that goes for every namespace, nothing should wait for this kind."""
        kind = target.resource.kind
        with self._lock:
            self._reachable.discard(target)
            hopeless = not any(other.resource.kind == kind for other in self._reachable)
        if hopeless:
            missing_kind = steps.WatchMissing(kind)
            self._deliver(Delivery(self._clock.wall_ns(), kind, progress=missing_kind, namespace=target.namespace))

    def _rewound(self, target: Target) -> None:
        """An API server shows nothing after a version that lies in its future, so no watch may wait for that."""
        now = self._clock.monotonic()
        with self._lock:
            told, self._rewound_at = self._rewound_at, now
            if now - told < _REWOUND_S:
                return
        _log.warning(
            "the API server lists %s at an older version than before (restored from a backup?); everything is listed again",
            target.resource.plural,
        )
        for reflector in self._reflectors:
            if reflector.target != target:
                reflector.relist()

    def _release_events(self) -> None:
        with self._lock:
            ready = all(target.resource == EVENTS for target in self._unsettled)
        if ready:
            self._objects_first.set()

    def _gate(self, target: Target) -> Callable[[], None] | None:
        """After a restart nothing waits: the linker knows the objects, and holds what comes before one that is new."""
        return self._wait_for_objects if target.resource == EVENTS and target.key not in self._resume else None

    def _wait_for_objects(self) -> None:
        if not self._clock.wait(self._objects_first, self._settings.owners_first_s):
            _log.warning("not all objects were listed after %g s; events go on without", self._settings.owners_first_s)

    def _malformed(self, kind: str, bad: Malformed) -> None:
        if self._logged < _SHOWN:
            self._logged += 1
            _log.warning("a %s could not be read: %s %s", kind, bad.reason, bad.detail)
        if self._on_malformed is not None:
            self._on_malformed(kind, bad)

    def _check(self, target: Target) -> None:
        """One small list, one watch that is closed at once. Only refusals count: whatever else fails is tried again later.

        After a restart the watch alone: the list is no more needed than the first one is.
        """
        resumed = self._resume.get(target.key)
        path, version = target.resource.path(target.namespace), resumed.cursor if resumed else ""
        for verb in ("watch",) if resumed else ("list", "watch"):
            query = {"limit": "1"}
            if verb == "watch":
                query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "1"}
            try:
                with self._client.stream(path, query=query, timeout_s=self._settings.list_timeout_s) as stream:
                    status = stream.status
                    page = list_page(stream.body()) if verb == "list" and status == 200 else None
            except TransportError:
                return
            if status == 401:
                raise StartupError(f"the API server {self._client.server} rejects the credentials (401): log in again")
            if status == 403:
                raise StartupError(missing(Degraded(verb, FailureReason.FORBIDDEN), target))
            if not isinstance(page, ListPage):
                return
            version = page.resource_version_text
