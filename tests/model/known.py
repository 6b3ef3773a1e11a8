"""What is known to be told wrongly (`test_findings.py`): the model leaves it out, so that it finds the next thing.

Take a name out of `KNOWN` when its test passes, and the model looks there again.
"""

from __future__ import annotations

KNOWN = frozenset(
    {
        "late-change",  # a late watch of a workload dates its changes late: it is at most 50 ms late
        "young-pod",  # seconds after a Pod became ready, with its watch seconds late, what befalls it near a change: left open
        "phase-edge",  # a step within a watch's lateness of a Pod's readiness or end: startup or incident, by what was seen first
        "incident-id",  # an incident is named by what arrived first: only what belongs to a change is compared
    }
)
