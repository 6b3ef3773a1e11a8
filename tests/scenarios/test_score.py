"""The recorded captures against what is known to have been done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
SCORER = TOP.parent / "shared" / "score" / "score.py"
CAPTURES = sorted((TOP / "tests/fixtures").glob("*/*.ndjson.gz"))

# What the scorer can not see: `tests/fixtures/recorded/README.md` says why.
LEAST = {
    "no-pauses": {"precision": 0.89, "recall": 0.9},
    "rejections": {"precision": 0.97, "recall": 0.97},
    "readopted": {"owner": 0.83},
    "released": {"owner": 0.9},
    "taint": {"parent": 0.99},
}


@pytest.mark.skipif(not SCORER.exists(), reason="the scorer, ../shared/score/score.py, is not there")
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name.partition(".")[0])
def test_every_event_is_in_the_right_place(path: Path, tmp_path: Path) -> None:
    """All events covered, under their own objects, in the trace of their change, each span once."""
    spans = tmp_path / "spans.json"
    replaying = [sys.executable, "-m", "kspanpy", "replay", path, "--output", spans]
    subprocess.run(replaying, capture_output=True, check=True)
    truth = path.with_name(path.name.replace(".ndjson.gz", ".truth.ndjson"))
    scored = subprocess.run([sys.executable, SCORER, "--json", path, truth, spans], capture_output=True, check=True)
    figures = json.loads(scored.stdout)
    bounds = {"coverage": 1, "parent": 1, "owner": 1, "precision": 0.98, "recall": 0.98, "root": 0.99}
    bounds |= LEAST.get(path.name.partition(".")[0], {})
    short = {key: figures[key] for key, least in bounds.items() if figures[key] is not None and figures[key] < least}
    assert short == {}
    assert (figures["orphans"], figures["outside"], figures["duplicates"]) == (0, 0, [0, 0])
