"""The command line: help that is quick, errors that are one line, exit codes that mean something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kspanpy import __version__, cli
from kspanpy.cli import COMMANDS
from kspanpy.settings import reference

from .conftest import CommandLine

HEAVY = ("pydantic", "kubernetes", "grpc", "rich", "msgspec", "opentelemetry", "prometheus_client")


class TestHelp:
    """Help texts that a user can work from."""

    @pytest.mark.parametrize("args", [["--help"], ["--version"], []])
    def test_the_first_answer_imports_nothing_heavy(self, args: list[str]) -> None:
        """Only click: an import of pydantic alone takes longer than a person notices."""
        code = f"import sys\nfrom kspanpy import cli\ncli.main({args})\nprint(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stderr.splitlines()[-1] == ""

    def test_python_m_is_the_same_program(self) -> None:
        """`python -m kspanpy` works where no script is on the PATH."""
        done = subprocess.run(
            [sys.executable, "-m", "kspanpy", "--version"], capture_output=True, text=True, check=True
        )
        assert done.stdout == f"kspanpy {__version__}\n"

    def test_the_list_of_commands_is_that_of_the_commands(self) -> None:
        """The table that spares the imports says what the commands say of themselves."""
        for name, help_ in COMMANDS.items():
            command = cli.cli.get_command(click.Context(cli.cli), name)
            assert command is not None
            assert (command.name, command.short_help) == (name, help_)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_explains_itself(self, kspanpy: CommandLine, name: str) -> None:
        """-h works everywhere, and no flag is without a text."""
        result = kspanpy(name, "-h")
        assert result.code == 0
        assert result.out.startswith(f"Usage: kspanpy {name}")
        command = cli.cli.get_command(click.Context(cli.cli), name)
        assert command is not None
        assert all(option.help for option in command.params if isinstance(option, click.Option))

    @pytest.mark.parametrize("name", ["", *COMMANDS])
    def test_help_fits_a_terminal_and_keeps_its_examples(
        self, kspanpy: CommandLine, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """80 columns; blocks of examples are not filled into a paragraph, which a raw docstring makes click do."""
        monkeypatch.setenv("COLUMNS", "80")
        text = kspanpy(*filter(None, [name]), "--help").out
        assert "\\b" not in text
        assert "\b" not in text
        assert max(map(len, text.splitlines())) <= 80

    def test_run_has_a_flag_for_every_setting(self, kspanpy: CommandLine) -> None:
        """And names the variable beside it."""
        text = kspanpy("run", "--help").out
        for name in reference.fields():
            assert reference.flag(name) in text
            assert reference.variable(name) in text


class TestErrors:
    """One line on stderr, no traceback, an exit code from `kspanpy.errors`."""

    def test_a_command_that_does_not_exist(self, kspanpy: CommandLine) -> None:
        """With a suggestion."""
        result = kspanpy("reply")
        assert result.code == 2
        assert "did you mean replay?" in result.err

    def test_a_wrong_setting(self, kspanpy: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        """Exit code 2, before anything is read or connected."""
        monkeypatch.setenv("KSPANPY_QUIET", "3")
        for name in ("run", "config", "demo"):
            result = kspanpy(name)
            assert (result.code, result.err.count("\n")) == (2, 1)
            assert result.err.startswith("kspanpy: KSPANPY_QUIET is not a setting of kspanpy: did you mean")

    def test_no_cluster(self, kspanpy: CommandLine) -> None:
        """Exit code 3, and what to do."""
        result = kspanpy("run", "--log-level", "error")
        assert (result.code, result.err.count("\n")) == (3, 1)
        assert "--kubeconfig" in result.err

    def test_an_input_that_is_no_recording(self, kspanpy: CommandLine, tmp_path: Path) -> None:
        """Exit code 4, and what was expected."""
        (tmp_path / "notes.txt").write_text("hello\n")
        result = kspanpy("replay", "notes.txt")
        assert (result.code, result.err.count("\n")) == (4, 1)
        assert "kubectl get events" in result.err

    def test_a_file_that_is_not_there(self, kspanpy: CommandLine) -> None:
        """Exit code 2: the name is wrong, not the file."""
        result = kspanpy("replay", "nowhere.ndjson")
        assert (result.code, result.err) == (2, "kspanpy: nowhere.ndjson: there is no such file\n")

    def test_ctrl_c_is_quiet(self, kspanpy: CommandLine, capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Exit code 130, no traceback."""

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("kspanpy.app.telling.replay", interrupted)
        result = kspanpy("replay", str(capture), "--output", "spans.json")
        assert (result.code, result.err.strip()) == (130, "")

    def test_a_reader_that_has_seen_enough_is_no_error(self, capture: Path) -> None:
        """`kspanpy replay ... | head -1` ends quietly, with the code of SIGPIPE."""
        for flag in ("--output=-", "--tree"):
            command = [sys.executable, "-m", "kspanpy", "replay", str(capture), flag]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            with process.stderr:
                assert (process.stderr.read(), process.wait(20)) == ("", 141)


class TestConfig:
    """`kspanpy config`."""

    def test_it_tells_value_and_source(self, kspanpy: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of every setting."""
        monkeypatch.setenv("KSPANPY_SETTLE_SECONDS", "7")
        lines = {
            line.split()[0]: line.split()[1:3] for line in kspanpy("config", "--hold-seconds", "2").out.splitlines()
        }
        assert lines["KSPANPY_SETTLE_SECONDS"] == ["7", "environment"]
        assert lines["KSPANPY_HOLD_SECONDS"] == ["2", "flag"]
        assert lines["KSPANPY_LISTEN"] == ["0.0.0.0:8080", "default"]

    def test_programs_get_json(self, kspanpy: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        """With real numbers, and without secrets."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cr3t")
        result = kspanpy("config", "--json", "--namespaces", "a,b")
        values = json.loads(result.out)
        assert values["namespaces"] == {"value": ["a", "b"], "source": "flag"}
        assert values["hold_seconds"] == {"value": 1.0, "source": "default"}
        assert "s3cr3t" not in result.out
