"""The proxy does what it says: each toxic against a plain echo server."""

from __future__ import annotations

import contextlib
import gc
import socket
import socketserver
import threading
import time
import warnings
from collections.abc import Iterator

import pytest

from tests.fakes.proxy import (
    Bandwidth,
    BlackHole,
    FaultProxy,
    Latency,
    LimitData,
    Reset,
    Slicer,
    SlowClose,
)


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self) -> None:
        """Until the client ends."""
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of an echo server."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


@pytest.fixture
def proxy(server: int) -> Iterator[FaultProxy]:
    """A proxy before it."""
    with FaultProxy(server) as running:
        yield running


def connect(proxy: FaultProxy) -> socket.socket:
    """A client's connection."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=2)


def echoed(client: socket.socket, data: bytes) -> bytes:
    """What comes back of it, until all of it has or the stream ends."""
    threading.Thread(target=_send, args=(client, data), daemon=True).start()
    back = b""
    while len(back) < len(data) and (chunk := client.recv(65536)):
        back += chunk
    return back


def _send(client: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        client.sendall(data)


def test_nothing_is_changed_without_a_toxic(proxy):
    """A megabyte, both ways."""
    data = bytes(range(256)) * 4096
    with connect(proxy) as client:
        assert echoed(client, data) == data
    assert (proxy.connections, proxy.passed_up, proxy.passed_down) == (1, len(data), len(data))


def test_latency_delays_and_does_not_narrow(proxy):
    """Half a megabyte comes a tenth of a second later, not a tenth for each piece."""
    with connect(proxy) as client:
        proxy.set(Latency(0.1, "down"))
        began = time.monotonic()
        assert len(echoed(client, bytes(500_000))) == 500_000
        assert 0.1 <= time.monotonic() - began < 0.6


def test_bandwidth(proxy):
    """As slow as asked."""
    with connect(proxy) as client:
        proxy.set(Bandwidth(100_000, "down"))
        began = time.monotonic()
        echoed(client, bytes(30_000))
        assert 0.25 <= time.monotonic() - began < 0.8


def test_slicer(proxy):
    """All of it, in small pieces."""
    proxy.set(Slicer(7, "down", pause_s=0.001))
    with connect(proxy) as client:
        client.sendall(bytes(100))
        pieces = [len(client.recv(100))]
        while sum(pieces) < 100:
            pieces.append(len(client.recv(100)))
    assert max(pieces) < 50


def test_black_hole(proxy):
    """Accepted and silent, whether it was open or comes; when it is gone, what was held passes."""
    with connect(proxy) as old:
        assert echoed(old, b"hello") == b"hello"
        proxy.set(BlackHole())
        with connect(proxy) as new:
            for client in (old, new):
                client.sendall(b"there")
                client.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    client.recv(10)
                client.settimeout(2)
            proxy.set()
            assert old.recv(10) == new.recv(10) == b"there"


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("after", [0, 1, 20_000])
def test_reset_after_so_many_bytes(proxy, direction, after):
    """A RST, and not one byte more. (What the client had not yet read goes with a RST.)"""
    proxy.set(Reset(after, direction))
    with connect(proxy) as client, pytest.raises(ConnectionResetError):
        echoed(client, bytes(50_000))
    assert (proxy.passed_up if direction == "up" else proxy.passed_down) == after


@pytest.mark.parametrize("after", [0, 1, 20_000])
def test_limit_data(proxy, after):
    """Exactly so many bytes, then an end."""
    proxy.set(LimitData(after, "down"))
    with connect(proxy) as client:
        try:
            assert len(echoed(client, bytes(after + 1))) == after
        except ConnectionResetError:
            assert after == 0  # the kernel says so where the client was still sending
    assert proxy.passed_down == after


def test_slow_close(proxy):
    """The end of the stream comes late."""
    proxy.set(SlowClose(0.1, "down"))
    with connect(proxy) as client:
        assert echoed(client, b"x") == b"x"
        began = time.monotonic()
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        assert time.monotonic() - began >= 0.1


def test_refuse_and_accept(proxy):
    """What is open is cut, what comes is refused, then all is well again on the same port."""
    with connect(proxy) as client:
        echoed(client, b"x")
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.accept()
    with connect(proxy) as client:
        assert echoed(client, b"x") == b"x"
        proxy.refuse(cut=False)
        assert echoed(client, b"y") == b"y"


def test_cut(proxy):
    """A RST for what is open; the next connection is well."""
    with connect(proxy) as client:
        echoed(client, b"x")
        assert proxy.open == 1
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connect(proxy) as client:
        assert echoed(client, b"x") == b"x"


def test_half_open(proxy):
    """The client of an open connection is not told that its server is gone; the next connection is well."""
    with connect(proxy) as client:
        echoed(client, b"x")
        proxy.half_open()
        client.sendall(b"anybody?")
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(1)
        with connect(proxy) as other:
            assert echoed(other, b"x") == b"x"


def test_a_plan_for_each_connection(server):
    """Cut at another byte each time."""
    with FaultProxy(server, plan=lambda number: [LimitData(number + 1, "down")]) as proxy:
        for number in range(5):
            with connect(proxy) as client:
                assert len(echoed(client, b"0123456789")) == number + 1


def test_a_server_that_is_not_there():
    """The client is accepted and closed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with FaultProxy(probe.getsockname()[1]) as proxy, connect(proxy) as client:
            assert client.recv(1) == b""


@pytest.mark.parametrize("change", [FaultProxy.refuse, FaultProxy.cut, FaultProxy.half_open, FaultProxy.close])
def test_no_socket_is_forgotten(server, change):
    """Not of a connection that comes in the very moment of a change, and not of one that is half open at the end."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(20):
            with contextlib.ExitStack() as stack:
                proxy = FaultProxy(server)
                for _ in range(3):
                    client = stack.enter_context(socket.socket())
                    client.setblocking(False)
                    client.connect_ex(("127.0.0.1", proxy.port))
                change(proxy)
                if change is not FaultProxy.close:
                    proxy.close()
                assert proxy.open == 0
        gc.collect()
    assert [str(warning.message) for warning in seen] == []
