"""Owners of kinds that are not watched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes.apiserver import FakeApiServer
from fakes.clock import HastyClock
from fakes.objects import until
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.core import steps
from kspanpy.core.model import ObjectReference
from kspanpy.kube import Client, OwnerLookup, Resource
from kspanpy.kube.discovery import object_path
from kspanpy.kube.lookup import TokenBucket

WIDGETS = {"name": "widgets", "kind": "Widget", "namespaced": True}
GADGETS = {"name": "gadgets", "kind": "Gadget", "namespaced": False}
STATUS = {"name": "widgets/status", "kind": "Widget", "namespaced": True}


def reference(name: str = "w", *, kind: str = "Widget", namespace: str = "shop", uid: str = "") -> ObjectReference:
    """A pointer to a custom resource."""
    return ObjectReference(kind=kind, namespace=namespace, name=name, uid=uid, api_version="example.com/v1")


Start = Callable[..., tuple[OwnerLookup, list[Any]]]


@pytest.fixture
def looking(server: FakeApiServer, client: Client) -> Iterator[Start]:
    """Start lookups; all are stopped."""
    server.kinds["/apis/example.com/v1"] = [WIDGETS, STATUS, GADGETS]
    started: list[OwnerLookup] = []

    def start(**more: Any) -> tuple[OwnerLookup, list[Any]]:
        answers: list[Any] = []
        lookup = OwnerLookup(client, deliver_step=answers.append, **{"clock": HastyClock(), **more})
        started.append(lookup)
        lookup.start()
        return lookup, answers

    yield start
    for lookup in started:
        assert lookup.stop(2)


def widget(name: str = "w", **metadata: Any) -> dict[str, Any]:
    """A custom resource."""
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name, "namespace": "shop", **metadata},
    }


def test_an_owner_is_found_by_its_metadata_only(server: FakeApiServer, looking: Start) -> None:
    """Kind to collection by discovery, then a GET that asks for metadata; the answer has the owner's own kind."""
    server.put("widgets", widget(uid="u") | {"spec": {"password": "x"}})
    lookup, answers = looking()
    lookup.request(reference(uid="u"))
    assert until(lambda: len(answers) == 1)
    found = answers[0].object
    assert (found.api_version, found.kind, found.name, found.uid) == ("example.com/v1", "Widget", "w", "u")
    assert server.requests("get", "widgets")[0].accept.startswith("application/json;as=PartialObjectMetadata;")
    assert server.requests("get", "widgets")[0].namespace == "shop"


def test_owners_without_a_namespace(server: FakeApiServer, looking: Start) -> None:
    """Whether a kind has namespaces is what discovery says, not what the reference says."""
    server.put("gadgets", {"kind": "Gadget", "metadata": {"name": "g"}})
    lookup, answers = looking()
    lookup.request(reference("g", kind="Gadget"))
    assert until(lambda: len(answers) == 1)
    assert isinstance(answers[0], steps.ObjectSeen)


@pytest.mark.parametrize(
    ("prepare", "asked", "reason"),
    [
        pytest.param(lambda s: None, reference(), "not found", id="no such object"),
        pytest.param(lambda s: None, reference(kind="Wodget"), "not found", id="no such kind"),
        pytest.param(lambda s: s.kinds.clear(), reference(), "not found", id="no such group"),
        pytest.param(
            lambda s: s.put("widgets", widget(uid="new")), reference(uid="old"), "not found", id="replaced by another"
        ),
        pytest.param(lambda s: s.forbidden.add(("get", "widgets")), reference(), "forbidden", id="403"),
        pytest.param(lambda s: s.fault(plural="widgets", status=500), reference(), "unavailable", id="500"),
        pytest.param(lambda s: s.fault(plural="widgets", status=429), reference(), "unavailable", id="429"),
        pytest.param(
            lambda s: s.fault(plural="/apis/example.com/v1", status=503), reference(), "unavailable", id="no discovery"
        ),
        pytest.param(lambda s: None, reference("../../secrets/x"), "not found", id="a name that is a path"),
        pytest.param(lambda s: None, reference(namespace="a/b"), "not found", id="a namespace that is a path"),
    ],
)
def test_what_is_missing_is_told_with_a_reason(
    server: FakeApiServer, looking: Start, prepare: Callable[[FakeApiServer], None], asked: ObjectReference, reason: str
) -> None:
    """Every question has an answer, of three reasons."""
    lookup, answers = looking()
    prepare(server)
    lookup.request(asked)
    assert until(lambda: answers == [steps.OwnerMissing(asked, reason)])


def test_answers_are_remembered_also_negative_ones(server: FakeApiServer, looking: Start) -> None:
    """The same question again costs no request, until it has become old."""
    clock = HastyClock()
    server.put("widgets", widget())
    lookup, answers = looking(clock=clock)
    for name in ("w", "none", "w", "none"):
        lookup.request(reference(name))
        count = len(answers)
        assert until(lambda: len(answers) > count)  # noqa: B023
    assert len(server.requests("get", "widgets")) == 2
    assert lookup.counters.cached == 2
    clock.wait(threading.Event(), 61.0)
    lookup.request(reference("none"))
    assert until(lambda: len(server.requests("get", "widgets")) == 3)


def test_the_cache_is_bounded(server: FakeApiServer, looking: Start) -> None:
    """The least recently used answers go first."""
    lookup, answers = looking(capacity=2)
    for number in range(5):
        lookup.request(reference(f"n{number}"))
    assert until(lambda: len(answers) == 5)
    assert len(lookup._cache) == 2


def test_the_same_question_on_its_way_is_asked_once(client: Client, server: FakeApiServer) -> None:
    """Ten pods of one owner are one question."""
    lookup = OwnerLookup(client, deliver_step=lambda _: None)
    for _ in range(10):
        lookup.request(reference())
    assert len(lookup._queue) == 1


def test_a_full_queue_answers_unavailable_and_counts(client: Client, server: FakeApiServer) -> None:
    """Bounded, and nobody waits in vain."""
    server.kinds["/apis/example.com/v1"] = [WIDGETS]
    answers: list[Any] = []
    lookup = OwnerLookup(client, queue_capacity=2, deliver_step=answers.append, clock=HastyClock())
    for number in range(4):
        lookup.request(reference(f"n{number}"))
    assert (lookup.counters.refused, lookup.counters.lost) == (2, 0)
    lookup.start()
    assert until(lambda: len(answers) == 4)
    assert {answer.reference.name for answer in answers if answer.reason == "unavailable"} == {"n2", "n3"}
    assert lookup.stop(2)


def test_a_receiver_that_fails_does_not_stop_the_answers(client: Client, server: FakeApiServer) -> None:
    """The next one is delivered."""
    got: list[str] = []

    def deliver(answer: Any) -> None:
        got.append(answer.reference.name)
        if len(got) == 1:
            raise RuntimeError("no")

    lookup = OwnerLookup(client, deliver_step=deliver, clock=HastyClock())
    lookup.start()
    lookup.request(reference("a"))
    assert until(lambda: got == ["a"])
    lookup.request(reference("b"))
    assert until(lambda: got == ["a", "b"])
    assert lookup.stop(2)


def test_20_requests_at_once_then_5_a_second() -> None:
    """The API server is spared."""
    bucket = TokenBucket(rate=5.0, burst=20.0)
    now, used = 100.0, []
    for _ in range(40):
        now += bucket.take(now=now)
        used.append(now)
    assert used[19] == 100.0
    assert used[39] == pytest.approx(104.0)
    now += 1_000
    assert [bucket.take(now=now) for _ in range(21)] == [0.0] * 20 + [pytest.approx(0.2)]


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_name_leaves_its_place_in_the_path(namespace: str, name: str) -> None:
    """References are written by tenants: whatever they write, the path has as many segments as it should."""
    widgets = Resource("example.com", "v1", "widgets", "Widget", namespaced=True)
    path = object_path(widgets, reference(name, namespace=namespace))
    if path is not None:
        assert path.count("/") == 7
        assert path.isascii()
        assert not {"?", "#", "%", "\n", " "} & set(path)
        assert ".." not in path
