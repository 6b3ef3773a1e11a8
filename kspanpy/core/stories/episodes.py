"""Where one episode of trouble ends and the next one begins: decided from what is known of them, changing nothing but their order.

Status says most of it: what is not well is still the same trouble, however long nothing is heard. Where nobody can tell, or all
has been well in between, time decides.
"""

from __future__ import annotations

from kspanpy.core.moment import Moment
from kspanpy.core.objects import health
from kspanpy.core.stories.shape import Story


def has(story: Story, at_ns: int, moment: Moment) -> bool:
    """True if something that happened then is part of this episode."""
    if story.closed:
        return story.root.start_ns - moment.skew_ns <= at_ns <= story.root.end_ns
    reach_ns = moment.gap_ns if story.over else _reach(story, moment)
    if at_ns < story.first_event_ns - (0 if story.over else reach_ns):
        return False
    # Status has kept it open since then, or little time lies between.
    return (not story.over and at_ns >= story.opened_ns) or at_ns <= story.last_event_ns + reach_ns


def rested(story: Story, at_ns: int, moment: Moment) -> bool:
    """True if all had been well for a while before that time; the first loss may have been noticed by now."""
    since_ns, until_ns = story.well_ns if story.complete_ns is None else (story.complete_ns, at_ns)
    rested_ns = min(until_ns, at_ns) - max(since_ns, story.last_event_ns)
    return rested_ns > moment.rest_ns and at_ns <= until_ns + moment.skew_ns


def is_relapse(story: Story, before: Story, moment: Moment) -> bool:
    """True for trouble that comes so soon after other trouble that this had only seemed to be over."""
    soon = story.first_event_ns - before.root.end_ns <= moment.relapse_ns
    return soon and before.serious and health.known(story.origin.kind)


def remember(story: Story, *, late: bool) -> None:
    """Its objects know of it for as long as it is remembered; a late one was before the one that goes on."""
    for record in {story.root_record, story.origin}:
        record.episodes.insert(-1 if late else len(record.episodes), story)


def _reach(story: Story, moment: Moment) -> int:
    """How far apart two steps of an open episode may be: as far as back-off waits, but of what is well only as it is waited for."""
    if story.relapse:
        return moment.relapse_ns
    return moment.gap_ns if story.complete_ns is None or story.well_ns[1] else moment.quiet_ns
