"""Planted secrets are looked for in everything that kspanpy writes, at level debug, while whatever can fail fails."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.apiserver import FakeApiServer
from tests.fakes.collector import Answer, Fail, FakeCollector, Reply
from tests.fakes.objects import event, pod

TOKEN = "planted-cluster-token-AAAA"
BEARER = "planted-otlp-bearer-BBBB"
API_KEY = "planted-otlp-key-CCCC"
PROXY = "planted-proxy-password-DDDD"
PLUGIN = "planted-plugin-output-EEEEEEEE"
BASIC = "planted-basic-password-FFFF"
KEY = "planted-private-key-GGGG"
QUERY = "planted-query-HHHH"
PASSWORDS = (TOKEN, BEARER, API_KEY, PROXY, PLUGIN, BASIC, KEY, QUERY)
ENCODED = (
    *(base64.b64encode(f"user:{word}".encode()).decode() for word in (PROXY, BASIC)),
    base64.b64encode(KEY.encode()).decode().rstrip("="),
)
ECHO = (
    f"bad request: authorization: Bearer {BEARER}, x-api-key={API_KEY}; the token {BEARER} and the key '{API_KEY}' are unknown; "
    f"proxy-authorization: Basic {ENCODED[0]} ({ENCODED[0]}) user:{PROXY}"
)
HEADERS = f"authorization=Bearer%20{BEARER},x-api-key={API_KEY}"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Nothing of whoever runs the tests, everything at level debug."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KSPANPY_", "OTEL_", "KUBE")) and not name.upper().endswith("_PROXY")
    }
    return kept | {"HOME": str(tmp_path), "KSPANPY_LOG_LEVEL": "debug", "PYTHONDEVMODE": "1", "GRPC_VERBOSITY": "DEBUG"}


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    """One that wants the planted token."""
    with FakeApiServer() as fake:
        fake.token = TOKEN
        fake.put("pods", pod("web"))
        fake.put("events", event("e1", at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), reason="Killing"))
        yield fake


def leaks(*texts: str | bytes) -> list[str]:
    """Which of the planted texts can be read in these."""
    whole = "\n".join(text if isinstance(text, str) else text.decode("utf-8", "replace") for text in texts)
    return [secret for secret in (*PASSWORDS, *ENCODED) if secret in whole]


def done(folder: Path, environ: dict[str, str], *args: str, patience: float = 30) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself, or is ended after a while, but not before it has said something."""
    command = [sys.executable, "-m", "kspanpy", *args]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in range(10):
            try:
                out, err = process.communicate(timeout=patience)
                break
            except subprocess.TimeoutExpired as late:
                if late.stderr:
                    process.terminate()
        else:
            process.kill()
            out, err = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, err)


def served(folder: Path, environ: dict[str, str], kubeconfig: str, *, waits_for: str, form: str) -> str:
    """Everything that a service says until its log has a line like this, and then until its end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "kspanpy", "run", "--kubeconfig", kubeconfig, "--listen", address, "--shutdown-seconds", "1",
             "--log-format", form],
            cwd=folder, env=environ, stdout=stdout, stderr=stderr,
        )  # fmt: skip
        try:
            end = time.monotonic() + 15
            while not re.search(waits_for, err.read_text(errors="replace")):
                assert time.monotonic() < end, err.read_text()[-2000:]
                assert process.poll() is None, err.read_text()[-2000:]
                time.sleep(0.05)
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as response:
                page = response.read().decode()
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        finally:
            process.kill()
            process.wait()
    return page + out.read_text(errors="replace") + err.read_text(errors="replace")


@pytest.mark.parametrize(
    ("protocol", "reply", "form"),
    [
        ("http/protobuf", Answer(400, {"Content-Type": "text/plain"}, ECHO.encode()), "json"),
        (
            "http/protobuf",
            Answer(503, {"Content-Type": "application/json"}, json.dumps({"message": ECHO}).encode()),
            "text",
        ),
        ("grpc", Fail("UNAUTHENTICATED", ECHO), "text"),
        ("grpc", Fail("UNAVAILABLE", ECHO), "json"),
    ],
    ids=["http 400", "http 503", "grpc permanent", "grpc transient"],
)
def test_a_collector_that_echoes_headers(
    server: FakeApiServer, tmp_path: Path, environ: dict[str, str], *, protocol: str, reply: Reply, form: str
) -> None:
    """Its words are worth a line of the log, without the headers in them."""
    environ |= {"OTEL_EXPORTER_OTLP_HEADERS": HEADERS, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    environ |= {
        "https_proxy": f"http://user:{PROXY}@127.0.0.1:9",
        "no_proxy": "127.0.0.1",
        "KSPANPY_QUIET_SECONDS": "1",
    }
    with FakeCollector("grpc" if protocol == "grpc" else "http", [reply] * 100) as collector:
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint.removesuffix("/v1/traces")
        said = served(tmp_path, environ, server.kubeconfig(tmp_path, token=TOKEN), waits_for="bad request", form=form)
        assert "kspanpy_spans_emitted_total" in said
        assert leaks(said) == []


def test_a_proxy_that_is_away(server: FakeApiServer, tmp_path: Path, environ: dict[str, str]) -> None:
    """What the HTTP library says of it names no password."""
    environ |= {
        "OTEL_EXPORTER_OTLP_HEADERS": HEADERS,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://collector.example:4318/v1/traces?key={QUERY}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "http_proxy": f"http://user:{PROXY}@127.0.0.1:9",
        "no_proxy": "127.0.0.1",
    }
    said = served(
        tmp_path,
        environ,
        server.kubeconfig(tmp_path, token=TOKEN),
        waits_for="ProxyError|refused|transient",
        form="json",
    )
    assert leaks(said) == []


@pytest.mark.parametrize("args", [[], ["--json"]], ids=["table", "json"])
def test_the_effective_settings(tmp_path: Path, environ: dict[str, str], args: list[str]) -> None:
    """What `kspanpy config` shows of the variables that may hold secrets."""
    environ |= {
        "OTEL_EXPORTER_OTLP_HEADERS": HEADERS,
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": API_KEY,  # not even well-formed
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:{BASIC}@collector:4318/?token={QUERY}",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"user:{BASIC}@collector:4317",
        "COLUMNS": "400",
    }
    result = done(tmp_path, environ, "config", *args)
    assert result.returncode == 0, result.stderr
    assert "collector:4318" in result.stdout
    assert leaks(result.stdout, result.stderr) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_HEADERS": API_KEY},
        {"OTEL_EXPORTER_OTLP_HEADERS": f"a b={API_KEY}"},
        {"OTEL_EXPORTER_OTLP_HEADERS": f"a=%0A{API_KEY}"},
        {"OTEL_EXPORTER_OTLP_HEADERS": f"host={API_KEY}"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:{BASIC}@collector:4318"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": f"ftp://user:{BASIC}@collector"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://collector:{BASIC}"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_CLIENT_KEY": f"/nowhere/{'x'}"},
    ],
    ids=lambda variables: " ".join(variables)[-40:],
)
def test_a_wrong_variable(
    server: FakeApiServer, tmp_path: Path, environ: dict[str, str], variables: dict[str, str]
) -> None:
    """The error says which one, and where in it, never what is in it."""
    result = done(tmp_path, environ | variables, "run", "--kubeconfig", server.kubeconfig(tmp_path, token=TOKEN))
    assert result.returncode in (2, 3), result.stderr
    assert "OTEL_EXPORTER_OTLP" in result.stderr
    assert leaks(result.stdout, result.stderr) == []


def exec_user(folder: Path, script: str) -> dict[str, Any]:
    """A user with an exec plugin that is this shell script."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}}


USERS = {
    "a token that is refused": {"token": BEARER},
    "basic auth": {"username": "user", "password": BASIC},
    "a key that is none": {
        "client-certificate-data": base64.b64encode(KEY.encode()).decode(),
        "client-key-data": base64.b64encode(KEY.encode()).decode(),
    },
    "a key that is not base64": {"client-certificate-data": f"!{KEY}", "client-key-data": f"!{KEY}"},
    "an auth provider": {"auth-provider": {"name": "oidc", "config": {"id-token": BEARER, "refresh-token": API_KEY}}},
}


@pytest.mark.parametrize("name", USERS)
def test_a_kubeconfig_that_does_not_work(
    server: FakeApiServer, tmp_path: Path, environ: dict[str, str], name: str
) -> None:
    """Refused, unreadable, half of it missing: nothing of what is in it is shown."""
    kubeconfig = server.kubeconfig(tmp_path, user=USERS[name])
    result = done(
        tmp_path,
        environ,
        "run",
        "--exporter",
        "none",
        "--listen",
        "127.0.0.1:0",
        "--kubeconfig",
        kubeconfig,
        patience=2,
    )
    assert result.stderr
    assert leaks(result.stdout, result.stderr) == []


@pytest.mark.parametrize(
    "script",
    [
        f"echo {PLUGIN} >&2; echo {PLUGIN}; exit 1",
        f'echo \'{{"kind":"ExecCredential","status":{{"token":"{PLUGIN}"\'',
        f'echo \'{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"{PLUGIN}"}}}}\'',
    ],
    ids=["fails", "half a credential", "a token that is refused"],
)
def test_an_exec_plugin_that_does_not_work(
    server: FakeApiServer, tmp_path: Path, environ: dict[str, str], script: str
) -> None:
    """Its output may be the credential itself."""
    kubeconfig = server.kubeconfig(tmp_path, user=exec_user(tmp_path, script))
    result = done(
        tmp_path,
        environ,
        "run",
        "--kubeconfig",
        kubeconfig,
        "--exporter",
        "none",
        "--listen",
        "127.0.0.1:0",
        patience=2,
    )
    assert result.stderr
    assert leaks(result.stdout, result.stderr) == []


def test_the_files_that_are_written(server: FakeApiServer, tmp_path: Path, environ: dict[str, str]) -> None:
    """A capture and a span file hold what happened in the cluster, not how it was reached."""
    kubeconfig = Path(server.kubeconfig(tmp_path, token=TOKEN))
    content = json.loads(kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = server.url.replace("//", f"//user:{BASIC}@")
    kubeconfig.write_text(json.dumps(content))
    environ |= {"OTEL_EXPORTER_OTLP_HEADERS": HEADERS}
    captured = done(tmp_path, environ, "capture", "c.ndjson", "--duration", "1.5", "--kubeconfig", str(kubeconfig))
    replayed = done(tmp_path, environ, "replay", "c.ndjson", "--output", "c.spans.jsonl")
    shown = done(tmp_path, environ, "replay", "c.ndjson", "--tree")
    texts = [captured.stdout, captured.stderr, replayed.stdout, replayed.stderr, shown.stdout, shown.stderr]
    files = [path.read_bytes() for path in tmp_path.glob("c.*")]
    assert len(files) == 2, texts
    assert leaks(*texts, *files) == []
