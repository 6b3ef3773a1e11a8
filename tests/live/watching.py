"""What a watcher that is not kspanpy saw of the events, and when."""

from __future__ import annotations

import threading
import time
from http.client import HTTPException
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """One occurrence: a step of one Event."""

    at: float  # time.time() of the receipt
    event: dict[str, Any]


class EventWatch:
    """Watches core events from now on; `seen` maps (event uid, n) to the first receipt of that step."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self.seen: dict[tuple[str, int], Seen] = {}
        self._stopping = False
        version = api.request("GET", "/api/v1/events", limit=1)["metadata"]["resourceVersion"]
        self._thread = threading.Thread(target=self._follow, args=(version,), daemon=True)
        self._thread.start()

    def _follow(self, version: str) -> None:
        try:
            for type_, event in self._api.watch("/api/v1/events", version):
                if type_ in ("ADDED", "MODIFIED"):
                    n = (event.get("series") or {}).get("count") or event.get("count") or 1
                    self.seen.setdefault((event["metadata"]["uid"], n), Seen(time.time(), event))
        except (OSError, HTTPException):
            if not self._stopping:
                raise

    def of(self, prefix: str) -> dict[tuple[str, int], Seen]:
        """The occurrences of namespaces that begin so."""
        return {
            key: seen for key, seen in list(self.seen.items()) if seen.event["metadata"]["namespace"].startswith(prefix)
        }

    def quiet(self, prefix: str, seconds: float) -> bool:
        """Whether nothing was seen there for so long."""
        return all(time.time() - seen.at > seconds for seen in self.of(prefix).values())

    def stop(self) -> None:
        """Ends the watch."""
        self._stopping = True
        self._api.stop_watching()
        self._thread.join(5)
