"""What can be said of a setting: its names, what it allows, its default. Help texts, error messages and the page use it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from kspanpy.core import shard
from kspanpy.settings.model import GROUPS, PREFIX, Settings
from kspanpy.settings.otel import ALONE, VARIABLES


def fields() -> dict[str, FieldInfo]:
    """Every setting, in the order of the model."""
    return Settings.model_fields


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """The command line flag of a setting."""
    return "--" + name.replace("_", "-")


def choices(name: str) -> tuple[str, ...]:
    """The words that a setting allows; empty if it is not a choice."""
    annotation = fields()[name].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def allowed(name: str) -> str:
    """What a setting allows, as the end of "must be ..."."""
    field = fields()[name]
    if words := choices(name):
        return f"one of {', '.join(words)}"
    if field.annotation in (int, float):
        low, high = _bound(field, "ge"), _bound(field, "le")
        unit = "a number of seconds" if name.endswith("_seconds") else "a whole number"
        return f"{unit} from {low:,.9g} to {high:,.9g}".replace(",", " ")
    if name.endswith("namespaces"):
        return "namespace names separated by commas"
    if name.endswith("annotations"):
        return "keys of annotations separated by commas"
    if name == "shard":
        return f"NUMBER/COUNT, such as 0/4 to 3/4 (at most {shard.MOST}), or auto/4 where the host name ends in such a number"
    if name == "listen":
        return "HOST:PORT, such as 0.0.0.0:8080 or [::1]:8080"
    return "a text on one line"


def default(name: str) -> str:
    """The default as a user would write it; empty for "not set"."""
    return text_of(fields()[name].default)


def text_of(value: Any) -> str:
    """A value as a user would write it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_table() -> str:
    """The settings as Markdown, a table for each group."""
    parts = []
    for group, names in GROUPS.items():
        rows = [
            (
                f"`{variable(name)}`",
                f"`{default(name)}`" if default(name) else "(empty)",
                allowed(name) if choices(name) or fields()[name].annotation in (int, float) else "",
                fields()[name].description or "",
            )
            for name in names
        ]
        parts.append(f"### {group}\n\n" + markdown(("variable", "default", "allowed", "meaning"), rows))
    return "\n\n".join(parts)


def otel_table() -> str:
    """The variables of the OpenTelemetry specification that are honoured, as Markdown."""
    rows = [(f"`{v.name}`", v.default, v.meaning) for v in VARIABLES if "_TRACES_" not in v.name or v.name in ALONE]
    rows.append(
        ("`OTEL_EXPORTER_OTLP_TRACES_*`", "", "Each of the `OTEL_EXPORTER_OTLP_*` above, for traces only; it wins.")
    )
    return markdown(("variable", "default", "meaning"), rows)


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _bound(field: FieldInfo, name: str) -> float:
    return next(float(getattr(item, name)) for item in field.metadata if hasattr(item, name))
