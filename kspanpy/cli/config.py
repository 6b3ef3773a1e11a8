"""`kspanpy config`: what the service would run with, and why."""

from __future__ import annotations

import click

from kspanpy.cli.options import ALL, settings_flags


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

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("variable", "value", "source", "meaning"):
        table.add_column(title, overflow="fold", no_wrap=title in ("variable", "source"))
    for name, field in reference.fields().items():
        source = sources[name]
        style = "" if source == "default" else "bold green"
        shown = reference.text_of(getattr(settings, name)) or "(empty)"
        meaning = Text(field.description or "", style="bright_black")
        table.add_row(reference.variable(name), Text(shown, style=style), Text(source, style=style), meaning)
    for variable, value in variables:
        table.add_row(
            variable.name,
            Text(value, style="bold green"),
            Text("environment", style="bold green"),
            Text(variable.meaning, style="bright_black"),
        )
    console = terminal.stdout()
    console.print(table)
