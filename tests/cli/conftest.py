"""A command line without the environment of whoever runs the tests, and a small capture."""

from __future__ import annotations

import gzip
import os
import signal
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pytest

from kspanpy import cli


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs commands in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *args: str) -> Result:
        """What came of `kspanpy` with these arguments."""
        self._capfd.readouterr()
        try:
            code = cli.main(list(args))
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Result(code, *self._capfd.readouterr())


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variable of ours, of OpenTelemetry or of a terminal; an empty home and working folder."""
    for name in list(os.environ):
        if name.startswith(("KSPANPY_", "OTEL_", "KUBE")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def kspanpy(capfd: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line."""
    return CommandLine(capfd)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """The recording of the demo, as a plain file."""
    packed = resources.files("kspanpy") / "demo" / "rollout.ndjson.gz"
    path = tmp_path / "capture.ndjson"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path
