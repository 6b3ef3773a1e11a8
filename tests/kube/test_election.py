"""Who leads: client-go's cases as a table of their own, takeover in seconds, and never two at once whatever the network and the clocks do."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.voting import Candidate, Line, Voting
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kspanpy.kube.election import (
    SECOND,
    Absent,
    Conflict,
    Create,
    Election,
    Failed,
    Get,
    Request,
    Update,
    Wait,
)
from kspanpy.kube.failures import FailureReason
from kspanpy.kube.lease import Lease, Record

WALL = 1_800_000_000 * SECOND


def stored(holder: str, renew: str = "2026-11-24T10:00:00.000000Z", **more: Any) -> Lease:
    """A Lease as the API server has it."""
    record = Record(holder=holder, term_s=15, acquire_time=renew, renew_time=renew, transitions=3, **more)
    written = [{"manager": "kspanpy", "operation": "Update", "time": "2027-01-15T08:00:00Z"}]
    return Lease(record, {"name": "kspanpy", "resourceVersion": "7", "managedFields": written})


def election(**more: Any) -> Election:
    """A candidate named me, without luck."""
    return Election("me", random=lambda: 1.0, **more)


def asked(one: Election, now: float) -> Request:
    """What it asks for now; it must not wait."""
    step = one.next(now, wall_ns=WALL)
    assert step is not None
    assert not isinstance(step, Wait)
    return step


def give(one: Election, now: float, answer: Any) -> Request:
    """Answer its next request at once."""
    request = asked(one, now)
    one.answered(request, answer, sent=now, now=now)
    return request


def leading(now: float = 0.0) -> Election:
    """One that has just begun to lead."""
    one = election()
    give(one, now, Absent())
    give(one, now, stored("me"))
    assert one.leads(now)
    return one


class TestTakingIt:
    """tools/leaderelection: TestTryAcquireOrRenew."""

    def test_what_is_not_there_is_made(self) -> None:
        """And whoever made it leads."""
        one = election()
        assert isinstance(give(one, 0, Absent()), Get)
        request = give(one, 0, stored("me"))
        assert isinstance(request, Create)
        assert (request.record.holder, request.record.term_s, request.record.transitions) == ("me", 15, 0)
        assert one.leads(0)

    def test_what_somebody_else_made_meanwhile_is_looked_at_again(self) -> None:
        """409 to the create: at once another look, and then patience."""
        one = election()
        give(one, 0, Absent())
        give(one, 0, Conflict())
        assert isinstance(give(one, 0, stored("other")), Get)
        assert isinstance(one.next(0, wall_ns=WALL), Wait)
        assert not one.leads(0)

    def test_what_was_released_is_taken_at_once(self) -> None:
        """An empty holder needs no patience; the number of transitions grows."""
        one = election()
        give(one, 0, stored(""))
        request = give(one, 0, stored("me"))
        assert isinstance(request, Update)
        assert request.record.transitions == 4
        assert one.leads(0)

    def test_what_is_held_is_left_alone_until_its_term_has_passed_here(self) -> None:
        """However old its own times are; and again from the start when it changes."""
        one = election()
        give(one, 0, stored("other", "1990-01-01T00:00:00Z"))
        assert isinstance(give(one, 10, stored("other", "1990-01-01T00:00:00Z")), Get)
        give(one, 14.9, stored("other", "1990-01-01T00:00:01Z"))
        give(one, 17, stored("other", "1990-01-01T00:00:01Z"))
        assert isinstance(one.next(17, wall_ns=WALL), Wait)
        give(one, 29.91, stored("other", "1990-01-01T00:00:01Z"))
        assert isinstance(give(one, 29.91, stored("me")), Update)

    def test_times_of_the_future_change_nothing(self) -> None:
        """A holder whose wall clock is ahead by a year dies as others do."""
        one = election()
        give(one, 0, stored("other", "2099-01-01T00:00:00Z"))
        give(one, 15, stored("other", "2099-01-01T00:00:00Z"))
        assert isinstance(asked(one, 15), Update)

    def test_a_longer_term_of_another_one_is_respected(self) -> None:
        """Within reason; a shorter one is not believed."""
        one = election()
        lease = stored("other")
        longer = Lease(Record(holder="other", term_s=60), lease.metadata)
        give(one, 0, longer)
        give(one, 59, longer)
        assert isinstance(one.next(59, wall_ns=WALL), Wait)
        give(one, 60, longer)
        assert isinstance(asked(one, 60), Update)
        other = election()
        shorter = Lease(Record(holder="other", term_s=1), lease.metadata)
        give(other, 0, shorter)
        give(other, 14, shorter)
        assert isinstance(other.next(14, wall_ns=WALL), Wait)

    def test_the_pause_ends_when_the_term_does(self) -> None:
        """A candidate looks at least every two seconds, and at the very end of the term."""
        one = election()
        give(one, 0, stored("other"))
        looks, now = [], 0.0
        while now < 15:
            step = one.next(now, wall_ns=WALL)
            if isinstance(step, Wait):
                assert 0 < step.until - now < 2
                now = step.until
            else:
                looks.append(now)
                give(one, now, stored("other"))
        assert looks[-1] <= 15
        assert isinstance(give(one, 15, stored("other")), Get)
        assert isinstance(asked(one, 15), Update)

    def test_whoever_is_cold_only_looks(self) -> None:
        """Neither makes nor takes the Lease; what it has is kept."""
        one = election()
        one.may_claim = False
        give(one, 0, Absent())
        assert isinstance(one.next(0, wall_ns=WALL), Wait)
        give(one, 2, stored(""))
        assert isinstance(one.next(2, wall_ns=WALL), Wait)
        one.may_claim = True
        give(one, 4, stored(""))
        assert isinstance(asked(one, 4), Update)

    def test_who_is_young_lets_others_go_first(self) -> None:
        """A released Lease, one that is not there, and one whose term is over: so much later each."""
        one = election()
        one.handicap_s = 2.0
        give(one, 0, stored(""))
        assert isinstance(give(one, 1.8, stored("")), Get)
        assert one.next(1.8, wall_ns=WALL) == Wait(2.0)
        give(one, 2, stored(""))
        assert isinstance(asked(one, 2), Update)
        two = election()
        two.handicap_s = 2.0
        give(two, 0, Absent())
        give(two, 2, Absent())
        assert isinstance(asked(two, 2), Create)
        three = election()
        three.handicap_s = 2.0
        give(three, 0, stored("other"))
        give(three, 16.9, stored("other"))
        assert three.next(16.9, wall_ns=WALL) == Wait(17.0)
        give(three, 17, stored("other"))
        assert isinstance(asked(three, 17), Update)

    def test_a_deleted_lease_is_held_until_its_term_is_over(self) -> None:
        """Whoever deletes it does not make a second leader of those who saw it."""
        one = election()
        give(one, 0, stored("other"))
        give(one, 2, Absent())
        assert isinstance(one.next(2, wall_ns=WALL), Wait)
        give(one, 15, Absent())
        assert isinstance(asked(one, 15), Create)

    def test_a_namespace_that_is_not_there_is_no_storm(self) -> None:
        """404 to a create can only mean that."""
        one = election()
        give(one, 0, Absent())
        give(one, 0, Absent())
        assert one.failures == 1
        assert isinstance(one.next(0, wall_ns=WALL), Wait)


class TestKeepingIt:
    """Renewals."""

    def test_a_renewal_every_two_seconds_keeps_the_time_of_the_beginning(self) -> None:
        """One request each; nothing is read."""
        one = leading()
        assert one.next(1.9, wall_ns=WALL) == Wait(2.0)
        request = asked(one, 2)
        assert isinstance(request, Update)
        assert request.record.acquire_time == "2026-11-24T10:00:00.000000Z"
        assert request.record.renew_time == "2027-01-15T08:00:00.000000Z"
        assert request.record.transitions == 3

    def test_leading_is_over_ten_seconds_after_the_last_renewal_was_sent(self) -> None:
        """Not after its answer came, and without anybody having to look."""
        one = leading()
        request = asked(one, 2)
        one.answered(request, stored("me", "later"), sent=2, now=6)
        assert one.leads(11.99)
        assert not one.leads(12)

    def test_failures_are_retried_within_the_deadline(self) -> None:
        """Every two seconds at most, with a look first: the write may have been stored."""
        one, now, tries = leading(), 2.0, 0
        while one.leads(now):
            step = one.next(now, wall_ns=WALL)
            if isinstance(step, Wait):
                now = step.until
            else:
                tries += 1
                one.answered(step, Failed(FailureReason.SERVER_ERROR), sent=now, now=now)
        assert 4 <= tries <= 8
        one.answered(asked(one, 60), stored("me"), sent=60, now=60)
        assert isinstance(give(one, 60, stored("me", "again")), Update)
        assert one.leads(60)

    def test_a_change_by_somebody_else_is_a_conflict_and_then_none(self) -> None:
        """As by kubectl annotate: read again, write again, still leading."""
        one = leading()
        give(one, 2, Conflict())
        assert isinstance(give(one, 2, stored("me")), Get)
        assert isinstance(give(one, 2, stored("me")), Update)
        assert one.leads(2)

    def test_conflicts_without_end_are_no_storm(self) -> None:
        """After a few there is a pause."""
        one, requests = leading(), 0
        while not isinstance(one.next(2, wall_ns=WALL), Wait):
            requests += 1
            request = asked(one, 2)
            one.answered(request, Conflict(), sent=2, now=2)
        assert requests <= 4

    def test_whoever_reads_another_name_has_lost_it_at_once(self) -> None:
        """Even before the deadline."""
        one = leading()
        give(one, 2, Conflict())
        give(one, 2, stored("other"))
        assert not one.leads(2)

    def test_a_deleted_lease_is_made_again_by_its_leader(self) -> None:
        """At once."""
        one = leading()
        give(one, 2, Absent())
        assert isinstance(give(one, 2, stored("me")), Create)
        assert one.leads(2)

    def test_an_api_server_that_is_away_is_asked_more_and_more_seldom(self) -> None:
        """Ten minutes of 500: at most 30 requests. Retry-After is honoured."""
        one, now, tries = election(), 0.0, 0
        while now < 600:
            step = one.next(now, wall_ns=WALL)
            if isinstance(step, Wait):
                now = step.until
            else:
                tries += 1
                one.answered(step, Failed(FailureReason.SERVER_ERROR), sent=now, now=now)
        assert tries <= 30
        other = election()
        give(other, 0, Failed(FailureReason.THROTTLED, 7.0))
        assert other.next(0, wall_ns=WALL) == Wait(7.0)


class TestReleasing:
    """The orderly end."""

    def test_the_record_says_nobody_for_one_second(self) -> None:
        """As client-go writes it; and leading is over before it is sent."""
        one = leading()
        one.release()
        assert not one.leads(0)
        request = give(one, 0, stored(""))
        assert isinstance(request, Update)
        assert (request.record.holder, request.record.term_s) == ("", 1)
        assert one.next(0, wall_ns=WALL) is None

    def test_whoever_never_led_has_nothing_to_release(self) -> None:
        """No request."""
        one = election()
        give(one, 0, stored("other"))
        one.release()
        assert one.next(0, wall_ns=WALL) is None

    def test_a_write_without_an_answer_is_looked_after(self) -> None:
        """It may have been stored: then it is released, too."""
        one = election()
        give(one, 0, stored(""))
        give(one, 0, Failed(FailureReason.TIMEOUT))
        one.release()
        assert isinstance(give(one, 1, stored("me")), Get)
        assert isinstance(give(one, 1, stored("")), Update)
        assert one.next(1, wall_ns=WALL) is None


class TestCheckpoint:
    """acknowledged-until, written by who leads and understood by who does not."""

    def test_a_renewal_says_what_was_acknowledged(self) -> None:
        """Its own time less the lag of the export."""
        one = leading()
        request = one.next(2, wall_ns=WALL, lag_ns=90 * SECOND)
        assert isinstance(request, Update)
        assert request.record.acknowledged_until == "2027-01-15T07:58:30.000000Z"
        assert request.record.lag_ns == 90 * SECOND

    def test_the_first_record_tells_of_the_former_process(self) -> None:
        """As a time of the wall clock; 0 when there is none."""
        one = election()
        assert one.former_acknowledged_ns is None
        give(one, 0, stored("other", acknowledged_until="2027-01-15T08:00:00Z"))
        give(one, 2, stored("other", "later", acknowledged_until="2027-01-15T09:00:00Z"))
        assert one.former_acknowledged_ns == WALL
        assert (leading().former_acknowledged_ns, election().former_acknowledged_ns) == (0, None)

    @pytest.mark.parametrize(
        ("until", "renewed", "written", "known"),
        [
            ("08:00:00Z", "08:00:05Z", ["07:00:00Z", "08:00:05Z"], 0),
            ("08:05:00Z", "08:05:05Z", ["08:00:05Z"], 0),  # its clock is five minutes fast
            ("07:55:00Z", "07:55:05Z", ["08:00:05Z"], -300),  # slow
            ("08:00:00Z", "08:00:05Z", ["08:00:05Z", "09:00:00Z"], 0),  # somebody has put a label on it
            ("08:00:00Z", "08:00:05Z", [], None),
            ("08:00:00Z", "", ["08:00:05Z"], None),
            ("", "08:00:05Z", ["08:00:05Z"], None),
        ],
    )
    def test_what_was_acknowledged_is_so_by_two_clocks(
        self, until: str, renewed: str, written: list[str], known: int | None
    ) -> None:
        """The holder's, and that of the API server: the earlier one. Without one of them nobody says so."""
        day = "2027-01-15T"
        record = Record(renew_time=renewed and day + renewed, acknowledged_until=until and day + until)
        fields = [{"time": day + time} for time in written] + [{"time": 7}, "garbage"]
        lease = Lease(record, {"managedFields": fields})
        assert lease.acknowledged_ns == (0 if known is None else WALL + known * SECOND)

    def test_what_is_settled_is_reckoned_on_the_own_clock(self) -> None:
        """The record was written after the last look that did not show it yet; the holder was then so many seconds behind."""
        one = election()
        give(one, 100, stored("other", "2040-01-01T00:00:10Z", acknowledged_until="2040-01-01T00:00:05Z"))
        assert one.settled_until is None  # it may be hours old
        give(one, 102, stored("other", "2040-01-01T00:00:10Z", acknowledged_until="2040-01-01T00:00:05Z"))
        give(one, 104, stored("other", "2040-01-01T00:00:12Z", acknowledged_until="2040-01-01T00:00:05Z"))
        assert one.settled_until == 102 - 7
        give(one, 106, stored("other", "2040-01-01T00:00:14Z", acknowledged_until="2040-01-01T00:00:02Z"))
        assert one.settled_until == 102 - 7  # never back
        give(one, 108, stored("other", "2040-01-01T00:00:16Z", acknowledged_until="garbage"))
        assert one.settled_until == 102 - 7


class TestTakeover:
    """How long nobody leads, in true time."""

    @pytest.mark.parametrize("seed", range(20))
    def test_after_a_kill_at_any_moment_17_seconds_at_most(self, seed: int) -> None:
        """The term, and the pause between two looks."""
        voting = Voting()
        voting.join("a")
        voting.pass_time(5)
        voting.join(f"b{seed}")
        voting.pass_time(20 + seed * 0.1)
        voting.kill("a")
        took = voting.pass_time(60, until=lambda: bool(voting.leaders()))
        assert voting.leaders() == [f"b{seed}"]
        assert 12.9 < took <= 17

    def test_after_a_release_two_seconds_at_most(self) -> None:
        """Nobody has to wait for a term."""
        voting = Voting()
        voting.join("a")
        voting.pass_time(5)
        voting.join("b")
        voting.pass_time(20)
        voting.release("a")
        assert voting.pass_time(60, until=lambda: voting.leaders() == ["b"]) <= 2

    def test_a_leader_cut_off_stops_before_the_other_begins(self) -> None:
        """And comes back as one that stands by."""
        voting = Voting()
        a = voting.join("a")
        voting.pass_time(5)
        voting.join("b")
        voting.pass_time(20)
        a.line = Line(loses_requests=True)
        assert 7.9 < voting.pass_time(60, until=lambda: not voting.leaders()) <= 10.1
        assert voting.pass_time(60, until=lambda: voting.leaders() == ["b"]) <= 9
        a.line = Line()
        voting.pass_time(120)
        assert voting.leaders() == ["b"]
        assert voting.most_leaders == 1

    @pytest.mark.parametrize("way", ["requests", "answers", "slow", "suspended"])
    def test_a_slow_clock_leads_and_a_fast_one_waits(self, way: str) -> None:
        """The worst pair of clocks that is promised, a leader that is cut off at any moment in any way: still never two."""
        overlap, handed_over = 0, 0
        for tenth in range(60):
            voting = Voting()
            a = voting.join("a", rate=0.95)
            voting.pass_time(5)
            voting.join(f"b{tenth}", rate=1.14)
            voting.pass_time(20 + tenth * 0.1)
            match way:
                case "requests":
                    a.line = Line(loses_requests=True)
                case "answers":
                    a.line = Line(loses_answers=True)
                case "slow":
                    a.line = Line(there_s=2.9, back_s=0.3)
                case "suspended":
                    a.frozen_until = voting.now + 60
            voting.pass_time(50)
            overlap += voting.most_leaders > 1
            handed_over += voting.leaders() == [f"b{tenth}"]
        assert overlap == 0
        assert handed_over == (60 if way in {"requests", "suspended"} else handed_over)

    def test_wall_clocks_do_not_matter(self) -> None:
        """Neither a year ahead nor steps of an hour move the leadership."""
        voting = Voting()
        a = voting.join("a")
        voting.pass_time(5)
        b = voting.join("b")
        for step in (3600, -7200, 31_536_000, -63_072_000):
            a.wall_ns += step * SECOND
            b.wall_ns -= step * SECOND
            voting.pass_time(30)
            assert voting.leaders() == ["a"]
        assert a.election.transitions == 1


_WHO = st.integers(0, 2)
# The fastest clock against the slowest: 1.2 is promised (1.5 is what the figures give).
_RATES = st.sampled_from([0.95, 1.0, 1.14])
_DELAYS = st.sampled_from([0.005, 0.4, 1.4, 2.9, 9.0, 30.0])
_THEN = st.sampled_from([0.05, 0.7, 1.9, 5.0, 9.0, 11.0, 14.0, 17.0, 40.0])


class Candidates(RuleBasedStateMachine):
    """Two or three candidates, and everything that may happen to them. Time passes after everything."""

    def __init__(self) -> None:
        super().__init__()
        self.voting = Voting()
        self.born = 0

    @initialize(a=_RATES, b=_RATES, then=_THEN)
    def two_of_them(self, a: float, b: float, then: float) -> None:
        """One after the other."""
        self._join(a, then)
        self._join(b, then)

    def _join(self, rate: float, then: float) -> None:
        self.born += 1
        self.voting.join(f"candidate{self.born}", rate=rate)
        self.voting.pass_time(then)

    def _one(self, who: int) -> Candidate | None:
        found = list(self.voting.candidates.values())
        return found[who % len(found)] if found else None

    @rule(rate=_RATES, then=_THEN)
    def a_process_starts(self, rate: float, then: float) -> None:
        """At most three at a time."""
        if len(self.voting.candidates) < 3:
            self._join(rate, then)

    @rule(who=_WHO, there=_DELAYS, back=_DELAYS, lost=st.integers(0, 3), then=_THEN)
    def the_network_is_bad(self, who: int, there: float, back: float, lost: int, then: float) -> None:
        """For one of them, in one or the other direction: writes arrive late, unheard of, or not at all."""
        if candidate := self._one(who):
            candidate.line = Line(there, back, lost == 1, lost == 2)
        self.voting.pass_time(then)

    @rule(who=_WHO, then=_THEN)
    def the_network_is_good(self, who: int, then: float) -> None:
        """Again."""
        if candidate := self._one(who):
            candidate.line = Line()
        self.voting.pass_time(then)

    @rule(who=_WHO, seconds=_THEN, then=_THEN)
    def a_process_is_suspended(self, who: int, seconds: float, then: float) -> None:
        """Its clock goes on."""
        if candidate := self._one(who):
            candidate.frozen_until = self.voting.now + seconds
        self.voting.pass_time(then)

    @rule(who=_WHO, seconds=st.integers(-(10**7), 10**7), then=_THEN)
    def a_wall_clock_is_set(self, who: int, seconds: int, then: float) -> None:
        """Ahead or back."""
        if candidate := self._one(who):
            candidate.wall_ns += seconds * SECOND
        self.voting.pass_time(then)

    @rule(who=_WHO, way=st.sampled_from(["kill", "release"]), then=_THEN)
    def a_process_ends(self, who: int, way: str, then: float) -> None:
        """One way or the other."""
        if candidate := self._one(who):
            (self.voting.kill if way == "kill" else self.voting.release)(candidate.election.identity)
        self.voting.pass_time(then)

    @invariant()
    def there_are_never_two(self) -> None:
        """At no moment so far."""
        assert self.voting.most_leaders <= 1

    def teardown(self) -> None:
        """When all is well again, somebody leads, and goes on leading."""
        for candidate in self.voting.candidates.values():
            candidate.line, candidate.frozen_until = Line(), 0.0
        self.voting.pass_time(120)
        assert self.voting.most_leaders <= 1
        alive = [c for c in self.voting.candidates.values() if not c.election._is_releasing]
        assert len(self.voting.leaders()) == (1 if alive else 0)


Candidates.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
TestCandidates = Candidates.TestCase
