"""The OTEL_* variables that kspanpy honours: for `kspanpy config` and docs/configuration.md. `kspanpy.export` reads them.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

REDACTED: Final = "***"


class Variable(NamedTuple):
    """One variable of the specification."""

    name: str
    default: str
    meaning: str
    secret: bool = False


_OTLP: Final = (
    (
        "ENDPOINT",
        "`http://localhost:4317` (gRPC) or `http://localhost:4318` (HTTP)",
        "Where the backend or collector listens.",
    ),
    (
        "PROTOCOL",
        "`http/protobuf` if the endpoint has port 4318 or ends in /v1/traces, else `grpc`",
        "`grpc` or `http/protobuf`.",
    ),
    ("HEADERS", "", "`key=value` pairs separated by commas, sent with every request. Never shown or logged."),
    (
        "TIMEOUT",
        "`10000`",
        "Milliseconds that one request may take, as the specification says (Python SDKs read seconds).",
    ),
    ("COMPRESSION", "`none`", "`gzip` or `none`."),
    ("CERTIFICATE", "", "File with the certificates of the authority that signed the backend's."),
    ("CLIENT_KEY", "", "File with the key of the client certificate."),
    ("CLIENT_CERTIFICATE", "", "File with the client certificate."),
    ("INSECURE", "`false`", "`true`: gRPC without TLS for an endpoint that has no scheme."),
)

VARIABLES: Final = (
    *(Variable(f"OTEL_EXPORTER_OTLP_{name}", default, meaning, name == "HEADERS") for name, default, meaning in _OTLP),
    *(
        Variable(f"OTEL_EXPORTER_OTLP_TRACES_{name}", "", f"The same for traces only; wins over `OTEL_EXPORTER_OTLP_{name}`.",
                 name == "HEADERS")
        for name, _, _ in _OTLP
    ),
    Variable("OTEL_TRACES_EXPORTER", "`otlp`", "`otlp`, `console` or `none`: the default of `KSPANPY_EXPORTER`. Any other is ignored."),
    Variable("OTEL_SERVICE_NAME", "`kubernetes`", "`service.name` of the lifecycle spans, under which viewers list stories."),
    Variable("OTEL_RESOURCE_ATTRIBUTES", "", "`key=value` pairs separated by commas, added to the resource of every span."),
)  # fmt: skip

ALONE: Final = frozenset({"OTEL_TRACES_EXPORTER"})  # has TRACES in its name, but no general form

_USER_INFO = re.compile(r"(?:(?<=//)|^)[^/@\s]*@")
_QUERY = re.compile(r"(?<=[?&])([^=&\s]*)=([^&\s]*)")
_SHORTEST = 4  # what is shorter is no secret, and would be found everywhere


def effective() -> list[tuple[Variable, str]]:
    """The variables that are set, with secrets replaced."""
    present = ((variable, os.environ.get(variable.name, "")) for variable in VARIABLES)
    return [(variable, redact(variable, value)) for variable, value in present if value]


def redact(variable: Variable, value: str) -> str:
    """`value` as it may be shown: header values, and passwords within URLs, are nobody's business."""
    if variable.secret:
        return (
            ",".join(f"{pair.partition('=')[0].strip()}={REDACTED}" for pair in value.split(",") if "=" in pair)
            or REDACTED
        )
    return _QUERY.sub(rf"\1={REDACTED}", _USER_INFO.sub(f"{REDACTED}@", value))


def secrets() -> frozenset[str]:
    """The texts that must not appear in a log line: header values, passwords and queries of URLs, those of proxies too."""
    found: set[str] = set()
    for variable in VARIABLES:
        value = os.environ.get(variable.name, "")
        if variable.secret:
            values = [pair.partition("=")[2].strip() for pair in value.split(",")]
            values += [unquote(value) for value in values]  # the specification has them URL-encoded
            found.update(values, (value.rpartition(" ")[2] for value in values))  # without "Bearer"
        else:
            found.update(_of_url(value))
    for name, value in os.environ.items():
        if name.upper().endswith("_PROXY"):
            found.update(_of_url(value))
    return frozenset(secret for secret in found if len(secret) >= _SHORTEST)


def _of_url(url: str) -> Iterator[str]:
    """What of a URL is nobody's business, in the forms in which it may be repeated."""
    for info in _USER_INFO.findall(url):
        for form in (info[:-1], unquote(info[:-1])):
            yield form.partition(":")[2]
            if ":" in form:
                yield base64.b64encode(form.encode()).decode()  # Authorization: Basic
    for _, value in _QUERY.findall(url):
        yield value
