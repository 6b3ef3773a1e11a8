"""SIGTERM in the middle of a rollout: nothing that was seen is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.jaeger import Jaeger
from tests.live.stack import Kspanpy, wait_for
from tests.live.watching import EventWatch

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]


def test_a_stop_in_the_middle_of_a_rollout_loses_nothing(
    *,
    changes: Callable[[str], Any],
    start: Callable[..., Kspanpy],
    watch: EventWatch,
    jaeger: Jaeger,
    say: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """Exit code 0 within 10 s, and every event that was there a second before the signal is in Jaeger, in a whole trace.

    Stories that are open stay in the state on disk: the next process on it tells them.
    """
    run = changes("stop")
    state = str(tmp_path / "state")
    kspanpy = start(KSPANPY_STATE_DIRECTORY=state)
    run.create_deployment("web", "shop/web-slow:1.0", 3, wait=False)
    wait_for("events", lambda: len(watch.of("stop")) >= 8, patience=30)
    time.sleep(1)
    before = set(watch.of("stop"))
    time.sleep(1)
    code, seconds = kspanpy.stop()
    say(f"SIGTERM: exit {code} after {seconds:.2f} s, with {len(before)} events seen")
    assert (code, seconds < 10) == (0, True)
    kspanpy = start(KSPANPY_STATE_DIRECTORY=state)
    wait_for("the story", lambda: not kspanpy.metrics()["kspanpy_stories_open"], patience=120, pause=1)

    def lost() -> set[tuple[str, int]]:
        return before - {span.event for trace in jaeger.everything().values() for span in trace.spans.values()}  # type: ignore[arg-type]

    wait_for("the rest in Jaeger", lambda: not lost(), patience=10)
    traces = [t for t in jaeger.everything().values() if any(span.event in before for span in t.spans.values())]
    assert [len(trace.roots) for trace in traces] == [1]
    assert all(trace.parent(span) for trace in traces for span in trace.spans.values() if span.parent_id)
