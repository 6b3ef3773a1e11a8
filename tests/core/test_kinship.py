"""Owners of objects that nobody can show: a controller's word first, then a name."""

from __future__ import annotations

import pytest

from kspanpy.core.model import SECOND, Object, ObjectReference, OwnerReference
from kspanpy.core.objects.catalog import Catalog, Record
from kspanpy.core.objects.kinship import Confidence, Kinship
from kspanpy.core.settings import LinkerSettings
from tests.core.cluster import T0

WEB = OwnerReference("apps/v1", "ReplicaSet", "web-6d4cf56db6", "rs-uid", controller=True)
NAME = "web-6d4cf56db6-x7k2p"


class Family:
    """A catalog, and what is said of kinship."""

    def __init__(self, *, capacity: int = 100) -> None:
        self.catalog = Catalog(LinkerSettings())
        self.kinship = Kinship(self.catalog, capacity=capacity)

    def ghost(self, kind: str = "Pod", name: str = NAME, *, namespace: str = "shop") -> Record:
        """An object that only a reference speaks of."""
        return self.catalog.stand_in(ObjectReference(kind=kind, namespace=namespace, name=name, uid=f"uid-{name}"), T0)

    def seen(self, kind: str, name: str, *, namespace: str = "shop") -> Record:
        """An object that was shown."""
        obj = Object(api_version="apps/v1", kind=kind, namespace=namespace, name=name, uid=f"seen-{name}")
        return self.catalog.add(obj, T0)

    def owner(self, record: Record) -> tuple[str, str, str] | None:
        """Kind and uid of its owner, and how far to trust that."""
        found = self.kinship.owner_of(record)
        return None if found is None else (found[0].kind, found[0].uid, found[1].value)


class TestSaid:
    """A controller's Event names the object as its own."""

    def test_it_is_the_best_witness(self):
        """Better than any name."""
        family = Family()
        family.kinship.hear("Pod", "shop", NAME, WEB)
        family.seen("DaemonSet", "web-6d4cf56db6")
        assert family.owner(family.ghost()) == ("ReplicaSet", "rs-uid", Confidence.MEDIUM)

    @pytest.mark.parametrize(
        ("kind", "namespace", "name"),
        [
            pytest.param("Pod", "other", NAME, id="in another namespace"),
            pytest.param("Job", "shop", NAME, id="of another kind"),
            pytest.param("Pod", "shop", "stranger", id="with a name that is not its own"),
        ],
    )
    def test_it_counts_for_what_it_names(self, kind, namespace, name):
        """And for nothing else."""
        family = Family()
        family.kinship.hear(kind, namespace, name, WEB)
        assert family.owner(family.ghost(name="stranger")) is None

    def test_nobody_owns_itself(self):
        """Whatever is said."""
        family = Family()
        record = family.ghost("ReplicaSet", "a-b")
        family.kinship.hear(
            "ReplicaSet", "shop", "a-b", OwnerReference("v1", "ReplicaSet", "a", record.uid, controller=True)
        )
        assert family.owner(record) is None

    def test_the_newest_word_counts(self):
        """A StatefulSet's Pods keep their names, its successor has another uid."""
        family = Family()
        for uid in ("old", "new"):
            family.kinship.hear("Pod", "shop", "db-0", OwnerReference("apps/v1", "StatefulSet", "db", uid))
        assert family.owner(family.ghost(name="db-0")) == ("StatefulSet", "new", Confidence.MEDIUM)

    def test_there_is_a_capacity(self):
        """The oldest word is forgotten first."""
        family = Family(capacity=10)
        for number in range(50):
            family.kinship.hear("Pod", "shop", f"db-{number}", OwnerReference("apps/v1", "StatefulSet", "db", "sts"))
        owners = [family.owner(family.ghost(name=f"db-{number}")) for number in (0, 49)]
        assert owners == [None, ("StatefulSet", "sts", Confidence.MEDIUM)]


class TestDeleted:
    """Its owner says that it has deleted it."""

    @pytest.mark.parametrize(("seconds", "expected"), [(0, True), (2, True), (-2, True), (3, False), (-600, False)])
    def test_about_then(self, seconds, expected):
        """Two seconds are nothing between two clocks; a Pod of a StatefulSet may have died before under that name."""
        family = Family()
        family.kinship.hear("Pod", "shop", NAME, WEB, T0)
        assert family.kinship.deleted_by_owner(family.ghost(), T0 + seconds * SECOND) is expected

    def test_that_it_has_made_it_says_nothing(self):
        """Of its end."""
        family = Family()
        family.kinship.hear("Pod", "shop", NAME, WEB)
        assert family.kinship.deleted_by_owner(family.ghost(), T0) is False


class TestNamed:
    """Nobody says so, but it looks like it."""

    def test_like_one_of_an_owner_that_is_known(self):
        """Whatever kind that is."""
        family = Family()
        family.seen("DaemonSet", "agent")
        assert family.owner(family.ghost(name="agent-x7k2p")) == ("DaemonSet", "seen-agent", Confidence.LOW)

    def test_like_one_of_an_owner_that_events_were_about(self):
        """By the uid of those."""
        family = Family()
        family.kinship.meet(ObjectReference(kind="DaemonSet", namespace="shop", name="agent", uid="ds"))
        assert family.owner(family.ghost(name="agent-x7k2p")) == ("DaemonSet", "ds", Confidence.LOW)

    def test_owners_are_in_the_same_namespace(self):
        """Names of others do not count."""
        family = Family()
        family.seen("DaemonSet", "agent", namespace="other")
        assert family.owner(family.ghost(name="agent-x7k2p")) is None

    def test_a_hash_and_five_letters_are_of_a_replica_set(self):
        """Even if nobody has ever heard of it: its uid is made of its name, the same for all its Pods."""
        family = Family()
        found = family.owner(family.ghost())
        assert found == ("ReplicaSet", "ReplicaSet/shop/web-6d4cf56db6", Confidence.LOW)
        assert family.owner(family.ghost(name="web-6d4cf56db6-zs54z")) == found

    def test_a_hash_is_of_a_deployment(self):
        """Likewise."""
        family = Family()
        found = family.owner(family.ghost("ReplicaSet", "web-6d4cf56db6"))
        assert found == ("Deployment", "Deployment/shop/web", Confidence.LOW)

    @pytest.mark.parametrize("name", ["agent-x7k2p", "db-0", "shell"])
    def test_what_may_be_of_several_kinds_is_of_none(self, name):
        """A guess needs at least an owner that exists."""
        family = Family()
        assert family.owner(family.ghost(name=name)) is None

    def test_of_two_kinds_of_one_name_the_likelier(self):
        """A DaemonSet and a Job called `agent`."""
        family = Family()
        family.seen("Job", "agent")
        family.seen("DaemonSet", "agent")
        assert family.owner(family.ghost(name="agent-x7k2p")) == ("DaemonSet", "seen-agent", Confidence.LOW)

    @pytest.mark.parametrize("kind", ["Node", "ConfigMap", "Service"])
    def test_what_owns_no_pods_is_not_met(self, kind):
        """An Event about a Service makes it nobody's owner."""
        family = Family()
        family.kinship.meet(ObjectReference(kind=kind, namespace="shop", name="agent", uid="x"))
        assert family.owner(family.ghost(name="agent-x7k2p")) is None

    def test_there_is_a_capacity(self):
        """Of what Events were about, too."""
        family = Family(capacity=10)
        for number in range(50):
            family.kinship.meet(ObjectReference(kind="Job", namespace="shop", name=f"job{number}", uid=f"j{number}"))
        owners = [family.owner(family.ghost(name=f"job{number}-x7k2p")) for number in (0, 49)]
        assert owners == [None, ("Job", "j49", Confidence.LOW)]
