"""Nodes, and what befalls Pods with them.

Starting, RegisteredNode, NodeReady, NodeSchedulable and NodeHas<well> need no line: they are Normal, and no incident. A short
reboot shows nothing else.
"""

from __future__ import annotations

from kspanpy.core.rules.events import EventRule
from kspanpy.core.rules.problems import Problem

RULES = (
    # pkg/controller/nodelifecycle/node_lifecycle_controller.go, pkg/controller/util/node/controller_utils.go
    EventRule("Node", "NodeNotReady", severity="serious", problem=Problem.NODE_NOT_READY),
    EventRule("Pod", "NodeNotReady", cause="hit by", via="node", severity="serious", problem=Problem.NODE_NOT_READY),
    # pkg/kubelet/kubelet.go, pkg/kubelet/nodestatus/setters.go
    EventRule("Node", "Rebooted", severity="serious", problem=Problem.REBOOTED),
    EventRule("Node", "Shutdown", severity="serious", problem=Problem.NODE_SHUTDOWN),
    EventRule("Node", "KubeletSetupFailed", problem=Problem.NODE_NOT_READY),
    EventRule(
        "Node",
        "NodeHasDiskPressure NodeHasInsufficientMemory NodeHasInsufficientPID",
        severity="serious",
        problem=Problem.NODE_PRESSURE,
    ),
    # pkg/kubelet/eviction/eviction_manager.go, pkg/kubelet/images/image_gc_manager.go
    EventRule("Node", "EvictionThresholdMet ImageGCFailed FreeDiskSpaceFailed", problem=Problem.NODE_PRESSURE),
    EventRule("Node", "InvalidDiskCapacity CgroupV1 CheckLimitsForResolvConf", severity="noise"),
    # pkg/kubelet/oom/oom_watcher_linux.go; kubernetes/node-problem-detector config/kernel-monitor.json
    EventRule("Node", "SystemOOM OOMKilling", problem=Problem.OOM_KILLED),
)
