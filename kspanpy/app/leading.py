"""High availability, wired: who leads decides what becomes of the spans. Without KSPANPY_LEASE this process always leads.

leading = make(settings, client, sink)     # raises StartupError; the service offers to `leading.sink`
leading.start(vital=..., waiting=...)
...
leading.sink.drain(...)                    # first send, then
leading.release(...)                       # tell the others, so that nothing falls between two leaders
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from kspanpy.app.standby import Kept, StandbySink
from kspanpy.export import SpanSink
from kspanpy.kube import Client
from kspanpy.kube.elector import Elector, own_namespace
from kspanpy.ops.health import Vital
from kspanpy.ops.metrics import Readings
from kspanpy.settings import Settings

_log = logging.getLogger(__name__)

MARGIN_S: Final = 30.0
"""How far apart two replicas may see the same thing; how far apart they finish it depends on the linker's patience."""

_PULSE_S: Final = 0.5
_MEGABYTE: Final = 1024 * 1024


class Alone:
    """There is no election: this process leads."""

    former_acknowledged_ns = 0

    def __init__(self, sink: SpanSink) -> None:
        self.sink = sink

    def start(self, *, vital: Callable[[], Vital], waiting: Callable[[], int]) -> None:
        """Nothing to start."""

    def release(self, deadline_s: float) -> None:
        """Nothing to release."""

    def not_alive(self) -> str:
        """Nothing that could be stuck."""
        return ""

    def readings(self, left_out: int = 0) -> Readings:
        """It leads."""
        return _readings(leads=True, kept=Kept(0, 0, left_out), failures=0)


class Electing:
    """One of several replicas. Start it once, release it once, also when it was never started."""

    def __init__(self, elector: Elector, sink: SpanSink, *, margin_s: float, spans: int, size: int) -> None:
        """`spans`, `size`: what a standby keeps at most."""
        self._elector = elector
        self._standby = StandbySink(
            sink,
            leads=elector.leads,
            settled_until=lambda: elector.settled_until,
            margin_s=margin_s,
            spans=spans,
            size=size,
        )
        self.sink: SpanSink = self._standby
        self._lag_of_view_s: Callable[[], float] = lambda: 0.0
        self._wake, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="standby", daemon=True)

    @property
    def former_acknowledged_ns(self) -> int:
        """Wall clock: what an earlier process had finished before then was acknowledged. 0: nobody said so."""
        return self._elector.former_acknowledged_ns

    def start(self, *, vital: Callable[[], Vital], waiting: Callable[[], int]) -> None:
        """Take part. `vital`: the signs of life; `waiting`: inputs in the inbox.

        A leader that is deaf, or behind with its inbox, must not have others believe that it has sent what they see.
        """
        seen = SeenUntil(time.monotonic())

        def lag_s() -> float:
            now = time.monotonic()
            return max(now - seen.look(now, waiting=waiting(), vital=vital()), 0.0)

        self._lag_of_view_s = lag_s
        self._elector.start(lag_ns=self._lag_ns, is_warm=lambda: vital().synced, changed=self._wake.set)
        self._thread.start()

    def release(self, deadline_s: float) -> None:
        """Stop leading; the others begin at once. Call it when everything is sent that can be sent."""
        self._over.set()
        self._wake.set()
        held = self._elector.holder == self._elector.identity
        if not self._elector.stop(deadline_s) and held:
            _log.warning("the Lease could not be released: another replica takes over when its term is over")

    def not_alive(self) -> str:
        """Why this process should be restarted; empty while it need not be."""
        return self._elector.not_alive()

    def readings(self, left_out: int = 0) -> Readings:
        """Under the names of `kspanpy.ops.metrics`. `left_out`: spans that came no farther than `kspanpy.app.told`."""
        kept = self._standby.kept()
        kept = kept._replace(yielded=kept.yielded + left_out)
        return _readings(leads=self._elector.leads(), kept=kept, failures=self._elector.failures)

    def _lag_ns(self) -> int:
        return max(self._standby.lag_ns(), int(self._lag_of_view_s() * 1e9))

    def _run(self) -> None:
        while not self._over.is_set():
            if not self._standby.pulse():
                self._wake.wait(_PULSE_S)
                self._wake.clear()


Leading = Alone | Electing


def _readings(*, leads: bool, kept: Kept, failures: int) -> Readings:
    return {
        "kspanpy_leader": int(leads),
        "kspanpy_standby_spans": kept.spans,
        "kspanpy_standby_yielded_total": kept.yielded,
        "kspanpy_lease_failures_total": failures,
    }


def make(settings: Settings, client: Client, sink: SpanSink) -> Leading:
    """The election of the settings, with a first look at the Lease and at the rights. Raises StartupError."""
    if not settings.lease:
        return Alone(sink)
    elector = Elector(client, name=lease_name(settings), namespace=own_namespace(settings.lease_namespace))
    elector.check()
    patience_s = max(settings.hold_seconds, settings.settle_seconds, settings.quiet_seconds)
    return Electing(
        elector,
        sink,
        margin_s=MARGIN_S + patience_s,
        spans=settings.queue_spans,
        size=settings.queue_megabytes * _MEGABYTE,
    )


def lease_name(settings: Settings) -> str:
    """The Lease of this shard: with one for all they would take each other for replicas, and only one of them would send."""
    return f"{settings.lease}-{settings.shard.replace('/', '-of-')}" if settings.shard else settings.lease


class SeenUntil:
    """Up to when everything has been told that the cluster had to say. All times are of one monotonic clock, in seconds.

    What was received is told when the loop has come round after a look at an empty inbox; and not more was received than the
    quietest watch has heard of.
    """

    def __init__(self, now: float) -> None:
        self._began = self._told = self._empty = now

    def look(self, now: float, *, waiting: int, vital: Vital) -> float:
        """The time; call it every few seconds."""
        if vital.heartbeat_s > self._empty:
            self._told = self._empty
            if waiting == 0:
                self._empty = now
        return min(self._told, vital.activity_s if vital.activity_s is not None else self._began)
