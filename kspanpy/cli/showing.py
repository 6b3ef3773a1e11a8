"""What `replay` and `demo` have in common: read, tell, write, show."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from rich.text import Text

from kspanpy import export
from kspanpy.app.telling import Telling
from kspanpy.cli import terminal
from kspanpy.core.model import Span
from kspanpy.errors import KspanpyError
from kspanpy.export import SpanSink
from kspanpy.replay import read, source
from kspanpy.settings import Settings
from kspanpy.view import Story, listing, stories, tree


def tell(
    settings: Settings,
    file: str,
    *,
    output: str | None = None,
    send: bool = False,
    keep: bool = False,
    to_now: bool = False,
    stream: BinaryIO | None = None,
    environ: Mapping[str, str],
) -> Telling:
    """Replays `file` into the outputs that are asked for. Raises KspanpyError when a file or a span could not be handled."""
    otlp = export.otlp_settings(environ)
    opened = source.open_input(file) if stream is None else stream
    size = Path(file).stat().st_size if stream is None and Path(file).is_file() else 0
    with nullcontext() if file == "-" else opened, read(file, stream=opened) as capture:
        uid = capture.header.cluster_uid
        attributes = export.cluster_attributes(
            otlp.resource_attributes, cluster_uid=uid, cluster_name=settings.cluster_name
        )
        file_sink = export.SpanFile(output, attributes) if output is not None else None
        through_sdk = settings.otlp_exporter == "sdk"
        backend = export.otlp_pipeline(otlp, attributes, through_sdk=through_sdk) if send else None
        sinks: list[SpanSink] = [sink for sink in (file_sink, backend) if sink is not None]
        telling = Telling(settings, service=otlp.service_name, sinks=sinks, keep=keep, to_now=to_now)

        def describe() -> str:
            share = f" ({100 * opened.tell() // size} %)" if size else ""
            return f"{telling.lines:,} lines read{share}, {telling.stories:,} stories told"

        try:
            with terminal.progress(describe):
                telling.run(capture)
            for sink in sinks:
                finish(sink, "the output" if sink is file_sink else otlp.shown_endpoint, settings.shutdown_seconds)
        finally:
            for sink in sinks:
                sink.close()
    return telling


def finish(sink: SpanSink, name: str, deadline_s: float) -> None:
    """Waits for what is on its way; what did not arrive is an error."""

    def describe() -> str:
        return f"{sink.stats().pending:,} spans still to be sent to {name}"

    with terminal.progress(describe):
        sink.drain(deadline_s)
    sink.close()
    stats = sink.stats()
    if getattr(sink, "is_broken", False):
        raise BrokenPipeError
    if stats.dropped_total:
        why = stats.last_error or ", ".join(f"{reason}: {number}" for reason, number in stats.dropped.items() if number)
        raise KspanpyError(f"{stats.dropped_total} of {stats.emitted} spans did not reach {name}: {why}")


def print_list(spans: Sequence[Span]) -> None:
    """The stories as a table."""
    console = terminal.stdout()
    terminal.print_lines(console, listing(stories(spans), width=_width(console.width)))


def print_trees(
    spans: Sequence[Span], *, choose: Callable[[Sequence[Story]], Sequence[Story]] = lambda all_: all_
) -> None:
    """The stories as trees, an empty line between two."""
    console = terminal.stdout()
    for number, story in enumerate(choose(stories(spans))):
        terminal.print_lines(console, [Text()] * (number > 0) + tree(story, width=_width(console.width)))


def _width(width: int) -> int:
    """A pipe has no width; what is wide enough for a file is not too wide for a diff."""
    return width if sys.stdout.isatty() else max(width, 120)


def print_summary(told: Telling) -> None:
    """What was read and told, on stderr."""
    summary = told.summary
    rate = summary.events / told.seconds if told.seconds else 0.0
    parts = [
        f"{summary.lines:,} lines",
        f"{summary.events:,} events",
        f"{told.stories:,} stories",
        f"{told.told:,} spans",
        *(f"{number:,} discarded ({reason})" for reason, number in sorted(summary.discarded.items())),
        *(f"{number:,} malformed ({reason})" for reason, number in sorted(summary.malformed.items())),
        f"{told.seconds:.2f} s",
        f"{rate:,.0f} events/s",
    ]
    terminal.stderr().print(Text(" · ".join(parts), style="bright_black"), soft_wrap=True)
