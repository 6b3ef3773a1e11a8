"""Flags, then the environment, then defaults -> `Settings`, with where each value came from.

Invariants: a KSPANPY_ variable that is not known stops the start (a typing error must not silently mean the default); whatever
is wrong is one line that names the flag or variable, its value and what is allowed.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from pydantic import ValidationError

from kspanpy.core.sanitize import text
from kspanpy.errors import UsageError
from kspanpy.settings import reference
from kspanpy.settings.model import PREFIX, Settings

Source = Literal["flag", "environment", "default"]

_SHOWN: Final = 60  # characters of a wrong value that an error message repeats

# Kubernetes writes these into every pod of a namespace in which a Service is called kspanpy-something: not the user's doing.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK: Final = re.compile(
    r"KSPANPY_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)


class Loaded(NamedTuple):
    """The settings, and where each of them came from."""

    settings: Settings
    sources: dict[str, Source]


def load(flags: Mapping[str, object] | None = None) -> Loaded:
    """The effective settings. A flag that is None was not given, an empty variable is not set. Raises UsageError."""
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    _refuse_unknown(os.environ)
    variables = {
        name: value for name in reference.fields() if (value := os.environ.get(reference.variable(name), "")) != ""
    }
    otel = os.environ.get("OTEL_TRACES_EXPORTER", "").strip()
    defaults = {}
    if otel in reference.choices("exporter") and "exporter" not in given and "exporter" not in variables:
        defaults["exporter"] = otel
    try:
        settings = Settings.model_validate({**defaults, **variables, **given})
    except ValidationError as error:
        raise UsageError(_one_line(error, given)) from None
    return Loaded(settings, {name: _source(name, given, defaults) for name in reference.fields()})


def _source(name: str, given: Mapping[str, object], defaults: Mapping[str, object]) -> Source:
    if name in given:
        return "flag"
    return "environment" if name in defaults or os.environ.get(reference.variable(name)) else "default"


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {reference.variable(name) for name in reference.fields()}
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name in known or _SERVICE_LINK.fullmatch(name):
            continue
        close = _closest(name.upper().removeprefix(PREFIX), sorted(n.removeprefix(PREFIX) for n in known))
        hint = f"did you mean {PREFIX}{close}?" if close else "`kspanpy run --help` lists the known ones"
        raise UsageError(f"{text(name, _SHOWN)} is not a setting of kspanpy: {hint}")


def _closest(name: str, known: list[str]) -> str:
    longer = [other for other in known if name and other.startswith(name)]
    return next(iter(longer or difflib.get_close_matches(name, known, n=1)), "")


def _one_line(error: ValidationError, given: Mapping[str, object]) -> str:
    """Every wrong setting once; pydantic's own text names internals and takes many lines."""
    wrong: dict[str, str] = {}
    for entry in error.errors(include_url=False, include_context=False):
        name = str(entry["loc"][0]) if entry["loc"] else ""
        if name in reference.fields() and name not in wrong:
            wrong[name] = f"{_shown(name, given)} must be {reference.allowed(name)}"
    return "; ".join(wrong.values()) or "the settings are not valid"


def _shown(name: str, given: Mapping[str, Any]) -> str:
    if name in given:
        return f"{reference.flag(name)} {text(reference.text_of(given[name]), _SHOWN)}:"
    variable = reference.variable(name)
    return f"{variable}={text(os.environ.get(variable, ''), _SHOWN)}:"
