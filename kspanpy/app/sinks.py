"""Which sink the settings ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kspanpy.core.model import Span
from kspanpy.errors import UsageError
from kspanpy.export import (
    ConsoleSink,
    ExportStats,
    OtlpSettings,
    QueueLimits,
    Shelf,
    SpanFile,
    SpanSink,
    cluster_attributes,
    otlp_pipeline,
)
from kspanpy.settings import Settings

MEBIBYTE: Final = 1024 * 1024


class Nowhere:
    """The exporter `none`: counts."""

    def __init__(self) -> None:
        self._spans = 0

    def offer(self, spans: Sequence[Span]) -> None:
        """Count."""
        self._spans += len(spans)

    def drain(self, deadline_s: float) -> bool:  # noqa: ARG002 - of the interface
        """Nothing waits."""
        return True

    def close(self) -> None:
        """Nothing is open."""

    def stats(self) -> ExportStats:
        """Everything arrived nowhere, as was asked."""
        return ExportStats(emitted=self._spans, acknowledged=self._spans)


class PromptSpanFile(SpanFile):
    """A span file that somebody follows: a line for every offer, however short."""

    def offer(self, spans: Sequence[Span]) -> None:
        """Write."""
        super().offer(spans)
        self.drain()


def make(settings: Settings, otlp: OtlpSettings, *, cluster_uid: str, shelf: Shelf | None = None) -> SpanSink:
    """The sink of the service. `shelf`: where the exporter `otlp` keeps what is not acknowledged. Raises UsageError."""
    attributes = cluster_attributes(
        otlp.resource_attributes, cluster_uid=cluster_uid, cluster_name=settings.cluster_name
    )
    if bool(settings.output) != (settings.exporter == "file"):
        problem = (
            "is set but only the exporter `file` uses it" if settings.output else "is needed by the exporter `file`"
        )
        raise UsageError(f"KSPANPY_OUTPUT {problem}: KSPANPY_EXPORTER={settings.exporter}")
    match settings.exporter:
        case "otlp":
            limits = QueueLimits(
                spans=settings.queue_spans,
                bytes=settings.queue_megabytes * MEBIBYTE,
                shelf_bytes=settings.spill_megabytes * MEBIBYTE,
            )
            through_sdk = settings.otlp_exporter == "sdk"
            return otlp_pipeline(otlp, attributes, limits=limits, shelf=shelf, through_sdk=through_sdk)
        case "console":
            return ConsoleSink()
        case "file":
            return PromptSpanFile(settings.output, attributes)
        case _:
            return Nowhere()
