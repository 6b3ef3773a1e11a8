"""The standard variables: which wins, what they mean, what is refused, and that secrets stay secret."""

from __future__ import annotations

import dataclasses
import logging
import os
from unittest import mock

import pytest

from kspanpy.errors import UsageError
from kspanpy.export import OtlpSettings, otlp_settings
from kspanpy.export.variables import Headers

P = "OTEL_EXPORTER_OTLP_"
T = P + "TRACES_"

ENDPOINTS = [
    pytest.param({}, "grpc", "http://localhost:4317", id="nothing set: gRPC on this machine"),
    pytest.param({P + "ENDPOINT": "  "}, "grpc", "http://localhost:4317", id="blank is not set"),
    pytest.param(
        {P + "PROTOCOL": "http/protobuf"}, "http/protobuf", "http://localhost:4318/v1/traces", id="HTTP default"
    ),
    pytest.param({P + "ENDPOINT": "http://c:4317"}, "grpc", "http://c:4317", id="gRPC, not encrypted"),
    pytest.param({P + "ENDPOINT": "https://c:4317"}, "grpc", "https://c:4317", id="gRPC, TLS"),
    pytest.param({P + "ENDPOINT": "c:4317"}, "grpc", "https://c:4317", id="gRPC without scheme is TLS"),
    pytest.param({P + "ENDPOINT": "c"}, "grpc", "https://c:443", id="gRPC TLS without port"),
    pytest.param({P + "ENDPOINT": "http://c"}, "grpc", "http://c:4317", id="gRPC plain without port"),
    pytest.param({P + "ENDPOINT": "c:1", P + "INSECURE": "TRUE"}, "grpc", "http://c:1", id="INSECURE decides"),
    pytest.param(
        {P + "ENDPOINT": "c:1", T + "INSECURE": "false", P + "INSECURE": "true"},
        "grpc",
        "https://c:1",
        id="TRACES_INSECURE",
    ),
    pytest.param(
        {P + "ENDPOINT": "https://c:1", P + "INSECURE": "true"}, "grpc", "https://c:1", id="scheme beats INSECURE"
    ),
    pytest.param({P + "ENDPOINT": "http://[::1]:4317"}, "grpc", "http://[::1]:4317", id="IPv6"),
    pytest.param(
        {P + "ENDPOINT": "http://c:4318"}, "http/protobuf", "http://c:4318/v1/traces", id="port 4318 says HTTP"
    ),
    pytest.param(
        {P + "ENDPOINT": "http://c:4318", P + "PROTOCOL": "grpc"}, "grpc", "http://c:4318", id="unless said otherwise"
    ),
    pytest.param(
        {T + "ENDPOINT": "https://c/v1/traces"}, "http/protobuf", "https://c/v1/traces", id="/v1/traces says HTTP"
    ),
    pytest.param(
        {P + "ENDPOINT": "https://c/otlp/", P + "PROTOCOL": "http/protobuf"},
        "http/protobuf",
        "https://c/otlp/v1/traces",
        id="path appended to a base",
    ),
    pytest.param(
        {T + "ENDPOINT": "https://c/otlp", P + "PROTOCOL": "http/protobuf"},
        "http/protobuf",
        "https://c/otlp",
        id="TRACES endpoint used as it is",
    ),
    pytest.param(
        {T + "ENDPOINT": "https://c", P + "PROTOCOL": "http/protobuf"},
        "http/protobuf",
        "https://c/",
        id="TRACES endpoint without path",
    ),
    pytest.param(
        {T + "ENDPOINT": "http://t:1", P + "ENDPOINT": "http://c:2"}, "grpc", "http://t:1", id="TRACES endpoint wins"
    ),
    pytest.param(
        {T + "PROTOCOL": "http/protobuf", P + "PROTOCOL": "grpc"},
        "http/protobuf",
        "http://localhost:4318/v1/traces",
        id="TRACES protocol wins",
    ),
]


@pytest.mark.parametrize(("environ", "protocol", "endpoint"), ENDPOINTS)
def test_where_spans_go(environ, protocol, endpoint):
    """Protocol and endpoint follow the specification, and the rules of the module where it says nothing."""
    settings = otlp_settings(environ)
    assert (settings.protocol, settings.endpoint) == (protocol, endpoint)
    assert settings.insecure == endpoint.startswith("http://")


def test_whether_anything_shall_be_sent():
    """A command that sends only on request can tell the default endpoint from one that was asked for."""
    assert not otlp_settings({}).endpoint_is_set
    assert otlp_settings({T + "ENDPOINT": "http://localhost:4317"}).endpoint_is_set


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PROTOCOL", "http/json", "grpc and http/protobuf"),
        ("COMPRESSION", "deflate", "none and gzip"),
        ("TIMEOUT", "10s", "milliseconds"),
        ("TIMEOUT", "0", "milliseconds"),
        ("TIMEOUT", "-1", "milliseconds"),
        ("TIMEOUT", "٣", "milliseconds"),
        ("TIMEOUT", "9" * 40, "milliseconds"),
        ("ENDPOINT", "ftp://c:1", "http://"),
        ("ENDPOINT", "http://", "no host"),
        ("ENDPOINT", "http://c:notaport", "not a URL"),
        ("ENDPOINT", "http://c:1\n2", "control character"),
        ("ENDPOINT", "http://user:hunter2@c:1", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("HEADERS", "hunter2", "entry 1"),
        ("HEADERS", "a=b,=hunter2", "entry 2"),
        ("HEADERS", "a=hunter2%0d%0aX: y", "entry 1"),
        ("HEADERS", "content-type=hunter2", "content-type"),
        ("HEADERS", "grpc-timeout=hunter2", "grpc-timeout"),
        ("CLIENT_KEY", "/key.pem", "CLIENT_CERTIFICATE"),
        ("CLIENT_CERTIFICATE", "/cert.pem", "CLIENT_KEY"),
    ],
)
@pytest.mark.parametrize("prefix", [P, T])
def test_a_wrong_value_is_one_clear_line(prefix, name, value, says):
    """The error names the variable that was wrong, says what to do, and shows no secret."""
    with pytest.raises(UsageError) as raised:
        otlp_settings({prefix + name: value})
    text = str(raised.value)
    assert prefix + name in text
    assert says in text
    assert "\n" not in text
    assert "hunter2" not in text


def test_http_needs_a_scheme():
    """host:port is no URL for HTTP."""
    with pytest.raises(UsageError, match="must start with http"):
        otlp_settings({P + "ENDPOINT": "c:9999", P + "PROTOCOL": "http/protobuf"})


def test_headers_are_decoded():
    """URL-decoded values, "=" in values, names in lower case, spaces around, the TRACES form replaces the general one."""
    environ = {P + "HEADERS": " Authorization = Basic%20dTpwYQ== ,x-scope=a%2Cb,empty=,"}
    assert dict(otlp_settings(environ).headers) == {"authorization": "Basic dTpwYQ==", "x-scope": "a,b", "empty": ""}
    assert dict(otlp_settings(environ | {T + "HEADERS": "only=this"}).headers) == {"only": "this"}


def test_timeout_is_in_milliseconds():
    """As the specification says; a value that looks like seconds is warned of."""
    assert otlp_settings({}).timeout_s == 10
    assert otlp_settings({P + "TIMEOUT": "2500", T + "TIMEOUT": "1500"}).timeout_s == 1.5
    assert "seconds" in otlp_settings({P + "TIMEOUT": "10"}).warnings[0]


def test_compression():
    """`none` is legal and means none."""
    assert otlp_settings({P + "COMPRESSION": "gzip"}).compression == "gzip"
    assert otlp_settings({P + "COMPRESSION": "gzip", T + "COMPRESSION": "none"}).compression == "none"


def test_tls_files_without_tls_are_warned_of():
    """A certificate with an http:// endpoint is a mistake that would otherwise send in the clear, silently."""
    assert "encrypted" in otlp_settings({P + "CERTIFICATE": "/ca.pem"}).warnings[0]


SECRET = "hunter2-token"


def test_secrets_are_in_no_text():
    """Neither repr nor str nor asdict of the settings shows header values or the query of the endpoint."""
    settings = otlp_settings({
        P + "HEADERS": f"authorization=Bearer%20{SECRET},x-key={SECRET}",
        P + "ENDPOINT": f"https://c:4318/v1?token={SECRET}",
        P + "CLIENT_KEY": f"/{SECRET}.pem",
        P + "CLIENT_CERTIFICATE": "/c.pem",
    })  # fmt: skip
    assert settings.headers["authorization"] == f"Bearer {SECRET}"
    assert settings.endpoint.endswith(f"/v1/v1/traces?token={SECRET}")
    for text in (
        repr(settings),
        str(settings),
        f"{settings.headers}",
        repr(dataclasses.asdict(settings)["headers"]),
        settings.shown_endpoint,
    ):
        assert SECRET not in text
    assert "authorization" in repr(settings)


def test_secrets_are_taken_out_of_foreign_texts():
    """A server that echoes the token in its error does not bring it into our logs; control characters go as well."""
    settings = OtlpSettings(headers=Headers({"authorization": f"Bearer {SECRET}"}))
    shown = settings.redact(f"bad token {SECRET}\x1b[31m\r\nforged line" + "x" * 1000)
    assert SECRET not in shown
    assert len(shown) <= 256
    assert shown.startswith("bad token ***")
    assert shown.isprintable()


def test_resource_attributes_are_read_as_the_sdk_reads_them():
    """Same result as the OpenTelemetry SDK's own detector."""
    from opentelemetry.sdk.resources import OTELResourceDetector

    environ = {
        "OTEL_RESOURCE_ATTRIBUTES": "a=b, deployment.environment.name = prod%20eu ,eq=x=y,u=%C3%A9,team=",
        "OTEL_SERVICE_NAME": "k",
    }
    with mock.patch.dict(os.environ, environ):
        expected = dict(OTELResourceDetector().detect().attributes)
    settings = otlp_settings(environ)
    assert dict(settings.resource_attributes) | {"service.name": settings.service_name} == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "kubernetes"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a"}, "a"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a", "OTEL_SERVICE_NAME": "b"}, "b"),
    ],
)
def test_service_name(environ, expected):
    """OTEL_SERVICE_NAME, else service.name of the attributes, else the default; never left among the attributes."""
    settings = otlp_settings(environ)
    assert settings.service_name == expected
    assert "service.name" not in settings.resource_attributes


def test_attributes_of_this_run_are_left_out(caplog):
    """What differs after a restart would make re-sent spans differ: left out, and said, without their values."""
    caplog.set_level(logging.DEBUG)
    text = "k8s.pod.name=me,service.instance.id=1,process.pid=7,host.name=h,team=a,nonsense"
    settings = otlp_settings({"OTEL_RESOURCE_ATTRIBUTES": text})
    assert dict(settings.resource_attributes) == {"team": "a"}
    assert any("k8s.pod.name" in warning for warning in settings.warnings)
    assert any("1 entries" in warning for warning in settings.warnings)
