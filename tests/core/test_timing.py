"""Which of an Event's times is believed."""

from __future__ import annotations

import pytest

from kspanpy.core.model import MILLISECOND, SECOND, Event, ObjectReference
from kspanpy.core.timing import Occurrence, instant, name_clock, occurrence, rfc3339
from tests.core.cluster import T0

RECEIVED = T0 + 60 * SECOND
EXACT = T0 + 123_456_789
SUFFIX = f"{EXACT:x}"


def event(name: str = "web-1.x", **times: int | None) -> Event:
    """An Event with these times and no other."""
    return Event(uid="u", name=name, namespace="shop", involved=ObjectReference(), **times)


class TestOrderOfTrust:
    """The most exact witness that is not contradicted wins."""

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            pytest.param(
                event(
                    series_count=3, series_last_ns=T0 + 7, event_time_ns=T0, first_ns=T0, last_ns=T0 + SECOND, count=9
                ),
                Occurrence(3, T0 + 7, 0),
                id="the last time of a series",
            ),
            pytest.param(
                event(series_count=1, series_last_ns=T0 + 7, event_time_ns=T0 + 5),
                Occurrence(1, T0 + 5, 0),
                id="a series of one is not yet a series",
            ),
            pytest.param(
                event(f"web.{SUFFIX}", event_time_ns=T0 + 5, first_ns=T0, last_ns=T0),
                Occurrence(1, T0 + 5, 0),
                id="eventTime before the name",
            ),
            pytest.param(
                event(f"web.{SUFFIX}", first_ns=T0, last_ns=T0, count=1),
                Occurrence(1, EXACT, 0),
                id="the name before the whole second",
            ),
            pytest.param(
                event(f"web.{SUFFIX}", first_ns=T0, last_ns=T0, count=4),
                Occurrence(4, T0, SECOND),
                id="four within one second: the name dates the first of them only",
            ),
            pytest.param(
                event(f"web.{SUFFIX}", first_ns=T0 + SECOND, last_ns=T0 + SECOND),
                Occurrence(1, T0 + SECOND, SECOND),
                id="a name that contradicts firstTimestamp",
            ),
            pytest.param(
                event(f"web.{SUFFIX}", first_ns=T0, last_ns=T0 + 9 * SECOND, count=2),
                Occurrence(2, T0 + 9 * SECOND, SECOND),
                id="a repetition: the name is of the first one only",
            ),
            pytest.param(event(first_ns=T0), Occurrence(1, T0, SECOND), id="firstTimestamp alone"),
            pytest.param(event(last_ns=T0), Occurrence(1, T0, SECOND), id="lastTimestamp alone"),
            pytest.param(event(created_ns=T0), Occurrence(1, T0, SECOND), id="creationTimestamp"),
            pytest.param(event(), Occurrence(1, RECEIVED, 0), id="nothing: the time of receipt"),
        ],
    )
    def test_the_best_witness_wins(self, written, expected):
        """Series, eventTime, name, lastTimestamp, creation, receipt - in this order."""
        assert expected == occurrence(written, RECEIVED)

    def test_a_time_with_a_fraction_is_exact(self):
        """Only whole seconds are truncated."""
        assert occurrence(event(last_ns=T0 + 5 * MILLISECOND), RECEIVED).slack_ns == 0

    def test_the_last_instant_is_a_second_after_a_truncated_one(self):
        """What is compared with other times is the whole interval."""
        assert occurrence(event(last_ns=T0), RECEIVED).latest_ns == T0 + SECOND


class TestSteps:
    """n = series.count, else count, else 1."""

    @pytest.mark.parametrize(
        ("counts", "n"),
        [
            pytest.param({"series_count": 4, "count": 2}, 4, id="series"),
            pytest.param({"count": 2}, 2, id="count"),
            pytest.param({}, 1, id="neither"),
            pytest.param({"count": 0}, 1, id="zero"),
        ],
    )
    def test_which_step_a_version_shows(self, counts, n):
        """The same for everybody: it is a part of the span's id."""
        assert occurrence(event(**counts, event_time_ns=T0), RECEIVED).n == n


class TestNameClock:
    """client-go names an Event `<object>.<hex of UnixNano>`."""

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            pytest.param(f"web-6d4-x7k2p.{SUFFIX}", EXACT, id="client-go"),
            pytest.param(f"web.example.com.{SUFFIX}", EXACT, id="a name with dots"),
            pytest.param("px.16806e83e5b82d63", 0x16806E83E5B82D63, id="16 digits"),
            pytest.param("web", None, id="no dot"),
            pytest.param(f"web{SUFFIX}", None, id="no dot before the digits"),
            pytest.param("web.16806E83E5B82D63", None, id="capitals"),
            pytest.param("web.1680", None, id="too short"),
            pytest.param("web.016806e83e5b82d63", None, id="too long"),
            pytest.param("web.16806e83e5b82d6g", None, id="not hex"),
            pytest.param("6f1e2b60-4f0c-11ee-be56-0242ac120002", None, id="a UUID"),
            pytest.param("web.", None, id="nothing after the dot"),
            pytest.param("", None, id="empty"),
        ],
    )
    def test_only_what_client_go_writes_is_read(self, name, expected):
        """15 or 16 lower-case hex digits after the last dot."""
        assert name_clock(name) == expected


class TestInstant:
    """A truncated second and a time of receipt give an instant that can be compared."""

    @pytest.mark.parametrize(
        ("written", "received", "expected"),
        [
            pytest.param(T0, T0 + 300, T0 + 300, id="received within the second"),
            pytest.param(T0, T0 + 5 * SECOND, T0 + SECOND, id="received later: the end of the second"),
            pytest.param(T0, T0 - 5 * SECOND, T0, id="a clock is ahead: the cluster wins"),
            pytest.param(None, T0, T0, id="nothing written"),
        ],
    )
    def test_it_lies_in_the_second_that_was_written(self, written, received, expected):
        """And as near to the receipt as that allows."""
        assert instant(written, received) == expected


class TestText:
    """Times as people read them."""

    @pytest.mark.parametrize(
        ("at_ns", "text"),
        [
            pytest.param(EXACT, "2026-03-01T12:00:00.123456Z", id="microseconds, cut"),
            pytest.param(0, "1970-01-01T00:00:00.000000Z", id="the epoch"),
            pytest.param(-1, "1970-01-01T00:00:00.000000Z", id="negative"),
            pytest.param(1 << 80, "9999-12-31T23:59:59.000000Z", id="beyond every calendar"),
        ],
    )
    def test_any_time_has_a_text(self, at_ns, text):
        """A time that no calendar holds becomes its nearest edge."""
        assert rfc3339(at_ns) == text
