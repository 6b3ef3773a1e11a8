"""Reading recordings: whatever is usable comes out, in order of receipt; the rest is counted."""

import gzip
import io
import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.decode import Malformed, MalformedReason, nanoseconds, rfc3339
from kspanpy.errors import InputError, KspanpyError, UsageError
from kspanpy.replay import Capture, Header, read

FIXTURES = Path(__file__).parents[1] / "fixtures"
CAPTURES = sorted((FIXTURES / "captures").glob("*.ndjson.gz"))
HEADER = b'{"capture":1,"kubernetes":"v1.36.3","cluster":{"uid":"cu"},"recorded":"2026-01-01T00:00:00Z","namespaces":["shop"]}'
START = nanoseconds("2026-01-01T00:00:00Z")
SECOND = 1_000_000_000


def pod(name, second=None, type_="ADDED"):
    """A line about a Pod."""
    body = {"type": type_, "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "uid": name}}}
    if second is not None:
        body = {"received": rfc3339(START + second * SECOND)} | body
    return json.dumps(body).encode()


def event(name, **fields):
    """An Event as kubectl lists it."""
    return {"kind": "Event", "apiVersion": "v1", "metadata": {"name": name, "uid": name}, "count": 1} | fields


def reading(*lines, end=b"\n"):
    """A recording of these lines."""
    return read("-", stream=io.BytesIO(b"\n".join(lines) + end))


def told(capture):
    """Names, or reasons, in order."""
    return [e.what.reason.value if isinstance(e.what, Malformed) else e.what.object.name for e in capture]


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_recorded_captures_are_read_whole(path):
    """Every line but the header is a change, and time does not go back."""
    with read(str(path)) as capture:
        assert capture.header.cluster_uid == "9bd9209a-476a-414b-9d8b-bb58a837bc1e"
        assert capture.header.kubernetes == "v1.36.3"
        entries = list(capture)
    assert len(entries) == len(gzip.decompress(path.read_bytes()).splitlines()) - 1
    assert not [entry for entry in entries if isinstance(entry.what, Malformed)]
    times = [entry.received_ns for entry in entries]
    assert times == sorted(times)


def test_plain_gzip_and_standard_input_are_the_same(tmp_path, monkeypatch):
    """The content says what it is, not the name."""
    data = gzip.decompress(CAPTURES[0].read_bytes())
    (tmp_path / "plain.gz").write_bytes(data)
    (tmp_path / "packed").write_bytes(gzip.compress(data))
    half = len(data) // 2
    (tmp_path / "members").write_bytes(gzip.compress(data[:half]) + gzip.compress(data[half:]) + b"\0" * 100)
    with read(str(CAPTURES[0])) as capture:
        expected = told(capture)
    for name in ("plain.gz", "packed", "members"):
        with read(str(tmp_path / name)) as capture:
            assert told(capture) == expected
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    with read("-") as capture:
        assert told(capture) == expected


def test_the_header_may_be_missing():
    """Nothing is known of the cluster then."""
    capture = reading(pod("a", 1))
    assert capture.header == Header()
    assert told(capture) == ["a"]


def test_the_header_may_be_partly_missing_or_odd():
    """Each field for itself."""
    assert reading(b'{"capture":1,"cluster":null,"namespaces":[null,"a",5]}').header == Header(namespaces=("a",))


def test_a_newer_format_is_refused():
    """Guessing would give wrong traces."""
    with pytest.raises(InputError, match="format 2; this version of kspanpy reads format 1"):
        reading(b'{"capture":2}')


def test_lines_out_of_order_are_put_right_and_equal_times_stay():
    """Within 64 lines; the order of the file decides between equal times."""
    capture = reading(HEADER, pod("a", 1), pod("c", 3), pod("b", 2), pod("c2", 3), pod("c3", 3), pod("d", 4))
    assert told(capture) == ["a", "b", "c", "c2", "c3", "d"]


def test_a_line_far_out_of_order_comes_late_but_comes():
    """The window is bounded."""
    lines = [pod(f"p{number}", number + 10) for number in range(200)]
    names = told(reading(HEADER, *lines, pod("late", 0)))
    assert sorted(names) == sorted([f"p{number}" for number in range(200)] + ["late"])
    assert names.index("late") == 200 - 64


def test_a_line_without_a_time_has_that_of_the_line_before():
    """Also a line whose time is garbage; the first one falls back on the header."""
    bad_time = pod("c", 9).replace(b"2026-", b"someday-")
    entries = list(reading(HEADER, pod("a"), pod("b", 5), bad_time, pod("d", 6)))
    assert [entry.received_ns - START for entry in entries] == [0, 5 * SECOND, 5 * SECOND, 6 * SECOND]


def test_bad_lines_are_counted_in_their_place():
    """The others come out."""
    capture = reading(HEADER, pod("a", 1), b"garbage", b"{}", b"", b'{"type":"ADDED","object":5}', pod("b", 2))
    assert told(capture) == ["a", "not-json", "unknown-type", "not-an-object", "b"]


def test_the_first_line_may_be_bad():
    """A file whose beginning was lost is still a recording."""
    assert told(reading(b'0Z","type":"ADDED"}', pod("a", 1))) == ["not-json", "a"]


def test_a_last_line_without_its_end_counts_if_it_is_whole():
    """A recorder that was killed."""
    assert told(reading(HEADER, pod("a", 1), pod("b", 2), end=b"")) == ["a", "b"]
    assert told(reading(HEADER, pod("a", 1), pod("b", 2)[:-5], end=b"")) == ["a", "cut-off"]


def test_windows_line_ends_and_a_byte_order_mark_are_accepted():
    """Editors add them."""
    lines = b"\r\n".join([b"\xef\xbb\xbf" + HEADER, pod("a", 1), pod("b", 2), b""])
    capture = read("-", stream=io.BytesIO(lines))
    assert capture.header.cluster_uid == "cu"
    assert told(capture) == ["a", "b"]


def test_bookmarks_and_errors_of_a_watch_are_no_changes():
    """`kubectl get --raw '...?watch=1'` writes them between the others."""
    bookmark = b'{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"3"}}}'
    failure = b'{"type":"ERROR","object":{"kind":"Status","code":410}}'
    assert told(reading(pod("a"), bookmark, failure, pod("b"))) == ["a", "b"]


def test_bare_objects_are_changes_too():
    """`jq -c .items[]` of a list."""
    first, second = (
        json.dumps(event(n, lastTimestamp=f"2026-01-01T00:00:0{s}Z")).encode() for n, s in (("b", 5), ("a", 1))
    )
    entries = list(reading(first, second))
    assert [(e.what.object.name, e.received_ns - START) for e in entries] == [("a", SECOND), ("b", 5 * SECOND)]


@pytest.mark.parametrize("indent", [4, None])
@pytest.mark.parametrize("kind", ["List", "EventList"])
def test_the_output_of_kubectl_is_ordered_by_time(indent, kind):
    """Items come as if they had been received when they happened."""
    items = [
        event("late", lastTimestamp="2026-01-01T00:00:09Z"),
        event(
            "series",
            eventTime="2026-01-01T00:00:01.5Z",
            series={"count": 2, "lastObservedTime": "2026-01-01T00:00:07Z"},
        ),
        event("exact", eventTime="2026-01-01T00:00:02.500000Z"),
        event("created", metadata={"name": "created", "uid": "c", "creationTimestamp": "2026-01-01T00:00:01Z"}),
        None,
    ]
    document = {"apiVersion": "v1", "items": items, "kind": kind, "metadata": {"resourceVersion": ""}}
    capture = read("-", stream=io.BytesIO(json.dumps(document, indent=indent).encode() + b"\n"))
    entries = list(capture)
    assert [e.what.object.name for e in entries if not isinstance(e.what, Malformed)] == [
        "created",
        "exact",
        "series",
        "late",
    ]
    assert [e.what.reason for e in entries if isinstance(e.what, Malformed)] == [MalformedReason.NOT_AN_OBJECT]
    assert entries[0].received_ns == START + SECOND


def test_items_of_a_typed_list_need_no_kind():
    """The API server's own lists."""
    items = [{"metadata": {"name": "a", "uid": "a"}, "message": "m", "lastTimestamp": "2026-01-01T00:00:09Z"}]
    document = {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": items}
    (entry,) = read("-", stream=io.BytesIO(json.dumps(document).encode()))
    assert entry.what.object.message == "m"


def test_a_list_that_ends_in_the_middle_gives_what_is_whole():
    """A full disk while kubectl wrote."""
    items = [event(f"e{number}", lastTimestamp="2026-01-01T00:00:09Z") for number in range(10)]
    data = json.dumps({"apiVersion": "v1", "items": items, "kind": "List"}, indent=4).encode()
    names = told(read("-", stream=io.BytesIO(data[: len(data) // 2])))
    assert names[:4] == ["e0", "e1", "e2", "e3"]
    assert names[-1] == "cut-off"


def test_one_object_alone_is_a_recording_of_one():
    """`kubectl get event NAME -o json`."""
    assert told(read("-", stream=io.BytesIO(json.dumps(event("only"), indent=4).encode()))) == ["only"]


@pytest.mark.parametrize("cut", [1, 9, 100, 5000])
def test_a_gzip_file_without_its_end_gives_what_is_there(cut):
    """Everything before the damage, then one Malformed that says so."""
    packed = gzip.compress(b"\n".join([HEADER, *(pod(f"p{n}", n) for n in range(3000))]) + b"\n", 1)
    names = told(read("-", stream=io.BytesIO(packed[:-cut])))
    assert names[-1] == "damaged"
    assert names[:500] == [f"p{n}" for n in range(500)]


def test_a_gzip_file_with_a_damaged_middle_gives_what_is_before():
    """Not only whole buffers."""
    body = b"\n".join([HEADER, *(pod(f"p{n}-{zlib.crc32(b'%d' % n)}", n) for n in range(3000))]) + b"\n"
    packed = bytearray(gzip.compress(body))
    middle = len(packed) // 2
    packed[middle : middle + 64] = b"\xff" * 64
    names = told(read("-", stream=io.BytesIO(packed)))
    assert "damaged" in names
    assert len(names) > 500


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (bytes(range(256)) * 20, "is not a capture; expected a capture file"),
        (b"apiVersion: v1\nitems:\n", "it is YAML: use `-o json`"),
        (b"LAST SEEN   TYPE\n", "it is a table"),
        ("\ufeff{}".encode("utf-16-le"), "it is UTF-16"),
        (b"<html></html>", "is not a capture"),
        (b'{\n  "name": "package"\n}', "has no Kubernetes objects"),
        (b'{"apiVersion":"v1","items":[],"kind":"List"}', "has no Kubernetes objects"),
        (b"\x1f\x8b\x08garbage", "is damaged from the beginning"),
        (gzip.compress(b"", mtime=0), "is empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:12]),
)
def test_what_is_not_a_recording_is_refused_with_advice(tmp_path, content, message):
    """One line that names the file and what to do."""
    path = tmp_path / "input"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read(str(path))
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_can_not_be_opened_is_a_usage_error(tmp_path):
    """Missing, or a directory."""
    with pytest.raises(UsageError, match="there is no such file"):
        read(str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="is a directory"):
        read(str(tmp_path))
    with pytest.raises(UsageError, match="can not be opened"):
        read("a\0b")


def test_a_line_beyond_the_limit_costs_only_itself():
    """Memory stays bounded."""
    huge = b'{"type":"ADDED","note":"' + b"x" * (21 * 1024 * 1024) + b'"}'
    assert told(reading(HEADER, pod("a", 1), huge, pod("b", 2))) == ["a", "too-large", "b"]


@given(st.binary(max_size=500))
def test_any_bytes_are_read_or_refused(data):
    """Nothing but the two errors, and those before the first entry."""
    for content in (data, b"{" + data, HEADER + b"\n" + data, b"\x1f\x8b\x08\x00" + data):
        try:
            capture = read("-", stream=io.BytesIO(content))
        except KspanpyError:
            continue
        assert isinstance(capture, Capture)
        list(capture)


@given(st.binary(min_size=1, max_size=20), st.integers(0, 10_000))
def test_any_damage_to_a_gzip_file_is_survived(patch, position):
    """Entries come out, or an error before the first."""
    data = bytearray(CAPTURES[0].read_bytes())
    position %= len(data)
    data[position : position + len(patch)] = patch
    try:
        capture = read("-", stream=io.BytesIO(bytes(data)))
    except KspanpyError:
        return
    list(capture)
