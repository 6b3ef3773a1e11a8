"""What the parts of the service count, under the names of `kspanpy.ops.metrics`; and the signs of life for the probes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from kspanpy import __version__
from kspanpy.app.checkpoint import OPERATIONS, Checkpoint
from kspanpy.app.loop import Loop
from kspanpy.core.model import SECOND
from kspanpy.core.settings import Limit
from kspanpy.core.shard import Shard
from kspanpy.decode import altered
from kspanpy.export.sink import DropReason, ExportStats
from kspanpy.kube import OwnerLookup, Watcher, WatchState
from kspanpy.ops.health import Vital, not_ready
from kspanpy.ops.metrics import Readings, Value

# A kind that may not be read, or does not exist, will not speak: that is known and logged, and no reason to be unready.
_MUTE: Final = frozenset({WatchState.FORBIDDEN, WatchState.NOT_SERVED, WatchState.STOPPED})

# Spans are lost before they are given to the exporter, except for these.
_OF_THE_EXPORTER: Final = frozenset({DropReason.REJECTED, DropReason.WRITE_FAILED, DropReason.SHUTDOWN})


def readings(
    loop: Loop,
    export: Callable[[], ExportStats],
    watcher: Watcher,
    lookup: OwnerLookup,
    checkpoint: Checkpoint | None = None,
) -> Readings:
    """One reading of everything. The sink is read after the loop, so it can only be ahead of it."""
    counts, stats = loop.counts, export()
    answers = lookup.counters
    return {
        "kspanpy_build_info": {__version__: 1},
        "kspanpy_ready": int(not not_ready(vital(loop, watcher, draining=lambda: False), now_s=time.monotonic())),
        "kspanpy_events_seen_total": counts.seen,
        "kspanpy_events_exported_total": counts.exported,
        "kspanpy_events_discarded_total": {str(reason): number for reason, number in counts.discarded.items()},
        "kspanpy_events_pending": counts.pending,
        "kspanpy_events_unaccounted": counts.unaccounted,
        "kspanpy_event_lag_seconds": loop.lag,
        "kspanpy_spans_emitted_total": stats.emitted,
        "kspanpy_spans_acknowledged_total": stats.acknowledged,
        "kspanpy_spans_dropped_total": {str(reason): number for reason, number in stats.dropped.items()},
        "kspanpy_spans_queued": stats.queued + stats.in_flight,
        "kspanpy_spans_capacity": stats.capacity,
        "kspanpy_queue_fullness_ratio": stats.fullness,
        "kspanpy_spans_recovered_total": stats.recovered,
        "kspanpy_spans_left": stats.left,
        "kspanpy_spans_spilled": stats.spilled,
        "kspanpy_spans_repaired_total": stats.repaired,
        "kspanpy_export_requests_total": {str(result): number for result, number in stats.attempts.items()},
        "kspanpy_export_success_timestamp_seconds": stats.last_success_ns / SECOND,
        # The names that every OpenTelemetry SDK has for the same: two views of one reading.
        "otel_sdk_processor_span_queue_size": stats.queued,
        "otel_sdk_processor_span_queue_capacity": stats.capacity,
        "otel_sdk_processor_span_processed_total": _processed(stats),
        "otel_sdk_exporter_span_inflight": stats.in_flight,
        "otel_sdk_exporter_span_exported_total": _exported(stats),
        "kspanpy_stories_closed_total": counts.stories,
        "kspanpy_stories_failed_total": counts.failed_stories,
        "kspanpy_stories_open": counts.held.open_stories,
        "kspanpy_objects_held": counts.held.objects,
        "kspanpy_limit_reached_total": {str(limit): counts.held.reached.get(limit, 0) for limit in Limit},
        **_state(checkpoint, stats),
        **_watching(watcher),
        "kspanpy_values_altered_total": {str(reason): number for reason, number in altered().items()},
        "kspanpy_owner_lookups_total": {
            name: getattr(answers, name)
            for name in ("cached", "found", "forbidden", "not_found", "unavailable", "lost")
        },
        "kspanpy_inbox_items": loop.waiting,
        "kspanpy_inbox_capacity": loop.capacity,
        "kspanpy_loop_heartbeat_seconds": max(time.monotonic() - loop.heartbeat_s, 0.0),
        "kspanpy_loop_busy_seconds_total": counts.busy_s,
        "kspanpy_loop_errors_total": counts.errors,
    }


def _state(checkpoint: Checkpoint | None, stats: ExportStats) -> Readings:
    """Nothing where there is no state on disk."""
    if checkpoint is None:
        return {}
    return {
        "kspanpy_state_bytes": checkpoint.size(),
        "kspanpy_state_snapshots_total": checkpoint.snapshots,
        "kspanpy_state_snapshot_seconds": checkpoint.snapshot_s,
        "kspanpy_state_journal_bytes": checkpoint.journal_bytes,
        "kspanpy_state_errors_total": {
            **{operation: checkpoint.errors[operation] for operation in OPERATIONS},
            "spans": stats.shelf_errors,
        },
    }


def _processed(stats: ExportStats) -> dict[str, Value]:
    """Spans that were given to the exporter, without an error type, and those that never were, with one."""
    arrived = _exported(stats)
    lost = {str(reason): number for reason, number in stats.dropped.items() if str(reason) not in arrived}
    return {"": stats.in_flight + sum(arrived.values()), **lost}


def _exported(stats: ExportStats) -> dict[str, Value]:
    """Spans that arrived, without an error type, and those that the exporter gave up, with one."""
    lost = {str(reason): stats.dropped.get(reason, 0) for reason in sorted(_OF_THE_EXPORTER)}
    return {"": stats.acknowledged, **lost}


def _watching(watcher: Watcher) -> Readings:
    synced: dict[str, Value] = {}
    silence: dict[str, Value] = {}
    for health in watcher.health():
        synced[health.kind] = min(int(health.synced), synced.get(health.kind, 1))
        if health.last_byte_age_s is not None and health.state not in _MUTE:
            silence[health.kind] = max(health.last_byte_age_s, silence.get(health.kind, 0.0))
    counters = watcher.counters()
    failures: defaultdict[str, Value] = defaultdict(int)
    malformed: defaultdict[str, Value] = defaultdict(int)
    for counter in counters.values():
        for failure, number in counter.failures.items():
            failures[str(failure)] += number
        for reason, number in counter.malformed.items():
            malformed[str(reason)] += number
    return {
        "kspanpy_watch_synced": synced,
        "kspanpy_watch_silence_seconds": silence,
        "kspanpy_watch_changes_total": {kind: counter.changes for kind, counter in counters.items()},
        "kspanpy_watch_lists_total": {kind: counter.lists for kind, counter in counters.items()},
        "kspanpy_watch_requests_total": {kind: counter.watches for kind, counter in counters.items()},
        "kspanpy_watch_relists_total": {kind: counter.relists for kind, counter in counters.items()},
        "kspanpy_watch_failures_total": failures,
        "kspanpy_malformed_total": malformed,
    }


def sharing(shard: Shard) -> Readings:
    """Whose stories this process tells."""
    return {"kspanpy_shard_index": shard.index, "kspanpy_shard_count": shard.count}


def vital(loop: Loop, watcher: Watcher, *, draining: Callable[[], bool]) -> Vital:
    """The signs of life at this moment."""
    heard = [health for health in watcher.health() if health.state not in _MUTE]
    ages = [health.last_byte_age_s for health in heard if health.last_byte_age_s is not None]
    return Vital(
        heartbeat_s=loop.heartbeat_s,
        activity_s=time.monotonic() - max(ages) if heard and len(ages) == len(heard) else None,
        synced=watcher.wait_synced(0.0),
        draining=draining(),
    )
