"""The real things around kspanpy, each with its own folder and ports: a control plane, Jaeger, the Collector, and kspanpy itself.

All on loopback. Whatever was started is stopped by the same object, also when the test fails; nothing is found by name.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
SHARED = TOP.parent / "shared"
CLUSTER = SHARED / "cluster" / "cluster"
BACKENDS = SHARED / "backends" / "backends"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(what: str, done: Callable[[], Any], *, patience: float, pause: float = 0.1) -> Any:
    """The first true answer of `done`. Raises TimeoutError with `what` and the last answer."""
    deadline = time.monotonic() + patience
    while not (answer := done()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience:.0f} s for {what}; the last answer was {answer!r}")
        time.sleep(pause)
    return answer


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


class ControlPlane:
    """A real Kubernetes control plane with three nodes, whose requests are logged, and kspanpy's account in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.admin = folder / "kubeconfig"
        subprocess.run([CLUSTER, "up", "--dir", folder, "--nodes", "3", "--audit"], check=True)

    def kubectl(self, *arguments: str | Path) -> str:
        """What kubectl prints."""
        environment = os.environ | {"KUBECONFIG": str(self.admin)}
        return subprocess.run(
            [CLUSTER, "kubectl", *arguments], env=environment, check=True, capture_output=True, text=True
        ).stdout

    def install_rights(self) -> Path:
        """The namespace and the role of deploy/, and a kubeconfig of its service account: nobody is admin here."""
        self.kubectl("apply", "-f", TOP / "deploy" / "namespace.yaml")
        self.kubectl("apply", "--namespace", "kspanpy", "-f", TOP / "deploy" / "rbac.yaml")
        token = self.kubectl("create", "token", "kspanpy", "--namespace", "kspanpy").strip()
        lines = [
            f"    token: {token}" if line.strip().startswith("token:") else line
            for line in self.admin.read_text().splitlines()
        ]
        path = self.folder / "kspanpy.kubeconfig"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")
        return path

    def requests(self, user: str = "system:serviceaccount:kspanpy:kspanpy") -> dict[str, dict[str, Any]]:
        """The audited requests of one user, by id."""
        found = {}
        for line in (self.folder / "logs" / "audit.log").read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # the last line is being written
                continue
            if entry["user"].get("username") == user:
                found[entry["auditID"]] = entry
        return found

    def stop(self) -> None:
        """Everything of this cluster ends."""
        subprocess.run([CLUSTER, "down", "--dir", self.folder], check=False)


class Backends:
    """Jaeger, and the Collector with the project's own configuration, sending to that Jaeger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([BACKENDS, "up", "jaeger", "--dir", folder / "jaeger"], check=True, stdout=subprocess.DEVNULL)
        ports = json.loads((folder / "jaeger" / "jaeger.json").read_text())
        self.jaeger_otlp = f"127.0.0.1:{ports['OTLP_GRPC_PORT']}"
        self.query = f"http://127.0.0.1:{ports['QUERY_HTTP_PORT']}"
        grpc, http, health = free_port(), free_port(), free_port()
        self.grpc, self.http = f"http://127.0.0.1:{grpc}", f"http://127.0.0.1:{http}"
        environment = os.environ | {
            "OTEL_BACKEND_ENDPOINT": self.jaeger_otlp,
            "OTEL_COLLECTOR_GRPC_ENDPOINT": f"127.0.0.1:{grpc}",
            "OTEL_COLLECTOR_HTTP_ENDPOINT": f"127.0.0.1:{http}",
            "OTEL_COLLECTOR_HEALTH_ENDPOINT": f"127.0.0.1:{health}",
            "OTEL_COLLECTOR_STORAGE": "file_storage",
            "OTEL_COLLECTOR_STORAGE_DIRECTORY": str(folder / "queue"),
        }
        config = TOP / "otel-collector.yaml"
        subprocess.run(
            [BACKENDS, "up", "otelcol", "--config", config, "--dir", folder / "otelcol"], check=True, env=environment
        )
        wait_for("the Collector", lambda: answers(f"http://127.0.0.1:{health}/"), patience=20)

    def stop(self) -> None:
        """Both end."""
        for name in ("otelcol", "jaeger"):
            subprocess.run([BACKENDS, "down", "--dir", self.folder / name], check=False)


class Kspanpy:
    """`kspanpy run` as a process, as in the cluster: least rights, OTLP to the Collector, its state on disk unless there is a Lease."""

    def __init__(self, folder: Path, kubeconfig: Path, endpoint: str, **variables: str) -> None:
        self.log = folder / "kspanpy.log"
        self.address = f"127.0.0.1:{free_port()}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("KSPANPY_", "OTEL_", "KUBECONFIG"))}
        environment |= {
            "KUBECONFIG": str(kubeconfig),
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "KSPANPY_LISTEN": self.address,
            "KSPANPY_CLUSTER_NAME": "live",
        } | variables
        if not environment.get("KSPANPY_LEASE"):
            environment.setdefault("KSPANPY_STATE_DIRECTORY", str(folder / "state"))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kspanpy", "run"], env=environment, stdout=log, stderr=log, cwd=folder
            )

    def ready(self) -> None:
        """It has listed everything."""
        wait_for(f"readiness (see the log: {self.log.read_text()[-2000:]})", self._ready, patience=30)

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"kspanpy ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
        return answers(f"http://{self.address}/readyz")

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its name with labels."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=5) as response:
            lines = response.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def cost(self) -> tuple[float, float]:
        """(CPU seconds since the start, highest resident memory in MiB)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (peak,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
        return cpu, peak / 1024

    def stop(self, patience: float = 30) -> tuple[int, float]:
        """(exit code, seconds) of a SIGTERM; killed when it takes longer than `patience`."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return code, time.monotonic() - began
