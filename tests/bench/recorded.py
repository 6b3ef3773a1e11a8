"""Recorded stories, told again about other objects: the changes of a capture, at other times, under other names.

The work is that of `scripts/grow-capture`; what is different here is that the copies may begin at any time, and that one Pod's life can
be copied alone, for a Deployment with thousands of them.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from tests.bench.cluster import recorded

TOP: Final = Path(__file__).resolve().parents[2]
STORIES: Final = ("deployment", "crash-loop", "job", "daemonset", "statefulset", "bad-image")
_VERSIONS_A_SECOND: Final = 1 << 20


def _grow_capture() -> ModuleType:
    path = str(TOP / "scripts" / "grow-capture")
    loader = importlib.machinery.SourceFileLoader("grow_capture", path)
    spec = importlib.util.spec_from_loader("grow_capture", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["grow_capture"] = module
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


grow: Final = _grow_capture()


class Written(NamedTuple):
    """One change of the cluster: when, of which kind, and as a watch shows it."""

    at: float
    kind: str
    line: bytes

    @property
    def is_step(self) -> bool:
        """Whether it is a version of an Event."""
        return self.kind == "Event" and not self.line.startswith(b'{"type":"DELETED"')


class Copy(grow.Repetition):  # type: ignore[misc,name-defined]
    """What stands in the k-th copy, which begins `shift` seconds after the recording. One etcd: versions grow with time."""

    def __init__(self, k: int, shift: int, grower: Any, *, kept: AbstractSet[str] = frozenset()) -> None:  # type: ignore[assignment]
        super().__init__(k, 1, grower.shared | kept, grower.versions)
        self.shift = shift

    def _version(self, value: str) -> str:
        versions = self.versions
        place = min(grow.bisect_right(versions.numbers, int(value)), len(versions.numbers)) - 1
        at = versions.times[place] + self.shift
        return str(int(at * _VERSIONS_A_SECOND) + place % 64 + self.k % 256 * 64)

    def _other(self, kind: str, value: str) -> str:
        if kind == "pod":
            return f"{value[:-5]}{self.k:05x}"
        if kind == "clock":  # in the name of an Event, which no other Event of the namespace has
            return f"{int(value, 16) + self.shift * 1_000_000_000 + self.k:x}"
        return str(super()._other(kind, value))


def stories(count: int, begin: float, gap_s: float) -> Iterator[Written]:
    """`count` recorded stories, one every `gap_s` seconds from `begin` (Unix time) on, in the order of time."""
    growers = [grow.Grower(recorded(name), gap=0, overlap=1) for name in STORIES]
    changes: list[Written] = []
    for k in range(count):
        grower = growers[k % len(growers)]
        shift = int(begin + k * gap_s - grower.lines[0].at)
        copy = Copy(k + 1, shift, grower)
        changes += [
            _written(line.at + shift, line.template.render(copy)) for line in grower.lines if not line.is_shared
        ]
    return iter(sorted(changes, key=lambda change: change.at))


def _written(at: float, text: str) -> Written:
    _, _, rest = text.partition(',"type":')
    kind = re.search(r'"kind":"([A-Za-z]+)"', rest)
    assert kind is not None
    return Written(at, kind[1], f'{{"type":{rest}\n'.encode())


class _PodNames:
    """The patterns for copies of one Pod: its name and all uids and times, nothing else."""

    def __init__(self, pod: str) -> None:
        self.texts = re.compile(f"{grow.UID}|{grow.TIME}|{grow.CLOCK}|(?P<pod>{re.escape(pod)})")

    def pattern(self, key: str, *, plain: bool) -> re.Pattern[str]:
        return self.texts


def huge(pods: int, begin: float, per_s: float) -> Iterator[Written]:
    """The rollout that `deployment` begins with, of a Deployment with `pods` Pods, `per_s` of them created each second."""
    lines = recorded("deployment")
    grower = grow.Grower(lines, gap=0, overlap=1)
    end = next(
        at
        for at, line in enumerate(lines)
        if line["object"]["kind"] == "Deployment" and line["object"]["status"].get("readyReplicas") == 2
    )
    lines = lines[: end + 1]
    names = sorted({line["object"]["metadata"]["name"] for line in lines if line["object"]["kind"] == "Pod"})
    first, others = names[0], names[1:]
    kept = {
        line["object"]["metadata"]["uid"] for line in lines if line["object"]["kind"] in {"Deployment", "ReplicaSet"}
    }
    start = grow.stamp(lines[0]["received"])
    life, around = [], []
    for line in lines:
        text = json.dumps(line)
        if any(name in text for name in others) or line["object"]["kind"] == "Node":
            continue
        (life if first in text else around).append(line)
    shift = int(begin - start)
    took_s = int(pods / per_s)
    changes = []
    ready = grow.stamp(next(line["received"] for line in around[::-1] if '"readyReplicas"' not in json.dumps(line)))
    for line in around:
        at = grow.stamp(line["received"])
        # What tells that Pods are ready comes after the last of them; status that says less, every second until then.
        seconds = [took_s] if at > ready else range(took_s) if line["type"] == "MODIFIED" else [0]
        template = grow.Template(line, _PodNames(first))
        for second in seconds:
            moved = Copy(1, shift + second, grower, kept=kept)
            changes.append(_written(at + moved.shift, _of(pods, template.render(moved))))
    templates = [(grow.stamp(line["received"]), grow.Template(line, _PodNames(first))) for line in life]
    for k in range(pods):
        copy = Copy(k + 1, shift + int(k / per_s), grower, kept=kept)
        late = k / per_s - int(k / per_s)
        changes += [_written(at + copy.shift + late, template.render(copy)) for at, template in templates]
    return iter(sorted(changes, key=lambda change: change.at))


def _of(pods: int, text: str) -> str:
    """The counts of two Pods become those of all of them."""
    return re.sub(r'("(?:[a-zA-Z]*[rR]eplicas)":)2\b', rf"\g<1>{pods}", text).replace(
        "from 0 to 2", f"from 0 to {pods}"
    )
