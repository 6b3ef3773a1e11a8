"""Load for a fake API server: Deployments that roll out, Pods that come and go and crash, at a rate, in real time.

Small but whole: generations move, owners own, statuses settle, so there are real stories to be told across restarts.
"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import time
from typing import Any

from fakes.apiserver import FakeApiServer

from tests.faults.oracle import Oracle


def stamp(*, micro: bool = False) -> str:
    """The time as Kubernetes writes it."""
    now = dt.datetime.now(dt.UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


class Rollouts(threading.Thread):
    """Runs until `stop`. Each round one of `deployments` gets a new template and all of what follows from it."""

    def __init__(self, server: FakeApiServer, oracle: Oracle, *, rate: float, deployments: int = 5) -> None:
        """`rate`: Events a second."""
        super().__init__(name="rollouts", daemon=True)
        self._server, self._oracle = server, oracle
        self._pause_s = 1 / rate
        self._stopping = threading.Event()
        self._numbers = itertools.count(1)
        self._generations = dict.fromkeys((f"web-{number}" for number in range(deployments)), 0)
        self._pods: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.events = 0

    def run(self) -> None:
        """Rounds."""
        for name in itertools.cycle(self._generations):
            if self._stopping.is_set():
                return
            self._roll_out(name)

    def stop(self) -> None:
        """After the round that is under way."""
        self._stopping.set()
        self.join(30)

    def _roll_out(self, name: str) -> None:
        self._generations[name] += 1
        generation = self._generations[name]
        deployment = self._put(
            "deployments", "apps/v1", "Deployment", name, None, generation=generation, observed=generation - 1
        )
        made = self._put(
            "replicasets", "apps/v1", "ReplicaSet", f"{name}-{generation}", deployment, generation=1, observed=0
        )
        self._event(
            deployment,
            "ScalingReplicaSet",
            f"Scaled up replica set {made['metadata']['name']} from 0 to 1",
            "deployment-controller",
        )
        pod = self._put("pods", "v1", "Pod", f"{name}-{generation}-{next(self._numbers)}", made)
        self._event(made, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}", "replicaset-controller")
        self._event(
            pod, "Scheduled", f"Successfully assigned shop/{pod['metadata']['name']} to node-1", "default-scheduler"
        )
        for reason in ("Pulling", "Pulled", "Created", "Started"):
            self._event(pod, reason, f"{reason} something", "kubelet", path="spec.containers{app}")
        failed = self._event(
            pod,
            "BackOff",
            "Back-off restarting failed container",
            "kubelet",
            type_="Warning",
            path="spec.containers{app}",
        )
        for count in (2, 3):
            self._again(failed, count)
        pod["status"] = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": stamp()}],
        }
        self._server.put("pods", pod)
        before = self._pods.get(name)
        if before is not None:
            old_set, old_pod = before
            self._event(
                deployment,
                "ScalingReplicaSet",
                f"Scaled down replica set {old_set['metadata']['name']} from 1 to 0",
                "deployment-controller",
            )
            self._event(
                old_set, "SuccessfulDelete", f"Deleted pod: {old_pod['metadata']['name']}", "replicaset-controller"
            )
            self._event(old_pod, "Killing", "Stopping container app", "kubelet", path="spec.containers{app}")
            self._server.delete("pods", old_pod["metadata"]["name"], "shop")
            self._server.delete("replicasets", old_set["metadata"]["name"], "shop")
        self._pods[name] = (made, pod)
        for thing, plural in ((made, "replicasets"), (deployment, "deployments")):
            thing["status"] = {
                "observedGeneration": thing["metadata"]["generation"],
                "replicas": 1,
                "updatedReplicas": 1,
                "readyReplicas": 1,
                "availableReplicas": 1,
            }
            self._server.put(plural, thing)

    def _put(
        self,
        plural: str,
        api_version: str,
        kind: str,
        name: str,
        owner: dict[str, Any] | None,
        *,
        generation: int = 0,
        observed: int = 0,
    ) -> dict[str, Any]:
        uid = f"uid-{kind.lower()}-{name}"
        metadata: dict[str, Any] = {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": stamp()}
        thing: dict[str, Any] = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
        if generation:
            metadata["generation"] = generation
            container = {"name": "app", "image": f"app:{generation}"}
            thing["spec"] = {"replicas": 1, "template": {"spec": {"containers": [container]}}}
            thing["status"] = {"observedGeneration": observed}
        if owner is not None:
            metadata["ownerReferences"] = [
                {
                    "apiVersion": owner["apiVersion"],
                    "kind": owner["kind"],
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                }
            ]
        return self._server.put(plural, thing)

    def _event(
        self, about: dict[str, Any], reason: str, message: str, component: str, *, type_: str = "Normal", path: str = ""
    ) -> dict[str, Any]:
        metadata = about["metadata"]
        name = f"{metadata['name']}.{next(self._numbers):x}"
        at = stamp()
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "creationTimestamp": at},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "namespace": "shop",
                "name": metadata["name"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            }
            | ({"fieldPath": path} if path else {}),
            "reason": reason,
            "message": message,
            "type": type_,
            "source": {"component": component},
            "reportingComponent": component,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        return self._write(event)

    def _again(self, event: dict[str, Any], count: int) -> None:
        self._write({**event, "count": count, "lastTimestamp": stamp()})

    def _write(self, event: dict[str, Any]) -> dict[str, Any]:
        stored = self._server.put("events", event)
        self._oracle.owe(stored["metadata"]["uid"], stored["count"])
        self.events += 1
        self._stopping.wait(self._pause_s) if not self._stopping.is_set() else time.sleep(self._pause_s / 10)
        return stored
