"""What is read from messages, in every wording that emitters have used; reasons and kinds are the keys.

That each rule has an example at all is checked in `tests/contract/test_rules_examples.py`.
"""

from __future__ import annotations

import pytest

from kspanpy.core.rules.emitters import RULES
from kspanpy.core.rules.events import EventRule
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
        pytest.param("Application", "OperationStarted", {"OperationCompleted"}, set(), id="sync of Argo CD"),
        pytest.param(
            "PersistentVolumeClaim",
            "WaitForFirstConsumer",
            {"Provisioning", "ExternalProvisioning"},
            set(),
            id="consumer",
        ),
        pytest.param("Pod", "FailedAttachVolume", {"SuccessfulAttachVolume"}, {"FailedMount"}, id="attaching"),
        pytest.param("Pod", "Unhealthy", set(), {"Killing"}, id="a probe that fails lasts no longer than it takes"),
        pytest.param("Pod", "TriggeredScaleUp", {"Scheduled"}, {"FailedScheduling"}, id="waiting for a node"),
        pytest.param("Rollout", "RolloutPaused", {"RolloutResumed", "RolloutAborted"}, set(), id="pause"),
        pytest.param("Job", "Suspended", {"Resumed"}, set(), id="suspended"),
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


@pytest.mark.parametrize(
    ("kind", "reason", "severity"),
    [
        pytest.param("Pod", "Unhealthy", "harmless", id="a probe may show that all is being well looked after"),
        pytest.param("Pod", "ProbeWarning", "harmless", id="a probe that is of two minds"),
        pytest.param("Pod", "DNSConfigForming", "noise", id="too many name servers on the node"),
        pytest.param("Node", "InvalidDiskCapacity", "noise", id="every kubelet says it when it starts"),
        pytest.param("Node", "NodeNotReady", "serious", id="Normal, and an outage"),
        pytest.param("Node", "Rebooted", "serious", id="a reboot"),
        pytest.param("Pod", "Preempted", "serious", id="a Pod that had to go"),
        pytest.param("Node", "Starting", "", id="a kubelet starts"),
        pytest.param("Node", "NodeHasSufficientMemory", "", id="a node is well"),
        pytest.param("Node", "NodeReady", "", id="a node is back"),
        pytest.param("Node", "RegisteredNode", "", id="a node is known"),
        pytest.param("Pod", "FailedMount", "", id="as its type says"),
    ],
)
def test_how_serious_it_is(kind, reason, severity):
    """Where the type of the Event would mislead."""
    assert TABLE.find(kind, reason, "").rule.severity == severity


def test_every_kill_of_a_container_is_serious():
    """Whatever for."""
    for message in ("Stopping container app", "Container app failed liveness probe, will be restarted", ""):
        assert TABLE.find("Pod", "Killing", message).rule.severity == "serious"


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

    def test_who_wrote_it_counts_more_than_what_it_says(self):
        """Karpenter's FailedScheduling is not the scheduler's, whatever it says."""
        table = RuleTable(
            [
                EventRule("Pod", "X", "all"),
                EventRule("Pod", "X", "said", message="^Yes"),
                EventRule("Pod", "X", "theirs", component="karpenter other"),
                EventRule("Pod", "X", "theirs, said", component="karpenter", message="^Yes"),
            ]
        )
        phases = [
            table.find("Pod", "X", message, component).rule.phase
            for component in ("karpenter", "other", "scheduler", "")
            for message in ("Yes!", "No")
        ]
        assert phases == ["theirs, said", "theirs", "theirs", "theirs", "said", "all", "said", "all"]

    def test_a_rule_without_a_reason_is_for_all_that_an_emitter_writes(self):
        """The descheduler gives the names of strategies as reasons; a reason that others use as well is still its own."""
        table = RuleTable([EventRule("Pod", "Evicted", "all"), EventRule("Pod", component="mover", phase="moved")])
        assert [table.find("Pod", reason, "", "mover").rule.phase for reason in ("Anything", "Evicted")] == [
            "moved"
        ] * 2
        assert [table.find("Pod", reason, "", "").rule.phase for reason in ("Anything", "Evicted")] == ["", "all"]

    def test_a_rule_may_have_several_reasons(self):
        """Separated by spaces, as kinds are."""
        table = RuleTable([EventRule("Pod Node", "X Y", "both")])
        found = [table.find(kind, reason, "").rule.phase for kind in ("Pod", "Node") for reason in ("X", "Y", "X Y")]
        assert found == ["both", "both", ""] * 2

    def test_what_is_not_known_says_nothing(self):
        """An empty rule, for whatever an emitter has thought of."""
        assert TABLE.find("Widget", "\x00", "x" * 5000).rule == EventRule()

    def test_no_two_rules_compete(self):
        """One line for one kind, reason, emitter and message."""
        keys = [
            (kind, reason, component, rule.message)
            for rule in RULES
            for kind in rule.kinds.split() or [""]
            for reason in rule.reason.split() or [""]
            for component in rule.component.split() or [""]
        ]
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
