"""The standard OpenTelemetry exporter variables, read once, checked, and never printed.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/ ; an empty variable counts as not set, and the TRACES form of a
variable wins over the general one. What the specification leaves open, or what users trip over:

* OTEL_EXPORTER_OTLP_PROTOCOL not set: `http/protobuf` when the endpoint has port 4318 or ends in /v1/traces, else `grpc`.
* gRPC endpoint without a scheme: OTEL_EXPORTER_OTLP_INSECURE decides (default: TLS). Without a port: 443 for https://,
  else 4317. An http/protobuf endpoint is a URL and used as such.
* OTEL_EXPORTER_OTLP_TIMEOUT is in milliseconds, as specified (the Python SDK reads seconds).
* Headers are secrets: they are in no repr, no error and no log line.
* Resource attributes that name one run of this process are left out: a span that is sent again after a restart must be
  byte-identical, or the backend shows it twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

from kspanpy.core import sanitize
from kspanpy.errors import UsageError
from kspanpy.export.variables import TRACES, Headers, boolean, headers, resource_attributes, variable

Protocol: TypeAlias = Literal["grpc", "http/protobuf"]
Compression: TypeAlias = Literal["none", "gzip"]

DEFAULT_SERVICE: Final = "kubernetes"
TRACES_PATH: Final = "/v1/traces"
_MAX_TIMEOUT_MS: Final = 3_600_000
_LOOKS_LIKE_HTTP: Final = re.compile(f":4318(?:[/?]|$)|{TRACES_PATH}/?(?:[?]|$)")


@dataclass(frozen=True, kw_only=True, repr=False)
class OtlpSettings:
    """Where and how to send, as one immutable value."""

    protocol: Protocol = "grpc"
    endpoint: str = "http://localhost:4317"
    """A URL. For gRPC the scheme only says whether TLS is used."""
    endpoint_is_set: bool = False
    """False: `endpoint` is the default and the user did not ask to send anything."""
    headers: Headers = field(default_factory=lambda: Headers({}))
    timeout_s: float = 10.0
    """For one attempt, from connecting to the end of the answer."""
    compression: Compression = "none"
    certificate: str = ""
    """File with the CA certificates to trust instead of the system's."""
    client_key: str = ""
    client_certificate: str = ""
    service_name: str = DEFAULT_SERVICE
    """service.name of lifecycle spans."""
    resource_attributes: Mapping[str, str] = field(default_factory=dict)
    """From OTEL_RESOURCE_ATTRIBUTES, without service.name."""
    warnings: tuple[str, ...] = ()
    """What looks like a mistake but is no error: to be logged once. Contains no values."""

    @property
    def insecure(self) -> bool:
        """No TLS."""
        return self.endpoint.startswith("http://")

    @property
    def target(self) -> str:
        """host:port."""
        return urlsplit(self.endpoint).netloc

    @property
    def shown_endpoint(self) -> str:
        """The endpoint without its query, where some services want their token."""
        return sanitize.text(self.endpoint.partition("?")[0], 256)

    def redact(self, text: str) -> str:
        """`text` from outside (a server's answer, an exception) as one short line without any header value or query."""
        for secret in (*self.headers.secrets, self.endpoint.partition("?")[2]):
            if secret:
                text = text.replace(secret, "***")
        return sanitize.text(text, 256)

    def __repr__(self) -> str:
        return (
            f"OtlpSettings(protocol={self.protocol!r}, endpoint={self.shown_endpoint!r}, headers={self.headers!r}, "
            f"timeout_s={self.timeout_s}, compression={self.compression!r}, insecure={self.insecure})"
        )


def otlp_settings(environ: Mapping[str, str]) -> OtlpSettings:
    """The settings that these variables make; a `UsageError` names the variable that is wrong."""
    warnings: list[str] = []
    text, used = variable(environ, "ENDPOINT")
    protocol = _protocol(environ, text)
    endpoint = _endpoint(environ, protocol, warnings)

    certificate, _ = variable(environ, "CERTIFICATE")
    client_key, key_variable = variable(environ, "CLIENT_KEY")
    client_certificate, certificate_variable = variable(environ, "CLIENT_CERTIFICATE")
    if client_key and not client_certificate:
        raise UsageError(f"{key_variable} is set but {certificate_variable} is not: a client needs both")
    if client_certificate and not client_key:
        raise UsageError(f"{certificate_variable} is set but {key_variable} is not: a client needs both")
    if (certificate or client_key) and endpoint.startswith("http://"):
        warnings.append(f"{used}: TLS files are set, but nothing is encrypted without https://")

    attributes, service_name, attribute_warnings = resource_attributes(environ)
    return OtlpSettings(
        protocol=protocol,
        endpoint=endpoint,
        endpoint_is_set=bool(text),
        headers=headers(environ),
        timeout_s=_timeout(environ, warnings),
        compression=_compression(environ),
        certificate=certificate,
        client_key=client_key,
        client_certificate=client_certificate,
        service_name=service_name or DEFAULT_SERVICE,
        resource_attributes=attributes,
        warnings=(*warnings, *attribute_warnings),
    )


def _protocol(environ: Mapping[str, str], endpoint: str) -> Protocol:
    value, used = variable(environ, "PROTOCOL")
    if not value:
        return "http/protobuf" if _LOOKS_LIKE_HTTP.search(endpoint) else "grpc"
    if value == "grpc":
        return "grpc"
    if value == "http/protobuf":
        return "http/protobuf"
    raise UsageError(f'{used} is "{sanitize.text(value, 64)}"; allowed are grpc and http/protobuf')


def _endpoint(environ: Mapping[str, str], protocol: Protocol, warnings: list[str]) -> str:
    text, used = variable(environ, "ENDPOINT")
    if not text:
        return "http://localhost:4317" if protocol == "grpc" else f"http://localhost:4318{TRACES_PATH}"
    if protocol == "grpc" and "://" not in text:
        text = f"{'http' if _insecure(environ, warnings) else 'https'}://{text}"
    split, port = _split(text, used)
    if protocol == "http/protobuf":
        if used.startswith(TRACES):
            return split._replace(path=split.path or "/").geturl()
        return split._replace(path=split.path.rstrip("/") + TRACES_PATH).geturl()
    if split.path not in ("", "/") or split.query:
        warnings.append(f"{used}: only host and port are used with the protocol grpc")
    netloc = split.netloc if port else f"{split.netloc.rstrip(':')}:{443 if split.scheme == 'https' else 4317}"
    return f"{split.scheme}://{netloc}"


def _split(text: str, used: str) -> tuple[SplitResult, int | None]:
    """The URL and its port. Not shown in errors: user names and queries in it may be secrets."""
    if not text.isprintable() or " " in text:
        raise UsageError(f"{used} has a space or a control character in it")
    try:
        split = urlsplit(text)
        port = split.port
    except ValueError:
        raise UsageError(f"{used} is not a URL; write for example http://localhost:4317") from None
    if split.scheme not in ("http", "https"):
        raise UsageError(f"{used} must start with http:// or https://")
    if not split.hostname:
        raise UsageError(f"{used} has no host; write for example http://localhost:4317")
    if "@" in split.netloc:
        raise UsageError(f"{used} has a user name in it; put credentials into OTEL_EXPORTER_OTLP_HEADERS")
    return split, port


def _insecure(environ: Mapping[str, str], warnings: list[str]) -> bool:
    value, used = variable(environ, "INSECURE")
    if value and boolean(value) is None:
        warnings.append(f"{used} is neither true nor false: read as false")
    return boolean(value) is True


def _timeout(environ: Mapping[str, str], warnings: list[str]) -> float:
    value, used = variable(environ, "TIMEOUT")
    if not value:
        return 10.0
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and 0 < int(value) <= _MAX_TIMEOUT_MS):
        raise UsageError(
            f'{used} is "{sanitize.text(value, 32)}"; it must be a number of milliseconds, 1 to {_MAX_TIMEOUT_MS}'
        )
    if int(value) < 100:
        warnings.append(f"{used} is {value} milliseconds; were seconds meant?")
    return int(value) / 1000


def _compression(environ: Mapping[str, str]) -> Compression:
    value, used = variable(environ, "COMPRESSION")
    if value == "gzip":
        return "gzip"
    if value in ("", "none"):
        return "none"
    raise UsageError(f'{used} is "{sanitize.text(value, 32)}"; allowed are none and gzip')
