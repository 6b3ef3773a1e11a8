"""Single OpenTelemetry variables: which form wins, and how their texts are read.

Errors name the variable and the position of what is wrong in it, never a value: it could be the secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from kspanpy.core import sanitize
from kspanpy.errors import UsageError

GENERAL: Final = "OTEL_EXPORTER_OTLP_"
TRACES: Final = "OTEL_EXPORTER_OTLP_TRACES_"

_MAX_HEADERS: Final = 64
_MAX_ATTRIBUTES: Final = 128
_MAX_ATTRIBUTE_VALUE: Final = 1024
_HEADER_NAME: Final = re.compile("[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_HEADER_VALUE: Final = re.compile("[\\x20-\\x7e]{0,16384}")
# gRPC and HTTP write these themselves; a second value breaks the request in ways that are hard to read.
_RESERVED_HEADERS: Final = ("content-type", "content-length", "content-encoding", "transfer-encoding", "host", "te")
# Which run of which copy of this process: different after a restart, and at worst mistaken for the pod that a span is about.
_OF_THIS_RUN: Final = re.compile(
    "(process|host|container|k8s\\.pod|k8s\\.node|k8s\\.container)\\..*|service\\.instance\\.id"
)


class Headers(Mapping[str, str]):
    """Header names (in lower case) and values. Its repr shows the names only."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({', '.join(f'{name}=***' for name in self._values)})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value, and what follows its scheme ("Bearer x"), longest first. Too short to be a secret: not listed."""
        parts = {
            part for value in self._values.values() for part in (value, value.rpartition(" ")[2]) if len(part) >= 4
        }
        return tuple(sorted(parts, key=len, reverse=True))


def variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """The value of OTEL_EXPORTER_OTLP_TRACES_<name>, else of the general form, and which variable it was."""
    for prefix in (TRACES, GENERAL):
        value = environ.get(prefix + name, "").strip()
        if value:
            return value, prefix + name
    return "", GENERAL + name


def boolean(value: str) -> bool | None:
    """What true and false in any case mean; None for anything else."""
    return {"true": True, "false": False}.get(value.lower())


def headers(environ: Mapping[str, str]) -> Headers:
    """OTEL_EXPORTER_OTLP_HEADERS: `name=value,name=value`, values URL-encoded, "=" allowed in them."""
    text, used = variable(environ, "HEADERS")
    found: dict[str, str] = {}
    for position, item in enumerate(text.split(","), start=1):
        if not item.strip():
            continue
        name, equals, value = item.partition("=")
        name, value = unquote(name.strip()).strip(), unquote(value.strip())
        if not equals:
            raise UsageError(f'{used}: entry {position} has no "="; write name=value,name=value')
        if not _HEADER_NAME.fullmatch(name):
            raise UsageError(f"{used}: entry {position} has no valid header name")
        if not _HEADER_VALUE.fullmatch(value):
            raise UsageError(f"{used}: the value of entry {position} has characters that a header can not have")
        if name.lower() in _RESERVED_HEADERS or name.lower().startswith("grpc-"):
            raise UsageError(f"{used}: the header {name.lower()} is set by the protocol and can not be given")
        found[name] = value
    if len(found) > _MAX_HEADERS:
        raise UsageError(f"{used}: more than {_MAX_HEADERS} headers")
    return Headers(found)


def resource_attributes(environ: Mapping[str, str]) -> tuple[dict[str, str], str, tuple[str, ...]]:
    """(attributes without service.name, service name or "", warnings) of OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME.

    Reads as `opentelemetry.sdk.resources.OTELResourceDetector` does (the tests compare), which itself reads only the
    process's environment.
    """
    attributes: dict[str, str] = {}
    malformed = 0
    left_out: list[str] = []
    for item in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, equals, value = item.partition("=")
        key = sanitize.text(key.strip(), 256)
        if not item.strip():
            continue
        if not equals or not key or (key not in attributes and len(attributes) >= _MAX_ATTRIBUTES):
            malformed += 1
        elif _OF_THIS_RUN.fullmatch(key):
            left_out.append(key)
        else:
            attributes[key] = sanitize.text(unquote(value.strip()), _MAX_ATTRIBUTE_VALUE)
    warnings = []
    if malformed:
        warnings.append(
            f"OTEL_RESOURCE_ATTRIBUTES: {malformed} entries are not key=value (or too many) and are left out"
        )
    if left_out:
        warnings.append(
            f"OTEL_RESOURCE_ATTRIBUTES: {', '.join(left_out[:8])} left out: spans must not change when kspanpy restarts"
        )
    service_name = environ.get("OTEL_SERVICE_NAME", "").strip() or attributes.get("service.name", "")
    attributes.pop("service.name", None)
    return attributes, sanitize.text(service_name, 255), tuple(warnings)
