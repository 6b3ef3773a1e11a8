"""`kspanpy run` and `kspanpy capture` as processes, against an API server on loopback: start, answers, end, exit codes."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.accounts import Accounts
from fakes.apiserver import FakeApiServer
from fakes.objects import event, pod
from fakes.service import Process, Service, until

from kspanpy.kube.lease import ACKNOWLEDGED_UNTIL


def now() -> str:
    """As Kubernetes writes it."""
    return ago(0)


def ago(seconds: float) -> str:
    """So many seconds before now."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


Start = Callable[..., Service]


@pytest.fixture
def start(server: FakeApiServer, tmp_path: Path) -> Iterator[Start]:
    """Starts services; kills what is left."""
    started: list[Service] = []

    def make(*args: str, **environ: str) -> Service:
        started.append(Service(tmp_path, server.kubeconfig(tmp_path), *args, **environ))
        return started[-1]

    yield make
    for service in started:
        with contextlib.suppress(AssertionError):
            service.close()


class TestRun:
    """The service."""

    def test_from_the_watch_to_the_file(self, start: Start, server: FakeApiServer, tmp_path: Path) -> None:
        """What is there and what happens becomes spans; the sums hold; SIGTERM ends it with 0 and a summary."""
        server.put("pods", pod("web"))
        server.put("events", event("e1", at=now(), reason="Killing", message="Stopping"))
        service = start("--exporter", "file", "--output", "spans.json").ready()
        assert service.get("/livez") == (200, "ok\n")
        server.put("events", event("e2", at=now(), reason="BackOff", type="Warning", message="Back-off"))
        until(lambda: service.metrics().get("kspanpy_events_seen_total") == 2, "the event is not seen")
        Accounts(f"http://{service.address}").check()

        assert service.end(signal.SIGTERM) == 0
        summary = service.said()[-1]
        assert (summary["message"], summary["events_seen"], summary["events_pending"]) == ("stopped", 2, 0)
        assert summary["spans_emitted"] == summary["spans_acknowledged"] > 2
        text = (tmp_path / "spans.json").read_text()
        assert '"Pod.Killing"' in text
        assert '"Pod.BackOff"' in text

    def test_a_cold_replica_does_not_tell_again_what_the_former_leader_had_acknowledged(
        self, start: Start, server: FakeApiServer, tmp_path: Path
    ) -> None:
        """By the time in the Lease. What is younger than that, or is new and only says that it is old, is told."""
        renewed = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": ago(2)}  # it has released
        told = {"annotations": {ACKNOWLEDGED_UNTIL: ago(5)}, "managedFields": [{"manager": "kspanpy", "time": ago(2)}]}
        server.put("leases", {"metadata": {"name": "kspanpy", "namespace": "ops", **told}, "spec": renewed})
        web = pod("web")
        web["metadata"]["creationTimestamp"] = ago(700)
        server.put("pods", web)
        for name, at, made in (("old", 600, 600), ("young", 10, 10), ("slow-clock", 600, 10)):
            one = event(name, at=ago(at), reason="Killing", message=name)
            one["metadata"]["creationTimestamp"] = ago(made)
            server.put("events", one)
        environ = {"KSPANPY_LEASE": "kspanpy", "KSPANPY_LEASE_NAMESPACE": "ops", "KSPANPY_SETTLE_SECONDS": "1"}
        service = start("--exporter", "file", "--output", "spans.json", **environ).ready()
        until(lambda: service.metrics().get("kspanpy_leader") == 1, "it does not lead")
        late = event("late", at=ago(600), reason="Killing", message="late")
        late["metadata"]["creationTimestamp"] = ago(600)
        server.put("events", late)
        until(lambda: service.metrics().get("kspanpy_events_exported_total") == 4, "not all is seen")
        assert service.metrics()["kspanpy_standby_yielded_total"] == 1
        Accounts(f"http://{service.address}").check()
        assert service.end(signal.SIGTERM) == 0
        text = (tmp_path / "spans.json").read_text()
        assert [name for name in ("old", "young", "slow-clock", "late") if f'"uid-{name}"' in text] == [
            "young",
            "slow-clock",
            "late",
        ]

    def test_every_watched_kind_has_metrics(self, start: Start) -> None:
        """By kind, with names of kinds only."""
        service = start("--exporter", "none").ready()
        kinds = set(re.findall(r'kspanpy_watch_synced\{kind="(\w+)"\} 1.0', service.get("/metrics")[1]))
        assert {"Event", "Pod", "Deployment", "Node"} <= kinds
        assert service.end(signal.SIGINT) == 0

    def test_a_backend_that_is_away_costs_the_deadline_and_is_told(self, start: Start, server: FakeApiServer) -> None:
        """Exit code 0 within the deadline; every lost span is counted and logged."""
        server.put("pods", pod("web"))
        server.put("events", event("e1", at=now(), reason="Killing"))
        service = start(
            "--shutdown-seconds",
            "1",
            OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        ).ready()
        until(lambda: service.metrics().get("kspanpy_spans_queued", 0) > 0, "nothing is queued")
        Accounts(f"http://{service.address}").check()
        began = time.monotonic()
        assert service.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < 4
        summary = service.said()[-1]
        assert summary["spans_dropped"] == summary["spans_emitted"] > 0

    def test_the_second_signal_does_not_wait(self, start: Start, server: FakeApiServer) -> None:
        """Exit code 1, at once."""
        server.put("pods", pod("web"))
        server.put("events", event("e1", at=now(), reason="Killing"))
        service = start(
            "--shutdown-seconds",
            "20",
            OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        ).ready()
        until(lambda: service.metrics().get("kspanpy_spans_queued", 0) > 0, "nothing is queued")
        service.process.send_signal(signal.SIGTERM)
        until(lambda: any(line["message"] == "stopping" for line in service.said()), "it does not stop")
        until(lambda: service.get("/readyz")[0] in (503, 0), "it is still ready")
        began = time.monotonic()
        assert service.end(signal.SIGTERM) == 1
        assert time.monotonic() - began < 2

    def test_a_signal_while_it_connects(self, tmp_path: Path) -> None:
        """An API server that does not answer does not hold it: exit code 0, without waiting for a timeout."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            fake = FakeApiServer()
            fake.http.server_close()
            kubeconfig = Path(fake.kubeconfig(tmp_path))
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            kubeconfig.write_text(re.sub(r"127\.0\.0\.1:\d+", address, kubeconfig.read_text()))
            service = Service(tmp_path, str(kubeconfig), "--exporter", "none")
            silent.settimeout(15)
            connection, _ = silent.accept()
            began = time.monotonic()
            assert service.end(signal.SIGTERM) == 0
            assert time.monotonic() - began < 2
            connection.close()
        assert service.said()[-1]["message"] == "stopped while starting"

    def test_no_rights_on_events_is_no_start(self, start: Start, server: FakeApiServer) -> None:
        """Exit code 3, and the right that is missing."""
        server.forbidden.add(("list", "events"))
        service = start("--exporter", "none")
        assert service.end() == 3
        assert "may not list events" in service.log.read_text().splitlines()[-1]

    def test_a_taken_port_is_no_start(self, server: FakeApiServer, tmp_path: Path) -> None:
        """Exit code 3, and the variable."""
        port = server.http.server_address[1]
        process = Process(
            tmp_path, "run", "--kubeconfig", server.kubeconfig(tmp_path), KSPANPY_LISTEN=f"127.0.0.1:{port}"
        )
        assert process.end() == 3
        assert f"KSPANPY_LISTEN=127.0.0.1:{port}: can not listen there" in process.log.read_text()

    def test_no_secret_is_ever_written(self, start: Start, server: FakeApiServer) -> None:
        """Neither the header of the backend nor the token of the cluster, at level debug, while both fail."""
        server.put("pods", pod("web"))
        server.put("events", event("e1", at=now(), reason="Killing"))
        service = start(
            "--shutdown-seconds", "1", "--log-level", "debug",
            OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20s3cr3tv4lue",
        ).ready()  # fmt: skip
        page = service.get("/metrics")[1]
        assert service.end(signal.SIGTERM) == 0
        assert "s3cr3tv4lue" not in page + service.log.read_text()


class TestCapture:
    """`kspanpy capture`."""

    def test_what_is_there_and_what_happens(self, server: FakeApiServer, tmp_path: Path) -> None:
        """Until Ctrl-C; the file is whole, compressed by its name, and can be replayed."""
        server.put("pods", pod("web"))
        kubeconfig = server.kubeconfig(tmp_path)
        process = Process(tmp_path, "capture", "rollout.ndjson.gz", "--kubeconfig", kubeconfig, "--note", "a test")
        until(lambda: server.open_watches > 5, "it does not watch")
        server.put("events", event("e1", at=now(), reason="Killing"))
        time.sleep(0.1)
        assert process.end(signal.SIGINT) == 0
        header, *lines = gzip.decompress((tmp_path / "rollout.ndjson.gz").read_bytes()).splitlines()
        assert json.loads(header)["note"] == "a test"
        assert [json.loads(line)["object"]["kind"] for line in lines] == ["Pod", "Event"]
        assert "2 changes, 1 of Events · written to rollout.ndjson.gz" in process.log.read_text()

        replayed = subprocess.run(
            [sys.executable, "-m", "kspanpy", "replay", "rollout.ndjson.gz", "--list"],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "shop/web" in replayed.stdout

    def test_sigterm_leaves_a_whole_file_too(self, server: FakeApiServer, tmp_path: Path) -> None:
        """Whoever ends it: what was seen can be read."""
        server.put("pods", pod("web"))
        process = Process(tmp_path, "capture", "c.ndjson.gz", "--kubeconfig", server.kubeconfig(tmp_path))
        until(lambda: server.open_watches > 5, "it does not watch")
        time.sleep(0.1)
        assert process.end(signal.SIGTERM) == 143
        assert len(gzip.decompress((tmp_path / "c.ndjson.gz").read_bytes()).splitlines()) == 2

    def test_a_file_is_not_replaced_by_accident(self, server: FakeApiServer, tmp_path: Path) -> None:
        """Exit code 2, and the file as it was; --duration ends without a signal."""
        (tmp_path / "c.ndjson").write_text("precious")
        kubeconfig = server.kubeconfig(tmp_path)
        refused = Process(tmp_path, "capture", "c.ndjson", "--duration", "0.1", "--kubeconfig", kubeconfig)
        assert refused.end() == 2
        assert (tmp_path / "c.ndjson").read_text() == "precious"
        allowed = Process(tmp_path, "capture", "c.ndjson", "--duration", "0.1", "--force", "--kubeconfig", kubeconfig)
        assert allowed.end() == 0
        assert (tmp_path / "c.ndjson").read_text().startswith('{"capture":1')
