"""A TCP proxy on loopback that makes the network bad: what toxiproxy does, inside the test.

    with FaultProxy(server_port) as proxy:
        client = Client(f"http://127.0.0.1:{proxy.port}")
        proxy.set(Latency(2.0, "down"))      # from now on, also for connections that are open
        proxy.set(Bandwidth(10_000))         # instead
        proxy.set()                          # well again
        proxy.refuse(); ...; proxy.accept()  # nobody listens
        proxy.cut(); proxy.half_open()       # what is open now

It knows nothing of what passes through it: HTTP, gRPC, TLS. *up* is what the client sends, *down* what the server answers; a toxic
without a direction works on both. Toxics can be combined.

    Latency(seconds, jitter=)   every byte arrives that much later; does not narrow the stream
    Bandwidth(bytes_per_s)      a narrow stream
    Slicer(size, pause_s=)      the stream arrives in small pieces, cut at places that nobody expects
    BlackHole()                 connects are accepted, nothing passes, nothing ends; what was held passes when it is taken away
    Reset(after)                a RST to both sides after so many bytes
    LimitData(after)            both sides are closed in an orderly way after so many bytes
    SlowClose(seconds)          the end of a stream arrives late
    refuse(), accept()          connects are refused; what is open is cut (or stays: refuse(cut=False))
    cut()                       a RST to everything that is open
    half_open()                 the server's side of what is open ends and the client is not told: silence for ever

`plan` gives each connection toxics of its own, by its number (0, 1 ...): FaultProxy(port, plan=lambda number: [Reset(100 * number)]).
Random numbers come from `seed`. Counters: `connections`, `open`, `passed_up`, `passed_down` (bytes).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

Direction = Literal["up", "down", "both"]

CHUNK = 16 * 1024
HELD = 64  # chunks that Latency may hold in a direction: 1 MiB


@dataclass(frozen=True)
class Latency:
    """Each chunk arrives `seconds` later, up to `jitter` more or less."""

    seconds: float
    direction: Direction = "both"
    jitter: float = 0.0


@dataclass(frozen=True)
class Bandwidth:
    """At most so many bytes a second, for each connection."""

    bytes_per_s: int
    direction: Direction = "both"


@dataclass(frozen=True)
class Slicer:
    """Pieces of 1 to `size` bytes, each in a segment of its own, with a pause after each."""

    size: int
    direction: Direction = "both"
    pause_s: float = 0.0


@dataclass(frozen=True)
class BlackHole:
    """Nothing passes."""

    direction: Direction = "both"


@dataclass(frozen=True)
class Reset:
    """A RST after exactly `after` bytes of a connection in this direction have passed."""

    after: int
    direction: Direction = "both"


@dataclass(frozen=True)
class LimitData:
    """An orderly end after exactly `after` bytes of a connection in this direction have passed."""

    after: int
    direction: Direction = "both"


@dataclass(frozen=True)
class SlowClose:
    """The end of a stream is passed on late."""

    seconds: float
    direction: Direction = "both"


Toxic = Latency | Bandwidth | Slicer | BlackHole | Reset | LimitData | SlowClose


class FaultProxy:
    """See the module. Its methods may be called from any thread; they have taken effect when they return."""

    def __init__(
        self,
        upstream: int,
        *,
        port: int = 0,
        plan: Callable[[int], Sequence[Toxic]] | None = None,
        seed: int = 0,
    ) -> None:
        self.upstream = upstream
        self.connections = self.passed_up = self.passed_down = 0
        self._plan = plan
        self.random = random.Random(seed)
        self._toxics: tuple[Toxic, ...] = ()
        self._open: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepts = False
        self._socket = _bound(port)
        self.port = int(self._socket.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._thread.start()
        self.accept()

    @property
    def open(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def set(self, *toxics: Toxic) -> None:
        """These instead of the ones before, for open connections too (which count their bytes from their beginning)."""
        self._do(self._set(toxics))

    def refuse(self, *, cut: bool = True) -> None:
        """Nobody listens any more; the port stays reserved."""
        self._do(self._refuse(cut=cut))

    def accept(self) -> None:
        """Somebody listens again."""
        self._do(self._accept())

    def cut(self) -> None:
        """A RST to both sides of everything that is open."""
        self._do(self._each(_Connection.reset))

    def half_open(self) -> None:
        """What is open loses its server and is not told. Connections that come are as good as ever."""
        self._do(self._each(_Connection.lose_server))

    def close(self) -> None:
        """Everything ends."""
        self._do(self._refuse(cut=True))
        self._socket.close()
        self._do(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, work) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _set(self, toxics: tuple[Toxic, ...]) -> None:
        self._toxics = toxics
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _refuse(self, *, cut: bool) -> None:
        if self._accepts:
            self._accepts = False
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = _bound(self.port)  # bound and not listening: the kernel refuses
        if cut:
            await self._each(_Connection.reset)

    async def _accept(self) -> None:
        if not self._accepts:
            self._accepts = True
            self._socket.listen(256)
            self._loop.add_reader(self._socket, self._take)

    async def _each(self, change: Callable[[_Connection], None]) -> None:
        for connection in tuple(self._open):
            change(connection)
        await asyncio.sleep(0.005)  # until it has taken effect

    async def _finish(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self) -> None:
        """One connection. Not with `sock_accept`: a task that is cancelled just then would lose the socket that it was given."""
        try:
            client, _ = self._socket.accept()
        except OSError:  # gone again
            return
        client.setblocking(False)
        connection = _Connection(self, self.connections, client)
        self.connections += 1
        self._open.add(connection)
        connection.task = self._loop.create_task(connection.run())
        self._tasks.add(connection.task)
        connection.task.add_done_callback(self._tasks.discard)
        connection.task.add_done_callback(connection.close)

    def toxics(self, number: int, direction: Direction) -> list[Toxic]:
        """What works on a direction of a connection just now."""
        own = self._plan(number) if self._plan is not None else ()
        return [toxic for toxic in (*self._toxics, *own) if toxic.direction in (direction, "both")]

    async def passable(self, number: int, direction: Direction) -> None:
        """Returns when there is no black hole."""
        while any(isinstance(toxic, BlackHole) for toxic in self.toxics(number, direction)):
            await self._changed.wait()


class _Connection:
    """One client, one server, two streams."""

    def __init__(self, proxy: FaultProxy, number: int, client: socket.socket) -> None:
        self.proxy = proxy
        self.number = number
        self.client = client
        self.server: socket.socket | None = None
        self.task: asyncio.Task[None] | None = None
        self._streams: list[asyncio.Task[None]] = []
        self._has_begun = self._is_over = self._is_lost = False

    async def run(self) -> None:
        """Until it ends by itself or is cancelled. Whoever starts it calls `close` after it, however it ended."""
        loop = asyncio.get_running_loop()
        self._has_begun = True
        try:
            if self._is_over:
                return
            await self.proxy.passable(self.number, "up")
            server = socket.socket()
            server.setblocking(False)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.server = server
            await loop.sock_connect(server, ("127.0.0.1", self.proxy.upstream))
            await self._pass(server)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            if self._is_lost:
                await self._swallow()

    async def _pass(self, server: socket.socket) -> None:
        """Until both directions have ended. Reading and writing are apart, so that a latency delays and does not narrow."""
        self._streams = []
        for direction, source, target in (("up", self.client, server), ("down", server, self.client)):
            held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD)
            self._streams.append(asyncio.ensure_future(self._read(direction, source, held)))
            self._streams.append(asyncio.ensure_future(self._write(direction, held, target)))
        try:
            await asyncio.gather(*self._streams)
        except _Ended:
            pass
        finally:
            for stream in self._streams:
                stream.cancel()
            await asyncio.gather(
                *self._streams, return_exceptions=True
            )  # they let go of the sockets before these are closed

    def reset(self) -> None:
        """A RST to both sides, now."""
        for end in (self.client, self.server):
            if end is not None and end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._end()

    def lose_server(self) -> None:
        """The server's side ends; the client's stays open."""
        self._is_lost = True
        self._end()

    def _end(self) -> None:
        self._is_over = True
        if self.task is not None and self._has_begun:  # else it sees by itself that it is over
            self.task.cancel()

    def end(self) -> None:
        """An orderly end on both sides; what still comes is not answered with a RST, which would take with it what is unread."""
        self._is_lost = True
        with contextlib.suppress(OSError):
            self.client.shutdown(socket.SHUT_WR)

    async def _swallow(self) -> None:
        if self.server is not None:
            self.server.close()
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while await loop.sock_recv(self.client, CHUNK):
                pass

    async def _read(
        self, direction: Direction, source: socket.socket, held: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        loop = asyncio.get_running_loop()
        data = b"some"
        while data:
            try:
                data = await loop.sock_recv(source, CHUNK)
            except OSError as error:
                self.reset()
                raise _Ended from error
            delay = 0.0
            for toxic in self.proxy.toxics(self.number, direction):
                if isinstance(toxic, Latency):
                    delay += toxic.seconds + toxic.jitter * self.proxy.random.uniform(-1, 1)
                elif isinstance(toxic, SlowClose) and not data:
                    delay += toxic.seconds
            await held.put((loop.time() + delay, data))

    async def _write(
        self, direction: Direction, held: asyncio.Queue[tuple[float, bytes]], target: socket.socket
    ) -> None:
        loop = asyncio.get_running_loop()
        passed = 0
        while True:
            due, data = await held.get()
            if (pause := due - loop.time()) > 0:
                await asyncio.sleep(pause)
            await self.proxy.passable(self.number, direction)
            if not data:
                with contextlib.suppress(OSError):
                    target.shutdown(socket.SHUT_WR)
                return
            while data:
                size, pause, ending = len(data), 0.0, None
                for toxic in self.proxy.toxics(self.number, direction):
                    if isinstance(toxic, Slicer):
                        size = min(size, self.proxy.random.randint(1, toxic.size))
                        pause += toxic.pause_s
                    elif isinstance(toxic, Bandwidth):
                        size = min(size, max(toxic.bytes_per_s // 20, 1))
                        pause += size / toxic.bytes_per_s
                    elif isinstance(toxic, Reset | LimitData) and toxic.after - passed <= size:
                        size, ending = max(toxic.after - passed, 0), toxic
                await self.proxy.passable(self.number, direction)
                try:
                    await loop.sock_sendall(target, data[:size])
                except OSError as error:
                    self.reset()
                    raise _Ended from error
                data = data[size:]
                passed += size
                if direction == "up":
                    self.proxy.passed_up += size
                else:
                    self.proxy.passed_down += size
                if isinstance(ending, Reset):
                    self.reset()
                    raise _Ended
                if ending is not None:
                    self.end()
                    raise _Ended
                if pause:
                    await asyncio.sleep(pause)

    def close(self, _: object = None) -> None:
        """Both sockets."""
        for end in (self.client, self.server):
            if end is not None:
                end.close()
        self.proxy._open.discard(self)


class _Ended(Exception):  # noqa: N818 - no error
    """Both directions of a connection have ended."""


def _bound(port: int) -> socket.socket:
    """Bound, with small buffers, so that a narrow stream is felt at its other end."""
    listener = socket.socket()
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
    listener.bind(("127.0.0.1", port))
    return listener
