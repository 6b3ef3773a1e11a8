"""What an answer means, by the OTLP specification, and how long the pauses are."""

from __future__ import annotations

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.export.retry import Backoff, Permanent, Transient, grpc_outcome, http_outcome, retry_after

RETRYABLE = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}


@pytest.mark.parametrize("code", [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_grpc_code(code):
    """Exactly the codes of the specification are retried; RESOURCE_EXHAUSTED only when the server says when."""
    assert isinstance(grpc_outcome(code, "", None), Transient) == (code in RETRYABLE)
    assert isinstance(grpc_outcome(code, "", 1.0), Transient) == (code in RETRYABLE | {"RESOURCE_EXHAUSTED"})


@pytest.mark.parametrize(
    "status", [300, 301, 302, 307, 400, 401, 403, 404, 408, 413, 422, 429, 500, 501, 502, 503, 504, 505]
)
def test_every_http_status(status):
    """Exactly 429, 502, 503 and 504 are retried; a redirect is not."""
    assert isinstance(http_outcome(status, "", None), Transient) == (status in {429, 502, 503, 504})


def test_only_refusals_of_the_content_are_divided():
    """Halving helps against one bad span or too large a request, not against a missing token."""
    divisible = {status for status in range(300, 600) if getattr(http_outcome(status, "", None), "divisible", False)}
    assert divisible == {400, 413, 422}
    codes = {c.name for c in grpc.StatusCode if getattr(grpc_outcome(c.name, "", None), "divisible", False)}
    assert codes == {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
    assert grpc_outcome("INVALID_ARGUMENT", "no", None) == Permanent("INVALID_ARGUMENT: no", divisible=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("-7", None),
        ("7.5", None),
        ("nan", None),
        ("٧", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:10 GMT", 10.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("9" * 100, None),
    ],
)
def test_retry_after(value, expected):
    """Seconds or a date; anything else is as if it were not there."""
    assert retry_after(value, 1445412480.0) == expected


@given(st.text(max_size=70))
def test_retry_after_survives_any_text(value):
    """A server can write what it likes."""
    wait = retry_after(value, 0.0)
    assert wait is None or wait >= 0


def test_pauses_grow_to_thirty_seconds():
    """1 s, x1.5, at most 30 s, for ever; an answer starts over."""
    backoff = Backoff(jitter=lambda: 0.5)
    pauses = [backoff.pause_s(None) for _ in range(50)]
    assert pauses[:3] == [1.0, 1.5, 2.25]
    assert max(pauses) == pauses[-1] == 30.0
    backoff.reset()
    assert backoff.pause_s(None) == 1.0


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e12)), max_size=40))
def test_pauses_are_bounded(steps):
    """Never hot, never longer than what a server may ask for."""
    for jitter, hint in steps:
        backoff = Backoff(jitter=lambda value=jitter: value)
        pause = backoff.pause_s(hint)
        assert pause <= 330.0
        assert pause >= (0.5 if not hint else min(hint, 300.0))


def test_a_hint_replaces_the_schedule():
    """Retry-After and RetryInfo are honoured, with a cap."""
    backoff = Backoff(jitter=lambda: 0.0)
    assert backoff.pause_s(7.0) == 7.0
    assert backoff.pause_s(86_400.0) == 300.0
