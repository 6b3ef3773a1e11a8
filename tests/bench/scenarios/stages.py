"""The stages of an event's way, each alone in this process: decode, linker, encode. CPU time, the best of several rounds."""

from __future__ import annotations

import functools
import gc
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope as SdkScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from kspanpy.core.linker import Linker
from kspanpy.core.model import Span
from kspanpy.core.steps import SpanEnded
from kspanpy.decode import object_from
from kspanpy.export.encode import Encoder
from tests.bench.cluster import Cluster
from tests.bench.feeding import BATCH, at_ns, cluster, lines, linker_of, step
from tests.bench.figures import Compare, Figure
from tests.bench.reader import Line

BLOCK: Final = 1_000


def timed(variants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least CPU seconds of each, which take turns."""
    best = dict.fromkeys(variants, float("inf"))
    for _ in range(rounds):
        for name, run in variants.items():
            gc.collect()
            began = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - began)
    return best


def decode(*, short: bool, folder: Path) -> Iterator[Figure]:
    """A watch line of an Event into the linker's input; the yardstick decodes only the few fields of `reader.py`."""
    made = cluster(1000, 100)
    some = lines(made, 0, 4_000 if short else 20_000)
    plain = msgspec.json.Decoder(Line)
    best = timed(
        {
            "ours": lambda: [step(line) for line in some],
            "bare": lambda: [plain.decode(line) for line in some],
        },
        5,
    )
    pods = [json.dumps(item).encode() for item, _ in zip(made.items("Pod"), range(1000), strict=False)]
    objects = timed({"pod": lambda: [object_from(pod) for pod in pods]}, 5)
    yield Figure("decode", "an Event", best["ours"] / len(some) * 1e6, "µs")
    yield Figure("decode", "msgspec, few fields", best["bare"] / len(some) * 1e6, "µs")
    yield Figure("decode", "against msgspec", best["ours"] / best["bare"], "x", compare=Compare.RATIO)
    yield Figure("decode", f"a Pod ({sum(map(len, pods)) // len(pods)} bytes)", objects["pod"] / len(pods) * 1e6, "µs")


def blocks(linker: Linker, made: Cluster, first: int, count: int) -> list[float]:
    """CPU seconds of each block of `BLOCK` Events; they are decoded before the clock runs."""
    costs = []
    for start in range(first, first + count, BLOCK):
        steps = [(step(line), at_ns(start + at)) for at, line in enumerate(lines(made, start, BLOCK))]
        began = time.process_time()
        for fact, now_ns in steps:
            linker.step(fact, now_ns)
        costs.append(time.process_time() - began)
    return costs


def linker(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Decoded Events in, spans out: how fast, and whether the millionth costs what the first did, and the hundred thousandth Pod."""
    most_events, most_pods = (40_000, 10_000) if short else (1_000_000, 100_000)
    made = cluster(1000, 100)
    costs = blocks(linker_of(made), made, 0, most_events)
    # The first virtual minute is a warm-up: stories open, nothing is forgotten yet.
    start, end = costs[10:40], costs[-20:]
    typical = statistics.median(costs) / BLOCK
    yield Figure("linker", "events on one core", 1 / typical, "/s", goal=40_000, at_least=True)
    yield Figure("linker", "an event", typical * 1e6, "µs")
    name = f"the last of {most_events} events against the ten thousandth"
    yield _flat(name, statistics.median(end) / statistics.median(start), decades=math.log10(most_events / 10_000))
    few = 10
    sizes = {pods: cluster(pods, max(pods // 10, 1)) for pods in (few, most_pods)}
    linkers = {pods: linker_of(made) for pods, made in sizes.items()}
    each: dict[str, list[float]] = {"few": [], "same": [], "all": []}
    for turn in range(10):  # they take turns
        first = turn * 2 * BLOCK
        each["few"] += blocks(linkers[few], sizes[few], first, 2 * BLOCK)
        each["same"] += blocks(linkers[most_pods], sizes[few], first, 2 * BLOCK)
    del linkers[few]
    for turn in range(10, 20):
        each["all"] += blocks(linkers[most_pods], sizes[most_pods], turn * 2 * BLOCK, 2 * BLOCK)
    decades = math.log10(most_pods / few)
    base = statistics.median(each["few"])
    yield _flat(
        f"with {most_pods} live Pods against {few}, events about {few}",
        statistics.median(each["same"]) / base,
        decades=decades,
    )
    yield _flat(
        f"with {most_pods} live Pods against {few}, events about all",
        statistics.median(each["all"]) / base,
        decades=decades,
        compare=Compare.NO,  # how much of the processor's caches others take moves it by a quarter from run to run
    )


def _flat(name: str, ratio: float, *, decades: float, compare: Compare = Compare.RATIO) -> Figure:
    """The growth law of the hot path: ten times the input, at most eleven times the cost."""
    return Figure("linker", name, ratio, "x", goal=round(1.1**decades, 2), compare=compare)


def spans(count: int) -> list[Span]:
    """What the linker makes of so many Events."""
    made = cluster(1000, 100)
    linker = linker_of(made)
    found = []
    for number, line in enumerate(lines(made, 0, count)):
        found += [out.span for out in linker.step(step(line), at_ns(number)) if isinstance(out, SpanEnded)]
    found += [out.span for out in linker.finish(at_ns(count)) if isinstance(out, SpanEnded)]
    return found


def encode(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Spans into OTLP requests of 512: ours, protobuf messages built by hand, and the SDK exporter's encoding."""
    some = spans(3_000 if short else 10_000)
    batches = [some[at : at + BATCH] for at in range(0, len(some), BATCH)]
    encoder = Encoder({"k8s.cluster.uid": "c"})
    for_sdk = [[_readable(span) for span in batch] for batch in batches]
    best = timed(
        {
            "ours": lambda: [encoder.encode(batch) for batch in batches],
            "hand": lambda: [by_hand(batch) for batch in batches],
            "sdk": lambda: [encode_spans(batch).SerializeToString() for batch in for_sdk],
        },
        5,
    )
    yield Figure("encode", "a span", best["ours"] / len(some) * 1e6, "µs")
    yield Figure("encode", "built by hand", best["hand"] / len(some) * 1e6, "µs")
    yield Figure("encode", "the SDK exporter's encoding", best["sdk"] / len(some) * 1e6, "µs")
    yield Figure("encode", "against by hand", best["ours"] / best["hand"], "x", goal=1.5, compare=Compare.RATIO)
    yield Figure("encode", "against the SDK's", best["ours"] / best["sdk"], "x", compare=Compare.RATIO)


def by_hand(batch: Sequence[Span]) -> bytes:
    """A request as one would write it with the public messages: a ResourceSpans for each service, nothing checked, nothing kept."""
    request = ExportTraceServiceRequest()
    scopes: dict[str, otlp.ScopeSpans] = {}
    for span in batch:
        scope = scopes.get(span.service)
        if scope is None:
            group = request.resource_spans.add(
                resource=Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=span.service))])
            )
            scope = scopes[span.service] = group.scope_spans.add(scope=InstrumentationScope(name="kspanpy"))
        scope.spans.append(
            otlp.Span(
                trace_id=span.trace_id,
                span_id=span.span_id,
                parent_span_id=span.parent_id or b"",
                flags=256,
                name=span.name,
                kind=otlp.Span.SPAN_KIND_INTERNAL,
                start_time_unix_nano=span.start_ns,
                end_time_unix_nano=span.end_ns,
                attributes=[KeyValue(key=key, value=_any(value)) for key, value in span.attributes.items()],
                links=[otlp.Span.Link(trace_id=link.trace_id, span_id=link.span_id, flags=256) for link in span.links],
                status=otlp.Status(code=otlp.Status.STATUS_CODE_ERROR, message=span.error)
                if span.error
                else otlp.Status(),
            )
        )
    return request.SerializeToString()


def _any(value: object) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(double_value=value)  # type: ignore[arg-type]


@functools.cache
def _sdk_resource(service: str) -> SdkResource:
    return SdkResource({"service.name": service})


def _readable(span: Span) -> ReadableSpan:
    trace_id = int.from_bytes(span.trace_id, "big")
    own = SpanContext(trace_id, int.from_bytes(span.span_id, "big"), is_remote=False, trace_flags=TraceFlags(1))
    parent = SpanContext(trace_id, int.from_bytes(span.parent_id, "big"), is_remote=False) if span.parent_id else None
    return ReadableSpan(
        name=span.name,
        context=own,
        parent=parent,
        resource=_sdk_resource(span.service),
        attributes=span.attributes,
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=SdkScope("kspanpy"),
    )
