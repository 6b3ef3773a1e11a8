"""Certificates that are replaced while the service runs: the server's with its CA, and the client's own, over both transports."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kspanpy.export import otlp_sender
from kspanpy.export.encode import Encoder
from kspanpy.export.retry import Accepted, Transient
from tests.export.spans import spans
from tests.export.wire import PROTOCOLS, settings_for
from tests.fakes.collector import FakeCollector

PAYLOAD = Encoder({}).encode(spans(20))


def openssl(*arguments: str | Path) -> None:
    """Run it."""
    try:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl, which makes the certificates of this test, is not here")


class Authority:
    """A CA, and a server and a client with a certificate of it: (key, certificate) each."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        ca_key, ca = folder / "ca.key", folder / "ca.crt"
        openssl("req", "-x509", *new_key, "-days", "2", "-subj", f"/CN={folder.name} CA", "-keyout", ca_key, "-out", ca)
        self.ca = ca.read_bytes()
        made = []
        for name in ("server", "client"):
            key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
            extensions = folder / f"{name}.ext"
            extensions.write_text("subjectAltName=IP:127.0.0.1\n")
            openssl("req", "-new", *new_key, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
            openssl(
                *("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial"),
                *("-days", "2", "-extfile", extensions, "-out", certificate),
            )
            made.append((key.read_bytes(), certificate.read_bytes()))
        self.server, self.client = made


@pytest.fixture(scope="module")
def authorities(tmp_path_factory) -> tuple[Authority, Authority]:
    """The old one and the new one."""
    folder = tmp_path_factory.mktemp("rotation")
    return Authority(folder / "old"), Authority(folder / "new")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_everything_is_rotated(protocol, authorities, tmp_path):
    """Server, client and CA: until the files are all there attempts are transient, then they go through, without a restart."""
    old, new = authorities
    ca, key, certificate = tmp_path / "ca.crt", tmp_path / "tls.key", tmp_path / "tls.crt"
    ca.write_bytes(old.ca)
    key.write_bytes(old.client[0])
    certificate.write_bytes(old.client[1])
    with FakeCollector(protocol, tls=old.server, client_ca=old.ca) as collector:
        port = collector.port
        files = {"certificate": str(ca), "client_key": str(key), "client_certificate": str(certificate)}
        sender = otlp_sender(settings_for(protocol, port, **files))
        assert sender.send(PAYLOAD, timeout_s=5.0) == Accepted()
    with FakeCollector(protocol, tls=new.server, client_ca=new.ca, port=port) as collector:
        steps = [(ca, new.ca), (key, new.client[0]), (certificate, new.client[1])]
        for file, content in steps:
            assert isinstance(sender.send(PAYLOAD, timeout_s=5.0), Transient), f"before {file.name}"
            assert not collector.requests
            replaced = tmp_path / "part"
            replaced.write_bytes(content)
            replaced.rename(file)
        assert sender.send(PAYLOAD, timeout_s=5.0) == Accepted()
        assert sender.send(PAYLOAD, timeout_s=5.0) == Accepted()
        sender.close()
    assert collector.payloads == [PAYLOAD] * 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_files_that_are_gone_for_a_moment_change_nothing(protocol, authorities, tmp_path):
    """A connection that is well goes on with what it was made with."""
    old, _ = authorities
    ca = tmp_path / "ca.crt"
    ca.write_bytes(old.ca)
    with FakeCollector(protocol, tls=old.server) as collector:
        sender = otlp_sender(settings_for(protocol, collector.port, certificate=str(ca)))
        assert sender.send(PAYLOAD, timeout_s=5.0) == Accepted()
        ca.unlink()
        outcomes = [sender.send(PAYLOAD, timeout_s=5.0) for _ in range(2)]
        assert not any(hasattr(outcome, "divisible") for outcome in outcomes), "nothing is given up for it"
        ca.write_bytes(old.ca)
        assert sender.send(PAYLOAD, timeout_s=5.0) == Accepted()
        sender.close()
