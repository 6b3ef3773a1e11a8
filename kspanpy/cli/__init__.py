"""The command line. Only click is imported here, so that help, version and completion answer at once.

Exit codes: 0 done, 1 a failure or a second signal, 2 wrong usage, 3 the service could not start, 4 an input could not be read,
130 interrupted, 143 terminated, 141 nobody reads the output any more. Every foreseen error is one line on stderr.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Final

import click

from kspanpy import __version__
from kspanpy.errors import KspanpyError

INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
TERMINATED: Final = 143

# In the order in which a newcomer meets them. The help is repeated here because the commands are imported only to run.
COMMANDS: Final = {
    "demo": "See what kspanpy does: a recorded rollout, without a cluster.",
    "run": "Run the service: watch a cluster and send its stories.",
    "capture": "Record what happens in a cluster to a file.",
    "replay": "Turn a recording, or `kubectl get events -o json`, into traces.",
    "config": "Show the effective settings and where each one comes from.",
}


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in our order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"kspanpy.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The table above, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion for a typing error."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if close:
                raise click.UsageError(f"{error.message.rstrip('.')}: did you mean {close[0]}?", ctx) from None
            raise

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. When nobody reads the output, that is the reader's decision and no error."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            discard_output()
            ctx.exit(BROKEN_PIPE)
        return result


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kspanpy", message="%(prog)s %(version)s")
def cli() -> None:
    """Turns Kubernetes Events into OpenTelemetry traces.

    kspanpy watches a cluster (read-only) and tells each change of a workload as one trace: who made it, which
    ReplicaSets and Pods came and went because of it, where the time went, what failed and why.

    \b
    Try it:          kspanpy demo
    On your events:  kubectl get events -A -o json | kspanpy replay - --tree
    On a cluster:    OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 kspanpy run

    Every setting is a variable KSPANPY_*; `kspanpy config` lists them. A flag wins over a variable.
    """  # noqa: D301 - click wants the character \b, not its escape


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line; gives the exit code."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        result = cli.main(args, prog_name="kspanpy", standalone_mode=False)
    except KspanpyError as error:
        return _say(str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def discard_output() -> None:
    """From now on stdout leads nowhere: the interpreter flushes it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(_number: int, _frame: object) -> None:
    """Unwinds, so that files are closed; also as process 1 of a container, which the system would not end by itself."""
    sys.exit(TERMINATED)


def _say(message: str, code: int) -> int:
    click.echo(f"kspanpy: {' '.join(message.split())}", err=True)
    return code
