"""`kspanpy run`: the service."""

from __future__ import annotations

import click

from kspanpy.cli.options import ALL, settings_flags


@click.command("run", short_help="Run the service: watch a cluster and send its stories.")
@settings_flags(*ALL)
def command(**flags: object) -> int:
    """Run the service: watch a cluster and send its stories.

    Needs the right to get, list and watch Events and the objects they are about; what may not be read is done without.
    Spans go to the OTLP backend of OTEL_EXPORTER_OTLP_ENDPOINT (default http://localhost:4317).

    \b
    /livez     200 while the process makes progress
    /readyz    200 once every kind has been listed and the API server is heard
    /metrics   what was seen, sent and lost (Prometheus)

    SIGTERM and Ctrl-C end it in order, within KSPANPY_SHUTDOWN_SECONDS; a second signal ends it at once.
    """  # noqa: D301 - click wants the character \b, not its escape
    from kspanpy.app.signals import Interrupted, Signals

    try:
        with Signals() as signals:  # before the large imports: a signal may come at any time
            from kspanpy.settings import load

            settings = load(flags).settings
            from kspanpy.app.service import run

            return run(settings, signals)
    except Interrupted:
        return 0
