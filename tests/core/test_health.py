"""Has an object become as wished? By its own status."""

from __future__ import annotations

import pytest

from kspanpy.core.model import SECOND, Condition, Container, Object
from kspanpy.core.objects import health
from kspanpy.core.objects.health import Failure
from tests.core.cluster import T0


def thing(kind: str, **fields: object) -> Object:
    """An object of that kind with these fields of spec and status."""
    return Object(api_version="v1", kind=kind, namespace="shop", name="web", uid="u", **fields)


def counted(kind: str, wanted: int = 2, *, seen: int = 2, **counts: object) -> Object:
    """A workload that has all that it wants, except for `counts`."""
    all_there = {"current": wanted, "updated": wanted, "ready": wanted, "available": wanted}
    base = {"generation": 2, "observed_generation": seen, "replicas": wanted, "template": "t"}
    return thing(kind, **(base | all_there | counts))


WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController")


class TestWorkloads:
    """observedGeneration has caught up, and all replicas are updated and ready."""

    @pytest.mark.parametrize("kind", WORKLOADS)
    def test_with_all_replicas_it_is_settled(self, kind):
        """The ordinary end of a rollout."""
        assert health.settled(counted(kind))

    @pytest.mark.parametrize("kind", WORKLOADS)
    def test_with_no_replicas_wanted_and_none_there_too(self, kind):
        """Scaled to zero is a wish like any other."""
        assert health.settled(counted(kind, 0))

    @pytest.mark.parametrize("kind", WORKLOADS)
    def test_before_its_controller_has_seen_the_change_it_is_not(self, kind):
        """All counts are still those of the change before."""
        assert not health.settled(counted(kind, seen=1))

    @pytest.mark.parametrize("kind", WORKLOADS)
    def test_paused_it_is_settled(self, kind):
        """Nothing more is to come until it is resumed."""
        assert health.settled(counted(kind, paused=True, updated=0))

    @pytest.mark.parametrize(
        ("kind", "counts"),
        [
            pytest.param("Deployment", {"updated": 1}, id="one not updated"),
            pytest.param("Deployment", {"available": 1}, id="one not available"),
            pytest.param("Deployment", {"current": 3}, id="an old one still there"),
            pytest.param("StatefulSet", {"updated": 1}, id="stateful, not updated"),
            pytest.param("StatefulSet", {"ready": 1}, id="stateful, not ready"),
            pytest.param("StatefulSet", {"current": 1}, id="stateful, not there"),
            pytest.param("DaemonSet", {"updated": 1}, id="daemon, not updated"),
            pytest.param("DaemonSet", {"available": 1}, id="daemon, not available"),
            pytest.param("ReplicaSet", {"ready": 1}, id="replica set, not ready"),
            pytest.param("ReplicaSet", {"current": 3}, id="replica set, one too many"),
            pytest.param("Deployment", {"replicas": 0}, id="scaled to zero, pods still there"),
        ],
    )
    def test_while_something_is_missing_it_is_not(self, kind, counts):
        """Whatever is missing."""
        assert not health.settled(counted(kind, **counts))

    @pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
    def test_on_delete_not_every_pod_will_be_updated(self, kind):
        """With OnDelete (or a partition), people delete the pods when they like."""
        assert health.settled(counted(kind, on_delete=True, updated=0))

    def test_a_replica_set_has_no_template_to_be_updated_to(self):
        """Its Pods are all of one template."""
        assert health.settled(counted("ReplicaSet", updated=0))

    def test_daemons_may_be_more_than_wanted(self):
        """A node has just gone."""
        assert health.settled(counted("DaemonSet", current=3, updated=3, available=3))


class TestOtherKinds:
    """Each by what its status says."""

    @pytest.mark.parametrize(
        ("obj", "expected"),
        [
            pytest.param(thing("Job"), False, id="job that runs"),
            pytest.param(thing("Job", conditions=(Condition("Complete", "True"),)), True, id="job complete"),
            pytest.param(thing("Job", conditions=(Condition("Failed", "True"),)), True, id="job failed"),
            pytest.param(thing("Job", conditions=(Condition("Complete", "False"),)), False, id="job not complete"),
            pytest.param(thing("Job", conditions=(Condition("FailureTarget", "True"),)), False, id="job about to fail"),
            pytest.param(thing("Job", paused=True), False, id="job suspended: it still has to run"),
            pytest.param(thing("Pod", phase="Pending"), False, id="pod pending"),
            pytest.param(thing("Pod", phase="Running"), False, id="pod running, not ready"),
            pytest.param(thing("Pod", conditions=(Condition("Ready", "True"),)), True, id="pod ready"),
            pytest.param(thing("Pod", phase="Succeeded"), True, id="pod succeeded"),
            pytest.param(thing("Pod", phase="Failed"), True, id="pod failed: nothing more is to come"),
            pytest.param(thing("Node", conditions=(Condition("Ready", "True"),)), True, id="node ready"),
            pytest.param(thing("Node", conditions=(Condition("Ready", "Unknown"),)), False, id="node lost"),
            pytest.param(thing("Node"), False, id="node without conditions"),
            pytest.param(
                thing("Node", conditions=(Condition("Ready", "True"), Condition("DiskPressure", "True"))),
                False,
                id="node under pressure",
            ),
            pytest.param(thing("PersistentVolumeClaim", phase="Pending"), False, id="claim pending"),
            pytest.param(thing("PersistentVolumeClaim", phase="Bound"), True, id="claim bound"),
            pytest.param(thing("PersistentVolumeClaim", phase="Lost"), False, id="claim lost"),
            pytest.param(thing("Widget", phase="Pending"), True, id="a kind that is not known is never in the way"),
        ],
    )
    def test_settled(self, obj, expected):
        """Nothing more is to come of its last change."""
        assert health.settled(obj) is expected

    def test_whose_health_is_known(self):
        """The others may be ill without anybody knowing."""
        assert health.known("Deployment")
        assert not health.known("CronJob")
        assert not health.known("Widget")


class TestFailure:
    """What the object's own conditions say went wrong."""

    @pytest.mark.parametrize(
        ("obj", "expected"),
        [
            pytest.param(
                thing(
                    "Deployment",
                    conditions=(Condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out"),),
                ),
                Failure("ProgressDeadlineExceeded", "timed out"),
                id="deadline",
            ),
            pytest.param(
                thing("Deployment", conditions=(Condition("Progressing", "False", "SomethingElse"),)),
                None,
                id="not progressing for another reason",
            ),
            pytest.param(
                thing("Deployment", conditions=(Condition("Available", "False", "MinimumReplicasUnavailable"),)),
                None,
                id="not available: it may still start",
            ),
            pytest.param(
                thing("ReplicaSet", conditions=(Condition("ReplicaFailure", "True", "FailedCreate", "quota"),)),
                Failure("FailedCreate", "quota"),
                id="replica failure",
            ),
            pytest.param(
                thing("Job", conditions=(Condition("Failed", "True", "BackoffLimitExceeded", "too often"),)),
                Failure("BackoffLimitExceeded", "too often"),
                id="job",
            ),
            pytest.param(
                thing("Job", conditions=(Condition("Failed", "True"),)), Failure("Failed", ""), id="no reason given"
            ),
            pytest.param(
                thing("Node", conditions=(Condition("Ready", "Unknown", "NodeStatusUnknown", "silent"),)),
                Failure("NodeStatusUnknown", "silent"),
                id="node",
            ),
            pytest.param(
                thing("Pod", phase="Failed", containers=(Container("app", "terminated", "OOMKilled", exit_code=137),)),
                Failure("OOMKilled", "container app exited with 137"),
                id="pod: its container's reason",
            ),
            pytest.param(
                thing(
                    "Pod",
                    phase="Failed",
                    containers=(
                        Container("ok", "terminated", "Completed", exit_code=0),
                        Container("app", "terminated", exit_code=2),
                    ),
                ),
                Failure("Error", "container app exited with 2"),
                id="pod: the container that failed",
            ),
            pytest.param(thing("Pod", phase="Failed"), Failure("PodFailed", ""), id="pod without containers"),
            pytest.param(
                thing("Pod", phase="Running", containers=(Container("app", "terminated", exit_code=1),)),
                None,
                id="a container that will be restarted",
            ),
            pytest.param(
                thing("Widget", conditions=(Condition("Failed", "True"),)), None, id="a kind that is not known"
            ),
        ],
    )
    def test_reason_and_message(self, obj, expected):
        """The reason is low-cardinality, the message for people."""
        assert health.failure(obj) == expected


class TestSince:
    """When the object says that it became as wished."""

    def test_the_newest_of_its_conditions_tells(self):
        """LastUpdateTime where there is one, else lastTransitionTime; other conditions say nothing."""
        obj = thing(
            "Deployment",
            conditions=(
                Condition("Available", "True", changed_ns=T0, updated_ns=T0 + 5 * SECOND),
                Condition("Progressing", "True", changed_ns=T0 + 2 * SECOND),
                Condition("Other", "True", changed_ns=T0 + 99 * SECOND),
            ),
        )
        assert health.settled_since(obj) == T0 + 5 * SECOND

    def test_without_conditions_nothing_tells(self):
        """A ReplicaSet has none."""
        assert health.settled_since(thing("ReplicaSet")) is None
