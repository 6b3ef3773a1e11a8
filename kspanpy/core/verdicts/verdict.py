"""The verdict on a finished story: one sentence, and the figures behind it."""

from __future__ import annotations

import msgspec

from kspanpy.core.model import MILLISECOND, SECOND
from kspanpy.core.stories.shape import Lifecycle, Story
from kspanpy.core.verdicts import blame, path, phrases, stages
from kspanpy.core.verdicts.blame import Cause
from kspanpy.core.verdicts.path import Path

_MAX_ON_THE_WAY = 3
_UNREACHED = ("capped", "superseded", "unfinished")


class Verdict(msgspec.Struct, frozen=True):
    """What is told of a story as a whole."""

    sentence: str
    problem: str = ""  # class of what it failed of; empty where it did not fail
    path: Path | None = None
    image: str = ""  # of the slowest Pod: pulled for longest, or the first


def of(story: Story) -> Verdict:
    """The verdict on a measured and judged story."""
    route = path.critical(story)
    failed = story.root.failure is not None
    cause = blame.first_cause(story) if failed else None
    sentence = _failed(story, cause) if failed else _came_to_an_end(story, route)
    image = "" if route is None else _image(route.slowest)
    return Verdict(sentence, "" if cause is None else cause.symptom.problem, route, image)


def _failed(story: Story, cause: Cause | None) -> str:
    how = "stuck" if story.outcome in _UNREACHED and story.chapter is not None else "failed"
    if cause is None:
        failure = story.root.failure
        said = "" if failure is None else (failure.message or failure.reason)
        return f"{how}: {said}"
    return f"{how}: {phrases.of(cause)}"


def _came_to_an_end(story: Story, route: Path | None) -> str:
    parts = []
    if story.outcome == "superseded":
        parts.append("the next change began before it had settled" if story.chapter else "ended by the next change")
    if story.chapter is None and (first := blame.first_cause(story)) is not None:
        parts.append(f"{story.outcome} after {_seconds(story.root.end_ns - story.root.start_ns)}: {phrases.of(first)}")
    elif story.chapter is None and not story.serious:
        return ""
    elif route is not None and story.outcome != "deleted":
        parts.append(_spent(route))
    elif story.outcome in _ENDED:
        parts.append(f"{_ENDED[story.outcome]} in {_seconds(story.root.end_ns - story.root.start_ns)}")
    if story.chapter is not None:
        troubles = [cause.symptom.problem for cause in blame.overcome(story)][:_MAX_ON_THE_WAY]
        if troubles:
            parts.append(f"on the way: {', '.join(troubles)}")
    return "; ".join(parts)


_ENDED = {"deleted": "all gone", "settled": "done", "healed": "done"}


def _spent(route: Path) -> str:
    """Where most of the time went, and the Pod that it went on."""
    name, _ = max(route.spent_ns.items(), key=lambda entry: entry[1], default=(stages.CONTROLLERS, 0))
    who = route.longest_of if route.longest.name == name else route.slowest
    return f"{round(100 * route.share(name))} % {phrases.of_stage(name, who, _image(who))}"


def _image(lifecycle: Lifecycle) -> str:
    images = lifecycle.record.object.images
    return images[0][1] if images else ""


def _seconds(ns: int) -> str:
    if ns < 10 * SECOND:
        return f"{ns / SECOND:.1f} s" if ns >= SECOND else f"{ns // MILLISECOND} ms"
    minutes, seconds = divmod(round(ns / SECOND), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
