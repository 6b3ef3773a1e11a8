"""The door to the API server: credentials, transport, and errors that say what to do and nothing else."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.apiserver import FakeApiServer
from fakes.objects import pod
from kubernetes.config import incluster_config

from kspanpy.errors import StartupError
from kspanpy.kube import Client, FailureReason, TransportError, connect, credentials
from kspanpy.kube import client as client_module

TOKEN = "s3cr3t-t0ken-of-the-service-account"


def plugin(folder: Path, script: str) -> dict[str, Any]:
    """A user with an exec plugin that is this shell script."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}}


def credential(token: str) -> str:
    """What a plugin prints."""
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    return f"echo '{json.dumps(answer)}'"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig of whoever runs the tests, and no pod around them."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_the_token_of_the_kubeconfig_is_sent(server: FakeApiServer, tmp_path: Path) -> None:
    """Every request carries it."""
    server.token = TOKEN
    client = connect(kubeconfig=server.kubeconfig(tmp_path, token=TOKEN))
    assert client.get("/api/v1/pods").status == 200
    assert {request.authorization for request in server.requests()} == {f"Bearer {TOKEN}"}
    assert client.server_version() == "v1.36.3-fake"
    client.close()


def test_the_token_of_an_exec_plugin_is_sent(server: FakeApiServer, tmp_path: Path) -> None:
    """Plugins of kubectl work as they are."""
    server.token = TOKEN
    connect(kubeconfig=server.kubeconfig(tmp_path, user=plugin(tmp_path, credential(TOKEN)))).close()


def test_kubeconfig_from_the_environment(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KUBECONFIG is asked, and may name several files of which some are missing."""
    monkeypatch.setenv("KUBECONFIG", f"/nonexistent{os.pathsep}{server.kubeconfig(tmp_path)}")
    connect().close()


def test_in_a_pod_the_service_account_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kubeconfig: the mounted token, re-read by the official client when it is a minute old."""
    for name, attribute, text in [
        ("token", "SERVICE_TOKEN_FILENAME", TOKEN),
        ("ca.crt", "SERVICE_CERT_FILENAME", "ca"),
    ]:
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(incluster_config, attribute, str(tmp_path / name))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    configuration = credentials.load(kubeconfig=None, context=None)
    assert configuration.host == "https://10.0.0.1:443"
    assert configuration.get_api_key_with_prefix("BearerToken") == f"bearer {TOKEN}"
    assert configuration.refresh_api_key_hook is not None
    assert configuration.retries is False
    assert configuration.keep_alive


def test_rejected_credentials_are_read_again(
    server: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotated token file: 401 leads to the new token without a restart, and not to a reload for each request."""
    token_file = tmp_path / "token"
    token_file.write_text("old")
    server.token = "old"
    client = connect(kubeconfig=server.kubeconfig(tmp_path, user={"tokenFile": str(token_file)}))
    server.token = "new"
    token_file.write_text("new")
    assert client.get("/api/v1/pods").status == 401
    assert client.get("/api/v1/pods").status == 401  # too soon after the last time
    monkeypatch.setattr(client_module, "_RELOAD_S", 0.0)
    assert client.get("/api/v1/pods").status == 401
    assert client.get("/api/v1/pods").status == 200
    client.close()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"kubeconfig": "/nonexistent"}, "kubeconfig /nonexistent: there is no such file", id="no such file"
        ),
        pytest.param(
            {}, "no cluster: there is no kubeconfig at ~/.kube/config and this is not a pod", id="nothing at all"
        ),
    ],
)
def test_without_a_configuration_it_does_not_start(given: dict[str, str], message: str) -> None:
    """One line that says where it looked."""
    with pytest.raises(StartupError) as caught:
        connect(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_context_is_told_with_those_there_are(server: FakeApiServer, tmp_path: Path) -> None:
    """A typo is found at a glance."""
    with pytest.raises(StartupError, match=r"has no context 'fkae'; it has: fake$"):
        connect(kubeconfig=server.kubeconfig(tmp_path), context="fkae")


def test_a_missing_exec_plugin_is_named(server: FakeApiServer, tmp_path: Path) -> None:
    """The official client would go on without credentials."""
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws-iam-authenticator-x"}}
    with pytest.raises(StartupError, match="exec plugin 'aws-iam-authenticator-x', which is not installed"):
        connect(kubeconfig=server.kubeconfig(tmp_path, user=user))


def test_a_failing_exec_plugin_is_quoted_without_what_may_be_a_token(
    server: FakeApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it said on stderr helps; long words in it are left out, and nothing goes to the log by itself."""
    user = plugin(tmp_path, f"echo 'please log in ({TOKEN})' >&2; exit 1")
    with pytest.raises(StartupError, match=r"gave no credentials: .*please log in") as caught:
        connect(kubeconfig=server.kubeconfig(tmp_path, user=user))
    assert TOKEN not in str(caught.value)
    assert caplog.messages == []


def test_an_unreachable_api_server_is_named(tmp_path: Path) -> None:
    """With its address and the system's words."""
    with FakeApiServer() as server:
        path, url = server.kubeconfig(tmp_path), server.url
    with pytest.raises(
        StartupError, match=f"the API server {url} can not be reached \\(refused: Connection refused\\)"
    ):
        connect(kubeconfig=path)


def test_rejected_credentials_at_the_start(server: FakeApiServer, tmp_path: Path) -> None:
    """401 before anything was read ends the command."""
    server.token = "other"
    with pytest.raises(StartupError, match="rejects the credentials"):
        connect(kubeconfig=server.kubeconfig(tmp_path, token=TOKEN))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: text[:-40], id="cut off"),
        pytest.param(lambda text: text.replace('"current-context": "fake"', '"current-context": 7'), id="wrong type"),
        pytest.param(lambda text: text.replace('"clusters"', '"klusters"'), id="no clusters"),
        pytest.param(
            lambda text: text.replace('"token"', '"auth-provider": {"name": "oidc", "config": {}}, "x"'), id="bad oidc"
        ),
        pytest.param(lambda text: "[" + text + "]", id="not a mapping"),
        pytest.param(lambda _: "", id="empty"),
    ],
)
def test_a_broken_kubeconfig_never_shows_what_is_in_it(
    server: FakeApiServer, tmp_path: Path, spoil: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The parsers' messages quote entries, tokens included; ours name the file."""
    path = Path(server.kubeconfig(tmp_path, token=TOKEN))
    path.write_text(spoil(path.read_text()))
    server.token = TOKEN
    with pytest.raises(StartupError) as caught:
        connect(kubeconfig=str(path))
    assert str(path) in str(caught.value) or "rejects" in str(caught.value)
    assert TOKEN not in str(caught.value) + caplog.text
    assert "\n" not in str(caught.value)


def test_tokens_are_in_no_log_repr_or_error(
    server: FakeApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at DEBUG, with failures of all kinds."""
    caplog.set_level(logging.DEBUG)
    server.token = TOKEN
    client = connect(kubeconfig=server.kubeconfig(tmp_path, token=TOKEN))
    texts = [repr(client)]
    for code in (401, 403, 429, 500):
        server.fault(status=code)
        texts.append(repr(client.get("/api/v1/pods")))
    server.fault(verb="list", cut_after=5)
    with pytest.raises(TransportError) as caught:
        client.get("/api/v1/pods")
    client.cluster_uid()
    assert TOKEN not in "".join([*texts, caplog.text, str(caught.value), repr(caught.value)])
    client.close()


def test_a_server_address_is_shown_without_its_password() -> None:
    """Some put one into the URL."""
    configuration = credentials.Configuration(host="https://me:hunter2@example.com:6443/prefix")
    assert credentials.server(configuration) == "https://example.com:6443"


def test_a_cut_off_answer_is_an_error_and_not_a_short_answer(server: FakeApiServer, client: Client) -> None:
    """Half a list must not pass for a list."""
    server.put("pods", pod("a"))
    server.fault(verb="list", cut_after=20)
    with pytest.raises(TransportError) as caught:
        client.get("/api/v1/pods")
    assert caught.value.reason is FailureReason.RESET


@pytest.mark.parametrize("status", [302, 401, 429, 503])
def test_nothing_is_retried_or_followed_in_secret(server: FakeApiServer, client: Client, status: int) -> None:
    """One request is one request; what to do about its answer is decided elsewhere."""
    server.fault(verb="list", status=status, headers={"Location": "/api/v1/nodes", "Retry-After": "1"})
    response = client.get("/api/v1/pods", query={"limit": "1"})
    assert response.status == status
    assert response.headers["retry-after"] == "1"
    assert len(server.requests("list")) == 1


def test_an_answer_beyond_the_limit_is_refused(server: FakeApiServer, client: Client) -> None:
    """Memory is bounded whatever the server sends."""
    server.put("pods", pod("a" * 200))
    with client.stream("/api/v1/pods") as stream, pytest.raises(TransportError) as caught:
        stream.body(limit=100)
    assert caught.value.reason is FailureReason.UNREADABLE


def test_a_server_that_never_answers_is_left(tmp_path: Path, server: FakeApiServer, client: Client) -> None:
    """A listening socket that nobody serves: the read timeout ends it."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        path = Path(server.kubeconfig(tmp_path))
        path.write_text(path.read_text().replace(server.url, f"http://127.0.0.1:{hole.getsockname()[1]}"))
        mute = Client(lambda: credentials.load(kubeconfig=str(path), context=None))
        with pytest.raises(TransportError) as caught:
            mute.get("/version", timeout_s=0.05)
    assert caught.value.reason is FailureReason.TIMEOUT


def test_a_stream_is_closed_from_another_thread(server: FakeApiServer, client: Client) -> None:
    """The reading thread sees the end at once, without an error."""
    with client.stream("/api/v1/pods", query={"watch": "true", "resourceVersion": "100"}) as stream:
        timer = threading.Timer(0.05, stream.close)
        timer.start()
        began = time.monotonic()
        assert list(stream.chunks()) == []
        assert time.monotonic() - began < 1.0
        timer.join()


def test_the_cluster_is_identified_by_kube_system(server: FakeApiServer, client: Client) -> None:
    """Only metadata is asked for."""
    server.put("namespaces", {"metadata": {"name": "kube-system", "uid": "the-cluster"}})
    server.objects["namespaces"]["", "kube-system"]["metadata"]["uid"] = "the-cluster"
    assert client.cluster_uid() == "the-cluster"
    assert "as=PartialObjectMetadata" in server.requests("get", "namespaces")[0].accept


def test_a_cluster_without_a_readable_uid_is_worth_a_warning(
    server: FakeApiServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Forbidden: empty, and a line that says what to grant."""
    server.forbidden.add(("get", "namespaces"))
    assert client.cluster_uid() == ""
    assert "get on namespaces/kube-system failed (HTTP 403)" in caplog.text


def test_a_cluster_is_not_renamed_because_it_is_busy(
    server: FakeApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of spans hang on the uid: 500, 429 and a broken answer are asked again, and then it does not start."""
    monkeypatch.setattr(client_module, "_IDENTITY_PAUSES_S", (0.0, 0.0, 0.0))
    server.put("namespaces", {"metadata": {"name": "kube-system", "uid": "the-cluster"}})
    for fault in ({"status": 500}, {"status": 429}, {"cut_after": 5}):
        server.fault(verb="get", **fault)
    assert client.cluster_uid() == "the-cluster"
    server.fault(verb="get", status=503, times=4)
    with pytest.raises(StartupError, match=r"does not say which cluster it is \(HTTP 503\)"):
        client.cluster_uid()
