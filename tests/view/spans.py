"""Hand-made spans: the fewest words that make a story."""

from __future__ import annotations

import hashlib

from kspanpy.core.model import MILLISECOND, AttributeValue, Link, Span

START = 1_795_416_370 * 1000 * MILLISECOND
TRACE = b"T" * 16


def identity(key: str) -> bytes:
    """A span id."""
    return hashlib.blake2b(key.encode(), digest_size=8).digest()


def lifecycle(
    key: str,
    parent: str = "",
    *,
    name: str = "Pod startup",
    at: int = 0,
    ms: int = 1000,
    error: str = "",
    trace: bytes = TRACE,
    links: tuple[Link, ...] = (),
    **attributes: AttributeValue,
) -> Span:
    """A lifecycle span of the object `key`, `at` milliseconds after the start of the story."""
    return Span(
        trace_id=trace,
        span_id=identity(key),
        parent_id=identity(parent) if parent else b"",
        name=name,
        service="kubernetes",
        start_ns=START + at * MILLISECOND,
        end_ns=START + (at + ms) * MILLISECOND,
        attributes={"k8s.namespace.name": "shop", "k8s.object.name": key, "kspanpy.phase": "startup", **attributes},
        error=error,
        links=links,
    )


def event(
    key: str,
    parent: str,
    *,
    reason: str = "Started",
    message: str = "Container started",
    type_: str = "Normal",
    at: int = 0,
    ms: int = 1,
    count: int = 1,
    service: str = "kubelet",
) -> Span:
    """An event span."""
    span = lifecycle(key, parent, name=f"Pod.{reason}", at=at, ms=ms)
    attributes = {
        "k8s.event.uid": key,
        "k8s.event.reason": reason,
        "k8s.event.message": message,
        "k8s.event.type": type_,
        "k8s.event.count": count,
    }
    return Span(
        span.trace_id, span.span_id, span.parent_id, span.name, service, span.start_ns, span.end_ns, attributes,
        message if type_ == "Warning" else "",
    )  # fmt: skip


def rollout(pods: int = 1, **root: AttributeValue | str) -> list[Span]:
    """A Deployment's story with so many pods."""
    spans = [lifecycle("web", name="Deployment rollout", ms=10_000, **root)]  # type: ignore[arg-type]
    for number in range(pods):
        name = f"web-{number}"
        spans.append(lifecycle(name, "web", at=10 * number, ms=1000 + 100 * number))
        spans.append(event(f"{name}-started", name, at=900 + 10 * number))
    return spans
