"""Small stories that no recorded capture has, told with an imagined cluster.

Each function is one scenario; `pytest tests/scenarios --update-golden` writes what happened to `<name>/capture.ndjson` and
what kspanpy makes of it to `<name>/expected.txt`. The captures are also examples for users: `kspanpy replay` reads them.
"""

from __future__ import annotations

from tests.scenarios.stories import links, nodes, trouble, workloads
from tests.scenarios.stories.telling import STORIES

__all__ = ["STORIES", "links", "nodes", "trouble", "workloads"]
