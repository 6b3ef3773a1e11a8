"""A small workload that is the same on every run, to be counted: always the same Events about the same Pods at the same virtual times.

PYTHONHASHSEED=0 python -m tests.bench.fixed calls         calls for each event, by stage, as JSON
PYTHONHASHSEED=0 python -m tests.bench.fixed run EVENTS    only does it, for callgrind
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from typing import Any, Final

from kspanpy.core.model import Span
from kspanpy.core.steps import Input, SpanEnded
from kspanpy.export.encode import Encoder
from tests.bench import feeding

WARM: Final = 400
EVENTS: Final = 2_000


def counted(run: Callable[[], Any]) -> int:
    """How many Python and C functions it calls."""
    calls = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return calls


class Fixed:
    """The stages of `events` Events about 200 Pods, the linker warmed up with `WARM` others."""

    def __init__(self, events: int) -> None:
        made = feeding.cluster(200, 20)
        self.linker = feeding.linker_of(made)
        for number, line in enumerate(feeding.lines(made, 0, WARM)):
            self.linker.step(feeding.step(line), feeding.at_ns(number))
        self.lines = feeding.lines(made, WARM, events)
        self.steps: list[Input] = []
        self.spans: list[Span] = []
        self.encoder = Encoder({"k8s.cluster.uid": "c"})

    def decode(self) -> None:
        """Lines to inputs."""
        self.steps = [feeding.step(line) for line in self.lines]

    def link(self) -> None:
        """Inputs to spans."""
        for number, fact in enumerate(self.steps, WARM):
            self.spans += [
                out.span for out in self.linker.step(fact, feeding.at_ns(number)) if isinstance(out, SpanEnded)
            ]

    def encode(self) -> None:
        """Spans to bytes."""
        for at in range(0, len(self.spans), feeding.BATCH):
            self.encoder.encode(self.spans[at : at + feeding.BATCH])


def stories() -> Callable[[], None]:
    """Recorded stories, objects and Events, through decoder and linker."""
    from tests.bench import recorded

    linker = feeding.linker_of(feeding.cluster(10, 2))
    changes = list(recorded.stories(24, feeding.EPOCH_NS / 1e9 + 1, 2.0))
    steps = [
        (feeding.step(change.line), int(change.at * 1e9))
        for change in changes
        if change.kind != "Event" or change.is_step
    ]

    def run() -> None:
        for fact, now_ns in steps:
            linker.step(fact, now_ns)

    run.events = sum(change.is_step for change in changes)  # type: ignore[attr-defined]
    return run


def main() -> None:
    """See the module."""
    gc.disable()  # when it runs is no matter of the workload
    if sys.argv[1] == "run":
        fixed = Fixed(int(sys.argv[2]))
        fixed.decode()
        fixed.link()
        fixed.encode()
        print("{}")
        return
    fixed = Fixed(EVENTS)
    found = {name: counted(getattr(fixed, name)) / EVENTS for name in ("decode", "link", "encode")}
    told = stories()
    found["link recorded stories, objects included"] = counted(told) / told.events  # type: ignore[attr-defined]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
