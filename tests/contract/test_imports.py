"""What a command does not need it does not import: every library costs start-up time and stays in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CAPTURE = Path(__file__).resolve().parents[1] / "fixtures" / "captures" / "deployment.ndjson.gz"
COMMAND = "from kspanpy.cli import main; main({args!r})"
# Everything that `kspanpy run` imports and makes before it talks to anybody.
SERVICE = (
    "import kspanpy.app.service as s; from kspanpy import export, settings;"
    "s.sinks.make(settings.load({flags!r}).settings, export.otlp_settings({environ!r}), cluster_uid='').close()"
)
OTLP_HTTP = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
SDK = ("opentelemetry", "google.protobuf")
CLUSTER = ("kubernetes", "urllib3", "requests", "prometheus_client")


def loaded(program: str) -> set[str]:
    """The modules that a program of its own has imported."""
    code = f"import sys\n{program}\nprint('\\n', *sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("program", "spared"),
    [
        (COMMAND.format(args=["--help"]), (*SDK, *CLUSTER, "grpc", "pydantic", "rich", "msgspec")),
        (COMMAND.format(args=["run", "--help"]), (*SDK, *CLUSTER, "grpc", "rich", "asyncio")),
        (COMMAND.format(args=["replay", str(CAPTURE), "--list"]), (*SDK, *CLUSTER, "grpc", "asyncio", "sqlite3")),
        (COMMAND.format(args=["config"]), (*SDK, *CLUSTER, "grpc")),
        (SERVICE.format(flags={}, environ=OTLP_HTTP), (*SDK, "grpc", "rich")),
        (SERVICE.format(flags={}, environ={}), (*SDK, "rich")),
        (SERVICE.format(flags={"exporter": "none"}, environ={}), (*SDK, "grpc", "rich")),
    ],
    ids=["help", "help of run", "replay", "config", "run by HTTP", "run by gRPC", "run without exporter"],
)
def test_what_is_not_needed_is_not_imported(program: str, spared: tuple[str, ...], clean_environment: None) -> None:
    """Each line is a promise of its command."""
    assert not loaded(program) & set(spared)


def test_the_check_sees_what_is_imported(clean_environment: None) -> None:
    """Such as gRPC where it is chosen, and the cluster's client in the service."""
    assert loaded(SERVICE.format(flags={}, environ={})) >= {"grpc", "kubernetes", "prometheus_client", "pydantic"}
