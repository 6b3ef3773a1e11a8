"""`kspanpy capture`: a `Watcher` whose changes go to a capture file. Events wait for nothing here: the file keeps the order."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from threading import Event as Flag
from threading import Lock
from typing import BinaryIO

from kspanpy.errors import KspanpyError
from kspanpy.kube import Delivery, Watcher, WatchSettings, connect
from kspanpy.replay import CaptureWriter, Header
from kspanpy.settings import Settings

_STOP_S = 2.0


class Recorder:
    """Connects at once; `run` records."""

    def __init__(self, settings: Settings, *, note: str = "") -> None:
        """Connects. Raises UsageError or StartupError."""
        self._client = connect(kubeconfig=settings.kubeconfig or None, context=settings.context or None)
        self._header = Header(
            cluster_uid=self._client.cluster_uid(),
            kubernetes=self._client.server_version(),
            namespaces=settings.namespaces,
            recorded_ns=time.time_ns(),
            note=note,
        )
        self._writer: CaptureWriter | None = None
        watch = WatchSettings(include=settings.namespaces, exclude=settings.exclude_namespaces, keeps_json=True)
        self._watcher = Watcher(self._client, settings=watch, deliver=self._deliver)
        self._lock = Lock()
        self._kinds: Counter[str] = Counter()  # at most one entry for each watched kind
        self._broken = Flag()

    def run(self, stream: BinaryIO, *, duration_s: float | None = None) -> None:
        """Until Ctrl-C, the end of the duration, or an error of the file. At the end everything is written."""
        with CaptureWriter(stream, self._header) as self._writer, suppress(KeyboardInterrupt):
            try:
                self._watcher.start()
                self._broken.wait(duration_s)
            finally:
                self._watcher.stop(_STOP_S)
                self._client.close()

    def describe(self) -> str:
        """How far it is."""
        with self._lock:
            events, all_ = self._kinds["Event"], self._kinds.total()
        synced = "" if self._watcher.wait_synced(0.0) else " · still listing"
        return f"{all_:,} changes, {events:,} of Events{synced}"

    def raise_for_loss(self, name: str) -> None:
        """A file that is not whole is an error, except when nobody reads the pipe any more."""
        writer = self._writer
        error = writer.error if writer is not None else None
        if isinstance(error, BrokenPipeError):
            raise error
        if writer is not None and error is not None:
            raise KspanpyError(f"{name} is not whole: {error.strerror or error}; {writer.lost} changes are lost")

    def _deliver(self, delivery: Delivery) -> None:
        if delivery.change is None or self._writer is None:
            return
        with self._lock:
            self._kinds[delivery.kind] += 1
        if not self._writer.write(delivery.received_ns, delivery.change):
            self._broken.set()
