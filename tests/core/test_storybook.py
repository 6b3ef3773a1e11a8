"""Stories from outside: what is told, when, how it ended, and what becomes of what comes late."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from kspanpy.core import ids
from kspanpy.core.model import MILLISECOND, SECOND, Condition, Container, Event, Object, ObjectReference
from kspanpy.core.steps import DiscardReason, EventSeen
from tests.core.cluster import T0, Cluster, Thing


def quiet(**settings: object) -> tuple[Cluster, Thing, Thing, Thing]:
    """A cluster that was watched from now on: a Deployment of one Pod, settled long ago."""
    cluster = Cluster(synced=False, **settings)
    web, rs, (pod,) = cluster.settled_deployment()
    cluster.bookmark()
    cluster.wait(60)
    return cluster, web, rs, pod


def assert_well_formed(cluster: Cluster) -> None:
    """One root a trace, every parent there, children inside their parents, every span once."""
    spans = {(span.trace_id, span.span_id): span for span in cluster.spans}
    assert len(spans) == len(cluster.spans)
    assert len({span.trace_id for span in cluster.spans}) == len(cluster.roots())
    for span in cluster.spans:
        assert span.start_ns < span.end_ns or span.attributes.get("k8s.event.uid")
        if span.parent_id:
            parent = spans[span.trace_id, span.parent_id]
            assert parent.start_ns <= span.start_ns <= span.end_ns <= parent.end_ns


class TestTree:
    """Ownership makes the tree."""

    def test_a_rollout(self):
        """Everything under the object that it is about, and that under its owner."""
        cluster = Cluster()
        web, rs, pod = cluster.rolled_out()
        cluster.event(web, "ScalingReplicaSet", f"Scaled up replica set {rs.name} from 0 to 1")
        cluster.event(rs, "SuccessfulCreate", f"Created pod: {pod.name}")
        cluster.event(pod, "Started")
        cluster.wait(60)
        assert cluster.told().splitlines() == [
            "Deployment rollout web",
            "  ReplicaSet scale-up web-1",
            f"    Pod startup {pod.name}",
            "      Pod.Started",
            "    ReplicaSet.SuccessfulCreate",
            "  Deployment.ScalingReplicaSet",
        ]
        assert_well_formed(cluster)

    def test_a_deletion(self):
        """The Pods terminate in it, wherever they were born."""
        cluster, web, rs, pod = quiet()
        cluster.gone(web)
        cluster.gone(rs)
        cluster.delete(pod, grace_s=30)
        cluster.event(pod, "Killing", "Stopping container app")
        cluster.wait(1)
        cluster.gone(pod)
        cluster.wait(60)
        assert cluster.told().splitlines() == [
            "Deployment deletion web",
            "  ReplicaSet scale-down web-1",
            f"    Pod termination {pod.name}",
            "      Pod.Killing",
        ]
        assert_well_formed(cluster)

    def test_a_new_image_brings_up_and_takes_down(self):
        """One story, with a phase for each of the two ReplicaSets."""
        cluster, web, rs, pod = quiet()
        cluster.set_image(web, "web:2")
        rs2 = cluster.replicaset(web, "2")
        pod2 = cluster.pod(rs2)
        cluster.wait(2)
        cluster.ready(pod2)
        cluster.edit(rs, replicas=0, by="")
        cluster.delete(pod)
        cluster.wait(1)
        cluster.gone(pod)
        cluster.settle(web)
        cluster.wait(60)
        assert cluster.told().splitlines() == [
            "Deployment rollout web",
            "  ReplicaSet scale-up web-2",
            f"    Pod startup {pod2.name}",
            "  ReplicaSet scale-down web-1",
            f"    Pod termination {pod.name}",
        ]

    def test_a_pod_that_nobody_owns_is_its_own_story(self):
        """Its Events are right below the root."""
        cluster = Cluster()
        pod = cluster.pod(name="shell")
        cluster.event(pod, "Started")
        cluster.ready(pod)
        cluster.wait(60)
        assert cluster.told() == "Pod startup shell\n  Pod.Started"

    def test_two_objects_of_one_name_are_two_stories(self):
        """Whatever is written about the name."""
        cluster = Cluster()
        one = cluster.pod(name="shell")
        cluster.event(one, "Started")
        cluster.gone(one)
        two = cluster.pod(name="shell")
        cluster.event(two, "Started")
        cluster.ready(two)
        cluster.wait(60)
        startups = [span for span in cluster.roots() if span.name == "Pod startup"]
        assert [span.attributes["k8s.object.uid"] for span in startups] == [one.uid, two.uid]

    def test_an_event_without_any_object_is_told_all_the_same(self):
        """By what its reference says."""
        cluster = Cluster()
        cluster.event(ObjectReference(), "Strange")
        cluster.wait(120)
        assert cluster.told() == "Unknown activity \n  Unknown.Strange"


class TestIds:
    """Pure functions of what is in the cluster."""

    def test_what_they_are_made_of(self):
        """The cluster, the root object and its generation; the Event and its count; trace, object and phase."""
        cluster = Cluster()
        web, rs, pod = cluster.rolled_out()
        event = cluster.event(pod, "Started", series_count=3, series_last_ns=cluster.now_ns)
        cluster.wait(60)
        trace = ids.trace_id("cluster", web.uid, "1")
        assert {span.trace_id for span in cluster.spans} == {trace}
        assert cluster.span("Pod.Started").span_id == ids.event_span_id(event.uid, 3)
        assert cluster.root().span_id == ids.lifecycle_span_id(trace, web.uid, "")
        assert cluster.span("ReplicaSet scale-up").span_id == ids.lifecycle_span_id(trace, rs.uid, "scale-up")
        assert cluster.span("Pod startup").span_id == ids.lifecycle_span_id(trace, pod.uid, "startup")

    def test_a_linker_that_was_started_in_the_middle_agrees(self):
        """The trace of a change does not depend on when somebody began to look."""
        cluster = Cluster()
        web = cluster.deployment()
        cluster.set_image(web, "web:2")
        rs = cluster.replicaset(web, "2")
        pod = cluster.pod(rs)
        event = cluster.event(pod, "Started")
        cluster.wait(60)
        later = Cluster(synced=False)
        later.now_ns = cluster.now_ns
        for thing in (pod, rs, web):
            later.see(thing)
        later.tell(EventSeen(event))
        for either in (cluster, later):
            either.wait(60)
            either.finish()
        expected = cluster.span("Pod.Started")
        found = later.span("Pod.Started")
        assert (found.trace_id, found.span_id, found.parent_id) == (
            expected.trace_id,
            expected.span_id,
            expected.parent_id,
        )


class TestWhen:
    """A story is told when status says that it is over and has stayed so, never because of silence."""

    def test_not_before_it_has_stayed_settled(self):
        """A Pod that crashes at once belongs to its rollout."""
        cluster = Cluster()
        cluster.rolled_out()
        cluster.wait(9.9)
        assert cluster.roots() == []
        cluster.wait(0.2)
        assert cluster.root().attributes["kspanpy.outcome"] == "settled"

    def test_a_crash_within_that_time_keeps_it_open(self):
        """And is told in it."""
        cluster = Cluster()
        web, _, pod = cluster.rolled_out()
        cluster.wait(3)
        cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
        cluster.change(web, ready=0, available=0)
        cluster.warning(pod, "BackOff", "Back-off restarting failed container")
        cluster.wait(60)
        assert cluster.roots() == []
        cluster.ready(pod)
        cluster.settle(web)
        cluster.wait(60)
        assert cluster.path(cluster.span("Pod.BackOff"))[-1] == "Deployment rollout"

    def test_silence_does_not_close_what_has_not_settled(self):
        """Half an hour of nothing is a rollout that hangs."""
        cluster = Cluster()
        cluster.deployment()
        cluster.wait(1800)
        assert cluster.roots() == []

    def test_a_pod_that_has_started_is_told_before_its_story_is_over(self):
        """Long rollouts can be watched while they grow."""
        cluster = Cluster()
        web = cluster.deployment(replicas=2)
        rs = cluster.replicaset(web, replicas=2)
        first, _ = cluster.pod(rs), cluster.pod(rs)
        cluster.ready(first)
        cluster.wait(60)
        assert [span.attributes["k8s.object.name"] for span in cluster.spans] == [first.name]

    def test_the_next_change_ends_it(self):
        """What was not settled was superseded."""
        cluster = Cluster()
        web = cluster.deployment()
        cluster.wait(20)
        cluster.set_image(web, "web:2")
        cluster.settle(web)
        cluster.wait(60)
        outcomes = [span.attributes["kspanpy.outcome"] for span in cluster.roots()]
        assert outcomes == ["superseded", "settled"]

    def test_a_superseded_story_lasts_until_the_next_change(self):
        """By the cluster's clock."""
        cluster = Cluster()
        web = cluster.deployment()
        cluster.wait(20)
        cluster.set_image(web, "web:2")
        cluster.wait(60)
        assert cluster.root().end_ns == T0 + 20 * SECOND

    def test_the_end_of_everything_closes_what_is_open(self):
        """A recording that ends in the middle."""
        cluster = Cluster()
        cluster.deployment()
        cluster.wait(5)
        cluster.finish()
        assert cluster.root().attributes["kspanpy.outcome"] == "unfinished"

    def test_a_deletion_is_over_when_the_last_pod_is_gone(self):
        """Not when its own object is."""
        cluster, web, rs, pod = quiet()
        cluster.delete(pod, grace_s=300)
        cluster.gone(web)
        cluster.gone(rs)
        cluster.wait(120)
        assert cluster.roots() == []
        cluster.gone(pod)
        cluster.wait(30)
        assert cluster.root().attributes["kspanpy.outcome"] == "deleted"


class TestFailure:
    """ERROR where something failed, and only there. A failure that healed is none."""

    def test_a_warning_that_healed_does_not_fail_its_story(self):
        """Its own span is in error, what is above is not."""
        cluster = Cluster()
        web = cluster.deployment()
        rs = cluster.replicaset(web)
        pod = cluster.pod(rs)
        cluster.warning(pod, "FailedMount", "no such volume yet")
        cluster.wait(5)
        cluster.ready(pod)
        cluster.settle(rs)
        cluster.settle(web)
        cluster.wait(60)
        assert {span.name: span.error for span in cluster.spans if span.error} == {
            "Pod.FailedMount": "no such volume yet"
        }

    def test_a_change_that_was_replaced_because_it_failed(self):
        """The first Warning is the cause, all the way up."""
        cluster = Cluster()
        web = cluster.deployment()
        rs = cluster.replicaset(web)
        pod = cluster.pod(rs)
        cluster.warning(pod, "Failed", "no such image")
        cluster.warning(pod, "BackOff", "Back-off pulling image")
        cluster.wait(5)
        cluster.set_image(web, "web:2")
        cluster.delete(pod)
        cluster.gone(pod)
        cluster.wait(60)
        for name in ("Pod startup", "ReplicaSet scale-up", "Deployment rollout"):
            span = cluster.span(name)
            assert (span.error, span.attributes["error.type"]) == ("no such image", "Failed")

    def test_progress_deadline_exceeded_even_if_it_came_later(self):
        """Too late is a failure."""
        cluster = Cluster()
        web = cluster.deployment()
        late = cluster.condition("Progressing", good=False, reason="ProgressDeadlineExceeded", message="timed out")
        cluster.change(web, observed_generation=1, conditions=(late,))
        cluster.wait(60)
        cluster.settle(web, conditions=())
        cluster.wait(60)
        root = cluster.root()
        assert (root.error, root.attributes["error.type"]) == ("timed out", "ProgressDeadlineExceeded")

    def test_a_job_that_failed(self):
        """By its condition; its Pod by its container."""
        cluster = Cluster()
        job = cluster.create("Job", "import", replicas=1)
        pod = cluster.pod(job, restart_policy="Never")
        cluster.event(pod, "Started")
        cluster.wait(3)
        cluster.change(pod, phase="Failed", containers=(Container("app", "terminated", "Error", exit_code=1),))
        cluster.change(job, conditions=(Condition("Failed", "True", "BackoffLimitExceeded", "too often"),))
        cluster.wait(60)
        assert cluster.span("Job run").attributes["error.type"] == "BackoffLimitExceeded"
        assert cluster.span("Pod run").error == "container app exited with 1"

    def test_a_job_that_succeeded_at_the_second_try(self):
        """The Pod that failed, failed; the Job did not."""
        cluster = Cluster()
        job = cluster.create("Job", "import", replicas=1)
        bad, good = cluster.pod(job), cluster.pod(job)
        cluster.wait(3)
        cluster.change(bad, phase="Failed", containers=(Container("app", "terminated", "Error", exit_code=1),))
        cluster.change(good, phase="Succeeded")
        cluster.change(job, conditions=(Condition("Complete", "True"),))
        cluster.wait(60)
        assert cluster.root().error == ""
        assert bool(cluster.span("Pod run", bad.name).error) is True
        assert cluster.span("Pod run", good.name).error == ""

    def test_a_probe_that_fails_fails_nothing(self):
        """Not even a story that never ended."""
        cluster = Cluster()
        pod = cluster.pod(name="shell")
        cluster.warning(pod, "Unhealthy", "Readiness probe failed")
        cluster.wait(5)
        cluster.finish()
        assert cluster.root().error == ""

    def test_a_termination_does_not_fail(self):
        """Failing to stop in time is how things are stopped."""
        cluster, web, rs, pod = quiet()
        cluster.gone(web)
        cluster.gone(rs)
        cluster.delete(pod)
        cluster.warning(pod, "FailedPreStopHook", "PreStopHook failed")
        cluster.gone(pod)
        cluster.wait(60)
        assert {span.name for span in cluster.spans if span.error} == {"Pod.FailedPreStopHook"}

    def test_status_is_unset_when_all_is_well(self):
        """There is no OK."""
        cluster = Cluster()
        cluster.rolled_out()
        cluster.wait(60)
        assert not any(span.error or "error.type" in span.attributes for span in cluster.spans)


class TestEpisodes:
    """Trouble while no change is open."""

    def trouble(self, cluster: Cluster, web: Thing, pod: Thing) -> Event:
        """The Pod crashes."""
        cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
        cluster.change(web, ready=0, available=0)
        return cluster.warning(pod, "Unhealthy", "Liveness probe failed")

    def recovery(self, cluster: Cluster, web: Thing, pod: Thing) -> None:
        """It runs again."""
        cluster.ready(pod)
        cluster.settle(web)

    def test_an_incident_heals(self):
        """Healthy and quiet for a while: no error."""
        cluster, web, _, pod = quiet()
        self.trouble(cluster, web, pod)
        cluster.wait(20)
        self.recovery(cluster, web, pod)
        cluster.wait(60)
        root = cluster.root()
        assert (root.name, root.attributes["kspanpy.outcome"], root.error) == ("Deployment incident", "healed", "")
        assert cluster.path(cluster.span("Pod.Unhealthy")) == [
            "Pod.Unhealthy",
            "Pod incident",
            "ReplicaSet incident",
            "Deployment incident",
        ]

    def test_it_is_linked_to_the_change_before_it(self):
        """Not inside it: that it came after is no proof."""
        cluster = Cluster()
        web, _, pod = cluster.rolled_out()
        cluster.wait(600)
        self.trouble(cluster, web, pod)
        cluster.wait(20)
        self.recovery(cluster, web, pod)
        cluster.wait(60)
        rollout, incident = cluster.roots()
        (link,) = incident.links
        assert (link.trace_id, link.span_id, link.relation) == (rollout.trace_id, rollout.span_id, "follows change")

    def test_it_does_not_end_while_it_is_not_well(self):
        """Silence between two crashes is back-off."""
        cluster, web, _, pod = quiet()
        self.trouble(cluster, web, pod)
        cluster.wait(290)
        cluster.warning(pod, "BackOff", "again")
        cluster.wait(290)
        assert cluster.roots() == []

    def test_two_that_heal_in_between_are_two(self):
        """Each has its trace; the second one is a relapse, linked with the first, and waits longer before it is called over."""
        cluster, web, _, pod = quiet()
        for _ in range(2):
            self.trouble(cluster, web, pod)
            cluster.wait(20)
            self.recovery(cluster, web, pod)
            cluster.wait(120)
        assert [span.name for span in cluster.roots()] == ["Deployment incident"]
        cluster.wait(600)
        first, second = cluster.roots()
        assert first.trace_id != second.trace_id
        assert (first.trace_id, "continues") in [(link.trace_id, link.relation) for link in second.links]

    def test_a_crash_loop_is_not_one_trace_for_each_restart(self):
        """Hours of it, well for 45 s between any two crashes: a few bounded traces, each linked with the one before."""
        cluster, web, _, pod = quiet()
        for _ in range(100):
            self.trouble(cluster, web, pod)
            cluster.wait(60)
            self.recovery(cluster, web, pod)
            cluster.wait(45)
        cluster.finish()
        roots = cluster.roots()
        assert 3 <= len(roots) <= 6
        assert all(root.end_ns - root.start_ns <= 3400 * SECOND for root in roots)
        for before, after in itertools.pairwise(roots):
            assert (before.trace_id, "continues") in [(link.trace_id, link.relation) for link in after.links]

    def test_losses_of_pods_with_a_rest_between_them_are_two(self):
        """Somebody deletes a Pod, and when all has been well for a while another one; at once after the first it is one story."""
        for rest_s, stories in ((3, 1), (15, 2)):
            cluster, web, rs, pod = quiet()
            for _ in range(2):
                cluster.delete(pod)
                cluster.event(pod, "Killing", "Stopping container app")
                cluster.change(web, ready=0, available=0)
                cluster.gone(pod)
                pod = cluster.pod(rs)
                cluster.wait(1)
                cluster.ready(pod)
                cluster.settle(web)
                cluster.wait(rest_s)
            cluster.wait(120)
            assert len(cluster.roots()) == stories

    def test_one_that_never_heals_is_capped_and_continued(self):
        """ERROR, and a link back from the next part."""
        cluster, web, _, pod = quiet()
        self.trouble(cluster, web, pod)
        for _ in range(14):
            cluster.wait(300)
            cluster.warning(pod, "BackOff", "again")
        self.recovery(cluster, web, pod)
        cluster.wait(700)
        first, second = cluster.roots()
        assert [span.attributes["kspanpy.outcome"] for span in (first, second)] == ["capped", "healed"]
        assert first.error
        assert first.end_ns - first.start_ns <= 3300 * SECOND + MILLISECOND
        assert [(link.trace_id, link.relation) for link in second.links] == [(first.trace_id, "continues")]
        assert_well_formed(cluster)

    def test_a_change_ends_it(self):
        """Somebody deals with it."""
        cluster, web, _, pod = quiet()
        self.trouble(cluster, web, pod)
        cluster.wait(20)
        cluster.set_image(web, "web:2")
        cluster.gone(pod)
        cluster.wait(30)
        assert cluster.root().attributes["kspanpy.outcome"] == "superseded"

    def test_without_a_warning_it_is_an_activity(self):
        """Nothing bad has happened."""
        cluster, web, _, _ = quiet()
        cluster.event(web, "Remark", "Nothing to see")
        cluster.wait(120)
        root = cluster.root()
        assert (root.name, root.error) == ("Deployment activity", "")

    def test_of_a_kind_that_nobody_knows_warnings_are_all_that_is_known(self):
        """So they decide."""
        cluster = Cluster()
        backup = ObjectReference(kind="Backup", namespace="shop", name="nightly", uid="b")
        cluster.event(backup, "Started")
        cluster.event(backup, "Broken", "disk full", warning=True)
        cluster.wait(120)
        root = cluster.root()
        assert (root.name, root.error) == ("Backup activity", "disk full")


class TestLate:
    """Controllers' Events can come long after the fact: they find their place in what has been told."""

    def test_a_late_event_joins_its_story(self):
        """Below the span that was sent."""
        cluster = Cluster()
        _, rs, pod = cluster.rolled_out()
        cluster.wait(60)
        assert len(cluster.roots()) == 1
        cluster.event(rs, "SuccessfulCreate", f"Created pod: {pod.name}", at=-60.5)
        cluster.wait(1)
        assert cluster.path(cluster.span("ReplicaSet.SuccessfulCreate"))[1:] == [
            "ReplicaSet scale-up",
            "Deployment rollout",
        ]
        assert_well_formed(cluster)

    @pytest.mark.parametrize("at_s", [-300, -59])
    def test_outside_its_parent_it_is_moved_to_the_edge(self, at_s):
        """Its true time stays in an attribute."""
        cluster = Cluster()
        _, rs, pod = cluster.rolled_out()
        cluster.wait(60)
        event = cluster.event(rs, "SuccessfulCreate", f"Created pod: {pod.name}", at=at_s)
        cluster.wait(1)
        assert_well_formed(cluster)
        written = str(cluster.span("ReplicaSet.SuccessfulCreate").attributes["k8s.event.start_time"])
        assert written.startswith("2026-03-01T")
        assert cluster.now_ns - SECOND + at_s * SECOND == event.event_time_ns

    def test_what_nothing_was_told_of_gets_its_lifecycle_late(self):
        """Inside the story that was sent."""
        cluster = Cluster()
        web, rs, _ = cluster.rolled_out()
        daemon = cluster.replicaset(web, "other")
        cluster.wait(60)
        before = len(cluster.spans)
        cluster.event(daemon, "SuccessfulCreate", "Created pod: x", at=-60)
        cluster.wait(10)
        assert [span.name for span in cluster.spans[before:]] == ["ReplicaSet scale-up", "ReplicaSet.SuccessfulCreate"]
        assert_well_formed(cluster)
        assert rs.uid != daemon.uid

    def test_an_event_about_a_pod_that_is_gone(self):
        """The dead are remembered for an hour."""
        cluster = Cluster()
        _, rs, pod = cluster.rolled_out()
        cluster.wait(60)
        cluster.delete(pod)
        cluster.gone(pod)
        cluster.pod(rs)
        cluster.wait(600)
        cluster.event(pod, "Started", at=-660)
        cluster.wait(10)
        started = cluster.span("Pod.Started")
        assert cluster.path(started)[1:] == ["Pod startup", "ReplicaSet scale-up", "Deployment rollout"]

    def test_after_an_hour_a_story_is_forgotten(self):
        """Nothing is remembered for ever."""
        cluster = Cluster()
        cluster.rolled_out()
        cluster.wait(60)
        assert cluster.linker.stats().closed_stories == 1
        cluster.wait(3700)
        stats = cluster.linker.stats()
        assert (stats.closed_stories, stats.closed_lifecycles) == (0, 0)

    def test_a_step_that_was_seen_before_is_discarded(self):
        """With a reason."""
        cluster = Cluster()
        _, _, pod = cluster.rolled_out()
        event = cluster.event(pod, "Started")
        cluster.tell(EventSeen(event))
        cluster.again(event)
        cluster.wait(60)
        assert [discarded.reason for discarded in cluster.discarded] == [DiscardReason.DUPLICATE]
        counts = [s.attributes["k8s.event.count"] for s in cluster.spans if s.name == "Pod.Started"]
        assert counts == [1, 2]

    def test_a_count_that_jumped_is_one_span(self):
        """Which says by how much."""
        cluster = Cluster()
        _, _, pod = cluster.rolled_out()
        event = cluster.event(pod, "Started")
        cluster.again(event, series_count=5)
        cluster.wait(60)
        deltas = [s.attributes.get("k8s.event.count_delta") for s in cluster.spans if s.name == "Pod.Started"]
        assert deltas == [None, 4]


class TestOrder:
    """Watches overtake each other."""

    def test_an_event_before_its_object(self):
        """It waits."""
        cluster = Cluster()
        pod = cluster.pod(name="shell", seen=False)
        cluster.event(pod, "Scheduled")
        cluster.wait(2)
        assert cluster.spans == []
        cluster.see(pod)
        cluster.ready(pod)
        cluster.wait(60)
        assert cluster.path(cluster.span("Pod.Scheduled")) == ["Pod.Scheduled", "Pod startup"]

    def test_objects_before_their_owners(self):
        """The Pod waits for its ReplicaSet, that for its Deployment."""
        cluster = Cluster()
        web = cluster.deployment(seen=False)
        rs = cluster.replicaset(web, seen=False)
        pod = cluster.pod(rs, seen=False)
        for thing in (pod, rs, web):
            cluster.see(thing)
            cluster.wait(0.5)
        cluster.event(pod, "Started")
        cluster.ready(pod)
        cluster.settle(web)
        cluster.wait(60)
        assert cluster.path(cluster.span("Pod.Started")) == [
            "Pod.Started",
            "Pod startup",
            "ReplicaSet scale-up",
            "Deployment rollout",
        ]

    def test_an_owner_that_is_not_watched_is_asked_for_once(self):
        """However many children it has."""
        cluster = Cluster()
        shop = cluster.create("Shop", "corner", api_version="example.com/v1", generation=1, seen=False)
        for name in ("a", "b"):
            cluster.deployment(name, owner=shop)
        assert [lookup.reference.uid for lookup in cluster.lookups] == [shop.uid]

    def test_an_owner_that_nobody_can_show_is_still_the_root(self):
        """By what its child says of it."""
        cluster = Cluster()
        shop = cluster.create("Shop", "corner", api_version="example.com/v1", generation=1, seen=False)
        web = cluster.deployment(owner=shop)
        cluster.event(web, "Remark")
        cluster.settle(web)
        cluster.wait(120)
        assert cluster.path(cluster.span("Deployment.Remark"))[-1].startswith("Shop ")

    def test_an_old_version_changes_nothing(self):
        """A relist may bring what was."""
        cluster = Cluster()
        web = cluster.deployment()
        old = web.object
        cluster.set_image(web, "web:2")
        cluster.settle(web)
        cluster.see(Thing(old))
        cluster.wait(60)
        assert [span.attributes["k8s.object.generation"] for span in cluster.roots()] == [1, 2]


class TestSteps:
    """How long an event span lasts."""

    def pod(self) -> tuple[Cluster, Thing]:
        """A Pod that starts."""
        cluster = Cluster()
        return cluster, cluster.pod(name="shell")

    def took(self, cluster: Cluster, name: str) -> float:
        """The duration of the only span of that name, in seconds."""
        span = cluster.span(name)
        return (span.end_ns - span.start_ns) / SECOND

    def finish(self, cluster: Cluster, pod: Thing) -> None:
        """It becomes ready, and its story is told."""
        cluster.wait(1)
        cluster.ready(pod)
        cluster.wait(60)

    @staticmethod
    def container(pod: Thing, name: str) -> ObjectReference:
        """One of its containers."""
        return msgspec.structs.replace(pod.reference, field_path=f"spec.containers{{{name}}}")

    def test_an_instant_is_a_millisecond(self):
        """A span without length can not be seen."""
        cluster, pod = self.pod()
        cluster.event(pod, "Started")
        self.finish(cluster, pod)
        assert self.took(cluster, "Pod.Started") == 0.001

    def test_being_scheduled_lasts_until_the_kubelet_begins(self):
        """Whatever its first word is."""
        cluster, pod = self.pod()
        cluster.event(pod, "Scheduled")
        cluster.wait(0.3)
        cluster.event(self.container(pod, "app"), "Pulling")
        self.finish(cluster, pod)
        assert self.took(cluster, "Pod.Scheduled") == 0.3

    def test_a_pull_lasts_until_that_container_is_pulled(self):
        """Others pull at the same time."""
        cluster, pod = self.pod()
        cluster.event(self.container(pod, "app"), "Pulling")
        cluster.wait(1)
        cluster.event(self.container(pod, "side"), "Pulled")
        cluster.wait(1)
        cluster.event(self.container(pod, "app"), "Pulled")
        self.finish(cluster, pod)
        assert self.took(cluster, "Pod.Pulling") == 2

    def test_the_end_may_be_seen_before_the_beginning(self):
        """Event recorders do not keep order."""
        cluster, pod = self.pod()
        cluster.event(self.container(pod, "app"), "Pulled", at=2)
        cluster.event(self.container(pod, "app"), "Pulling")
        cluster.wait(2)
        self.finish(cluster, pod)
        assert self.took(cluster, "Pod.Pulling") == 2

    def test_a_pull_that_never_ends_lasts_as_long_as_the_startup(self):
        """That is where the time went."""
        cluster, pod = self.pod()
        cluster.event(self.container(pod, "app"), "Pulling")
        cluster.wait(500)
        cluster.delete(pod)
        cluster.gone(pod)
        cluster.wait(60)
        assert self.took(cluster, "Pod.Pulling") == 500


class TestBounds:
    """Nothing grows without end, and what has to go is told, not lost."""

    def test_too_many_open_stories_close_the_oldest(self):
        """As capped: nobody knows how it would have ended."""
        cluster = Cluster(max_open_stories=3)
        for number in range(5):
            cluster.deployment(f"web-{number}")
            cluster.bookmark()
        assert cluster.linker.stats().open_stories == 3
        outcomes = [(span.attributes["k8s.object.name"], span.attributes["kspanpy.outcome"]) for span in cluster.spans]
        assert outcomes == [("web-0", "capped"), ("web-1", "capped")]

    def test_too_many_closed_lifecycles_let_the_oldest_go(self):
        """A late Event about them will be told elsewhere."""
        cluster = Cluster(max_closed_lifecycles=4)
        for number in range(10):
            pod = cluster.pod(name=f"pod-{number}")
            cluster.ready(pod)
            cluster.wait(20)
        assert cluster.linker.stats().closed_lifecycles <= 4
        assert len(cluster.roots()) == 10

    def test_a_crowd_of_events_without_objects_is_told(self):
        """Those that waited longest first, as well as can be."""
        cluster = Cluster(max_pending=10)
        for number in range(100):
            ghost = ObjectReference(kind="Pod", namespace="shop", name=f"ghost-{number}", uid=f"ghost-{number}")
            cluster.event(ghost, "Started")
            assert cluster.linker.stats().pending_events <= 10
        cluster.wait(60)
        cluster.finish()
        assert sum("k8s.event.uid" in span.attributes for span in cluster.spans) == 100

    def test_a_workload_that_is_changed_without_end_keeps_few_chapters(self):
        """The newest decide."""
        cluster = Cluster(max_chapters=4)
        web = cluster.deployment()
        for number in range(20):
            cluster.wait(20)
            cluster.set_image(web, f"web:{number}")
        cluster.settle(web)
        cluster.wait(60)
        assert [span.attributes["k8s.object.generation"] for span in cluster.roots()] == list(range(1, 22))


def test_times_that_no_clock_shows_do_not_stretch_a_story():
    """A node's clock that is a day off moves its Events, not the story."""
    cluster = Cluster()
    pod = cluster.pod(name="shell")
    cluster.event(pod, "Started", at=86_400)
    cluster.event(pod, "Pulled", at=-86_400)
    cluster.wait(1)
    cluster.ready(pod)
    cluster.wait(60)
    root = cluster.root()
    assert T0 - 3 * SECOND <= root.start_ns < root.end_ns <= T0 + 5 * SECOND
    assert_well_formed(cluster)


def test_the_empty_object_is_an_object():
    """Everything may be missing."""
    cluster = Cluster()
    cluster.see(Thing(Object(api_version="", kind="", namespace="", name="", uid="")))
    cluster.wait(60)
    cluster.finish()
    assert_well_formed(cluster)
