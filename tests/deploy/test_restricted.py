"""Pod Security "restricted", rule by rule, on every pod that deploy/ makes; and that the rules find what breaks them.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = {"RuntimeDefault", "Localhost"}


def pods() -> list[dict[str, Any]]:
    """The pod specs of all manifests."""
    found = []
    for path in sorted(DEPLOY.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            template = ((document or {}).get("spec") or {}).get("template") if isinstance(document, dict) else None
            if isinstance(template, dict) and "spec" in template:
                found.append(template["spec"])
    return found


def violations(pod: dict[str, Any]) -> Iterator[str]:
    """Every rule that the pod breaks, baseline ones included."""
    yield from (f"{key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key))
    for volume in pod.get("volumes", []):
        if not set(volume) - {"name"} <= VOLUMES:
            yield f"volume {volume['name']}"
    whole = pod.get("securityContext", {})
    for container in [*pod.get("initContainers", []), *pod.get("containers", []), *pod.get("ephemeralContainers", [])]:
        own, name = container.get("securityContext", {}), container["name"]
        if own.get("privileged") or any(port.get("hostPort") for port in container.get("ports", [])):
            yield f"{name}: privileged or hostPort"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{name}: allowPrivilegeEscalation"
        if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True or 0 in (
            own.get("runAsUser"),
            whole.get("runAsUser"),
        ):
            yield f"{name}: runAsNonRoot"
        if own.get("seccompProfile", whole.get("seccompProfile", {})).get("type") not in SECCOMP:
            yield f"{name}: seccompProfile"
        capabilities = own.get("capabilities", {})
        if "ALL" not in capabilities.get("drop", []) or not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}:
            yield f"{name}: capabilities"
        if own.get("procMount", "Default") != "Default" or whole.get("sysctls"):
            yield f"{name}: procMount or sysctls"


def test_every_pod_is_admitted() -> None:
    """There is one, and it breaks no rule."""
    found = pods()
    assert found
    assert [list(violations(pod)) for pod in found] == [[] for _ in found]


BREAKS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "host network": lambda pod: pod.update(hostNetwork=True),
    "host path": lambda pod: pod["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    "root": lambda pod: pod["securityContext"].update(runAsUser=0),
    "perhaps root": lambda pod: pod["securityContext"].pop("runAsNonRoot"),
    "no seccomp": lambda pod: pod["securityContext"].pop("seccompProfile"),
    "escalation": lambda pod: pod["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
    "capability": lambda pod: pod["containers"][0]["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
    "host port": lambda pod: pod["containers"][0]["ports"][0].update(hostPort=8080),
    "sidecar": lambda pod: pod["initContainers"][0].pop("securityContext"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_rule_finds_what_breaks_it(name: str) -> None:
    """A rule that admits everything proves nothing."""
    pod = copy.deepcopy(pods()[0])
    BREAKS[name](pod)
    assert list(violations(pod))
