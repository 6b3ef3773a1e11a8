"""`kspanpy demo`: what kspanpy is for, in a minute, with nothing installed but itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kspanpy.cli.options import STORIES, settings_flags

if TYPE_CHECKING:
    from kspanpy.view import Story

OUTPUT = "kspanpy-demo.json"


@click.command("demo", short_help="See what kspanpy does: a recorded rollout, without a cluster.")
@click.option(
    "--output", "-o", metavar="FILE", default=OUTPUT, show_default=True, help="Where to write the spans (OTLP/JSON)."
)
@click.option("--all", "all_stories", is_flag=True, help="Print every story of the recording, not only the best two.")
@settings_flags(*STORIES, "shutdown_seconds")
def command(*, output: str, all_stories: bool, **flags: object) -> None:
    """See what kspanpy does: a recorded minute of a real cluster, told as stories in the terminal.

    No cluster and no backend are needed. The spans are written to a file. With OTEL_EXPORTER_OTLP_ENDPOINT set they are
    sent there too, moved to the last minutes so that a viewer lists them:

    \b
    docker run --rm -p 16686:16686 -p 4317:4317 jaegertracing/jaeger
    OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 kspanpy demo
    """  # noqa: D301 - click wants the character \b, not its escape
    from kspanpy.settings import load

    settings = load(flags).settings
    from importlib import resources

    from kspanpy.cli import showing, terminal
    from kspanpy.export import otlp_settings

    send = otlp_settings(os.environ).endpoint_is_set
    recording = resources.files("kspanpy") / "demo" / "rollout.ndjson.gz"
    with recording.open("rb") as stream:
        told = showing.tell(settings, "the recording", stream=stream, output=output, send=send, to_now=send, keep=True, environ=os.environ)  # type: ignore[arg-type]  # fmt: skip

    console = terminal.stdout()
    console.print("A recorded minute of a real cluster. Its Events, told as stories:\n", markup=False)
    showing.print_list(told.spans)
    console.print()
    showing.print_trees(told.spans, choose=(lambda stories: stories) if all_stories else best)
    console.print()
    for line in _next_steps(output, send=send, all_stories=all_stories):
        console.print(line, markup=False, soft_wrap=True)


def best(stories: Sequence[Story]) -> list[Story]:
    """The one with the most to tell of those that worked, and of those that did not."""
    chosen = []
    for failed in (False, True):
        group = [story for story in stories if story.failed is failed]
        if group:
            chosen.append(max(group, key=lambda story: story.spans))
    return chosen


def _next_steps(output: str, *, send: bool, all_stories: bool) -> list[str]:
    from kspanpy.export import otlp_settings

    lines = [] if all_stories else ["The other stories:    kspanpy demo --all"]
    lines.append(f"The spans:            {output} (OTLP/JSON, one request per line)")
    if send:
        endpoint = otlp_settings(os.environ).shown_endpoint
        lines.append(f"Sent to:              {endpoint}, service `kubernetes`, as of the last minutes")
    else:
        lines.append("In a trace viewer:    kspanpy demo --help")
    lines.append("Your own cluster:     kubectl get events -A -o json | kspanpy replay - --tree")
    return lines
