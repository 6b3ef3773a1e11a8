"""The critical path of a story: the Pods that one after the other it had to wait for.

From the end backwards: the Pod that was ready last; before it the one that was ready last when this one was created (a rolling
update makes the next Pod when the one before is ready); and so on to the beginning. What lies between is the controllers' time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from kspanpy.core.model import SECOND
from kspanpy.core.stories.shape import Lifecycle, Story
from kspanpy.core.verdicts import stages
from kspanpy.core.verdicts.stages import Stage

_AT_ONCE_NS = SECOND  # the clock of the API server cuts seconds


class Path(msgspec.Struct, frozen=True):
    """How long each stage took on the critical path, and the Pod that took longest on it."""

    total_ns: int
    spent_ns: dict[str, int]  # by stage, in the order of `stages.STAGES`; those that took no time are missing
    slowest: Lifecycle
    longest: Stage  # the longest stage of all, and whose it was
    longest_of: Lifecycle

    def share(self, stage: str) -> float:
        """Of the whole story, 0 to 1."""
        return self.spent_ns.get(stage, 0) / self.total_ns


def critical(story: Story) -> Path | None:
    """The critical path of a measured story; None if no Pod started in it."""
    found = [
        lifecycle
        for lifecycle in story.lifecycles.values()
        if lifecycle.record.kind == "Pod" and lifecycle.shown_phase in ("startup", "run")
    ]
    total_ns = story.root.end_ns - story.root.start_ns
    if not found or total_ns <= 0:
        return None
    chain = _chain(found)
    spent = dict.fromkeys(stages.STAGES, 0)
    longest, longest_of = Stage(stages.CONTROLLERS, 0, 0), chain[0]
    until_ns = story.root.start_ns
    for lifecycle in chain:
        for stage in stages.of_pod(lifecycle):
            start_ns = max(stage.start_ns, until_ns)  # the next Pod may have been created a moment before
            if stage.end_ns <= start_ns:
                continue
            spent[stage.name] += stage.end_ns - start_ns
            until_ns = stage.end_ns
            if stage.end_ns - start_ns > longest.end_ns - longest.start_ns:
                longest, longest_of = Stage(stage.name, start_ns, stage.end_ns), lifecycle
    spent[stages.CONTROLLERS] = max(total_ns - sum(spent.values()), 0)
    return Path(
        total_ns=total_ns,
        spent_ns={name: ns for name, ns in spent.items() if ns > 0},
        slowest=max(chain, key=lambda lifecycle: lifecycle.end_ns - lifecycle.start_ns),
        longest=longest,
        longest_of=longest_of,
    )


def _chain(found: Sequence[Lifecycle]) -> list[Lifecycle]:
    ordered = sorted(found, key=lambda lifecycle: (lifecycle.end_ns, lifecycle.span_id))
    ends = [lifecycle.end_ns for lifecycle in ordered]
    chain, at = [], len(ordered) - 1
    while at >= 0:
        chain.append(ordered[at])
        at = min(bisect_right(ends, ordered[at].start_ns + _AT_ONCE_NS), at) - 1
    return chain[::-1]
