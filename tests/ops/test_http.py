"""The little server of the probes: right answers, and nothing that a client does can hold it up."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from kspanpy.errors import StartupError
from kspanpy.ops import http as ops_http
from kspanpy.ops.http import OpsServer


class State:
    """What the probes are told."""

    dead = ""
    unready = ""

    def metrics(self) -> tuple[str, bytes]:
        """A page."""
        return "text/plain; version=0.0.4", b"kspanpy_up 1\n"


@pytest.fixture
def state() -> State:
    """All well."""
    return State()


@pytest.fixture
def server(state: State) -> Iterator[OpsServer]:
    """On a free port of loopback."""
    server = OpsServer(
        "127.0.0.1:0",
        not_alive=lambda: state.dead,
        not_ready=lambda: state.unready,
        metrics=lambda: state.metrics(),  # noqa: PLW0108 - looked up late: a test replaces it
    )
    yield server
    server.close()


Get = Callable[..., tuple[int, str]]


@pytest.fixture
def get(server: OpsServer) -> Get:
    """A request."""

    def request(path: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    return request


class TestAnswers:
    """What each path says."""

    def test_all_well(self, get: Get) -> None:
        """200 and `ok` on both probes."""
        assert get("/livez") == get("/readyz") == (200, "ok\n")

    def test_why_not(self, get: Get, state: State) -> None:
        """503 with the reason, for whoever looks at the probe's events."""
        state.dead, state.unready = "stuck", "shutting down"
        assert get("/livez") == (503, "stuck\n")
        assert get("/readyz") == (503, "shutting down\n")

    def test_metrics(self, get: Get) -> None:
        """The page, with or without a query."""
        assert get("/metrics") == get("/metrics?name[]=x") == (200, "kspanpy_up 1\n")

    @pytest.mark.parametrize("path", ["/", "/livez/", "/metrics/../etc", "/%6civez"])
    def test_nothing_else(self, get: Get, path: str) -> None:
        """404, and nothing of the request in the answer."""
        assert get(path) == (404, "not found\n")

    def test_head(self, get: Get) -> None:
        """As GET, without a body."""
        assert get("/livez", "HEAD") == (200, "")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "CONNECT"])
    def test_no_other_method(self, get: Get, method: str) -> None:
        """There is nothing to change here."""
        assert get("/metrics", method)[0] == 501

    def test_a_scrape_that_fails_costs_only_itself(
        self, get: Get, state: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The next one is answered."""
        monkeypatch.setattr(State, "metrics", lambda _: 1 / 0)
        with pytest.raises((http.client.HTTPException, OSError)):
            get("/metrics")
        assert get("/livez") == (200, "ok\n")


class TestHostileClients:
    """Bounded threads, bounded time."""

    def test_clients_that_say_nothing_are_let_go(
        self, server: OpsServer, get: Get, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As many as there are threads, all silent: the probe is answered all the same once their time is over."""
        monkeypatch.setattr(ops_http, "_PRESSED_S", 0.2)
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(ops_http._THREADS)]
        try:
            began = time.monotonic()
            assert get("/livez") == (200, "ok\n")
            assert time.monotonic() - began < 3
        finally:
            for client in silent:
                client.close()

    @pytest.mark.parametrize(
        "data",
        [b"\x00\xff\x16\x03\x01", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"GET\r\n\r\n", b"\r\n" * 10],
    )
    def test_garbage_is_no_problem(self, server: OpsServer, get: Get, data: bytes) -> None:
        """Whatever the bytes are, the next request is answered."""
        client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        with client, contextlib.suppress(OSError):  # the server may have hung up on it by now
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        assert get("/livez") == (200, "ok\n")


class TestStart:
    """A port that can not be had stops the start."""

    def test_a_port_that_is_taken(self, server: OpsServer) -> None:
        """One line, with the variable and the reason."""
        with pytest.raises(
            StartupError, match=rf"KSPANPY_LISTEN=127.0.0.1:{server.port}: can not listen there: Address"
        ):
            OpsServer(f"127.0.0.1:{server.port}", not_alive=str, not_ready=str, metrics=State().metrics)

    def test_a_port_that_does_not_exist(self) -> None:
        """70000."""
        with pytest.raises(StartupError, match="can not listen there"):
            OpsServer("127.0.0.1:70000", not_alive=str, not_ready=str, metrics=State().metrics)

    def test_ipv6(self) -> None:
        """[::1]:0, where the machine has it."""
        try:
            server = OpsServer("[::1]:0", not_alive=str, not_ready=str, metrics=State().metrics)
        except StartupError:
            pytest.skip("this machine has no IPv6 on loopback")
        server.close()
