"""Which object is meant by a reference that may be half empty or wrong."""

from __future__ import annotations

import msgspec
import pytest

from kspanpy.core.model import SECOND, Object, ObjectReference
from kspanpy.core.objects import identity
from kspanpy.core.objects.catalog import Catalog
from kspanpy.core.settings import LinkerSettings
from tests.core.cluster import T0

HASH = "0123456789abcdef0123456789abcdef"


def known(*objects: Object) -> Catalog:
    """A catalog that has seen these."""
    catalog = Catalog(LinkerSettings())
    for obj in objects:
        catalog.add(obj, obj.created_ns or T0)
    return catalog


def pod(uid: str = "pod-1", *, name: str = "web", born_s: int = 0, **more: object) -> Object:
    """A Pod."""
    base = {"api_version": "v1", "kind": "Pod", "namespace": "shop", "name": name, "uid": uid}
    return Object(**(base | {"created_ns": T0 + born_s * SECOND} | more))


NODE = Object(api_version="v1", kind="Node", namespace="", name="node-1", uid="real-uid", created_ns=T0)
POD = ObjectReference(kind="Pod", namespace="shop", name="web", api_version="v1")


def found(catalog: Catalog, reference: ObjectReference, at_s: float = 0.0) -> str | None:
    """The uid of what is meant."""
    record = identity.find(catalog, reference, T0 + int(at_s * SECOND))
    return None if record is None else record.uid


class TestNodes:
    """Kubelets write the node's name as uid, or nothing; controllers the real uid."""

    @pytest.mark.parametrize("uid", ["real-uid", "node-1", "", "of-the-node-before"])
    def test_the_name_decides(self, uid):
        """Whatever stands where a uid belongs."""
        assert found(known(NODE), ObjectReference(kind="Node", name="node-1", uid=uid)) == "real-uid"

    def test_another_name_is_another_node(self):
        """Nothing is guessed."""
        assert found(known(NODE), ObjectReference(kind="Node", name="node-2")) is None

    def test_a_node_that_joined_again_is_the_one_alive_at_the_time(self):
        """Deleted and created again under its name, it has two uids."""
        later = msgspec.structs.replace(NODE, uid="second", created_ns=T0 + 100 * SECOND)
        catalog = known(NODE, later)
        reference = ObjectReference(kind="Node", name="node-1", uid="node-1")
        assert [found(catalog, reference, at) for at in (50, 150)] == ["real-uid", "second"]


class TestStaticPods:
    """Their Events carry the hash of the file; the mirror Pod has another uid, and the hash in an annotation."""

    @pytest.mark.parametrize("key", ["kubernetes.io/config.hash", "kubernetes.io/config.mirror"])
    def test_the_hash_leads_to_the_mirror_pod(self, key):
        """Through either annotation."""
        reference = msgspec.structs.replace(POD, uid=HASH)
        assert found(known(pod(), pod("mirror", annotations={key: HASH})), reference) == "mirror"

    def test_a_pod_without_that_hash_is_not_meant(self):
        """A uid that nobody has is a Pod that nobody has shown, even if one has its name."""
        assert found(known(pod()), msgspec.structs.replace(POD, uid=HASH)) is None

    def test_no_other_kind_is_found_by_a_hash(self):
        """Annotations are tenants' text."""
        catalog = known(pod(kind="Job", annotations={"kubernetes.io/config.hash": HASH}))
        assert found(catalog, ObjectReference(kind="Job", namespace="shop", name="web", uid=HASH)) is None


class TestMissingUid:
    """TaintManagerEviction and others name only kind, namespace and name."""

    @pytest.mark.parametrize(
        ("at_s", "expected"),
        [
            pytest.param(10, "old", id="while the old one lived"),
            pytest.param(99.5, "new", id="its creation is a truncated second"),
            pytest.param(200, "new", id="after the new one was made"),
            pytest.param(-100, "old", id="before any: a clock is off"),
        ],
    )
    def test_the_newest_that_was_alive_is_meant(self, at_s, expected):
        """Not the newest that there is."""
        assert found(known(pod("old"), pod("new", born_s=100)), POD, at_s) == expected

    def test_the_api_group_tells_two_kinds_of_one_name_apart(self):
        """A Knative Service is not a Service."""
        core = pod("core", kind="Service")
        knative = pod("knative", kind="Service", api_version="serving.knative.dev/v1")
        reference = ObjectReference(kind="Service", namespace="shop", name="web", api_version="serving.knative.dev/v1")
        assert found(known(core, knative), reference) == "knative"

    def test_without_an_api_version_any_group_will_do(self):
        """Old emitters leave it out."""
        assert found(known(pod()), msgspec.structs.replace(POD, api_version="")) == "pod-1"

    def test_names_are_case_sensitive_and_namespaced(self):
        """Kubernetes says so."""
        catalog = known(pod())
        assert found(catalog, msgspec.structs.replace(POD, name="WEB")) is None
        assert found(catalog, msgspec.structs.replace(POD, namespace="other")) is None


def test_a_uid_that_is_known_decides_whatever_the_name_says():
    """A name may lie; a uid is one object of this namespace."""
    reference = ObjectReference(kind="Pod", namespace="shop", name="other", uid="pod-1")
    assert found(known(pod()), reference) == "pod-1"


@pytest.mark.parametrize("namespace", ["elsewhere", ""])
def test_a_uid_of_another_namespace_is_a_lie(namespace):
    """Whoever may write Events there must not speak of what is here."""
    reference = ObjectReference(kind="Pod", namespace=namespace, name="web", uid="pod-1")
    assert found(known(pod()), reference) is None
