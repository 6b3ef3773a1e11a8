"""Why it took so long, what went wrong first: on the roots of stories."""

from __future__ import annotations

import msgspec
import pytest

from kspanpy.core.model import SECOND, Container
from kspanpy.core.rules.problems import Problem
from kspanpy.core.verdicts import phrases, stages
from tests.core.cluster import Cluster, Thing, whole


def step(cluster: Cluster, pod: Thing, reason: str, message: str = "", *, warning: bool = False) -> None:
    """A kubelet's Event about the container."""
    inside = msgspec.structs.replace(pod.reference, field_path="spec.containers{app}")
    cluster.event(inside, reason, message or reason, warning=warning)


def start(cluster: Cluster, pod: Thing, seconds: tuple[float, float, float, float, float]) -> None:
    """A Pod starts, each stage taking so long: scheduling, preparation, pull, start, readiness."""
    scheduling, preparation, pull, begin, readiness = seconds
    cluster.wait(scheduling)
    cluster.event(pod, "Scheduled", "Successfully assigned shop/x to node-1", component="default-scheduler")
    cluster.wait(preparation)
    step(cluster, pod, "Pulling", 'Pulling image "web:1"')
    cluster.wait(pull)
    step(cluster, pod, "Pulled", 'Successfully pulled image "web:1"')
    cluster.wait(begin)
    step(cluster, pod, "Started", "Container started")
    cluster.wait(readiness)
    cluster.ready(pod)


def rollout(cluster: Cluster, *pods: tuple[float, float, float, float, float]) -> Thing:
    """A Deployment whose Pods start one after the other."""
    web = cluster.deployment(replicas=len(pods))
    rs = cluster.replicaset(web, replicas=len(pods))
    for seconds in pods:
        start(cluster, cluster.pod(rs, images=(("app", "web:1"),)), seconds)
    cluster.settle(rs)
    cluster.settle(web)
    return web


def shares(cluster: Cluster) -> dict[str, float]:
    """The critical path of the only story."""
    prefix = "kspanpy.critical_path."
    found = cluster.root().attributes
    return {
        key.removeprefix(prefix): value
        for key, value in found.items()
        if key.startswith(prefix) and isinstance(value, float)
    }


class TestTime:
    """Where the time of a story went."""

    @pytest.mark.parametrize(
        ("seconds", "stage", "sentence"),
        [
            ((8, 0.5, 0.5, 0.5, 0.5), "scheduling", "80 % waiting for a node for web-1-3"),
            ((1, 8, 0.25, 0.25, 0.5), "preparation", "80 % preparing volumes and sandbox of web-1-3"),
            ((1, 0.25, 8, 0.25, 0.5), "image_pull", "80 % pulling web:1 for web-1-3"),
            ((1, 0.25, 0.25, 8, 0.5), "container_start", "80 % starting the containers of web-1-3"),
            ((1, 0.25, 0.25, 0.5, 8), "readiness", "80 % waiting for readiness of web-1-3"),
        ],
    )
    def test_the_longest_stage_is_named_with_its_pod(self, seconds, stage, sentence):
        """Each stage lies between two steps that Events date."""
        cluster = Cluster()
        rollout(cluster, seconds)
        cluster.wait(60)
        assert cluster.root().attributes["kspanpy.verdict"] == sentence
        assert max(shares(cluster), key=lambda key: shares(cluster)[key]) == stage
        assert cluster.root().attributes["kspanpy.critical_path.pod"] == "web-1-3"
        assert cluster.root().attributes["kspanpy.critical_path.node"] == "node-1"
        assert cluster.root().attributes["kspanpy.critical_path.image"] == "web:1"

    def test_shares_are_of_the_whole_story(self):
        """Together they are all of it."""
        cluster = Cluster()
        rollout(cluster, (1, 1, 1, 1, 1), (1, 2, 3, 4, 5))
        cluster.wait(60)
        assert sum(shares(cluster).values()) == pytest.approx(1, abs=0.001)

    def test_pods_one_after_the_other_are_all_on_the_path(self):
        """A rolling update waits for each of them; the slowest one is named."""
        cluster = Cluster()
        rollout(cluster, (0, 0, 1, 0, 1), (0, 0, 1, 0, 7), (0, 0, 1, 0, 1))
        cluster.wait(60)
        assert shares(cluster)["image_pull"] == pytest.approx(3 / 12, abs=0.02)
        assert shares(cluster)["readiness"] == pytest.approx(9 / 12, abs=0.02)
        slowest = cluster.root().attributes["kspanpy.critical_path.pod"]
        assert cluster.root().attributes["kspanpy.verdict"] == f"75 % waiting for readiness of {slowest}"

    def test_of_pods_side_by_side_the_last_one_counts(self):
        """What was ready long before was not waited for."""
        cluster = Cluster()
        web = cluster.deployment(replicas=2)
        rs = cluster.replicaset(web, replicas=2)
        quick, slow = cluster.pod(rs), cluster.pod(rs)
        cluster.wait(1)
        cluster.ready(quick)
        start(cluster, slow, (1, 1, 1, 1, 6))
        cluster.settle(rs)
        cluster.settle(web)
        cluster.wait(60)
        assert cluster.root().attributes["kspanpy.critical_path.pod"] == slow.name

    def test_steps_that_no_event_told_of_cost_nothing(self):
        """Recorders drop Events: the stage before takes the time."""
        cluster = Cluster()
        web = cluster.deployment()
        rs = cluster.replicaset(web)
        pod = cluster.pod(rs)
        cluster.wait(4)
        step(cluster, pod, "Started", "Container started")
        cluster.wait(4)
        cluster.ready(pod)
        cluster.settle(rs)
        cluster.settle(web)
        cluster.wait(60)
        assert set(shares(cluster)) <= {"scheduling", "preparation", "container_start", "readiness", "controllers"}
        assert shares(cluster)["readiness"] == pytest.approx(0.5, abs=0.01)

    def test_where_no_pod_started_there_is_no_path(self):
        """A scale to nothing."""
        cluster = Cluster(synced=False)
        web, rs, (pod,) = cluster.settled_deployment()
        cluster.wait(60)
        cluster.scale(web, 0)
        cluster.delete(pod)
        cluster.gone(pod)
        cluster.settle(rs, replicas=0)
        cluster.settle(web)
        cluster.wait(60)
        assert shares(cluster) == {}
        assert str(cluster.root().attributes["kspanpy.verdict"]).startswith("done in ")


class TestBlame:
    """The first cause of a failure."""

    def stuck(self, cluster: Cluster, *events: tuple[str, str], **state: object) -> str:
        """A rollout whose Pod shows these Warnings, and which is superseded."""
        web = cluster.deployment()
        rs = cluster.replicaset(web)
        pod = cluster.pod(rs, images=(("app", "app:missing"),))
        for reason, message in events:
            cluster.wait(1)
            step(cluster, pod, reason, message, warning=reason not in ("Scheduled", "Started", "Killing"))
        cluster.wait(1)
        cluster.change(pod, **state)
        cluster.set_image(web, "web:2")
        cluster.gone(pod)
        cluster.wait(60)
        return str(cluster.roots()[0].attributes["kspanpy.verdict"])

    def test_an_image_that_does_not_exist(self):
        """The class, the kubelet's word for the state, the image."""
        said = self.stuck(
            Cluster(),
            ("Scheduled", "Successfully assigned shop/x to node-1"),
            ("Failed", 'Failed to pull image "app:missing": not found'),
            ("Failed", "Error: ErrImagePull"),
            ("BackOff", 'Back-off pulling image "app:missing"'),
        )
        assert said == "stuck: image pull fails (ErrImagePull, app:missing)"

    def test_a_kill_for_memory_is_named_before_the_back_off(self):
        """Only the container's state tells of it."""
        cluster = Cluster()
        killed = Container(
            "app", "waiting", "CrashLoopBackOff", last_reason="OOMKilled", last_finished_ns=whole(cluster.now_ns)
        )
        said = self.stuck(
            cluster, ("Started", "Started"), ("BackOff", "Back-off restarting failed container"), containers=(killed,)
        )
        assert "OOMKilled" in said

    def test_what_was_overcome_is_not_the_cause(self):
        """It was scheduled in the end."""
        said = self.stuck(
            Cluster(),
            ("FailedScheduling", "0/3 nodes are available"),
            ("Scheduled", "Successfully assigned shop/x to node-1"),
            ("FailedMount", 'MountVolume.SetUp failed for volume "a": configmap "settings" not found'),
        )
        assert said.startswith("stuck: a volume of ")
        assert "settings" in said

    def test_the_earliest_counts_whatever_arrives_first(self):
        """A controller's Event may come late."""
        cluster = Cluster()
        web = cluster.deployment()
        rs = cluster.replicaset(web)
        pod = cluster.pod(rs)
        cluster.wait(5)
        cluster.warning(pod, "FailedAttachVolume", "AttachVolume.Attach failed for volume")
        cluster.warning(pod, "FailedMount", "MountVolume.SetUp failed for volume", at=-3)
        cluster.set_image(web, "web:2")
        cluster.gone(pod)
        cluster.wait(60)
        assert cluster.roots()[0].attributes["kspanpy.problem"] == "FailedMount"

    def test_a_probe_that_killed_nothing_is_weak(self):
        """It fails while the container starts; what ended the container counts."""
        said = self.stuck(
            Cluster(),
            ("Started", "Started"),
            ("Unhealthy", "Readiness probe failed: connection refused"),
            ("FailedPostStartHook", "exec failed"),
        )
        assert said.startswith("stuck: a lifecycle hook of ")

    def test_what_sums_up_is_asked_last(self):
        """A crash loop is named so only where nothing else was seen."""
        said = self.stuck(Cluster(), ("Started", "Started"), ("BackOff", "Back-off restarting failed container"))
        assert said.endswith("keeps exiting")

    def test_what_healed_is_told_as_healed(self):
        """An incident that is over has a cause too, and no error."""
        cluster = Cluster(synced=False)
        web, _, (pod,) = cluster.settled_deployment()
        cluster.wait(60)
        cluster.change(pod, conditions=(cluster.condition("Ready", good=False),))
        cluster.change(web, ready=0, available=0)
        cluster.warning(pod, "BackOff", "Back-off restarting failed container app in pod x")
        cluster.wait(20)
        cluster.ready(pod)
        cluster.settle(web)
        cluster.wait(60)
        root = cluster.root()
        assert str(root.attributes["kspanpy.verdict"]).startswith("healed after 20 s: a container ")
        assert root.error == ""
        assert "kspanpy.problem" not in root.attributes

    def test_a_rollout_that_went_well_names_what_was_overcome(self):
        """By class."""
        cluster = Cluster()
        web = cluster.deployment()
        rs = cluster.replicaset(web)
        pod = cluster.pod(rs)
        cluster.wait(1)
        cluster.warning(pod, "FailedScheduling", "0/3 nodes are available")
        start(cluster, pod, (5, 0, 0, 0, 1))
        cluster.settle(rs)
        cluster.settle(web)
        cluster.wait(60)
        assert str(cluster.root().attributes["kspanpy.verdict"]).endswith("; on the way: FailedScheduling")


@pytest.mark.parametrize("problem", Problem)
def test_every_class_of_problem_has_a_phrase(problem):
    """And it can be filled in."""
    filled = phrases.PHRASES[problem].format(name="n", container="c", image="i", reason="r", detail="d")
    assert filled
    assert "{" not in filled


@pytest.mark.parametrize("stage", stages.STAGES)
def test_every_stage_has_a_phrase(stage):
    """And it can be filled in."""
    assert phrases.STAGES[stage].format(name="n", image="i")


def test_stages_have_no_gaps():
    """One begins where the other ends, from the creation of the Pod to its readiness."""
    cluster = Cluster()
    rollout(cluster, (1, 2, 3, 4, 5))
    cluster.wait(60)
    startup = cluster.span("Pod startup")
    assert startup.end_ns - startup.start_ns == pytest.approx(15 * SECOND, rel=0.01)
