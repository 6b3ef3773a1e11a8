"""The lock files: every requirement pinned with hashes, nothing in them tells of the machine that wrote them."""

import re
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-build.lock", "requirements-dev.lock"]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_a_pin_a_hash_or_a_comment(name: str) -> None:
    """No index, no host, no path, no option: the file means the same everywhere."""
    for line in (TOP / name).read_text().splitlines():
        assert re.fullmatch(
            r"(#.*|[a-z0-9._-]+==\S+( ; .*)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|    # .*|)", line
        ), line
        assert "://" not in line


def test_one_package_has_one_version() -> None:
    """The three files can be installed together."""
    versions: dict[str, set[str]] = {}
    for name in LOCKS:
        for package, version in PIN.findall((TOP / name).read_text()):
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


def test_the_lock_has_what_the_project_asks_for() -> None:
    """A dependency added to pyproject.toml without `scripts/lock` fails here."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    pinned = {package for name in LOCKS for package, _ in PIN.findall((TOP / name).read_text())}
    asked = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    names = {re.split(r"[<>=~! \[;]", requirement)[0].lower().replace("_", "-") for requirement in asked}
    assert names - pinned == set()
