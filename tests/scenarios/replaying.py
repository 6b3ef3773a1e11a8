"""Replays of captures, for the tests of this folder and for whoever needs many different spans."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from kspanpy.core.linker import Linker, LinkerStats
from kspanpy.core.model import Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.replay import Entry, ReplaySummary, read, replay

HERE = Path(__file__).parent
RECORDED = sorted((HERE.parent / "fixtures" / "captures").glob("*.ndjson.gz"))
TOLD = sorted(HERE.glob("*/capture.ndjson"))
CAPTURES = {path.name.removesuffix(".ndjson.gz"): path for path in RECORDED}
CAPTURES |= {path.parent.name: path for path in TOLD}


def entries_of(path: Path | bytes) -> list[Entry]:
    """The entries of a capture."""
    if isinstance(path, bytes):
        return list(read("capture", stream=BytesIO(path)))
    with read(str(path)) as capture:
        return list(capture)


def spans_of(entries: Iterable[Entry]) -> list[Span]:
    """The spans, in the order in which they were sent."""
    return told(entries)[0]


def told(entries: Iterable[Entry]) -> tuple[list[Span], ReplaySummary, LinkerStats]:
    """The spans, what the replay counted, and what the linker holds at the end."""
    spans: list[Span] = []
    linker = Linker(LinkerSettings(cluster_uid="cluster"))
    summary = replay(entries, linker, spans.append)
    return spans, summary, linker.stats()
