"""Waiting after failures."""

from __future__ import annotations

from fakes.objects import calls_in
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.kube.backoff import LONGEST_RETRY_AFTER_S, Backoff
from kspanpy.kube.failures import retry_after

dice = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(st.lists(dice, min_size=1, max_size=40))
def test_ten_minutes_of_failures_are_at_most_30_requests(rolls: list[float]) -> None:
    """However the dice fall, a sick API server is asked at most 30 times in ten minutes."""
    rolled = iter(rolls * 40)
    backoff = Backoff(lambda: next(rolled))
    assert calls_in(600.0, lambda now: backoff.delay(now=now)) <= 30


@given(st.lists(dice, min_size=60, max_size=60))
def test_after_two_minutes_at_most_one_request_in_25_seconds(rolls: list[float]) -> None:
    """In the long run a failing request costs at most 0.04 requests a second."""
    rolled = iter(rolls)
    backoff, now = Backoff(lambda: next(rolled)), 0.0
    while now < 120.0:
        now += backoff.delay(now=now)
    assert backoff.delay(now=now) >= 25.0


def test_delays_double_from_0_8_to_30_seconds() -> None:
    """Without jitter the delays are client-go's."""
    backoff, now, delays = Backoff(lambda: 0.0), 0.0, []
    for _ in range(8):
        delays.append(backoff.delay(now=now))
        now += delays[-1]
    assert delays == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_jitter_at_most_doubles() -> None:
    """Jitter only adds, and at most as much again."""
    assert Backoff(lambda: 0.999).delay(now=0.0) < 1.6


def test_two_quiet_minutes_forget_the_past() -> None:
    """A failure after a long good time is a first failure."""
    backoff = Backoff(lambda: 0.0)
    backoff.delay(now=0.0)
    backoff.delay(now=1.0)
    assert backoff.delay(now=200.0) == 0.8
    assert backoff.failures == 1


def test_retry_after_is_honoured_within_reason() -> None:
    """The server's wish is a lower bound, up to five minutes; a shorter wish does not hurry."""
    assert Backoff(lambda: 0.0).delay(now=0.0, retry_after_s=7.0) == 7.0
    assert Backoff(lambda: 0.0).delay(now=0.0, retry_after_s=0.1) == 0.8
    assert Backoff(lambda: 0.0).delay(now=0.0, retry_after_s=1e9) == LONGEST_RETRY_AFTER_S


def test_a_retry_after_that_is_no_number_is_ignored() -> None:
    """Dates and nonsense in the header say nothing."""
    assert retry_after("12") == 12.0
    assert [retry_after(value) for value in (None, "", "soon", "-3", "Wed, 21 Oct 2015 07:28:00 GMT", "٣")] == [
        None
    ] * 6
