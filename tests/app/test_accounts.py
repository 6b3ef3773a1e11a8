"""The accounts of a running service add up at every scrape; and the helper that checks it would notice if they did not."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from fakes.accounts import Account, Accounts
from fakes.apiserver import FakeApiServer
from fakes.collector import Accept, Answer, FakeCollector, Reset
from fakes.objects import event, pod

from tests.app.test_service import Service, now, until

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


class TestAService:
    """`kspanpy run` while its backend does everything that a backend can do."""

    def test_at_every_scrape_of_several_at_a_time(self, server: FakeApiServer, tmp_path: Path) -> None:
        """Refused for now, cut off, taken in part, refused for good, then gone for longer than the queue can hold, then back."""
        backend = [Answer(503), Reset(), Accept(rejected=3), Answer(400)]
        server.put("pods", pod("web"))
        with ExitStack() as stack:
            collector = stack.enter_context(FakeCollector("http/protobuf", backend))
            service = stack.enter_context(
                closing(
                    Service(
                        tmp_path, server.kubeconfig(tmp_path), "--shutdown-seconds", "2",
                        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}",
                        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", KSPANPY_QUEUE_SPANS="512",
                    )
                )
            )  # fmt: skip
            service.ready()
            scrapers = [Accounts(f"http://{service.address}") for _ in range(3)]
            with ExitStack() as watching:
                for scraper in scrapers:
                    watching.enter_context(scraper.watched(0.02, at_least=20))
                self._happen(server, 0, 60)
                until(lambda: len(collector.payloads) >= 3, "the backend does not take them")
                self._happen(server, 60, 120)
                until(
                    lambda: _seen(scrapers) == 120 and len(collector.payloads) >= len(backend), "the backend's faults"
                )
                collector.close()
                self._happen(server, 120, 900)
                until(
                    lambda: _seen(scrapers) == 900 and _last(scrapers).spans["queued"] == 512, "the queue is not full"
                )
                stack.enter_context(FakeCollector("http/protobuf", port=collector.port))
                account = scrapers[0].settled()

            lost = account.by_reason("spans_dropped_total")
            assert lost.keys() == {"rejected", "queue_full"}
            assert account.events == {"seen": 900, "exported": 900, "discarded": 0, "pending": 0}
            exported = account.samples["otel_sdk_exporter_span_exported_total"]
            processed = account.samples["otel_sdk_processor_span_processed_total"]
            assert (exported[""], exported["rejected"]) == (account.spans["acknowledged"], lost["rejected"])
            assert (processed["queue_full"], processed[""]) == (lost["queue_full"], sum(exported.values()))
            assert service.end(signal.SIGTERM) == 0
            summary = service.said()[-1]
            assert summary["spans_emitted"] == summary["spans_acknowledged"] + summary["spans_dropped"]
            assert (summary["events_seen"], summary["events_exported"], summary["events_pending"]) == (900, 900, 0)

    @staticmethod
    def _happen(server: FakeApiServer, first: int, last: int) -> None:
        for number in range(first, last):
            server.put("events", event(f"e{number}", at=now(), reason="BackOff", type="Warning", message="Back-off"))


def _last(scrapers: list[Accounts]) -> Account:
    last = scrapers[0].last
    assert last is not None
    return last


def _seen(scrapers: list[Accounts]) -> float:
    return 0.0 if scrapers[0].last is None else _last(scrapers).events["seen"]
