"""A fake API server, a clean environment, and a way to print figures."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from fakes.apiserver import FakeApiServer


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours, of OpenTelemetry, of a cluster or of a proxy; an empty home."""
    for name in list(os.environ):
        if name.startswith(("KSPANPY_", "OTEL_", "KUBE")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    if not os.environ.get("XDG_CACHE_HOME"):  # programs that were built once need not be built again
        monkeypatch.setenv("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    """An API server of one's own."""
    with FakeApiServer() as fake:
        yield fake


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a figure, whatever pytest captures."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", end="", flush=True)

    return line
