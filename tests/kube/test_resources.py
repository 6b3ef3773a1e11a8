"""The table of what is watched."""

from __future__ import annotations

from kspanpy.kube import EVENTS, WATCHED


def test_events_are_watched_once_as_core_v1() -> None:
    """The same Events are also served as events.k8s.io: reading both would show each twice."""
    assert [r.api_version for r in WATCHED if r.kind == "Event"] == ["v1"]


def test_paths() -> None:
    """Core under /api, groups under /apis; a namespace only where there is one."""
    by_kind = {resource.kind: resource for resource in WATCHED}
    assert EVENTS.path() == "/api/v1/events"
    assert EVENTS.path("shop") == "/api/v1/namespaces/shop/events"
    assert by_kind["Node"].path("shop") == "/api/v1/nodes"
    assert by_kind["Deployment"].path("shop") == "/apis/apps/v1/namespaces/shop/deployments"
    assert by_kind["HorizontalPodAutoscaler"].path() == "/apis/autoscaling/v2/horizontalpodautoscalers"
