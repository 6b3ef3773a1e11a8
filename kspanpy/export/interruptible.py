"""HTTP requests that end when their time is over, or when somebody else says so.

The timeouts of `requests` are for each read and each write: a server that sends a byte now and then, or a network that takes a few, keeps
a request going for ever. Here every connection has a second descriptor on which another thread may shut it down.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class InterruptibleAdapter(HTTPAdapter):
    """For one request at a time; `interrupt` may come from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._descriptors: dict[HTTPConnection, socket.socket] = {}
        self._is_interrupted = False
        self._pools = _pools(self)
        super().__init__(max_retries=0)

    @contextlib.contextmanager
    def limited_to(self, seconds: float) -> Iterator[None]:
        """What is sent and read within ends with an error after that time."""
        timer = threading.Timer(seconds, self.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # so that it can not hit the next request
            with self._guard:
                self._is_interrupted = False
            self._tidy()

    def interrupt(self) -> None:
        """What is under way ends with an error."""
        with self._guard:
            self._is_interrupted = True
            for descriptor in self._descriptors.values():
                with contextlib.suppress(OSError):
                    descriptor.shutdown(socket.SHUT_RDWR)

    def opened(self, connection: HTTPConnection, opened: socket.socket) -> None:
        """A connection was made."""
        with self._guard:
            if self._is_interrupted:
                opened.close()
                raise TimeoutError("interrupted")
            before = self._descriptors.pop(connection, None)
            self._descriptors[connection] = opened.dup()
        if before is not None:
            before.close()

    def close(self) -> None:
        """Of `requests`, which leaves it to the garbage collector when the connections are closed."""
        super().close()
        with self._guard:
            connections = list(self._descriptors)
        for connection in connections:
            connection.close()
        self._tidy()

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        """Of `requests`."""
        super().init_poolmanager(*args, **keywords)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **keywords: Any) -> Any:
        """Of `requests`. A SOCKS proxy brings connections of its own, which only have the timeouts of `requests`."""
        manager = super().proxy_manager_for(proxy, **keywords)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pools
        return manager

    def _tidy(self) -> None:
        """Keep the second descriptors of connections that are open."""
        with self._guard:
            for connection in [connection for connection in self._descriptors if connection.sock is None]:
                self._descriptors.pop(connection).close()


def _pools(adapter: InterruptibleAdapter) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            opened = super()._new_conn()
            adapter.opened(self, opened)
            return opened

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            opened = super()._new_conn()
            adapter.opened(self, opened)
            return opened

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
