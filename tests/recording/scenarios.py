#!/usr/bin/env python3
"""Changes that the public captures do not have, with the truth of what caused what.

scenarios.py --list
scenarios.py NAME... --kubeconfig K --truth FILE

Made for `../shared/cluster/capture --scenarios tests/recording/scenarios.py`; `scripts/record-captures` does all of it.
Truth lines may have `affects`: other root objects for which the change counts too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CLUSTER = Path(__file__).resolve().parents[2].parent / "shared" / "cluster"
sys.path.insert(0, str(CLUSTER))

import scenarios as base  # noqa: E402  # the module beside the control plane, not this one
from kubeapi import JSON_PATCH, MERGE, ApiError, now, wait_until  # noqa: E402

Body = dict[str, Any]
SCENARIOS: dict[str, Any] = base.SCENARIOS
SCENARIOS.clear()
scenario = base.scenario
base.RESOURCES.update(
    {
        "HorizontalPodAutoscaler": ("autoscaling/v2", "horizontalpodautoscalers"),
        "Widget": ("example.test/v1", "widgets"),
        "Gadget": ("example.test/v1", "gadgets"),
        "Kustomization": ("kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
        "Application": ("argoproj.io/v1alpha1", "applications"),
        "LimitRange": ("v1", "limitranges"),
        "Event": ("v1", "events"),
        "ValidatingAdmissionPolicy": ("admissionregistration.k8s.io/v1", "validatingadmissionpolicies"),
        "ValidatingAdmissionPolicyBinding": ("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"),
    }
)
STRAY = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")


def reference(thing: Body) -> Body:
    """How the truth names an object."""
    meta = thing["metadata"]
    place = {"namespace": meta.get("namespace"), "name": meta["name"], "uid": meta["uid"]}
    return {"apiVersion": thing["apiVersion"], "kind": thing["kind"]} | place


def cpu(amount: str) -> Body:
    """Part of a Pod: its container asks for this much."""
    return {"container": {"resources": {"requests": {"cpu": amount}}}}


class Run(base.Run):  # type: ignore[misc]
    """One run of one scenario, with the changes that the public captures do not make."""

    def change(
        self,
        what: str,
        do: Callable[[], Body],
        settled: Callable[[], Any] | None = None,
        patience: float = 60,
        affects: Iterable[Body] = (),
    ) -> Body:
        """Does it and notes it when settled; AFFECTS are root objects that it changes too."""
        number, start = next(self.numbers), now()
        root = do()
        done = None if settled is None else bool(wait_until(settled, patience, self.pause))
        line = {"scenario": self.scenario, "change": number, "what": what, "root": reference(root)}
        if affected := [reference(thing) for thing in affects]:
            line["affects"] = affected
        self.lines.append(line | {"t_start": start, "t_settled": now(), "settled": done})
        return root

    def edit(self, kind: str, name: str, spec: Body, *, what: str, namespace: str = "", wait=True, **rest) -> Body:
        """A change of the spec by patch."""
        manager = rest.pop("manager", "kubectl-edit")
        return self.change(
            what,
            lambda: self.patch(kind, name, {"spec": spec}, namespace, manager=manager),
            self.rolled_out(kind, name, namespace) if wait else None,
            **rest,
        )

    def restart(self, kind: str, name: str, namespace: str = "", *, wait=True) -> Body:
        """What `kubectl rollout restart` does."""
        stamp = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat(timespec="seconds")}
        spec = {"template": {"metadata": {"annotations": stamp}}}
        return self.edit(kind, name, spec, what="restart", namespace=namespace, wait=wait, manager="kubectl-rollout")

    def undo(self, name: str, template: Body, *, wait=True, patience: float = 60) -> Body:
        """What `kubectl rollout undo` does: an old template is patched back, whole."""
        body = [{"op": "replace", "path": "/spec/template", "value": template}]
        return self.change(
            "rollback",
            lambda: self.patch("Deployment", name, body, content=JSON_PATCH, manager="kubectl-rollout"),
            self.rolled_out("Deployment", name) if wait else None,
            patience,
        )

    def stateful(self, name: str, image: str, replicas: int, namespace: str = "", **spec) -> Body:
        """Creates a StatefulSet and waits for it."""
        body = {"spec": self.workload(name, image, replicas)["spec"] | {"serviceName": name} | spec}
        return self.change(
            "create",
            lambda: self.create("StatefulSet", name, body, namespace),
            self.rolled_out("StatefulSet", name, namespace),
        )

    def discard(self, kind: str, name: str, policy: str, namespace: str = "") -> Body:
        """Deletes with a propagation policy; returns what was deleted."""
        thing = self.get(kind, name, namespace)
        self.api.request("DELETE", base.path(kind, namespace or self.namespace, name), {"propagationPolicy": policy})
        return thing

    def say(self, regarding: Body, reason: str, message: str, **fields) -> Body:
        """Posts an Event as a controller with its own recorder would."""
        stamp = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        component = fields.pop("component", "demo-controller")
        about = fields.pop("about", reference(regarding))
        namespace = fields.pop("namespace", about.get("namespace") or "default")
        body = {
            "involvedObject": {key: value for key, value in about.items() if value},
            "type": "Normal",
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
        } | fields
        meta = {"name": f"{about['name']}.{time.time_ns():x}", "namespace": namespace}
        if notes := body.pop("annotations", None):
            meta["annotations"] = notes
        sent = {"apiVersion": "v1", "kind": "Event", "metadata": meta} | body
        return self.api.request("POST", base.path("Event", namespace), sent)


base.Run = Run


# -- a workload changed by hand ----------------------------------------------


@scenario("rollback")
def rollback(run: Run) -> None:
    """A deployment gets a new image, is rolled back with `rollout undo`, scaled to none and back, rolled back again."""
    first = run.create_deployment("web", "shop/web:1.0")["spec"]["template"]
    run.quiet()
    second = run.roll("Deployment", "web", "shop/web:1.1")["spec"]["template"]
    run.quiet(4)
    run.undo("web", first)
    run.quiet(3)
    run.resize("Deployment", "web", 0)
    run.quiet(4)
    run.resize("Deployment", "web", 3)
    run.quiet(2)
    run.undo("web", second)
    run.quiet(14)
    run.undo("web", first)


@scenario("restart-pause")
def restart_pause(run: Run) -> None:
    """A restart; then a pause, in which image, replicas and image change, and the resume that rolls it out."""
    run.create_deployment("web", "shop/web:1.0")
    run.quiet()
    run.restart("Deployment", "web")
    run.quiet(3)
    run.edit("Deployment", "web", {"paused": True}, what="pause", wait=False, manager="kubectl-rollout")
    run.quiet(3)
    run.roll("Deployment", "web", "shop/web:1.1", wait=False)
    run.quiet(4)
    run.resize("Deployment", "web", 4, wait=False)
    run.quiet(6)
    run.roll("Deployment", "web", "shop/web:1.2", wait=False)
    run.quiet(12)
    run.edit("Deployment", "web", {"paused": None}, what="resume", manager="kubectl-rollout")
    run.quiet(12)
    run.restart("Deployment", "web")


@scenario("no-pauses")
def no_pauses(run: Run) -> None:
    """Three deployments are changed six times each, a second or two apart; a fourth rolls thrice over a slow image."""

    def hurried(name: str, pauses: list[float]) -> None:
        run.create_deployment(name, f"shop/{name}:1.0", wait=False)
        time.sleep(pauses[0])
        run.roll("Deployment", name, f"shop/{name}:1.1", wait=False)
        time.sleep(pauses[1])
        run.resize("Deployment", name, 4, wait=False)
        time.sleep(pauses[2])
        run.roll("Deployment", name, f"shop/{name}:1.2", wait=False)
        time.sleep(pauses[3])
        env = {"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "MODE", "value": "fast"}]}]}}}
        run.edit("Deployment", name, env, what="set-env", wait=False, manager="kubectl-set")
        time.sleep(pauses[4])
        run.remove("Deployment", name)

    def slow() -> None:
        run.create_deployment("slow", "shop/pricing:1.0", 3)
        run.roll("Deployment", "slow", "shop/pricing-slow:1.1", wait=False)
        time.sleep(4)
        run.roll("Deployment", "slow", "shop/pricing:1.2", wait=False)
        time.sleep(0.7)
        run.roll("Deployment", "slow", "shop/pricing:1.3")

    run.together(
        lambda: hurried("cart", [0.9, 1.3, 1.1, 0.8, 2]),
        lambda: hurried("catalog", [2, 0.8, 1.5, 1.2, 0.9]),
        lambda: hurried("login", [1.2, 1.4, 1, 2, 1.1]),
        slow,
    )


@scenario("recreate")
def recreate(run: Run) -> None:
    """A deployment is deleted and made again under its name: within a second, after a foreground deletion, at once."""

    def again(image: str, replicas: int = 2) -> None:
        body = run.workload("web", image, replicas)

        def make() -> Body:
            # `kubectl replace --force` retries too.
            return wait_until(lambda: attempt(body), 20, 0.1)

        run.change("create", make, run.rolled_out("Deployment", "web"))

    def attempt(body: Body) -> Body | None:
        try:
            return run.create("Deployment", "web", body)
        except ApiError as error:
            if error.status != 409:
                raise
            return None

    run.create_deployment("web", "shop/web:1.0")
    run.quiet(3)
    run.change("delete", lambda: run.discard("Deployment", "web", "Background"))
    time.sleep(0.6)
    again("shop/web:1.0", 3)
    run.quiet()
    run.change(
        "delete", lambda: run.discard("Deployment", "web", "Foreground"), lambda: not run.get("Deployment", "web")
    )
    again("shop/web:1.1")
    run.quiet(1)
    run.change("delete", lambda: run.discard("Deployment", "web", "Foreground"))
    again("shop/web:1.2")


@scenario("readopted")
def readopted(run: Run) -> None:
    """A deployment and a stateful set are deleted without their children, which new ones of the same name adopt."""
    run.together(
        lambda: run.create_deployment("web", "shop/web:1.0"),
        lambda: run.stateful("db", "shop/db:1.0", 2),
    )
    run.quiet(12)
    run.change("delete", lambda: run.discard("Deployment", "web", "Orphan"))
    run.change("delete", lambda: run.discard("StatefulSet", "db", "Orphan"))
    run.quiet(5)
    run.create_deployment("web", "shop/web:1.0", 3)
    run.stateful("db", "shop/db:1.0", 3)
    run.quiet(5)
    run.roll("Deployment", "web", "shop/web:1.1")
    run.resize("StatefulSet", "db", 1)


@scenario("twins", "twins-a", "twins-b", "twins-c")
def twins(run: Run) -> None:
    """Three namespaces have a deployment and a stateful set of the same names, changed at the same moments."""
    places = ("twins-a", "twins-b", "twins-c")
    run.together(
        *[lambda n=n: run.create_deployment("web", "shop/web:1.0", namespace=n) for n in places],
        *[lambda n=n: run.stateful("db", "shop/db:1.0", 2, n) for n in places],
    )
    run.quiet(4)
    run.together(
        lambda: run.roll("Deployment", "web", "shop/web:1.1", "twins-a"),
        lambda: run.resize("Deployment", "web", 4, "twins-b"),
        lambda: run.remove("Deployment", "web", "twins-c"),
        lambda: run.roll("StatefulSet", "db", "shop/db:1.1", "twins-b"),
        lambda: run.resize("StatefulSet", "db", 0, "twins-c"),
        lambda: run.restart("StatefulSet", "db", "twins-a"),
    )
    run.together(
        lambda: run.resize("Deployment", "web", 1, "twins-a"),
        lambda: run.roll("Deployment", "web", "shop/web:1.1", "twins-b"),
        lambda: run.create_deployment("web", "shop/web:1.1", namespace="twins-c"),
        lambda: run.resize("StatefulSet", "db", 2, "twins-c"),
    )


@scenario("aggregated")
def aggregated(run: Run) -> None:
    """A deployment goes to 16 pods and back twice, so that its events are combined and their counts span changes."""
    run.create_deployment("web", "shop/web:1.0", 1)
    for replicas in (16, 1, 14, 2):
        run.quiet(3)
        run.resize("Deployment", "web", replicas)
    run.quiet(12)
    run.roll("Deployment", "web", "shop/web:1.1")
    for replicas in (12, 1):
        run.quiet(1)
        run.resize("Deployment", "web", replicas)


# -- changed by somebody else ------------------------------------------------

FLUX = {
    "kustomize.toolkit.fluxcd.io/name": "shop",
    "kustomize.toolkit.fluxcd.io/namespace": "gitops",
}
APPLY = "application/apply-patch+yaml"


def autoscaler(run: Run, name: str, low: int, high: int) -> Body:
    """An HPA of a deployment of the same name. There are no metrics: only its bounds make it scale."""
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": low, "maxReplicas": high, "metrics": [metric]}
    return run.create("HorizontalPodAutoscaler", name, {"spec": spec})


@scenario("autoscaled")
def autoscaled(run: Run) -> None:
    """Bounds of two autoscalers move, so that they rescale at the same time; somebody scales a third deployment."""
    names = ("cart", "catalog", "login")
    made = dict(zip(names, [run.create_deployment(n, f"shop/{n}:1.0", 2, pod=cpu("10m")) for n in names], strict=True))
    for name in names[:2]:
        run.change("create", lambda name=name: autoscaler(run, name, 1, 8))
    run.quiet(12)

    def bounds(name: str, replicas: int, **limits: int) -> None:
        run.change(
            "bounds",
            lambda: run.patch("HorizontalPodAutoscaler", name, {"spec": limits}, manager="kubectl-edit"),
            lambda: (
                run.get("Deployment", name)["spec"]["replicas"] == replicas and run.rolled_out("Deployment", name)()
            ),
            affects=[made[name]],
        )

    def by_hand() -> None:
        time.sleep(1)
        run.resize("Deployment", "login", 4)

    run.together(lambda: bounds("cart", 5, minReplicas=5), lambda: bounds("catalog", 5, minReplicas=5), by_hand)
    run.quiet(12)
    bounds("cart", 3, minReplicas=1, maxReplicas=3)
    run.roll("Deployment", "cart", "shop/cart:1.1")
    run.quiet(3)
    bounds("catalog", 2, minReplicas=1, maxReplicas=2)
    # Somebody scales what the autoscaler will not have.
    run.resize("Deployment", "catalog", 1, wait=False)


def define(run: Run, kind: str, *, status: bool) -> None:
    """A custom resource definition that takes anything, unless it is there already."""
    version, plural = base.RESOURCES[kind]
    group, _, version = version.partition("/")
    name = f"{plural}.{group}"
    if not run.get("CustomResourceDefinition", name, None):
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        if status:
            served["subresources"] = {"status": {}}
        names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [served]}
        run.create("CustomResourceDefinition", name, {"spec": spec}, namespace=None)
    wait_until(lambda: answers(run, base.path(kind, run.namespace)), 20)


def answers(run: Run, where: str) -> bool:
    """Whether the API server serves this by now."""
    try:
        return bool(run.api.request("GET", where))
    except ApiError:
        return False


def owned(owner: Body) -> Body:
    """The metadata by which an operator makes something its own."""
    mine = {key: owner["metadata"][key] for key in ("name", "uid")}
    mine |= {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": True, "blockOwnerDeletion": True}
    return {"ownerReferences": [mine]}


def report(run: Run, kind: str, name: str, phase: str, *, status: bool) -> None:
    """An operator writes the status of its object."""
    body = {"status": {"phase": phase, "seen": time.time_ns()}}
    run.patch(kind, name, body, content=MERGE, manager="operator", part="/status" if status else "")


@scenario("custom-owner", resources=("/apis/example.test/v1/widgets", "/apis/example.test/v1/gadgets"))
def custom_owner(run: Run) -> None:
    """An operator makes deployments and a job for custom resources, one kind of which has no status subresource."""
    define(run, "Widget", status=True)
    define(run, "Gadget", status=False)

    def one(kind: str, name: str, *, status: bool) -> None:
        def ready() -> bool:
            return all(run.rolled_out("Deployment", f"{name}-{part}")() for part in ("api", "web"))

        def make() -> Body:
            owner = run.create(kind, name, {"spec": {"image": "1.0", "replicas": 2}})
            report(run, kind, name, "Creating", status=status)
            for part in ("api", "web"):
                body = run.workload(f"{name}-{part}", f"shop/{part}:1.0", 2)
                run.create("Deployment", f"{name}-{part}", body, manager="operator", **owned(owner))
            template = run.template(f"{name}-init", "shop/init-done:1.0", {"restartPolicy": "Never"})
            run.create("Job", f"{name}-init", {"spec": {"template": template}}, manager="operator", **owned(owner))
            report(run, kind, name, "Created", status=status)
            return owner

        owner = run.change("create", make, ready)
        report(run, kind, name, "Ready", status=status)
        run.quiet(13)

        def upgrade() -> Body:
            thing = run.patch(kind, name, {"spec": {"image": "1.1"}}, content=MERGE, manager="kubectl-edit")
            time.sleep(0.4)
            report(run, kind, name, "Upgrading", status=status)
            run.set_image("Deployment", f"{name}-api", "shop/api:1.1")
            time.sleep(2)
            run.set_image("Deployment", f"{name}-web", "shop/web:1.1")
            report(run, kind, name, "Upgraded", status=status)
            return thing

        run.change("upgrade", upgrade, ready)
        report(run, kind, name, "Ready", status=status)
        run.quiet(14)
        # Behind the operator's back: the custom resource itself does not change.
        run.change(
            "scale",
            lambda: run.scale("Deployment", f"{name}-api", 4),
            run.rolled_out("Deployment", f"{name}-api"),
            affects=[owner],
        )
        run.quiet(3)
        run.change("delete", lambda: run.discard(kind, name, "Background"), lambda: not run.pods(f"{name}-web"))

    run.together(lambda: one("Widget", "blue", status=True), lambda: one("Gadget", "red", status=False))


def apply(
    run: Run, name: str, image: str, replicas: int | None, *, manager: str, labels: Body | None = None, **meta
) -> Body:
    """Server-side apply of a deployment, as GitOps controllers do."""
    meta |= {"name": name, "namespace": run.namespace}
    meta["labels"] = {"app": name, "scenario": run.scenario} | (labels or {})
    sent = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta} | run.workload(name, image, replicas)
    where = base.path("Deployment", run.namespace, name)
    return run.api.request("PATCH", where, sent, APPLY, fieldManager=manager, force="true")


def helm(run: Run) -> None:
    """Installs a release and upgrades it: Helm writes no Events."""
    notes = {"meta.helm.sh/release-name": "mail", "meta.helm.sh/release-namespace": run.namespace}
    labels = {"app": "mail", "scenario": run.scenario, "app.kubernetes.io/managed-by": "Helm"}
    body = run.workload("mail", "mail/mail:1.0", 2)
    run.change(
        "install",
        lambda: run.create("Deployment", "mail", body, manager="helm", annotations=notes, labels=labels),
        run.rolled_out("Deployment", "mail"),
    )
    run.quiet(11)
    containers = [{"name": "app", "image": f"{base.REGISTRY}/mail/mail:1.1"}]
    spec = {"replicas": 3, "template": {"spec": {"containers": containers}}}
    run.edit("Deployment", "mail", spec, what="upgrade", manager="helm")


@scenario(
    "gitops",
    resources=("/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations", "/apis/argoproj.io/v1alpha1/applications"),
)
def gitops(run: Run) -> None:
    """Flux, Argo CD and Helm apply; their Events come after the first effects; somebody scales right after an apply."""
    define(run, "Kustomization", status=True)
    define(run, "Application", status=False)

    def ready(*names: str) -> Callable[[], bool]:
        return lambda: all(run.rolled_out("Deployment", name)() for name in names)

    flux = run.create("Kustomization", "shop", {"spec": {"path": "./shop", "interval": "1m"}}, manager="flux")
    argo = run.create("Application", "bank", {"spec": {"project": "default"}}, manager="argocd")

    def reconcile(revision: str, image: str, replicas: int | None) -> Body:
        for name in ("cart", "catalog"):
            apply(run, name, f"shop/{name}:{image}", replicas, manager="kustomize-controller", labels=FLUX)
        time.sleep(0.4)
        told = {"annotations": {"kustomize.toolkit.fluxcd.io/revision": revision}, "component": "kustomize-controller"}
        lines = "\n".join(f"Deployment/{run.namespace}/{name} configured" for name in ("cart", "catalog"))
        run.say(flux, "Progressing", lines, **told)
        body = {"status": {"lastAppliedRevision": revision}}
        run.patch("Kustomization", "shop", body, content=MERGE, manager="kustomize-controller", part="/status")
        run.say(flux, "ReconciliationSucceeded", "Reconciliation finished in 512ms, next run in 1m0s", **told)
        return flux

    def sync(revision: str, image: str) -> Body:
        told = {"source": {"component": "argocd-application-controller"}, "reportingComponent": ""}
        run.say(argo, "OperationStarted", f"admin initiated sync to {revision}", **told)
        operation = {"operation": {"sync": {"revision": revision}}}
        run.patch("Application", "bank", operation, content=MERGE, manager="argocd-server")
        for name in ("ledger", "teller"):
            notes = {"argocd.argoproj.io/tracking-id": f"bank:apps/Deployment:{run.namespace}/{name}"}
            apply(run, name, f"bank/{name}:{image}", 2, manager="argocd-controller", annotations=notes)
        body = {"operation": None, "status": {"sync": {"revision": revision, "status": "Synced"}}}
        run.patch("Application", "bank", body, content=MERGE, manager="argocd-application-controller")
        run.say(argo, "OperationCompleted", f"Sync operation to {revision} succeeded", **told)
        run.say(argo, "ResourceUpdated", "Updated health status: Healthy -> Progressing", **told)
        return argo

    def together(names: tuple[str, str]) -> list[Body]:
        return [thing for name in names if (thing := run.get("Deployment", name))]

    def flow() -> None:
        shop = ("cart", "catalog")
        made = (run.get("Deployment", name) for name in shop)  # asked for when they are there
        run.change("reconcile", lambda: reconcile("main@sha1:1111", "1.0", None), ready(*shop), affects=made)
        things = together(shop)
        run.quiet(12)
        run.change("reconcile", lambda: reconcile("main@sha1:2222", "1.1", None), affects=things)
        time.sleep(1)
        run.resize("Deployment", "cart", 3)
        run.quiet(14)
        # Nothing changed in the repository: Events only.
        run.change("reconcile", lambda: reconcile("main@sha1:2222", "1.1", None), ready(*shop))

    def bank() -> None:
        names = ("ledger", "teller")
        for name in names:
            run.create_deployment(name, f"bank/{name}:0.9", 2)
        things = together(names)
        run.quiet(11)
        run.change("sync", lambda: sync("3333", "1.0"), ready(*names), affects=things)
        run.quiet(11)
        run.change("sync", lambda: sync("4444", "1.1"), ready(*names), affects=things)

    run.together(flow, bank, lambda: helm(run))


# -- what can not be trusted -------------------------------------------------


@scenario("lying-events", "lying-events", "lying-elsewhere")
def lying_events(run: Run) -> None:
    """Forged and careless Events: names of other workloads' pods, wrong and missing uids, times that can not be."""
    run.together(
        lambda: run.create_deployment("web", "shop/web:1.0"),
        lambda: run.create_deployment("api", "shop/api:1.0"),
        lambda: run.create_deployment("web", "shop/web:1.0", namespace="lying-elsewhere"),
    )
    run.quiet(3)

    def replica_set(app: str, namespace: str = "") -> Body:
        sets = run.api.request("GET", base.path("ReplicaSet", namespace or run.namespace), labelSelector=f"app={app}")
        return max(sets["items"], key=lambda item: int(item["metadata"]["resourceVersion"])) | {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
        }

    def pod(app: str, namespace: str = "") -> Body:
        return run.pods(app, namespace)[0] | {"apiVersion": "v1", "kind": "Pod"}

    def lies() -> None:
        web, api = replica_set("web"), replica_set("api")
        far = pod("web", "lying-elsewhere")
        mine, other = pod("web"), pod("api")
        told = {"component": "replicaset-controller"}
        run.say(web, "SuccessfulCreate", f"Created pod: {other['metadata']['name']}", **told)
        run.say(web, "SuccessfulDelete", f"Deleted pod: {mine['metadata']['name']}", **told)
        run.say(web, "SuccessfulCreate", f"Created pod: {far['metadata']['name']}", **told)
        run.say(api, "SuccessfulCreate", "Created pod: api-never-was", **told)
        deployment = run.get("Deployment", "web")
        for name in (api["metadata"]["name"], "web-000000000"):
            message = f"Scaled up replica set {name} from 0 to 7"
            run.say(deployment, "ScalingReplicaSet", message, component="deployment-controller")
        about = reference(mine) | {"uid": "00000000-0000-0000-0000-000000000000"}
        run.say(mine, "Unhealthy", "Readiness probe failed: no uid of mine", about=about, component="kubelet")
        about = {key: value for key, value in reference(mine).items() if key != "uid"}
        run.say(mine, "Warned", "without a uid", about=about, type="Warning")
        uid = other["metadata"]["uid"]
        run.say(mine, "Preempted", f"Preempted by pod {uid} on node node-1", component="default-scheduler")
        run.say(mine, "Killing", "Stopping container app", component="kubelet")
        run.say(other, "Rescaled", f"New size: 5; pod {mine['metadata']['name']} in {run.namespace}")
        run.say(
            other, "Late", "an hour late", firstTimestamp="2020-01-01T00:00:00Z", lastTimestamp="2020-01-01T00:00:00Z"
        )
        run.say(
            other,
            "Early",
            "in a far future",
            firstTimestamp="2096-01-01T00:00:00Z",
            lastTimestamp="2096-01-01T00:00:00Z",
        )

    # Never right before a change: what lies there could be told as either's.
    lies()
    run.quiet(12)
    lies()
    run.quiet(2)
    run.together(
        lambda: run.roll("Deployment", "web", "shop/web:1.1", wait=False),
        lambda: run.resize("Deployment", "api", 3, wait=False),
    )
    time.sleep(1.5)
    lies()
    run.quiet(4)
    run.roll("Deployment", "web", "shop/web:1.2")
    lies()
    run.quiet(3)
    run.remove("Deployment", "api")


@scenario("rejections")
def rejections(run: Run) -> None:
    """Pods are rejected by an admission policy until the image is another, and by a LimitRange until it is gone."""
    name = "no-forbidden-images"
    match = {
        "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    }
    rule = {
        "expression": "!object.spec.containers[0].image.contains('forbidden')",
        "message": "this image is forbidden",
    }
    chosen = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": run.namespace}}}
    if not run.get("ValidatingAdmissionPolicy", name, None):
        policy = {"failurePolicy": "Fail", "matchConstraints": match, "validations": [rule]}
        run.create("ValidatingAdmissionPolicy", name, {"spec": policy}, namespace=None)
        bound = {"policyName": name, "validationActions": ["Deny"], "matchResources": chosen}
        run.create("ValidatingAdmissionPolicyBinding", name, {"spec": bound}, namespace=None)
    time.sleep(4)
    run.together(
        lambda: run.create_deployment("web", "shop/web:1.0"),
        lambda: run.create_deployment("api", "shop/api:1.0", pod=cpu("50m")),
    )
    run.quiet(11)
    run.roll("Deployment", "web", "shop/web-forbidden:1.1", patience=20)
    floor = {"limits": [{"type": "Container", "min": {"cpu": "100m"}, "defaultRequest": {"cpu": "100m"}}]}
    run.change("create", lambda: run.create("LimitRange", "floor", {"spec": floor}))
    time.sleep(1)
    run.edit("Deployment", "api", {"replicas": 4}, what="scale", wait=False)
    run.roll("Deployment", "web", "shop/web:1.2")
    run.quiet(8)
    run.change("delete", lambda: run.delete("LimitRange", "floor"), run.rolled_out("Deployment", "api"), 90)


# -- settled workloads in trouble --------------------------------------------


@scenario("incident")
def incident(run: Run) -> None:
    """Long settled workloads fail their liveness probes from time to time, until a good image heals them."""
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 28, "failureThreshold": 1}
    sick = {"container": {"livenessProbe": probe}}

    def one(kind: str, name: str, replicas: int | None) -> None:
        body = run.workload(name, f"shop/{name}-unhealthy:1.0", replicas, sick)
        if kind == "StatefulSet":
            body["spec"]["serviceName"] = name
        run.change("create", lambda: run.create(kind, name, body), run.rolled_out(kind, name))
        run.quiet(62)
        run.roll(kind, name, f"shop/{name}:1.1")
        run.quiet(3)
        run.remove(kind, name)

    run.together(
        lambda: one("Deployment", "cache", 2),
        lambda: one("StatefulSet", "queue", 2),
        lambda: one("DaemonSet", "agent", None),
    )


@scenario("lost-pods")
def lost_pods(run: Run) -> None:
    """Somebody deletes pods of settled workloads, one pod in the middle of a rollout, a ReplicaSet, and relabels a pod."""
    web = run.create_deployment("web", "shop/web:1.0", 3)
    db = run.stateful("db", "shop/db:1.0", 2)
    agent = run.change(
        "create",
        lambda: run.create("DaemonSet", "agent", run.workload("agent", "shop/agent:1.0", None)),
        run.rolled_out("DaemonSet", "agent"),
    )
    run.quiet(14)

    def lose(app: str, owner: Body, *, wait=True) -> None:
        pod = run.pods(app)[-1]
        name = pod["metadata"]["name"]
        uid = pod["metadata"]["uid"]

        def replaced() -> bool:
            pods = run.pods(app)
            return all(p["metadata"]["uid"] != uid for p in pods) and run.rolled_out(owner["kind"], app)()

        run.change(
            "delete-pod",
            lambda: run.discard("Pod", name, "Background"),
            replaced if wait else None,
            affects=[owner],
        )

    lose("web", web)
    run.quiet(14)
    run.together(lambda: lose("db", db), lambda: lose("agent", agent))
    run.quiet(20)
    run.change("roll", lambda: run.set_image("Deployment", "web", "shop/web-slow:1.1"), None)
    time.sleep(3)
    # Part of the rollout that is open: no change of its own.
    run.discard("Pod", run.pods("web")[0]["metadata"]["name"], "Background")
    wait_until(run.rolled_out("Deployment", "web"), 90)
    run.lines[-1] |= {"t_settled": now(), "settled": True}
    run.quiet(14)
    sets = run.api.request("GET", base.path("ReplicaSet", run.namespace), labelSelector="app=web")["items"]
    current = next(item for item in sets if item["spec"]["replicas"])["metadata"]["name"]
    run.change(
        "delete-replicaset",
        lambda: run.discard("ReplicaSet", current, "Background") | {"apiVersion": "apps/v1", "kind": "ReplicaSet"},
        lambda: (
            ((run.get("ReplicaSet", current) or {}).get("status") or {}).get("readyReplicas") == 3
            and len(run.pods("web")) == 3
        ),
        affects=[web],
    )


@scenario("pod-kills")
def pod_kills(run: Run) -> None:
    """Pods of one settled deployment are deleted one at a time, a quarter of a minute apart, between changes."""
    web = run.create_deployment("web", "shop/web:1.0", 4)
    run.quiet(14)

    def kill() -> None:
        pod = run.pods("web")[0]["metadata"]
        run.change(
            "delete-pod",
            lambda: run.discard("Pod", pod["name"], "Background"),
            lambda: run.get("Pod", pod["name"]) is None and run.rolled_out("Deployment", "web")(),
            affects=[web],
        )

    for pause in (14, 14, 25):
        kill()
        run.quiet(pause)
    run.resize("Deployment", "web", 5)
    run.quiet(12)
    kill()
    run.quiet(14)
    run.restart("Deployment", "web")


@scenario("released")
def released(run: Run) -> None:
    """A pod is taken out of service by its label: its owner lets go of it and makes another; then it is deleted."""
    web = run.create_deployment("web", "shop/web:1.0", 2)
    run.quiet(15)
    name = run.pods("web")[0]["metadata"]["name"]
    labels = {"metadata": {"labels": {"app": "quarantine"}}}
    run.change(
        "relabel",
        lambda: run.patch("Pod", name, labels, manager="kubectl-label"),
        run.rolled_out("Deployment", "web"),
        affects=[web],
    )
    run.quiet(6)
    run.change("delete", lambda: run.delete("Pod", name), lambda: not run.get("Pod", name))
    run.quiet(6)
    run.roll("Deployment", "web", "shop/web:1.1")


# -- jobs, claims, several containers ----------------------------------------


@scenario("jobs")
def jobs(run: Run) -> None:
    """Jobs that fail, run out of time, run in parallel, are suspended; a cron job replaces, and one is started by hand."""

    def job(name: str, image: str, *, patience: float = 60, **spec) -> None:
        template = run.template(name, image, {"restartPolicy": "Never"})

        def over() -> bool:
            conditions = run.get("Job", name).get("status", {}).get("conditions") or []
            return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in conditions)

        run.change("create", lambda: run.create("Job", name, {"spec": {"template": template} | spec}), over, patience)
        run.quiet(5)
        run.change("delete", lambda: run.delete("Job", name), lambda: not run.get("Job", name) and not run.pods(name))

    def suspended() -> None:
        template = run.template("paused", "shop/export:1.0", {"restartPolicy": "Never"})
        spec = {"parallelism": 2, "completions": 2, "template": template}
        run.change("create", lambda: run.create("Job", "paused", {"spec": spec}))
        time.sleep(5)
        run.patch("Job", "paused", {"spec": {"suspend": True}}, manager="kubectl-edit")
        time.sleep(12)
        run.patch("Job", "paused", {"spec": {"suspend": False}}, manager="kubectl-edit")
        time.sleep(8)
        run.change("delete", lambda: run.delete("Job", "paused"), lambda: not run.pods("paused"))

    def cron(name: str, policy: str) -> None:
        template = run.template(
            name, f"shop/{name}:1.0", {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
        )
        inner = {"metadata": {"labels": {"scenario": run.scenario}}, "spec": {"template": template}}
        spec = {"schedule": "* * * * *", "concurrencyPolicy": policy, "jobTemplate": inner}

        def manual() -> None:
            owner = run.get("CronJob", name)
            meta = owned(owner) | {"annotations": {"cronjob.kubernetes.io/instantiate": "manual"}}
            run.create("Job", f"{name}-manual", {"spec": inner["spec"]}, **meta)

        run.change("create", lambda: run.create("CronJob", name, {"spec": spec}))
        time.sleep(20)
        manual()
        time.sleep(110)
        run.change("delete", lambda: run.delete("CronJob", name), lambda: not run.pods(name))

    run.together(
        lambda: job("broken", "shop/broken-crash:1.0", backoffLimit=1, patience=90),
        lambda: job("endless", "shop/endless:1.0", activeDeadlineSeconds=8),
        lambda: job("wide", "shop/wide-done:1.0", parallelism=3, completions=6),
        suspended,
        lambda: cron("tidy", "Replace"),
        lambda: cron("audit", "Forbid"),
    )


@scenario("multi")
def multi(run: Run) -> None:
    """Pods of several containers, bare pods, a DaemonSet that waits for deletions, a partition, parallel management."""

    def many() -> None:
        inits = [{"name": f"prepare-{n}", "image": f"{base.REGISTRY}/shop/prepare-done:{n}"} for n in (1, 2)]
        body = run.workload("web", "shop/web:1.0", 2, {"initContainers": inits})
        containers = body["spec"]["template"]["spec"]["containers"]
        containers.append({"name": "proxy", "image": f"{base.REGISTRY}/mesh/proxy:1.0"})
        run.change("create", lambda: run.create("Deployment", "web", body), run.rolled_out("Deployment", "web"))
        run.quiet(2)
        run.roll("Deployment", "web", "shop/web:1.1")
        run.quiet(2)
        run.remove("Deployment", "web")

    def bare(name: str, image: str) -> None:
        spec = run.template(name, image)["spec"]
        run.change(
            "create",
            lambda: run.create("Pod", name, {"spec": spec}),
            lambda: any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in run.get("Pod", name)["status"].get("conditions", [])
            ),
            30,
        )
        run.quiet(12)
        run.change("delete", lambda: run.delete("Pod", name), lambda: not run.get("Pod", name))

    def by_deletion() -> None:
        body = run.workload("agent", "shop/agent:1.0", None)
        body["spec"]["updateStrategy"] = {"type": "OnDelete"}
        run.change("create", lambda: run.create("DaemonSet", "agent", body), run.rolled_out("DaemonSet", "agent"))
        run.quiet(3)
        run.change("set-image", lambda: run.set_image("DaemonSet", "agent", "shop/agent:1.1"))
        time.sleep(2)
        for pod in run.pods("agent"):
            run.discard("Pod", pod["metadata"]["name"], "Background")
            time.sleep(4)
        run.quiet(8)
        run.remove("DaemonSet", "agent")

    def partitioned() -> None:
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        run.stateful("db", "shop/db:1.0", 3, updateStrategy=strategy)
        run.quiet(3)
        status = lambda: run.get("StatefulSet", "db")["status"]  # noqa: E731
        canary = lambda: status().get("updatedReplicas") == 1 and status().get("readyReplicas") == 3  # noqa: E731
        run.change("set-image", lambda: run.set_image("StatefulSet", "db", "shop/db:1.1"), canary)
        run.quiet(12)
        spec = {"updateStrategy": {"rollingUpdate": {"partition": 0}}}
        run.edit("StatefulSet", "db", spec, what="partition")

    def parallel() -> None:
        run.stateful("queue", "shop/queue:1.0", 4, podManagementPolicy="Parallel")
        run.quiet(2)
        run.roll("StatefulSet", "queue", "shop/queue:1.1")
        run.resize("StatefulSet", "queue", 1)

    run.together(
        many,
        lambda: bare("shell", "shop/shell:1.0"),
        lambda: bare("once", "shop/once-crash:1.0"),
        by_deletion,
        partitioned,
        parallel,
    )


@scenario("claims")
def claims(run: Run) -> None:
    """Claims stay unbound until volumes are created: one of a bare pod, two of a StatefulSet."""

    def volume(name: str) -> Body:
        spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual"}
        spec |= {"hostPath": {"path": "/tmp"}, "persistentVolumeReclaimPolicy": "Delete"}  # never written to
        return run.create("PersistentVolume", f"{run.scenario}-{name}", {"spec": spec}, namespace=None)

    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "manual",
        "resources": {"requests": {"storage": "1Gi"}},
    }

    for n in range(4):
        if run.get("PersistentVolume", f"{run.scenario}-{n}", None):
            run.api.request("DELETE", base.path("PersistentVolume", None, f"{run.scenario}-{n}"))

    def bound() -> bool:
        return run.get("PersistentVolumeClaim", "data")["status"]["phase"] == "Bound"

    def bare() -> None:
        run.change("create", lambda: run.create("PersistentVolumeClaim", "data", {"spec": claim}), bound, 14)
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
        spec = run.template("shell", "shop/shell:1.0", {"volumes": volumes})["spec"]
        run.change("create", lambda: run.create("Pod", "shell", {"spec": spec}), None)
        time.sleep(5)
        run.change("create", lambda: volume("0"), bound)
        wait_until(lambda: run.get("Pod", "shell")["status"]["phase"] == "Running", 60)
        run.quiet(4)
        run.change("delete", lambda: run.delete("Pod", "shell"), lambda: not run.get("Pod", "shell"))
        run.change(
            "delete",
            lambda: run.delete("PersistentVolumeClaim", "data"),
            lambda: not run.get("PersistentVolumeClaim", "data"),
        )

    bare()
    template = {"metadata": {"name": "data", "labels": {"scenario": run.scenario}}, "spec": claim}
    body = {"spec": run.workload("db", "shop/db:1.0", 2)["spec"]}
    body["spec"] |= {"serviceName": "db", "volumeClaimTemplates": [template]}
    run.change("create", lambda: run.create("StatefulSet", "db", body), run.rolled_out("StatefulSet", "db"), 12)
    run.change("create", lambda: volume("1"))
    run.quiet(12)
    run.change("create", lambda: volume("2"), run.rolled_out("StatefulSet", "db"), 60)
    run.quiet(4)
    run.roll("StatefulSet", "db", "shop/db:1.1")


@scenario("short-lived")
def short_lived(run: Run) -> None:
    """For a control plane that keeps Events for 20 s only: a crash loop, whose Events are made anew, and a rollout."""
    run.change("create", lambda: run.create("Deployment", "worker", run.workload("worker", "shop/worker-crash:1.0", 2)))
    run.quiet(70)
    run.roll("Deployment", "worker", "shop/worker:1.1")
    run.quiet(3)
    run.resize("Deployment", "worker", 3)
    run.quiet(25)
    run.resize("Deployment", "worker", 5)


@scenario("strategies")
def strategies(run: Run) -> None:
    """Deployments that recreate, wait before they are available, run out of time, surge; kinds that share a name."""

    def one(name: str, *images: str, patience: float = 60, pod: Body | None = None, **spec) -> None:
        body = {"spec": run.workload(name, f"shop/{name}:1.0", 3, pod)["spec"] | spec}
        run.change("create", lambda: run.create("Deployment", name, body), run.rolled_out("Deployment", name))
        for image in images:
            run.quiet(3)
            run.roll("Deployment", name, image, patience=patience)

    def ready(kind: str) -> bool:
        status = run.get(kind, "web").get("status", {})
        return status.get("numberReady", status.get("readyReplicas", 0)) >= 2

    def shared(kind: str) -> None:
        body = run.workload(f"web-{kind.lower()}", "shop/web:1.0", None if kind == "DaemonSet" else 2)
        if kind == "StatefulSet":
            body["spec"]["serviceName"] = "web"
        run.change("create", lambda: run.create(kind, "web", body), lambda: ready(kind))
        run.quiet(3)
        run.change("set-image", lambda: run.set_image(kind, "web", "shop/web:1.1"), lambda: False, patience=14)
        run.change("delete", lambda: run.delete(kind, "web"), lambda: not run.pods(f"web-{kind.lower()}"))

    run.together(
        lambda: one("recreated", "shop/recreated:1.1", "shop/recreated-slow:1.2", strategy={"type": "Recreate"}),
        lambda: one("patient", "shop/patient:1.1", minReadySeconds=12, patience=90),
        lambda: one("late", "shop/late-missing:1.1", "shop/late:1.2", patience=20, progressDeadlineSeconds=8),
        lambda: one(
            "surging",
            "shop/surging:1.1",
            "shop/surging-crash:1.2",
            "shop/surging:1.3",
            patience=25,
            strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}},
        ),
        *[lambda kind=kind: shared(kind) for kind in ("Deployment", "StatefulSet", "DaemonSet")],
    )


# -- nodes: these disturb everything else, so they are recorded alone ---------


def on_nodes(run: Run) -> list[Body]:
    """Workloads on every node: a deployment of six, a stateful set of three, a daemon set."""
    made: list[Body] = []
    run.together(
        lambda: made.append(run.create_deployment("web", "shop/web:1.0", 6)),
        lambda: made.append(run.stateful("db", "shop/db:1.0", 3)),
        lambda: made.append(
            run.change(
                "create",
                lambda: run.create("DaemonSet", "agent", run.workload("agent", "shop/agent:1.0", None)),
                run.rolled_out("DaemonSet", "agent"),
            )
        ),
    )
    run.quiet(14)
    return made


def condition(run: Run, node: str, status: str) -> Callable[[], bool]:
    """Whether the node's Ready is that."""

    def check() -> bool:
        conditions = run.get("Node", node, None)["status"]["conditions"]
        return any(c["type"] == "Ready" and c["status"] == status for c in conditions)

    return check


@scenario("node-loss")
def node_loss(run: Run) -> None:
    """A node stops, its pods are evicted and replaced, the node comes back."""
    made = on_nodes(run)

    def stop() -> Body:
        run.cluster("node", "stop", "node-2")
        return run.get("Node", "node-2", None)

    def back() -> bool:
        if not wait_until(condition(run, "node-2", "Unknown"), 60):
            return False
        available = lambda: run.get("Deployment", "web")["status"].get("availableReplicas") == 6  # noqa: E731
        wait_until(available, 60)
        time.sleep(5)
        run.cluster("node", "start", "node-2")
        wait_until(condition(run, "node-2", "True"), 60)
        return bool(wait_until(run.rolled_out("Deployment", "web"), 60))

    run.change("outage", stop, back, affects=made)
    run.quiet(15)
    run.roll("Deployment", "web", "shop/web:1.1")


@scenario("node-reboot")
def node_reboot(run: Run) -> None:
    """A node is cordoned, stopped and started within seconds, uncordoned."""
    made = on_nodes(run)
    run.patch("Node", "node-1", {"spec": {"unschedulable": True}}, None, manager="kubectl-cordon")

    def reboot() -> Body:
        run.cluster("node", "stop", "node-1")
        time.sleep(3)
        run.cluster("node", "start", "node-1")
        return run.get("Node", "node-1", None)

    def up_again() -> bool:
        pods = [p for p in run.pods("web") + run.pods("agent") if p["spec"].get("nodeName") == "node-1"]
        statuses = [status for pod in pods for status in pod["status"].get("containerStatuses", [])]
        return all(status["ready"] and status["restartCount"] for status in statuses)

    run.change("reboot", reboot, up_again, affects=made)
    run.quiet()
    run.patch("Node", "node-1", {"spec": {"unschedulable": None}}, None, manager="kubectl-uncordon")
    run.quiet(15)
    run.resize("Deployment", "web", 8)


@scenario("taint")
def taint(run: Run) -> None:
    """A node gets a taint that evicts its pods, and loses it."""
    made = on_nodes(run)
    web, db = (next(m for m in made if m["kind"] == kind) for kind in ("Deployment", "StatefulSet"))
    agent = next(m for m in made if m["kind"] == "DaemonSet")

    def settled() -> bool:
        return run.rolled_out("Deployment", "web")() and run.rolled_out("StatefulSet", "db")()

    spec = {"taints": [{"key": "maintenance", "value": "disk", "effect": "NoExecute"}]}
    run.change(
        "taint",
        lambda: run.patch("Node", "node-3", {"spec": spec}, None, manager="kubectl-taint"),
        settled,
        affects=[web, db, agent],
    )
    run.quiet(14)
    run.change(
        "untaint",
        lambda: run.patch("Node", "node-3", {"spec": {"taints": None}}, None, MERGE, manager="kubectl-taint"),
        run.rolled_out("DaemonSet", "agent"),
        affects=[agent],
    )
    run.quiet(14)
    run.resize("Deployment", "web", 3)


@scenario("drain")
def drain(run: Run) -> None:
    """A node is drained pod by pod, held up by a disruption budget, and uncordoned."""
    made = on_nodes(run)
    budget = {"minAvailable": 5, "selector": {"matchLabels": {"app": "web"}}}
    run.create("PodDisruptionBudget", "web", {"spec": budget})
    time.sleep(3)

    def evict(name: str) -> bool:
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": run.namespace}}
        try:
            run.api.request("POST", base.path("Pod", run.namespace, name) + "/eviction", body)
        except ApiError as error:
            if error.status == 429:  # the budget: kubectl tries again, too
                return False
            raise
        return True

    def empty() -> bool:
        pods = [p for app in ("web", "db") for p in run.pods(app) if p["spec"].get("nodeName") == "node-1"]
        for pod in pods:
            if "deletionTimestamp" not in pod["metadata"]:
                evict(pod["metadata"]["name"])
        return not pods and run.rolled_out("Deployment", "web")() and run.rolled_out("StatefulSet", "db")()

    affected = [m for m in made if m["kind"] != "DaemonSet"]
    run.change(
        "drain",
        lambda: run.patch("Node", "node-1", {"spec": {"unschedulable": True}}, None, manager="kubectl-drain"),
        empty,
        120,
        affects=affected,
    )
    run.quiet(5)
    run.patch("Node", "node-1", {"spec": {"unschedulable": None}}, None, manager="kubectl-uncordon")
    run.quiet(14)
    run.roll("Deployment", "web", "shop/web:1.1")


@scenario("preemption")
def preemption(run: Run) -> None:
    """A deployment of high priority pushes out pods of another, which come back when it goes."""
    for name, value in (("rec-high", 1000), ("rec-low", 10)):
        if not run.get("PriorityClass", name, None):
            run.create("PriorityClass", name, {"value": value}, namespace=None)
    nodes = len(run.api.request("GET", base.path("Node", None))["items"])
    low = run.create_deployment(
        "batch", "shop/batch:1.0", 3 * nodes, pod=cpu("300m") | {"priorityClassName": "rec-low"}
    )
    run.quiet(14)
    run.create_deployment("live", "shop/live:1.0", 2, pod=cpu("500m") | {"priorityClassName": "rec-high"})
    run.lines[-1]["affects"] = [reference(low)]
    run.quiet(14)
    both = lambda: run.rolled_out("Deployment", "live")() and run.rolled_out("Deployment", "batch")()  # noqa: E731
    run.change("scale", lambda: run.scale("Deployment", "live", 0), both, affects=[low])
    run.quiet(12)
    run.resize("Deployment", "batch", 2)


@scenario("control-plane")
def control_plane(run: Run) -> None:
    """The controllers are away while a deployment is changed twice; then the API server is, in the middle of a rollout."""
    run.create_deployment("web", "shop/web:1.0", 3)
    run.create_deployment("api", "shop/api:1.0", 2)
    run.quiet(12)
    run.cluster("stop", "kube-controller-manager")
    run.roll("Deployment", "web", "shop/web:1.1", wait=False)
    time.sleep(2)
    run.roll("Deployment", "web", "shop/web:1.2", wait=False)
    run.resize("Deployment", "api", 4, wait=False)
    time.sleep(4)
    run.cluster("start", "kube-controller-manager")
    wait_until(run.rolled_out("Deployment", "web"), 60)
    wait_until(run.rolled_out("Deployment", "api"), 60)
    for line in run.lines[-2:]:
        line |= {"t_settled": now(), "settled": True}
    run.quiet(14)

    def back() -> bool:
        time.sleep(1.5)
        run.cluster("stop", "kube-apiserver")
        time.sleep(6)
        run.cluster("start", "kube-apiserver")
        return bool(wait_until(reached, 60))

    def reached() -> bool:
        try:
            return run.rolled_out("Deployment", "web")() and run.rolled_out("Deployment", "api")()
        except (ApiError, OSError):
            return False

    run.change("set-image", lambda: run.set_image("Deployment", "web", "shop/web-slow:1.3"), back, 90)
    run.cluster("stop", "kube-scheduler")
    run.resize("Deployment", "api", 6, wait=False)
    time.sleep(6)
    run.cluster("start", "kube-scheduler")
    wait_until(run.rolled_out("Deployment", "api"), 60)


if __name__ == "__main__":
    base.main()
