"""What an object belongs to, and the cause that somebody wrote down."""

from __future__ import annotations

import msgspec
import pytest

from kspanpy.core.changes import change as changes
from kspanpy.core.changes import provenance
from kspanpy.core.changes.provenance import Provenance
from tests.core.cluster import Cluster
from tests.core.versions import WEB

CAUSE = "kubernetes.io/change-cause"
TRACKING = "argocd.argoproj.io/tracking-id"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param({}, Provenance(), id="nothing"),
        pytest.param(
            {
                "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "prod"},
                "labels": {"helm.sh/chart": "shop-1.2.0", "app.kubernetes.io/version": "4.5"},
            },
            Provenance(helm_release="shop", helm_namespace="prod", helm_chart="shop-1.2.0", version="4.5"),
            id="Helm",
        ),
        pytest.param(
            {
                "labels": {
                    "kustomize.toolkit.fluxcd.io/name": "apps",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                }
            },
            Provenance(kustomization="apps", kustomization_namespace="flux-system"),
            id="a Flux Kustomization",
        ),
        pytest.param(
            {"labels": {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "prod"}},
            Provenance(helmrelease="shop", helmrelease_namespace="prod"),
            id="a Flux HelmRelease",
        ),
        pytest.param(
            {"annotations": {TRACKING: "store:apps/Deployment:shop/web"}},
            Provenance(application="store"),
            id="an Argo CD Application",
        ),
        pytest.param(
            {"annotations": {TRACKING: "store:apps/Deployment:shop/other"}}, Provenance(), id="of another object"
        ),
        pytest.param(
            {"annotations": {TRACKING: "store:apps/Deployment:prod/web"}}, Provenance(), id="another namespace"
        ),
        pytest.param({"annotations": {TRACKING: "store:/Deployment:shop/web"}}, Provenance(), id="another group"),
        pytest.param({"annotations": {TRACKING: "store:apps/ReplicaSet:shop/web"}}, Provenance(), id="another kind"),
        pytest.param({"annotations": {TRACKING: "store"}}, Provenance(), id="no tracking id at all"),
        pytest.param(
            {"labels": {"argocd.argoproj.io/instance": "store"}}, Provenance(application="store"), id="the older label"
        ),
    ],
)
def test_what_is_written_on_it(written, expected):
    """Names only; a mark that was copied from another object does not count."""
    assert provenance.of(msgspec.structs.replace(WEB, **written)) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({}, {CAUSE: "new logo"}, "new logo", id="it came"),
        pytest.param({CAUSE: "old"}, {CAUSE: "new"}, "new", id="it was rewritten"),
        pytest.param({CAUSE: "old"}, {CAUSE: "old"}, "", id="it was there before: stale"),
        pytest.param({CAUSE: "old"}, {}, "", id="it went"),
        pytest.param({}, {CAUSE: "x" * 1000}, "x" * 255 + "…", id="it has an end"),
        pytest.param(
            {},
            {CAUSE: "kubectl rollout undo deployment/web"},
            "kubectl rollout undo deployment/web",
            id="a recorded command without values",
        ),
        pytest.param(
            {}, {CAUSE: "kubectl set env deployment/web PASSWORD=hunter2 --record=true"}, "kubectl set env deployment/web …",
            id="a recorded command that sets a variable",
        ),
        pytest.param(
            {}, {CAUSE: 'kubectl patch deploy web -p {"spec":"hunter2"} --record=true'}, "kubectl patch deploy web …",
            id="a recorded patch",
        ),
    ],
)  # fmt: skip
def test_the_cause(before, after, expected):
    """Only of this change; what kubectl recorded is cut before its values."""
    old = msgspec.structs.replace(WEB, annotations=before)
    assert changes.between(old, msgspec.structs.replace(WEB, annotations=after)).cause == expected


def test_a_creation_has_a_cause():
    """Unless it is a copy of its owner's."""
    assert changes.creation(msgspec.structs.replace(WEB, annotations={CAUSE: "first"})).cause == "first"


def test_the_root_span_says_it():
    """Under these keys."""
    cluster = Cluster()
    labels = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    labels |= {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "prod"}
    labels |= {"app.kubernetes.io/version": "4.5", "helm.sh/chart": "shop-1.2.0"}
    notes = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "prod", CAUSE: "first"}
    cluster.deployment(labels=labels, annotations=notes | {TRACKING: "store:apps/Deployment:shop/web"})
    cluster.finish()
    written = cluster.root().attributes
    expected = {
        "kspanpy.change.manager": "kubectl-create",
        "kspanpy.change.operation": "Update",
        "kspanpy.change.time": "2026-03-01T12:00:00.000000Z",
        "kspanpy.change.cause": "first",
        "kspanpy.helm.release": "shop",
        "kspanpy.helm.namespace": "prod",
        "kspanpy.flux.kustomization.name": "apps",
        "kspanpy.flux.kustomization.namespace": "flux-system",
        "kspanpy.flux.helmrelease.name": "shop",
        "kspanpy.flux.helmrelease.namespace": "prod",
        "kspanpy.argocd.application": "store",
        "k8s.deployment.label.app.kubernetes.io/version": "4.5",
        "k8s.deployment.label.helm.sh/chart": "shop-1.2.0",
    }
    assert {key: written[key] for key in expected} == expected
