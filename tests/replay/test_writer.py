"""Writing recordings: whole lines, soon on disk, readable again; a full disk does not stop the watch."""

import gzip
import io
import json
import threading
from pathlib import Path

import msgspec

from kspanpy.decode import Change, list_page, nanoseconds
from kspanpy.replay import CaptureWriter, Header, read

DEPLOYMENT = Path(__file__).parents[1] / "fixtures" / "captures" / "deployment.ndjson.gz"
HEADER = Header(
    cluster_uid="cu", kubernetes="v1.36.3", namespaces=("shop",), recorded_ns=1_700_000_000_000_000_000, note="n"
)


def listed(item, kind="Pod", api_version="v1"):
    """An item of a list, as a change."""
    page = list_page(b'{"metadata":{},"items":[%s]}' % item, kind=kind, api_version=api_version)
    return Change("ADDED", page.items[0], page.raws[0])


def written(change):
    """The line for it."""
    stream = io.BytesIO()
    with CaptureWriter(stream, HEADER) as writer:
        assert writer.write(1_700_000_000_123_456_789, change)
    return stream.getvalue().splitlines()[1]


def test_a_capture_that_is_read_and_written_is_the_same_bytes():
    """Nothing is lost, reordered or reformatted on the way."""
    stream = io.BytesIO()
    with read(str(DEPLOYMENT)) as capture, CaptureWriter(stream, capture.header) as writer:
        for entry in capture:
            writer.write(entry.received_ns, entry.what)
    assert stream.getvalue() == gzip.decompress(DEPLOYMENT.read_bytes())
    assert writer.lost == 0


def test_the_header_reads_back():
    """All of it."""
    stream = io.BytesIO()
    CaptureWriter(stream, HEADER).close()
    stream.write(b'{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"x"}}}')
    stream.seek(0)
    assert read("-", stream=stream).header == HEADER


def test_stamps_have_microseconds():
    """As the contract writes them."""
    line = json.loads(written(listed(b'{"metadata":{"name":"x"}}')))
    assert line["received"] == "2023-11-14T22:13:20.123456Z"
    assert nanoseconds(line["received"]) == 1_700_000_000_123_456_000


def test_items_of_lists_get_their_kind_in_front():
    """They come without; the rest of their bytes stays."""
    line = written(listed(b'{"metadata":{"name":"x"} , "spec":{}}'))
    assert line.endswith(b'"object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"} , "spec":{}}}')
    line = json.loads(written(listed(b'{"kind":"Pod","metadata":{"name":"x"}}')))
    assert line["object"] == {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}}
    line = json.loads(written(listed(b'{"metadata":{"name":"x"}}', "Event")))
    assert line["object"]["kind"] == "Event"


def test_a_pretty_printed_object_becomes_one_line():
    """A capture has an object a line."""
    line = json.loads(written(listed(b'{\n  "metadata": {\n "name": "x"}\n}')))
    assert line["object"]["metadata"] == {"name": "x"}


def test_writers_of_several_threads_do_not_mix_their_lines():
    """One line at a time."""
    stream = io.BytesIO()
    change = listed(b'{"metadata":{"name":"x"}}')
    with CaptureWriter(stream, HEADER) as writer:
        threads = [threading.Thread(target=lambda: [writer.write(0, change) for _ in range(200)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 801
    assert {msgspec.json.decode(line)["type"] for line in lines[1:]} == {"ADDED"}


def test_lines_are_flushed_after_a_while_without_more_of_them():
    """Within a second (here: sooner), so that a killed recorder loses little."""
    flushed = threading.Event()

    class Stream(io.BytesIO):
        def flush(self):
            flushed.set()

    writer = CaptureWriter(Stream(), HEADER, flush_after_s=0.01)
    assert flushed.wait(5)
    flushed.clear()
    writer.write(0, listed(b'{"metadata":{"name":"x"}}'))
    assert flushed.wait(5)
    writer.close()


def test_a_full_disk_is_remembered_and_counted_and_nothing_raises():
    """The watch goes on."""

    class Full(io.BytesIO):
        def write(self, data):
            if self.tell() > 200:
                raise OSError(28, "No space left on device")
            return super().write(data)

    writer = CaptureWriter(Full(), HEADER)
    results = [writer.write(0, listed(b'{"metadata":{"name":"x"}}')) for _ in range(5)]
    assert results[-1] is False
    assert writer.written + writer.lost == 5
    assert writer.lost > 0
    assert writer.error is not None
    assert writer.error.errno == 28
    writer.close()
    assert writer.write(0, listed(b'{"metadata":{"name":"x"}}')) is False


def test_a_line_after_the_end_is_lost_and_counted():
    """Closing twice is fine, and so is a stream that was closed first."""
    stream = io.BytesIO()
    writer = CaptureWriter(stream, HEADER)
    stream.close()
    writer.close()
    writer.close()
    assert writer.write(0, listed(b'{"metadata":{"name":"x"}}')) is False
    assert writer.lost == 1
