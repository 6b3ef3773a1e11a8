"""The watches against an API server that misbehaves, over real sockets: nothing is lost, and lists are rare.

Waits are skipped (`HastyClock`); how long they are is in test_listwatch.py and test_silence.py.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.apiserver import FakeApiServer, error_line
from fakes.clock import HastyClock
from fakes.objects import event, until

from kspanpy.kube import EVENTS, WATCHED, Client, Delivery, FailureReason, Watcher, WatchSettings, WatchState, connect
from kspanpy.kube import client as client_module

PODS = WATCHED[1]


class Watching:
    """A watcher of Events, and what it was handed."""

    def __init__(self, client: Client, *, resources: Any = (EVENTS,), clock: Any = None, **settings: Any) -> None:
        self.deliveries: list[Delivery] = []
        self.clock = clock or HastyClock()
        self.watcher = Watcher(
            client,
            settings=WatchSettings(**settings),
            deliver=self.deliveries.append,
            clock=self.clock,
            resources=resources,
            random=lambda: 0.0,
        )
        self.watcher.start()

    def names(self) -> list[str]:
        """The Events, in order."""
        return [d.change.object.name for d in list(self.deliveries) if d.change and d.kind == "Event"]

    @property
    def counters(self) -> Any:
        """Of the Events."""
        return self.watcher.counters()["Event"]


@pytest.fixture
def watching(client: Client) -> Iterator[Callable[..., Watching]]:
    """Starts them; ends them."""
    started: list[Watching] = []

    def start(of: Client = client, **kwargs: Any) -> Watching:
        started.append(Watching(of, **kwargs))
        assert started[-1].watcher.wait_synced(5)
        return started[-1]

    yield start
    for one in started:
        assert one.watcher.stop(2)


def test_two_hundred_cuts_at_random_bytes_lose_and_double_nothing(
    server: FakeApiServer, watching: Callable[..., Watching]
) -> None:
    """10,000 Events, in pieces of 700 bytes, through connections that break anywhere: each arrives once, and in order."""
    dice = random.Random(7)
    server.slice = 700
    server.cut_watch_after = lambda: dice.randint(0, 20_000)
    one = watching()
    for number in range(10_000):
        server.put("events", event(f"e{number}"))
    assert until(lambda: len(one.names()) >= 10_000, seconds=30)
    server.cut_watch_after = lambda: None
    server.put("events", event("last"))
    assert until(lambda: one.names()[-1] == "last")
    assert one.names() == [*(f"e{number}" for number in range(10_000)), "last"]
    assert one.counters.lists == 1
    assert one.counters.watches > 200


GARBAGE = {"headers": {"Content-Encoding": "gzip"}, "body": b"\x1f\x8b\x08\x00 no, this is not gzip at all"}
CUT_GZIP = {"headers": {"Content-Encoding": "gzip"}, "body": gzip.compress(b'{"type": "ADDED", ' * 50)[:40]}
PORTAL = {"headers": {"Content-Type": "text/html"}, "body": b"<html>Please log in to the WLAN</html>"}


@pytest.mark.parametrize(
    ("fault", "reason", "lists"),
    [
        pytest.param({"status": 500, "times": 5}, FailureReason.SERVER_ERROR, 1, id="500 five times"),
        pytest.param({"status": 503}, FailureReason.SERVER_ERROR, 1, id="503"),
        pytest.param({"status": 401, "times": 5}, FailureReason.UNAUTHORIZED, 1, id="401 five times"),
        pytest.param({"status": 403, "times": 5}, FailureReason.FORBIDDEN, 1, id="403 five times"),
        pytest.param({"status": 404}, FailureReason.NOT_FOUND, 1, id="404"),
        pytest.param({"status": 410}, FailureReason.GONE, 2, id="410"),
        pytest.param({"status": 302, "headers": {"Location": "/"}}, FailureReason.REJECTED, 2, id="a redirect"),
        pytest.param({"lines": [error_line(410, "Expired")]}, FailureReason.GONE, 2, id="410 in the stream"),
        pytest.param({"lines": [error_line(500)]}, FailureReason.SERVER_ERROR, 1, id="500 in the stream"),
        pytest.param({"closed": True}, FailureReason.SHORT_WATCH, 1, id="closed at once"),
        pytest.param({"closed": True, "times": 3}, FailureReason.SHORT_WATCH, 2, id="closed at once, three times"),
        pytest.param({"cut_after": 0}, FailureReason.RESET, 1, id="broken after the headers"),
        pytest.param({"mute": True}, FailureReason.TIMEOUT, 1, id="accepted, and no answer"),
        pytest.param({"silent": True}, FailureReason.SILENT, 1, id="half-open"),
        pytest.param(GARBAGE, FailureReason.RESET, 1, id="gzip that is none"),
        pytest.param(CUT_GZIP, FailureReason.SHORT_WATCH, 1, id="gzip that is cut off"),
        pytest.param(PORTAL, FailureReason.SHORT_WATCH, 1, id="a page of something in between"),
    ],
)
def test_a_watch_that_fails_is_made_good(
    server: FakeApiServer, watching: Callable[..., Watching], fault: dict[str, Any], reason: FailureReason, lists: int
) -> None:
    """What was written meanwhile arrives; with a list only where the cursor is no good, and then each Event is shown again."""
    server.put("events", event("before"))
    one = watching(silence_s=0.15)
    server.fault(verb="watch", **fault)
    server.close_watches()
    assert until(lambda: not server.faults)
    server.put("events", event("after"))
    assert until(lambda: "after" in one.names())
    assert until(lambda: one.watcher.health()[0].state is WatchState.WATCHING)
    assert one.counters.failures[reason] >= 1
    assert one.counters.lists == lists
    assert sorted(one.names()) in (
        ["after", *["before"] * lists],
        ["after", "after", *["before"] * lists],  # it was written between the list and its watch
    )


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param({"status": 500, "times": 3}, FailureReason.SERVER_ERROR, id="500"),
        pytest.param({"status": 410}, FailureReason.GONE, id="410"),
        pytest.param({"status": 410, "continued": True}, FailureReason.GONE, id="410 at a page"),
        pytest.param({"status": 429, "headers": {"Retry-After": "7"}}, FailureReason.THROTTLED, id="429"),
        pytest.param({"cut_after": 50}, FailureReason.RESET, id="cut off"),
        pytest.param({"cut_after": 50, "continued": True}, FailureReason.RESET, id="cut off at a page"),
        pytest.param({"mute": True}, FailureReason.TIMEOUT, id="no answer"),
        pytest.param(GARBAGE, FailureReason.RESET, id="gzip that is none"),
        pytest.param(PORTAL, FailureReason.UNREADABLE, id="a page of something in between"),
    ],
)
def test_a_list_that_fails_is_made_good(
    server: FakeApiServer, watching: Callable[..., Watching], fault: dict[str, Any], reason: FailureReason
) -> None:
    """At the start or after: in the end everything has been shown."""
    for name in "abc":
        server.put("events", event(name))
    server.fault(verb="list", when=lambda seen: seen.query["limit"] != "1", **fault)  # the first look asks for one
    one = watching(list_timeout_s=0.15, page_size=2)
    assert set(one.names()) == {"a", "b", "c"}
    assert one.counters.failures[reason] >= 1
    assert one.counters.relists == 0


def test_retry_after_is_honoured(server: FakeApiServer, watching: Callable[..., Watching]) -> None:
    """Not sooner than asked for."""
    one = watching()
    server.fault(verb="watch", status=429, headers={"Retry-After": "17"})
    server.close_watches()
    assert until(lambda: any(16.9 < seconds <= 17 for seconds in one.clock.waits))


def test_a_list_that_trickles_is_left(
    server: FakeApiServer, watching: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte comes in time, and the whole never does."""
    monkeypatch.setattr(client_module, "_SLOWEST_BODY_S", 0.2)
    server.put("events", event("a"))
    server.fault(verb="list", when=lambda seen: seen.query["limit"] != "1", trickle=(1, 0.02))
    one = watching()
    assert one.names() == ["a"]
    assert one.counters.failures[FailureReason.TIMEOUT] == 1


def test_a_watch_that_trickles_is_read(server: FakeApiServer, watching: Callable[..., Watching]) -> None:
    """Byte by byte, as long as it goes on."""
    server.fault(verb="watch", when=lambda seen: seen.query["timeoutSeconds"] != "1", trickle=(1, 0.0005))
    one = watching()
    for name in "abc":
        server.put("events", event(name))
    assert until(lambda: one.names() == ["a", "b", "c"])
    assert one.counters.watches == 1


def test_ten_minutes_without_an_api_server(server: FakeApiServer, watching: Callable[..., Watching]) -> None:
    """Refused: few calls, no list, and then what happened meanwhile, once."""
    server.put("events", event("before"))
    one = watching()
    watches, began = one.counters.watches, one.clock.monotonic()
    server.down()
    assert until(lambda: one.clock.monotonic() - began > 600)
    assert one.watcher.health()[0].reason == "refused"
    assert one.counters.watches - watches <= 30
    server.put("events", event("meanwhile"))
    server.up()
    assert until(lambda: one.names() == ["before", "meanwhile"])
    assert one.counters.lists == 1


def test_the_wall_clock_may_jump(server: FakeApiServer, watching: Callable[..., Watching]) -> None:
    """An hour ahead, an hour back: only the time of receipt follows; no watch ends and none waits longer."""

    class Jumping(HastyClock):
        ahead_ns = 0

        def wall_ns(self) -> int:
            return time.time_ns() + self.ahead_ns

    clock = Jumping()
    one = watching(clock=clock)
    for hours in (1, -1, 0):
        clock.ahead_ns = hours * 3600 * 10**9
        server.put("events", event(f"at{hours}"))
        assert until(lambda hours=hours: one.names()[-1:] == [f"at{hours}"])
        assert abs(one.deliveries[-1].received_ns - clock.wall_ns()) < 10 * 10**9
    assert (one.counters.lists, one.counters.watches) == (1, 1)
    assert one.clock.waits == []


def test_an_etcd_that_was_restored_is_listed_anew(server: FakeApiServer, watching: Callable[..., Watching]) -> None:
    """ResourceVersions go back. API servers show nothing after a cursor that lies in their future; one kind finds out, and
    the Events follow, which have no bookmarks to find out by.
    """
    server.put("events", event("kept"))
    server.put("pods", {"metadata": {"name": "p", "namespace": "shop"}})
    backup = server.backup()
    for number in range(50):
        server.put("events", event(f"lost{number}"))
        server.put("pods", {"metadata": {"name": f"p{number}", "namespace": "shop"}})
    one = watching(resources=(EVENTS, PODS), silence_s=0.15)
    server.restore(backup)
    server.close_watches()
    server.put("events", event("new"))
    assert until(lambda: one.names()[-1] == "new")
    assert one.counters.lists == 2
    assert one.watcher.counters()["Pod"].lists == 2
    gone = [d.change.object.name for d in one.deliveries if d.change and d.change.type == "DELETED"]
    assert len(gone) == 50
    server.put("events", event("newer"))
    assert until(lambda: one.names()[-1] == "newer")


def test_a_token_that_is_rotated_every_minute_makes_no_gap(
    server: FakeApiServer, tmp_path: Path, watching: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times the old token stops working and every watch ends: 401, the file is read again, no list."""
    monkeypatch.setattr(client_module, "_RELOAD_S", 0.0)
    token = tmp_path / "token"
    token.write_text("token-0")
    server.token = "token-0"
    client = connect(kubeconfig=server.kubeconfig(tmp_path, user={"tokenFile": str(token)}))
    one = watching(client)
    for number in range(1, 11):
        token.write_text(f"token-{number}")
        server.token = f"token-{number}"
        server.close_watches(abrupt=True)
        server.put("events", event(f"e{number}"))
        assert until(lambda number=number: one.names()[-1:] == [f"e{number}"])
        assert until(lambda number=number: one.counters.failures[FailureReason.UNAUTHORIZED] >= number)
    assert one.names() == [f"e{number}" for number in range(1, 11)]
    assert one.counters.lists == 1
    assert one.counters.failures[FailureReason.UNAUTHORIZED] <= 20
    client.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Two certificates for 127.0.0.1, each its own CA: (certificate, key)."""
    folder = tmp_path_factory.mktemp("tls")
    made = []
    for name in ("old", "new"):
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
            f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
        )
        try:
            subprocess.run(command.split(), check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("openssl, which makes the certificates of this test, is not here")
        made.append((certificate, key))
    return made


@pytest.mark.parametrize("where", ["in a file, as in a pod", "in the kubeconfig"])
def test_a_ca_that_is_replaced_makes_no_gap(
    certificates: list[tuple[Path, Path]],
    tmp_path: Path,
    watching: Callable[..., Watching],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    """The API server shows a certificate of a new CA: TLS failures, until the new CA is there too; no restart, no list."""
    monkeypatch.setattr(client_module, "_RELOAD_S", 0.0)
    ca = tmp_path / "ca.crt"

    def install(certificate: Path) -> str:
        ca.write_bytes(certificate.read_bytes())
        path = Path(server.kubeconfig(tmp_path, ca=str(ca)))
        if where == "in the kubeconfig":
            content = json.loads(path.read_text())
            content["clusters"][0]["cluster"] = {
                "server": server.url,
                "certificate-authority-data": base64.b64encode(certificate.read_bytes()).decode(),
            }
            path.write_text(json.dumps(content))
        return str(path)

    with FakeApiServer(tls=certificates[0]) as server:
        client = connect(kubeconfig=install(certificates[0][0]))
        one = watching(client)
        server.put("events", event("a"))
        assert until(lambda: one.names() == ["a"])
        server.down()
        server.use_certificate(*certificates[1])
        server.up()
        server.put("events", event("b"))
        assert until(lambda: one.counters.failures[FailureReason.TLS] >= 2)
        install(certificates[1][0])
        assert until(lambda: one.names() == ["a", "b"])
        assert one.counters.lists == 1
        assert one.watcher.stop(2)
        client.close()


def test_threads_and_connections_do_not_pile_up(server: FakeApiServer, watching: Callable[..., Watching]) -> None:
    """Two hundred broken watches later there is still one thread."""
    one = watching()
    before = {thread.name for thread in threading.enumerate() if thread.name.startswith("watch-")}
    server.cut_watch_after = lambda: 0
    server.close_watches(abrupt=True)
    assert until(lambda: one.counters.watches > 200)
    assert {thread.name for thread in threading.enumerate() if thread.name.startswith("watch-")} == before
