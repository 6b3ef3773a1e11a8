"""Volumes: attaching and mounting for Pods, provisioning, binding and resizing of claims."""

from __future__ import annotations

from kspanpy.core.rules.events import EventRule
from kspanpy.core.rules.problems import Problem

_ATTACHED = "SuccessfulAttachVolume FailedAttachVolume"
_MULTI_ATTACH = r"^Multi-Attach error .* Volume is already used by pod\(s\) (?P<names>[a-z0-9., -]+)"
_PROVISIONED = "ProvisioningSucceeded ProvisioningFailed"
_MISSING = r'\b(?P<kind>configmap|secret|persistentvolumeclaim) "(?P<name>[^"\s]+)" not found'

RULES = (
    # pkg/controller/volume/attachdetach/reconciler/reconciler.go, pkg/volume/util/operationexecutor
    EventRule("Pod", "FailedAttachVolume", until=_ATTACHED, lasting=True, problem=Problem.FAILED_ATTACH),
    EventRule(
        "Pod",
        "FailedAttachVolume",
        message="^Multi-Attach error ",
        names="Pod",
        name=_MULTI_ATTACH,
        cause="blocked by",
        until=_ATTACHED,
        lasting=True,
        problem=Problem.FAILED_ATTACH,
    ),
    EventRule("Pod", "FailedMount FailedMapVolume FailedMountOnFilesystemMismatch", problem=Problem.FAILED_MOUNT),
    EventRule(
        "Pod",
        "FailedMount",
        message=_MISSING,
        name=_MISSING,
        cause="waited for",
        problem=Problem.FAILED_MOUNT,
    ),
    # pkg/controller/volume/persistentvolume/pv_controller.go
    EventRule(
        "PersistentVolumeClaim",
        "WaitForFirstConsumer",
        until=f"Provisioning ExternalProvisioning {_PROVISIONED}",
        lasting=True,
    ),
    EventRule(
        "PersistentVolumeClaim",
        "WaitForPodScheduled",
        names="Pod",
        name=r"^waiting for pods? (?P<names>[a-z0-9.,-]+) to be scheduled$",
        cause="waited for",
        until=f"Provisioning ExternalProvisioning {_PROVISIONED}",
        lasting=True,
    ),
    EventRule(
        "PersistentVolumeClaim PersistentVolume",
        "FailedBinding VolumeMismatch ClaimLost ClaimMisbound",
        problem=Problem.CLAIM_NOT_BOUND,
    ),
    EventRule("PersistentVolumeClaim", "ExternalProvisioning", until=_PROVISIONED, lasting=True),
    # kubernetes-sigs/sig-storage-lib-external-provisioner controller/controller.go
    EventRule("PersistentVolumeClaim", "Provisioning", until=_PROVISIONED, lasting=True),
    EventRule(
        "PersistentVolumeClaim",
        "ProvisioningSucceeded",
        names="PersistentVolume",
        name=r"^Successfully provisioned volume (?P<name>\S+)$",
        effect="created by",
    ),
    EventRule(
        "PersistentVolumeClaim", "ProvisioningFailed ProvisioningCleanupFailed", problem=Problem.PROVISIONING_FAILED
    ),
    EventRule("PersistentVolume", "VolumeFailedDelete", problem=Problem.VOLUME_DELETE_FAILED),
    # pkg/controller/volume/expand, kubernetes-csi/external-resizer pkg/util
    EventRule("PersistentVolumeClaim", "ExternalExpanding", severity="noise"),
    EventRule(
        "PersistentVolumeClaim",
        "Resizing",
        until="VolumeResizeSuccessful FileSystemResizeRequired VolumeResizeFailed",
        lasting=True,
    ),
    EventRule(
        "PersistentVolumeClaim",
        "FileSystemResizeRequired",
        until="FileSystemResizeSuccessful FileSystemResizeFailed",
        lasting=True,
    ),
    EventRule(
        "PersistentVolumeClaim Pod", "VolumeResizeFailed FileSystemResizeFailed", problem=Problem.VOLUME_RESIZE_FAILED
    ),
)
