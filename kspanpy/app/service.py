"""`kspanpy run` from start to end.

Order of the start: what can be wrong with the user's input first, then the world, then the threads, the probes last.
Order of the end: not ready; watches; inbox and linker; sink; probes; the state on disk. What could not be sent by the deadline stays
there for the next process, or is counted and logged; the exit code is 0 all the same: the service did what it could.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from kspanpy import __version__, export
from kspanpy.app import leading, readings, sinks
from kspanpy.app.checkpoint import Checkpoint, SpanShelf, open_state, resumptions
from kspanpy.app.linking import linker_settings
from kspanpy.app.loop import Loop
from kspanpy.app.signals import Interrupted, Signals
from kspanpy.app.told import Told
from kspanpy.core.linker import Linker
from kspanpy.core.steps import EventSeen
from kspanpy.errors import UsageError
from kspanpy.kube import Delivery, OwnerLookup, Watcher, WatchSettings, connect
from kspanpy.ops import health, logs
from kspanpy.ops.http import OpsServer
from kspanpy.ops.metrics import Metrics
from kspanpy.settings import Settings, otel
from kspanpy.state import StateFile

_log = logging.getLogger(__name__)

_THREADS_END_S = 2.0  # of watches and lookups, which end at once unless a request hangs
_LEAST_DRAIN_S = 1.0
_RELEASE_S = 1.0


def watch_settings(settings: Settings) -> WatchSettings:
    """The part of the settings that the watches work with."""
    return WatchSettings(include=settings.namespaces, exclude=settings.exclude_namespaces)


def run(settings: Settings, signals: Signals, *, environ: Mapping[str, str] = os.environ) -> int:
    """Runs until a signal; gives the exit code. Raises UsageError or StartupError before anything has started."""
    logs.set_up(level=settings.log_level, form=settings.log_format, secrets=otel.secrets())
    _log.info("kspanpy %s starts", __version__)
    with ExitStack() as stack:
        try:
            stop = _start(settings, signals, stack, environ)
        except Interrupted:
            _log.info("stopped while starting")
            raise
        signals.asked.wait()
        stop()
    return 0


def _start(settings: Settings, signals: Signals, stack: ExitStack, environ: Mapping[str, str]) -> Callable[[], None]:
    """Starts everything; gives what ends it in order. `stack` ends what runs if the start fails half way."""
    otlp = export.otlp_settings(environ)
    client = connect(kubeconfig=settings.kubeconfig or None, context=settings.context or None)
    stack.callback(client.close)
    cluster_uid = client.cluster_uid()
    identity = cluster_uid or settings.cluster_name  # two clusters must not share ids
    how = linker_settings(settings, cluster_uid=identity, service=otlp.service_name)
    state = _open_state(settings, identity, stack)
    sink = sinks.make(settings, otlp, cluster_uid=cluster_uid, shelf=None if state is None else SpanShelf(state))
    stack.callback(sink.close)
    lead = leading.make(settings, client, sink)
    stack.callback(lead.release, 0.0)
    told = Told(lead.sink.offer, until_ns=lead.former_acknowledged_ns, now_ns=time.time_ns())
    checkpoint = None if state is None else Checkpoint(state, how, watched=watch_settings(settings))
    held = None if checkpoint is None else checkpoint.restore(how)
    resume = {} if held is None or state is None else resumptions(held, state.cursors())
    loop: Loop

    def deliver(delivery: Delivery) -> None:
        step = delivery.step()
        if isinstance(step, EventSeen):
            told.came(step.event, backlog=delivery.backlog)
        if step is not None or delivery.cursor:
            target = (delivery.kind, delivery.namespace)
            cursor, backlog = delivery.cursor, delivery.backlog
            loop.deliver(delivery.received_ns, step, target=target, cursor=cursor, backlog=backlog)

    lookup = OwnerLookup(client, deliver_step=lambda answer: loop.deliver(time.time_ns(), answer))
    loop = Loop(
        Linker(how) if held is None else held.linker,
        offer=told.offer,
        lookup=lookup.request,
        capacity=settings.inbox_items,
        checkpoint=checkpoint,
        restored=held,
        caught_up=lambda: watcher.wait_synced(0.0),
        hands_over=bool(settings.lease),
    )
    watcher = Watcher(client, settings=watch_settings(settings), deliver=deliver, relief=loop.relief, resume=resume)

    def vital() -> health.Vital:
        return readings.vital(loop, watcher, draining=signals.asked.is_set)

    metrics = Metrics(
        lambda: {
            **readings.readings(loop, lead.sink.stats, watcher, lookup, checkpoint),
            **lead.readings(told.left_out),
            **readings.sharing(how.shard),
        }
    )
    server = OpsServer(
        settings.listen,
        not_alive=lambda: health.not_alive(vital(), now_s=time.monotonic()) or lead.not_alive(),
        not_ready=lambda: health.not_ready(vital(), now_s=time.monotonic()),
        metrics=metrics.scrape,
    )
    stack.callback(server.close)
    loop.start()
    stack.callback(loop.stop, 0.0)
    lookup.start()
    stack.callback(lookup.stop)
    stack.callback(watcher.stop)
    watcher.start()
    lead.start(vital=vital, waiting=lambda: loop.waiting)
    signals.started()
    _log.info(
        "watching",
        extra={
            "server": client.server,
            "cluster_uid": cluster_uid,
            "exporter": settings.exporter,
            "port": server.port,
            "shard": str(how.shard),
        },
    )
    return lambda: _stop(settings, watcher=watcher, lookup=lookup, loop=loop, lead=lead)


def _open_state(settings: Settings, identity: str, stack: ExitStack) -> StateFile | None:
    if not settings.state_directory:
        return None
    if settings.lease:
        raise UsageError(
            "KSPANPY_STATE_DIRECTORY and KSPANPY_LEASE exclude each other: what is on disk is one process's, a Lease is for several"
        )
    state = open_state(Path(settings.state_directory).expanduser(), identity=identity)
    stack.callback(state.close)
    return state


def _stop(settings: Settings, *, watcher: Watcher, lookup: OwnerLookup, loop: Loop, lead: leading.Leading) -> None:
    end = time.monotonic() + settings.shutdown_seconds
    _log.info("stopping", extra={"deadline_s": settings.shutdown_seconds})
    watcher.stop(_THREADS_END_S)
    lookup.stop(_THREADS_END_S)
    if not loop.stop(max(end - time.monotonic() - _LEAST_DRAIN_S, _LEAST_DRAIN_S)):
        _log.error("%d inputs were not taken in before the deadline", loop.waiting)
    lead.sink.drain(max(end - time.monotonic(), 0.0))
    lead.release(_RELEASE_S)
    lead.sink.close()
    counts, stats = loop.counts, lead.sink.stats()
    _log.info(
        "stopped",
        extra={
            "events_seen": counts.seen,
            "events_exported": counts.exported,
            "events_discarded": sum(counts.discarded.values()),
            "events_pending": counts.pending,
            "spans_emitted": stats.emitted,
            "spans_acknowledged": stats.acknowledged,
            "spans_dropped": stats.dropped_total,
            "spans_left": stats.left,
            "took_s": round(settings.shutdown_seconds - (end - time.monotonic()), 3),
        },
    )
