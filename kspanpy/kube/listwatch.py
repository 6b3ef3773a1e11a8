"""The list+watch protocol of one resource and namespace: answers and failures go in, the next request and changes come out.

Sans-IO: no socket, no clock, no dice of its own; `now` is monotonic seconds. The driver asks `next`, carries the request out and
feeds what came of it. Promises, each of which is a row of the tests:

- The cursor moves only past a line that has been handed out, so a connection may break anywhere and nothing is lost or doubled.
- Only 410, a rejected cursor, watches that show nothing again and again, or that failed for minutes lead to a new list; 429, refused
  connections and credentials never do.
- Every failure waits (`Backoff`), but for the first 410 after a quiet while and for a break or close after progress, unless many in a
  row came within a second. "Progress" is a moved cursor: a line that can not be read does not count, so a poisoned stream can not
  make a storm.
- What may not be read degrades: told once, tried again slowly. What could be read until now gets a minute before that.
- A history that goes back (etcd restored from a backup) is told, and listed anew: an API server shows nothing after a cursor that lies in
  its future.
- With a cursor of a former process there is no first list. Its watches are short until one of them has ended quietly, or a bookmark has
  come: then what happened in between has been shown, which is told as the end of a list is.

Lists always ask for resourceVersion "" (unset), the most recent state: "0" may be answered from the watch cache, which many API servers
do whole, ignoring `limit`, and which may lie before what was already seen; Events have no watch cache in any case.
resourceVersions are opaque here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

import msgspec

from kspanpy.core.model import Event, Object
from kspanpy.decode import (
    Bookmark,
    Change,
    Glance,
    Malformed,
    MalformedReason,
    WatchFailure,
    glance,
    list_page,
    watch_line,
)
from kspanpy.decode.fields import MAX_OBJECT_BYTES
from kspanpy.decode.metadata import resource_version
from kspanpy.kube.backoff import Backoff
from kspanpy.kube.deliveries import Resume
from kspanpy.kube.failures import FailureReason, of_status
from kspanpy.kube.framing import LineSplitter
from kspanpy.kube.known import EventSorter, KnownObjects
from kspanpy.kube.resources import EVENTS, Resource
from kspanpy.kube.settings import WatchSettings

_LINE = MAX_OBJECT_BYTES + 1024
_SMALLEST_PAGE = 10
_MOST_ITEMS = 1_000_000  # of one list; who goes on after that does not end
_EMPTY_PAGE = 50_000  # an empty page with another one after it counts as so many items
_HASTY = 5  # watches in a row that ended within a second, and are resumed at once because they were good for something
_IDLE = 10  # times as long has a watch to last that shows nothing
_VAIN = 3  # watches that ended within a second and showed nothing, before the cursor is given up
_MUTE = 2  # watches of a kind with bookmarks that showed nothing until they were taken for dead, before the cursor is given up
_LONGEST_MUTE = 32  # it doubles up to this, for API servers without bookmarks
_SLOWEST_LINE_S = 300.0
_TAIL_S = 2  # an API server sends a bookmark, of kinds that have some, two seconds before the end of a watch
_STAYS_WATCHING = frozenset(
    {
        FailureReason.THROTTLED,
        FailureReason.REFUSED,
        FailureReason.UNAUTHORIZED,
        FailureReason.TLS,
        FailureReason.CREDENTIALS,
        FailureReason.FORBIDDEN,
        FailureReason.NOT_FOUND,
    }
)
_DEGRADED = frozenset({FailureReason.FORBIDDEN, FailureReason.NOT_FOUND})


class List(msgspec.Struct, frozen=True, gc=False):
    """Request one page."""

    resource_version: str
    continue_token: str
    limit: int


class Watch(msgspec.Struct, frozen=True, gc=False):
    """Open the stream of changes after this version, with bookmarks."""

    resource_version: str
    timeout_s: int


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Nothing to request before this many seconds."""

    seconds: float
    why: FailureReason


Request: TypeAlias = List | Watch | Wait


class Progress(msgspec.Struct, frozen=True, gc=False):
    """Everything up to this version has been handed out. `cursor` is the version as the API server wants it back."""

    resource_version: int | None
    end_of_list: bool  # or of what is shown instead of a list after a restart
    cursor: str = ""


class Failed(msgspec.Struct, frozen=True, gc=False):
    """A request failed; what happens next is in `next`."""

    verb: str  # list, watch
    reason: FailureReason


class Degraded(msgspec.Struct, frozen=True, gc=False):
    """Told once: this verb is not allowed, or the resource is not served."""

    verb: str
    reason: FailureReason


class Rewound(msgspec.Struct, frozen=True, gc=False):
    """The list is older than what was seen before it: cursors of other watches are no good either."""


Outcome: TypeAlias = Change | Progress | Malformed | Failed | Degraded | Rewound


class State(StrEnum):
    """What the protocol is doing. A closed list, for health."""

    LISTING = "listing"
    WATCHING = "watching"
    RETRYING = "retrying"
    FORBIDDEN = "forbidden"
    NOT_SERVED = "not-served"


class ListWatch:
    """The protocol's state. `synced`: a list has been completed, or what came since a former process stopped has been shown;
    `streaming`: the open watch is still worth reading.

    Holds one page at a time and one line at a time. What grows is `known`, with the objects that are there, and while Events are listed
    what puts them in order; both are bounded.
    """

    def __init__(
        self,
        resource: Resource,
        *,
        settings: WatchSettings,
        random: Callable[[], float],
        resume: Resume | None = None,
    ) -> None:
        self.resource = resource
        self.synced = False
        self.streaming = False
        self.degraded: Degraded | None = None
        self.failure: FailureReason | None = None  # the last one, until something goes well
        self.relists = 0
        self.known = KnownObjects(capacity=settings.known_capacity)
        self._settings = settings
        self._random = random
        self._backoff = Backoff(random)
        self._sorter = EventSorter(
            capacity=settings.sort_capacity, size=settings.sort_bytes, keeps_json=settings.keeps_json
        )
        self._limit = settings.page_size
        self._not_before = 0.0
        self._cursor = ""  # "": list
        self._list_version = ""
        self._list_number: int | None = None
        self._continue = ""
        self._lines = LineSplitter(capacity=_LINE)
        self._opened_at = 0.0
        self._opened_cursor = ""
        self._failing_since: float | None = None
        self._catching_up_since: float | None = None
        self._moved_at = self._line_at = 0.0
        self._refused_since: float | None = None
        self._items = self._hasty = self._vain = self._mute = 0
        self._most_mute = _MUTE
        self._newest = -1  # of the versions that were numbers
        if resume is not None:
            self._cursor = resume.cursor
            self._note(resource_version(resume.cursor))
            for thing in resume.known:
                self.known.changed("ADDED", thing)

    @property
    def state(self) -> State:
        """What is going on."""
        if self.degraded is not None:
            return State.FORBIDDEN if self.degraded.reason is FailureReason.FORBIDDEN else State.NOT_SERVED
        if self.failure is not None:
            return State.RETRYING
        return State.WATCHING if self._cursor else State.LISTING

    def next(self, *, now: float) -> Request:
        """What to do now."""
        if now < self._not_before:
            return Wait(self._not_before - now, self.failure or FailureReason.INTERNAL)
        if not self._cursor:
            return List("", self._continue, self._limit)
        if not self.synced:
            return Watch(self._cursor, math.ceil(self._settings.caught_up_s) + _TAIL_S)
        settings = self._settings
        low, high = settings.unmarked_timeout_s if self.resource == EVENTS else settings.watch_timeout_s
        return Watch(self._cursor, int(low + (high - low) * self._random()))

    # Lists

    def page(self, body: bytes, *, now: float) -> list[Outcome]:
        """The answer to a List was 200 with this body."""
        page = list_page(body, kind=self.resource.kind, api_version=self.resource.api_version)
        if isinstance(page, Malformed):
            return [page, *self.failed(FailureReason.UNREADABLE, now=now)]
        if not page.resource_version_text:
            return self.failed(FailureReason.UNREADABLE, now=now)
        size = max(len(page.items), self._limit) if page.items else _EMPTY_PAGE
        self._items = size + (self._items if self._continue else 0)
        if page.continue_token and (page.continue_token == self._continue or self._items > _MOST_ITEMS):
            self._restart_list()
            return self.failed(FailureReason.UNREADABLE, now=now)
        self._failing_since = None
        if not self._continue:
            self.known.begin_list()
            self._sorter.clear()
            # Of the first page: a later one may be of another version, and the oldest misses nothing.
            self._list_version, self._list_number = page.resource_version_text, page.resource_version
        outcomes: list[Outcome] = []
        for item, raw in zip(page.items, page.raws, strict=False):
            if isinstance(item, Malformed):
                outcomes.append(item)
            else:
                outcomes.extend(self._listed(Change("ADDED", item, raw)))
        self._continue = page.continue_token
        if not self._continue:
            self._end_list(outcomes)
        return outcomes

    def _listed(self, change: Change) -> list[Change]:
        if isinstance(change.object, Event):
            return self._sorter.push(change, change.object)
        self.known.listed(change.object)
        return [change]

    def _end_list(self, outcomes: list[Outcome]) -> None:
        outcomes.extend(self._sorter.drain())
        outcomes.extend(self.known.end_list())
        outcomes.append(Progress(self._list_number, end_of_list=True, cursor=self._list_version))
        if self._list_number is not None and self._list_number < self._newest:
            outcomes.append(Rewound())
            self._newest = self._list_number
        self._note(self._list_number)
        self._cursor = self._list_version
        self._limit = min(self._limit * 2, self._settings.page_size)
        self._failing_since = self._refused_since = None
        self._vain = self._mute = 0
        self.relists += self.synced
        self.synced = True
        self.failure = None
        if self.degraded is not None and self.degraded.verb == "list":
            self.degraded = None

    # Watches

    def opened(self, *, now: float) -> None:
        """The answer to a Watch was 200: chunks follow."""
        self._lines = LineSplitter(capacity=_LINE)
        self._opened_at, self._opened_cursor = now, self._cursor
        self._moved_at = self._line_at = now
        self._refused_since = None
        if self._catching_up_since is None:
            self._catching_up_since = now
        self.streaming = True
        self.failure = self.degraded = None

    def chunk(self, data: bytes, *, now: float, sheds: Callable[[Glance], bool] | None = None) -> list[Outcome]:
        """Some bytes of the open watch. Close it when `streaming` has become false.

        `sheds`: what to ask of each Event before it is read; one that is shed moves the cursor and comes to nothing else.
        """
        outcomes: list[Outcome] = []
        for line in self._lines.feed(data):
            if line is None:
                outcomes.append(Malformed(MalformedReason.TOO_LARGE, f"a watch line of more than {_LINE} bytes"))
            elif line.strip() and (sheds is None or not self._shed(line, sheds, now=now)):
                outcomes.extend(self._line(line, now=now))
            self._line_at = now
            self._mute = 0
            if not self.streaming:
                return outcomes
        if self._lines.pending and now - self._line_at > _SLOWEST_LINE_S:
            outcomes.extend(self.failed(FailureReason.SILENT, now=now))
        return outcomes

    def _shed(self, line: bytes, sheds: Callable[[Glance], bool], *, now: float) -> bool:
        seen = glance(line)
        if seen is None or not sheds(seen):
            return False
        self._cursor = str(seen.resource_version)
        self._moved_at = now
        self._note(seen.resource_version)
        return True

    def _line(self, line: bytes, *, now: float) -> list[Outcome]:
        thing = watch_line(line, kind=self.resource.kind, api_version=self.resource.api_version)
        if isinstance(thing, Change):
            if isinstance(thing.object, Object):
                self.known.changed(thing.type, thing.object)
            self._cursor = version(thing) or self._cursor
            self._moved_at = now
            self._note(thing.object.resource_version)
            return [thing]
        if isinstance(thing, Bookmark):
            if thing.resource_version is not None and thing.resource_version < self._newest:
                return self.failed(FailureReason.GONE, now=now)
            self._note(thing.resource_version)
            self._most_mute = _MUTE
            self._cursor = thing.resource_version_text or self._cursor
            caught_up, self.synced = not self.synced, True
            return [Progress(thing.resource_version, end_of_list=caught_up, cursor=self._cursor)]
        if isinstance(thing, WatchFailure):
            reason = FailureReason.GONE if thing.reason in {"Expired", "Gone"} else of_status(thing.code)
            return self.failed(reason, now=now, retry_after_s=thing.retry_after_s)
        return [thing]

    def closed(self, *, now: float) -> list[Outcome]:
        """The watch ended as it should."""
        if not self.streaming:
            return []
        if not self._progressed() and now - self._opened_at < self._settings.short_watch_s:
            return self.failed(FailureReason.SHORT_WATCH, now=now)
        self.streaming = False
        self._again(now=now)
        return self._quiet(now=now)

    def _again(self, *, now: float) -> None:
        """A watch that was good for something is resumed at once, unless they all are short."""
        self._failing_since = None
        self._vain = 0
        short_s = self._settings.short_watch_s
        short = now - self._opened_at < (short_s if self._progressed() else short_s * _IDLE)
        self._hasty = self._hasty + 1 if short else 0
        if self._hasty > _HASTY:
            self.failure = FailureReason.SHORT_WATCH
            self._not_before = now + (short_s if self._progressed() else self._backoff.delay(now=now))

    def _quiet(self, *, now: float) -> list[Outcome]:
        """The watch has shown all that it had to show, unless lines were still coming when it ended."""
        began = self._opened_at if self._catching_up_since is None else self._catching_up_since
        still_coming = now - self._moved_at < self._settings.caught_up_s
        if self.synced or (still_coming and now - began < self._settings.catch_up_longest_s):
            return []
        self.synced = True
        return [Progress(resource_version(self._cursor), end_of_list=True, cursor=self._cursor)]

    # Failures, of both

    def answered(self, status: int, *, now: float, retry_after_s: float | None = None) -> list[Outcome]:
        """The answer was anything but 200."""
        return self.failed(of_status(status), now=now, retry_after_s=retry_after_s)

    def failed(self, reason: FailureReason, *, now: float, retry_after_s: float | None = None) -> list[Outcome]:
        """The request was answered with a failure, or the network did."""
        verb = "watch" if self._cursor else "list"
        progressed, streaming = self.streaming and self._progressed(), self.streaming
        self.streaming = False
        self.failure = reason
        outcomes: list[Outcome] = [Failed(verb, reason)]
        if reason in _DEGRADED and not self._spared(now=now):
            if self.degraded is None or self.degraded.verb != verb or self.degraded.reason is not reason:
                self.degraded = Degraded(verb, reason)
                outcomes.append(self.degraded)
            self._restart_list()
            self._not_before = now + self._settings.degraded_retry_s
            return outcomes
        if streaming and (reason is FailureReason.SILENT or (progressed and reason is FailureReason.RESET)):
            self._again(now=now)
            if reason is FailureReason.SILENT:
                outcomes.extend(self._quiet(now=now))
                self._mute += self.resource != EVENTS
                if self._mute >= self._most_mute:
                    self._most_mute = min(self._most_mute * 2, _LONGEST_MUTE)
                    self._restart_list()
            return outcomes
        if reason is FailureReason.UNREADABLE:
            self._limit = max(self._limit // 2, _SMALLEST_PAGE)
        delay = self._backoff.delay(now=now, retry_after_s=retry_after_s)
        if reason is FailureReason.GONE:
            if self._backoff.failures == 1:
                delay = 0.0
            self._restart_list()
        elif self._give_up_cursor(reason, now=now, streaming=streaming, progressed=progressed):
            self._restart_list()
        self._not_before = now + delay
        return outcomes

    def _spared(self, *, now: float) -> bool:
        """Whether what may not be read, or is not there, was until a moment ago."""
        if not self.synced or self.degraded is not None:
            return False
        if self._refused_since is None:
            self._refused_since = now
        return now - self._refused_since < self._settings.degrade_after_s

    def _give_up_cursor(self, reason: FailureReason, *, now: float, streaming: bool, progressed: bool) -> bool:
        if reason in _STAYS_WATCHING:
            return False
        healthy = progressed or (streaming and now - self._opened_at >= self._settings.silence_s)
        if self._failing_since is None or healthy:
            self._failing_since = now
        self._vain = 0 if healthy else self._vain + (reason is FailureReason.SHORT_WATCH)
        return (
            reason is FailureReason.REJECTED
            or self._vain >= _VAIN
            or now - self._failing_since >= self._settings.relist_after_s
        )

    def relist(self) -> None:
        """Not before the next request: begin again with a list."""
        self.streaming = False
        self._newest = -1
        self._restart_list()

    def _restart_list(self) -> None:
        self._cursor = self._continue = ""
        self._failing_since = None
        self._vain = self._mute = 0

    def _note(self, number: int | None) -> None:
        if number is not None and number > self._newest:
            self._newest = number

    def _progressed(self) -> bool:
        return self._cursor != self._opened_cursor


class _Versioned(msgspec.Struct, gc=False):
    resourceVersion: str = ""  # noqa: N815 - its name in the API


class _Thing(msgspec.Struct, gc=False):
    metadata: _Versioned


_thing = msgspec.json.Decoder(_Thing)


def version(change: Change) -> str:
    """The object's resourceVersion as the server wrote it; empty if it has none."""
    if change.object.resource_version is not None:
        return str(change.object.resource_version)
    try:
        return _thing.decode(change.raw).metadata.resourceVersion[:128]
    except (msgspec.MsgspecError, UnicodeError):
        return ""
