"""The outputs that write lines: the span file and the console."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

import pytest

from kspanpy.errors import UsageError
from kspanpy.export import ConsoleSink, DropReason, SpanFile
from tests.export.spans import T0, span, spans


def read(path) -> list[dict]:
    """The lines of a span file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def ids(line: dict) -> list[str]:
    """The span ids of one line."""
    return [one["spanId"] for rs in line["resourceSpans"] for ss in rs["scopeSpans"] for one in ss["spans"]]


def test_lines_of_at_most_512_spans(tmp_path):
    """In order, whatever the portions in which they came; the rest at the end; every line an OTLP request."""
    path = tmp_path / "spans.jsonl"
    sink = SpanFile(str(path), {"k8s.cluster.uid": "c-1"})
    for first in range(1, 1201, 100):
        sink.offer(spans(100, first))
    assert sink.stats().queued == 1200 - 1024
    sink.close()
    lines = read(path)
    assert [len(ids(line)) for line in lines] == [512, 512, 176]
    assert [one for line in lines for one in ids(line)] == [f"{number:016x}" for number in range(1, 1201)]
    stats = sink.stats()
    assert (stats.emitted, stats.acknowledged, stats.dropped_total, stats.queued) == (1200, 1200, 0, 0)


def test_the_same_spans_make_the_same_file(tmp_path):
    """However they were portioned."""
    for name, portion in (("a", 1), ("b", 700)):
        sink = SpanFile(str(tmp_path / name))
        for first in range(1, 1401, portion):
            sink.offer(spans(portion, first))
        sink.close()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_drain_writes_what_is_there(tmp_path):
    """And says that it could."""
    sink = SpanFile(str(tmp_path / "s"))
    sink.offer(spans(2))
    assert sink.drain(1.0)
    assert len(ids(read(tmp_path / "s")[0])) == 2
    sink.close()
    sink.close()
    sink.offer(spans(1))
    assert sink.stats().dropped[DropReason.SHUTDOWN] == 1


@pytest.mark.parametrize("name", ["missing/folder/s.jsonl", ".", "nul\0name"])
@pytest.mark.parametrize("sink", [SpanFile, ConsoleSink])
def test_an_unwritable_path_is_a_usage_error(tmp_path, sink, name):
    """One line, at once."""
    with pytest.raises(UsageError, match="can not be written"):
        sink(f"{tmp_path}/{name}")


def test_a_bad_span_costs_itself(tmp_path):
    """The others of its line are written."""
    sink = SpanFile(str(tmp_path / "s"))
    sink.offer([*spans(3), span(4, end_ns=2**64), span(5, name="a\ud800")])
    sink.close()
    assert len(ids(read(tmp_path / "s")[0])) == 4
    stats = sink.stats()
    assert (stats.dropped[DropReason.INVALID_TIME], stats.repaired, stats.acknowledged) == (1, 1, 4)


def test_a_full_disk_leaves_whole_lines(tmp_path):
    """A line that does not fit is taken back and counted; nothing raises."""
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sink = SpanFile(str(tmp_path / "s"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        sink.offer(spans(2048))
        sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    written = sum(len(ids(line)) for line in read(tmp_path / "s"))
    stats = sink.stats()
    assert 0 < written < 2048
    assert (stats.acknowledged, stats.dropped[DropReason.WRITE_FAILED]) == (written, 2048 - written)
    assert stats.last_error
    assert not sink.drain(0.0)


@pytest.mark.parametrize("sink", ["SpanFile", "ConsoleSink"])
def test_nobody_reads_the_pipe(sink):
    """`kspanpy replay x | head`: no traceback, no message at exit; the loss is counted and can be seen."""
    program = (
        "import sys, kspanpy.export as e\n"
        "from tests.export.spans import spans\n"
        f"sink = e.{sink}('-')\n"
        "for _ in range(20): sink.offer(spans(512))\n"
        "sink.drain(0); sink.close()\n"
        "stats = sink.stats()\n"
        "assert sink.is_broken and stats.acknowledged + stats.dropped['write_failed'] == 20 * 512\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stdout:
        run = subprocess.run(
            [sys.executable, "-c", program], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (run.returncode, run.stderr) == (0, "")


def test_standard_output_may_be_an_object_in_memory(capsysbinary):
    """As in tests of the command line."""
    sink = SpanFile("-")
    sink.offer(spans(1))
    sink.close()
    assert ids(json.loads(capsysbinary.readouterr().out)) == [f"{1:016x}"]


def test_readable_lines(tmp_path):
    """Time, duration, service, name, object, message, error."""
    path = tmp_path / "lines"
    sink = ConsoleSink(str(path))
    attributes = {
        "k8s.namespace.name": "shop",
        "k8s.object.name": "web-1",
        "k8s.event.message": "Started container web",
    }
    sink.offer([
        span(1, start_ns=T0 + 5_000_000, end_ns=T0 + 12_000_000, attributes=attributes),
        span(2, end_ns=T0 + 2_500_000_000, attributes={}, error="BackOff"),
        span(3, end_ns=T0 + 125_000_000_000),
        span(4, end_ns=2**64 - 1),
        span(5, start_ns=None),
    ])  # fmt: skip
    assert sink.drain(0.0)
    sink.close()
    lines = path.read_text().splitlines()
    assert (
        " ".join(lines[0].split())
        == "2027-01-15T08:00:00.005Z 7ms kubelet Pod.Started shop/web-1 Started container web"
    )
    assert "2.5s" in lines[1]
    assert lines[1].endswith("ERROR: BackOff")
    assert "2m05s" in lines[2]
    assert len(lines) == 4
    assert sink.stats().dropped[DropReason.INVALID_TIME] == 1


def test_no_control_characters_on_the_console(tmp_path):
    """Whatever an Event contains: one line, printable, of bounded length."""
    path = tmp_path / "lines"
    sink = ConsoleSink(str(path))
    evil = "\x1b]0;title\x07\r\n\u202e\x9b2J" + "x" * 10_000
    sink.offer(
        [span(1, name=evil, service=evil, error=evil, attributes={"k8s.event.message": evil, "k8s.object.name": evil})]
    )
    sink.close()
    text = path.read_text()
    assert text.count("\n") == 1
    assert text[:-1].isprintable()
    assert len(text) < 1500
