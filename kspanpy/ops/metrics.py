"""Every metric of the service, as a table, and the collector that serves it.

Nothing is counted here: the parts of the service count for themselves in plain integers, and a scrape reads them. So a metric
costs nothing between scrapes, and both sums hold at every scrape:

    events seen    = exported + discarded + pending
    spans emitted  = acknowledged + dropped + queued

What is pending is what the linker says it holds, not the difference; the difference has a metric of its own, which is 0.

Label sets are closed: no label value comes from the cluster, except the kinds that kspanpy itself chose to watch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

Value = int | float
Reading: TypeAlias = "Value | Mapping[str, Value] | Histogram"
Readings = Mapping[str, Reading]


class Described(NamedTuple):
    """One metric: its full name, its type, what it says, and its label."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    label: str = ""


METRICS: Final = (
    Described("kspanpy_build_info", "gauge", "Always 1; the version of kspanpy.", "version"),
    Described(
        "kspanpy_ready", "gauge", "1 while the cluster is seen as it is: as /readyz says, but for the time of stopping."
    ),
    Described("kspanpy_shard_index", "gauge", "The number of this shard, from 0 (KSPANPY_SHARD)."),
    Described("kspanpy_shard_count", "gauge", "How many shards tell the stories together; 1: this process alone."),
    # Events
    Described("kspanpy_events_seen_total", "counter", "Versions of Events that the linker has taken in."),
    Described("kspanpy_events_exported_total", "counter", "Those that became an event span."),
    Described("kspanpy_events_discarded_total", "counter", "Those that got no span, by reason.", "reason"),
    Described("kspanpy_events_pending", "gauge", "Those that still wait for their place in a story, or for their end."),
    Described("kspanpy_events_unaccounted", "gauge", "What is missing in that sum: always 0, or it is a bug."),
    Described("kspanpy_event_lag_seconds", "histogram", "From the time an Event gives for itself to its receipt."),
    # Spans
    Described("kspanpy_spans_emitted_total", "counter", "Finished spans handed to the exporter."),
    Described("kspanpy_spans_acknowledged_total", "counter", "Spans that the backend, or the file, has accepted."),
    Described("kspanpy_spans_dropped_total", "counter", "Spans lost, by reason.", "reason"),
    Described("kspanpy_spans_queued", "gauge", "Spans not yet acknowledged: queued or being sent."),
    Described("kspanpy_spans_capacity", "gauge", "Spans that the queue may hold."),
    Described(
        "kspanpy_queue_fullness_ratio", "gauge", "How full the queue is, by spans or by bytes: at 1 spans are lost."
    ),
    Described(
        "kspanpy_spans_recovered_total", "counter", "Spans that the process before has left; they count as emitted."
    ),
    Described("kspanpy_spans_left", "gauge", "Spans that stay on disk for the next process."),
    Described("kspanpy_spans_spilled", "gauge", "Queued spans that are on disk only."),
    Described("kspanpy_spans_repaired_total", "counter", "Spans sent with something cut, replaced or left out."),
    Described("kspanpy_export_requests_total", "counter", "Requests to the backend, by outcome.", "outcome"),
    Described("kspanpy_export_success_timestamp_seconds", "gauge", "When spans last arrived, as Unix time; 0: never."),
    # The same by the names of OpenTelemetry: https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
    Described("otel_sdk_processor_span_queue_size", "gauge", "Spans that wait to be sent."),
    Described("otel_sdk_processor_span_queue_capacity", "gauge", "Spans that may wait."),
    Described(
        "otel_sdk_processor_span_processed_total",
        "counter",
        "Spans given to the exporter, or with an error type lost before.",
        "error_type",
    ),
    Described("otel_sdk_exporter_span_inflight", "gauge", "Spans given to the exporter whose fate is open."),
    Described(
        "otel_sdk_exporter_span_exported_total",
        "counter",
        "Spans that arrived, or with an error type were given up.",
        "error_type",
    ),
    # Stories and memory
    Described("kspanpy_stories_closed_total", "counter", "Stories told to their end: root spans."),
    Described("kspanpy_stories_failed_total", "counter", "Stories of those that ended with status ERROR."),
    Described("kspanpy_stories_open", "gauge", "Stories not yet closed, those that another shard tells too."),
    Described("kspanpy_objects_held", "gauge", "Objects remembered."),
    Described(
        "kspanpy_limit_reached_total",
        "counter",
        "How often something was decided or forgotten early for want of room.",
        "limit",
    ),
    # The state on disk
    Described("kspanpy_state_bytes", "gauge", "Size of the state on disk."),
    Described("kspanpy_state_snapshots_total", "counter", "Snapshots of the linker written."),
    Described("kspanpy_state_snapshot_seconds", "gauge", "How long the last one took; nothing else happens meanwhile."),
    Described(
        "kspanpy_state_journal_bytes", "gauge", "Inputs since the last snapshot, which a restart takes in again."
    ),
    Described("kspanpy_state_errors_total", "counter", "Failed operations on the state, by operation.", "operation"),
    # Watching
    Described("kspanpy_watch_synced", "gauge", "1 when the kind has been listed and is watched.", "kind"),
    Described(
        "kspanpy_watch_silence_seconds", "gauge", "Since the API server last sent anything for the kind.", "kind"
    ),
    Described("kspanpy_watch_changes_total", "counter", "Changes of objects and Events received.", "kind"),
    Described("kspanpy_watch_lists_total", "counter", "Requests for a page of a list.", "kind"),
    Described("kspanpy_watch_requests_total", "counter", "Requests for a watch.", "kind"),
    Described("kspanpy_watch_relists_total", "counter", "Lists that had to be made again.", "kind"),
    Described("kspanpy_watch_failures_total", "counter", "Failed lists and watches, by reason.", "reason"),
    Described("kspanpy_malformed_total", "counter", "Inputs that could not be read, by reason.", "reason"),
    Described(
        "kspanpy_values_altered_total", "counter", "Texts cut or cleaned, list entries left out, by decoding.", "reason"
    ),
    Described("kspanpy_owner_lookups_total", "counter", "Fetches of owners of kinds that are not watched.", "outcome"),
    # High availability
    Described("kspanpy_leader", "gauge", "1 while this process sends what it tells; always 1 without a Lease."),
    Described("kspanpy_standby_spans", "gauge", "Finished spans that a standby keeps for the case of a takeover."),
    Described(
        "kspanpy_standby_yielded_total", "counter", "Those it let go because the leader has had them acknowledged."
    ),
    Described("kspanpy_lease_failures_total", "counter", "Requests for the Lease that failed."),
    # The loop
    Described("kspanpy_inbox_items", "gauge", "Watch items waiting for the linker."),
    Described("kspanpy_inbox_capacity", "gauge", "Items that may wait before the watches do."),
    Described("kspanpy_loop_heartbeat_seconds", "gauge", "Since the linker's loop last came round."),
    Described("kspanpy_loop_busy_seconds_total", "counter", "Time that the linker's loop has worked."),
    Described("kspanpy_loop_errors_total", "counter", "Inputs skipped because of a bug in kspanpy."),
)


class Histogram:
    """Counts in fixed buckets. One thread observes; a scrape may read a moment's tear between buckets, never a wrong total."""

    BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 3600.0)

    def __init__(self) -> None:
        self.counts = [0] * (len(self.BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value; a negative one (a clock ahead of ours) counts as zero."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.BOUNDS, value)] += 1
        self.sum += value


class Metrics:
    """The registry of one service: its own readings, and the process's."""

    def __init__(self, read: Callable[[], Readings]) -> None:
        self._read = read
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One reading as metric families, in the order of the table."""
        readings = self._read()
        for metric in METRICS:
            if metric.name in readings:
                yield family(metric, readings[metric.name])

    def scrape(self) -> tuple[str, bytes]:
        """Content type and body of /metrics."""
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)


def family(metric: Described, reading: Reading) -> Metric:
    """A reading in the form of the client library."""
    if isinstance(reading, Histogram):
        return _histogram(metric, reading)
    make = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    if not isinstance(reading, Mapping):
        return make(metric.name, metric.help, value=reading)
    labelled = make(metric.name, metric.help, labels=[metric.label])
    for value in sorted(reading):
        labelled.add_metric([value], reading[value])
    return labelled


def _histogram(metric: Described, histogram: Histogram) -> Metric:
    total, buckets = 0, []
    for bound, count in zip((*histogram.BOUNDS, None), list(histogram.counts), strict=True):
        total += count
        buckets.append(("+Inf" if bound is None else str(bound), float(total)))
    return HistogramMetricFamily(metric.name, metric.help, buckets=buckets, sum_value=histogram.sum)


def table() -> str:
    """The metrics as Markdown, for docs/metrics.md."""
    lines = ["| metric | type | label | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| `{m.name}` | {m.type} | {f'`{m.label}`' if m.label else ''} | {m.help} |" for m in METRICS]
    return "\n".join(lines)
