"""A fake API server and a clock that does not wait."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from fakes.apiserver import FakeApiServer
from fakes.clock import HastyClock

from kspanpy.kube import Client, connect


@pytest.fixture
def hasty() -> HastyClock:
    """Time without waiting."""
    return HastyClock()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests talk to loopback, whatever the environment says."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    """An API server of one's own."""
    with FakeApiServer() as fake:
        yield fake


@pytest.fixture
def client(server: FakeApiServer, tmp_path: Path) -> Iterator[Client]:
    """A client of it, from a kubeconfig."""
    found = connect(kubeconfig=server.kubeconfig(tmp_path))
    yield found
    found.close()
