"""Spans for the tests of this folder."""

from __future__ import annotations

import functools

from kspanpy.core.model import Link, Span
from tests.scenarios.replaying import CAPTURES, entries_of, spans_of

T0 = 1_800_000_000_000_000_000
TRACE = bytes(range(1, 17))


def span(number: int = 1, **changes: object) -> Span:
    """A good span; `number` makes its id."""
    fields: dict = {
        "trace_id": TRACE,
        "span_id": number.to_bytes(8, "big"),
        "parent_id": (999_999).to_bytes(8, "big"),
        "name": "Pod.Started",
        "service": "kubelet",
        "start_ns": T0,
        "end_ns": T0 + 1_000_000,
        "attributes": {
            "k8s.object.kind": "Pod",
            "k8s.event.count": 3,
            "k8s.event.message": "Started container web",
            "kspanpy.ratio": 0.5,
            "kspanpy.flag": True,
        },
    }
    return Span(**(fields | changes))


def spans(count: int, first: int = 1) -> list[Span]:
    """Good spans with ids `first`, `first` + 1 ..."""
    return [span(number) for number in range(first, first + count)]


def link(relation: str = "continues") -> Link:
    """A link to some other trace."""
    return Link(bytes(range(17, 33)), bytes(range(33, 41)), relation)


@functools.cache
def captured() -> tuple[Span, ...]:
    """The spans of every capture and scenario."""
    return tuple(one for path in CAPTURES.values() for one in spans_of(entries_of(path)))
