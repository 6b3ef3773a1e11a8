"""A fake API server, and an environment without the variables of whoever runs the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from fakes.apiserver import FakeApiServer

from tests.state.recordings import FIXTURES, Taken, inputs_of


@pytest.fixture(autouse=True)
def _clean(clean_environment: None) -> None:
    """Nothing of whoever runs the tests."""


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    """An API server of one's own."""
    with FakeApiServer() as fake:
        yield fake


@pytest.fixture(scope="session")
def rollout() -> list[Taken]:
    """A recorded rollout."""
    return inputs_of(FIXTURES / "captures" / "deployment.ndjson.gz")
