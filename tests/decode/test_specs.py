"""A spec as named parts with digests; who owns which of them; trace contexts among the annotations."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.core.model import Object
from kspanpy.decode import object_from, ownership, specs

# What kubectl create, kubectl set and kubectl scale leave behind on a 1.36 API server.
CREATED = {
    "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
    "f:spec": {
        "f:progressDeadlineSeconds": {},
        "f:selector": {},
        "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
        "f:template": {
            "f:metadata": {
                "f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}, "f:note": {}},
                "f:labels": {".": {}, "f:app": {}},
            },
            "f:spec": {
                "f:containers": {'k:{"name":"app"}': {".": {}, "f:image": {}, "f:name": {}, "f:env": {".": {}}}},
                "f:dnsPolicy": {},
            },
        },
    },
}
SPEC = {
    "replicas": 2,
    "strategy": {"type": "RollingUpdate"},
    "template": {
        "metadata": {
            "creationTimestamp": None,
            "labels": {"app": "web"},
            "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z", "note": "x"},
        },
        "spec": {
            "containers": [{"name": "app", "image": "web:1", "env": [{"name": "A", "value": "hunter2"}]}],
            "dnsPolicy": "ClusterFirst",
        },
    },
}


def raw(value: object) -> msgspec.Raw:
    """As it comes over the wire."""
    return msgspec.Raw(json.dumps(value).encode())


def with_template(**changes: object) -> specs.Spec:
    """The spec with other top-level keys of its template."""
    return specs.read(raw(SPEC | {"template": SPEC["template"] | changes}))


class TestParts:
    """Names are shown, values are not kept."""

    def test_names(self):
        """The fields of containers and of the template each for itself."""
        spec = specs.read(raw(SPEC))
        assert spec.parts is not None
        assert spec.parts.names == (
            "replicas",
            "strategy",
            "template/labels",
            "template/annotations",
            "template/restartedAt",
            "template/containers",
            "template/containers/app/image",
            "template/containers/app/env",
            "template/dnsPolicy",
        )
        assert "hunter2" not in repr(spec)

    def test_a_digest_moves_with_its_value_alone(self):
        """And not with the order of keys."""
        old, new = json.loads(json.dumps(SPEC)), json.loads(json.dumps(SPEC))
        new["template"]["spec"]["containers"][0]["env"][0] = {"value": "other", "name": "A"}
        one, two = specs.read(raw(old)).parts, specs.read(raw(new)).parts
        assert one is not None
        assert two is not None
        assert one.names is two.names
        differ = [name for name, digest in one.as_dict().items() if two.as_dict()[name] != digest]
        assert differ == ["template/containers/app/env"]
        turned = {key: SPEC[key] for key in reversed(SPEC)}
        assert specs.read(raw(turned)).template == specs.read(raw(SPEC)).template

    def test_the_label_that_only_replica_sets_have_is_left_out(self):
        """So that their template is that of their Deployment."""
        labels = {"labels": {"app": "web", "pod-template-hash": "5d4f"}}
        metadata = SPEC["template"]["metadata"] | labels
        assert with_template(metadata=metadata).template == specs.read(raw(SPEC)).template
        assert with_template(metadata=metadata | {"labels": {"app": "x"}}).template != specs.read(raw(SPEC)).template

    def test_a_cron_job_has_its_template_further_down(self):
        """What its Jobs will be made of."""
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"backoffLimit": 1, "template": SPEC["template"]}}}
        read = specs.read(raw(spec))
        assert read.images == (("app", "web:1"),)
        assert read.parts is not None
        assert {"schedule", "jobTemplate/backoffLimit", "jobTemplate/template/containers/app/env"} <= set(
            read.parts.names
        )

    def test_a_kind_that_nobody_knows_has_the_first_level(self):
        """And no values either."""
        body = {
            "kind": "Shop",
            "apiVersion": "example.com/v1",
            "metadata": {"name": "x"},
            "spec": {"size": 3, "key": {"a": "b"}},
        }
        shop = object_from(json.dumps(body).encode())
        assert isinstance(shop, Object)
        assert shop.parts is not None
        assert shop.parts.names == ("size", "key")

    @pytest.mark.parametrize(
        "spec", [None, [], "x", 7, {}, {"template": 3}, {"template": {"spec": {"containers": [None, 3]}}}]
    )
    def test_an_odd_spec_costs_nothing_but_itself(self, spec):
        """The object is there."""
        body = {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "x"}, "spec": spec}
        assert isinstance(object_from(json.dumps(body).encode()), Object)

    def test_a_spec_in_a_text_that_is_no_unicode(self):
        """It is compared all the same."""
        bad = msgspec.Raw(json.dumps(SPEC).encode().replace(b"hunter2", b"\xff\xfe"))
        assert specs.read(bad).parts is not None
        assert specs.read(bad).template != specs.read(raw(SPEC)).template
        surrogate = msgspec.Raw(json.dumps(SPEC).encode().replace(b"hunter2", b"\\ud800"))
        assert specs.read(surrogate).parts is not None

    def test_a_long_spec_is_read_every_time(self):
        """What is remembered has an end."""
        before = specs._remembered.cache_info().currsize
        assert specs.read(raw({"replicas": 1, "note": "x" * 70_000})).wire.replicas == 1
        assert specs._remembered.cache_info().currsize == before

    def test_a_flood_of_fields_has_an_end(self):
        """However many there are."""
        read = specs.read(raw({f"field-{n}": n for n in range(5000)}))
        assert read.parts is not None
        assert len(read.parts.names) == 512


class TestOwnership:
    """The names of fieldsV1 are those of the parts."""

    def test_what_kubectl_create_owns(self):
        """All that it wrote, the container list by the name in it."""
        owned = ownership.read(raw(CREATED))
        assert owned.touches_spec
        assert not owned.touches_status
        assert owned.parts == (
            "progressDeadlineSeconds",
            "selector",
            "strategy",
            "template/annotations",
            "template/containers",
            "template/containers/app/env",
            "template/containers/app/image",
            "template/dnsPolicy",
            "template/labels",
            "template/restartedAt",
        )

    @pytest.mark.parametrize(
        ("fields", "parts"),
        [
            ({"f:spec": {"f:replicas": {}}}, ("replicas",)),
            (
                {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:image": {}}}}}}},
                ("template/containers/app/image",),
            ),
            (
                {
                    "f:spec": {
                        "f:jobTemplate": {"f:metadata": {}, "f:spec": {"f:template": {"f:spec": {"f:volumes": {}}}}}
                    }
                },
                ("jobTemplate/metadata", "jobTemplate/template/volumes"),
            ),
            ({"f:status": {"f:x": {}}}, ()),
            ({"f:spec": 3}, ()),
            ({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:oops": {"f:image": {}}, "v:1": {}}}}}}, ()),
            (None, ()),
            ([], ()),
        ],
        ids=repr,
    )
    def test_other_fields(self, fields, parts):
        """And such as are not as they should be."""
        assert ownership.read(raw(fields)).parts == parts

    @given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
    def test_any_fields(self, fields):
        """It never raises."""
        ownership.read(raw({"f:spec": fields}))

    def test_what_is_no_json(self):
        """It is nothing."""
        assert ownership.read(msgspec.Raw(b"{")).parts == ()
        assert ownership.read(msgspec.Raw(b"")).parts == ()

    def test_a_pod_is_only_glanced_at(self):
        """Its spec does not change, and most lines are of Pods."""
        metadata = {"name": "x", "managedFields": [{"manager": "kubectl-run", "fieldsV1": CREATED}]}
        pod = object_from(json.dumps({"kind": "Pod", "apiVersion": "v1", "metadata": metadata}).encode())
        assert isinstance(pod, Object)
        assert [(entry.touches_spec, entry.parts) for entry in pod.managers] == [(True, ())]


def annotations_of(annotations: dict[str, object]) -> dict[str, str]:
    """What is kept of them."""
    metadata = {"name": "x", "annotations": annotations}
    thing = object_from(json.dumps({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": metadata}).encode())
    assert isinstance(thing, Object)
    return dict(thing.annotations)


class TestTraceContexts:
    """Which key holds one is for the user to say; what it looks like is not."""

    CONTEXT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @pytest.mark.parametrize("key", ["tracing.k8s.io/traceparent", "traceparent", "ci.example.com/span"])
    def test_whatever_looks_like_one_is_kept(self, key):
        """Two ids are no secret."""
        assert annotations_of({key: self.CONTEXT}) == {key: self.CONTEXT}

    @pytest.mark.parametrize(
        "value",
        ["hunter2", CONTEXT + "hunter2", "x" + CONTEXT, CONTEXT.upper(), "00-" + "x" * 52, CONTEXT + "-" + "x" * 300],
    )
    def test_nothing_else_is(self, value):
        """Annotations are where people keep configuration."""
        assert annotations_of({"traceparent": value}) == {}

    def test_the_state_beside_it(self):
        """Only beside one that is kept."""
        kept = annotations_of({"a/traceparent": self.CONTEXT, "a/tracestate": "x=1", "b/tracestate": "y=2"})
        assert kept == {"a/traceparent": self.CONTEXT, "a/tracestate": "x=1"}

    def test_a_flood_has_an_end(self):
        """Eight are enough."""
        assert len(annotations_of({f"k{n}": self.CONTEXT for n in range(100)})) == 8
