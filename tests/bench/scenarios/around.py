"""Around the way of an event: the start of the program, the score of the captures, and what is counted instead of timed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.bench.figures import Compare, Figure
from tests.bench.processes import children_cpu_s
from tests.faults.flooding import TOP

SCORER = TOP.parent / "shared" / "score" / "score.py"
CALLGRIND_EVENTS = 200


def startup(*, short: bool, folder: Path) -> Iterator[Figure]:
    """The import, `kspanpy --help` and `kspanpy demo`: seconds until they have ended, the best of some."""
    python = sys.executable
    commands = {
        "python -c pass": ([python, "-c", "pass"], None),
        "import kspanpy": ([python, "-c", "import kspanpy"], 0.3),
        "kspanpy --help": ([str(Path(sysconfig.get_path("scripts")) / "kspanpy"), "--help"], 0.3),
        "kspanpy demo": ([str(Path(sysconfig.get_path("scripts")) / "kspanpy"), "demo"], 1.5),
    }
    best: dict[str, tuple[float, float]] = {}
    for _ in range(3 if short else 7):  # they take turns
        for name, (command, _) in commands.items():
            cpu, seconds = children_cpu_s(command, folder=folder)
            before = best.get(name, (cpu, seconds))
            best[name] = min(cpu, before[0]), min(seconds, before[1])
    for name, (_, goal) in commands.items():
        yield Figure("startup", name, best[name][1], "s", goal=goal)
    for name in ("kspanpy --help", "kspanpy demo"):
        yield Figure("startup", f"{name}, CPU", best[name][0], "s")


def score(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Correctness: the score of every capture, as `scripts/score` gives it. The digest is that of the whole table."""
    if not SCORER.is_file():
        yield Figure("score", "captures within the bounds", "skipped: ../shared/score is not there")
        return
    found = subprocess.run(
        [sys.executable, TOP / "scripts" / "score", "--json"], cwd=TOP, capture_output=True, text=True, check=False
    )
    captures = [json.loads(line) for line in found.stdout.splitlines()]
    said = re.search(r"(\d+) captures within the bounds, (\d+) not", found.stderr)
    if said is None or not captures:
        raise RuntimeError(f"scripts/score failed: {found.stderr.strip()[-500:]}")
    for capture in captures:
        capture.pop("seconds")
    table = json.dumps(sorted(captures, key=lambda one: str(one["capture"])), sort_keys=True)
    yield Figure(
        "score", f"of {len(captures)} captures, within the bounds", int(said[1]), goal=len(captures), at_least=True
    )
    yield Figure("score", "spans", sum(_spans(capture) for capture in captures))
    yield Figure("score", "digest of the table", hashlib.sha256(table.encode()).hexdigest()[:16], compare=Compare.EXACT)


def _spans(capture: dict[str, Any]) -> int:
    return int(capture.get("spans") or 0)


def calls(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Python and C functions called for one event, counted by `sys.setprofile`: exact, on any machine, for one Python version."""
    found = _fixed("calls")
    for name, count in found.items():
        yield Figure("calls", f"{name}, for each event", count, "calls", compare=Compare.COUNT)


def instructions(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Machine instructions for one event, counted by callgrind: the difference of a run with some and one with more."""
    if shutil.which("valgrind") is None:
        yield Figure("instructions", "for each event", "skipped: there is no valgrind")
        return
    with ThreadPoolExecutor(2) as both:  # what is counted does not mind that the machine is busy
        few, more = both.map(lambda turns: _callgrind(turns, folder), (1, 2))
    each = (more - few) / CALLGRIND_EVENTS
    yield Figure(
        "instructions", "decode, linker and encode, for each event", each, "instructions", compare=Compare.COUNT
    )


def _fixed(what: str, *arguments: str, wrapper: tuple[str, ...] = ()) -> dict[str, float]:
    """Runs `fixed.py` where nothing is left to chance."""
    command = [*wrapper, sys.executable, "-m", "tests.bench.fixed", what, *arguments]
    done = subprocess.run(
        command, cwd=TOP, env=os.environ | {"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"tests.bench.fixed failed: {done.stderr.strip()[-1000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _callgrind(turns: int, folder: Path) -> int:
    out = folder / f"callgrind-{turns}.out"
    wrapper = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet")
    _fixed("run", str(turns * CALLGRIND_EVENTS), wrapper=wrapper)
    summary = re.search(r"^(?:summary|totals): (\d+)", out.read_text(errors="replace"), re.MULTILINE)
    assert summary is not None
    return int(summary[1])
