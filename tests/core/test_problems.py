"""Which class of problems states, conditions and messages show."""

from __future__ import annotations

import pytest

from kspanpy.core.rules import problems
from kspanpy.core.rules.table import RuleTable
from tests.contract.rule_examples import REFUSED

TABLE = RuleTable()
QUOTA = 'pods "web-1-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
PORTS = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        pytest.param("CrashLoopBackOff", "CrashLoopBackOff", id="crashes"),
        pytest.param("OOMKilled", "OOMKilled", id="memory"),
        pytest.param("Error", "ContainerError", id="exit code"),
        pytest.param("ErrImagePull", "ImagePullBackOff", id="pull"),
        pytest.param("ImagePullBackOff", "ImagePullBackOff", id="pull, waiting"),
        pytest.param("InvalidImageName", "ImagePullBackOff", id="name of an image"),
        pytest.param("CreateContainerConfigError", "CreateContainerConfigError", id="missing ConfigMap"),
        pytest.param("RunContainerError", "CreateContainerError", id="runtime"),
        pytest.param("Completed", None, id="no problem"),
        pytest.param("ContainerCreating", None, id="no problem yet"),
        pytest.param("", None, id="nothing known"),
    ],
)
def test_the_problem_of_a_container(state, problem):
    """By the reason of its state."""
    assert problems.of_container(state) == problem


@pytest.mark.parametrize(
    ("type_", "reason", "message", "problem"),
    [
        pytest.param("Progressing", "ProgressDeadlineExceeded", "", "ProgressDeadlineExceeded", id="too late"),
        pytest.param("Progressing", "NewReplicaSetAvailable", "", None, id="well"),
        pytest.param("ReplicaFailure", "FailedCreate", QUOTA, "QuotaExceeded", id="quota"),
        pytest.param("ReplicaFailure", "FailedCreate", "", "FailedCreate", id="not created, who knows why"),
        pytest.param("PodScheduled", "Unschedulable", PORTS, "HostPortConflict", id="host port"),
        pytest.param("PodScheduled", "Unschedulable", "", "FailedScheduling", id="unschedulable"),
        pytest.param("Failed", "BackoffLimitExceeded", "", "BackoffLimitExceeded", id="job"),
        pytest.param("Ready", "NodeStatusUnknown", "Kubelet stopped posting node status.", "NodeNotReady", id="node"),
        pytest.param("Ready", "ContainersNotReady", "", None, id="a pod that is not ready"),
        pytest.param("MemoryPressure", "KubeletHasSufficientMemory", "", None, id="no pressure"),
        pytest.param("DisruptionTarget", "PreemptionByScheduler", "", "Preempted", id="preempted"),
    ],
)
def test_the_problem_of_a_condition(type_, reason, message, problem):
    """By type and reason, where they are not clear enough by message."""
    assert problems.of_condition(type_, reason, message) == problem


@pytest.mark.parametrize(("message", "mentions", "problem"), REFUSED, ids=lambda value: str(value)[-30:])
def test_conditions_and_events_agree_about_refusals(message, mentions, problem):
    """The same text gives the same class, wherever it stands."""
    assert problems.of_refusal(message) == TABLE.find("ReplicaSet", "FailedCreate", message).rule.problem == problem


@pytest.mark.parametrize(
    ("message", "problem", "obstacles"),
    [
        pytest.param("0/3 nodes are available: 3 Insufficient cpu.", "FailedScheduling", {"resources"}, id="cpu"),
        pytest.param("0/3 nodes are available: 3 Too many pods.", "FailedScheduling", {"resources"}, id="pods"),
        pytest.param(PORTS, "HostPortConflict", {"host ports"}, id="host ports"),
        pytest.param(
            "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes",
            "FailedScheduling",
            {"claims"},
            id="unbound claims",
        ),
        pytest.param(
            '0/3 nodes are available: persistentvolumeclaim "data" not found.',
            "FailedScheduling",
            {"claims"},
            id="no claim",
        ),
        pytest.param(
            "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: },"
            " 2 Insufficient memory.",
            "FailedScheduling",
            {"taints", "resources"},
            id="taint and memory",
        ),
        pytest.param(
            "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
            "FailedScheduling",
            {"affinity"},
            id="selector",
        ),
        pytest.param(
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.",
            "FailedScheduling",
            {"affinity"},
            id="anti-affinity",
        ),
        pytest.param(
            "0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints.",
            "FailedScheduling",
            {"topology spread"},
            id="spread",
        ),
        pytest.param(
            "0/3 nodes are available: 3 node(s) had volume node affinity conflict.",
            "FailedScheduling",
            {"volumes"},
            id="a volume elsewhere",
        ),
        pytest.param(
            "0/1 nodes are available: 1 node(s) were unschedulable.",
            "FailedScheduling",
            {"unschedulable nodes"},
            id="cordon",
        ),
        pytest.param("skip schedule deleting pod: shop/web-1-x", "FailedScheduling", set(), id="nothing known"),
    ],
)
def test_what_stands_in_the_way_of_a_pod(message, problem, obstacles):
    """All of it; and whether it is a port, in Events and in the condition alike."""
    assert set(problems.obstacles(message)) == obstacles
    assert problems.of_scheduling(message) == TABLE.find("Pod", "FailedScheduling", message).rule.problem == problem


@pytest.mark.parametrize(
    ("message", "refuser"),
    [
        ('Error creating: pods "a" is forbidden: exceeded quota: small, requested: pods=1', "ResourceQuota/small"),
        (
            'Error creating: admission webhook "policy.example.test" denied the request: no',
            "Webhook/policy.example.test",
        ),
        (
            "Error creating: ValidatingAdmissionPolicy 'no-root' with binding 'all' denied request: no",
            "ValidatingAdmissionPolicy/no-root",
        ),
        ('Error creating: pods "a" is forbidden: violates PodSecurity "restricted:latest"', ""),
        ("Error creating: timeout", ""),
    ],
)
def test_who_refused_a_create(message, refuser):
    """By kind and name, where the message names it."""
    assert problems.refuser(str(problems.of_refusal(message)), message) == refuser
