"""Single attempts against a real gRPC and a real HTTP server on loopback."""

from __future__ import annotations

import subprocess
import threading
import time

import pytest
import requests

from kspanpy.errors import UsageError
from kspanpy.export import OtlpSettings, otlp_sender
from kspanpy.export.encode import Encoder
from kspanpy.export.retry import Accepted, Permanent, Transient
from kspanpy.export.variables import Headers
from tests.export.spans import spans
from tests.fakes.collector import Accept, Answer, Fail, FakeCollector, Reset, unused_port

PAYLOAD = Encoder({}).encode(spans(20))
PROTOCOLS = {"grpc": "grpc", "http": "http/protobuf"}


def attempt(collector, *, timeout_s: float = 5.0, **changes):
    """What comes of one attempt."""
    sender = otlp_sender(OtlpSettings(protocol=PROTOCOLS[collector.protocol], endpoint=collector.endpoint, **changes))
    try:
        return sender.send(PAYLOAD, timeout_s=timeout_s)
    finally:
        sender.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_bytes_arrive(protocol, compression):
    """Whole, with the headers, compressed or not."""
    with FakeCollector(protocol) as collector:
        headers = Headers({"Authorization": "Bearer t", "x-scope": "a,b"})
        assert attempt(collector, compression=compression, headers=headers) == Accepted()
    assert collector.payloads == [PAYLOAD]
    [seen] = collector.headers
    assert (seen["authorization"], seen["x-scope"]) == ("Bearer t", "a,b")
    assert "kspanpy/" in seen["user-agent"]
    if protocol == "http":
        assert (seen[":path"], seen["content-type"]) == ("/v1/traces", "application/x-protobuf")
        assert seen.get("content-encoding", "none") == compression


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_partial_success_is_read(protocol):
    """How many, and why."""
    with FakeCollector(protocol, [Accept(rejected=3, message="too old")]) as collector:
        assert attempt(collector) == Accepted(3, "too old")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_listens(protocol):
    """A refused connection is transient."""
    path = "" if protocol == "grpc" else "/v1/traces"
    settings = OtlpSettings(protocol=PROTOCOLS[protocol], endpoint=f"http://127.0.0.1:{unused_port()}{path}")
    sender = otlp_sender(settings)
    assert isinstance(sender.send(PAYLOAD, timeout_s=2.0), Transient)
    sender.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_slow_collector_costs_the_timeout(protocol):
    """Not more; whether the spans arrived is then not known, so it is transient."""
    with FakeCollector(protocol, [Accept(slow_s=0.6)]) as collector:
        began = time.monotonic()
        assert isinstance(attempt(collector, timeout_s=0.1), Transient)
        assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_works_again_when_the_collector_is_back(protocol):
    """The same sender, without waiting for any schedule of the transport."""
    with FakeCollector(protocol) as collector:
        settings = OtlpSettings(protocol=PROTOCOLS[protocol], endpoint=collector.endpoint)
        sender = otlp_sender(settings)
        assert sender.send(PAYLOAD, timeout_s=5.0) == Accepted()
        assert sender.send(PAYLOAD, timeout_s=5.0) == Accepted()
    for _ in range(3):
        assert isinstance(sender.send(PAYLOAD, timeout_s=1.0), Transient)
    with FakeCollector(protocol, port=collector.port):
        assert sender.send(PAYLOAD, timeout_s=5.0) == Accepted()
    sender.close()
    assert isinstance(sender.send(PAYLOAD, timeout_s=1.0), Transient)
    sender.close()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Fail("UNAVAILABLE", "later"), Transient("UNAVAILABLE: later", None)),
        (Fail("UNAVAILABLE", "later", 3.5), Transient("UNAVAILABLE: later", 3.5)),
        (Fail("RESOURCE_EXHAUSTED", "slow down", 2.0), Transient("RESOURCE_EXHAUSTED: slow down", 2.0)),
        (Fail("RESOURCE_EXHAUSTED", "too big"), Permanent("RESOURCE_EXHAUSTED: too big", divisible=True)),
        (Fail("INVALID_ARGUMENT", "bad"), Permanent("INVALID_ARGUMENT: bad", divisible=True)),
        (Fail("UNAUTHENTICATED", "who"), Permanent("UNAUTHENTICATED: who")),
        (Fail("UNIMPLEMENTED"), Permanent("UNIMPLEMENTED")),
    ],
)
def test_grpc_answers(reply, expected):
    """Code, text and RetryInfo come through; gRPC itself does not retry."""
    with FakeCollector("grpc", [reply]) as collector:
        assert attempt(collector) == expected
        assert len(collector.requests) == 1


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Answer(503, {"Retry-After": "7"}), Transient("HTTP 503: Service Unavailable", 7.0)),
        (Answer(429, {"Retry-After": "soon"}), Transient("HTTP 429: Too Many Requests", None)),
        (Answer(502, {"Content-Type": "text/plain"}, b"upstream"), Transient("HTTP 502: upstream", None)),
        (Answer(400, {"Content-Type": "application/json"}, b'{"m":1}'), Permanent('HTTP 400: {"m":1}', divisible=True)),
        (Answer(413), Permanent("HTTP 413: Request Entity Too Large", divisible=True)),
        (Answer(401, {"Content-Type": "text/html"}, b"<html>"), Permanent("HTTP 401: Unauthorized")),
        (Answer(500), Permanent("HTTP 500: Internal Server Error")),
        (Answer(302, {"Location": "http://127.0.0.1:1/"}), Permanent("HTTP 302: Found")),
        (Answer(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>"), Permanent("HTTP 200 with a web page: not an OTLP endpoint")),
        (Answer(200, {"Content-Type": "application/x-protobuf"}, b"\xff\xff\xff"), Accepted()),
        (Answer(200, {"Content-Type": "application/json"}, b"{}"), Accepted()),
        (Answer(202), Accepted()),
        (Answer(400, {"Content-Type": "application/x-protobuf"}, b"\x08\x03\x12\x03bad"), Permanent("HTTP 400: bad", divisible=True)),
    ],
)  # fmt: skip
def test_http_answers(reply, expected):
    """Status, text and Retry-After come through; a redirect or a web page is no success; nothing is retried within."""
    with FakeCollector("http", [reply]) as collector:
        assert attempt(collector) == expected
        assert len(collector.requests) == 1


def test_a_cut_connection_is_transient():
    """Whether the spans arrived is not known."""
    with FakeCollector("http", [Reset()]) as collector:
        assert isinstance(attempt(collector), Transient)


def test_a_huge_answer_is_not_read():
    """The status counts; the text is cut."""
    with FakeCollector("http", [Answer(503, {"Content-Type": "text/plain"}, b"x" * 5_000_000)]) as collector:
        outcome = attempt(collector)
    assert isinstance(outcome, Transient)
    assert len(outcome.reason) < 1000


def test_netrc_does_not_replace_the_token(tmp_path, monkeypatch):
    """Requests would send the password of ~/.netrc instead of the configured header."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login u password p\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with FakeCollector("http") as collector:
        attempt(collector, headers=Headers({"authorization": "Bearer t"}))
    assert collector.headers[0]["authorization"] == "Bearer t"


def test_closing_interrupts_a_grpc_call():
    """A shutdown does not wait for a collector that hangs."""
    with FakeCollector("grpc", [Accept(slow_s=0.5)]) as collector:
        sender = otlp_sender(OtlpSettings(endpoint=collector.endpoint))
        outcomes = []
        thread = threading.Thread(target=lambda: outcomes.append(sender.send(PAYLOAD, timeout_s=10.0)))
        thread.start()
        while not collector.requests:
            time.sleep(0.005)
        began = time.monotonic()
        sender.close()
        thread.join()
        assert time.monotonic() - began < 0.4
    assert isinstance(outcomes[0], Transient)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Two self-signed certificates for 127.0.0.1: [(key, certificate)]."""
    folder = tmp_path_factory.mktemp("tls")
    made = []
    for name in ("old", "new"):
        key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
        command = [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ),
            *(
                "-subj",
                "/CN=127.0.0.1",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-keyout",
                str(key),
                "-out",
                str(certificate),
            ),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            pytest.skip("openssl, which makes the certificates of this test, is not here")
        made.append((key.read_bytes(), certificate.read_bytes()))
    return made


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_replaced_certificate_is_read_again(protocol, certificates, tmp_path):
    """With the wrong CA nothing is sent; when the file is replaced, the next attempt goes through, without a restart."""
    ca = tmp_path / "ca.crt"
    ca.write_bytes(certificates[0][1])
    with FakeCollector(protocol, tls=certificates[1]) as collector:
        endpoint = collector.endpoint.replace("http://", "https://")
        sender = otlp_sender(OtlpSettings(protocol=PROTOCOLS[protocol], endpoint=endpoint, certificate=str(ca)))
        assert isinstance(sender.send(PAYLOAD, timeout_s=2.0), Transient)
        assert not collector.requests
        ca.write_bytes(certificates[1][1])
        assert sender.send(PAYLOAD, timeout_s=5.0) == Accepted()
        sender.close()


def test_an_unreadable_tls_file_is_said_at_the_start(tmp_path):
    """One line with the variable and the file."""
    with pytest.raises(UsageError, match=r"OTEL_EXPORTER_OTLP_CERTIFICATE: .*missing.pem can not be read"):
        otlp_sender(OtlpSettings(endpoint="https://c:1", certificate=str(tmp_path / "missing.pem")))


def test_a_sender_never_raises(monkeypatch):
    """Whatever the library does."""
    sender = otlp_sender(OtlpSettings(protocol="http/protobuf", endpoint="http://127.0.0.1:1/v1/traces"))
    for error in (requests.exceptions.InvalidURL("x"), MemoryError(), UnicodeError("x")):

        def fail(*_args, error=error, **_keywords):
            raise error

        monkeypatch.setattr(sender._session, "post", fail)
        assert isinstance(sender.send(PAYLOAD, timeout_s=1.0), Transient)
    sender.close()
