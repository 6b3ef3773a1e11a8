"""Where an event's time goes: a burst at full speed, sampled from outside by py-spy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure
from tests.bench.processes import api_server, kspanpy, sink
from tests.bench.scenarios.speed import CLUSTER, WINDOW, through

STAGES: Final = (
    ("decode", ("kspanpy/decode/",)),
    ("linker", ("kspanpy/core/",)),
    ("reading: HTTP, lines, list+watch", ("kspanpy/kube/",)),
    ("inbox hand-off", ("kspanpy/app/intake.py", "kspanpy/app/service.py")),
    (
        "state: journal, snapshots, spans on disk",
        ("kspanpy/state/", "kspanpy/app/checkpoint.py", "kspanpy/export/shelving.py"),
    ),
    ("loop and accounts", ("kspanpy/app/",)),
    ("encode", ("kspanpy/export/encode.py", "kspanpy/export/checked.py")),
    ("queue and send", ("kspanpy/export/",)),
)
"""The first that has the innermost frame of kspanpy: what a library does counts for whoever called it."""


def stage(stack: str) -> str:
    """Of one collapsed stack, as py-spy writes it: frames from the outermost on, `function (file:line)`, with semicolons."""
    for frame in reversed(stack.split(";")):
        found = frame.find("kspanpy/")
        if found < 0:
            continue
        for name, places in STAGES:
            if any(place in frame for place in places):
                return name
    return "anything else"


def shares(text: str) -> dict[str, float]:
    """Stage -> its share of all samples, the largest first."""
    counted: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, number = line.rpartition(" ")
        counted[stage(stack)] += int(number)
    total = counted.total() or 1
    return {name: number / total for name, number in counted.most_common()}


def profile(*, short: bool, folder: Path) -> Iterator[Figure]:
    """Where an event's time goes, stage by stage (needs py-spy: .venv/bin/python -m pip install py-spy)."""
    spy = shutil.which("py-spy") or shutil.which(str(Path(sys.executable).with_name("py-spy")))
    if spy is None:
        yield Figure("profile", "stages", "skipped: there is no py-spy")
        return
    windows, out = 4 if short else 20, folder / "stacks"
    with (
        api_server(**CLUSTER) as (port, server),
        sink() as collector,
        kspanpy(port, collector.endpoint, folder, state=True) as process,
    ):
        command = [spy, "record", "--nonblocking", "--rate", "250", "--format", "raw", "--full-filenames"]
        with subprocess.Popen(
            [*command, "--output", out, "--pid", str(process.process.pid)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as sampler:
            ours = through(process, collector, *[lambda: server(do="burst", count=WINDOW)] * windows)
            sampler.send_signal(2)
            sampler.wait()
    each = ours["cpu_s"] / ours["events"] * 1e6
    yield Figure("profile", "an event, with a state directory", each, "µs")
    for name, share in shares(out.read_text()).items():
        yield Figure("profile", f"{name}, {share:.0%}", share * each, "µs")
