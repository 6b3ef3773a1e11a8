"""Where spans go: OTLP by gRPC or HTTP, the span file, the console.

    settings, variables     the standard OTEL_* variables -> OtlpSettings
    checked                 the last gate: one bad span costs itself
    wire, encode, otlp_json spans -> protobuf bytes, JSON lines
    queue, delivery, retry  sans-IO: what waits, what is sent next, what an answer means
    shelf, shelving         where what waits is kept on disk, and the driver between it and the queue
    otlp_grpc, otlp_http    single attempts that send ready bytes; answers: what receivers say; otlp_sdk: by the SDK
    pipeline                the thread that carries it all out; file, console: the other sinks

Importing this package imports neither gRPC nor requests nor protobuf; what is sent needs no protobuf at all.
"""

from kspanpy.export.console import ConsoleSink
from kspanpy.export.file import SpanFile
from kspanpy.export.otlp import otlp_pipeline, otlp_sender
from kspanpy.export.queue import OVERHEAD, EncodedSpan, QueueLimits
from kspanpy.export.resource import cluster_attributes
from kspanpy.export.settings import OtlpSettings, otlp_settings
from kspanpy.export.shelf import Shelf
from kspanpy.export.sink import AttemptResult, DropReason, ExportStats, SpanSink

__all__ = [
    "OVERHEAD",
    "AttemptResult",
    "ConsoleSink",
    "DropReason",
    "EncodedSpan",
    "ExportStats",
    "OtlpSettings",
    "QueueLimits",
    "Shelf",
    "SpanFile",
    "SpanSink",
    "cluster_attributes",
    "otlp_pipeline",
    "otlp_sender",
    "otlp_settings",
]
