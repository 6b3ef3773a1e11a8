"""A fake API server, and an environment without the variables of whoever runs the tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from fakes.apiserver import FakeApiServer

from tests.state.recordings import FIXTURES, Taken, inputs_of


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours, of OpenTelemetry, of a cluster or of a proxy; an empty home."""
    for name in list(os.environ):
        if name.startswith(("KSPANPY_", "OTEL_", "KUBE")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    """An API server of one's own."""
    with FakeApiServer() as fake:
        yield fake


@pytest.fixture(scope="session")
def rollout() -> list[Taken]:
    """A recorded rollout."""
    return inputs_of(FIXTURES / "captures" / "deployment.ndjson.gz")
