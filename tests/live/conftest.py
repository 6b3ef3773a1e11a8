"""One control plane, one Jaeger and one Collector for all live tests; `scripts/live` runs them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.jaeger import Jaeger
from tests.live.stack import SHARED, Backends, ControlPlane, Kspanpy, wait_for
from tests.live.watching import EventWatch


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real control plane."""
    plane = ControlPlane(tmp_path_factory.mktemp("cluster"))
    try:
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def kubeconfig(cluster: ControlPlane) -> Path:
    """What kspanpy may do there: the role of deploy/."""
    return cluster.install_rights()


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """Jaeger and the Collector."""
    stack = Backends(tmp_path_factory.mktemp("backends"))
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def jaeger(backends: Backends) -> Jaeger:
    """The backend's query APIs."""
    return Jaeger(backends.query)


@pytest.fixture
def start(kubeconfig: Path, backends: Backends, tmp_path: Path) -> Iterator[Callable[..., Kspanpy]]:
    """Starts `kspanpy run`, ready; stops what still runs."""
    started: list[Kspanpy] = []

    def begin(**variables: str) -> Kspanpy:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Kspanpy(folder, kubeconfig, backends.grpc, **variables))
        started[-1].ready()
        return started[-1]

    try:
        yield begin
    finally:
        for process in started:
            process.stop()


@pytest.fixture(scope="session")
def kubeapi() -> Any:
    """The small client beside the control plane."""
    sys.path.insert(0, str(SHARED / "cluster"))
    return importlib.import_module("kubeapi")


@pytest.fixture
def changes(cluster: ControlPlane, kubeapi: Any) -> Iterator[Callable[[str], Any]]:
    """Gives a `scenarios.Run` in a new namespace: changes made as kubectl makes them. The namespace is deleted at the end."""
    api = kubeapi.Api(str(cluster.admin))
    scenarios = importlib.import_module("scenarios")
    made: list[str] = []

    def namespace(name: str) -> Any:
        run = scenarios.Run(api, name, str(cluster.admin))
        run.create("Namespace", name, {}, namespace=None)
        made.append(name)
        base = f"/api/v1/namespaces/{name}"
        for needed in ("configmaps/kube-root-ca.crt", "serviceaccounts/default"):
            wait_for(needed, lambda needed=needed: api.get(f"{base}/{needed}"), patience=20)
        return run

    yield namespace
    for name in made:
        api.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def watch(cluster: ControlPlane, kubeapi: Any) -> Iterator[EventWatch]:
    """A second, independent watcher of events."""
    watcher = EventWatch(kubeapi.Api(str(cluster.admin)))
    yield watcher
    watcher.stop()
