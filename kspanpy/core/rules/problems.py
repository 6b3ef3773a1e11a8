"""The classes of problems that users know by name, and how states, conditions and messages map to them, as data.

An Event's own reason often says less than its message: `Failed` is an image or a missing ConfigMap, `BackOff` an image or a
crash. One closed list of names makes such things countable. `docs/problems.md` says what each means and what to look at.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Problem(StrEnum):
    """What is wrong, in one word; the attribute `kspanpy.problem`."""

    # containers
    CRASH_LOOP = "CrashLoopBackOff"
    OOM_KILLED = "OOMKilled"
    CONTAINER_ERROR = "ContainerError"
    CREATE_CONTAINER_CONFIG_ERROR = "CreateContainerConfigError"
    CREATE_CONTAINER_ERROR = "CreateContainerError"
    IMAGE_PULL = "ImagePullBackOff"
    PROBE_FAILURE = "ProbeFailure"
    HOOK_FAILURE = "HookFailure"
    # Pods
    FAILED_SCHEDULING = "FailedScheduling"
    HOST_PORT_CONFLICT = "HostPortConflict"
    POD_REJECTED = "PodRejected"
    FAILED_CREATE_POD_SANDBOX = "FailedCreatePodSandbox"
    FAILED_PREPARE_RESOURCES = "FailedPrepareDynamicResources"
    EVICTED = "Evicted"
    PREEMPTED = "Preempted"
    RESIZE_FAILED = "ResizeFailed"
    FAILED_KILL = "FailedKillPod"
    # what could not be created
    QUOTA_EXCEEDED = "QuotaExceeded"
    WEBHOOK_DENIED = "WebhookDenied"
    POLICY_DENIED = "PolicyDenied"
    POD_SECURITY = "PodSecurityViolation"
    FAILED_CREATE = "FailedCreate"
    # workloads
    PROGRESS_DEADLINE = "ProgressDeadlineExceeded"
    BACKOFF_LIMIT = "BackoffLimitExceeded"
    DEADLINE = "DeadlineExceeded"
    POD_FAILURE_POLICY = "PodFailurePolicy"
    MISSED_SCHEDULE = "MissedSchedule"
    AUTOSCALING_FAILED = "AutoscalingFailed"
    # nodes
    NODE_NOT_READY = "NodeNotReady"
    NODE_PRESSURE = "NodePressure"
    NODE_SHUTDOWN = "NodeShutdown"
    REBOOTED = "Rebooted"
    DRAIN_FAILED = "DrainFailed"
    SCALE_UP_FAILED = "ScaleUpFailed"
    # volumes
    FAILED_MOUNT = "FailedMount"
    FAILED_ATTACH = "FailedAttachVolume"
    PROVISIONING_FAILED = "ProvisioningFailed"
    CLAIM_NOT_BOUND = "ClaimNotBound"
    VOLUME_RESIZE_FAILED = "VolumeResizeFailed"
    VOLUME_DELETE_FAILED = "VolumeDeleteFailed"
    # what else reconciles
    LOAD_BALANCER_FAILED = "LoadBalancerFailed"
    SYNC_FAILED = "SyncFailed"
    HEALTH_CHECK_FAILED = "HealthCheckFailed"
    ROLLOUT_ABORTED = "RolloutAborted"


# What admission says (kubernetes/apiserver: plugin/resourcequota/controller.go, webhook/errors/statuserror.go,
# policy/validating/dispatcher.go; pod-security-admission/admission/admission.go), the first that matches.
QUOTA = r"exceeded quota: (?P<name>[^,\s]+),"
WEBHOOK = r'(?:admission|calling) webhook "(?P<name>[^"\s]+)"'
POLICY = r"ValidatingAdmissionPolicy '(?P<name>[^'\s]+)' with binding"
POD_SECURITY = r'violates PodSecurity "'
REFUSALS: tuple[tuple[str, Problem], ...] = (
    (QUOTA, Problem.QUOTA_EXCEEDED),
    (WEBHOOK, Problem.WEBHOOK_DENIED),
    (POLICY, Problem.POLICY_DENIED),
    (POD_SECURITY, Problem.POD_SECURITY),
)

# What stands in the way of scheduling (kube-scheduler: pkg/scheduler/framework/plugins/*, their ErrReason constants).
HOST_PORTS = r"have free ports for the requested pod ports"
OBSTACLES: tuple[tuple[str, str], ...] = (
    ("host ports", HOST_PORTS),
    ("resources", r"Insufficient |Too many pods"),
    (
        "claims",
        r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \"|available persistent volumes to bind",
    ),
    ("volumes", r"volume node affinity conflict|exceed max volume count"),
    ("taints", r"untolerated taint|had taint|tolerate"),
    (
        "affinity",
        r"match (?:Pod's )?node affinity|match node selector|match pod (?:anti-)?affinity|satisfy existing pods",
    ),
    ("topology spread", r"topology spread constraints"),
    ("unschedulable nodes", r"node\(s\) were unschedulable"),
)

CONTAINERS = {
    "CrashLoopBackOff": Problem.CRASH_LOOP,
    "OOMKilled": Problem.OOM_KILLED,
    "Error": Problem.CONTAINER_ERROR,
    # pkg/kubelet/images/types.go
    "ErrImagePull": Problem.IMAGE_PULL,
    "ImagePullBackOff": Problem.IMAGE_PULL,
    "ErrImageNeverPull": Problem.IMAGE_PULL,
    "InvalidImageName": Problem.IMAGE_PULL,
    "ImageInspectError": Problem.IMAGE_PULL,
    "RegistryUnavailable": Problem.IMAGE_PULL,
    "SignatureValidationFailed": Problem.IMAGE_PULL,
    # pkg/kubelet/kuberuntime/kuberuntime_container.go
    "CreateContainerConfigError": Problem.CREATE_CONTAINER_CONFIG_ERROR,
    "CreateContainerError": Problem.CREATE_CONTAINER_ERROR,
    "RunContainerError": Problem.CREATE_CONTAINER_ERROR,
    "StartError": Problem.CREATE_CONTAINER_ERROR,  # containerd
    "ContainerCannotRun": Problem.CREATE_CONTAINER_ERROR,  # dockershim
    "PostStartHookError": Problem.HOOK_FAILURE,
}

# By (type, reason). The reasons are those of a condition that has gone bad: the status need not be looked at.
CONDITIONS = {
    ("Progressing", "ProgressDeadlineExceeded"): Problem.PROGRESS_DEADLINE,
    ("Progressing", "ReplicaSetCreateError"): Problem.FAILED_CREATE,
    ("ReplicaFailure", "FailedCreate"): Problem.FAILED_CREATE,
    # Jobs: api/batch/v1/types.go
    ("Failed", "BackoffLimitExceeded"): Problem.BACKOFF_LIMIT,
    ("Failed", "MaxFailedIndexesExceeded"): Problem.BACKOFF_LIMIT,
    ("Failed", "FailedIndexes"): Problem.BACKOFF_LIMIT,
    ("Failed", "DeadlineExceeded"): Problem.DEADLINE,
    ("Failed", "PodFailurePolicy"): Problem.POD_FAILURE_POLICY,
    # Pods: api/core/v1/types.go
    ("PodScheduled", "Unschedulable"): Problem.FAILED_SCHEDULING,
    ("DisruptionTarget", "PreemptionByScheduler"): Problem.PREEMPTED,
    ("DisruptionTarget", "DeletionByTaintManager"): Problem.EVICTED,
    ("DisruptionTarget", "EvictionByEvictionAPI"): Problem.EVICTED,
    ("DisruptionTarget", "TerminationByKubelet"): Problem.EVICTED,
    # Nodes: pkg/kubelet/nodestatus/setters.go, pkg/controller/nodelifecycle
    ("Ready", "KubeletNotReady"): Problem.NODE_NOT_READY,
    ("Ready", "NodeStatusUnknown"): Problem.NODE_NOT_READY,
    ("Ready", "NodeStatusNeverUpdated"): Problem.NODE_NOT_READY,
    ("MemoryPressure", "KubeletHasInsufficientMemory"): Problem.NODE_PRESSURE,
    ("DiskPressure", "KubeletHasDiskPressure"): Problem.NODE_PRESSURE,
    ("PIDPressure", "KubeletHasInsufficientPID"): Problem.NODE_PRESSURE,
}

_REFUSALS = tuple((re.compile(pattern), problem) for pattern, problem in REFUSALS)
_REFUSED_BY = {str(problem): pattern for pattern, problem in _REFUSALS}
_REFUSERS = {
    str(Problem.QUOTA_EXCEEDED): "ResourceQuota",
    str(Problem.WEBHOOK_DENIED): "Webhook",
    str(Problem.POLICY_DENIED): "ValidatingAdmissionPolicy",
}
_OBSTACLES = tuple((obstacle, re.compile(pattern)) for obstacle, pattern in OBSTACLES)


def of_container(reason: str) -> Problem | None:
    """The problem of a container that waits, or has ended, for this reason."""
    return CONTAINERS.get(reason)


def of_condition(type_: str, reason: str, message: str = "") -> Problem | None:
    """The problem that a condition speaks of, if it does; its message says which refusal it was."""
    problem = CONDITIONS.get((type_, reason))
    if problem is Problem.FAILED_CREATE:
        return of_refusal(message)
    if problem is Problem.FAILED_SCHEDULING:
        return of_scheduling(message)
    return problem


def of_refusal(message: str) -> Problem:
    """Why an object could not be created."""
    for pattern, problem in _REFUSALS:
        if pattern.search(message):
            return problem
    return Problem.FAILED_CREATE


def refuser(problem: str, message: str) -> str:
    """Who refused to create an object, as `Kind/name`; empty for other problems. A webhook is named as its configuration names it."""
    kind = _REFUSERS.get(problem)
    if kind is None:
        return ""
    found = _REFUSED_BY[problem].search(message)
    return f"{kind}/{found['name']}" if found is not None else ""


def of_scheduling(message: str) -> Problem:
    """Why a Pod could not be scheduled: another Pod has its port, or anything else."""
    return Problem.HOST_PORT_CONFLICT if "host ports" in obstacles(message) else Problem.FAILED_SCHEDULING


def obstacles(message: str) -> tuple[str, ...]:
    """All that the scheduler says is in a Pod's way, on one node or another."""
    return tuple(obstacle for obstacle, pattern in _OBSTACLES if pattern.search(message))
