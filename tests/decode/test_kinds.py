"""What is read of each kind."""

import json

import pytest

from kspanpy.core.model import Container, Event, Object, ObjectReference
from kspanpy.decode import object_from

TEMPLATE = {
    "metadata": {
        "labels": {"app": "web"},
        "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"},
    },
    "spec": {"containers": [{"name": "app", "image": "web:1"}], "initContainers": [{"name": "init", "image": "sh:2"}]},
}
SECOND = 1_000_000_000
AT = 1795416370 * SECOND
TEXT = "2026-11-23T06:46:10Z"


def decode(kind, version="apps/v1", *, metadata=None, **parts):
    """The object as the decoder sees it."""
    body = {"kind": kind, "apiVersion": version, "metadata": {"name": "x", "uid": "u"} | (metadata or {}), **parts}
    thing = object_from(json.dumps(body).encode())
    assert isinstance(thing, Object), thing
    return thing


def test_metadata_of_every_kind():
    """Identity, versions, times, owners and managers are read, whatever the kind."""
    thing = decode(
        "Widget",
        "example.com/v1",
        metadata={
            "namespace": "shop",
            "resourceVersion": "41",
            "generation": 3,
            "creationTimestamp": TEXT,
            "deletionTimestamp": TEXT,
            "deletionGracePeriodSeconds": 30,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Owner", "name": "o", "uid": "ou", "controller": True}],
            "managedFields": [
                {"manager": "kubectl-set", "operation": "Update", "time": TEXT, "fieldsV1": {"f:spec": {"f:x": {}}}},
                {"manager": "kcm", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
            ],
        },
        spec={"replicas": 7, "template": TEMPLATE},
    )
    assert (thing.kind, thing.api_version, thing.namespace, thing.name, thing.uid) == (
        "Widget",
        "example.com/v1",
        "shop",
        "x",
        "u",
    )
    assert (thing.resource_version, thing.generation, thing.created_ns, thing.deletion_ns, thing.grace_s) == (
        41,
        3,
        AT,
        AT,
        30,
    )
    assert [(o.kind, o.name, o.uid, o.controller) for o in thing.owners] == [("Owner", "o", "ou", True)]
    assert [(m.manager, m.subresource, m.time_ns, m.touches_spec) for m in thing.managers] == [
        ("kubectl-set", "", AT, True),
        ("kcm", "status", None, False),
    ]
    assert thing.replicas is None
    assert thing.template == ""


def test_only_known_labels_and_annotations_are_kept():
    """Configuration in annotations (last-applied-configuration holds whole manifests) is forgotten at once."""
    thing = decode(
        "Deployment",
        metadata={
            "labels": {"app": "web", "helm.sh/chart": "web-1.0", "pod-template-hash": "abc", "team": None},
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": '{"password":"hunter2"}',
                "deployment.kubernetes.io/revision": "4",
                "kubernetes.io/change-cause": "set\nimage",
            },
        },
    )
    assert dict(thing.labels) == {"helm.sh/chart": "web-1.0", "pod-template-hash": "abc"}
    assert dict(thing.annotations) == {
        "deployment.kubernetes.io/revision": "4",
        "kubernetes.io/change-cause": "set image",
    }
    assert "hunter2" not in repr(thing)


def test_a_deployment():
    """Wished and actual state, the template, and the conditions."""
    thing = decode(
        "Deployment",
        spec={"replicas": 4, "paused": True, "template": TEMPLATE},
        status={
            "observedGeneration": 2,
            "replicas": 5,
            "updatedReplicas": 3,
            "readyReplicas": 2,
            "availableReplicas": 1,
            "conditions": [
                {
                    "type": "Progressing",
                    "status": "False",
                    "reason": "ProgressDeadlineExceeded",
                    "message": "m" * 2000,
                    "lastTransitionTime": TEXT,
                    "lastUpdateTime": TEXT,
                }
            ],
        },
    )
    assert (thing.replicas, thing.paused, thing.observed_generation) == (4, True, 2)
    assert (thing.current, thing.updated, thing.ready, thing.available) == (5, 3, 2, 1)
    assert thing.images == (("app", "web:1"), ("init", "sh:2"))
    assert thing.restarted_at == "2026-01-01T00:00:00Z"
    condition = thing.condition("Progressing")
    assert condition is not None
    assert (condition.reason, condition.changed_ns, condition.updated_ns) == ("ProgressDeadlineExceeded", AT, AT)
    assert len(condition.message) == 512


def test_the_template_digest_follows_content_and_not_layout():
    """The order of keys and a null creationTimestamp do not change it; an annotation does."""
    turned = {key: TEMPLATE[key] for key in reversed(TEMPLATE)}
    old = TEMPLATE | {"metadata": {"creationTimestamp": None} | TEMPLATE["metadata"]}
    other = TEMPLATE | {"metadata": TEMPLATE["metadata"] | {"annotations": {"x": "y"}}}
    digests = [decode("Deployment", spec={"template": each}).template for each in (TEMPLATE, turned, old, other)]
    assert len(digests[0]) == 16
    assert digests[0] == digests[1] == digests[2] != digests[3]


def test_a_replica_set():
    """Its updated pods are the fully labelled ones."""
    thing = decode(
        "ReplicaSet", spec={"replicas": 2, "template": TEMPLATE}, status={"fullyLabeledReplicas": 2, "replicas": 2}
    )
    assert (thing.replicas, thing.updated, thing.current) == (2, 2, 2)


def test_a_daemon_set():
    """Its numbers have names of their own, and the wish stands in the status."""
    status = {
        "desiredNumberScheduled": 5,
        "currentNumberScheduled": 4,
        "updatedNumberScheduled": 3,
        "numberReady": 2,
        "numberAvailable": 1,
    }
    thing = decode("DaemonSet", status=status)
    assert (thing.replicas, thing.current, thing.updated, thing.ready, thing.available) == (5, 4, 3, 2, 1)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (None, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, True),
        ({"type": "OnDelete"}, True),
    ],
)
def test_a_stateful_set_says_if_not_every_pod_will_be_updated(strategy, expected):
    """OnDelete and partitions."""
    assert decode("StatefulSet", spec={"updateStrategy": strategy}).on_delete is expected


def test_a_job_and_a_cron_job():
    """Completions are wished, suspended is paused."""
    job = decode("Job", "batch/v1", spec={"completions": 3, "suspend": True}, status={"active": 2, "ready": 1})
    assert (job.replicas, job.paused, job.current, job.ready) == (3, True, 2, 1)
    assert decode("CronJob", "batch/v1", spec={"suspend": True}).paused


def test_a_pod():
    """Phase, place, containers with why they ended, and the claims it mounts."""
    thing = decode(
        "Pod",
        "v1",
        spec={
            "nodeName": "node-1",
            "restartPolicy": "Always",
            "containers": [{"name": "app", "image": "web:1"}],
            "volumes": [
                {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "scratch", "ephemeral": {}},
                {"name": "c", "configMap": {"name": "c"}},
            ],
        },
        status={
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [
                {
                    "name": "app",
                    "restartCount": 2,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
                },
                {"name": "side", "restartCount": 0, "state": {"running": {"startedAt": TEXT}}},
            ],
            "initContainerStatuses": [
                {
                    "name": "init",
                    "state": {
                        "terminated": {"reason": "Completed", "exitCode": 0, "startedAt": TEXT, "finishedAt": TEXT}
                    },
                }
            ],
        },
    )
    assert (thing.phase, thing.node_name, thing.restart_policy, thing.claims) == (
        "Running",
        "node-1",
        "Always",
        ("data", "x-scratch"),
    )
    assert thing.containers == (
        Container(name="app", state="waiting", reason="CrashLoopBackOff", restarts=2, last_reason="Error"),
        Container(name="side", state="running", started_ns=AT),
        Container(name="init", state="terminated", reason="Completed", started_ns=AT, finished_ns=AT, exit_code=0),
    )


def test_a_node_a_claim_and_an_autoscaler():
    """The boot, the volume, the target."""
    node = decode(
        "Node", "v1", status={"nodeInfo": {"bootID": "b"}, "conditions": [{"type": "Ready", "status": "True"}]}
    )
    assert node.boot_id == "b"
    assert node.condition("Ready") is not None
    claim = decode("PersistentVolumeClaim", "v1", spec={"volumeName": "pv"}, status={"phase": "Bound"})
    assert (claim.phase, claim.volume_name) == ("Bound", "pv")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = decode("HorizontalPodAutoscaler", "autoscaling/v2", spec={"scaleTargetRef": target})
    assert scaler.target == ObjectReference(kind="Deployment", name="web", api_version="apps/v1")


def test_a_kind_of_another_group_keeps_its_metadata_only():
    """A custom Deployment means something else by its fields."""
    assert decode("Deployment", "example.com/v1", spec={"replicas": 3}).replicas is None
    assert decode("Event", "argoproj.io/v1alpha1").kind == "Event"


def test_an_event_of_the_core_group():
    """All times and counts as they are written; `core.timing` chooses."""
    body = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {
            "name": "web.1",
            "namespace": "shop",
            "uid": "eu",
            "resourceVersion": "9",
            "creationTimestamp": TEXT,
        },
        "involvedObject": {"kind": "Pod", "name": "web", "uid": "pu", "fieldPath": "spec.containers{app}"},
        "related": {"kind": "Node", "name": "n"},
        "reason": "BackOff",
        "message": "Back-off",
        "type": "Warning",
        "action": "a",
        "source": {"component": "kubelet", "host": "node-1"},
        "firstTimestamp": TEXT,
        "lastTimestamp": TEXT,
        "count": 3,
        "eventTime": TEXT,
        "series": {"count": 4, "lastObservedTime": TEXT},
        "reportingComponent": "",
        "reportingInstance": "node-1",
    }
    event = object_from(json.dumps(body).encode())
    assert isinstance(event, Event)
    assert event.involved.field_path == "spec.containers{app}"
    assert event.related == ObjectReference(kind="Node", name="n")
    assert (event.component, event.host, event.instance) == ("kubelet", "node-1", "node-1")
    assert (event.count, event.series_count, event.resource_version) == (3, 4, 9)
    assert {event.first_ns, event.last_ns, event.event_time_ns, event.series_last_ns, event.created_ns} == {AT}


def test_an_event_of_the_events_group_has_other_names_for_the_same():
    """events.k8s.io/v1 is understood too."""
    body = {
        "kind": "Event",
        "apiVersion": "events.k8s.io/v1",
        "metadata": {"name": "web.1", "uid": "eu"},
        "regarding": {"kind": "Pod", "name": "web"},
        "note": "assigned",
        "reportingController": "default-scheduler",
        "deprecatedCount": 2,
        "deprecatedFirstTimestamp": TEXT,
        "deprecatedSource": {"host": "h"},
    }
    event = object_from(json.dumps(body).encode())
    assert isinstance(event, Event)
    assert (event.involved.name, event.message, event.component, event.count, event.first_ns, event.host) == (
        "web",
        "assigned",
        "default-scheduler",
        2,
        AT,
        "h",
    )
