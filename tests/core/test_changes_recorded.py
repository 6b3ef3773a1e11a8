"""Who and what, of changes that were made to a real control plane (1.36): the captures say what kubectl did."""

from __future__ import annotations

from pathlib import Path

import pytest

from kspanpy.core.linker import Linker
from kspanpy.core.model import Object, Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.decode import Change
from kspanpy.replay import read, replay

CAPTURES = Path(__file__).resolve().parents[1] / "fixtures" / "captures"
REGISTRY = "registry.test/shop"


def changes_of(name: str) -> dict[str, tuple[object, ...]]:
    """Object and generation -> manager, operation, summary of each root span."""
    spans: list[Span] = []
    with read(str(CAPTURES / f"{name}.ndjson.gz")) as capture:
        replay(capture, Linker(LinkerSettings(cluster_uid="c")), spans.append)
    told = sorted((s for s in spans if "kspanpy.change.manager" in s.attributes), key=lambda span: span.start_ns)
    keys = ("kspanpy.change.manager", "kspanpy.change.operation", "kspanpy.change.summary")
    return {
        f"{s.attributes['k8s.object.name']} {n}": tuple(s.attributes.get(key) for key in keys)
        for n, s in enumerate(told, 1)
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "deployment",
            {
                "web 1": ("kubectl-create", "Update", f"created with image {REGISTRY}/web:1.0"),
                "web 2": ("kubectl-set", "Update", f"image app: {REGISTRY}/web:1.0 -> {REGISTRY}/web:1.1"),
                "web 3": ("kubectl", "Update", "replicas 2 -> 4"),
                "web 4": ("kubectl", "Update", "replicas 4 -> 1"),  # its entry is the same as before
                "web 5": ("unknown", None, "deleted"),
            },
        ),
        (
            "bad-image",
            {
                "api 1": ("kubectl-create", "Update", f"created with image {REGISTRY}/api:2.0"),
                "api 2": ("kubectl-set", "Update", f"image app: {REGISTRY}/api:2.0 -> {REGISTRY}/api-missing:2.1"),
                "api 3": (
                    "kubectl-rollout",
                    "Update",
                    f"rollback to revision 1, image app: {REGISTRY}/api-missing:2.1 -> {REGISTRY}/api:2.0",
                ),
            },
        ),
        (
            "unschedulable",
            {
                "report 1": ("kubectl-create", "Update", f"created with image {REGISTRY}/report:1.0"),
                "report 2": ("unknown", None, "nodeSelector"),  # who removes a field leaves no trace
            },
        ),
    ],
)
def test_recorded_changes(name, expected):
    """Right, or unknown."""
    assert changes_of(name) == expected


@pytest.mark.parametrize("name", ["deployment", "bad-image", "unschedulable", "quota"])
def test_a_replica_set_has_the_template_of_its_deployment(name):
    """But for the label pod-template-hash: every ReplicaSet that was recorded is one of its Deployment's templates."""
    templates: dict[str, set[str]] = {}
    made: list[tuple[str, str]] = []
    with read(str(CAPTURES / f"{name}.ndjson.gz")) as capture:
        for entry in capture:
            assert isinstance(entry.what, Change)
            obj = entry.what.object
            if isinstance(obj, Object) and obj.kind == "Deployment":
                templates.setdefault(obj.uid, set()).add(obj.template)
            elif isinstance(obj, Object) and obj.kind == "ReplicaSet":
                made.append((obj.owners[0].uid, obj.template))
    assert made
    assert all(template in templates[owner] for owner, template in made)
