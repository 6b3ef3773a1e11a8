"""Services, load balancers, Ingresses.

ingress-nginx (Sync, RELOAD) says nothing that is not in the reason.
"""

from __future__ import annotations

from kspanpy.core.rules.events import EventRule
from kspanpy.core.rules.problems import Problem

RULES = (
    # kubernetes/cloud-provider controllers/service/controller.go
    EventRule("Service", "EnsuringLoadBalancer", until="EnsuredLoadBalancer SyncLoadBalancerFailed", lasting=True),
    EventRule("Service", "DeletingLoadBalancer", until="DeletedLoadBalancer DeleteLoadBalancerFailed", lasting=True),
    EventRule(
        "Service",
        "SyncLoadBalancerFailed UpdateLoadBalancerFailed DeleteLoadBalancerFailed UnAvailableLoadBalancer"
        " CreatingLoadBalancerFailed",
        problem=Problem.LOAD_BALANCER_FAILED,
    ),
    # kubernetes-sigs/aws-load-balancer-controller pkg/k8s/events.go
    EventRule("Service Ingress", "FailedBuildModel FailedDeployModel", problem=Problem.LOAD_BALANCER_FAILED),
    # pkg/controller/endpoint, pkg/controller/endpointslice: a conflict of two writers, tried again
    EventRule("Service", "FailedToUpdateEndpointSlices", severity="noise"),
    EventRule("Endpoints Service", "FailedToUpdateEndpoint FailedToCreateEndpoint", severity="noise"),
)
