"""Nobody speaks for another namespace: whoever may write in `evil` changes no span of `shop`, and has none in its traces.

The API server vouches for the namespace of what it stores, and for the uids that it makes. Everything else is what a tenant wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from kspanpy.core.changes.revisions import Revisions
from kspanpy.core.model import Event, Object, ObjectReference, OwnerReference, Span
from kspanpy.core.steps import EventSeen, Input, ObjectGone, ObjectSeen, OwnerMissing
from tests.core.acting import crash, recover, roll_out
from tests.core.cluster import Cluster, Thing

EVIL = "evil"

Attack = Callable[[Cluster, dict[str, Thing]], Iterator[Input]]


def forged(about: ObjectReference, reason: str, message: str = "", *, number: int = 1, **fields: object) -> Event:
    """An Event that somebody with rights in `evil` writes: its own namespace is what the API server makes sure of."""
    uid = f"forged-{reason}-{about.uid}-{number}"
    base = {
        "uid": uid,
        "name": uid,
        "namespace": EVIL,
        "involved": about,
        "reason": reason,
        "message": message or reason,
    }
    return Event(**(base | {"type": "Warning", "component": "kubelet"} | fields))


def owned_by(owner: Thing, kind: str = "Pod", **fields: object) -> Object:
    """An object of `evil` that says that it belongs to something in `shop`."""
    base = {
        "api_version": "v1",
        "kind": kind,
        "namespace": EVIL,
        "name": f"mine-{kind}",
        "uid": f"evil-{kind}-{owner.uid}",
    }
    return Object(**(base | {"resource_version": 50, "owners": (owner.as_owner(),)} | fields))


def as_mine(thing: Thing, **changes: str) -> ObjectReference:
    """A reference to an object of `shop` as if it were in `evil`."""
    return msgspec.structs.replace(thing.reference, namespace=EVIL, **changes)


def events_with_their_uids(cluster: Cluster, things: dict[str, Thing]) -> Iterator[Input]:
    """The uid of everybody's object, under the namespace in which Events may be written."""
    for thing in things.values():
        for reason in ("BackOff", "Killing", "SuccessfulCreate", "ScalingReplicaSet", "Started", "FailedScheduling"):
            yield EventSeen(forged(as_mine(thing), reason, "Scaled up replica set web-9 from 0 to 7"))
            yield EventSeen(forged(as_mine(thing, name="other", kind="Widget"), reason, number=2))


def events_that_name_their_namespace(cluster: Cluster, things: dict[str, Thing]) -> Iterator[Input]:
    """An API server refuses it; a recording may hold it."""
    for thing in things.values():
        yield EventSeen(forged(thing.reference, "BackOff"))
        yield EventSeen(forged(msgspec.structs.replace(thing.reference, uid=""), "Killing"))


def events_without_a_namespace(cluster: Cluster, things: dict[str, Thing]) -> Iterator[Input]:
    """Written in `default`, where Events about what has no namespace belong."""
    for thing in things.values():
        about = msgspec.structs.replace(thing.reference, namespace="")
        yield EventSeen(forged(about, "BackOff", namespace="default"))


def owner_references(cluster: Cluster, things: dict[str, Thing]) -> Iterator[Input]:
    """Objects that say that they belong to somebody else's."""
    for thing in things.values():
        for kind in ("Pod", "ReplicaSet", "Deployment", "Job", "Widget"):
            obj = owned_by(thing, kind, generation=1, template="stolen")
            yield ObjectSeen(obj)
            yield EventSeen(forged(ObjectReference(kind, EVIL, obj.name, obj.uid), "BackOff"))
            yield ObjectSeen(msgspec.structs.replace(obj, generation=2, resource_version=60, template="other"))
            yield ObjectGone(msgspec.structs.replace(obj, resource_version=70))


def revisions_of_their_deployment(cluster: Cluster, things: dict[str, Thing]) -> Iterator[Input]:
    """A ReplicaSet that claims that what comes next was there before."""
    web = things["web"]
    for template in ("web:1", "web:2", web.object.template):
        yield ObjectSeen(
            owned_by(
                web,
                "ReplicaSet",
                uid=f"evil-rs-{template}",
                template=template,
                annotations={"deployment.kubernetes.io/revision": "666"},
            )
        )


def their_uid_before_they_are_seen(cluster: Cluster, things: dict[str, Thing]) -> Iterator[Input]:
    """Uids of what nobody has shown: owners of kinds that are not watched, names where uids belong."""
    for uid in ("widget-uid", "node-1", "Deployment/shop/web", "job-uid"):
        for kind in ("Widget", "Node", "Job", "Deployment"):
            yield EventSeen(
                forged(ObjectReference(kind, EVIL, uid, uid, "example.com/v1"), "SuccessfulCreate", number=len(kind))
            )
            reference = OwnerReference("example.com/v1", kind, uid, uid, controller=True)
            yield ObjectSeen(Object("v1", "Pod", EVIL, "mine", f"evil-{uid}-{kind}", 55, owners=(reference,)))
            yield OwnerMissing(ObjectReference(kind, EVIL, uid, uid, "example.com/v1"), "not found")


def a_chain_of_thousands(cluster: Cluster, things: dict[str, Thing]) -> Iterator[Input]:
    """10,000 objects that own each other, a ring, and one that owns itself; the top says it is somebody else's."""
    for number in range(10_000):
        above = f"chain-{number + 1}" if number < 9_999 else things["web"].uid
        owner = OwnerReference("v1", "Deployment" if number == 9_999 else "Widget", above, above, controller=True)
        yield ObjectSeen(Object("v1", "Widget", EVIL, f"chain-{number}", f"chain-{number}", 50, owners=(owner,)))
    for mine, above in (("ring-1", "ring-2"), ("ring-2", "ring-1"), ("self", "self")):
        owner = OwnerReference("v1", "Pod", above, above, controller=True)
        yield ObjectSeen(Object("v1", "Pod", EVIL, mine, mine, 50, owners=(owner,)))
        yield EventSeen(forged(ObjectReference("Pod", EVIL, mine, mine), "BackOff"))
    yield EventSeen(forged(ObjectReference("Widget", EVIL, "chain-0", "chain-0"), "BackOff"))


def their_names(cluster: Cluster, things: dict[str, Thing]) -> Iterator[Input]:
    """The same names as in the other namespace, and messages that name its objects."""
    for thing in things.values():
        about = as_mine(thing, uid="")
        yield EventSeen(forged(about, "SuccessfulCreate", f"Created pod: {thing.name}"))
        yield EventSeen(forged(about, "SuccessfulDelete", f"Deleted pod: {thing.name}"))
        yield EventSeen(forged(about, "ScalingReplicaSet", f"Scaled down replica set {thing.name} from 9 to 0"))


ATTACKS: list[Attack] = [
    events_with_their_uids,
    events_that_name_their_namespace,
    events_without_a_namespace,
    owner_references,
    revisions_of_their_deployment,
    their_uid_before_they_are_seen,
    a_chain_of_thousands,
    their_names,
]


def history(attack: Attack | None, *, shown: bool) -> list[Span]:
    """A rollout with an owner that nobody shows, a crash, another rollout, a Job, a deletion; and in between the attack."""
    cluster = Cluster()
    widget = OwnerReference("example.com/v1", "Widget", "widget", "widget-uid", controller=True)
    things: dict[str, Thing] = {"web": cluster.create("Deployment", "web", seen=False, replicas=1, owners=(widget,))}
    things["job"] = cluster.create("Job", "batch", seen=False, uid="job-uid")

    def attacked() -> None:
        for fact in attack(cluster, things) if attack is not None else ():
            cluster.tell(fact)

    if not shown:
        attacked()  # nothing of the others is known yet
        cluster.wait(40)
    else:
        cluster.wait(40)
    for thing in list(things.values()):
        cluster.see(thing)
    cluster.node("node-1")
    rs, pod = roll_out(cluster, things["web"])
    things |= {"rs": rs, "pod": pod}
    attacked()
    cluster.wait(60)
    attacked()
    crash(cluster, pod, rs, things["web"])
    attacked()
    recover(cluster, pod, rs, things["web"], restarts=2)
    cluster.wait(1000)
    cluster.set_image(things["web"], "web:2")
    attacked()
    roll_out(cluster, things["web"], "2")
    cluster.event(things["job"], "SuccessfulCreate", "Created pod: batch-1")
    attacked()
    cluster.wait(120)
    cluster.delete(things["web"])
    attacked()
    cluster.gone(things["web"])
    cluster.wait(4000)
    attacked()
    return cluster.finish()


def namespace_of(span: Span) -> object:
    """Where the span's object is."""
    return span.attributes.get("k8s.namespace.name", "")


@pytest.mark.parametrize("shown", [True, False], ids=["later", "from the beginning"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_is_told_of_others_stays_as_it_is(attack: Attack, *, shown: bool) -> None:
    """Every span of `shop` is byte for byte what it is without the attack, and nothing else is in its traces."""
    clean = [span for span in history(None, shown=shown) if namespace_of(span) != EVIL]
    spans = history(attack, shown=shown)
    theirs = [span for span in spans if namespace_of(span) not in (EVIL, "default", "")]
    assert {namespace_of(span) for span in clean} <= {"shop", ""}
    assert sorted(theirs, key=repr) == sorted((span for span in clean if namespace_of(span)), key=repr)
    traces = {span.trace_id for span in clean if namespace_of(span) == "shop"}
    intruders = [span for span in spans if span.trace_id in traces and namespace_of(span) != "shop"]
    assert intruders == []


def test_the_attacks_are_told_where_they_were_written() -> None:
    """Nothing is thrown away for being a lie: it is in the traces of the namespace in which it was written."""
    spans = history(events_with_their_uids, shown=True)
    forgeries = [span for span in spans if str(span.attributes.get("k8s.event.uid", "")).startswith("forged")]
    assert (
        len({span.attributes["k8s.event.uid"] for span in forgeries}) == len({span.span_id for span in forgeries}) > 40
    )
    assert {namespace_of(span) for span in forgeries} == {EVIL}


def test_a_uid_that_belongs_to_another_is_not_repeated() -> None:
    """Who searches for the object by its uid does not find the forgery, once the object is known."""
    cluster = Cluster()
    web, _, _ = cluster.rolled_out()
    cluster.tell(EventSeen(forged(as_mine(web), "BackOff")))
    spans = [span for span in cluster.finish() if namespace_of(span) == EVIL]
    assert spans
    assert not any(web.uid in span.attributes.values() for span in spans)


def test_an_event_about_an_event_is_counted_once() -> None:
    """The kind that an Event is about is anybody's choice: no other span may look like an event span."""
    cluster = Cluster()
    cluster.tell(EventSeen(forged(ObjectReference("Event", EVIL, "e", "event-uid", "v1"), "BackOff")))
    spans = cluster.finish()
    assert [span.attributes["k8s.event.uid"] for span in spans if "k8s.event.uid" in span.attributes] == [
        "forged-BackOff-event-uid-1"
    ]
    assert len(spans) == 2


def test_a_rollback_is_told_by_the_replica_sets_of_the_same_namespace() -> None:
    """A ReplicaSet of `evil` that has the template and claims the owner does not say which revision it was."""
    web = Object("apps/v1", "Deployment", "shop", "web", "web-uid", 90, template="two")
    claim = Object(
        "apps/v1", "ReplicaSet", EVIL, "rs", "rs-uid", 50, template="two", owners=(Thing(web).as_owner(),),
        annotations={"deployment.kubernetes.io/revision": "666"},
    )  # fmt: skip
    revisions = Revisions(capacity=10)
    revisions.note(claim)
    assert revisions.of(web) == ""
    revisions.note(msgspec.structs.replace(claim, namespace="shop"))
    assert revisions.of(web) == "666"
