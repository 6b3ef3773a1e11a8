"""Which sink the settings ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kspanpy.app import sinks
from kspanpy.core.model import Span
from kspanpy.errors import UsageError
from kspanpy.export import ConsoleSink, otlp_settings
from kspanpy.export.pipeline import OtlpPipeline
from kspanpy.settings import Settings

SPAN = Span(b"t" * 16, b"s" * 8, b"", "Pod startup", "kubernetes", 1, 2, {})


def make(**settings: object) -> sinks.SpanSink:
    """The sink of these settings."""
    return sinks.make(Settings(**settings), otlp_settings({}), cluster_uid="c-1")  # type: ignore[arg-type]


def test_otlp_is_the_default_with_the_limits_of_the_settings() -> None:
    """Its capacity is KSPANPY_QUEUE_SPANS and KSPANPY_QUEUE_MEGABYTES."""
    sink = make(queue_spans=1000, queue_megabytes=8)
    try:
        assert isinstance(sink, OtlpPipeline)
        stats = sink.stats()
        assert (stats.capacity, stats.capacity_bytes) == (1000, 8 * 1024 * 1024)
    finally:
        sink.close()


def test_a_file_is_written_at_once(tmp_path: Path) -> None:
    """Somebody may follow it: no span waits for a full line. The cluster is in the resource."""
    sink = make(exporter="file", output=str(tmp_path / "spans.json"), cluster_name="blue")
    sink.offer([SPAN])
    (line,) = (tmp_path / "spans.json").read_text().splitlines()
    sink.close()
    attributes = json.loads(line)["resourceSpans"][0]["resource"]["attributes"]
    assert {a["key"]: a["value"]["stringValue"] for a in attributes} == {
        "k8s.cluster.name": "blue",
        "k8s.cluster.uid": "c-1",
        "service.name": "kubernetes",
    }


def test_the_others() -> None:
    """Lines for a person, and nothing at all, which still counts."""
    assert isinstance(make(exporter="console"), ConsoleSink)
    nowhere = make(exporter="none")
    nowhere.offer([SPAN, SPAN])
    assert (nowhere.drain(0.0), nowhere.stats().emitted, nowhere.stats().acknowledged) == (True, 2, 2)
    nowhere.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"exporter": "file"}, "KSPANPY_OUTPUT is needed by the exporter `file`"),
        ({"exporter": "otlp", "output": "x"}, "only the exporter `file` uses it"),
    ],
)
def test_a_file_needs_a_name_and_a_name_needs_a_file(settings: dict[str, str], said: str) -> None:
    """A contradiction is an error, not a guess."""
    with pytest.raises(UsageError, match=said):
        make(**settings)
