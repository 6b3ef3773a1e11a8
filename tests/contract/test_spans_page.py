"""docs/spans.md names every span, attribute, outcome and relation that kspanpy writes, and no other."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from kspanpy.core.linker import Linker
from kspanpy.core.model import Span
from kspanpy.core.rules.kinds import KINDS, OTHER_KIND, OWNER_PHASES
from kspanpy.core.settings import LinkerSettings
from kspanpy.replay import read, replay

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "spans.md").read_text()
CAPTURES = [*(TOP / "tests/scenarios").glob("*/capture.ndjson"), *(TOP / "tests/fixtures/captures").glob("*.ndjson.gz")]
OF_A_KIND = re.compile(r"k8s\.[a-z.-]+\.(name|uid)|k8s\.[a-z.-]+\.label\.(app\.kubernetes\.io/version|helm\.sh/chart)")
FIXED = {"k8s.object.name", "k8s.object.uid", "k8s.event.name", "k8s.event.uid", "k8s.namespace.name", "k8s.node.name"}


@cache
def spans() -> list[Span]:
    """Of every recorded scenario."""
    found: list[Span] = []
    for path in CAPTURES:
        with read(str(path)) as capture:
            replay(capture, Linker(LinkerSettings(cluster_uid="c")), found.append)
    return found


def keys_on_page() -> set[str]:
    """The first column of the table of attributes."""
    table = PAGE.partition("## Attributes")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {key for cell in cells for key in re.findall(r"`([^`]+)`", cell)}


def is_of_a_kind(key: str) -> bool:
    """k8s.pod.name and its like: on the page as a pattern."""
    return bool(OF_A_KIND.fullmatch(key)) and key not in FIXED


def test_every_attribute_of_a_span_is_on_the_page() -> None:
    """From what is really written."""
    written = {key for span in spans() for key in span.attributes if not is_of_a_kind(key)}
    assert written <= keys_on_page()


def test_every_attribute_on_the_page_is_in_the_code() -> None:
    """And every one in the code is on the page."""
    source = (TOP / "kspanpy/core/telling/attributes.py").read_text()
    code = set(re.findall(r'"((?:k8s|kspanpy|error)\.[a-z0-9_.]+)"', source))
    assert {key for key in keys_on_page() if "<kind>" not in key} == code


def test_every_pattern_on_the_page_is_one_of_a_kind() -> None:
    """k8s.<kind>.name and its like, and no other."""
    patterns = {key for key in keys_on_page() if "<kind>" in key}
    assert len(patterns) == 4
    assert all(is_of_a_kind(key.replace("<kind>", "deployment")) for key in patterns)


def test_span_names_follow_the_grammar() -> None:
    """`Kind.Reason` for events, `Kind phase` for lifecycles."""
    phases = set(re.findall(r"`([a-z-]+)`", PAGE.partition("## Names and phases")[2].partition("## Attributes")[0]))
    for span in spans():
        if "k8s.event.uid" in span.attributes:
            assert re.fullmatch(r"[A-Za-z0-9][\w.-]*\.[A-Za-z0-9][\w.-]*", span.name), span.name
        else:
            kind, _, phase = span.name.partition(" ")
            assert re.fullmatch(r"[A-Za-z0-9][\w.-]*", kind), span.name
            assert phase in phases, span.name
            assert span.attributes["kspanpy.phase"] == phase


def test_every_phase_of_the_rules_is_on_the_page() -> None:
    """Of the kinds and of owners in the middle."""
    phases = set(re.findall(r"`([a-z-]+)`", PAGE.partition("## Names and phases")[2].partition("## Attributes")[0]))
    rules = [*KINDS.values(), OTHER_KIND]
    known = (
        {p for r in rules for p in (r.created, r.deleted, r.troubled) if p}
        | set(OWNER_PHASES)
        | set(OWNER_PHASES.values())
    )
    assert known | {"scale", "update", "activity"} == phases


@pytest.mark.parametrize(
    ("heading", "written"),
    [
        pytest.param("## Outcomes", lambda span: [span.attributes.get("kspanpy.outcome")], id="outcomes"),
        pytest.param("## Links", lambda span: [link.relation for link in span.links], id="relations"),
    ],
)
def test_outcomes_and_relations_are_on_the_page(heading: str, written) -> None:
    """First column of their tables: exactly those that the scenarios show."""
    table = PAGE.partition(heading)[2].partition("\n## ")[0]
    first = re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)
    page = {word for cell in first for word in re.findall(r"`([^`]+)`", cell)}
    assert {value for span in spans() for value in written(span) if value} == page
