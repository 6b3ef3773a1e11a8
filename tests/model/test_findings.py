"""What the model found: histories that are told wrongly today. Each is a test that fails; the reason says who and what is needed.

When one passes, its switch in `known.py` goes, too.
"""

from __future__ import annotations

import msgspec
import pytest

from kspanpy.core.linker import Linker
from kspanpy.core.model import MILLISECOND, SECOND, Condition, Event, Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import EventSeen, Input, ObjectGone, ObjectSeen, SpanEnded, WatchProgress
from kspanpy.core.timing import occurrence
from tests.core.cluster import T0, Cluster, Thing, whole

wrong = pytest.mark.xfail(strict=True)


def traces(cluster: Cluster) -> dict[tuple[str, int], Span]:
    """The root span of the trace of every occurrence."""
    roots = {span.trace_id: span for span in cluster.finish() if not span.parent_id}
    told = [span for span in cluster.spans if "k8s.event.uid" in span.attributes]
    return {
        (str(span.attributes["k8s.event.uid"]), int(span.attributes["k8s.event.count"])): roots[span.trace_id]
        for span in told
    }


def legacy(cluster: Cluster, about: Thing, reason: str, message: str = "", **more: object) -> Event:
    """An Event of tools/record: seconds, and the nanoseconds of its first time in its name."""
    second = whole(cluster.now_ns)
    times = {"event_time_ns": None, "first_ns": second, "last_ns": second, "count": 1}
    name = f"{about.name}.{cluster.now_ns:x}"
    return cluster.event(about, reason, message, name=name, **(times | more))


def with_widget(cluster: Cluster, *, pods: int = 1) -> tuple[Thing, Thing, list[Thing]]:
    """A custom resource that owns a Deployment, as seen: the Deployment first, then what the lookup of its owner found."""
    widget = cluster.create("Widget", "shop", api_version="example.test/v1", generation=1, seen=False)
    web = cluster.deployment("web", replicas=max(pods, 1), owners=(widget.as_owner(),))
    cluster.wait(0.05)
    cluster.tell(ObjectSeen(widget.object, looked_up=True))
    rs = cluster.replicaset(web)
    return web, rs, [cluster.pod(rs) for _ in range(pods)]


# -- deletion


def rolling(cluster: Cluster) -> tuple[Thing, Thing, Thing]:
    """A rollout has replaced a Pod: the Deployment, the old ReplicaSet, the old Pod, whose deletion has begun."""
    web, rs, pod = cluster.rolled_out()
    cluster.wait(60)
    cluster.set_image(web, "web:2")
    new = cluster.replicaset(web, "2")
    cluster.wait(1)
    cluster.ready(cluster.pod(new))
    cluster.edit(rs, by="", replicas=0)
    cluster.delete(pod, grace_s=30)
    cluster.bookmark()
    return web, rs, pod


def test_the_end_of_a_deployment_does_not_take_the_deaths_of_the_rollout_before() -> None:
    """A Pod died of a rollout; its SuccessfulDelete comes when the Deployment has been deleted: it is the rollout's.

    `ends_ns is not None` once the rollout was superseded. Needed: at_ns against the moment from which it was complete (or was
    superseded); only a death after that may be reached by a deletion.
    """
    cluster = Cluster()
    web, rs, pod = rolling(cluster)
    killing = cluster.event(pod, "Killing", "Stopping container app")
    cluster.wait(1)
    cluster.gone(pod)
    cluster.wait(2)
    cluster.gone(web)
    cluster.wait(1)
    late = cluster.event(rs, "SuccessfulDelete", f"Deleted pod: {pod.name}", at=-4.0)
    told = traces(cluster)
    assert told[late.uid, 1].name == told[killing.uid, 1].name == "Deployment rollout"


# -- owners of kinds that are not watched


def test_the_second_change_by_an_operator_is_a_story_of_its_own() -> None:
    """The Deployment of a custom resource is changed twice within seconds: nobody shows the custom resource's second wish.

    Its looked-up first version opens a chapter (Chronicle._created) that stays open while Pods start, and for the settle window;
    every change of the Deployment meanwhile becomes its consequence. Needed: what was only looked up opens no chapter that a
    change of a watched object below it could be a consequence of (but for that object's creation).
    """
    cluster = Cluster()
    web, rs, (pod,) = with_widget(cluster)
    first = cluster.event(web, "ScalingReplicaSet", "Scaled up replica set web-1 from 0 to 1")
    cluster.wait(1)
    cluster.ready(pod)
    cluster.settle(rs)
    cluster.settle(web)
    cluster.wait(8)
    cluster.set_image(web, "web:2")
    second = cluster.event(web, "ScalingReplicaSet", "Scaled up replica set web-2 from 0 to 1")
    told = traces(cluster)
    assert told[first.uid, 1].trace_id != told[second.uid, 1].trace_id


def test_a_custom_resource_is_not_settled_before_its_deployment_is() -> None:
    """Its Deployment can create no Pod: that is one story for as long as it lasts, not a rollout and an incident.

    health.settled is True for kinds that it does not know, so the chapter ends 10 s after it was opened. Needed: a chapter with
    consequences (Chapter.inside) is complete only when their origins are, too; or, as above, no such chapter.
    """
    cluster = Cluster()
    _, rs, _ = with_widget(cluster, pods=0)
    first = cluster.warning(rs, "FailedCreate", "Error creating: exceeded quota")
    cluster.wait(40)
    second = cluster.warning(rs, "FailedCreate", "Error creating: exceeded quota, still")
    told = traces(cluster)
    assert told[first.uid, 1].trace_id == told[second.uid, 1].trace_id


def test_nothing_waits_for_a_watch_that_is_not() -> None:
    """All watches have come as far as the Event: there is nothing to wait for.

    Placer.retry -> progress -> Catalog.advance gives a looked-up kind a watermark, and everything newer then waits for it until
    structure_hold_s ends - long enough for a deletion to come in between. Needed: only kinds in KINDS have watermarks.
    """
    cluster = Cluster()
    _, rs, (pod,) = with_widget(cluster)
    cluster.ready(pod)
    cluster.wait(60)
    cluster.warning(pod, "Unhealthy", "Liveness probe failed")
    cluster.delete(pod, grace_s=30)
    cluster.event(rs, "SuccessfulDelete", f"Deleted pod: {pod.name}")
    cluster.bookmark()
    assert cluster.linker.stats().pending_events == 0


# -- counts


def test_a_second_step_in_the_same_second_is_not_dated_by_the_first() -> None:
    """Twice within a second: first and last timestamp agree, but the second step may be as late as the end of that second."""
    second = T0 + 100 * SECOND
    name = f"web.{second + 100 * MILLISECOND:x}"
    event = Event(uid="u", name=name, namespace="n", involved=None, count=2, first_ns=second, last_ns=second)  # type: ignore[arg-type]
    assert occurrence(event, second + 2 * SECOND).latest_ns >= second + 999 * MILLISECOND


def test_a_repeated_event_is_not_older_than_the_version_that_its_first_step_held() -> None:
    """The emitter had seen version 2 of the Deployment, whose watch was 0.3 s late; the Event was counted twice meanwhile."""
    cluster = Cluster()
    web, _, _ = cluster.rolled_out()
    cluster.wait(60.1)
    cluster.edit(web, by="", seen=False, replicas=3)
    held = msgspec.structs.replace(web.reference, resource_version=web.object.resource_version)
    first = legacy(cluster, web, "ScalingReplicaSet", "(combined ...): Scaled up", uid="scaling", involved=held)
    cluster.tell(EventSeen(msgspec.structs.replace(first, count=2, resource_version=cluster.version())))
    cluster.wait(0.3)
    cluster.see(web)
    told = traces(cluster)
    assert told["scaling", 2].trace_id == told["scaling", 1].trace_id
    assert told["scaling", 1].name == "Deployment scale"


def test_a_pod_that_is_created_again_at_once_is_the_new_one() -> None:
    """A StatefulSet replaces db-0 within two seconds of its first creation, and the new one's line is 0.3 s late.

    Needed: if the step is not the first (n > 1), wait (ForWatch Pod) until the Pods' watch has passed the Event's
    resourceVersion, and let the newest of that name win that was born before the Event was written.
    """
    cluster = Cluster()
    db = cluster.create("StatefulSet", "db", replicas=1, template="1")
    old = cluster.pod(db, "db-0")
    message = "Create Pod db-0 in StatefulSet db successful"
    create = legacy(cluster, db, "SuccessfulCreate", message)
    cluster.wait(0.5)
    cluster.edit(db, template="2")
    cluster.delete(old, grace_s=30)
    cluster.wait(0.5)
    cluster.gone(old)
    new = cluster.pod(db, "db-0", seen=False)
    version = cluster.version()
    again = msgspec.structs.replace(create, count=2, last_ns=whole(cluster.now_ns), resource_version=version)
    cluster.bookmark("StatefulSet")
    cluster.tell(EventSeen(again))
    cluster.wait(0.3)
    cluster.see(new)
    told = traces(cluster)
    assert told[create.uid, 2].attributes["k8s.object.generation"] == 2


# -- watches that are late


@wrong(
    reason="Chronicle._update: a change is dated by its receipt (timing.instant), so a late watch moves its beginning"
)
def test_what_happens_after_a_change_is_not_before_it_because_its_line_was_late() -> None:
    """The Deployment's line is 0.8 s late; a probe failed 0.5 s after the change: it belongs to the change.

    The event does wait for the watch, but then Chapter.at_ns is later than the event. Needed: the earliest receipt of any line of
    any watch with a higher resourceVersion is an upper bound for when the change was written; and an Event with a higher
    resourceVersion than the change, dated after the change's whole second, is not before it.
    """
    cluster = Cluster()
    web, _, (pod,) = cluster.settled_deployment()
    cluster.wait(60.2)
    cluster.edit(web, seen=False, paused=True)
    cluster.wait(0.5)
    event = cluster.warning(pod, "Unhealthy", "Liveness probe failed")
    cluster.wait(0.3)
    cluster.see(web)
    told = traces(cluster)
    assert told[event.uid, 1].name == "Deployment update"


def test_a_young_pods_trouble_just_after_a_change_waits_for_the_change() -> None:
    """A Pod has been ready for five seconds; the Deployment is changed, its line is 50 ms late; a probe fails 20 ms after it.

    phases.pod_phase says 'startup' because no newer change is known, and for a startup that has its place nothing is waited for.
    Needed: after ready_ns + AFTER_READY_NS wait for the deciders up to the Event's resourceVersion, as an 'incident' does.
    """
    cluster = Cluster()
    web, _, pod = cluster.rolled_out()
    cluster.wait(5)
    cluster.set_image(web, "web:2", seen=False)
    cluster.wait(0.02)
    event = cluster.warning(pod, "Unhealthy", "Liveness probe failed")
    cluster.wait(0.03)
    cluster.see(web)
    told = traces(cluster)
    assert told[event.uid, 1].attributes["k8s.object.generation"] == 2


def told(facts: list[tuple[int, Input]]) -> dict[tuple[str, int], tuple[bytes, bytes]]:
    """Trace and parent of every occurrence."""
    linker, outputs = Linker(LinkerSettings(cluster_uid="c")), []
    for now_ns, fact in facts:
        outputs += linker.step(fact, now_ns)
    outputs += linker.finish(facts[-1][0] + 600 * SECOND)
    spans = [output.span for output in outputs if isinstance(output, SpanEnded)]
    return {
        (str(s.attributes["k8s.event.uid"]), int(s.attributes["k8s.event.count"])): (s.trace_id, s.parent_id)
        for s in spans
        if "k8s.event.uid" in s.attributes
    }


def pods_later(facts: list[tuple[int, Input]], by_ns: int) -> list[tuple[int, Input]]:
    """The same facts, with the watch of Pods that late."""

    def late(fact: Input) -> bool:
        return isinstance(fact, ObjectSeen | ObjectGone) and fact.object.kind == "Pod"

    return sorted(((at_ns + late(fact) * by_ns, fact) for at_ns, fact in facts), key=lambda pair: pair[0])


@wrong(reason="Placer._lifecycle_of/_phase: an incident's key is whatever arrived first")
def test_an_incident_has_one_id_whichever_watch_is_quicker() -> None:
    """A Pod of a settled Deployment is deleted and replaced; with the Pods' watch 50 ms later the trace is another one.

    The key is `<event uid>/<n>` or `<pod uid>/<phase>` of the item that opens the episode. Needed: hold what opens an episode for a
    moment and name it by what happened first (for a death or birth: the Pod's resourceVersion), or by the change that it follows
    and how many episodes there have been since.
    """
    cluster = Cluster(watch=False)
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.wait(60)
    cluster.delete(pod, grace_s=30)
    cluster.wait(0.02)
    new = cluster.pod(rs)
    cluster.event(rs, "SuccessfulCreate", f"Created pod: {new.name}")
    cluster.wait(0.01)
    cluster.change(web, ready=0, available=0)
    cluster.event(pod, "Killing", "Stopping container app")
    assert told(pods_later(cluster.facts, 50 * MILLISECOND)) == told(cluster.facts)


def test_a_step_written_before_a_pod_was_deleted_is_not_of_its_end_in_any_order() -> None:
    """The kubelet pulls, 20 ms later the Pod is deleted: startup if the Event is seen first, termination if the Pod is.

    `occ.at_ns > dying_ns - TOLERANCE_NS` holds for what came just before. Needed: an Event with a lower resourceVersion than
    dying_rv is before it; tolerance only where there is no order.
    """
    cluster = Cluster(watch=False)
    web = cluster.deployment()
    pod = cluster.pod(cluster.replicaset(web))
    cluster.wait(0.5)
    cluster.bookmark()
    cluster.event(pod, "Pulling")
    cluster.wait(0.02)
    cluster.delete(pod, grace_s=30)
    facts = list(cluster.facts)
    pulling = next(fact for fact in facts if isinstance(fact[1], EventSeen))
    later = [fact for fact in facts if fact is not pulling]
    now_ns = cluster.now_ns + 50 * MILLISECOND
    bookmark: list[tuple[int, Input]] = [(now_ns, WatchProgress("Deployment", cluster.version()))]
    assert told([*later, (now_ns, pulling[1]), *bookmark]) == told([*facts, *bookmark])


# -- incidents


def test_an_incident_after_a_rollout_is_not_the_one_before_it() -> None:
    """A probe fails; a rollout mends it; 20 s after the first incident's last word the new Pod's probe fails: a second incident.

    The healed episode waits out its quiet_s; `of_chapter` marks it superseded, but `refresh` plans no earlier end for what is already
    complete, and `episode` returns it for what happens after the rollout: one trace around the rollout, linked to the change
    before it. Closing superseded ones is not enough: an event of before the rollout that is placed after it (it waited for the
    Deployment's watch) opens one that goes on. Needed: an episode belongs to the chapter it follows; for another chapter another one.
    """
    cluster = Cluster()
    web, _, (pod,) = cluster.settled_deployment()
    cluster.wait(60)
    before = cluster.warning(pod, "Unhealthy", "Liveness probe failed")
    cluster.bookmark()
    cluster.wait(5)
    cluster.set_image(web, "web:2")
    cluster.event(web, "ScalingReplicaSet", "Scaled up replica set web-2 from 0 to 1")
    new = cluster.pod(cluster.replicaset(web, "2"))
    cluster.wait(1)
    cluster.ready(new)
    cluster.delete(pod)
    cluster.gone(pod)
    cluster.settle(web)
    cluster.bookmark()
    cluster.wait(15)
    after = cluster.warning(new, "Unhealthy", "Liveness probe failed")
    told = traces(cluster)
    assert told[after.uid, 1].trace_id != told[before.uid, 1].trace_id


# -- nodes


def test_an_outage_is_not_over_before_the_node_says_that_it_is() -> None:
    """A node was away for 80 s; it is ready again, and 10 ms later its kubelet says so: one outage.

    `last_ns + quiet_ns` has long passed when Ready becomes True, so the outage is closed at once and NodeReady becomes an
    `activity` of its own; seen the other way round, it is part of the outage. Needed: max(complete_ns + linger_ns, ...).
    """
    cluster = Cluster()
    node = cluster.node()
    cluster.wait(60)
    unknown = Condition("Ready", "Unknown", "NodeStatusUnknown", changed_ns=whole(cluster.now_ns))
    cluster.change(node, conditions=(unknown,))
    cluster.event(node, "NodeNotReady")
    cluster.wait(80)
    cluster.change(node, conditions=(cluster.condition("Ready"),))
    cluster.wait(0.01)
    ready = cluster.event(node, "NodeReady")
    assert traces(cluster)[ready.uid, 1].name == "Node outage"
