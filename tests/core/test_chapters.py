"""Which chapter, which phase: decided from records alone."""

from __future__ import annotations

import msgspec
import pytest

from kspanpy.core.changes.change import Change
from kspanpy.core.model import SECOND, Event, Object, ObjectReference, OwnerReference
from kspanpy.core.objects.catalog import Catalog, Record
from kspanpy.core.rules.table import RuleTable
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.stories import chapters, phases
from kspanpy.core.stories.shape import Chapter
from kspanpy.core.timing import Occurrence
from tests.core.cluster import T0

RULES = RuleTable()
SETTLE_NS = 10 * SECOND


class History:
    """A Deployment, its ReplicaSet and Pods, with chapters at given seconds and resourceVersions."""

    def __init__(self) -> None:
        self.catalog = Catalog(LinkerSettings())
        self.catalog.synced |= {"Deployment", "ReplicaSet", "Pod"}
        self.web = self.add("Deployment", "web")
        self.rs = self.add("ReplicaSet", "rs", owner=self.web)

    def add(self, kind: str, name: str, *, owner: Record | None = None, at_s: float = 0, rv: int | None = 10) -> Record:
        """An object, born then."""
        owners = () if owner is None else (OwnerReference("v1", owner.kind, owner.uid, owner.uid, controller=True),)
        at_ns = T0 + int(at_s * SECOND)
        obj = Object(
            api_version="v1", kind=kind, namespace="shop", name=name, uid=name, generation=1,
            resource_version=rv, created_ns=at_ns // SECOND * SECOND, owners=owners,
        )  # fmt: skip
        return self.catalog.add(obj, at_ns)

    def pod(self, name: str = "pod", *, at_s: float, rv: int | None = None) -> Record:
        """A Pod, born then."""
        return self.add("Pod", name, owner=self.rs, at_s=at_s, rv=rv)

    def change(
        self, record: Record, at_s: float, *, rv: int | None = None, phase: str = "rollout", ends_s: float | None = None
    ) -> Chapter:
        """A chapter of that object."""
        at_ns = T0 + int(at_s * SECOND)
        record.object = msgspec.structs.replace(record.object, generation=record.object.generation + 1)
        chapter = Chapter(record, phase=phase, change=Change(phase, "", "", at_ns), rv=rv, at_ns=at_ns)
        chapter.settled_ns = chapter.ends_ns = None if ends_s is None else T0 + int(ends_s * SECOND)
        record.chapters.append(chapter)
        return chapter

    def chain(self, record: Record) -> list[Record]:
        """From it to its root."""
        return self.catalog.chain(record)[0]

    def deciders(self, record: Record) -> list[Record]:
        """Those whose changes decide."""
        return chapters.deciders(self.chain(record))


def at(seconds: float, *, slack_s: float = 0, n: int = 1) -> Occurrence:
    """An occurrence then."""
    return Occurrence(n, T0 + int(seconds * SECOND), int(slack_s * SECOND))


def event(*, rv: int | None = None, held: int | None = None, message: str = "", reason: str = "X") -> Event:
    """An Event with this resourceVersion, about an object at that one."""
    reference = ObjectReference(resource_version=held)
    return Event(
        uid="e", name="e", namespace="shop", involved=reference, reason=reason, message=message, resource_version=rv
    )


class TestDeciders:
    """The objects whose changes open chapters."""

    def test_a_replica_set_changes_because_its_deployment_does(self):
        """So it decides nothing."""
        history = History()
        assert history.deciders(history.pod(at_s=1)) == [history.web]

    def test_without_an_owner_it_decides_itself(self):
        """A bare ReplicaSet is a workload like others; so is a bare Pod."""
        history = History()
        bare = history.add("ReplicaSet", "bare")
        pod = history.add("Pod", "alone")
        assert history.deciders(bare) == [bare]
        assert history.deciders(pod) == [pod]

    def test_every_level_that_changes_decides(self):
        """A custom resource that owns a Deployment, and the Deployment."""
        history = History()
        shop = history.add("Shop", "shop")
        web = history.add("Deployment", "owned", owner=shop)
        assert history.deciders(web) == [web, shop]


class TestBirth:
    """A Pod's startup belongs to the chapter in which it was created."""

    @pytest.mark.parametrize(
        ("rv", "expected"),
        [
            pytest.param(15, 0, id="stored before the second change"),
            pytest.param(25, 1, id="stored after it"),
        ],
    )
    def test_store_order_decides_whatever_the_clock_says(self, rv, expected):
        """Before or after generation 2 was written has an exact answer."""
        history = History()
        made = [history.change(history.web, 0, rv=10), history.change(history.web, 50, rv=20)]
        pod = history.pod(at_s=70 if expected == 0 else 30, rv=rv)
        assert chapters.of_birth(history.deciders(pod), pod) is made[expected]

    @pytest.mark.parametrize(("at_s", "expected"), [(30, 0), (70, 1)])
    def test_without_it_time_does(self, at_s, expected):
        """The chapters were there before anybody looked."""
        history = History()
        made = [history.change(history.web, 0), history.change(history.web, 50)]
        pod = history.pod(at_s=at_s, rv=99)
        assert chapters.of_birth(history.deciders(pod), pod) is made[expected]

    def test_after_the_end_of_a_chapter_no_change_made_it(self):
        """A Pod that replaces a lost one: an episode."""
        history = History()
        history.change(history.web, 0, rv=10, ends_s=40)
        pod = history.pod(at_s=60, rv=30)
        assert chapters.of_birth(history.deciders(pod), pod) is None

    def test_a_change_inside_another_is_that_one(self):
        """The consequence stays in the story of its cause."""
        history = History()
        shop = history.add("Shop", "corner")
        web = history.add("Deployment", "owned", owner=shop)
        rs = history.add("ReplicaSet", "owned-1", owner=web)
        above = history.change(shop, 0, rv=10)
        history.change(web, 1, rv=11).inside = above
        pod = history.add("Pod", "p", owner=rs, at_s=2, rv=12)
        assert chapters.of_birth(history.deciders(pod), pod) is above


class TestDeath:
    """A Pod's termination belongs to the chapter in which its deletion began."""

    def test_where_its_deletion_began_not_where_it_was_born(self):
        """A rolling update replaces Pods of the change before."""
        history = History()
        history.change(history.web, 0, rv=10)
        second = history.change(history.web, 50, rv=20)
        pod = history.pod(at_s=1, rv=11)
        pod.die(T0 + 55 * SECOND, 25, T0 + 55 * SECOND)
        assert chapters.of_death(history.deciders(pod), history.chain(pod), pod) is second

    def test_a_pod_that_dies_while_nothing_is_going_on_belongs_to_no_change(self):
        """Somebody deleted it."""
        history = History()
        history.change(history.web, 0, rv=10, ends_s=40)
        pod = history.pod(at_s=1, rv=11)
        pod.die(T0 + 100 * SECOND, 25, T0 + 100 * SECOND)
        assert chapters.of_death(history.deciders(pod), history.chain(pod), pod) is None

    @pytest.mark.parametrize(("later_s", "found"), [(5, True), (60, False)])
    def test_a_pod_that_dies_just_before_its_owner_died_with_it(self, later_s, found):
        """A namespace's deletion kills Pods before their owners."""
        history = History()
        history.change(history.web, 0, rv=10, ends_s=40)
        pod = history.pod(at_s=1, rv=11)
        pod.die(T0 + 100 * SECOND, 25, T0 + 100 * SECOND)
        end = history.change(history.web, 100 + later_s, rv=30, phase="deletion")
        assert (chapters.of_death(history.deciders(pod), history.chain(pod), pod) is end) is found


class TestMoment:
    """What neither a birth nor a death dates."""

    @pytest.mark.parametrize(
        ("written", "occ", "expected"),
        [
            pytest.param(event(), at(30), 0, id="by its time"),
            pytest.param(event(), at(60), 1, id="by its time, later"),
            pytest.param(event(), at(49.9), 1, id="clocks differ by a little"),
            pytest.param(event(), at(49.3, slack_s=1), 1, id="a truncated second may be later"),
            pytest.param(event(held=25), at(49), 1, id="its emitter had seen the second change"),
            pytest.param(event(held=15), at(60), 1, id="a version before it proves nothing"),
            pytest.param(event(rv=15), at(49.9), 0, id="it had been written before the second change"),
            pytest.param(event(rv=25), at(49.9), 1, id="it was written after it"),
            pytest.param(
                event(held=25), at(30, n=2), 1, id="a repetition came after the version that the first step held"
            ),
        ],
    )
    def test_version_order_and_time(self, written, occ, expected):
        """Changes at 0 s (version 10) and 50 s (version 20)."""
        history = History()
        made = [history.change(history.web, 0, rv=10), history.change(history.web, 50, rv=20)]
        assert chapters.at_moment([history.web], written, occ) is made[expected]

    def test_what_happens_after_a_chapter_has_ended_is_an_episode(self):
        """By the instant of its end."""
        history = History()
        chapter = history.change(history.web, 0, ends_s=40)
        found = [chapters.at_moment([history.web], event(), at(seconds)) for seconds in (40, 41)]
        assert found == [chapter, None]


class TestPodPhase:
    """startup, run, termination, incident."""

    @pytest.mark.parametrize(
        ("occ", "phase"),
        [
            pytest.param(at(5), "startup", id="before it was ready"),
            pytest.param(at(10.9), "startup", id="a step that was under way"),
            pytest.param(at(15), "startup", id="within the settle window"),
            pytest.param(at(60), "incident", id="long after"),
        ],
    )
    def test_by_when_it_became_ready(self, occ, phase):
        """At 10 s."""
        history = History()
        history.change(history.web, 0, rv=10)
        pod = history.pod(at_s=1, rv=11)
        pod.ready_ns = T0 + 10 * SECOND
        found = phases.pod_phase(history.chain(pod), occ, RULES.find("Pod", "X", ""), settle_ns=SETTLE_NS)
        assert found == phase

    def test_a_crash_after_the_next_change_is_none_of_its_startup(self):
        """Even within the settle window."""
        history = History()
        history.change(history.web, 0, rv=10)
        pod = history.pod(at_s=1, rv=11)
        pod.ready_ns = T0 + 10 * SECOND
        history.change(history.web, 14, rv=20)
        rule = RULES.find("Pod", "BackOff", "")
        assert phases.pod_phase(history.chain(pod), at(15), rule, settle_ns=SETTLE_NS) == "incident"

    def test_what_never_became_ready_is_starting(self):
        """For an hour if need be."""
        history = History()
        pod = history.pod(at_s=1)
        rule = RULES.find("Pod", "BackOff", "")
        assert phases.pod_phase(history.chain(pod), at(3000), rule, settle_ns=SETTLE_NS) == "startup"

    @pytest.mark.parametrize(
        ("occ", "phase"),
        [pytest.param(at(29.9), "termination", id="clocks differ"), pytest.param(at(20), "startup", id="before")],
    )
    def test_from_its_deletion_on_it_terminates(self, occ, phase):
        """Whatever happens to it then. Its deletion began at 30 s."""
        history = History()
        pod = history.pod(at_s=1)
        pod.die(T0 + 30 * SECOND, 20, T0 + 30 * SECOND)
        rule = RULES.find("Pod", "X", "")
        assert phases.pod_phase(history.chain(pod), occ, rule, settle_ns=SETTLE_NS) == phase

    def test_a_rule_may_know_better_than_the_clock(self):
        """Killing is a termination before anybody has seen the deletion."""
        history = History()
        rule = RULES.find("Pod", "Killing", "Stopping container app")
        found = phases.pod_phase(history.chain(history.pod(at_s=1)), at(5), rule, settle_ns=SETTLE_NS)
        assert found == "termination"

    def test_a_pod_of_a_job_runs(self):
        """From its creation to its end, also before it is ready."""
        history = History()
        job = history.add("Job", "job")
        pod = history.add("Pod", "p", owner=job, at_s=1)
        rule = RULES.find("Pod", "Pulling", "")
        assert phases.pod_phase(history.chain(pod), at(5), rule, settle_ns=SETTLE_NS) == "run"


class TestBefallen:
    """Which of the objects of one name an Event says was created or deleted."""

    def test_the_only_one_of_that_name(self):
        """Events of controllers come 15 s late."""
        history = History()
        pod = history.pod(at_s=1)
        assert phases.befallen([pod], at(16), fate="born") is pod

    @pytest.mark.parametrize(("at_s", "expected"), [(1, 0), (50.5, 1), (80, None)])
    def test_of_several_the_one_that_was_born_then(self, at_s, expected):
        """A StatefulSet's Pods keep their names; what fits none is none."""
        history = History()
        pods = [history.pod("one", at_s=1), history.pod("two", at_s=50)]
        found = phases.befallen(pods, at(at_s, slack_s=1), fate="born")
        assert found is (None if expected is None else pods[expected])

    def test_what_is_alive_was_not_deleted(self):
        """Its deletion may not have been seen yet."""
        history = History()
        assert phases.befallen([history.pod(at_s=1)], at(5), fate="died") is None

    def test_a_repetition_must_fit_in_time_even_if_alone(self):
        """Its name is of the newest step, its Event of the first."""
        history = History()
        assert phases.befallen([history.pod(at_s=1)], at(500, n=2), fate="born") is None
