"""Two replicas with a Lease, in real time: the leader is killed, stopped, suspended, cut off; every Event is delivered, in one form.

scripts/faults takeover
"""

from __future__ import annotations

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.apiserver import FakeApiServer
from fakes.collector import FakeCollector
from fakes.proxy import BlackHole, FaultProxy
from fakes.service import Service, balanced, until
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from kspanpy.kube.resources import WATCHED
from tests.faults.oracle import Oracle, arrived
from tests.faults.rollouts import Rollouts

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

RATE = 40  # Events a second
BEFORE_S = 30.0  # as long as a new replica lets others go first
AFTER_S = 10.0


class Pair:
    """Two replicas behind proxies of their own: `a` leads, `b` stands by, and there is load."""

    def __init__(self, server: FakeApiServer, collector: FakeCollector, folder: Path) -> None:
        self.oracle = Oracle()
        self.load = Rollouts(server, self.oracle, rate=RATE)
        self.collector = collector
        self.server = server
        self.proxies: list[FaultProxy] = []
        self.replicas: list[Service] = []
        self._folder = folder

    def begin(self) -> tuple[Service, Service]:
        """Both are ready, and the load runs."""
        a = self.start()
        until(lambda: leads(a), "the first one does not lead")
        b = self.start()
        assert not leads(b)
        self.load.start()
        time.sleep(BEFORE_S)
        return a, b

    def start(self) -> Service:
        """One more, ready."""
        folder = self._folder / f"replica-{len(self.replicas)}"
        folder.mkdir()
        proxy = FaultProxy(self.server.http.server_address[1])
        self.proxies.append(proxy)
        kubeconfig = Path(self.server.kubeconfig(folder))
        kubeconfig.write_text(kubeconfig.read_text().replace(self.server.url, f"http://127.0.0.1:{proxy.port}"))
        self.replicas.append(
            Service(
                folder,
                str(kubeconfig),
                KSPANPY_LEASE="kspanpy",
                KSPANPY_LEASE_NAMESPACE="ops",
                KSPANPY_SETTLE_SECONDS="1",
                KSPANPY_QUIET_SECONDS="3",
                OTEL_EXPORTER_OTLP_ENDPOINT=self.collector.endpoint,
            )
        )
        return self.replicas[-1].ready()

    def takeover(self, by: Service, since: float) -> float:
        """Seconds until it leads."""
        until(lambda: leads(by), "nobody takes over", seconds=60)
        return time.monotonic() - since

    def settle(self, *, warm: bool = True) -> str:
        """Some more load, and then everything arrives. What was seen, in words. `warm`: who led last had seen all of the load."""
        time.sleep(AFTER_S)
        self.load.stop()
        until(
            lambda: not self.oracle.missing(self.collector),
            f"missing: {len(self.oracle.missing(self.collector))} {self.oracle.missing(self.collector)[:5]}",
            seconds=30,
        )
        spans, first = arrived(self.collector)
        if not warm:
            elsewhere = sum(len(found) > 1 for found in traces(self.collector).values())
            return (
                f"{len(self.oracle)} occurrences owed, 0 missing, {spans} spans arrived, {spans - first} of them again; "
                f"{elsewhere} of {first} spans in more than one trace"
            )
        ends = observed_ends(self.collector)
        for replica in self.replicas:
            if replica.process.poll() is None:
                assert balanced(replica.metrics())
        return (
            f"{len(self.oracle)} occurrences owed, 0 missing, {spans} spans arrived, {spans - first} of them again; "
            f"0 event spans differ, {len(ends)} lifecycle spans by at most {max(ends, default=0.0):.3f} s of their end"
        )

    def close(self) -> None:
        """Whatever happens."""
        if self.load.is_alive():
            self.load.stop()
        for replica in self.replicas:
            replica.process.send_signal(signal.SIGCONT) if replica.process.poll() is None else None
            replica.close()
        for proxy in self.proxies:
            proxy.close()


def traces(collector: FakeCollector) -> dict[bytes, set[bytes]]:
    """Span id -> the traces in which it arrived."""
    found: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for request in collector.requests:
        for resource in request.resource_spans:
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                found[span.span_id].add(span.trace_id)
    return found


def observed_ends(collector: FakeCollector) -> list[float]:
    """By how many seconds the ends of lifecycle spans differ that arrived in two forms; nothing else may differ.

    When an object is gone, or a status is complete, nobody writes down: each replica has seen it at a moment of its own.
    What is reckoned from the end goes with it: the shares of the critical path, and the verdict that names one.
    """
    forms: defaultdict[bytes, dict[bytes, Span]] = defaultdict(dict)
    for request in collector.requests:
        for resource in request.resource_spans:
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                content = resource.resource.SerializeToString(deterministic=True)
                forms[span.span_id][content + span.SerializeToString(deterministic=True)] = span
    assert [span_id.hex() for span_id, found in traces(collector).items() if len(found) > 1] == [], (
        "a story was told twice"
    )
    gaps = []
    for spans in (list(found.values()) for found in forms.values() if len(found) > 1):
        ends = [span.end_time_unix_nano for span in spans]
        gaps.append((max(ends) - min(ends)) / 1e9)
        rest = {without_end(span) for span in spans}
        assert len(rest) == 1, f"{spans[0].name} differs: {spans}"
    return gaps


def without_end(span: Span) -> bytes:
    """The span without its end and what is reckoned from it. Nothing is reckoned from the end of an event span."""
    copy = Span.FromString(span.SerializeToString())
    if any(attribute.key == "k8s.event.uid" for attribute in span.attributes):
        return copy.SerializeToString(deterministic=True)
    copy.end_time_unix_nano = 0
    kept = [a for a in span.attributes if not a.key.startswith(("kspanpy.critical_path.", "kspanpy.verdict"))]
    del copy.attributes[:]
    copy.attributes.extend(kept)
    return copy.SerializeToString(deterministic=True)


def leads(service: Service) -> bool:
    """By its own word."""
    return service.metrics().get("kspanpy_leader") == 1


@pytest.fixture
def pair(server: FakeApiServer, tmp_path: Path) -> Iterator[Pair]:
    """See Pair."""
    with FakeCollector("grpc") as collector:
        made = Pair(server, collector, tmp_path)
        yield made
        made.close()


def test_the_leader_is_killed(pair: Pair, say: Callable[[str], None]) -> None:
    """SIGKILL: 17 seconds at most, nothing is lost."""
    a, b = pair.begin()
    a.process.kill()
    took = pair.takeover(b, time.monotonic())
    say(f"SIGKILL: the standby led after {took:.1f} s; {pair.settle()}")
    assert took <= 17.0


def test_the_leader_is_stopped(pair: Pair, say: Callable[[str], None]) -> None:
    """SIGTERM: it sends what it has, releases, and the other one leads within seconds; exit code 0."""
    a, b = pair.begin()
    began = time.monotonic()
    a.process.send_signal(signal.SIGTERM)
    took = pair.takeover(b, began)
    assert a.process.wait(10) == 0
    say(f"SIGTERM: the standby led after {took:.1f} s; {pair.settle()}")
    assert took <= 3.0
    assert a.said()[-1]["message"] == "stopped"


def test_the_leader_is_suspended(pair: Pair, say: Callable[[str], None]) -> None:
    """SIGSTOP for 30 s, then SIGCONT: the other one has taken over, the first one stands by, what both sent is the same."""
    a, b = pair.begin()
    began = time.monotonic()
    a.process.send_signal(signal.SIGSTOP)
    took = pair.takeover(b, began)
    time.sleep(max(30 - (time.monotonic() - began), 0))
    a.process.send_signal(signal.SIGCONT)
    assert not leads(a)
    said = pair.settle()
    assert not leads(a)
    assert leads(b)
    say(f"SIGSTOP: the standby led after {took:.1f} s; {said}")
    assert took <= 17.0


def test_the_leader_is_cut_off(pair: Pair, say: Callable[[str], None]) -> None:
    """From the API server alone: it stops leading before the other one begins, lives on, and can take over later."""
    a, b = pair.begin()
    began = time.monotonic()
    pair.proxies[0].set(BlackHole())
    until(lambda: not leads(a), "it still leads", seconds=15)
    stopped = time.monotonic() - began
    assert not leads(b)
    took = pair.takeover(b, began)
    pair.proxies[0].set()
    pair.proxies[0].cut()
    said = pair.settle()
    assert a.get("/livez")[0] == 200
    say(f"cut off: it stopped after {stopped:.1f} s, the standby led after {took:.1f} s; {said}")
    assert took <= 17.0
    b.process.kill()
    say(f"and back: {pair.takeover(a, time.monotonic()):.1f} s")


def test_a_standby_keeps_only_what_may_be_needed(pair: Pair, server: FakeApiServer, say: Callable[[str], None]) -> None:
    """After minutes it has yielded most of what it told; what it yielded was delivered, and the rest is enough."""
    stopping = threading.Event()

    def bookmarks() -> None:
        while not stopping.wait(5.0):  # the real API server sends them once a minute
            for resource in WATCHED:
                server.bookmark(resource.plural, resource.kind, resource.api_version)

    thread = threading.Thread(target=bookmarks, daemon=True)
    thread.start()
    a, b = pair.begin()
    time.sleep(90 - BEFORE_S)
    metrics = b.metrics()
    kept, yielded = metrics["kspanpy_standby_spans"], metrics["kspanpy_standby_yielded_total"]
    a.process.kill()
    took = pair.takeover(b, time.monotonic())
    said = pair.settle()
    stopping.set()
    thread.join()
    say(
        f"after 90 s the standby had yielded {yielded:.0f} spans and kept {kept:.0f}; it led after {took:.1f} s; {said}"
    )
    assert yielded > kept / 2
    assert took <= 17.0


def test_leaders_are_killed_again_and_again(pair: Pair, say: Callable[[str], None]) -> None:
    """Each time a new one is started that stands by. It has seen only the rest, so it may tell another story; no Event is lost."""
    a, b = pair.begin()
    worst = 0.0
    for _ in range(3):
        a.process.kill()
        began = time.monotonic()
        new = pair.start()
        worst = max(worst, pair.takeover(b, began))
        assert not leads(new)
        a, b = b, new
        time.sleep(2)
    say(f"3 kills: at most {worst:.1f} s; {pair.settle(warm=False)}")
    assert worst <= 17.0
