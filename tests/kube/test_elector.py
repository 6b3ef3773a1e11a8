"""The elector against an API server: rights, requests, release, and an API server that misbehaves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.apiserver import FakeApiServer

from kspanpy.errors import StartupError
from kspanpy.kube import Client, lease
from kspanpy.kube.election import Timing
from kspanpy.kube.elector import Elector, own_identity, own_namespace
from kspanpy.kube.lease import ACKNOWLEDGED_UNTIL, Record

QUICK = Timing(term_s=1, deadline_s=0.6, retry_s=0.1, request_s=0.5)


def until(condition: Callable[[], Any], what: str = "it does not happen") -> None:
    """Waits for another thread."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


@pytest.fixture
def elect(client: Client) -> Iterator[Callable[..., Elector]]:
    """Makes electors; stops them."""
    made: list[Elector] = []

    def make(identity: str, *, lag_s: float = 0.0, warm: bool = True, start: bool = True) -> Elector:
        one = Elector(client, name="kspanpy", namespace="ops", identity=identity, timing=QUICK)
        made.append(one)
        if start:
            one.start(lag_ns=lambda: int(lag_s * 1e9), is_warm=lambda: warm, changed=lambda: None)
        return one

    yield make
    for one in made:
        one.stop(0.5)


def stored(server: FakeApiServer) -> dict[str, Any]:
    """The Lease as the API server has it."""
    with server.lock:
        found: dict[str, Any] = json.loads(json.dumps(server.objects["leases"][("ops", "kspanpy")]))
    return found


class TestElecting:
    """Threads, requests, one Lease."""

    def test_the_first_leads_and_the_second_follows_when_it_is_released(
        self, elect: Callable[..., Elector], server: FakeApiServer
    ) -> None:
        """The record is that of client-go: names, seconds, times, transitions; released it names nobody."""
        a = elect("a", lag_s=5.0)
        until(a.leads)
        spec = stored(server)["spec"]
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 1, 0)
        assert spec["renewTime"] >= spec["acquireTime"] > "2026"
        record = lease.decode(json.dumps(stored(server)).encode())
        assert record is not None
        assert record.record.lag_ns == 5_000_000_000
        b = elect("b")
        until(lambda: b.holder == "a")
        assert not b.leads()
        began = time.monotonic()
        assert a.stop(1.0)
        assert stored(server)["spec"] | {"acquireTime": "", "renewTime": ""} == {
            "holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": "", "renewTime": "", "leaseTransitions": 0,
        }  # fmt: skip
        until(b.leads)
        assert time.monotonic() - began < 0.5
        assert stored(server)["spec"]["leaseTransitions"] == 1
        assert not a.leads()

    def test_what_others_keep_in_the_lease_stays(self, elect: Callable[..., Elector], server: FakeApiServer) -> None:
        """Labels, annotations, owners."""
        server.put(
            "leases",
            {
                "metadata": {
                    "name": "kspanpy",
                    "namespace": "ops",
                    "labels": {"team": "x"},
                    "annotations": {"note": "mine"},
                    "managedFields": [{"manager": "kubectl"}],
                },
                "spec": {"holderIdentity": None},
            },
        )
        until(elect("a").leads)
        metadata = stored(server)["metadata"]
        assert metadata["labels"] == {"team": "x"}
        assert metadata["annotations"].keys() == {"note", ACKNOWLEDGED_UNTIL}

    def test_an_api_server_that_fails_costs_the_leadership_and_gives_it_back(
        self, elect: Callable[..., Elector], server: FakeApiServer
    ) -> None:
        """After the deadline, whatever it answers; nothing ends."""
        a = elect("a")
        until(a.leads)
        for fault in ({"status": 500}, {"status": 403}, {"status": 429}, {"cut_after": 3}):
            server.fault(plural="leases", times=10**6, **fault)
            until(lambda: not a.leads(), str(fault))
            assert a.not_alive() == ""
            server.faults.clear()
            until(a.leads, str(fault))
        assert a.failures > 8

    def test_whoever_has_not_seen_the_cluster_leaves_it_to_others(
        self, elect: Callable[..., Elector], server: FakeApiServer
    ) -> None:
        """A cold one only looks."""
        cold = elect("cold", warm=False)
        until(lambda: len(server.requests("get", "leases")) > 3)
        assert not cold.leads()
        until(elect("warm").leads)

    def test_only_leases_are_ever_written(self, elect: Callable[..., Elector], server: FakeApiServer) -> None:
        """In the own namespace."""
        a = elect("a")
        a.check()
        until(a.leads)
        a.stop(1.0)
        written = {
            (s.plural, s.namespace) for verb in ("create", "update", "patch", "delete") for s in server.requests(verb)
        }
        assert written == {("leases", "ops")}


class TestChecking:
    """Before the start."""

    @pytest.mark.parametrize("verb", ["get", "create"])
    def test_a_missing_right_is_named(self, elect: Callable[..., Elector], server: FakeApiServer, verb: str) -> None:
        """The right, the namespace, and what grants it."""
        server.forbidden.add((verb, "leases"))
        with pytest.raises(
            StartupError,
            match=f"may not {verb} leases of coordination.k8s.io in namespace ops; install deploy/components/ha",
        ):
            elect("a", start=False).check()

    def test_the_right_to_update_is_asked_for_without_an_update(
        self, elect: Callable[..., Elector], server: FakeApiServer
    ) -> None:
        """By a dry run: else it would be missing at the takeover."""
        server.put("leases", {"metadata": {"name": "kspanpy", "namespace": "ops"}, "spec": {"holderIdentity": "x"}})
        before = stored(server)
        elect("a", start=False).check()
        assert stored(server) == before
        assert [s.query for s in server.requests("update")] == [{"dryRun": "All"}]
        server.forbidden.add(("update", "leases"))
        with pytest.raises(StartupError, match="may not update"):
            elect("b", start=False).check()

    def test_an_api_server_that_fails_is_no_reason_not_to_start(
        self, elect: Callable[..., Elector], server: FakeApiServer
    ) -> None:
        """It is tried again."""
        server.fault(plural="leases", status=500)
        a = elect("a", start=False)
        a.check()
        a.start(lag_ns=lambda: 0, is_warm=lambda: True, changed=lambda: None)
        until(a.leads)

    def test_what_a_former_process_had_acknowledged_is_known(
        self, elect: Callable[..., Elector], server: FakeApiServer
    ) -> None:
        """From the first look on, and also when this process has taken the Lease."""
        annotations = {ACKNOWLEDGED_UNTIL: "2026-11-24T10:00:00.000000Z"}
        metadata = {"annotations": annotations, "managedFields": [{"time": "2026-11-24T10:00:02Z"}]}
        spec = {"renewTime": "2026-11-24T10:00:02.000000Z"}
        server.put("leases", {"metadata": {"name": "kspanpy", "namespace": "ops", **metadata}, "spec": spec})
        a = elect("a", start=False)
        a.check()
        assert a.former_acknowledged_ns == 1_795_514_400_000_000_000
        a.start(lag_ns=lambda: 0, is_warm=lambda: True, changed=lambda: None)
        until(a.leads)
        assert a.former_acknowledged_ns == 1_795_514_400_000_000_000

    def test_the_namespace_is_the_pods_or_the_settings(self, tmp_path: Path) -> None:
        """Outside of a pod it must be said."""
        file = tmp_path / "namespace"
        with pytest.raises(StartupError, match="KSPANPY_LEASE_NAMESPACE must say"):
            own_namespace("", file=file)
        file.write_text("kspanpy\n")
        assert own_namespace("", file=file) == "kspanpy"
        assert own_namespace("ops", file=file) == "ops"

    def test_every_process_is_somebody_else(self) -> None:
        """Also one that crashed and begins again: nothing of it is left but its term."""
        assert own_identity() != own_identity()


class TestReading:
    """Leases that nobody vouches for."""

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{}",
            b'{"metadata": 1}',
            b'{"metadata": {}, "spec": {"holderIdentity": 1}}',
            b"\xff",
            b"[" * 10000,
        ],
    )
    def test_what_is_no_lease_is_none(self, body: bytes) -> None:
        """None, and no exception."""
        assert lease.decode(body) is None

    def test_whatever_its_fields_say_is_bounded(self) -> None:
        """Nothing there, nulls, a year-long term, a name without end, annotations that are no text."""
        assert lease.decode(b'{"metadata": {}}') == lease.Lease(Record(), {})
        text = json.dumps(
            {
                "metadata": {"annotations": {ACKNOWLEDGED_UNTIL: ["x"]}},
                "spec": {"holderIdentity": "x" * 9999, "leaseDurationSeconds": 10**9, "renewTime": "never"},
            }
        )
        found = lease.decode(text.encode())
        assert found is not None
        assert (len(found.record.holder), found.record.term_s, found.record.lag_ns) == (1024, 300, None)
