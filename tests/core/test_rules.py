"""What is read from messages, in every wording that emitters have used; reasons and kinds are the keys.

That each rule has an example at all is checked in `tests/contract/test_rules_examples.py`.
"""

from __future__ import annotations

import pytest

from kspanpy.core.rules.events import RULES, EventRule
from kspanpy.core.rules.kinds import KINDS, OTHER_KIND, kind_rule
from kspanpy.core.rules.table import RuleTable

TABLE = RuleTable()
ENSURING = "EnsuringLoadBalancer"


# kind, reason, message, (kind of the named object, its name, its fate)
NAMING = [
    pytest.param("ReplicaSet", "SuccessfulCreate", "Created pod: web-1-x", ("Pod", "web-1-x", "born"), id="created"),
    pytest.param("ReplicaSet", "SuccessfulDelete", "Deleted pod: web-1-x", ("Pod", "web-1-x", "died"), id="deleted"),
    pytest.param(
        "ReplicationController", "SuccessfulCreate", "Created pod: old-x", ("Pod", "old-x", "born"), id="controller"
    ),
    pytest.param("Job", "SuccessfulCreate", "Created pod: import-x", ("Pod", "import-x", "born"), id="of a job"),
    pytest.param("DaemonSet", "SuccessfulDelete", "Deleted pod: agent-x", ("Pod", "agent-x", "died"), id="of a daemon"),
    pytest.param(
        "ReplicaSet",
        "SuccessfulCreate",
        "(combined from similar events): Created pod: web-1-x",
        ("Pod", "web-1-x", "born"),
        id="aggregated",
    ),
    pytest.param(
        "StatefulSet",
        "SuccessfulCreate",
        "create Pod db-0 in StatefulSet db successful",
        ("Pod", "db-0", "born"),
        id="stateful, created",
    ),
    pytest.param(
        "StatefulSet",
        "SuccessfulCreate",
        "Create Pod db-0 in StatefulSet db successful",
        ("Pod", "db-0", "born"),
        id="stateful, with a capital",
    ),
    pytest.param(
        "StatefulSet",
        "SuccessfulDelete",
        "delete Pod db-0 in StatefulSet db successful",
        ("Pod", "db-0", "died"),
        id="stateful, deleted",
    ),
    pytest.param("CronJob", "SuccessfulCreate", "Created job tidy-29", ("Job", "tidy-29", "born"), id="job"),
    pytest.param(
        "CronJob",
        "SawCompletedJob",
        "Saw completed job: tidy-29, condition: Complete",
        ("Job", "tidy-29", "born"),
        id="completed, condition",
    ),
    pytest.param(
        "CronJob",
        "SawCompletedJob",
        "Saw completed job: tidy-29, status: Complete",
        ("Job", "tidy-29", "born"),
        id="completed, status",
    ),
    pytest.param(
        "CronJob", "SawCompletedJob", "Saw completed job: tidy-29", ("Job", "tidy-29", "born"), id="completed, bare"
    ),
    pytest.param("CronJob", "MissingJob", "Active job went missing: tidy-29", ("Job", "tidy-29", "born"), id="missing"),
]


@pytest.mark.parametrize(("kind", "reason", "message", "named"), NAMING)
def test_the_object_that_a_message_names(kind, reason, message, named):
    """Its kind, name and fate, whatever words this release uses."""
    found = TABLE.find(kind, reason, message)
    assert named == (found.rule.names, found.named(message), found.rule.fate)


@pytest.mark.parametrize(
    ("kind", "reason", "message"),
    [
        pytest.param(
            "StatefulSet", "SuccessfulCreate", "create Claim data-db-0 Pod db-0 in StatefulSet db success", id="a claim"
        ),
        pytest.param("ReplicaSet", "FailedCreate", 'Error creating: pods "web-1-x" is forbidden', id="never existed"),
        pytest.param("ReplicaSet", "SuccessfulCreate", "Created pod: ", id="no name"),
        pytest.param("ReplicaSet", "SuccessfulCreate", "", id="no message"),
        pytest.param("ReplicaSet", "SuccessfulCreate", "Created pod: <script>", id="no name of an object"),
        pytest.param("Widget", "SuccessfulCreate", "Created pod: web-1-x", id="another emitter"),
    ],
)
def test_messages_that_name_nothing(kind, reason, message):
    """No name is better than a wrong one."""
    assert TABLE.find(kind, reason, message).named(message) == ""


@pytest.mark.parametrize(
    ("kind", "reason", "message", "phase"),
    [
        pytest.param("ReplicaSet", "SuccessfulCreate", "Created pod: x", "scale-up", id="created"),
        pytest.param("ReplicaSet", "SuccessfulDelete", "Deleted pod: x", "scale-down", id="deleted"),
        pytest.param("ReplicaSet", "FailedCreate", "Error creating: quota", "scale-up", id="not created"),
        pytest.param("ReplicaSet", "FailedDelete", "Error deleting: timeout", "scale-down", id="not deleted"),
        pytest.param("Pod", "Killing", "Stopping container app", "termination", id="stopped"),
        pytest.param("Pod", "Killing", "Container app failed liveness probe, will be restarted", "", id="liveness"),
        pytest.param("Pod", "Killing", "Container app failed startup probe, will be restarted", "", id="startup probe"),
        pytest.param("Pod", "Killing", "Container app definition changed, will be restarted", "", id="definition"),
        pytest.param("Pod", "Killing", "Container app resize requires restart", "", id="resize"),
        pytest.param("Pod", "TaintManagerEviction", "Marking for deletion Pod shop/x", "termination", id="evicted"),
        pytest.param(
            "Pod", "TaintManagerEviction", "Cancelling deletion of Pod shop/x", "", id="not evicted after all"
        ),
        pytest.param(
            "Pod", "NodeControllerEviction", "Marking for deletion Pod x from Node n", "termination", id="node is lost"
        ),
        pytest.param("Pod", "Preempted", "Preempted by pod 1-2 on node n", "termination", id="preempted by uid"),
        pytest.param("Pod", "Preempted", "Preempted by a pod on node n", "termination", id="preempted by a pod"),
        pytest.param("Pod", "Preempted", "Preempted by shop/x on node n", "termination", id="preempted by name"),
        pytest.param(
            "Pod", "Preempting", "Preempted in order to admit critical pod", "termination", id="by the kubelet"
        ),
        pytest.param("Pod", "Started", "Started container app", "", id="nothing is known"),
        pytest.param("Node", "Killing", "Stopping container app", "", id="of another kind"),
    ],
)
def test_the_phase_that_an_event_belongs_to(kind, reason, message, phase):
    """Whatever the clock says; empty where the clock has to say it."""
    assert TABLE.find(kind, reason, message).rule.phase == phase


@pytest.mark.parametrize(
    ("kind", "reason", "ended_by", "not_by"),
    [
        pytest.param("Pod", "Pulling", {"Pulled", "Failed", "BackOff", "InspectFailed"}, {"Started"}, id="pull"),
        pytest.param("Pod", "Created", {"Started", "Failed"}, {"Pulled"}, id="container"),
        pytest.param("Pod", "FailedScheduling", {"Scheduled", "FailedScheduling"}, {"Pulling"}, id="scheduling"),
        pytest.param(
            "PersistentVolumeClaim", "Provisioning", {"ProvisioningSucceeded", "ProvisioningFailed"}, set(), id="claim"
        ),
        pytest.param("Service", ENSURING, {"EnsuredLoadBalancer", "SyncLoadBalancerFailed"}, set(), id="balancer"),
    ],
)
def test_how_long_a_step_lasts(kind, reason, ended_by, not_by):
    """Until one of the reasons that end it."""
    rule = TABLE.find(kind, reason, "")
    assert ended_by <= rule.ends
    assert not not_by & rule.ends


def test_being_scheduled_lasts_until_the_next_step_whatever_it_is():
    """The kubelet's first word ends it."""
    assert TABLE.find("Pod", "Scheduled", "").any_step


@pytest.mark.parametrize("reason", ["Unhealthy", "ProbeWarning"])
def test_a_probe_that_fails_is_no_failure(reason):
    """It may be what shows that all is being well looked after."""
    assert TABLE.find("Pod", reason, "Readiness probe failed").rule.harmless


class TestTable:
    """How a rule is found."""

    def test_a_rule_that_needs_a_message_goes_first(self):
        """In whatever order they stand."""
        general, special = EventRule("Pod", "X", "a"), EventRule("Pod", "X", "b", message="^Yes")
        for rules in ([general, special], [special, general]):
            table = RuleTable(rules)
            assert [table.find("Pod", "X", message).rule.phase for message in ("Yes!", "No")] == ["b", "a"]

    def test_a_rule_without_kinds_is_for_all_that_have_none_of_their_own(self):
        """The kind's own rule wins."""
        table = RuleTable([EventRule(reason="X", phase="any"), EventRule("Pod", "X", "own")])
        assert [table.find(kind, "X", "").rule.phase for kind in ("Pod", "Widget")] == ["own", "any"]

    def test_what_is_not_known_says_nothing(self):
        """An empty rule, for whatever an emitter has thought of."""
        assert TABLE.find("Widget", "\x00", "x" * 5000).rule == EventRule()

    def test_no_two_rules_compete(self):
        """One line for one kind, reason and message."""
        keys = [(kind, rule.reason, rule.message) for rule in RULES for kind in rule.kinds.split()]
        assert len(keys) == len(set(keys))

    @pytest.mark.parametrize("message", ["a" * 100_000, "Created pod: " * 10_000, "Saw completed job: " + "," * 50_000])
    def test_no_message_takes_long(self, message):
        """Patterns are linear: whoever may write Events may write this."""
        for rule in RULES:
            for kind in rule.kinds.split():
                TABLE.find(kind, rule.reason, message).named(message)


class TestKinds:
    """Which stories a kind tells."""

    def test_a_kind_that_is_not_known_only_has_activity(self):
        """Nothing is said of it that nobody knows."""
        assert kind_rule("Widget") == OTHER_KIND
        assert (OTHER_KIND.created, OTHER_KIND.changed, OTHER_KIND.troubled) == ("", False, "activity")

    def test_what_follows_others_has_an_owner_that_changes(self):
        """ReplicaSets, Pods and claims tell their own stories only when nobody owns them."""
        assert {kind for kind, rule in KINDS.items() if rule.follows} == {"ReplicaSet", "Pod", "PersistentVolumeClaim"}
