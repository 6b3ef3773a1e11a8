"""What makes more or fewer Pods and Nodes, and moves Pods for it."""

from __future__ import annotations

from kspanpy.core.rules.events import EventRule
from kspanpy.core.rules.problems import Problem

_KARPENTER = "karpenter eks-auto-mode/compute"
_CLUSTER_AUTOSCALER = "cluster-autoscaler"

RULES = (
    # pkg/controller/podautoscaler/horizontal.go; whom it scales is in its spec alone
    EventRule("HorizontalPodAutoscaler", "SuccessfulRescale", effect="rescaled by", via="target", begins=True),
    EventRule(
        "HorizontalPodAutoscaler",
        "FailedRescale FailedGetScale FailedComputeMetricsReplicas FailedGetResourceMetric"
        " FailedGetContainerResourceMetric FailedGetPodsMetric FailedGetObjectMetric FailedGetExternalMetric"
        " InvalidSelector SelectorRequired",
        problem=Problem.AUTOSCALING_FAILED,
    ),
    # kubernetes/autoscaler vertical-pod-autoscaler/pkg/updater/eviction/pods_eviction_restriction.go
    EventRule("Pod", "EvictedByVPA", "termination", severity="serious", problem=Problem.EVICTED),
    # kubernetes/autoscaler cluster-autoscaler: processors/status/eventing_scale_up_processor.go, core/scaledown/actuation
    EventRule("Pod", "TriggeredScaleUp", until="Scheduled NotTriggerScaleUp", lasting=True),
    EventRule("Pod", "NotTriggerScaleUp", problem=Problem.SCALE_UP_FAILED),
    EventRule("Pod", "ScaleDown", "termination", component=_CLUSTER_AUTOSCALER, severity="serious"),
    EventRule("Node", "ScaleDownFailed", severity="noise", component=_CLUSTER_AUTOSCALER),
    EventRule("ConfigMap", "FailedToScaleUpGroup", problem=Problem.SCALE_UP_FAILED),
    EventRule(
        "ConfigMap",
        "ScaleDown ScaleDownEmpty",
        component=_CLUSTER_AUTOSCALER,
        names="Node",
        name=r'^Scale-down: (?:removing empty |empty )?node "?(?P<name>[a-z0-9][a-z0-9.-]*)',
        effect="removed by",
    ),
    # kubernetes-sigs/karpenter pkg/controllers/provisioning/scheduling/events.go
    EventRule("Pod", "FailedScheduling", component=_KARPENTER, problem=Problem.SCALE_UP_FAILED),
    EventRule(
        "Pod",
        "Nominated",
        component=_KARPENTER,
        name=r"\b(?P<kind>nodeclaim|node)/(?P<name>[a-z0-9][a-z0-9.-]*)",
        effect="needed by",
        until="Scheduled",
        lasting=True,
    ),
    # ... pkg/controllers/node/termination/terminator/events/events.go
    EventRule(
        "Pod", "Evicted Disrupted", "termination", component=_KARPENTER, severity="serious", problem=Problem.EVICTED
    ),
    EventRule("Node", "FailedDraining", component=_KARPENTER, problem=Problem.DRAIN_FAILED),
    EventRule(
        "Node NodeClaim",
        "AwaitingVolumeDetachment TerminationGracePeriodExpiring",
        component=_KARPENTER,
        severity="noise",
    ),
    # ... pkg/controllers/nodeclaim/lifecycle/events.go, pkg/events/reason.go; Node and NodeClaim often get the same twice
    EventRule(
        "NodeClaim NodePool",
        "InsufficientCapacityError NodeClassNotReady NoCompatibleInstanceTypes",
        problem=Problem.SCALE_UP_FAILED,
    ),
    # kubernetes-sigs/descheduler pkg/descheduler/evictions/evictions.go: the reason is the name of its strategy
    EventRule("Pod", "EvictionFailed", component="sigs.k8s.io.descheduler", severity="noise"),
    EventRule(
        "Pod",
        component="sigs.k8s.io.descheduler",
        phase="termination",
        severity="serious",
        problem=Problem.EVICTED,
    ),
)
