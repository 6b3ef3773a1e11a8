"""How the service and the replay of a recording tell stories: by the same settings. Apart, because a replay needs no cluster."""

from __future__ import annotations

from kspanpy.core import shard
from kspanpy.core.settings import LinkerSettings
from kspanpy.settings import Settings


def linker_settings(settings: Settings, *, cluster_uid: str, service: str) -> LinkerSettings:
    """The part of the settings that the linker works with."""
    return LinkerSettings(
        cluster_uid=cluster_uid,
        service=service,
        shard=shard.parse(settings.shard),
        traceparent=settings.traceparent,
        traceparent_annotations=settings.traceparent_annotations,
        hold_s=settings.hold_seconds,
        settle_s=settings.settle_seconds,
        quiet_s=settings.quiet_seconds,
        story_cap_s=settings.story_cap_seconds,
        max_objects=settings.max_objects,
        max_pending=settings.max_pending,
    )
