"""What a change moved: values of images, numbers and schedules, names of everything else."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kspanpy.core.changes import change as changes
from kspanpy.core.changes.revisions import Revisions
from kspanpy.core.linker import Linker
from kspanpy.core.model import Object, OwnerReference, Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import ObjectSeen, SpanEnded
from kspanpy.decode import object_from
from tests.core.cluster import T0, Cluster
from tests.core.versions import WEB, WEB_PARTS, parts

WEB_WITHOUT_PARTS = msgspec.structs.replace(WEB, parts=None)
TWO = {"template": "two"}
APP = "template/containers/app"


def changed(*, of: Object = WEB_WITHOUT_PARTS, moved: dict[str, str | None] | None = None, **fields: object):
    """Phase and summary of the change to a version with these fields; `moved`: parts that differ, None: removed."""
    if moved is not None:
        values = {name: value for name, value in {**WEB_PARTS, **moved}.items() if value is not None}
        of, fields = msgspec.structs.replace(of, parts=parts(WEB_PARTS)), {"parts": parts(values)} | fields
    change = changes.between(of, msgspec.structs.replace(of, generation=2, **fields))
    return change.phase, change.summary


@pytest.mark.parametrize(
    ("fields", "phase", "summary"),
    [
        pytest.param(
            TWO | {"images": (("app", "web:2"), ("log", "log:1"))}, "rollout", "image app: web:1 -> web:2", id="image"
        ),
        pytest.param(
            TWO | {"images": (("app", "web:2"), ("log", "log:2"))},
            "rollout",
            "image app: web:1 -> web:2, image log: log:1 -> log:2",
            id="two images",
        ),
        pytest.param(
            TWO | {"images": (*WEB.images, ("new", "new:1"))},
            "rollout",
            "image new: none -> new:1",
            id="a container more",
        ),
        pytest.param(
            TWO | {"images": (("app", "web:1"),)}, "rollout", "image log: log:1 -> none", id="a container less"
        ),
        pytest.param(TWO | {"restarted_at": "2026"}, "rollout", "rollout restart", id="restart"),
        pytest.param(TWO, "rollout", "pod template", id="something else of the template"),
        pytest.param({"replicas": 4}, "scale", "replicas 2 -> 4", id="scale"),
        pytest.param(
            TWO | {"images": (("app", "web:2"), ("log", "log:1")), "replicas": 3},
            "rollout",
            "image app: web:1 -> web:2, replicas 2 -> 3",
            id="image and scale: a rollout",
        ),
        pytest.param({"paused": True}, "update", "paused", id="paused"),
        pytest.param({"replicas": 3, "paused": True}, "scale", "replicas 2 -> 3, paused", id="scaled and paused"),
        pytest.param({}, "update", "spec", id="nothing that is known"),
    ],
)
def test_what_moved(fields, phase, summary):
    """In words, and which story it makes; here without the parts of the spec."""
    assert changed(**fields) == (phase, summary)


@pytest.mark.parametrize(
    ("moved", "phase", "summary"),
    [
        pytest.param({f"{APP}/env": "B=2"}, "rollout", "env of app", id="variables"),
        pytest.param({f"{APP}/envFrom": "x"}, "rollout", "env of app", id="variables of a Secret"),
        pytest.param({f"{APP}/env": None}, "rollout", "env of app", id="no more variables"),
        pytest.param({f"{APP}/resources": "x"}, "rollout", "resources of app", id="resources"),
        pytest.param({f"{APP}/command": "x", f"{APP}/args": "y"}, "rollout", "command of app", id="command and args"),
        pytest.param(
            {f"{APP}/livenessProbe": "x", f"{APP}/readinessProbe": "x"}, "rollout", "probes of app", id="probes"
        ),
        pytest.param({f"{APP}/lifecycle": "x"}, "rollout", "lifecycle of app", id="any other field of a container"),
        pytest.param({"template/initContainers/log/env": "x"}, "rollout", "env of log", id="an init container"),
        pytest.param({"template/volumes": "x"}, "rollout", "volumes", id="volumes"),
        pytest.param(
            {"template/nodeSelector": "x", "template/tolerations": "y"},
            "rollout",
            "nodeSelector, tolerations",
            id="where",
        ),
        pytest.param({"template/labels": "x"}, "rollout", "labels of the template", id="labels"),
        pytest.param({"template/annotations": "x"}, "rollout", "annotations of the template", id="annotations"),
        pytest.param({"template/containers": "log, app"}, "rollout", "order of the containers", id="order"),
        pytest.param({"strategy": "Recreate"}, "update", "strategy", id="strategy"),
        pytest.param({"minReadySeconds": "5"}, "update", "minReadySeconds", id="any other field of the spec"),
        pytest.param({f"{APP}/env": "x", "strategy": "y"}, "rollout", "env of app, strategy", id="both"),
    ],
)
def test_what_else_moved_is_named(moved, phase, summary):
    """By the names of parts."""
    fields = TWO if any(name.startswith("template/") for name in moved) else {}
    assert changed(moved=moved, **fields) == (phase, summary)


def test_the_parts_of_a_container_that_came_are_not_told_one_by_one():
    """Its image says it."""
    moved = {
        "template/containers": "app, log, new",
        "template/containers/new/env": "x",
        "template/containers/new/image": "y",
    }
    summary = changed(moved=moved, **TWO, images=(*WEB.images, ("new", "new:1")))[1]
    assert summary == "image new: none -> new:1"


def test_a_cron_job():
    """Its schedule by value; what its next Jobs will be made of by name."""
    cron = msgspec.structs.replace(WEB_WITHOUT_PARTS, kind="CronJob", replicas=None, schedule="0 * * * *")
    assert changed(of=cron, schedule="*/5 * * * *") == ("update", "schedule 0 * * * * -> */5 * * * *")
    assert changed(of=cron, paused=True) == ("update", "suspended")
    moved = {"jobTemplate/template/containers/app/env": "x", "jobTemplate/backoffLimit": "1", "suspend": "x"}
    assert changed(of=cron, moved=moved, template="two") == ("update", "env of app, backoffLimit of the job template")


def test_a_custom_resource():
    """The first level of its spec, by name."""
    old = Object("example.com/v1", "Shop", "shop", "web", "u", generation=1, parts=parts({"size": "1", "owner": "a"}))
    new = msgspec.structs.replace(old, generation=2, parts=parts({"size": "2", "owner": "b"}))
    assert changes.between(old, new).summary == "size, owner"
    scaled = msgspec.structs.replace(old, parts=parts({"size": "1", "owner": "a", "replicas": "3"}))
    assert (changes.between(old, scaled).phase, changes.between(old, scaled).summary) == ("scale", "replicas")


def test_resumed():
    """The other way round."""
    before = msgspec.structs.replace(WEB, paused=True)
    assert changes.between(before, WEB).summary == "resumed"


def test_an_older_restart_is_not_told_again():
    """The annotation stays on the object."""
    before = msgspec.structs.replace(WEB_WITHOUT_PARTS, restarted_at="2026")
    assert changed(of=before, **TWO) == ("rollout", "pod template")


def test_a_daemon_set_has_nobody_who_wishes_a_number():
    """Its number is that of the nodes."""
    before = msgspec.structs.replace(WEB_WITHOUT_PARTS, kind="DaemonSet")
    assert changed(of=before, **TWO, replicas=3) == ("rollout", "pod template")
    assert changed(of=before, replicas=3) == ("update", "spec")


def test_a_summary_has_an_end():
    """However many containers there are."""
    images = tuple((f"container-{n}", "image") for n in range(100))
    assert len(changed(**TWO, images=images)[1]) == 256


class TestRollback:
    """To a template that the object had before."""

    def test_a_deployment_by_the_revision_of_its_replica_set(self):
        """As it was when the Deployment was changed; later the ReplicaSet gets a new one."""
        cluster = Cluster()
        web = cluster.deployment(template="one")
        first = cluster.replicaset(web, "1", template="one", annotations={"deployment.kubernetes.io/revision": "1"})
        cluster.settle(web)
        cluster.set_image(web, "web:2")
        cluster.replicaset(
            web, "2", template=web.object.template, annotations={"deployment.kubernetes.io/revision": "2"}
        )
        cluster.edit(web, by="kubectl-rollout", template="one", images=(("app", "web:1"),))
        cluster.change(first, annotations={"deployment.kubernetes.io/revision": "3"})
        cluster.finish()
        assert [span.attributes["kspanpy.change.summary"] for span in cluster.roots()] == [
            "created with image web:1",
            "image app: web:1 -> web:2",
            "rollback to revision 1, image app: web:2 -> web:1",
        ]

    @pytest.mark.parametrize(
        ("seen", "expected"),
        [
            pytest.param([(10, "1", "")], "1", id="its number then"),
            pytest.param([(10, "1", ""), (30, "3", "1")], "1", id="its new number was seen first"),
            pytest.param([(30, "3", "1")], "1", id="only its new number was seen: it remembers the old one"),
            pytest.param([(30, "3", "1,2")], "2", id="the newest of the old ones"),
            pytest.param([(30, "3", "")], "", id="it was made for this change"),
            pytest.param([], "", id="nothing was seen"),
        ],
    )
    def test_watches_overtake_each_other(self, seen, expected):
        """The store's order tells what was there when the Deployment was changed, at 20."""
        known = Revisions(capacity=10)
        owner = (OwnerReference("apps/v1", "Deployment", "web", "u", controller=True),)
        for rv, number, history in seen:
            notes = {
                "deployment.kubernetes.io/revision": number,
                "deployment.kubernetes.io/revision-history": history,
            }
            known.note(
                Object(
                    "apps/v1", "ReplicaSet", "shop", "web-1", "r", rv, owners=owner, annotations=notes, template="one"
                )
            )
        assert known.of(msgspec.structs.replace(WEB, resource_version=20)) == expected

    def test_it_forgets_what_is_gone_and_what_is_too_much(self):
        """ReplicaSets that were deleted, Deployments not heard of for long."""
        known = Revisions(capacity=2)
        sets = []
        for n in range(3):
            owner = (OwnerReference("apps/v1", "Deployment", "web", f"u{n}", controller=True),)
            notes = {"deployment.kubernetes.io/revision": "1"}
            sets.append(
                Object(
                    "apps/v1",
                    "ReplicaSet",
                    WEB.namespace,
                    "r",
                    f"r{n}",
                    1,
                    owners=owner,
                    annotations=notes,
                    template="one",
                )
            )
            known.note(sets[-1])
        known.gone(sets[1])
        webs = [msgspec.structs.replace(WEB, uid=f"u{n}", resource_version=9) for n in range(3)]
        assert [known.of(web) for web in webs] == ["", "", "1"]

    def test_a_stateful_set_by_its_generation(self):
        """Its templates are not kept by anything that is watched; the newest generation that had it counts."""
        cluster = Cluster()
        db = cluster.create("StatefulSet", "db", replicas=1, template="one")
        cluster.edit(db, template="two")
        cluster.edit(db, replicas=2)
        cluster.edit(db, template="three")
        cluster.edit(db, template="two")
        cluster.finish()
        summaries = [span.attributes["kspanpy.change.summary"] for span in cluster.roots()]
        assert summaries[-2:] == ["pod template", "rollback to generation 3"]

    def test_a_restart_that_comes_back_is_no_restart(self):
        """The annotation is an older one."""
        before = msgspec.structs.replace(WEB, restarted_at="2026-02", template="two")
        after = msgspec.structs.replace(WEB, restarted_at="2026-01")
        assert changes.between(before, after, rollback="rollback to revision 1").summary == "rollback to revision 1"


SECRET = "s3cr3t-"
secrets = st.integers(0, 999).map(lambda n: f"{SECRET}{n}")
variables = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(["A", "B"]), "value": secrets})
    | st.just({"name": "C", "valueFrom": {"secretKeyRef": {"name": SECRET, "key": SECRET}}}),
    max_size=2,
)
containers = st.fixed_dictionaries(
    {"name": st.sampled_from(["app", "log"]), "image": st.sampled_from(["web:1", "web:2"])},
    optional={
        "env": variables,
        "args": st.lists(secrets, max_size=2),
        "command": st.lists(secrets, max_size=2),
        "livenessProbe": secrets.map(lambda text: {"exec": {"command": [text]}}),
        "lifecycle": secrets.map(lambda text: {"preStop": {"exec": {"command": [text]}}}),
        "volumeMounts": secrets.map(lambda text: [{"name": text, "mountPath": text}]),
    },
)
templates = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {}, optional={"annotations": st.dictionaries(secrets, secrets), "labels": st.dictionaries(secrets, secrets)}
        ),
        "spec": st.fixed_dictionaries(
            {"containers": st.lists(containers, min_size=1, max_size=2, unique_by=lambda c: c["name"])},
            optional={
                "volumes": secrets.map(lambda text: [{"name": text, "secret": {"secretName": text}}]),
                "nodeSelector": st.dictionaries(secrets, secrets),
                "imagePullSecrets": secrets.map(lambda text: [{"name": text}]),
            },
        ),
    }
)
specs = st.fixed_dictionaries(
    {"replicas": st.integers(0, 3), "template": templates},
    optional={"paused": st.booleans(), "selector": secrets.map(lambda text: {"matchLabels": {text: text}})},
)


@given(st.lists(specs, min_size=2, max_size=4), st.dictionaries(secrets, secrets))
@settings(deadline=None, max_examples=200)
def test_no_value_of_a_template_is_told(wished, annotations):
    """No variable, argument, annotation, label or name of a Secret ends in a span, whatever changes."""
    linker, spans = Linker(LinkerSettings(cluster_uid="c")), list[Span]()
    for generation, spec in enumerate(wished, 1):
        names = {"name": "web", "namespace": "shop", "uid": "u", "generation": generation}
        metadata = names | {
            "resourceVersion": str(generation),
            "annotations": annotations | {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(spec)},
            "labels": annotations,
            "managedFields": [
                {
                    "manager": "kubectl",
                    "operation": "Update",
                    "fieldsV1": {"f:spec": {f"k:{SECRET}": {}, f"f:x-{generation}": {}}},
                }
            ],
        }
        body = {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": metadata, "spec": spec}
        web = object_from(json.dumps(body).encode())
        assert isinstance(web, Object)
        assert SECRET not in repr(web)
        outputs = linker.step(ObjectSeen(web), T0 + generation)
        spans += [output.span for output in outputs if isinstance(output, SpanEnded)]
    spans += [output.span for output in linker.finish(T0 + 10) if isinstance(output, SpanEnded)]
    assert spans
    assert SECRET not in repr(spans)
