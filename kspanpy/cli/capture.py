"""`kspanpy capture`: what a watcher sees, on disk, for `kspanpy replay`, a bug report or a test."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO

import click

from kspanpy.cli.options import settings_flags


@click.command("capture", short_help="Record what happens in a cluster to a file.")
@click.argument("file", metavar="FILE|-")
@settings_flags("kubeconfig", "context", "namespaces", "exclude_namespaces")
@click.option(
    "--duration", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Stop after this time."
)
@click.option("--note", default="", metavar="TEXT", help="Kept in the first line of the file: what was done meanwhile.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def command(*, file: str, duration: float | None, note: str, force: bool, **flags: object) -> None:
    """Record what happens in a cluster to FILE (- is stdout; a name that ends in .gz is compressed).

    First comes what is there, then every change, until Ctrl-C or --duration. The file holds whole objects, such as Pods
    with the environment of their containers, but no Secrets and no ConfigMaps: look at it before you share it.

    \b
    kspanpy capture --namespaces shop --duration 120 rollout.ndjson.gz
    kspanpy replay rollout.ndjson.gz --tree
    """  # noqa: D301 - click wants the character \b, not its escape
    from kspanpy.settings import load

    settings = load(flags).settings
    from kspanpy.app import recording
    from kspanpy.cli import terminal
    from kspanpy.ops import logs
    from kspanpy.settings import otel

    logs.set_up(level="warning", form="text", secrets=otel.secrets())
    recorder = recording.Recorder(settings, note=note)
    with _output(file, force=force) as stream, terminal.progress(recorder.describe, patience_s=0.5):
        recorder.run(stream, duration_s=duration)
    recorder.raise_for_loss(file)
    terminal.stderr().print(f"{recorder.describe()} · written to {'stdout' if file == '-' else file}", markup=False)


def _output(file: str, *, force: bool) -> AbstractContextManager[BinaryIO]:
    import gzip
    from pathlib import Path
    from typing import cast

    from kspanpy.errors import UsageError

    if file == "-":
        if sys.stdout.isatty():
            raise UsageError("a capture is not for a terminal: name a file, or pipe it somewhere")
        return nullcontext(sys.stdout.buffer)
    try:
        path, mode = Path(file), "wb" if force else "xb"
        if file.endswith(".gz"):
            return cast("BinaryIO", gzip.open(path, mode, compresslevel=6))
        return cast("BinaryIO", path.open(mode))
    except FileExistsError:
        raise UsageError(f"{file} is there already: choose another name, or --force to replace it") from None
    except OSError as error:
        raise UsageError(f"{file} can not be written: {error.strerror}") from None
