"""An election in virtual time: candidates with clocks of their own, a network that delays and loses, and one stored Lease.

Everything happens in order of one true time, which no candidate sees. A request travels, is carried out, and its answer travels
back; either way may be slow or lost, so what got no answer may have been stored all the same, even late.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from kspanpy.kube.election import (
    SECOND,
    Absent,
    Answer,
    Conflict,
    Create,
    Election,
    Failed,
    Get,
    Request,
    Timing,
    Update,
    Wait,
)
from kspanpy.kube.failures import FailureReason
from kspanpy.kube.lease import Lease, Record


class Store:
    """The API server: one Lease, compared and swapped by its version."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.version = 100
        self.history: list[Record] = []

    def write(self, record: Record) -> Lease:
        """Whatever was there before."""
        self.version += 1
        self.lease = Lease(record, {"name": "kspanpy", "resourceVersion": str(self.version)})
        self.history.append(record)
        return self.lease

    def carry_out(self, request: Request) -> Answer:
        """As the API server does."""
        match request:
            case Get():
                return self.lease or Absent()
            case Create(record=record):
                return Conflict() if self.lease else self.write(record)
            case Update(record=record, lease=before):
                if self.lease is None:
                    return Absent()
                return self.write(record) if before.version == self.lease.version else Conflict()


@dataclass
class Line:
    """The way of one candidate to the API server and back, in seconds; lost requests do nothing, lost answers come too late."""

    there_s: float = 0.005
    back_s: float = 0.005
    loses_requests: bool = False
    loses_answers: bool = False


@dataclass
class Candidate:
    """An elector, its clocks, and its driver."""

    election: Election
    rate: float = 1.0  # its seconds in a true one
    offset: float = 0.0
    wall_ns: int = 1_800_000_000 * SECOND
    line: Line = field(default_factory=Line)
    is_alive: bool = True
    frozen_until: float = 0.0
    lag_ns: int = 0
    number: int = 0  # of the request under way: answers to others came too late


class Voting:
    """See the module. `now` is the true time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = Store()
        self.candidates: dict[str, Candidate] = {}
        self.most_leaders = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._seed = itertools.count()

    def join(self, name: str, *, rate: float = 1.0, timing: Timing | None = None) -> Candidate:
        """A process starts."""
        dice = random.Random(f"{name} {next(self._seed)}")
        candidate = Candidate(Election(name, timing=timing, random=dice.random), rate=rate, offset=dice.uniform(0, 1e6))
        self.candidates[name] = candidate
        self.at(self.now, lambda: self._turn(candidate))
        return candidate

    def at(self, when: float, what: Callable[[], None]) -> None:
        """It happens then."""
        heapq.heappush(self._events, (when, next(self._order), what))

    def pass_time(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Let things happen; gives how long it took until `until`, at most `seconds`."""
        begin, end = self.now, self.now + seconds
        while self._events and self._events[0][0] <= end and not until():
            self.now, _, what = heapq.heappop(self._events)
            what()
            self.most_leaders = max(self.most_leaders, len(self.leaders()))
        if not until():
            self.now = end
        return self.now - begin

    def local(self, candidate: Candidate) -> float:
        """Its monotonic clock."""
        return candidate.offset + self.now * candidate.rate

    def leaders(self) -> list[str]:
        """All who think so now, frozen ones too: they may wake up at any moment."""
        return [name for name, c in self.candidates.items() if c.is_alive and c.election.leads(self.local(c))]

    def kill(self, name: str) -> None:
        """As by SIGKILL: what it sent may still arrive."""
        self.candidates.pop(name).is_alive = False

    def release(self, name: str) -> None:
        """As at an orderly end."""
        candidate = self.candidates[name]
        candidate.election.release()
        candidate.number += 1
        self._turn(candidate)

    def _turn(self, candidate: Candidate) -> None:
        if not candidate.is_alive:
            return
        if candidate.frozen_until > self.now:
            self.at(candidate.frozen_until, lambda: self._turn(candidate))
            return
        wall = candidate.wall_ns + int(self.now * SECOND)
        step = candidate.election.next(self.local(candidate), wall_ns=wall, lag_ns=candidate.lag_ns)
        candidate.number += 1
        number = candidate.number
        if step is None:
            self.candidates = {name: c for name, c in self.candidates.items() if c is not candidate}
            candidate.is_alive = False
        elif isinstance(step, Wait):
            pause = max((step.until - self.local(candidate)) / candidate.rate, 0.0)
            self.at(self.now + pause + 1e-6, lambda: candidate.number == number and self._turn(candidate))
        else:
            self._send(candidate, step, number)

    def _send(self, candidate: Candidate, request: Request, number: int) -> None:
        line, sent = candidate.line, self.local(candidate)
        loses = line.loses_answers
        if not line.loses_requests:
            back = line.back_s

            def arrive() -> None:
                answer = self.store.carry_out(request)
                if not loses:
                    self.at(self.now + back, lambda: self._answer(candidate, request, number, answer, sent))

            self.at(self.now + line.there_s, arrive)
        patience = candidate.election.timing.request_s / candidate.rate
        late = Failed(FailureReason.TIMEOUT)
        self.at(self.now + patience, lambda: self._answer(candidate, request, number, late, sent))

    def _answer(self, candidate: Candidate, request: Request, number: int, answer: Answer, sent: float) -> None:
        if candidate.number != number or not candidate.is_alive:
            return
        if candidate.frozen_until > self.now:
            self.at(candidate.frozen_until, lambda: self._answer(candidate, request, number, answer, sent))
            return
        candidate.election.answered(request, answer, sent=sent, now=self.local(candidate))
        self._turn(candidate)
