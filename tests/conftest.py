"""Options and fixtures of all tests."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time, so that a red run can be run again; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_configure() -> None:
    """A shell that runs the tests in the background ignores SIGINT for them, and the processes that they start would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """--update-golden."""
    parser.addoption(
        "--update-golden", action="store_true", help="write what kspanpy makes of the scenarios instead of comparing it"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours, of OpenTelemetry, of a cluster or of a proxy; an empty home."""
    for name in list(os.environ):
        if name.startswith(("KSPANPY_", "OTEL_", "KUBE")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    if not os.environ.get("XDG_CACHE_HOME"):  # programs that were built once need not be built again
        monkeypatch.setenv("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a figure, whatever pytest captures."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", end="", flush=True)

    return line


@pytest.fixture(autouse=True)
def _levels_are_put_back() -> Iterator[None]:
    """A command that runs inside the tests sets the levels of loggers; the next test starts with the old ones."""
    loggers = [logging.getLogger(), logging.getLogger("kspanpy")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
