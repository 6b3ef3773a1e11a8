"""The scenarios by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.bench.figures import Figure
from tests.bench.scenarios import around, profile, speed, stages, standing

Scenario = Callable[..., Iterator[Figure]]

SCENARIOS: Final[dict[str, Scenario]] = {
    "speed": speed.speed,
    "burst": speed.burst,
    "steady": speed.steady,
    "latency": speed.latency,
    "many": speed.many,
    "huge": speed.huge,
    "counts": speed.counts,
    "cold": standing.cold,
    "idle": standing.idle,
    "memory": standing.memory,
    "decode": stages.decode,
    "linker": stages.linker,
    "encode": stages.encode,
    "profile": profile.profile,
    "startup": around.startup,
    "calls": around.calls,
    "instructions": around.instructions,
    "score": around.score,
}

SHORT: Final = (
    "speed",
    "latency",
    "counts",
    "cold",
    "decode",
    "linker",
    "encode",
    "startup",
    "calls",
    "score",
)
"""What `--short` runs: what can fail by a comparison, and of the rest what is quick; less than 90 s in all."""


def summary(scenario: Scenario) -> str:
    """What it does, in a line."""
    return (scenario.__doc__ or "").strip().splitlines()[0]
