"""Controllers of workloads, all in kube-controller-manager.

Deployments need no line to tell which ReplicaSet they scaled: it may be an old one, and it is theirs by ownership.
"""

from __future__ import annotations

from kspanpy.core.rules import problems
from kspanpy.core.rules.events import EventRule
from kspanpy.core.rules.problems import Problem

_POD = r"(?P<name>[a-z0-9][a-z0-9.-]*)"
_CREATED_POD = rf"(?:Created pod: |[Cc]reate Pod ){_POD}"
_DELETED_POD = rf"(?:Deleted pod: |[Dd]elete Pod ){_POD}"
_SERVICE_ACCOUNT = r'serviceaccount "(?P<name>[^"\s]+)" not found'


def _refused(kinds: str, reason: str, phase: str = "") -> tuple[EventRule, ...]:
    """An object that could not be created: admission knows why, and says it in the error that is passed on."""
    failed = Problem.FAILED_CREATE
    return (
        # Nothing ever tells of a quota or a webhook: they have no story, so there is nothing to link to.
        EventRule(kinds, reason, phase, message=problems.QUOTA, problem=Problem.QUOTA_EXCEEDED),
        EventRule(kinds, reason, phase, message=problems.WEBHOOK, problem=Problem.WEBHOOK_DENIED),
        EventRule(kinds, reason, phase, message=problems.POLICY, problem=Problem.POLICY_DENIED),
        EventRule(kinds, reason, phase, message=problems.POD_SECURITY, problem=Problem.POD_SECURITY),
        EventRule(
            kinds,
            reason,
            phase,
            message=_SERVICE_ACCOUNT,
            names="ServiceAccount",
            name=_SERVICE_ACCOUNT,
            cause="waited for",
            problem=failed,
        ),
        EventRule(kinds, reason, phase, problem=failed),
    )


RULES = (
    # pkg/controller/controller_utils.go
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
    *_refused("ReplicaSet ReplicationController", "FailedCreate", "scale-up"),
    EventRule("ReplicaSet ReplicationController", "FailedDelete", "scale-down"),
    # the same, and pkg/controller/statefulset/stateful_pod_control.go
    EventRule("StatefulSet DaemonSet Job", "SuccessfulCreate", names="Pod", name=_CREATED_POD, fate="born"),
    EventRule("StatefulSet DaemonSet Job", "SuccessfulDelete", names="Pod", name=_DELETED_POD, fate="died"),
    EventRule(
        "StatefulSet",
        "SuccessfulCreate",
        message="^[Cc]reate Claim ",
        names="PersistentVolumeClaim",
        name=r"^[Cc]reate Claim (?P<name>[a-z0-9][a-z0-9.-]*) ",
        effect="created by",
    ),
    *_refused("StatefulSet DaemonSet Job", "FailedCreate"),
    EventRule(
        "StatefulSet",
        "RecreatingFailedPod RecreatingTerminatedPod",
        names="Pod",
        name=rf"recreating (?:failed|terminated) Pod {_POD}",
        fate="died",
    ),
    # pkg/controller/daemon/daemon_controller.go
    EventRule(
        "DaemonSet",
        "FailedDaemonPod SucceededDaemonPod",
        names="Pod",
        name=rf"daemon pod [^/\s]+/{_POD} on node ",
        fate="died",
    ),
    # pkg/controller/deployment/sync.go, and Argo Rollouts in the same words
    *_refused("Deployment Rollout", "ReplicaSetCreateError"),
    # pkg/controller/job/job_controller.go; reasons of the condition Failed in api/batch/v1/types.go
    EventRule("Job", "BackoffLimitExceeded MaxFailedIndexesExceeded FailedIndexes", problem=Problem.BACKOFF_LIMIT),
    EventRule("Job", "DeadlineExceeded", problem=Problem.DEADLINE),
    EventRule("Job", "PodFailurePolicy", problem=Problem.POD_FAILURE_POLICY),
    EventRule("Job", "Suspended", until="Resumed", lasting=True),
    # pkg/controller/cronjob/cronjob_controllerv2.go
    EventRule("CronJob", "SuccessfulCreate", names="Job", name=r"Created job (?P<name>\S+)", fate="born"),
    EventRule("CronJob", "SuccessfulDelete", names="Job", name=r"Deleted job:? (?P<name>\S+)", fate="died"),
    EventRule("CronJob", "SawCompletedJob", names="Job", name=r"Saw completed job: (?P<name>[^,\s]+)", fate="born"),
    EventRule("CronJob", "MissingJob", names="Job", name=r"missing: (?P<name>\S+)", fate="born"),
    EventRule(  # of every `kubectl create job --from`
        "CronJob", "UnexpectedJob", names="Job", name=r"forgot: (?P<name>\S+)", fate="born", severity="noise"
    ),
    EventRule("CronJob", "MissSchedule TooManyMissedTimes", problem=Problem.MISSED_SCHEDULE),
    *_refused("CronJob", "FailedCreate"),
    # pkg/controller/garbagecollector/graph_builder.go: about an ownerReference that leads nowhere
    EventRule("", "OwnerRefInvalidNamespace", severity="noise"),
)
