"""What is known about kinds and about Events, as data: adding an emitter is adding a line.

`KINDS` says which stories a kind tells; `RULES` says what an Event means beyond "something happened to this object".
Reason and involved kind are the keys, messages change between releases (kubernetes-events 2.9): a pattern only ever adds a
hint, and a name taken from a message counts only if ownership does not contradict it (`core.placing`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec


class KindRule(msgspec.Struct, frozen=True):
    """The stories of one kind of root object, as phases of its root span; empty: no such story."""

    created: str = ""  # the story that its creation opens
    changed: bool = False  # metadata.generation is a counter of wishes: when it moves, a story opens
    deleted: str = ""  # the story that its deletion opens
    troubled: str = "activity"  # the story of a Warning or a kill while no change is open
    follows: bool = False  # changes only because its owner does, if it has one that is known here
    workload: bool = False  # its replicas tell whether it has settled


KINDS: dict[str, KindRule] = {
    "Deployment": KindRule("rollout", changed=True, deleted="deletion", troubled="incident", workload=True),
    "StatefulSet": KindRule("rollout", changed=True, deleted="deletion", troubled="incident", workload=True),
    "DaemonSet": KindRule("rollout", changed=True, deleted="deletion", troubled="incident", workload=True),
    "ReplicaSet": KindRule(
        "rollout", changed=True, deleted="deletion", troubled="incident", follows=True, workload=True
    ),
    "ReplicationController": KindRule("rollout", changed=True, deleted="deletion", troubled="incident", workload=True),
    "Job": KindRule("run", deleted="deletion", troubled="incident"),
    "CronJob": KindRule(deleted="deletion", troubled="activity"),
    "Pod": KindRule("startup", deleted="termination", troubled="incident", follows=True),
    "Node": KindRule("join", deleted="deletion", troubled="outage"),
    "PersistentVolumeClaim": KindRule("binding", deleted="deletion", follows=True),
}
OTHER_KIND = KindRule()
OTHER_CHANGING_KIND = KindRule("rollout", changed=True, deleted="deletion", troubled="incident")

# What an owner in the middle of a chain is doing when this happens to a pod of its.
OWNER_PHASES = {"startup": "scale-up", "run": "scale-up", "termination": "scale-down", "incident": "incident"}


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


class CompiledRule:
    """A rule with its patterns compiled and its lists split, once."""

    __slots__ = ("any_step", "ends", "message", "name", "rule")

    def __init__(self, rule: EventRule) -> None:
        self.rule = rule
        self.message = re.compile(rule.message) if rule.message else None
        self.name = re.compile(rule.name) if rule.name else None
        self.any_step = rule.until == "*"
        self.ends = frozenset(rule.until.split())

    def named(self, message: str) -> str:
        """The name that the message holds, or nothing."""
        match = self.name.search(message) if self.name else None
        return match["name"] if match else ""


class RuleTable:
    """Finds the rule of an Event by its involved kind and reason; one that needs a message is tried first."""

    def __init__(self, rules: Iterable[EventRule] = RULES) -> None:
        self._by_key: dict[tuple[str, str], list[CompiledRule]] = {}
        for rule in rules:
            for kind in rule.kinds.split() or [""]:
                known = self._by_key.setdefault((kind, rule.reason), [])
                known.insert(0 if rule.message else len(known), CompiledRule(rule))
        self._none = CompiledRule(EventRule())

    def find(self, kind: str, reason: str, message: str) -> CompiledRule:
        """The rule for this Event; an empty one where nothing is known."""
        rules = self._by_key.get((kind, reason)) or self._by_key.get(("", reason))
        for rule in rules or ():
            if rule.message is None or rule.message.search(message):
                return rule
        return self._none


def kind_rule(kind: str) -> KindRule:
    """The stories of a kind."""
    return KINDS.get(kind, OTHER_KIND)
