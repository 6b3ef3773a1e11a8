"""What the tests of links share: who made a change, who applied it, which span links to which."""

from __future__ import annotations

from kspanpy.core.model import FieldManager, ObjectReference, Span
from tests.core.cluster import Cluster, whole

PREEMPTOR = "9f3b8c1e-5d2a-4c6b-8e7f-0a1b2c3d4e5f"
SHOP = ObjectReference(
    kind="Kustomization",
    namespace="flux-system",
    name="shop",
    uid="k-1",
    api_version="kustomize.toolkit.fluxcd.io/v1",
)


def told(cluster: Cluster) -> dict[tuple[str, str], str]:
    """(name of the linking span, relation) -> name of the span at the other end. That end must be there."""
    spans = {(span.trace_id, span.span_id): span for span in cluster.spans}
    return {
        (span.name, link.relation): spans[link.trace_id, link.span_id].name
        for span in cluster.spans
        for link in span.links
        if link.relation not in ("follows change", "continues")
    }


def links(span: Span) -> list[str]:
    """The relations of its links."""
    return [link.relation for link in span.links]


def by(manager: str, cluster: Cluster, **more: str) -> FieldManager:
    """An entry of managedFields, made now."""
    return FieldManager(
        manager, more.get("operation", "Update"), more.get("part", ""), whole(cluster.now_ns), touches_spec=True
    )


def autoscaler(cluster: Cluster) -> FieldManager:
    """What the autoscaler leaves in managedFields."""
    return by("kube-controller-manager", cluster, part="scale")
