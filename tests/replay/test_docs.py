"""docs/captures.md says what the code does."""

import re
from pathlib import Path

from kspanpy.decode import MalformedReason

TEXT = (Path(__file__).parents[2] / "docs" / "captures.md").read_text(encoding="utf-8")


def test_every_reason_for_an_unusable_line_is_documented():
    """The list in the page is the closed list of the code."""
    paragraph = TEXT.split("Reasons for lines that can not be used:")[1].split("\n\n")[0]
    assert set(re.findall("`([a-z-]+)`", paragraph)) == {reason.value for reason in MalformedReason}
