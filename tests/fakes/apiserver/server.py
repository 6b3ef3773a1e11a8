"""The fake API server as tests use it: its address, its store, its state of mind."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from fakes.apiserver.faults import Fault, Seen
from fakes.apiserver.handler import Handler
from fakes.apiserver.store import Store


class FakeApiServer(Store):
    """Use it as a context manager. `tls`: the files of a certificate and its key; see `use_certificate`."""

    def __init__(self, *, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__()
        self.faults: list[Fault] = []
        self.forbidden: set[tuple[str, str]] = set()  # (verb, plural)
        self.unserved: set[str] = set()
        self.endless: set[str] = set()  # lists of these have always another page
        self.token = ""
        self.kinds: dict[str, list[dict[str, Any]]] = {}  # discovery: group version path -> resources
        self.bookmark_every_s: float | None = None  # of all kinds but Events; and two seconds before the end of a watch
        self.slice = 0  # bytes in a chunk; 0: as they are there
        self.cut_watch_after: Callable[[], int | None] = lambda: None
        self.seen: list[Seen] = []
        self.open_watches = 0
        self.epoch = 0
        self.abrupt = False
        self.stopped = threading.Event()
        self._tls: ssl.SSLContext | None = None
        if tls is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.use_certificate(*tls)
        self._listen(0)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        with self.changed:
            self.changed.notify_all()
        if self.thread.is_alive():
            self.down()

    def _listen(self, port: int) -> None:
        handler = type("Handler", (Handler,), {"fake": self})
        self.http = _Quiet(("127.0.0.1", port), handler)
        if self._tls is not None:
            self.http.socket = self._tls.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self.http.server_address[1])
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def kubeconfig(self, folder: Path, *, token: str = "", user: dict[str, Any] | None = None, ca: str = "") -> str:
        """Write one that points here, and give its path. `ca`: the file with the CA's certificate."""
        path = folder / "kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [
                {"name": "fake", "cluster": {"server": self.url} | ({"certificate-authority": ca} if ca else {})}
            ],
            "users": [{"name": "me", "user": user or ({"token": token} if token else {})}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}],
        }
        path.write_text(json.dumps(content))
        return str(path)

    def fault(self, **kwargs: Any) -> None:
        """Plan a misbehaviour: see `Fault`. It is used up by the requests that it fits."""
        with self.lock:
            self.faults.append(Fault(**kwargs))

    def take_fault(self, seen: Seen) -> Fault:
        """The first planned misbehaviour that fits, used up; or none."""
        with self.lock:
            for fault in self.faults:
                if fault.fits(seen):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
        return Fault()

    def requests(self, verb: str = "", plural: str = "") -> list[Seen]:
        """Those that came so far."""
        with self.lock:
            return [s for s in self.seen if (not verb or s.verb == verb) and (not plural or s.plural == plural)]

    def close_watches(self, *, abrupt: bool = False) -> None:
        """End every open watch, as it should be or by a broken connection."""
        with self.changed:
            self.epoch += 1
            self.abrupt = abrupt
            self.changed.notify_all()

    def down(self) -> None:
        """Connections are refused, and open ones break."""
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(2)
        self.close_watches(abrupt=True)
        self.http.cut()

    def up(self) -> None:
        """Again, at the same address."""
        self._listen(self.port)
        self.thread.start()

    def use_certificate(self, certificate: Path, key: Path) -> None:
        """From the next connection on."""
        assert self._tls is not None
        self._tls.load_cert_chain(certificate, key)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remembers it."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forgets it."""
        self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        """End every connection, idle ones too."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break here on purpose."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
