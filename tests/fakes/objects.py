"""The smallest Kubernetes objects that mean something, and the bytes in which they come."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> bool:
    """Whether the condition comes true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def pod(name: str, *, version: int | str | None = None, namespace: str = "shop", uid: str = "") -> dict[str, Any]:
    """A Pod as the API server writes it."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}"}
    if version is not None:
        metadata["resourceVersion"] = str(version)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def event(name: str, *, namespace: str = "shop", about: str = "Pod", at: str = "", **more: Any) -> dict[str, Any]:
    """A core/v1 Event."""
    involved = {"kind": about, "name": "web"} | ({} if about == "Node" else {"namespace": namespace})
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
    times = {"firstTimestamp": at, "lastTimestamp": at} if at else {}
    return {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": involved, **times, **more}


def line(type_: str, thing: dict[str, Any]) -> bytes:
    """One line of a watch."""
    return json.dumps({"type": type_, "object": thing}).encode() + b"\n"


def page(*things: dict[str, Any], version: int | str = 10, more: str = "") -> bytes:
    """One page of a list."""
    metadata = {"resourceVersion": str(version)} | ({"continue": more} if more else {})
    return json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": list(things)}).encode()


def bookmark(version: int | str) -> bytes:
    """A bookmark's line."""
    return line("BOOKMARK", {"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": str(version)}})


def calls_in(seconds: float, fail: Callable[[float], float]) -> int:
    """How many requests begin in this time when each fails at once and the next waits as `fail(now)` says."""
    now, calls = 0.0, 0
    while now < seconds:
        calls += 1
        now += fail(now)
    return calls
