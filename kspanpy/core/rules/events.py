"""What an Event means beyond "something happened to this object", as data: adding an emitter is adding a line.

Reason and involved kind are the keys, messages change between releases (kubernetes-events 2.9): a pattern only ever adds a
hint, and a name taken from a message counts only if ownership does not contradict it (`core.placing`).
"""

from __future__ import annotations

import msgspec


class EventRule(msgspec.Struct, frozen=True):
    """What an Event with this reason means. Empty fields say nothing."""

    kinds: str = ""  # involved kinds, separated by spaces; empty: any
    reason: str = ""
    phase: str = ""  # of the involved object: the lifecycle span it belongs to, whatever the clock says
    message: str = ""  # the rule holds only for messages that this pattern matches (searched for, not anchored)
    names: str = ""  # kind of the object whose name the message holds in group "name"
    name: str = ""  # the pattern with that group
    fate: str = ""  # what befell the named object: born, died
    until: str = ""  # reasons (separated by spaces) that end this step; *: any later step of the same object
    lasting: bool = False  # with no end in sight it lasts as long as its lifecycle span
    harmless: bool = False  # a Warning that says nothing about failure


_POD = r"(?P<name>[a-z0-9][a-z0-9.-]*)"
_CREATED_POD = rf"(?:Created pod: |[Cc]reate Pod ){_POD}"
_DELETED_POD = rf"(?:Deleted pod: |[Dd]elete Pod ){_POD}"
_PULLED = "Pulled Failed InspectFailed ErrImageNeverPull BackOff"

RULES: tuple[EventRule, ...] = (
    # kube-controller-manager: pkg/controller/controller_utils.go, statefulset/stateful_pod_control.go
    EventRule(
        "ReplicaSet ReplicationController", "SuccessfulCreate", "scale-up", names="Pod", name=_CREATED_POD, fate="born"
    ),
    EventRule(
        "ReplicaSet ReplicationController",
        "SuccessfulDelete",
        "scale-down",
        names="Pod",
        name=_DELETED_POD,
        fate="died",
    ),
    EventRule("ReplicaSet ReplicationController", "FailedCreate", "scale-up"),
    EventRule("ReplicaSet ReplicationController", "FailedDelete", "scale-down"),
    EventRule("StatefulSet DaemonSet Job", "SuccessfulCreate", names="Pod", name=_CREATED_POD, fate="born"),
    EventRule("StatefulSet DaemonSet Job", "SuccessfulDelete", names="Pod", name=_DELETED_POD, fate="died"),
    EventRule("CronJob", "SuccessfulCreate", names="Job", name=r"Created job (?P<name>\S+)", fate="born"),
    EventRule("CronJob", "SawCompletedJob", names="Job", name=r"Saw completed job: (?P<name>[^,\s]+)", fate="born"),
    EventRule("CronJob", "MissingJob", names="Job", name=r"(?:missing|forgot): (?P<name>\S+)", fate="born"),
    # kube-scheduler
    EventRule("Pod", "Scheduled", until="*"),
    EventRule("Pod", "FailedScheduling", until="Scheduled FailedScheduling", lasting=True),
    EventRule("Pod", "Preempted", "termination"),
    # taint eviction, node lifecycle
    EventRule("Pod", "TaintManagerEviction", "termination", message="^Marking for deletion"),
    EventRule("Pod", "NodeControllerEviction", "termination"),
    # kubelet: pkg/kubelet/events/event.go
    EventRule("Pod", "Pulling", until=_PULLED, lasting=True),
    EventRule("Pod", "Created", until="Started Failed"),
    EventRule("Pod", "Killing", "termination", message="^Stopping container"),
    EventRule("Pod", "Preempting", "termination"),
    EventRule("Pod", "Unhealthy", harmless=True),
    EventRule("Pod", "ProbeWarning", harmless=True),
    # volumes
    EventRule("PersistentVolumeClaim", "Provisioning", until="ProvisioningSucceeded ProvisioningFailed", lasting=True),
    EventRule(
        "PersistentVolumeClaim", "ExternalProvisioning", until="ProvisioningSucceeded ProvisioningFailed", lasting=True
    ),
    # cloud
    EventRule("Service", "EnsuringLoadBalancer", until="EnsuredLoadBalancer SyncLoadBalancerFailed", lasting=True),
    EventRule("Service", "DeletingLoadBalancer", until="DeletedLoadBalancer DeleteLoadBalancerFailed", lasting=True),
)

COMBINED = "(combined from similar events): "  # client-go tools/record/events_cache.go

# Reasons that make a story an incident even though their type is Normal.
SERIOUS = frozenset({"Killing", "Preempted", "TaintManagerEviction", "NodeNotReady", "Rebooted", "Shutdown"})
