"""Which replica leads: the rules of client-go's tools/leaderelection, sans-IO. `elector.py` carries out what this decides.

* Only times of the own monotonic clock decide. A record's times are written for people; a Lease is taken for held until its term
  has passed since *we* saw it change. So clocks may be set as they like; they must only not run at very different speeds
  (fastest : slowest < `term_s` : `deadline_s`, 1.5).
* Whoever leads has renewed within `deadline_s`, counted from when the successful request was *sent*. `leads` asks the clock, so
  that a process that was suspended, or whose thread hangs, has stopped leading before another one may begin.
* Every write names the resourceVersion that it replaces: of two that write, one has lost.

Other than client-go: a candidate's pause never exceeds `retry_s` and ends when the term does, so that a takeover takes at
most `term_s` + `retry_s` after the leader's death; a leader's death between an unanswered write and its answer is no special case;
a Lease that was deleted counts as held until its last term is over, where it was seen before; when the API server fails for long,
candidates ask more and more seldom.

There is no fencing: a leader that was suspended in the middle of a request may still finish it. Spans sent by two are
byte-identical, so that does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from kspanpy.decode.times import rfc3339
from kspanpy.kube.failures import FailureReason
from kspanpy.kube.lease import Lease, Record

SECOND: Final = 1_000_000_000
_SOONEST, _LATEST = (
    0.5,
    0.9,
)  # a candidate's pause as parts of retry_s: jitter only shortens, and a request takes time, too
_LONGEST_PAUSE_S: Final = 40.0
_LONGEST_RETRY_AFTER_S: Final = 10.0
_PATIENT_CONFLICTS: Final = 2


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of client-go. term_s > deadline_s > 1.2 * retry_s."""

    term_s: int = 15
    deadline_s: float = 10.0
    retry_s: float = 2.0
    request_s: float = 3.0
    """What one request may take: three of them fit into the deadline."""


class Get(NamedTuple):
    """Read the Lease."""


class Create(NamedTuple):
    """Make it; fails if it is there."""

    record: Record


class Update(NamedTuple):
    """Replace it; fails if it has changed since."""

    record: Record
    lease: Lease


class Wait(NamedTuple):
    """Nothing to do before `until`, of the monotonic clock."""

    until: float


Request = Get | Create | Update


class Absent(NamedTuple):
    """There is no such Lease (404)."""


class Conflict(NamedTuple):
    """Somebody was faster (409)."""


class Failed(NamedTuple):
    """No usable answer. What was written may have been stored all the same."""

    reason: FailureReason
    retry_after_s: float = 0.0


Answer = Lease | Absent | Conflict | Failed


class Election:
    """One candidate. `next` says what to do; exactly one request is under way at a time, and `answered` gets what came of it."""

    def __init__(self, identity: str, *, timing: Timing | None = None, random: Callable[[], float]) -> None:
        """`identity` must be of this process alone. `random` gives numbers from 0 to 1."""
        self.identity = identity
        self.timing = timing or Timing()
        self.may_claim = True
        """False: only look. Whoever has not seen the cluster yet leaves the Lease to those who have."""
        self.handicap_s = 0.0
        """So much later than others this candidate claims what is free: who has watched for longer has more to tell."""
        self.failures = 0  # in a row
        self.transitions = 0  # how often this candidate began to lead
        self.settled_until: float | None = None
        """Monotonic: what finished here `margin` before this time, a leader has had acknowledged. None: nothing is known."""
        self.former_acknowledged_ns: int | None = None
        """The acknowledged-until of the first record that was read, a wall clock's. None: not read yet; 0: it said nothing."""
        self._random = random
        self._lease: Lease | None = None
        self._seen_at = 0.0  # when `_lease` was seen to have changed
        self._shown_at: float | None = None  # when the last request was sent whose answer showed `_lease`
        self._is_current = False  # `_lease` is what the next write replaces
        self._is_absent = False
        self._absent_since: float | None = None
        self._is_unsure = False  # a write got no answer: it may have been stored
        self._renewed_at: float | None = None  # when the request was sent that made or kept us leader
        self._due = 0.0
        self._conflicts = 0
        self._is_releasing = False

    @property
    def holder(self) -> str:
        """Who holds the Lease as far as is known; empty: nobody."""
        return self._lease.record.holder if self._lease is not None and not self._is_absent else ""

    def leads(self, now: float) -> bool:
        """Whether this candidate may act as leader at this very moment."""
        return self._renewed_at is not None and now - self._renewed_at < self.timing.deadline_s

    def next(self, now: float, *, wall_ns: int, lag_ns: int = 0) -> Request | Wait | None:
        """What to do now; None when a release is over.

        `lag_ns`: how long ago the oldest span was finished whose fate is open, and 0 if there is none.
        """
        if self._is_releasing and not self._is_ours() and not self._is_unsure:
            return None
        if now < self._due:
            return Wait(self._due)
        if self._renewed_at is not None and not self.leads(now):
            self._renewed_at = None  # lost: a candidate like others from here on
        if self._is_absent:
            return None if self._is_releasing else Create(self._record(wall_ns, lag_ns))
        if self._lease is None or not self._is_current:
            return Get()
        return Update(self._record(wall_ns, lag_ns), self._lease)

    def answered(self, request: Request, answer: Answer, *, sent: float, now: float) -> None:
        """What came of the request that was sent at `sent`."""
        if isinstance(request, Create) and isinstance(answer, Absent):
            answer = Failed(FailureReason.NOT_FOUND)  # it is the namespace that is not there
        if not isinstance(answer, Failed):
            self.failures, self._is_unsure = 0, False
        if not isinstance(answer, Conflict):
            self._conflicts = 0
        match request, answer:
            case _, Failed():
                self._is_unsure |= not isinstance(request, Get)
                self._failed(answer, now)
            case Get(), Lease():
                self._read(answer, sent, now)
            case Create() | Update(), Lease():
                self._written(answer, sent, now)
            case _, Absent():
                self._gone(sent, now)
            case _:
                self._is_current = self._is_absent = False
                self._conflicts += 1
                self._due = now if self._conflicts <= _PATIENT_CONFLICTS else now + self._pause_s()

    def release(self) -> None:
        """Leading is over from this moment. `next` then gives what tells the others so, and at last None."""
        self._is_releasing = True
        self._renewed_at = None
        self._due = 0.0

    def _is_ours(self) -> bool:
        return self._lease is not None and self._lease.record.holder == self.identity

    def _claims_at(self, now: float) -> float:
        """When this candidate may take the Lease, if nothing changes: the end of the term that was last seen to begin."""
        if self._lease is None:
            free_at = now if self._absent_since is None else self._absent_since
        elif self._lease.record.holder:
            free_at = self._seen_at + max(self._lease.record.term_s, self.timing.term_s)
        else:
            free_at = self._seen_at
        return free_at + self.handicap_s

    def _pause_s(self) -> float:
        return self.timing.retry_s * (_SOONEST + (_LATEST - _SOONEST) * min(max(self._random(), 0.0), 1.0))

    def _record(self, wall_ns: int, lag_ns: int) -> Record:
        before = self._lease.record if self._lease is not None else Record()
        now = rfc3339(wall_ns)
        stays = self._is_ours() and not self._is_absent
        record = Record(
            holder=self.identity,
            term_s=self.timing.term_s,
            acquire_time=before.acquire_time if stays and before.acquire_time else now,
            renew_time=now,
            transitions=before.transitions + (not stays and self._lease is not None),
            acknowledged_until=rfc3339(wall_ns - max(lag_ns, 0)),
        )
        # Released Leases have a term of one second, so that a client that looks at nothing else takes it, too.
        return msgspec.structs.replace(record, holder="", term_s=1) if self._is_releasing else record

    def _read(self, lease: Lease, sent: float, now: float) -> None:
        self._is_absent, self._absent_since = False, None
        if self._lease is None or not lease.record.same_term(self._lease.record):
            self._learn(lease)
            self._seen_at = now
        self._lease, self._shown_at = lease, sent
        if not self._is_ours():
            self._renewed_at = None
        self._is_current = self._is_releasing or self._is_ours() or (self.may_claim and now >= self._claims_at(now))
        self._due = now if self._is_current else self._next_look(now)

    def _learn(self, lease: Lease) -> None:
        """The record was written after the last look that still showed the former one: an earliest time on our own clock."""
        record = lease.record
        if self.former_acknowledged_ns is None:
            self.former_acknowledged_ns = lease.acknowledged_ns
        if self._shown_at is not None and record.lag_ns is not None:
            settled = self._shown_at - record.lag_ns / SECOND
            self.settled_until = max(self.settled_until or settled, settled)

    def _written(self, lease: Lease, sent: float, now: float) -> None:
        if self.former_acknowledged_ns is None:
            self.former_acknowledged_ns = 0
        self._is_absent, self._is_current = False, True
        self._lease, self._seen_at, self._shown_at = lease, now, sent
        if self._is_releasing:
            return
        self.transitions += self._renewed_at is None
        self._renewed_at = sent
        self._due = max(sent + self.timing.retry_s, now)

    def _gone(self, sent: float, now: float) -> None:
        if self._absent_since is None:
            self._absent_since = now
        waits = not self.leads(now) and not (self.may_claim and now >= self._claims_at(now))
        if self._is_ours() and self.may_claim:
            waits = False  # it was this candidate's, and somebody has deleted it
        self._is_absent, self._is_current, self._shown_at = not waits, False, sent
        self._due = self._next_look(now) if waits else now

    def _failed(self, answer: Failed, now: float) -> None:
        self.failures += 1
        self._is_current = self._is_absent = False  # it may have been stored: look before the next write
        pause = self._pause_s()
        if not self.leads(now):
            pause = min(pause * 2.0 ** min(self.failures - 1, 10), _LONGEST_PAUSE_S)
        self._due = now + max(pause, min(answer.retry_after_s, _LONGEST_RETRY_AFTER_S))

    def _next_look(self, now: float) -> float:
        """Soon, and when it may be taken if that is sooner."""
        pause, claims_at = now + self._pause_s(), self._claims_at(now)
        return min(pause, claims_at) if self.may_claim and claims_at > now else pause
