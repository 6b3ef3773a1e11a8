"""`kspanpy replay` and `kspanpy demo`: a recording in, its stories out."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kspanpy.app.telling import moved
from kspanpy.core.model import Link, Span
from kspanpy.decode import nanoseconds

from .conftest import CommandLine


def spans_of(text: str) -> list[dict[str, Any]]:
    """The spans of a span file."""
    requests = [json.loads(line) for line in text.splitlines()]
    scopes = [
        scope for request in requests for resource in request["resourceSpans"] for scope in resource["scopeSpans"]
    ]
    return [span for scope in scopes for span in scope["spans"]]


class TestReplay:
    """`kspanpy replay`."""

    def test_spans_go_to_stdout_and_a_summary_to_stderr(self, kspanpy: CommandLine, capture: Path) -> None:
        """So that a pipe gets spans and nothing else."""
        result = kspanpy("replay", str(capture))
        spans = spans_of(result.out)
        assert result.code == 0
        assert f"261 lines · 85 events · 8 stories · {len(spans)} spans" in result.err
        assert len([span for span in spans if not span.get("parentSpanId")]) == 8

    def test_every_event_has_its_span(self, kspanpy: CommandLine, capture: Path) -> None:
        """85 events seen, 85 event spans."""
        spans = spans_of(kspanpy("replay", str(capture)).out)
        assert sum(any(a["key"] == "k8s.event.uid" for a in span["attributes"]) for span in spans) == 85

    def test_the_same_file_gives_the_same_bytes(self, kspanpy: CommandLine, capture: Path) -> None:
        """However it is compressed, and however often."""
        packed = capture.with_suffix(".ndjson.gz")
        packed.write_bytes(gzip.compress(capture.read_bytes()))
        first, second = (kspanpy("replay", str(path)).out for path in (capture, packed))
        assert first == second

    def test_output_names_a_file(self, kspanpy: CommandLine, capture: Path, tmp_path: Path) -> None:
        """Stdout is then silent."""
        printed = kspanpy("replay", str(capture)).out
        result = kspanpy("replay", str(capture), "--output", "spans.json")
        assert (result.out, (tmp_path / "spans.json").read_text()) == ("", printed)

    def test_standard_input(self, capture: Path) -> None:
        """`-` reads what is piped."""
        done = subprocess.run(
            [sys.executable, "-m", "kspanpy", "replay", "-", "--list"],
            input=capture.read_bytes(),
            capture_output=True,
            check=True,
        )
        assert done.stdout.count(b"Deployment rollout") == 5

    def test_the_output_of_kubectl(self, kspanpy: CommandLine, tmp_path: Path, capture: Path) -> None:
        """Events alone are enough for stories: the tree needs no cluster."""
        objects = [json.loads(line).get("object", {}) for line in capture.read_text().splitlines()]
        events = [thing for thing in objects if thing.get("kind") == "Event"]
        (tmp_path / "events.json").write_text(
            json.dumps({"apiVersion": "v1", "kind": "List", "items": events}, indent=4)
        )
        result = kspanpy("replay", "events.json", "--tree")
        assert result.code == 0
        assert "Created pod: " in result.out

    def test_a_list_has_a_line_for_each_story(self, kspanpy: CommandLine, capture: Path) -> None:
        """Under a line of titles; stdout has no spans then."""
        lines = kspanpy("replay", str(capture), "--list").out.splitlines()
        assert len(lines) == 9
        assert lines[0].split() == ["start", "took", "story", "object", "spans", "outcome", "trace"]
        assert sum("failed" in line for line in lines) == 1

    def test_what_can_not_be_read_is_counted(self, kspanpy: CommandLine, capture: Path) -> None:
        """A broken line costs itself."""
        lines = capture.read_text().splitlines()
        lines[100:100] = ["{broken", '{"type":"ADDED","object":{"kind":"Pod"}}']
        capture.write_text("\n".join(lines) + "\n")
        result = kspanpy("replay", str(capture), "--list")
        assert result.code == 0
        assert "85 events" in result.err
        assert "1 malformed (not-json)" in result.err

    def test_a_full_disk_is_an_error(self, kspanpy: CommandLine, capture: Path) -> None:
        """One line and exit code 1, not a file that looks complete."""
        result = kspanpy("replay", str(capture), "--output", "/dev/full")
        assert result.code == 1
        assert "did not reach" in result.err

    def test_settings_of_the_stories_have_flags(self, kspanpy: CommandLine, capture: Path) -> None:
        """And are checked like everywhere."""
        result = kspanpy("replay", str(capture), "--settle-seconds", "-1")
        assert (result.code, result.err.startswith("kspanpy: --settle-seconds -1: must be")) == (2, True)


class TestDemo:
    """`kspanpy demo`: no cluster, no backend."""

    def test_it_tells_a_rollout_that_works_and_one_that_does_not(self, kspanpy: CommandLine, tmp_path: Path) -> None:
        """As trees with durations, in a few seconds; the spans go to a file."""
        began = time.monotonic()
        result = kspanpy("demo")
        assert result.code == 0
        assert time.monotonic() - began < 5
        assert "● Deployment rollout  shop/web  gen 2" in result.out
        assert "✗ Deployment rollout  shop/api  gen 2" in result.out
        assert len(spans_of((tmp_path / "kspanpy-demo.json").read_text())) > 100

    def test_all_stories_on_demand(self, kspanpy: CommandLine) -> None:
        """--all."""
        assert kspanpy("demo", "--all").out.count(" spans · trace ") == 8

    def test_a_backend_that_is_not_there_is_an_error(
        self, kspanpy: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was asked for, so it is said."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        result = kspanpy("demo", "--shutdown-seconds", "1")
        assert result.code == 1
        assert "did not reach http://127.0.0.1:9" in result.err

    def test_moved_spans_are_the_same_story_at_another_time(self) -> None:
        """They end now; trees and links hold; a second demo is another trace."""
        first = Span(b"a" * 16, b"1" * 8, b"", "Deployment rollout", "kubernetes", 1_000, 5_000, {})
        event = {"k8s.event.start_time": "2026-01-01T00:00:00.000000Z"}
        second = Span(
            b"b" * 16, b"2" * 8, b"", "x", "y", 2_000, 3_000, dict(event), "", (Link(b"a" * 16, b"1" * 8, "r"),)
        )
        now = 10**18
        moved_first, moved_second = moved([first, second], now_ns=now)
        assert (moved_first.end_ns, moved_first.start_ns) == (now, now - 4_000)
        assert moved_second.links[0].trace_id == moved_first.trace_id != first.trace_id
        before, after = (nanoseconds(str(span.attributes["k8s.event.start_time"])) for span in (second, moved_second))
        assert before is not None
        assert after is not None
        assert abs((after - before) - (now - 5_000)) <= 1_000  # the text has microseconds
        assert moved([first], now_ns=now + 1)[0].trace_id != moved_first.trace_id
