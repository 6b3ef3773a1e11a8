"""The metrics: a table, served as Prometheus reads it, at no cost between scrapes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from kspanpy.ops.metrics import METRICS, Histogram, Metrics, Reading


def everything() -> dict[str, Reading]:
    """A reading with a value for every metric."""
    histogram = Histogram()
    histogram.observe(0.3)
    return {
        metric.name: histogram if metric.type == "histogram" else {"some": 2, "other": 1} if metric.label else 3
        for metric in METRICS
    }


class TestTable:
    """What the table promises."""

    def test_names_follow_the_conventions(self) -> None:
        """One prefix besides OpenTelemetry's, `_total` for counters and only for them, seconds as the unit of time."""
        for metric in METRICS:
            assert re.fullmatch(r"(kspanpy|otel_sdk)(_[a-z]+)+", metric.name)
            assert metric.name.endswith("_total") is (metric.type == "counter")

    def test_every_metric_says_what_it_is(self) -> None:
        """A sentence each, no two alike."""
        assert all(metric.help.endswith(".") for metric in METRICS)
        assert len({metric.help for metric in METRICS}) == len({metric.name for metric in METRICS}) == len(METRICS)


class TestScrape:
    """What Prometheus gets."""

    def test_all_of_the_table_is_served(self) -> None:
        """Under its name, type and label."""
        _, body = Metrics(everything).scrape()
        families = {family.name: family for family in text_string_to_metric_families(body.decode())}
        for metric in METRICS:
            family = families[metric.name.removesuffix("_total")]
            assert (family.type, family.documentation) == (metric.type, metric.help)
            if metric.label:
                assert {sample.labels[metric.label] for sample in family.samples} == {"some", "other"}

    def test_the_process_is_there_too(self) -> None:
        """Memory, CPU, open files: what every dashboard asks for."""
        _, body = Metrics(dict).scrape()
        assert b"process_resident_memory_bytes" in body

    def test_nothing_is_read_before_a_scrape_and_once_for_each(self) -> None:
        """The parts may not even exist when the registry is made."""
        reads: list[int] = []

        def read() -> dict[str, Reading]:
            reads.append(1)
            return everything()

        metrics = Metrics(read)
        assert reads == []
        metrics.scrape()
        assert reads == [1]

    def test_two_services_do_not_share_a_registry(self) -> None:
        """Nothing is global: two in one process, as in tests, are two."""
        first, second = Metrics(lambda: {"kspanpy_events_seen_total": 1}), Metrics(dict)
        assert b"kspanpy_events_seen_total 1.0" in first.scrape()[1]
        assert b"kspanpy_events_seen" not in second.scrape()[1]


class TestHistogram:
    """The lag of Events."""

    @pytest.mark.parametrize(("value", "bucket"), [(0.0, "0.1"), (0.1, "0.1"), (0.11, "0.25"), (3601.0, "+Inf")])
    def test_a_value_falls_into_the_first_bucket_that_holds_it(self, value: float, bucket: str) -> None:
        """`le` means less or equal."""
        histogram = Histogram()
        histogram.observe(value)
        _, body = Metrics(lambda: {"kspanpy_event_lag_seconds": histogram}).scrape()
        found = re.findall(r'kspanpy_event_lag_seconds_bucket\{le="([^"]+)"\} 1.0', body.decode())
        assert found[0] == bucket

    @given(st.lists(st.floats(-1e6, 1e6), max_size=50))
    def test_count_and_sum_are_those_of_the_values(self, values: list[float]) -> None:
        """A clock ahead of ours counts as no lag."""
        histogram = Histogram()
        for value in values:
            histogram.observe(value)
        assert sum(histogram.counts) == len(values)
        assert histogram.sum == pytest.approx(sum(max(value, 0.0) for value in values))
