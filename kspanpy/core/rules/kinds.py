"""Which stories a kind tells, as data: a kind is a line."""

from __future__ import annotations

import msgspec


class KindRule(msgspec.Struct, frozen=True):
    """The stories of one kind of root object, as phases of its root span; empty: no such story."""

    created: str = ""  # the story that its creation opens
    changed: bool = False  # metadata.generation is a counter of wishes: when it moves, a story opens
    deleted: str = ""  # the story that its deletion opens
    troubled: str = "activity"  # the story of a Warning or a kill while no change is open
    follows: bool = False  # changes only because its owner does, if it has one that is known here
    workload: bool = False  # its replicas tell whether it has settled
    apart: bool = False  # what it owns belongs to its own stories, whatever happens to its owners


KINDS: dict[str, KindRule] = {
    "Deployment": KindRule("rollout", changed=True, deleted="deletion", troubled="incident", workload=True),
    "StatefulSet": KindRule("rollout", changed=True, deleted="deletion", troubled="incident", workload=True),
    "DaemonSet": KindRule("rollout", changed=True, deleted="deletion", troubled="incident", workload=True),
    "ReplicaSet": KindRule(
        "rollout", changed=True, deleted="deletion", troubled="incident", follows=True, workload=True
    ),
    "ReplicationController": KindRule("rollout", changed=True, deleted="deletion", troubled="incident", workload=True),
    "Job": KindRule("run", deleted="deletion", troubled="incident", apart=True),
    "CronJob": KindRule(deleted="deletion", troubled="activity"),
    "Pod": KindRule("startup", deleted="termination", troubled="incident", follows=True),
    "Node": KindRule("join", deleted="deletion", troubled="outage"),
    "PersistentVolumeClaim": KindRule("binding", deleted="deletion", follows=True),
}
OTHER_KIND = KindRule()
OTHER_CHANGING_KIND = KindRule("rollout", changed=True, deleted="deletion", troubled="incident")

# What an owner in the middle of a chain is doing when this happens to a pod of its.
OWNER_PHASES = {"startup": "scale-up", "run": "scale-up", "termination": "scale-down", "incident": "incident"}


def kind_rule(kind: str) -> KindRule:
    """The stories of a kind."""
    return KINDS.get(kind, OTHER_KIND)
