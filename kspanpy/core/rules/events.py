"""What one line of the table of Events can say. The lines are in `emitters`, how one is found in `table`.

Reason and involved kind are the keys, messages change between releases: a pattern only ever adds a hint, and what a message
names counts only if such an object exists and nothing contradicts it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from kspanpy.core.rules.problems import Problem

Fate: TypeAlias = Literal["", "born", "died"]

# What happens to the involved object happened because of the named (or `related`) one.
Cause: TypeAlias = Literal["", "preempted by", "blocked by", "waited for", "evicted by", "hit by"]

# What befalls the named object happened because of the involved one.
Effect: TypeAlias = Literal["", "applied by", "created by", "needed by", "removed by", "rescaled by"]

# Where the other object is found if the message does not name it: the Node that the Pod is on; the scaleTargetRef.
Via: TypeAlias = Literal["", "node", "target"]

# A step on the way of every Pod that starts; verdicts measure what lies between.
Milestone: TypeAlias = Literal["", "scheduled", "pulling", "pulled", "created", "started"]

# noise: a Warning that says nothing about failure, and makes no incident either. harmless: a Warning that is no failure by
# itself, of something that may well be in trouble (a probe). serious: makes a story an incident although its type is Normal.
Severity: TypeAlias = Literal["", "noise", "harmless", "serious"]


class EventRule(msgspec.Struct, frozen=True):
    """What an Event with this reason means. Empty fields say nothing.

    Patterns are searched for, after "(combined from similar events): " has been taken away. The text is anybody's: a pattern
    is linear (no quantifier within a quantifier, and nothing unbounded before its first literal).
    """

    kinds: str = ""  # involved kinds, separated by spaces; empty: any
    reason: str = ""  # one or several, separated by spaces; empty: any that has no line of its own
    phase: str = ""  # of the involved object: the lifecycle span it belongs to, whatever the clock says
    component: str = ""  # reporting components, separated by spaces; empty: any
    message: str = ""  # the rule holds only for messages that this pattern matches
    names: str = ""  # kind of the objects that the message names, unless the pattern has a group "kind"
    name: str = ""  # that pattern: a group "name" or "names" (a list with commas), maybe "namespace", "uid", "kind"
    fate: Fate = ""  # what befell the named object, which the involved one owns
    cause: Cause = ""
    effect: Effect = ""
    via: Via = ""
    related: Cause = ""  # the same as `cause`, of the object in the Event's field `related`
    begins: bool = False  # it is the first step of something, never one of what was going on
    until: str = ""  # reasons (separated by spaces) that end this step; *: any later step of the same object
    lasting: bool = False  # with no end in sight it lasts as long as its lifecycle span
    milestone: Milestone = ""
    severity: Severity = ""
    problem: Problem | Literal[""] = ""
