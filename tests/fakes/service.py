"""kspanpy as a process of its own, for tests that start, ask, stop and kill it."""

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

from prometheus_client.parser import text_string_to_metric_families


def until(condition: Callable[[], Any], what: str | Callable[[], str], *, seconds: float = 15) -> None:
    """Waits for another process; `what` is said of it if it takes too long."""
    end = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if condition():
            return
        assert time.monotonic() < end, what if isinstance(what, str) else what()
        time.sleep(max(0.02, 5 * (time.monotonic() - began)))  # to ask must not keep others from working


class Process:
    """A kspanpy of its own."""

    def __init__(self, folder: Path, *args: str, **environ: str) -> None:
        self.log = folder / "stderr"
        self._file = self.log.open("w")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kspanpy", *args],
            stdout=subprocess.PIPE,
            stderr=self._file,
            env={**os.environ, **environ},
            cwd=folder,
            text=True,
        )

    def end(self, number: signal.Signals | None = None) -> int:
        """Its exit code, after a signal."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(20)
        self.close()
        return code

    def close(self) -> None:
        """Whatever happens."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._file.close()

    def said(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


class Service(Process):
    """`kspanpy run`."""

    def __init__(self, folder: Path, kubeconfig: str, *args: str, **environ: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        super().__init__(folder, "run", "--kubeconfig", kubeconfig, "--listen", self.address, *args, **environ)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metrics(self) -> dict[str, float]:
        """Samples without labels, and sums of those that have some."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def ready(self) -> Service:
        """When it is."""
        until(lambda: self.get("/readyz")[0] == 200, "it does not become ready")
        return self


def balanced(metrics: dict[str, float]) -> bool:
    """Both sums of `kspanpy.ops.metrics`."""
    events = sum(metrics[f"kspanpy_events_{name}"] for name in ("exported_total", "discarded_total", "pending"))
    spans = sum(metrics[f"kspanpy_spans_{name}"] for name in ("acknowledged_total", "dropped_total", "queued"))
    return metrics["kspanpy_events_seen_total"] == events and metrics["kspanpy_spans_emitted_total"] == spans
