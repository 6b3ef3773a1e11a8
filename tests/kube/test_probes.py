"""The probes of `kspanpy run`, a process, while its API server goes and comes: as far as that needs no long waiting.

The minutes are in test_silence.py, in virtual time.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.apiserver import FakeApiServer
from fakes.objects import event, pod
from fakes.service import Service, until

from kspanpy.kube import WATCHED


@pytest.fixture
def service(server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Started while every list fails."""
    monkeypatch.setenv("HOME", str(tmp_path))
    server.put("namespaces", {"metadata": {"name": "kube-system"}})
    server.fault(verb="list", status=500, times=10**6)
    found = Service(tmp_path, server.kubeconfig(tmp_path), "--exporter", "none")
    yield found
    found.close()


def test_the_probes_while_the_api_server_goes_and_comes(server: FakeApiServer, service: Service) -> None:
    """Not ready before the first lists; alive all the time; ready in a short outage, after which everything comes, without a list."""
    until(lambda: service.get("/livez")[0] == 200, "it does not answer")
    assert service.get("/readyz")[0] == 503
    assert "the first lists are not complete" in service.get("/readyz")[1]
    server.faults.clear()
    service.ready()
    assert service.metrics()["kspanpy_watch_synced"] == len(WATCHED)

    until(lambda: server.open_watches == len(WATCHED), "it does not watch")
    lists = len(server.requests("list"))
    server.down()
    until(lambda: service.metrics()["kspanpy_watch_failures_total"] > len(WATCHED), "it does not notice")
    assert (service.get("/livez")[0], service.get("/readyz")[0]) == (200, 200)
    silence = service.metrics()["kspanpy_watch_silence_seconds"]
    server.put("pods", pod("web"))
    server.put("events", event("e1", reason="Killing"))
    until(lambda: service.metrics()["kspanpy_watch_silence_seconds"] > silence, "silence does not grow")
    server.up()
    until(lambda: service.metrics()["kspanpy_events_seen_total"] == 1, "the Event does not come")
    assert len(server.requests("list")) == lists
    assert (service.get("/livez")[0], service.get("/readyz")[0]) == (200, 200)
    assert service.end(signal.SIGTERM) == 0
