"""Two shards as processes, against one API server: together they write what one process writes."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.accounts import Accounts
from fakes.apiserver import FakeApiServer
from fakes.objects import event, pod
from fakes.service import Service, until

PODS = 8
SHARDS = ("", "0/2", "1/2")


@pytest.fixture
def services(server: FakeApiServer, tmp_path: Path) -> Iterator[dict[str, Service]]:
    """One process that tells everything, and beside it two shards, each with a state directory of its own."""
    started = {}
    for number, shard in enumerate(SHARDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        environ = {"KSPANPY_SHARD": shard, "KSPANPY_STATE_DIRECTORY": str(folder / "state")}
        arguments = ("--exporter", "file", "--output", "spans.json")
        started[shard] = Service(folder, server.kubeconfig(folder), *arguments, **environ)
    yield started
    for service in started.values():
        with contextlib.suppress(AssertionError):
            service.close()


def event_spans(folder: Path) -> Counter[str]:
    """The event spans of a file, each as text."""
    found: Counter[str] = Counter()
    for line in (folder / "spans.json").read_text().splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            spans = [span for scope in resource["scopeSpans"] for span in scope["spans"]]
            found.update(json.dumps(span, sort_keys=True) for span in spans if "k8s.event.uid" in json.dumps(span))
    return found


def test_two_shards_write_what_one_process_writes(
    services: dict[str, Service], server: FakeApiServer, tmp_path: Path
) -> None:
    """Each Event once; each says who it is, and accounts for every Event."""
    made = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for number in range(PODS):
        one = pod(f"web-{number}")
        one["metadata"]["creationTimestamp"] = made
        server.put("pods", one)
        about = {"kind": "Pod", "namespace": "shop", "name": f"web-{number}"}
        server.put("events", event(f"e{number}", at=made, reason="Started", message="Started", involvedObject=about))
    for shard, service in services.items():
        service.ready()
        until(lambda one=service: one.metrics().get("kspanpy_events_seen_total") == PODS, f"{shard} has not seen all")
        until(lambda one=service: one.metrics().get("kspanpy_events_pending") == 0, f"{shard} has not told all")
        Accounts(f"http://{service.address}").check()
        metrics = service.metrics()
        index, count = (int(part) for part in (shard or "0/1").split("/"))
        assert (metrics["kspanpy_shard_index"], metrics["kspanpy_shard_count"]) == (index, count)
    seen = [services[shard].metrics() for shard in SHARDS]
    exported = [metrics["kspanpy_events_exported_total"] for metrics in seen]
    assert exported[0] == PODS == exported[1] + exported[2]
    assert 0 < exported[1] < PODS
    for service in services.values():
        assert service.end(signal.SIGTERM) == 0
    said = [next(line for line in services[shard].said() if line["message"] == "watching") for shard in SHARDS]
    assert [line["shard"] for line in said] == ["0/1", "0/2", "1/2"]
    whole, *parts = [event_spans(tmp_path / str(number)) for number in range(len(SHARDS))]
    assert parts[0] + parts[1] == whole
    assert whole.total() == PODS
