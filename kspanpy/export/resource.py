"""What both encodings say about where spans come from: the resource of a service, and the scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kspanpy.export.checked import clean_text

SCOPE: Final = "kspanpy"
"""The instrumentation scope, without a version: an upgrade must not change a span that is sent again."""

LINK_RELATION: Final = "kspanpy.link.relation"
SERVICE_NAME: Final = "service.name"


def cluster_attributes(
    settings_attributes: Mapping[str, str], *, cluster_uid: str = "", cluster_name: str = ""
) -> dict[str, str]:
    """The attributes that every resource has: OTEL_RESOURCE_ATTRIBUTES and the cluster, which is known better here."""
    attributes = dict(settings_attributes)
    if cluster_uid:
        attributes["k8s.cluster.uid"] = cluster_uid
    if cluster_name:
        attributes["k8s.cluster.name"] = cluster_name
    return attributes


def resource_attributes_of(service: str, attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """All attributes of the resource of that service, sorted by key. Each service has its own service.name, whatever else."""
    merged = {clean_text(key): clean_text(value) for key, value in attributes.items() if key}
    merged[SERVICE_NAME] = service
    return sorted(merged.items())
