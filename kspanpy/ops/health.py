"""Whether the process can make progress (alive) and whether it sees the cluster (ready). Pure: times come in as arguments.

Liveness asks nothing of the API server or the backend: a restart would heal neither and would lose what is remembered.
"""

from __future__ import annotations

from typing import Final

import msgspec

HEARTBEAT_S: Final = 60.0  # the loop wakes at least every few seconds, even when nothing happens
ACTIVITY_S: Final = 180.0  # an API server sends a bookmark about once a minute


class Vital(msgspec.Struct, kw_only=True):
    """What the service knows of itself. Times are of one monotonic clock, in seconds."""

    heartbeat_s: float  # when the linker's loop last came round
    activity_s: float | None = None  # when the quietest watch last heard of the API server; None: never
    synced: bool = False  # every kind has been listed once
    draining: bool = False  # a signal has asked the service to stop


def not_alive(vital: Vital, *, now_s: float) -> str:
    """Why the process should be restarted; empty while it need not be."""
    silent = now_s - vital.heartbeat_s
    return f"the loop has not come round for {silent:.0f} s" if silent > HEARTBEAT_S else ""


def not_ready(vital: Vital, *, now_s: float) -> str:
    """Why the process does not see the cluster as it is; empty while it does."""
    if vital.draining:
        return "shutting down"
    if not vital.synced:
        return "the first lists are not complete"
    if vital.activity_s is None or now_s - vital.activity_s > ACTIVITY_S:
        return f"no word from the API server for more than {ACTIVITY_S:.0f} s"
    return ""
