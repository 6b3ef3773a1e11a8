"""A real API server and etcd that are killed, stopped, compacted and restored under load: no Event lost, none doubled.

    scripts/faults apiserver_real      about 10 minutes

What is owed is known from two sides: what the writer got acknowledged, and a list at the end. Each version of each Event is looked for
among what the watches delivered.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from kspanpy.core.model import Object
from kspanpy.kube import EVENTS, WATCHED, Delivery, FailureReason, Resume, Watcher, WatchSettings, connect

SHARED = Path(__file__).resolve().parents[3] / "shared" / "cluster"
CLAIMS = WATCHED[3]
RATE = 40  # writes a second

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(400),
    # The client beside the control plane leaves its connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(not (SHARED / "cluster").exists(), reason="../shared/cluster is not there"),
]


def until(what: str, done: Callable[[], Any], *, seconds: float) -> float:
    """How long it took; an assertion when it takes longer."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - began


class Plane:
    """etcd, API server, controllers; no nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster("up", "--nodes", "0")
        sys.path.insert(0, str(SHARED))
        from kubeapi import Api

        self.api = Api(str(folder / "kubeconfig"))

    def cluster(self, *arguments: str) -> None:
        """A command of ../shared/cluster."""
        run([SHARED / "cluster", arguments[0], *arguments[1:], "--dir", self.folder], check=True, capture_output=True)

    def kill(self, part: str, number: signal.Signals) -> None:
        """A signal to one part of this cluster."""
        os.kill(int((self.folder / "pids" / part).read_text().split()[0]), number)

    def etcd(self, call: str, **body: Any) -> Any:
        """A call of etcd's JSON API."""
        flags = json.loads((self.folder / "parts" / "etcd.json").read_text())
        (url,) = [flag.partition("=")[2] for flag in flags if flag.startswith("--listen-client-urls=")]
        request = urllib.request.Request(f"{url}/v3/kv/{call}", data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def compact(self) -> None:
        """Everything but the newest versions is forgotten."""
        revision = self.etcd("range", key=b64encode(b"none").decode())["header"]["revision"]
        self.etcd("compaction", revision=revision, physical=True)

    def ready(self) -> bool:
        """Whether the API server says so."""
        try:
            self.api.request("GET", "/api/v1/namespaces/default")
        except Exception:
            return False
        return True

    def versions(self) -> set[tuple[str, str]]:
        """The Events that are stored: uid and resourceVersion."""
        items = self.api.request("GET", "/api/v1/namespaces/default/events")["items"]
        return {(item["metadata"]["uid"], item["metadata"]["resourceVersion"]) for item in items}

    def claims(self) -> set[str]:
        """The claims that are stored."""
        return {
            item["metadata"]["uid"]
            for item in self.api.request("GET", "/api/v1/namespaces/default/persistentvolumeclaims")["items"]
        }


class Load:
    """Writes Events, counts every third up, makes claims and deletes some; remembers every version that was acknowledged."""

    def __init__(self, plane: Plane) -> None:
        self.acknowledged: list[tuple[str, str]] = []
        self.refused = 0
        self._plane = plane
        self._stop = threading.Event()
        self._run = f"{time.time_ns():x}"
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """From now on: a version that was overtaken before the first list is shown by nobody."""
        self.acknowledged.clear()

    def stop(self) -> None:
        """After the write under way."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _write(self) -> None:
        number = 0
        while not self._stop.wait(1 / RATE):
            number += 1
            try:
                self._one(f"load-{self._run}-{number}", number)
            except Exception:
                self.refused += 1
                time.sleep(0.2)

    def _one(self, name: str, number: int) -> None:
        api, path = self._plane.api, "/api/v1/namespaces/default/events"
        involved = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "load"}
        thing = {
            "metadata": {"name": name},
            "involvedObject": involved,
            "reason": "Tested",
            "message": name,
            "count": 1,
        }
        self._note(api.request("POST", path, thing))
        if number % 3 == 0:
            patch = {"count": 2}
            self._note(api.request("PATCH", f"{path}/{name}", patch, "application/merge-patch+json"))
        claims = "/api/v1/namespaces/default/persistentvolumeclaims"
        if number % 20 == 0:
            spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
            api.request("POST", claims, {"metadata": {"name": name}, "spec": spec})
        if number % 40 == 10 and number > 40:
            api.request("DELETE", f"{claims}/load-{self._run}-{number - 30}")

    def _note(self, stored: Any) -> None:
        self.acknowledged.append((stored["metadata"]["uid"], stored["metadata"]["resourceVersion"]))


class Watch:
    """A process's watches of Events and claims, and its checkpoint: the cursors, and the claims it was shown."""

    def __init__(self, plane: Plane, before: Watch | None = None) -> None:
        self.deliveries: list[Delivery] = list(before.deliveries) if before else []
        self.cursors: dict[tuple[str, str], str] = dict(before.cursors) if before else {}
        self._client = connect(kubeconfig=str(plane.folder / "kubeconfig"))
        known = list(self.claims().values())
        self.watcher = Watcher(
            self._client,
            settings=WatchSettings(),
            deliver=self._deliver,
            resources=(EVENTS, CLAIMS),
            resume={key: Resume(at, known if key[0] == CLAIMS.kind else ()) for key, at in self.cursors.items()},
        )
        self.watcher.start()
        self.took_s = until("the watches are in step", lambda: self.watcher.wait_synced(0.0), seconds=60)

    def _deliver(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if delivery.cursor:
            self.cursors[delivery.kind, delivery.namespace] = delivery.cursor

    def stop(self) -> None:
        """At once."""
        assert self.watcher.stop(5)
        self._client.close()

    def events(self) -> Counter[tuple[str, str]]:
        """How often each version of each Event was delivered."""
        changes = [d.change.object for d in list(self.deliveries) if d.change and d.kind == "Event" and d.step()]
        return Counter((thing.uid, str(thing.resource_version)) for thing in changes)

    def claims(self) -> dict[str, Object]:
        """Those that are still there, as far as was shown."""
        there: dict[str, Object] = {}
        for delivery in list(self.deliveries):
            if delivery.change and isinstance(thing := delivery.change.object, Object):
                if delivery.change.type == "DELETED":
                    there.pop(thing.uid, None)
                else:
                    there[thing.uid] = thing
        return there

    def counters(self, kind: str = "Event") -> Any:
        """Of one kind."""
        return self.watcher.counters()[kind]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """One for all."""
    found = Plane(tmp_path_factory.mktemp("plane"))
    try:
        yield found
    finally:
        found.cluster("down")


@pytest.fixture
def load(plane: Plane) -> Iterator[Load]:
    """While the test runs."""
    made = Load(plane)
    yield made
    made.stop()


def account(plane: Plane, load: Load, watch: Watch, *, relists: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Stops the load and compares. With a list after 410, versions that were overtaken before it are not shown by anybody."""
    load.stop()
    until("the API server is back", plane.ready, seconds=60)
    owed = plane.versions()
    until("the last Events", lambda: not owed - watch.events().keys(), seconds=90)
    until("the claims", lambda: watch.claims().keys() == plane.claims(), seconds=120)
    delivered = watch.events()
    lost = set(load.acknowledged) - delivered.keys()
    doubled = {version: number for version, number in delivered.items() if number > 1}
    with capsys.disabled():
        failures = {str(reason): number for reason, number in watch.counters().failures.items() if number}
        print(
            f"\n  {len(load.acknowledged)} versions acknowledged, {load.refused} refused, {len(owed)} Events stored, "
            f"{len(delivered)} versions delivered; lost {len(lost)}, doubled {len(doubled)}; "
            f"relists {watch.counters().relists} (claims {watch.counters(CLAIMS.kind).relists}), "
            f"watches {watch.counters().watches}, failures {failures}"
        )
    assert len(load.acknowledged) > 200
    assert not lost - (lost if relists else set())
    assert not lost & owed
    assert all(number <= 1 + relists for number in doubled.values())


def test_the_api_server_is_killed_and_comes_back(plane: Plane, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """Three times kill -9 under load: the Events' watch goes on at its cursor, without a list."""
    watch = Watch(plane)
    load.begin()
    time.sleep(5)
    for _ in range(3):
        plane.kill("kube-apiserver", signal.SIGKILL)
        time.sleep(3)
        plane.cluster("start", "kube-apiserver")
        until("the API server is back", plane.ready, seconds=60)
        time.sleep(5)
    account(plane, load, watch, relists=0, capsys=capsys)
    assert watch.counters().relists == 0
    watch.stop()


def test_a_restarted_process_lists_nothing(plane: Plane, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """Five lives of two seconds each, three seconds apart: every version once, no list after the first, in step within seconds."""
    watch, took = Watch(plane), []
    load.begin()
    for _ in range(5):
        time.sleep(2)
        watch.stop()
        time.sleep(3)
        watch = Watch(plane, watch)
        took.append(round(watch.took_s, 1))
    with capsys.disabled():
        print(f"\n  in step after {took} s")
    account(plane, load, watch, relists=0, capsys=capsys)
    assert watch.counters().lists == watch.counters(CLAIMS.kind).lists == 0
    assert max(took) < 10
    watch.stop()


def test_etcd_is_compacted_while_nobody_watches(plane: Plane, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """The cursor is gone: one list of the Events, which brings the newest version of each, and none of them a third time."""
    watch = Watch(plane)
    load.begin()
    time.sleep(3)
    watch.stop()
    time.sleep(5)
    plane.compact()
    time.sleep(1)
    watch = Watch(plane, watch)
    account(plane, load, watch, relists=1, capsys=capsys)
    assert watch.counters().lists <= len(watch.events()) // 500 + 1  # pages of one list
    assert watch.counters().failures[FailureReason.GONE] + watch.counters().failures[FailureReason.SHORT_WATCH] >= 1
    watch.stop()


def test_etcd_is_compacted_under_an_open_watch(plane: Plane, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever keeps up does not notice."""
    watch = Watch(plane)
    load.begin()
    for _ in range(5):
        time.sleep(2)
        plane.compact()
    account(plane, load, watch, relists=0, capsys=capsys)
    assert watch.counters().relists == 0
    watch.stop()


def test_the_api_server_stands_still_for_100_seconds(
    plane: Plane, load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGSTOP: connections stay open and say nothing. Found within 75 s; everything comes when it goes on."""
    watch = Watch(plane)
    load.begin()
    time.sleep(5)
    plane.kill("kube-apiserver", signal.SIGSTOP)
    try:
        silent = watch.counters().failures[FailureReason.SILENT]
        found = until("silence", lambda: watch.counters().failures[FailureReason.SILENT] > silent, seconds=80)
        time.sleep(100 - found)
    finally:
        plane.kill("kube-apiserver", signal.SIGCONT)
    with capsys.disabled():
        print(f"\n  silence found after {found:.1f} s")
    assert found < 76
    account(plane, load, watch, relists=0, capsys=capsys)
    assert watch.counters().relists == 0
    watch.stop()


@pytest.mark.timeout(700)
def test_etcd_is_restored_from_a_backup(plane: Plane, capsys: pytest.CaptureFixture[str]) -> None:
    """ResourceVersions go back, and an API server shows nothing after a cursor in its future: found out by silence, and listed."""

    def restart(between: Callable[[], object]) -> None:
        for part in ("kube-apiserver", "etcd"):
            plane.cluster("stop", part)
        between()
        for part in ("etcd", "kube-apiserver"):
            plane.cluster("start", part)
        until("the API server is back", plane.ready, seconds=60)

    etcd, backup = plane.folder / "etcd", plane.folder / "etcd-backup"
    restart(lambda: shutil.copytree(etcd, backup))
    load = Load(plane)
    watch = Watch(plane)
    until("some load", lambda: len(load.acknowledged) > 1000, seconds=60)
    load.stop()
    restart(lambda: (shutil.rmtree(etcd), shutil.move(backup, etcd)))
    name = f"after-{time.time_ns():x}"
    involved = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "load"}
    thing = {"metadata": {"name": name}, "involvedObject": involved, "reason": "Tested", "message": name}
    stored = plane.api.request("POST", "/api/v1/namespaces/default/events", thing)["metadata"]
    after = (stored["uid"], stored["resourceVersion"])
    took = until("an Event from after the restoration", lambda: after in watch.events(), seconds=300)
    with capsys.disabled():
        told = {
            kind: {str(reason): number for reason, number in watch.counters(kind).failures.items() if number}
            for kind in ("Event", CLAIMS.kind)
        }
        print(f"\n  found out after {took:.0f} s; relists {watch.counters().relists}; failures {told}")
    assert watch.counters().relists <= 3
    watch.stop()
