"""Where stories are kept."""

from __future__ import annotations

from collections.abc import Callable

from tests.core.cluster import Cluster

STORIES: dict[str, Callable[[Cluster], None]] = {}


def story(function: Callable[[Cluster], None]) -> Callable[[Cluster], None]:
    """Registers a scenario under its name."""
    STORIES[function.__name__.replace("_", "-")] = function
    return function
