"""Recordings as fixtures."""

from __future__ import annotations

import pytest

from tests.state.recordings import FIXTURES, RECORDINGS, Taken, inputs_of


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.name.partition(".")[0])
def recording(request: pytest.FixtureRequest) -> list[Taken]:
    """Each recording of a real cluster."""
    return inputs_of(request.param)


@pytest.fixture(scope="session")
def rollout() -> list[Taken]:
    """One of them."""
    return inputs_of(FIXTURES / "captures" / "deployment.ndjson.gz")
