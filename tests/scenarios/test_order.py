"""The same facts in another order make the same spans.

Each watch keeps its own order; watches overtake each other. What a span holds may depend on what was seen, never on which watch
was quicker, on being told twice, or on the process.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from kspanpy.core.linker import Linker
from kspanpy.core.model import SECOND, Event, Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.decode import Change
from kspanpy.replay import read, replay
from kspanpy.replay.reader import Entry

CAPTURES = sorted((Path(__file__).resolve().parents[1] / "fixtures" / "captures").glob("*.ndjson.gz"))
EACH_CAPTURE = pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name.partition(".")[0])
WITHIN = 12  # lines
CLOSE_NS = 2 * SECOND  # watches are not later than that


def entries(path: Path) -> list[Entry]:
    """The lines of a capture."""
    with read(str(path)) as capture:
        return list(capture)


def told(lines: list[Entry]) -> list[Span]:
    """The spans of these lines."""
    spans: list[Span] = []
    replay(lines, Linker(LinkerSettings(cluster_uid="c")), spans.append)
    return spans


def shape(spans: list[Span]) -> set[tuple[bytes, bytes, bytes, str]]:
    """Traces, ids, parents and names."""
    return {(span.trace_id, span.span_id, span.parent_id, span.name) for span in spans}


def watch_of(entry: Entry) -> str:
    """Which watch shows it."""
    assert isinstance(entry.what, Change)
    thing = entry.what.object
    return "Event" if isinstance(thing, Event) else thing.kind


def interleaved(lines: list[Entry], seed: int) -> list[Entry]:
    """Neighbours of different watches swapped at random, up to a dozen lines away, with new times of receipt."""
    chance, order = random.Random(seed), list(range(len(lines)))

    def near(place: int, line: int) -> bool:
        return abs(place - line) <= WITHIN and abs(lines[place].received_ns - lines[line].received_ns) < CLOSE_NS

    for _ in range(len(lines) * WITHIN):
        at = chance.randrange(len(order) - 1)
        one, two = order[at], order[at + 1]
        if watch_of(lines[one]) != watch_of(lines[two]) and near(at + 1, one) and near(at, two):
            order[at], order[at + 1] = two, one
    return [Entry(lines[place].received_ns, lines[line].what) for place, line in enumerate(order)]


@EACH_CAPTURE
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_watches_that_overtake_each_other_make_the_same_tree(path: Path, seed: int) -> None:
    """Same traces, ids, parents and names, although every line is received at another time."""
    lines = entries(path)
    assert shape(told(interleaved(lines, seed))) == shape(told(lines))


@EACH_CAPTURE
def test_lines_delivered_twice_make_the_same_spans(path: Path) -> None:
    """To the last attribute, each once."""
    lines = entries(path)
    assert told([copy for line in lines for copy in (line, line)]) == told(lines)


@pytest.mark.parametrize("name", ["deployment", "crash-loop"])
def test_lines_that_kept_their_times_are_put_right(name: str, tmp_path: Path) -> None:
    """A file whose lines are slightly out of order of receipt is replayed byte for byte as the ordered one."""
    capture = next(path for path in CAPTURES if path.name.startswith(name))
    script = Path(__file__).resolve().parents[2] / "scripts" / "interleave-capture"
    mixed = subprocess.run([sys.executable, script, capture, "--seed", "7"], capture_output=True, check=True).stdout
    (tmp_path / "mixed.ndjson").write_bytes(mixed)
    assert told(entries(tmp_path / "mixed.ndjson")) == told(entries(capture))


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """Whatever their hash seeds."""
    files = []
    for seed in ("1", "2"):
        files.append(tmp_path / f"{seed}.json")
        subprocess.run(
            [sys.executable, "-m", "kspanpy", "replay", CAPTURES[0], "--output", files[-1]],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
    assert files[0].read_bytes() == files[1].read_bytes() != b""
