"""Every input that was ever interesting keeps the promises of the fuzz targets; what broke one once stays here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import decode, linker

CORPUS = Path(__file__).parent / "corpus"


def inputs(target: str) -> list[Path]:
    """The files of one corpus."""
    return sorted((CORPUS / target).iterdir())


@pytest.mark.parametrize("path", inputs("decode"), ids=lambda path: path.name)
def test_the_decoder_keeps_its_promise(path: Path) -> None:
    """A value or Malformed, clean text, and the next line is read."""
    decode.check(path.read_bytes())


def test_the_linker_keeps_its_promise() -> None:
    """Sound spans of one namespace a trace, bounded memory, every Event accounted for; and the same again."""
    for path in inputs("linker"):
        data = path.read_bytes()
        assert linker.check(data) == linker.check(data), path.name


def test_the_programs_reach_what_they_are_for() -> None:
    """A corpus in which nothing happens proves nothing."""
    spans = [span for path in inputs("linker") for span in linker.check(path.read_bytes())]
    assert {span.name.partition(" ")[2] for span in spans} >= {
        "rollout",
        "deletion",
        "incident",
        "startup",
        "termination",
        "run",
    }
    assert any(span.links for span in spans)
    assert any(span.error for span in spans)
