"""What the pages say is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kspanpy import errors
from kspanpy.core.steps import DiscardReason
from kspanpy.export.sink import DropReason
from kspanpy.settings import reference
from kspanpy.settings.otel import VARIABLES

TOP = Path(__file__).resolve().parents[2]
DOCS = TOP / "docs"


def test_the_tables_of_the_pages_are_those_of_the_code() -> None:
    """Every setting, OTEL variable and metric, with its default and meaning; `scripts/docs` renews them."""
    done = subprocess.run(
        [sys.executable, TOP / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_variable_of_the_code_is_on_the_page_and_no_other() -> None:
    """Both ways, as whole words."""
    page = set(re.findall(r"\b(?:KSPANPY|OTEL)_[A-Z_]*[A-Z]\b", (DOCS / "configuration.md").read_text()))
    code = {reference.variable(name) for name in reference.fields()} | {variable.name for variable in VARIABLES}
    page |= {
        name.replace("_OTLP_", "_OTLP_TRACES_")
        for name in page
        if name.startswith("OTEL_EXPORTER_OTLP_") and "_TRACES_" not in name
    }
    assert page - {"OTEL_EXPORTER_OTLP", "OTEL_EXPORTER_OTLP_TRACES"} == code


def test_every_exit_code_is_on_the_page() -> None:
    """Those of the error tree and those of signals and pipes."""
    page = {int(code) for code in re.findall(r"^\| (\d+) \|", (DOCS / "configuration.md").read_text(), re.MULTILINE)}
    tree = {
        error.exit_code for error in (errors.KspanpyError, errors.UsageError, errors.StartupError, errors.InputError)
    }
    assert page == tree | {0, 130, 141, 143}


@pytest.mark.parametrize("reason", [*DiscardReason, *DropReason], ids=str)
def test_every_reason_of_a_loss_is_on_the_page(reason: str) -> None:
    """A loss without an explanation is no explanation."""
    assert f"`{reason}`" in (DOCS / "metrics.md").read_text()


@pytest.mark.parametrize("page", sorted([*DOCS.glob("**/*.md"), *TOP.glob("*.md")]), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Relative links and pictures."""
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", sorted([*DOCS.glob("**/*.md"), *TOP.glob("*.md")]), ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    """Paths in backticks, from the top of the repository or, for modules, of the package."""
    named = re.findall(
        r"`((?:kspanpy|tests|scripts|deploy|docs|core|decode|export|kube|app|cli)/[\w./-]*)", page.read_text()
    )
    for path in named:
        assert (TOP / path).exists() or (TOP / "kspanpy" / path).exists(), path


def test_the_picture_of_the_readme_asks_nothing_of_the_network() -> None:
    """No font, no style sheet, no picture from elsewhere: only the name of the format, and the note of its maker."""
    picture = (DOCS / "images" / "story.svg").read_text()
    assert set(re.findall(r"\w+://[\w./-]+", picture)) <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
    assert "@import" not in picture
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", picture)
