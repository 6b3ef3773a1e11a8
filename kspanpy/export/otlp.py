"""Puts the OTLP output together. Imports gRPC or requests only when it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kspanpy.export.settings import OtlpSettings
from kspanpy.export.tls import TlsFiles

if TYPE_CHECKING:
    from kspanpy.export.pipeline import OtlpPipeline, Sender
    from kspanpy.export.queue import QueueLimits
    from kspanpy.export.shelf import Shelf


def otlp_sender(settings: OtlpSettings, *, through_sdk: bool = False) -> Sender:
    """What sends by the protocol of the settings; a `UsageError` if a TLS file can not be read.

    `through_sdk`: by the exporter of the OpenTelemetry SDK, which is otherwise not even imported.
    """
    TlsFiles(settings).check()
    if through_sdk:
        from kspanpy.export.otlp_sdk import SdkSender  # noqa: PLC0415

        return SdkSender(settings)
    if settings.protocol == "grpc":
        from kspanpy.export.otlp_grpc import GrpcSender  # noqa: PLC0415 - 0.4 s to import

        return GrpcSender(settings)
    from kspanpy.export.otlp_http import HttpSender  # noqa: PLC0415

    return HttpSender(settings)


def otlp_pipeline(
    settings: OtlpSettings,
    resource_attributes: Mapping[str, str] | None = None,
    *,
    limits: QueueLimits | None = None,
    shelf: Shelf | None = None,
    on_acknowledged: Callable[[Sequence[bytes]], None] | None = None,
    through_sdk: bool = False,
) -> OtlpPipeline:
    """A running OTLP output. `resource_attributes`: of `cluster_attributes`; without them, those of the settings alone.

    `through_sdk`: of `otlp_sender`.
    With a `shelf` nothing that was offered is lost with the process, and what waits there is sent; its owner closes it, afterwards.
    """
    from kspanpy.export.encode import Encoder  # noqa: PLC0415
    from kspanpy.export.pipeline import OtlpPipeline  # noqa: PLC0415

    attributes = settings.resource_attributes if resource_attributes is None else resource_attributes
    return OtlpPipeline(
        otlp_sender(settings, through_sdk=through_sdk),
        Encoder(attributes),
        settings,
        limits=limits,
        shelf=shelf,
        on_acknowledged=on_acknowledged,
    )
