"""What a fact costs does not depend on how many came before it, nor on how much there is besides what it is about.

The cost is the number of Python and C calls, which is the same on every machine. "Flat" allows a tenth more, for the caches that are filled and the
containers that are tidied up now and then.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from kspanpy.core.model import SECOND, Object
from kspanpy.core.steps import EventSeen, Input, ObjectSeen
from tests.core.cluster import Cluster, Thing
from tests.growth.counting import calls

FLAT = 1.1
EVENTS = 200  # more than are waiting for a watch at one time


def cost_of(cluster: Cluster, facts: list[Input], *, apart_ns: int = SECOND // 100) -> float:
    """Calls per fact, when they come one after the other."""

    def work() -> None:
        for fact in facts:
            cluster.now_ns += apart_ns
            cluster.linker.step(fact, cluster.now_ns)

    return calls(work) / len(facts)


def events(cluster: Cluster, pods: list[Thing], number: int = EVENTS) -> list[Input]:
    """Events about these Pods in turn."""
    made = (cluster.warning(pods[n % len(pods)], "Unhealthy", "probe failed", seen=False) for n in range(number))
    return [EventSeen(event) for event in made]


def versions(cluster: Cluster, things: list[Thing], number: int = EVENTS) -> list[Input]:
    """New versions of these objects in turn, that say nothing new."""
    made: list[Input] = []
    for n in range(number):
        thing = things[n % len(things)]
        thing.object = msgspec.structs.replace(thing.object, resource_version=cluster.version())
        made.append(ObjectSeen(thing.object))
    return made


def deployments(number: int, *, pods: int = 1) -> tuple[Cluster, list[Thing], list[Thing]]:
    """A cluster of so many settled Deployments of so many Pods each: the Deployments and the Pods."""
    cluster = Cluster(synced=False)
    made = [cluster.settled_deployment(f"web-{n}", pods=pods) for n in range(number)]
    cluster.bookmark()
    cluster.wait(60)
    return cluster, [web for web, _, _ in made], [pod for *_, theirs in made for pod in theirs]


def test_an_event_costs_the_same_however_many_came_before() -> None:
    """Ten times the events, ten times the work."""
    cluster, _, pods = deployments(5)
    cost_of(cluster, events(cluster, pods))  # from then on one is placed for each that comes
    first = cost_of(cluster, events(cluster, pods))
    cost_of(cluster, events(cluster, pods, 8 * EVENTS))
    assert cost_of(cluster, events(cluster, pods)) <= FLAT * first


@pytest.mark.parametrize("about", [events, versions])
@pytest.mark.parametrize(
    ("few", "many"),
    [((5, 1), (50, 1)), ((1, 5), (1, 50))],
    ids=["ten times the Deployments", "ten times the Pods of one Deployment"],
)
def test_a_fact_costs_the_same_however_many_objects_there_are(
    about: Callable[[Cluster, list[Thing]], list[Input]], few: tuple[int, int], many: tuple[int, int]
) -> None:
    """Of the same few Pods, once their stories are open: the others cost nothing."""
    costs = []
    for number, pods in (few, many):
        cluster, _, known = deployments(number, pods=pods)
        cost_of(cluster, events(cluster, known[:5]))
        costs.append(cost_of(cluster, about(cluster, known[:5])))
    assert costs[1] <= FLAT * costs[0]


@pytest.mark.parametrize("about", [events, versions])
def test_a_fact_of_an_open_story_costs_the_same_however_many_pods_are_in_it(
    about: Callable[[Cluster, list[Thing]], list[Input]],
) -> None:
    """A rollout that makes ten times the Pods: each event and each version of one of them costs what it did."""
    costs = []
    for number in (20, 200):
        cluster = Cluster()
        rs = cluster.replicaset(cluster.deployment(replicas=number), replicas=number)
        pods = [cluster.pod(rs) for _ in range(number)]
        cluster.bookmark()
        for pod in pods:
            cluster.event(pod, "Scheduled", f"assigned {pod.name}")
        cluster.wait(2)
        cost_of(cluster, events(cluster, pods))
        costs.append(cost_of(cluster, about(cluster, pods)))
    assert costs[1] <= FLAT * costs[0]


def test_an_event_of_an_owner_costs_the_same_however_many_pods_it_has_made() -> None:
    """The second ReplicaSet of a rollout, with ten times the Pods of the first one before it in the story."""
    costs = []
    for number in (20, 200):
        cluster = Cluster()
        web = cluster.deployment(replicas=number)
        first, second = cluster.replicaset(web, replicas=number), cluster.replicaset(web, "2", replicas=number)
        for pod in [cluster.pod(first) for _ in range(number)]:
            cluster.event(pod, "Scheduled", f"assigned {pod.name}")
        cluster.bookmark()
        cluster.wait(2)
        cost_of(cluster, events(cluster, [second]))
        costs.append(cost_of(cluster, events(cluster, [second])))
    assert costs[1] <= FLAT * costs[0]


def test_a_version_of_a_node_costs_the_same_however_many_pods_are_on_it() -> None:
    """Kubelets write their Node's status every few seconds."""
    costs = []
    for number in (5, 50):
        cluster, _, pods = deployments(1, pods=number)
        ready = (cluster.condition("Ready"),)
        node = cluster.create("Node", "node-1", conditions=ready, age_s=86_400)
        for pod in pods:
            cluster.ready(pod, node="node-1")
        costs.append(cost_of(cluster, versions(cluster, [node])))
    assert costs[1] <= FLAT * costs[0]


def test_an_event_of_a_crash_loop_costs_the_same_however_long_it_goes_on() -> None:
    """Ten times the steps of one Event of one Pod."""
    cluster, _, pods = deployments(1)
    event = cluster.warning(pods[0], "BackOff", "Back-off restarting failed container app")

    def steps(number: int) -> list[Input]:
        nonlocal event
        made: list[Input] = []
        for _ in range(number):
            event = cluster.again(event, seen=False)
            made.append(EventSeen(event))
        return made

    cost_of(cluster, steps(EVENTS))
    first = cost_of(cluster, steps(EVENTS))
    cost_of(cluster, steps(8 * EVENTS))
    assert cost_of(cluster, steps(EVENTS)) <= FLAT * first


def test_asking_the_linker_what_it_holds_costs_the_same_however_much_that_is() -> None:
    """`stats` and `next_deadline` are asked after every round."""
    costs = []
    for number in (5, 50):
        cluster, _, pods = deployments(number)
        cost_of(cluster, events(cluster, pods))
        costs.append(calls(lambda linker=cluster.linker: (linker.stats(), linker.next_deadline())))  # type: ignore[misc]
    assert costs[1] <= FLAT * costs[0]


def test_the_owners_of_an_object_are_found_once_for_all_that_they_own() -> None:
    """A sibling's first Event costs about as much as a second one: what the line of owners is has been found."""
    cluster, _, pods = deployments(1, pods=3)
    catalog = cluster.linker._catalog
    records = [catalog.seen(pod.uid) for pod in pods]
    for record in records:
        assert record is not None
        catalog.chain(record)
    assert len({id(record.above) for record in records if record is not None}) == 1


def test_owners_that_change_are_found_anew() -> None:
    """An owner that is gone and forgotten, released or replaced is no longer in the line."""
    cluster, (web,), (pod, *_) = deployments(1, pods=2)
    catalog = cluster.linker._catalog
    record = catalog.seen(pod.uid)
    assert record is not None

    def kinds() -> list[str]:
        return [owner.kind for owner in catalog.chain(record)[0]]

    assert kinds() == ["Pod", "ReplicaSet", "Deployment"]
    rs = catalog.seen(record.object.owners[0].uid)
    assert rs is not None
    orphan: Object = msgspec.structs.replace(rs.object, owners=(), resource_version=cluster.version())
    cluster.tell(ObjectSeen(orphan))
    assert kinds() == ["Pod", "ReplicaSet"]
    adopted = msgspec.structs.replace(orphan, owners=(web.as_owner(),), resource_version=cluster.version())
    cluster.tell(ObjectSeen(adopted))
    assert kinds() == ["Pod", "ReplicaSet", "Deployment"]
    cluster.change(pod, owners=())
    assert kinds() == ["Pod"]
