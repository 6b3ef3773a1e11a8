"""Flags made of settings: the name, help, default and choices come from `kspanpy.settings`, and so do all checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from kspanpy.settings import reference
from kspanpy.settings.model import GROUPS

F = TypeVar("F", bound=Callable[..., Any])

CLUSTER: Final = GROUPS["Cluster"]
STORIES: Final = GROUPS["Stories"]
ALL: Final = tuple(name for names in GROUPS.values() for name in names)

_SHORT: Final = {"namespaces": "-n"}
_METAVARS: Final = {
    "kubeconfig": "FILE",
    "output": "FILE",
    "listen": "HOST:PORT",
    "shard": "NUMBER/COUNT",
    "namespaces": "NAMES",
    "exclude_namespaces": "NAMES",
}


def settings_flags(*names: str) -> Callable[[F], F]:
    """A decorator that adds a flag for each setting. A flag that is not given is None."""

    def decorate(function: F) -> F:
        for name in reversed(names):
            function = _flag(name)(function)
        return function

    return decorate


def _flag(name: str) -> Callable[[F], F]:
    choices = reference.choices(name)
    default = reference.default(name)
    extra = f"[{reference.variable(name)}{f'; default: {default}' if default else ''}]"
    return click.option(
        *([_SHORT[name]] if name in _SHORT else []),
        reference.flag(name),
        name,
        type=click.Choice(choices) if choices else str,
        metavar=None if choices else _METAVARS.get(name) or _metavar(name),
        help=f"{reference.fields()[name].description}  {extra}",
    )


def _metavar(name: str) -> str:
    annotation = reference.fields()[name].annotation
    if annotation is float:
        return "SECONDS"
    return "NUMBER" if annotation is int else "TEXT"
