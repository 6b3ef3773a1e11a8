"""What kspanpy makes of every capture, as a text that people can read: a change of it is a change of behaviour."""

from __future__ import annotations

import pytest

from tests.core.cluster import Cluster
from tests.fakes.outline import golden
from tests.scenarios.capturing import capture
from tests.scenarios.replaying import CAPTURES, HERE, entries_of, spans_of
from tests.scenarios.stories import STORIES

HOW = "pytest tests/scenarios --update-golden writes it; say in the changelog why it changed"


def capture_of(name: str) -> str:
    """What `stories` tells, as a capture."""
    cluster = Cluster(watch=False)
    STORIES[name](cluster)
    return capture(cluster, STORIES[name].__doc__ or "")


@pytest.mark.parametrize("name", sorted(STORIES))
def test_a_told_story_is_the_capture_beside_it(name, update_golden):
    """The small captures are what `stories` tells."""
    text = capture_of(name)
    path = HERE / name / "capture.ndjson"
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), HOW
    assert text == path.read_text(encoding="utf-8"), HOW


@pytest.mark.parametrize("name", sorted({*CAPTURES, *STORIES}))
def test_the_stories_of_a_capture_are_told_as_expected(name, update_golden):
    """Names, objects, offsets, durations, services, errors and links of every span."""
    recording = capture_of(name).encode() if name in STORIES else CAPTURES[name]
    text = golden(spans_of(entries_of(recording)))
    path = HERE / name / "expected.txt"
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), HOW
    assert text == path.read_text(encoding="utf-8"), HOW


def test_every_scenario_has_a_source():
    """No golden text is left over from a scenario that is gone."""
    assert {path.parent.name for path in HERE.glob("*/expected.txt")} == {*CAPTURES, *STORIES}
