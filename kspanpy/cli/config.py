"""`kspanpy config`: what the service would run with, and why."""

from __future__ import annotations

from typing import Final

import click

from kspanpy.cli.options import ALL, settings_flags

_EXPLAINED: Final = 120  # columns from which on there is room to say what a setting means


@click.command("config", short_help="Show the effective settings and where each one comes from.")
@settings_flags(*ALL)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object, for programs.")
def command(*, as_json: bool, **flags: object) -> None:
    """Show the effective settings and where each one comes from.

    Flags are those of `kspanpy run`: the output is what the service would run with. The variables of OpenTelemetry that
    are set are listed too. Secrets are replaced by ***.
    """
    import json

    from kspanpy.cli import terminal
    from kspanpy.settings import load, otel, reference

    settings, sources = load(flags)
    variables = otel.effective()
    if as_json:
        values = {name: {"value": getattr(settings, name), "source": sources[name]} for name in reference.fields()}
        values |= {variable.name: {"value": value, "source": "environment"} for variable, value in variables}
        click.echo(json.dumps(values, indent=2))
        return

    from rich.table import Table
    from rich.text import Text

    console = terminal.stdout()
    explain = console.width >= _EXPLAINED
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("variable", "value", "source", "meaning")[: 4 if explain else 3]:
        table.add_column(title, overflow="fold", no_wrap=title in ("variable", "source"))

    def row(name: str, value: str, source: str, meaning: str) -> None:
        style = "" if source == "default" else "bold green"
        cells = [Text(name), Text(value, style=style), Text(source, style=style), Text(meaning, style="bright_black")]
        table.add_row(*cells[: 4 if explain else 3])

    for name, field in reference.fields().items():
        shown = reference.text_of(getattr(settings, name)) or "(empty)"
        row(reference.variable(name), shown, sources[name], field.description or "")
    for variable, value in variables:
        row(variable.name, value, "environment", variable.meaning)
    console.print(table)
