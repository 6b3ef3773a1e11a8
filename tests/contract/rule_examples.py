"""Messages as their emitters write them, and what is read from them: rows of `test_rules_examples.py`, grouped as in `emitters`.

A message of several lines stands here as the decoder leaves it, on one.
"""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """One Event: `mentions` as "Kind namespace/name (uid)", leaving out what the message does not say."""

    kind: str
    reason: str
    message: str
    mentions: tuple[str, ...] = ()
    problem: str = ""
    component: str = ""


QUOTA = 'pods "web-6d4-x7k2p" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
WEBHOOK = 'admission webhook "validate.kyverno.svc-fail" denied the request: no limits'
WEBHOOK_DOWN = 'Internal error occurred: failed calling webhook "sidecar.istio.io": failed to call webhook: EOF'
POLICY = "pods \"web-6d4-x7k2p\" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: no tag"
POD_SECURITY = 'pods "web-6d4-x7k2p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
ACCOUNT = 'pods "web-6d4-" is forbidden: error looking up service account shop/web: serviceaccount "web" not found'
LIMITS = 'pods "web-6d4-x7k2p" is forbidden: maximum cpu usage per Container is 1, but limit is 2'
REFUSED = (
    (QUOTA, (), "QuotaExceeded"),
    (WEBHOOK, (), "WebhookDenied"),
    (WEBHOOK_DOWN, (), "WebhookDenied"),
    (POLICY, (), "PolicyDenied"),
    (POD_SECURITY, (), "PodSecurityViolation"),
    (ACCOUNT, ("ServiceAccount web",), "FailedCreate"),
    (LIMITS, (), "FailedCreate"),
)


def refused(kind: str, reason: str, before: str) -> tuple[Example, ...]:
    """Every way in which an object is not created."""
    return tuple(Example(kind, reason, before + error, mentions, problem) for error, mentions, problem in REFUSED)


WORKLOADS = (
    Example("ReplicaSet", "SuccessfulCreate", "Created pod: web-6d4-x7k2p", ("Pod web-6d4-x7k2p",)),
    Example("ReplicaSet", "SuccessfulDelete", "Deleted pod: web-6d4-x7k2p", ("Pod web-6d4-x7k2p",)),
    *refused("ReplicaSet", "FailedCreate", "Error creating: "),
    *refused("ReplicaSet", "FailedCreate", "(combined from similar events): Error creating: "),
    Example("ReplicaSet", "FailedDelete", "Error deleting: context deadline exceeded"),
    Example("StatefulSet", "SuccessfulCreate", "create Pod db-0 in StatefulSet db successful", ("Pod db-0",)),
    Example("DaemonSet", "SuccessfulCreate", "Created pod: agent-b7x2d", ("Pod agent-b7x2d",)),
    Example("StatefulSet", "SuccessfulDelete", "delete Pod db-0 in StatefulSet db successful", ("Pod db-0",)),
    Example("Job", "SuccessfulDelete", "Deleted pod: backup-x7k2p", ("Pod backup-x7k2p",)),
    Example(
        "StatefulSet",
        "SuccessfulCreate",
        "create Claim data-db-0 Pod db-0 in StatefulSet db success",
        ("PersistentVolumeClaim data-db-0",),
    ),
    *refused("StatefulSet", "FailedCreate", "create Pod db-0 in StatefulSet db failed error: "),
    *refused("DaemonSet", "FailedCreate", "Error creating: "),
    Example("StatefulSet", "RecreatingFailedPod", "StatefulSet shop/db is recreating failed Pod db-0", ("Pod db-0",)),
    Example(
        "StatefulSet", "RecreatingTerminatedPod", "StatefulSet shop/db is recreating terminated Pod db-0", ("Pod db-0",)
    ),
    Example(
        "DaemonSet",
        "FailedDaemonPod",
        "Found failed daemon pod shop/agent-b7x2d on node node-1, will try to kill it",
        ("Pod agent-b7x2d",),
    ),
    *refused("Deployment", "ReplicaSetCreateError", 'Failed to create new replica set "web-6d4": '),
    Example("Job", "BackoffLimitExceeded", "Job has reached the specified backoff limit", (), "BackoffLimitExceeded"),
    Example("Job", "DeadlineExceeded", "Job was active longer than specified deadline", (), "DeadlineExceeded"),
    Example(
        "Job",
        "PodFailurePolicy",
        "Container app for pod shop/x failed with exit code 42 matching FailJob rule at index 0",
        (),
        "PodFailurePolicy",
    ),
    Example("Job", "Suspended", "Job suspended"),
    Example("CronJob", "SuccessfulCreate", "Created job backup-29001", ("Job backup-29001",)),
    Example("CronJob", "SuccessfulDelete", "Deleted job backup-29001", ("Job backup-29001",)),
    Example(
        "CronJob", "SawCompletedJob", "Saw completed job: backup-29001, condition: Complete", ("Job backup-29001",)
    ),
    Example("CronJob", "MissingJob", "Active job went missing: backup-29001", ("Job backup-29001",)),
    Example(
        "CronJob",
        "UnexpectedJob",
        "Saw a job that the controller did not create or forgot: backup-29001",
        ("Job backup-29001",),
    ),
    Example("CronJob", "MissSchedule", "Missed scheduled time to start a job: Sun, 01 Mar 2026", (), "MissedSchedule"),
    *refused("CronJob", "FailedCreate", "Error creating job: "),
    Example(
        "ConfigMap",
        "OwnerRefInvalidNamespace",
        'ownerRef [apps/v1/Deployment, namespace: shop, name: web, uid: 1-2] does not exist in namespace "shop"',
    ),
)

SCHEDULING = (
    Example("Pod", "Scheduled", "Successfully assigned shop/web-6d4-x7k2p to node-1"),
    Example("Pod", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", (), "FailedScheduling"),
    Example(
        "Pod",
        "FailedScheduling",
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. preemption: 0/1 nodes are"
        " available: 1 No preemption victims found for incoming pod.",
        (),
        "HostPortConflict",
    ),
    Example(
        "Pod",
        "FailedScheduling",
        '0/3 nodes are available: persistentvolumeclaim "data" not found. preemption: 0/3 nodes are available',
        ("PersistentVolumeClaim data",),
        "FailedScheduling",
    ),
    Example(
        "Pod",
        "Preempted",
        "Preempted by pod e9a1e8a4-0000-4000-8000-00000000beef on node node-3",
        ("Pod (e9a1e8a4-0000-4000-8000-00000000beef)",),
        "Preempted",
    ),
    Example("Pod", "Preempted", "Preempted by shop/vip on node node-3", ("Pod shop/vip",), "Preempted"),
    Example("Pod", "Preempted", "Preempted by a pod on node node-3", (), "Preempted"),
    Example("Pod", "TaintManagerEviction", "Marking for deletion Pod shop/web-6d4-x7k2p", (), "Evicted"),
    Example(
        "Pod",
        "NodeControllerEviction",
        "Marking for deletion Pod web-6d4-x7k2p from Node node-1",
        ("Node node-1",),
        "Evicted",
    ),
)

NODES = (
    Example("Node", "NodeNotReady", "Node node-1 status is now: NodeNotReady", (), "NodeNotReady"),
    Example("Pod", "NodeNotReady", "Node is not ready", (), "NodeNotReady"),
    Example("Node", "Rebooted", "Node node-1 has been rebooted, boot id: 5f2c", (), "Rebooted"),
    Example("Node", "Shutdown", "Shutdown manager detected shutdown event", (), "NodeShutdown"),
    Example("Node", "KubeletSetupFailed", "Failed to start ContainerManager", (), "NodeNotReady"),
    Example("Node", "NodeHasDiskPressure", "Node node-1 status is now: NodeHasDiskPressure", (), "NodePressure"),
    Example("Node", "EvictionThresholdMet", "Attempting to reclaim memory", (), "NodePressure"),
    Example("Node", "InvalidDiskCapacity", "invalid capacity 0 on image filesystem"),
    Example("Node", "SystemOOM", "System OOM encountered, victim process: stress, pid: 16713", (), "OOMKilled"),
)

MISSING_MAP = 'configmap "settings" not found'
KUBELET = (
    Example("Pod", "Pulling", 'Pulling image "web:2"'),
    Example("Pod", "Pulled", 'Successfully pulled image "web:2" in 133ms'),
    Example("Pod", "Started", "Container started"),
    Example("Pod", "Failed", 'Failed to pull image "web:2": not found', (), "ImagePullBackOff"),
    Example("Pod", "Failed", "Error: ErrImagePull", (), "ImagePullBackOff"),
    Example("Pod", "Failed", "Error: ImagePullBackOff", (), "ImagePullBackOff"),
    Example("Pod", "Failed", "Error: InvalidImageName", (), "ImagePullBackOff"),
    Example("Pod", "BackOff", 'Back-off pulling image "web:2"', (), "ImagePullBackOff"),
    Example(
        "Pod",
        "ErrImageNeverPull",
        'Container image "web:2" is not present with pull policy of Never',
        (),
        "ImagePullBackOff",
    ),
    Example("Pod", "Created", "Created container: app"),
    Example("Pod", "Failed", f"Error: {MISSING_MAP}", ("ConfigMap settings",), "CreateContainerConfigError"),
    Example("Pod", "Failed", 'Error: secret "key" not found', ("Secret key",), "CreateContainerConfigError"),
    Example(
        "Pod", "Failed", "Error: couldn't find key port in ConfigMap shop/settings", (), "CreateContainerConfigError"
    ),
    Example(
        "Pod",
        "Failed",
        "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed",
        (),
        "CreateContainerError",
    ),
    Example(
        "Pod",
        "BackOff",
        "Back-off restarting failed container app in pod web-6d4-x7k2p_shop(2a761833-5841-40b2-8725-4a18ab3e03c0)",
        (),
        "CrashLoopBackOff",
    ),
    Example("Pod", "Killing", "Stopping container app"),
    Example("Pod", "Killing", "Container app failed liveness probe, will be restarted", (), "ProbeFailure"),
    Example("Pod", "Killing", "Container app definition changed, will be restarted"),
    Example("Pod", "FailedPostStartHook", "PostStartHook failed", (), "HookFailure"),
    Example("Pod", "FailedKillPod", "error killing pod: failed to stop sandbox", (), "FailedKillPod"),
    Example("Pod", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", (), "ProbeFailure"),
    Example("Pod", "ProbeWarning", "Readiness probe warning: "),
    Example(
        "Pod", "LifecycleHTTPFallback", "request to HTTPS lifecycle hook got HTTP response, retry with HTTP succeeded"
    ),
    Example(
        "Pod",
        "FailedCreatePodSandBox",
        "Failed to create pod sandbox: failed to setup network for sandbox: no free addresses",
        (),
        "FailedCreatePodSandbox",
    ),
    Example(
        "Pod",
        "FailedPrepareDynamicResources",
        "Failed to prepare dynamic resources: resource claim gpu does not exist",
        (),
        "FailedPrepareDynamicResources",
    ),
    Example(
        "Pod",
        "ResizeInfeasible",
        'Pod resize Infeasible: {"generation":2,"error":"Node didn\'t have enough capacity: cpu"}',
        (),
        "ResizeFailed",
    ),
    Example(
        "Pod",
        "ResizeDeferred",
        'Pod resize Deferred: {"generation":2,"error":"Node did not have enough resource: cpu"}',
    ),
    Example("Pod", "ResizeStarted", 'Pod resize started: {"containers":[{"name":"app"}],"generation":2}'),
    Example("Pod", "OutOfcpu", "Node didn't have enough resource: cpu, requested: 9", (), "PodRejected"),
    Example("Pod", "NodeShutdown", "Pod was rejected as the node is shutting down.", (), "NodeShutdown"),
    Example("Pod", "NodePorts", "Predicate NodePorts failed", (), "HostPortConflict"),
    Example("Pod", "Evicted", "The node was low on resource: memory. Threshold quantity: 100Mi", (), "Evicted"),
    Example("Pod", "Preempting", "Preempted in order to admit critical pod", (), "Preempted"),
    Example(
        "Pod",
        "DeadlineExceeded",
        "Pod was active on the node longer than the specified deadline",
        (),
        "DeadlineExceeded",
    ),
    Example("Pod", "DNSConfigForming", "Nameserver limits were exceeded, some nameservers have been omitted"),
)

VOLUMES = (
    Example(
        "Pod", "FailedAttachVolume", 'AttachVolume.Attach failed for volume "pvc-1" : timeout', (), "FailedAttachVolume"
    ),
    Example(
        "Pod",
        "FailedAttachVolume",
        'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) db-0, db-1 and 2 pod(s) in different'
        " namespaces",
        ("Pod db-0", "Pod db-1"),
        "FailedAttachVolume",
    ),
    Example(
        "Pod",
        "FailedAttachVolume",
        'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be attached'
        " to another",
        (),
        "FailedAttachVolume",
    ),
    Example("Pod", "FailedMount", 'MountVolume.SetUp failed for volume "data" : rpc error', (), "FailedMount"),
    Example(
        "Pod",
        "FailedMount",
        f'MountVolume.SetUp failed for volume "settings" : {MISSING_MAP}',
        ("ConfigMap settings",),
        "FailedMount",
    ),
    Example("PersistentVolumeClaim", "WaitForFirstConsumer", "waiting for first consumer to be created before binding"),
    Example("PersistentVolumeClaim", "WaitForPodScheduled", "waiting for pod db-0 to be scheduled", ("Pod db-0",)),
    Example(
        "PersistentVolumeClaim",
        "WaitForPodScheduled",
        "waiting for pods db-0,db-1 to be scheduled",
        ("Pod db-0", "Pod db-1"),
    ),
    Example(
        "PersistentVolumeClaim",
        "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
        (),
        "ClaimNotBound",
    ),
    Example("PersistentVolumeClaim", "ExternalProvisioning", "Waiting for a volume to be created"),
    Example(
        "PersistentVolumeClaim", "Provisioning", 'External provisioner is provisioning volume for claim "shop/data"'
    ),
    Example(
        "PersistentVolumeClaim",
        "ProvisioningSucceeded",
        "Successfully provisioned volume pvc-0c5e",
        ("PersistentVolume pvc-0c5e",),
    ),
    Example("PersistentVolumeClaim", "ProvisioningFailed", 'storageclass "fast" not found', (), "ProvisioningFailed"),
    Example("PersistentVolume", "VolumeFailedDelete", "rpc error: volume is in use", (), "VolumeDeleteFailed"),
    Example("PersistentVolumeClaim", "ExternalExpanding", "waiting for an external controller to expand this PVC"),
    Example("PersistentVolumeClaim", "Resizing", "External resizer is resizing volume pvc-0c5e"),
    Example("PersistentVolumeClaim", "FileSystemResizeRequired", "Require file system resize of volume on node"),
    Example("PersistentVolumeClaim", "VolumeResizeFailed", "resize volume failed: rpc error", (), "VolumeResizeFailed"),
)

SERVICES = (
    Example("Service", "EnsuringLoadBalancer", "Ensuring load balancer"),
    Example("Service", "DeletingLoadBalancer", "Deleting load balancer"),
    Example("Service", "SyncLoadBalancerFailed", "Error syncing load balancer: no quota", (), "LoadBalancerFailed"),
    Example("Ingress", "FailedDeployModel", "Failed deploy model due to AccessDenied", (), "LoadBalancerFailed"),
    Example(
        "Service",
        "FailedToUpdateEndpointSlices",
        "Error updating Endpoint Slices for Service shop/web: the object has been modified",
    ),
    Example("Endpoints", "FailedToUpdateEndpoint", "Failed to update endpoint shop/web: the object has been modified"),
)

KARPENTER = "karpenter"
AUTOSCALER = "cluster-autoscaler"
DESCHEDULER = "sigs.k8s.io.descheduler"
AUTOSCALING = (
    Example("HorizontalPodAutoscaler", "SuccessfulRescale", "New size: 5; reason: cpu above target"),
    Example(
        "HorizontalPodAutoscaler",
        "FailedGetResourceMetric",
        "failed to get cpu utilization: no metrics returned",
        (),
        "AutoscalingFailed",
    ),
    Example(
        "Pod",
        "EvictedByVPA",
        "Pod was evicted by VPA Updater to apply resource recommendation.",
        (),
        "Evicted",
        "vpa-updater",
    ),
    Example("Pod", "TriggeredScaleUp", "pod triggered scale-up: [{ng-1 1->2 (max: 5)}]", (), "", AUTOSCALER),
    Example(
        "Pod", "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", (), "ScaleUpFailed"
    ),
    Example("Pod", "ScaleDown", "deleting pod for node scale down", (), "", AUTOSCALER),
    Example("Node", "ScaleDownFailed", "failed to drain the node, aborting ScaleDown", (), "", AUTOSCALER),
    Example("ConfigMap", "FailedToScaleUpGroup", "Scale-up failed for group ng-1: quota", (), "ScaleUpFailed"),
    Example("ConfigMap", "ScaleDown", "Scale-down: node node-1 removed with drain", ("Node node-1",), "", AUTOSCALER),
    Example(
        "ConfigMap", "ScaleDownEmpty", 'Scale-down: removing empty node "node-1"', ("Node node-1",), "", AUTOSCALER
    ),
    Example("ConfigMap", "ScaleDownEmpty", "Scale-down: empty node node-1 removed", ("Node node-1",), "", AUTOSCALER),
    Example(
        "Pod",
        "FailedScheduling",
        "Failed to schedule pod, all available instance types exceed limits for nodepool: gpu",
        (),
        "ScaleUpFailed",
        KARPENTER,
    ),
    Example(
        "Pod",
        "Nominated",
        "Pod should schedule on: nodeclaim/gpu-x7k2p, node/ip-10-0-0-1.ec2.internal",
        ("NodeClaim gpu-x7k2p", "Node ip-10-0-0-1.ec2.internal"),
        "",
        KARPENTER,
    ),
    Example(
        "Pod",
        "Nominated",
        "Pod should schedule on: nodeclaim/gpu-x7k2p",
        ("NodeClaim gpu-x7k2p",),
        "",
        "eks-auto-mode/compute",
    ),
    Example("Pod", "Evicted", "Evicted pod: Underutilized", (), "Evicted", KARPENTER),
    Example("Node", "FailedDraining", "Failed to drain node, 3 pods are waiting", (), "DrainFailed", KARPENTER),
    Example(
        "Node", "AwaitingVolumeDetachment", "Awaiting deletion of 2 VolumeAttachments bound to node", (), "", KARPENTER
    ),
    Example(
        "NodeClaim",
        "InsufficientCapacityError",
        "NodeClaim gpu-x7k2p event: insufficient capacity",
        (),
        "ScaleUpFailed",
        KARPENTER,
    ),
    Example(
        "Pod",
        "LowNodeUtilization",
        "pod eviction from node-1 node by sigs.k8s.io/descheduler",
        (),
        "Evicted",
        DESCHEDULER,
    ),
    Example("Pod", "Evicted", "pod eviction from node-1 node by sigs.k8s.io/descheduler", (), "Evicted", DESCHEDULER),
    Example(
        "Pod",
        "EvictionFailed",
        "pod eviction from node-1 node by sigs.k8s.io/descheduler failed: total eviction limit exceeded (5)",
        (),
        "",
        DESCHEDULER,
    ),
)

APPLY_LOG = (
    "Namespace/shop created Deployment/shop/web configured Service/shop/web unchanged ClusterRole/system:web created"
    " ConfigMap/shop/old deleted"
)
GITOPS = (
    Example(
        "GitRepository",
        "GitOperationFailed",
        "failed to checkout and determine revision: unable to clone",
        (),
        "SyncFailed",
        "source-controller",
    ),
    Example(
        "Kustomization",
        "Progressing",
        APPLY_LOG,
        ("Namespace shop", "Deployment shop/web", "ClusterRole system:web", "ConfigMap shop/old"),
        "",
        "kustomize-controller",
    ),
    Example(
        "Kustomization", "HealthCheckFailed", "timeout waiting for: [Deployment/shop/web]", (), "HealthCheckFailed"
    ),
    Example("Kustomization", "ReconciliationFailed", "Deployment/shop/web dry-run failed", (), "SyncFailed"),
    Example(
        "HelmRelease",
        "UpgradeFailed",
        "Helm upgrade failed for release shop/web with chart web@1.0.0: context deadline exceeded",
        (),
        "SyncFailed",
        "helm-controller",
    ),
    Example("Application", "OperationStarted", "Initiated automated sync to '47f0f69'"),
    Example(
        "Application",
        "OperationCompleted",
        "Sync operation to 47f0f69 failed: one or more objects failed",
        (),
        "SyncFailed",
    ),
    Example("Application", "OperationCompleted", "Partial sync operation failed: no such resource", (), "SyncFailed"),
    Example(
        "Application", "ResourceUpdated", "Updated health status: Progressing -> Degraded", (), "HealthCheckFailed"
    ),
    Example("Rollout", "NewReplicaSetCreated", "Created ReplicaSet web-6d4 (revision 2)", ("ReplicaSet web-6d4",)),
    Example("Rollout", "NewReplicaSetCreated", 'Created new replica set "web-6d4"', ("ReplicaSet web-6d4",)),
    Example("Rollout", "RolloutPaused", "Rollout is paused (CanaryPauseStep)"),
    Example("Rollout", "RolloutAborted", "Rollout aborted update to revision 2", (), "RolloutAborted"),
)

EXAMPLES: dict[str, tuple[Example, ...]] = {
    "workloads": WORKLOADS,
    "scheduling": SCHEDULING,
    "nodes": NODES,
    "kubelet": KUBELET,
    "volumes": VOLUMES,
    "services": SERVICES,
    "autoscaling": AUTOSCALING,
    "gitops": GITOPS,
}

# The same reason, another thing: no phase, nobody named, no problem.
OTHERS = (
    Example("Pod", "TaintManagerEviction", "Cancelling deletion of Pod shop/web-6d4-x7k2p"),
    Example("Pod", "BackOff", "Waiting a while"),
    Example("Pod", "Nominated", "Pod should schedule on: nodeclaim/gpu-x7k2p", component="somebody-else"),
    Example("Pod", "ScaleDown", "deleting pod for node scale down", component="somebody-else"),
    Example("Pod", "LowNodeUtilization", "pod eviction from node-1 node", component="somebody-else"),
    Example("ConfigMap", "ScaleDown", "Scale-down: node node-1 removed with drain", component="shop-operator"),
    Example("Kustomization", "Progressing", "Health check passed in 3s"),
    Example("Kustomization", "Progressing", "Service/shop/web unchanged"),
    Example("Application", "OperationCompleted", "Sync operation to 47f0f69 succeeded"),
    Example("Application", "ResourceUpdated", "Updated health status: Degraded -> Healthy"),
    Example("Certificate", "Failed", "Failed to pull image"),
)

# Known emitters of which there is nothing to say but what their Events say themselves; their kinds follow their owners.
SILENT = (
    Example("Node", "Starting", "Starting kubelet.", component="kubelet"),
    Example("Node", "NodeReady", "Node node-1 status is now: NodeReady", component="kubelet"),
    Example(
        "Node", "NodeHasSufficientMemory", "Node node-1 status is now: NodeHasSufficientMemory", component="kubelet"
    ),
    Example("Node", "NodeHasNoDiskPressure", "Node node-1 status is now: NodeHasNoDiskPressure", component="kubelet"),
    Example(
        "Node", "RegisteredNode", "Node node-1 event: Registered Node node-1 in Controller", component="node-controller"
    ),
    Example(
        "Deployment",
        "ScalingReplicaSet",
        "Scaled up replica set web-6d4 from 0 to 1",
        component="deployment-controller",
    ),
    Example("PodDisruptionBudget", "NoPods", "No matching pods found", component="controllermanager"),
    Example("Ingress", "Sync", "Scheduled for sync", component="nginx-ingress-controller"),
    Example(
        "Pod", "RELOAD", "NGINX reload triggered due to a change in configuration", component="nginx-ingress-controller"
    ),
    Example(
        "Certificate",
        "Issuing",
        "The certificate has been successfully issued",
        component="cert-manager-certificates-issuing",
    ),
    Example("CertificateRequest", "OrderCreated", "Created Order resource shop/web-1-2", component="cert-manager"),
    Example(
        "Order", "Created", 'Created Challenge resource "web-1-2-3" for domain "shop.test"', component="cert-manager"
    ),
    Example(
        "Challenge", "Presented", "Presented challenge using HTTP-01 challenge mechanism", component="cert-manager"
    ),
    Example("Service", "Created", 'Created Configuration "web"', component="service-controller"),
    Example("Configuration", "ConfigurationReady", "Configuration becomes ready", component="configuration-controller"),
    Example(
        "Rollout",
        "ScalingReplicaSet",
        "Scaled up ReplicaSet web-6d4 (revision 2) from 0 to 1",
        component="rollouts-controller",
    ),
    Example("NodeClaim", "DisruptionTerminating", "Disrupting NodeClaim: Underutilized", component="karpenter"),
    Example("HelmRelease", "UpgradeSucceeded", "Helm upgrade succeeded for release shop/web.v2 with chart web@1.0.0"),
)
