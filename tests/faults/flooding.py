"""A real `kspanpy run` between the generator and a receiver that looks for beacons; what it cost and what arrived."""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

TOP = Path(__file__).resolve().parent.parent.parent
_BEACON = re.compile(rb"beacon (\d+) (\d+) ")
_TICKS = os.sysconf("SC_CLK_TCK")


class Receiver:
    """An OTLP/HTTP endpoint that accepts everything: `beacons` maps a number to its lag in seconds; `spans` are not counted."""

    def __init__(self) -> None:
        self.beacons: dict[int, float] = {}
        self.bytes = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        """A request. A message may come again: as the status of its span, and of the root span of its story."""
        now_ns = time.time_ns()
        self.bytes += len(body)
        for number, at_ns in _BEACON.findall(body):
            self.beacons.setdefault(int(number), (now_ns - int(at_ns)) / 1e9)

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Service:
    """The process of kspanpy: how much memory and processor it takes, and what its metrics say."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.base = f"http://127.0.0.1:{port}"
        self.started = time.monotonic()

    def rss_mib(self) -> tuple[float, float]:
        """Now, and the most so far."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return tuple(int(re.findall(rf"{name}:\s+(\d+) kB", text)[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]

    def cpu_s(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def ready(self) -> bool:
        """Whether /readyz says so."""
        with suppress(OSError), urllib.request.urlopen(f"{self.base}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def wait_ready(self, seconds: float = 120) -> float:
        """Seconds from the start of the process to readiness."""
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() - self.started > seconds:
                raise AssertionError("kspanpy did not become ready")
            time.sleep(0.05)
        return time.monotonic() - self.started

    def metrics(self) -> dict[str, float]:
        """Every series, by its name with labels."""
        with urllib.request.urlopen(f"{self.base}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


@contextmanager
def generator(plan: dict[str, Any]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The cluster: its port, and its process, whose stdout tells how far it is."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(TOP / "tests" / "faults" / "generator.py"), str(port), json.dumps(plan)],
        stdout=subprocess.PIPE,
    )
    try:
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port, process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def service(api: int, endpoint: str, folder: Path, **settings: str) -> Iterator[Service]:
    """`kspanpy run` against the generator; without an endpoint its spans go nowhere."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{api}"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    kubeconfig = folder / "kubeconfig.json"
    kubeconfig.write_text(json.dumps(config), encoding="utf-8")
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "KSPANPY_"))} | {
        "KSPANPY_KUBECONFIG": str(kubeconfig),
        "KSPANPY_LISTEN": f"127.0.0.1:{port}",
        "KSPANPY_EXPORTER": "otlp" if endpoint else "none",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "KSPANPY_STATE_DIRECTORY": tempfile.mkdtemp(prefix="state-", dir=folder),  # as in deploy/
        **settings,
    }
    command = [sys.executable, "-m", "kspanpy", "run"]
    if profile := os.environ.get("PROFILE"):  # py-spy record -o FILE ...
        command = [*profile.split(), *command]
    with (folder / "kspanpy.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=TOP)
        try:
            yield Service(process, port)
        finally:
            process.kill()
            process.wait()


def flood(plan: dict[str, Any], folder: Path, *, show: bool = False, **settings: str) -> dict[str, Any]:
    """Runs one time table and gives the figures."""
    receiver = Receiver()
    with generator(plan) as (api, cluster), service(api, receiver.endpoint, folder, **settings) as kspanpy:
        kspanpy.wait_ready()
        told: list[dict[str, Any]] = []
        assert cluster.stdout is not None
        reader = threading.Thread(target=_follow, args=(cluster.stdout, told), daemon=True)
        reader.start()
        idle = kspanpy.rss_mib()[0]
        marks: dict[str, tuple[float, float]] = {}
        while not any("over" in line for line in told) and kspanpy.process.poll() is None:
            time.sleep(1.0)
            if len(told) not in marks:
                marks[len(told)] = time.monotonic(), kspanpy.cpu_s()
            if show:
                _show(kspanpy, receiver)
        for _ in range(20):  # what is held back for a second or two
            if len(receiver.beacons) >= told[-1]["quiet"]:
                break
            time.sleep(0.5)
        metrics = kspanpy.metrics()
        rss, peak = kspanpy.rss_mib()
        (t1, c1), (t2, c2) = marks[2], marks[3]  # from the beginning of the flood to its end
        lags = sorted(receiver.beacons.values())
    receiver.close()
    return {
        "plan": plan,
        "load": os.getloadavg()[0],
        "idle_mib": round(idle, 1),
        "rss_mib": round(rss, 1),
        "peak_mib": round(peak, 1),
        "cores": round((c2 - c1) / (t2 - t1), 2),
        "told": told[-1],
        "beacons": len(lags),
        "lag_p50": round(lags[len(lags) // 2], 2) if lags else None,
        "lag_p99": round(lags[int(len(lags) * 0.99)], 2) if lags else None,
        "lag_max": round(lags[-1], 2) if lags else None,
        "metrics": {name: value for name, value in metrics.items() if value and _shown(name)},
    }


def _follow(lines: IO[bytes], told: list[dict[str, Any]]) -> None:
    with suppress(ValueError):  # closed
        told.extend(json.loads(line) for line in lines)


_SHOWN = (
    "events",
    "spans",
    "inbox",
    "objects_held",
    "stories",
    "loop",
    "watch_changes_total",
    "watch_relists",
    "failures",
    "state",
)


def _shown(name: str) -> bool:
    return (
        name.startswith("kspanpy_")
        and any(word in name for word in _SHOWN)
        and "bucket" not in name
        and "created" not in name
    )


def _show(kspanpy: Service, receiver: Receiver) -> None:
    m = kspanpy.metrics()
    lag = list(receiver.beacons.values())[-1:] or [0.0]
    print(
        f"{time.strftime('%X')} rss {kspanpy.rss_mib()[0]:.0f} seen {m['kspanpy_events_seen_total']:.0f} "
        f"inbox {m['kspanpy_inbox_items']:.0f} queued {m['kspanpy_spans_queued']:.0f} objects {m['kspanpy_objects_held']:.0f} "
        f"stories {m['kspanpy_stories_open']:.0f} pending {m['kspanpy_events_pending']:.0f} lag {lag[0]:.1f}",
        flush=True,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        figures = flood(json.loads(sys.argv[1]), Path(directory), show=True)
        if len(sys.argv) > 2:
            print((Path(directory) / "kspanpy.log").read_text()[-3000:])
    print(json.dumps(figures, indent=1))
