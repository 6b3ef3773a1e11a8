"""What is known about Events, one file a family of emitters: a new emitter is new lines in one of them."""

from __future__ import annotations

from kspanpy.core.rules.emitters import (
    autoscaling,
    gitops,
    kubelet,
    nodes,
    scheduling,
    services,
    volumes,
    workloads,
)
from kspanpy.core.rules.events import EventRule

RULES: tuple[EventRule, ...] = (
    *workloads.RULES,
    *scheduling.RULES,
    *nodes.RULES,
    *kubelet.RULES,
    *volumes.RULES,
    *services.RULES,
    *autoscaling.RULES,
    *gitops.RULES,
)
