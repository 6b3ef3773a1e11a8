"""Times are nanoseconds or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.decode import nanoseconds, rfc3339

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T06:46:10Z", 1795416370 * S),
        ("2026-11-23T06:46:10.920200Z", 1795416370 * S + 920_200_000),
        ("2026-11-23T06:46:10.123456789Z", 1795416370 * S + 123_456_789),
        ("2026-11-23T06:46:10.123456789123Z", 1795416370 * S + 123_456_789),
        ("2026-11-23T07:46:10+01:00", 1795416370 * S),
        ("2026-11-23T01:16:10-05:30", 1795416370 * S),
        ("2016-12-31T23:59:60Z", 1483228800 * S),  # a leap second
        ("2261-12-31T23:59:59Z", 9214646399 * S),
    ],
)
def test_rfc_3339_becomes_nanoseconds(text, expected):
    """Fractions of any length, offsets and leap seconds are understood."""
    assert nanoseconds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z",
        "yesterday",
        "9999-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T06:46:10",
        "2026-11-23",
        "2026-11-23T06:46:61Z",
        "٢٠٢٦-11-23T06:46:10Z",
        "1795416370",
        "2026-11-23T06:46:10Z" + "0" * 100_000,
    ],
)
def test_no_time_and_impossible_times_are_none(text):
    """Go's zero time, other centuries and garbage are all "the cluster did not say"."""
    assert nanoseconds(text) is None


@given(st.text())
def test_any_text_is_a_time_or_none(text):
    """Nothing raises, and what comes out can be sent."""
    result = nanoseconds(text)
    assert result is None or 0 <= result < 2**63


@given(st.integers(0, 9214646400 * 1_000_000 - 1))
def test_written_times_read_back(micros):
    """A stamp of a capture file gives the same microsecond again."""
    assert nanoseconds(rfc3339(micros * 1000)) == micros * 1000


@pytest.mark.parametrize("ns", [-1, 2**63, 2**70])
def test_times_out_of_range_are_written_at_the_edge(ns):
    """The writer never raises over a time."""
    assert nanoseconds(rfc3339(ns)) is not None
