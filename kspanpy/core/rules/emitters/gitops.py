"""What brings changes from a repository into the cluster, and rolls them out step by step.

Flux gives an Event the reason of the object's condition Ready. Argo CD names no object that it applies, Helm writes no Event.
"""

from __future__ import annotations

from kspanpy.core.rules.events import EventRule
from kspanpy.core.rules.problems import Problem

# fluxcd/pkg ssa/changeset.go: "Kind/namespace/name action", a line each, which are spaces here; unchanged ones are left out
_APPLIED = (
    r"(?<!\S)(?P<kind>[A-Z]\w*)/(?:(?P<namespace>[^/\s]+)/)?(?P<name>[^/\s]+) (?:created|configured|deleted)(?!\S)"
)
_SOURCES = "GitRepository OCIRepository Bucket HelmRepository HelmChart"

RULES = (
    # fluxcd/source-controller api/v1/condition_types.go, gitrepository_types.go and its neighbours, internal/helm/chart/errors.go
    EventRule(
        _SOURCES,
        "GitOperationFailed BucketOperationFailed OCIArtifactPullFailed OCIArtifactLayerOperationFailed IndexationFailed"
        " URLInvalid AuthenticationFailed VerificationError InvalidChartReference ChartPullError MetadataPatchError"
        " ValuesFilesError DependencyBuildError ChartPackageError ChartVerificationError DirectoryCreationFailed"
        " StatOperationFailed ReadOperationFailed AcquireLockFailed InvalidPath ArchiveOperationFailed SymlinkUpdateFailed"
        " CacheOperationFailed",
        problem=Problem.SYNC_FAILED,
    ),
    # fluxcd/kustomize-controller internal/controller/kustomization_controller.go
    EventRule(
        "Kustomization",
        "Progressing ReconciliationSucceeded ProgressingWithRetry info",
        message=_APPLIED,
        name=_APPLIED,
        effect="applied by",
        begins=True,
    ),
    EventRule("Kustomization", "HealthCheckFailed", problem=Problem.HEALTH_CHECK_FAILED),
    EventRule(
        "Kustomization HelmRelease",
        "ReconciliationFailed BuildFailed PruneFailed ArtifactFailed error",
        problem=Problem.SYNC_FAILED,
    ),
    # fluxcd/helm-controller api/v2/condition_types.go
    EventRule(
        "HelmRelease",
        "InstallFailed UpgradeFailed RollbackFailed UninstallFailed TestFailed",
        problem=Problem.SYNC_FAILED,
    ),
    # argoproj/argo-cd util/argo/audit_logger.go, controller/appcontroller.go
    EventRule("Application", "OperationStarted", begins=True, until="OperationCompleted", lasting=True),
    EventRule(
        "Application",
        "OperationCompleted",
        message=r"^(?:Partial s|S)ync operation .*\bfailed: ",
        problem=Problem.SYNC_FAILED,
    ),
    EventRule(
        "Application",
        "ResourceUpdated",
        message=r"^Updated health status: .* -> Degraded$",
        problem=Problem.HEALTH_CHECK_FAILED,
    ),
    # argoproj/argo-rollouts utils/conditions/conditions.go, rollout/sync.go
    EventRule(
        "Rollout",
        "NewReplicaSetCreated",
        names="ReplicaSet",
        name=r'Created (?:ReplicaSet|new replica set) "?(?P<name>[a-z0-9][a-z0-9.-]*)',
        fate="born",
    ),
    EventRule("Rollout", "RolloutPaused", until="RolloutResumed RolloutAborted", lasting=True),
    EventRule(
        "Rollout",
        "RolloutAborted AnalysisRunFailed AnalysisRunError ExperimentFailed ExperimentError",
        problem=Problem.ROLLOUT_ABORTED,
    ),
)
