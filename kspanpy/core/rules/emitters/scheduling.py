"""The scheduler, whose name is that of its profile, and the eviction of Pods from tainted Nodes."""

from __future__ import annotations

from kspanpy.core.rules import problems
from kspanpy.core.rules.events import EventRule
from kspanpy.core.rules.problems import Problem

_CLAIM = r'persistentvolumeclaim "(?P<name>[^"\s]+)" not found'
_NEXT_TRY = "Scheduled FailedScheduling"

RULES = (
    # pkg/scheduler/schedule_one.go
    EventRule("Pod", "Scheduled", until="*", milestone="scheduled"),
    EventRule("Pod", "FailedScheduling", until=_NEXT_TRY, lasting=True, problem=Problem.FAILED_SCHEDULING),
    EventRule(
        "Pod",
        "FailedScheduling",
        message=problems.HOST_PORTS,
        until=_NEXT_TRY,
        lasting=True,
        problem=Problem.HOST_PORT_CONFLICT,
    ),
    EventRule(
        "Pod",
        "FailedScheduling",
        message=_CLAIM,  # the text of apimachinery pkg/api/errors NewNotFound
        names="PersistentVolumeClaim",
        name=_CLAIM,
        cause="waited for",
        until=_NEXT_TRY,
        lasting=True,
        problem=Problem.FAILED_SCHEDULING,
    ),
    # pkg/scheduler/framework/preemption/preemption.go: by uid since 1.24, by name before, as `related` always
    EventRule(
        "Pod",
        "Preempted",
        "termination",
        names="Pod",
        name=r"^Preempted by (?:pod (?P<uid>[0-9a-f-]{36})|(?P<namespace>[^/\s]+)/(?P<name>\S+)) on node ",
        cause="preempted by",
        related="preempted by",
        severity="serious",
        problem=Problem.PREEMPTED,
    ),
    # pkg/controller/tainteviction/taint_eviction.go
    EventRule(
        "Pod",
        "TaintManagerEviction",
        "termination",
        message="^Marking for deletion",
        cause="evicted by",
        via="node",
        severity="serious",
        problem=Problem.EVICTED,
    ),
    # pkg/controller/util/node/controller_utils.go, before 1.19
    EventRule(
        "Pod",
        "NodeControllerEviction",
        "termination",
        names="Node",
        name=r" from Node (?P<name>\S+)$",
        cause="evicted by",
        severity="serious",
        problem=Problem.EVICTED,
    ),
)
