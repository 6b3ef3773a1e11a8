"""The accounts of a running service add up at every scrape; and the helper that checks it would notice if they did not."""

from __future__ import annotations

import time

import pytest
from fakes.accounts import Accounts

GOOD = {
    "kspanpy_events_seen_total": 6,
    "kspanpy_events_exported_total": 3,
    "kspanpy_events_discarded_total": {"duplicate": 2},
    "kspanpy_events_pending": 1,
    "kspanpy_spans_emitted_total": 10,
    "kspanpy_spans_acknowledged_total": 4,
    "kspanpy_spans_dropped_total": {"queue_full": 1, "rejected": 2},
    "kspanpy_spans_queued": 3,
}


class TestTheHelper:
    """`tests/fakes/accounts.py`."""

    def test_good_accounts_are_good(self) -> None:
        """With what it says of them."""
        account = Accounts(lambda: GOOD).check()
        assert account.events == {"seen": 6, "exported": 3, "discarded": 2, "pending": 1}
        assert account.by_reason("spans_dropped_total") == {"queue_full": 1, "rejected": 2}
        assert account.total("spans_dropped_total", "rejected") == 2

    @pytest.mark.parametrize("name", [name for name, value in GOOD.items() if isinstance(value, int)])
    def test_one_that_is_missing_is_noticed(self, name: str) -> None:
        """Whichever it is."""
        with pytest.raises(AssertionError, match=r"events|spans"):
            Accounts(lambda: {**GOOD, name: GOOD[name] + 1}).check()  # type: ignore[operator]

    def test_spans_of_other_processes_are_in_the_sum(self) -> None:
        """Those that came from the one before are emitted; those that stay for the next have a name."""
        other = {"kspanpy_spans_recovered_total": 5, "kspanpy_spans_left": 2, "kspanpy_spans_queued": 1}
        assert Accounts(lambda: GOOD | other).check().spans["left"] == 2

    def test_what_the_service_itself_can_not_account_for_is_noticed(self) -> None:
        """Whatever the sum says."""
        with pytest.raises(AssertionError, match="unaccounted"):
            Accounts(lambda: GOOD | {"kspanpy_events_unaccounted": 1}).check()

    def test_an_empty_page_is_no_good_account(self) -> None:
        """0 = 0 + 0 + 0 proves nothing."""
        with pytest.raises(AssertionError, match="no scrape of kspanpy"):
            Accounts(dict).check()

    def test_in_the_background_one_bad_scrape_is_enough(self) -> None:
        """Though all before and after are good."""
        given = iter([GOOD, {**GOOD, "kspanpy_events_pending": 0}])
        accounts = Accounts(lambda: next(given, GOOD))
        with pytest.raises(AssertionError, match="1 scrapes do not add up"), accounts.watched(0.001):
            _wait_for(accounts, 4)

    def test_in_the_background_a_counter_does_not_go_back(self) -> None:
        """Prometheus would take it for a restart."""
        less = {**GOOD, "kspanpy_events_seen_total": 5, "kspanpy_events_exported_total": 2}
        given = iter([GOOD, less])
        accounts = Accounts(lambda: next(given, less))
        with pytest.raises(AssertionError, match="went back from"), accounts.watched(0.001):
            _wait_for(accounts, 3)

    def test_in_the_background_nobody_at_all_is_a_failure(self) -> None:
        """A test that scraped nothing has proved nothing."""
        with (
            pytest.raises(AssertionError, match="only 0 scrapes"),
            Accounts("http://127.0.0.1:9").watched(0.001),
        ):
            pass


def _wait_for(accounts: Accounts, scrapes: int) -> None:
    end = time.monotonic() + 5
    while accounts.scrapes < scrapes:
        assert time.monotonic() < end
        time.sleep(0.001)
