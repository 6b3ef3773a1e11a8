"""`kspanpy replay`: a recording in, its stories out."""

from __future__ import annotations

import os

import click

from kspanpy.cli.options import STORIES, settings_flags


@click.command("replay", short_help="Turn a recording, or `kubectl get events -o json`, into traces.")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--output",
    "-o",
    metavar="FILE|-",
    help="Write the spans as OTLP/JSON lines.  [default: -, unless --tree or --list]",
)
@click.option("--tree", is_flag=True, help="Print the stories as trees.")
@click.option("--list", "as_list", is_flag=True, help="Print the stories as a table, one line each.")
@click.option("--send", is_flag=True, help="Send the spans to the OTLP backend of OTEL_EXPORTER_OTLP_ENDPOINT.")
@settings_flags(*STORIES, "shutdown_seconds")
def command(*, file: str, output: str | None, tree: bool, as_list: bool, send: bool, **flags: object) -> None:
    """Turn a recording into traces, as fast as it can be read: FILE has its own clock.

    FILE is what `kspanpy capture` wrote, or the output of `kubectl get events -o json`; plain or gzip; - is stdin.
    The same FILE gives the same spans. What can not be read is counted and left out. A summary goes to stderr.

    \b
    kspanpy replay rollout.ndjson.gz --list
    kspanpy replay rollout.ndjson.gz --output spans.json
    kubectl get events -A -o json | kspanpy replay - --tree
    """  # noqa: D301 - click wants the character \b, not its escape
    from kspanpy.cli import showing
    from kspanpy.settings import load

    settings = load(flags).settings
    if output is None and not (tree or as_list or send):
        output = "-"
    told = showing.tell(settings, file, output=output, send=send, keep=tree or as_list, environ=os.environ)
    if as_list:
        showing.print_list(told.spans)
    if tree:
        showing.print_trees(told.spans)
    showing.print_summary(told)
