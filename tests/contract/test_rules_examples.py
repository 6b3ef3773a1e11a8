"""Every rule of `kspanpy.core.rules.table` has an example: a message as its emitter writes it, and what is read from it.

docs/causality.md sends those who add a rule here.
"""

from __future__ import annotations

import pytest

from kspanpy.core.rules.events import RULES, EventRule
from kspanpy.core.rules.kinds import KINDS
from kspanpy.core.rules.table import CompiledRule, RuleTable

# involved kind, reason, message, the name that is read from it
EXAMPLES = (
    ("ReplicaSet", "SuccessfulCreate", "Created pod: web-6d4-x7k2p", "web-6d4-x7k2p"),
    ("ReplicaSet", "SuccessfulDelete", "Deleted pod: web-6d4-x7k2p", "web-6d4-x7k2p"),
    ("ReplicaSet", "FailedCreate", 'Error creating: pods "web-6d4-x7k2p" is forbidden: exceeded quota: small', ""),
    ("ReplicaSet", "FailedDelete", "Error deleting: context deadline exceeded", ""),
    ("StatefulSet", "SuccessfulCreate", "create Pod db-0 in StatefulSet db successful", "db-0"),
    ("DaemonSet", "SuccessfulCreate", "Created pod: agent-b7x2d", "agent-b7x2d"),
    ("StatefulSet", "SuccessfulDelete", "delete Pod db-0 in StatefulSet db successful", "db-0"),
    ("Job", "SuccessfulDelete", "Deleted pod: backup-x7k2p", "backup-x7k2p"),
    ("CronJob", "SuccessfulCreate", "Created job backup-29001", "backup-29001"),
    ("CronJob", "SawCompletedJob", "Saw completed job: backup-29001, condition: Complete", "backup-29001"),
    ("CronJob", "MissingJob", "Active job went missing: backup-29001", "backup-29001"),
    ("Pod", "Scheduled", "Successfully assigned shop/web-6d4-x7k2p to node-1", ""),
    ("Pod", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", ""),
    ("Pod", "Preempted", "Preempted by pod 5f2c on node node-1", ""),
    ("Pod", "TaintManagerEviction", "Marking for deletion Pod shop/web-6d4-x7k2p", ""),
    ("Pod", "NodeControllerEviction", "Marking for deletion Pod web-6d4-x7k2p from Node node-1", ""),
    ("Pod", "Pulling", 'Pulling image "web:2"', ""),
    ("Pod", "Created", "Created container: app", ""),
    ("Pod", "Killing", "Stopping container app", ""),
    ("Pod", "Preempting", "Preempted in order to admit critical pod", ""),
    ("Pod", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", ""),
    ("Pod", "ProbeWarning", "Readiness probe warning: ", ""),
    ("PersistentVolumeClaim", "Provisioning", 'External provisioner is provisioning volume for claim "shop/data"', ""),
    ("PersistentVolumeClaim", "ExternalProvisioning", "Waiting for a volume to be created", ""),
    ("Service", "EnsuringLoadBalancer", "Ensuring load balancer", ""),
    ("Service", "DeletingLoadBalancer", "Deleting load balancer", ""),
)

# Messages that a rule must not be taken for: the same reason, another thing.
OTHERS = (
    ("Pod", "Killing", "Container app failed liveness probe, will be restarted"),
    ("Pod", "TaintManagerEviction", "Cancelling deletion of Pod shop/web-6d4-x7k2p"),
)

TABLE = RuleTable()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kinds}/{rule.reason}")
def test_every_rule_has_an_example(rule: EventRule) -> None:
    """A line in EXAMPLES that this rule is found for: a pattern that nothing matches is a rule that does nothing."""
    assert any(TABLE.find(kind, reason, message).rule is rule for kind, reason, message, _ in EXAMPLES), (
        "add a message as the emitter writes it to EXAMPLES"
    )


@pytest.mark.parametrize(("kind", "reason", "message", "name"), EXAMPLES, ids=lambda value: str(value)[:24])
def test_names_are_read_from_messages(kind: str, reason: str, message: str, name: str) -> None:
    """Where a rule says that there is one."""
    found: CompiledRule = TABLE.find(kind, reason, message)
    assert kind in found.rule.kinds.split()
    assert found.named(message) == name
    assert bool(found.rule.names) is bool(name)


@pytest.mark.parametrize(("kind", "reason", "message"), OTHERS)
def test_another_message_of_the_same_reason_means_nothing(kind: str, reason: str, message: str) -> None:
    """A container that is restarted, a deletion that is called off: no termination."""
    assert TABLE.find(kind, reason, message).rule.phase == ""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kinds}/{rule.reason}")
def test_what_a_rule_names_can_be_found(rule: EventRule) -> None:
    """A kind that is watched, with its fate; all three or none."""
    assert bool(rule.names) is bool(rule.name) is bool(rule.fate)
    assert rule.names in ("", *KINDS)
    assert rule.fate in ("", "born", "died")
