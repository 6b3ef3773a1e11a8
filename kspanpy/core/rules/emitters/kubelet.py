"""The kubelet about Pods and their containers: pkg/kubelet/events/event.go lists its reasons, a few are literals elsewhere.

Which container it is says `fieldPath`, never the text.
"""

from __future__ import annotations

from kspanpy.core.rules.events import EventRule
from kspanpy.core.rules.problems import Problem

_PULLED = "Pulled Failed InspectFailed ErrImageNeverPull BackOff"
_MISSING = r'\b(?P<kind>configmap|secret) "(?P<name>[^"\s]+)" not found'

RULES = (
    # pkg/kubelet/images/image_manager.go
    EventRule("Pod", "Pulling", until=_PULLED, lasting=True, milestone="pulling"),
    EventRule("Pod", "Pulled", milestone="pulled"),
    EventRule("Pod", "Failed", message=r"^Failed to pull image ", problem=Problem.IMAGE_PULL),
    EventRule(
        "Pod",
        "Failed",
        message=r"^Error: (?:ErrImagePull|ImagePullBackOff|ErrImageNeverPull|InvalidImageName|ImageInspectError"
        r"|RegistryUnavailable|SignatureValidationFailed)",
        problem=Problem.IMAGE_PULL,
    ),
    EventRule("Pod", "BackOff", message=r"^Back-off pulling image ", problem=Problem.IMAGE_PULL),
    EventRule("Pod", "InspectFailed ErrImageNeverPull", problem=Problem.IMAGE_PULL),
    # pkg/kubelet/kuberuntime/kuberuntime_container.go
    EventRule("Pod", "Created", until="Started Failed", milestone="created"),
    EventRule("Pod", "Started", milestone="started"),
    EventRule(
        "Pod",
        "Failed",
        message=rf"^Error: {_MISSING}",
        name=_MISSING,
        cause="waited for",
        problem=Problem.CREATE_CONTAINER_CONFIG_ERROR,
    ),
    EventRule(
        "Pod",
        "Failed",
        message=r"^Error: (?:CreateContainerConfigError|couldn't find key |container has runAsNonRoot )",
        problem=Problem.CREATE_CONTAINER_CONFIG_ERROR,
    ),
    EventRule("Pod", "Failed FailedCreatePodContainer", problem=Problem.CREATE_CONTAINER_ERROR),
    EventRule("Pod", "BackOff", message=r"^Back-off restarting failed ", problem=Problem.CRASH_LOOP),
    EventRule("Pod", "Killing", "termination", message="^Stopping container", severity="serious"),
    EventRule(
        "Pod",
        "Killing",
        message=" failed (?:liveness|startup) probe",
        severity="serious",
        problem=Problem.PROBE_FAILURE,
    ),
    EventRule("Pod", "Killing", severity="serious"),
    EventRule("Pod", "FailedPostStartHook FailedPreStopHook", problem=Problem.HOOK_FAILURE),
    EventRule("Pod", "FailedKillPod ExceededGracePeriod", problem=Problem.FAILED_KILL),
    # pkg/kubelet/prober/prober.go
    EventRule("Pod", "Unhealthy", severity="harmless", problem=Problem.PROBE_FAILURE),
    EventRule("Pod", "ProbeWarning", severity="harmless"),
    EventRule("Pod", "LifecycleHTTPFallback", severity="noise"),
    # pkg/kubelet/kuberuntime/kuberuntime_manager.go, pkg/kubelet/kubelet.go
    EventRule(
        "Pod",
        "FailedCreatePodSandBox FailedPodSandBoxStatus NetworkNotReady",
        problem=Problem.FAILED_CREATE_POD_SANDBOX,
    ),
    EventRule("Pod", "FailedPrepareDynamicResources", problem=Problem.FAILED_PREPARE_RESOURCES),
    # pkg/kubelet/allocation: a deferred resize waits for room on the node, and is tried again
    EventRule("Pod", "ResizeInfeasible ResizeError", problem=Problem.RESIZE_FAILED),
    EventRule("Pod", "ResizeDeferred", until="ResizeStarted ResizeInfeasible", lasting=True, severity="harmless"),
    EventRule("Pod", "ResizeStarted", until="ResizeCompleted ResizeError", lasting=True),
    # Admission: pkg/kubelet/lifecycle/predicate.go names a reason after the resource or the predicate
    EventRule(
        "Pod",
        "OutOfcpu OutOfmemory OutOfpods OutOfephemeral-storage OutOfnvidia.com/gpu UnexpectedAdmissionError"
        " UnexpectedPredicateFailureType InvalidNodeInfo NodeAffinity NodeName TaintToleration FailedValidation"
        " PodOSSelectorNodeLabelDoesNotMatch PodOSNotSupported TopologyAffinityError",
        problem=Problem.POD_REJECTED,
    ),
    EventRule(
        "Pod", "NodeShutdown", cause="hit by", via="node", problem=Problem.NODE_SHUTDOWN
    ),  # pkg/kubelet/nodeshutdown
    EventRule("Pod", "NodePorts HostPortConflict", problem=Problem.HOST_PORT_CONFLICT),
    # pkg/kubelet/eviction, pkg/kubelet/preemption/preemption.go, pkg/kubelet/active_deadline.go
    EventRule("Pod", "Evicted", cause="evicted by", via="node", severity="serious", problem=Problem.EVICTED),
    EventRule("Pod", "Preempting", "termination", severity="serious", problem=Problem.PREEMPTED),
    EventRule("Pod", "DeadlineExceeded", problem=Problem.DEADLINE),
    # pkg/kubelet/network/dns/dns.go, pkg/kubelet/kubelet_pods.go: said again and again of Pods that are well
    EventRule(
        "Pod",
        "DNSConfigForming MissingClusterDNS FailedToRetrieveImagePullSecret HostIPsIPFamilyMismatch"
        " PossibleMemoryBackedVolumesOnDisk AlreadyMountedVolume",
        severity="noise",
    ),
)
