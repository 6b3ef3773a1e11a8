"""Writes the tables of docs/performance.md from the JSON that runs have left."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.bench.figures import figure, markdown

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
_MARKED: Final = re.compile(r"(<!-- figures (?P<form>[a-z]+): [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)


def renew(paths: Iterable[Path]) -> None:
    """Each table from the file of its form (full, real); a table without a file stays."""
    reports = dict(tables(json.loads(path.read_text(encoding="utf-8")) for path in paths))
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), reports), encoding="utf-8")


def tables(reports: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(table, what is in it): where the time goes has a table of its own. Of two reports of one form, the later one has its scenarios' say."""
    forms: dict[str, dict[str, Any]] = {}
    for report in reports:
        before = forms.get(report["form"], report)["figures"]
        forms[report["form"]] = report | {"figures": later(before, report["figures"])}
    for form, report in forms.items():
        for table, figures in _parts(form, report["figures"]).items():
            if figures:
                yield table, report | {"figures": figures}


def later(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scenarios of both, each as it was measured last, in the order of the first."""
    names = dict.fromkeys(one["scenario"] for one in [*before, *after])
    new = {one["scenario"] for one in after}
    return [one for name in names for one in (after if name in new else before) if one["scenario"] == name]


def _parts(form: str, figures: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    shares = [one for one in figures if one["scenario"] == "profile"]
    return {form: [one for one in figures if one not in shares], "profile": shares}


def renewed(text: str, reports: dict[str, dict[str, Any]]) -> str:
    """The page with the tables of those reports."""

    def replace(match: re.Match[str]) -> str:
        report = reports.get(match["form"])
        return match[0] if report is None else f"{match[1]}\n{section(report)}\n\n{match[3]}"

    return _MARKED.sub(replace, text)


def section(report: dict[str, Any]) -> str:
    """The machine in a line, and the table."""
    at = report["machine"]
    where = f"Measured on {at['cores']} cores of {at['cpu']}, Python {at['python']}."
    return f"{where}\n\n{markdown(figure(one) for one in report['figures'])}"
