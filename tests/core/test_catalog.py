"""What is remembered of objects: the living, the dead for an hour, and those that only references speak of."""

from __future__ import annotations

import msgspec
import pytest

from kspanpy.core.model import SECOND, Condition, Object, ObjectReference, OwnerReference
from kspanpy.core.objects.catalog import Catalog, Record, causal_owner, group_of
from kspanpy.core.settings import LinkerSettings
from tests.core.cluster import T0

HOUR = 3600 * SECOND


def catalog(**settings: int) -> Catalog:
    """An empty one."""
    return Catalog(LinkerSettings(**settings))


def thing(uid: str, kind: str = "Widget", *, owner: str = "", owner_kind: str = "Widget", **fields: object) -> Object:
    """An object, owned by the object with that uid."""
    owners = (OwnerReference("v1", owner_kind, owner, owner, controller=True),) if owner else ()
    base = {"api_version": "v1", "kind": kind, "namespace": "shop", "name": uid, "uid": uid, "owners": owners}
    return Object(**(base | {"created_ns": T0, "resource_version": 7} | fields))


def uids(records: list[Record]) -> list[str]:
    """Their uids."""
    return [record.uid for record in records]


class TestOwners:
    """The chain from an object up to its root object."""

    def test_a_chain_leads_from_the_object_to_its_root(self):
        """In the order of ownership."""
        known = catalog()
        for obj in (thing("root"), thing("middle", owner="root"), thing("leaf", owner="middle")):
            known.add(obj, T0)
        chain, missing = known.chain(known.get("leaf", "shop"))
        assert (uids(chain), missing) == (["leaf", "middle", "root"], None)

    def test_the_first_owner_that_nobody_has_shown_is_named(self):
        """So that it can be asked for."""
        known = catalog()
        leaf = known.add(thing("leaf", owner="middle"), T0)
        chain, missing = known.chain(leaf)
        assert uids(chain) == ["leaf"]
        assert missing.uid == "middle"

    @pytest.mark.parametrize(
        ("objects", "expected"),
        [
            pytest.param([thing("a", owner="a")], ["a"], id="its own owner"),
            pytest.param([thing("a", owner="b"), thing("b", owner="a")], ["a", "b"], id="two"),
            pytest.param(
                [thing("a", owner="b"), thing("b", owner="c"), thing("c", owner="b")],
                ["a", "b", "c"],
                id="below a ring",
            ),
        ],
    )
    def test_a_ring_of_owners_ends(self, objects, expected):
        """Where it would begin again."""
        known = catalog()
        for obj in objects:
            known.add(obj, T0)
        assert uids(known.chain(known.get("a", "shop"))[0]) == expected

    def test_a_chain_without_end_ends_at_the_limit(self):
        """50 owners of owners are no cluster that anybody runs."""
        known = catalog(max_depth=32)
        for number in range(50):
            known.add(thing(f"o{number}", owner=f"o{number + 1}"), T0)
        chain, missing = known.chain(known.get("o0", "shop"))
        assert (len(chain), missing) == (32, None)

    @pytest.mark.parametrize(
        "owner",
        [
            pytest.param(thing("boss", namespace="other"), id="of another namespace"),
            pytest.param(thing("boss", kind="Node", namespace=""), id="of another kind"),
        ],
    )
    def test_an_owner_that_lies_does_not_own(self, owner):
        """A uid that is right is not enough: anybody may write it."""
        known = catalog()
        known.add(owner, T0)
        leaf = known.add(thing("leaf", owner="boss"), T0)
        assert uids(known.chain(leaf)[0]) == ["leaf"]

    def test_an_owner_without_a_namespace_may_own_anything(self):
        """Cluster-scoped custom resources do."""
        known = catalog()
        known.add(thing("boss", namespace=""), T0)
        assert uids(known.chain(known.add(thing("leaf", owner="boss"), T0))[0]) == ["leaf", "boss"]

    @pytest.mark.parametrize(
        ("owners", "expected"),
        [
            pytest.param([("a", False), ("b", True)], "b", id="the controller"),
            pytest.param([("a", False), ("b", False)], "a", id="else the first"),
            pytest.param([], None, id="none"),
            pytest.param([("", True)], None, id="one without a uid"),
        ],
    )
    def test_one_of_several_owners_is_the_cause(self, owners, expected):
        """The one that controls."""
        references = tuple(OwnerReference("v1", "Widget", uid, uid, controller=control) for uid, control in owners)
        owner = causal_owner(msgspec.structs.replace(thing("x"), owners=references))
        assert (owner and owner.uid) == expected

    def test_a_node_does_not_cause_its_static_pods(self):
        """They are owned by it for the garbage collector's sake."""
        assert causal_owner(thing("pod", "Pod", owner="node", owner_kind="Node")) is None


class TestTombstones:
    """The dead are remembered for as long as Events about them may come."""

    def test_the_dead_are_found_for_an_hour(self):
        """And not longer."""
        known = catalog()
        known.bury(known.add(thing("a"), T0), T0)
        known.forget(T0 + HOUR - 1)
        assert known.get("a", "shop") is not None
        known.forget(T0 + HOUR)
        assert (known.get("a", "shop"), known.named("Widget", "shop", "a"), len(known)) == (None, [], 0)

    def test_the_living_are_not_forgotten(self):
        """However long nothing is heard of them."""
        known = catalog()
        known.add(thing("a"), T0)
        known.forget(T0 + 1000 * HOUR)
        assert known.get("a", "shop") is not None

    def test_there_is_room_for_so_many(self):
        """The oldest dead leave first."""
        known = catalog(max_tombstones=3)
        for number in range(10):
            known.bury(known.add(thing(f"o{number}"), T0), T0 + number)
            known.forget(T0 + number)
        assert [uid for uid in (f"o{n}" for n in range(10)) if known.get(uid, "shop")] == ["o7", "o8", "o9"]
        assert known.tombstones == 3

    def test_a_full_catalog_lets_the_dead_go_first(self):
        """Then the oldest of the living."""
        known = catalog(max_objects=3)
        known.add(thing("old"), T0)
        known.bury(known.add(thing("dead"), T0), T0)
        for number in range(3):
            known.add(thing(f"o{number}"), T0)
        assert (len(known), known.get("dead", "shop"), known.get("old", "shop")) == (3, None, None)

    def test_an_object_that_changes_its_name_is_forgotten_whole(self):
        """A name is no key to somebody who lies."""
        known = catalog()
        record = known.add(thing("a"), T0)
        record.object = msgspec.structs.replace(record.object, name="other")
        known.bury(record, T0)
        known.forget(T0 + HOUR)
        assert known.named("Widget", "shop", "a") == known.named("Widget", "shop", "other") == []


class TestStandIns:
    """An object that only references speak of."""

    REFERENCE = ObjectReference(kind="Widget", namespace="shop", name="w", uid="u", api_version="example.com/v1")

    def test_it_is_what_the_reference_says(self):
        """Nothing is added."""
        obj = catalog().stand_in(self.REFERENCE, T0).object
        assert (obj.kind, obj.namespace, obj.name, obj.uid) == ("Widget", "shop", "w", "u")

    def test_the_same_reference_is_the_same_object(self):
        """Two Events about it are about one thing."""
        known = catalog()
        assert known.stand_in(self.REFERENCE, T0) is known.stand_in(self.REFERENCE, T0 + 1)

    def test_without_a_uid_its_names_stand_in(self):
        """Another group, kind, namespace or name is another object."""
        known = catalog()
        bare = msgspec.structs.replace(self.REFERENCE, uid="")
        others = [
            msgspec.structs.replace(bare, **change)
            for change in ({}, {"kind": "W"}, {"namespace": "n"}, {"name": "n"}, {"api_version": "other.com/v1"})
        ]
        assert len({known.stand_in(reference, T0).uid for reference in others}) == 5

    def test_an_empty_reference_is_an_unknown_object(self):
        """Every field may be empty."""
        assert catalog().stand_in(ObjectReference(), T0).kind == "Unknown"

    def test_nothing_tells_of_its_end_so_it_is_forgotten_like_the_dead(self):
        """After an hour."""
        known = catalog()
        known.stand_in(self.REFERENCE, T0)
        known.forget(T0 + HOUR)
        assert len(known) == 0

    def test_what_is_seen_at_last_is_the_same_record(self):
        """What was placed under the stand-in stays where it is."""
        known = catalog()
        record = known.stand_in(self.REFERENCE, T0)
        known.reveal(record, thing("u", name="real", generation=3), T0 + SECOND)
        assert known.get("u", "shop") is record
        assert (record.real, record.object.name, known.tombstones) == (True, "real", 0)
        assert (known.named("Widget", "shop", "w"), known.named("Widget", "shop", "real")) == ([], [record])


class TestNames:
    """Objects of one name, one after the other."""

    def test_all_that_had_the_name_oldest_first(self):
        """Re-created objects have new uids."""
        known = catalog()
        for uid in ("one", "two"):
            known.add(thing(uid, name="web"), T0)
        assert uids(known.named("Widget", "shop", "web")) == ["one", "two"]

    def test_the_group_chooses_where_there_is_a_choice(self):
        """And is not asked where there is none: some references leave it out or carry an old one."""
        known = catalog()
        known.add(thing("core", name="web"), T0)
        assert uids(known.named("Widget", "shop", "web", group="apps")) == ["core"]
        known.add(thing("apps", name="web", api_version="apps/v1"), T0)
        assert uids(known.named("Widget", "shop", "web", group="apps")) == ["apps"]
        assert uids(known.named("Widget", "shop", "web", group="gone")) == ["core", "apps"]

    @pytest.mark.parametrize(("api_version", "group"), [("apps/v1", "apps"), ("v1", ""), ("", ""), ("a.b/v1", "a.b")])
    def test_groups(self, api_version, group):
        """The core group has no name."""
        assert group_of(api_version) == group


class TestMoments:
    """The moments of a life that decide where things belong."""

    def test_birth_is_within_the_second_that_was_written(self):
        """As near to the receipt as that allows."""
        assert catalog().add(thing("a"), T0 + 400).born_ns == T0 + 400

    @pytest.mark.parametrize(
        ("obj", "received_s", "fresh"),
        [
            pytest.param(thing("a", "Deployment", generation=1), 5, True, id="seconds old"),
            pytest.param(thing("a", "Deployment", generation=1), 60, False, id="a minute old"),
            pytest.param(
                thing("a", "Pod", phase="Succeeded"), 5, False, id="seen for the first time when it has ended"
            ),
            pytest.param(thing("a", "Pod", deletion_ns=T0), 5, False, id="seen for the first time when it dies"),
        ],
    )
    def test_what_is_new(self, obj, received_s, fresh):
        """Judged by itself, where no list says so; only what is new has a birth in store order."""
        record = catalog().add(obj, T0 + received_s * SECOND)
        assert (record.fresh, record.born_rv) == (fresh, 7 if fresh else None)

    def test_after_a_complete_list_whatever_is_added_is_new(self):
        """However old it says it is."""
        known = catalog()
        known.synced.add("Widget")
        assert known.add(thing("a"), T0 + HOUR).fresh

    def test_a_pod_becomes_ready_once(self):
        """Later transitions are no startup."""
        record = catalog().add(thing("a", "Pod", phase="Running"), T0)
        for at_s in (5, 50):
            condition = Condition("Ready", "True", changed_ns=T0 + at_s * SECOND)
            record.note_status(msgspec.structs.replace(record.object, conditions=(condition,)), T0 + at_s * SECOND)
        assert record.ready_ns == T0 + 5 * SECOND

    def test_a_deletion_began_a_grace_period_before_its_time(self):
        """DeletionTimestamp is when the object shall be gone."""
        record = catalog().add(thing("a", "Pod"), T0)
        dying = msgspec.structs.replace(record.object, deletion_ns=T0 + 40 * SECOND, grace_s=30, resource_version=9)
        record.note_status(dying, T0 + 10 * SECOND + 5)
        assert (record.dying_ns, record.dying_rv) == (T0 + 10 * SECOND + 5, 9)

    def test_a_deletion_begins_once(self):
        """`kubectl delete --grace-period` again only shortens it."""
        record = catalog().add(thing("a"), T0)
        record.die(None, 8, T0 + 1)
        record.die(None, 9, T0 + 2)
        assert (record.dying_ns, record.dying_rv) == (T0 + 1, 8)


def test_a_watch_only_comes_further():
    """Old versions, as a relist brings them, are no news."""
    known = catalog()
    assert [known.advance("Pod", version) for version in (5, 5, 4, 6, None)] == [True, False, False, True, False]
    assert known.watermarks == {"Pod": 6}


class TestLookedUp:
    """An owner of a kind that nobody watches: it was shown once, and nothing will tell of its end."""

    def test_it_is_forgotten_when_nothing_has_happened_to_it_for_an_hour(self):
        """Else every custom resource that ever was would be kept."""
        known = catalog()
        record = known.add(thing("boss"), T0)
        known.will_not_end(record, T0)
        known.forget(T0 + HOUR - 1)
        assert known.get("boss", "shop") is record
        known.forget(T0 + HOUR)
        assert known.get("boss", "shop") is None

    def test_it_stays_as_long_as_it_is_used(self):
        """Its stories go on."""
        known = catalog()
        record = known.add(thing("boss"), T0)
        known.will_not_end(record, T0)
        for number in range(10):
            known.used([record], T0 + number * HOUR // 2)
            known.forget(T0 + number * HOUR // 2)
        assert known.get("boss", "shop") is record

    def test_use_does_not_keep_the_dead(self):
        """They have an end."""
        known = catalog()
        record = known.add(thing("boss"), T0)
        known.bury(record, T0)
        known.used([record], T0 + HOUR // 2)
        known.forget(T0 + HOUR)
        assert known.get("boss", "shop") is None
