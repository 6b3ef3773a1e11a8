"""Who changed an object: only what managedFields prove, from the versions before and after."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kspanpy.core.changes import change as changes
from kspanpy.core.changes import what, who
from kspanpy.core.model import SECOND, Condition, FieldManager, Object
from tests.core.cluster import T0, Cluster
from tests.core.versions import CONTROLLER, CREATE, ENV, IMAGE, REPLICAS, WEB, entry, parts, version, without

NEW_IMAGE = {"moved": {IMAGE: "web:2"}, "template": "two", "images": (("app", "web:2"), ("log", "log:1"))}
SCALED = {"moved": {REPLICAS: "4"}, "replicas": 4}
HPA = entry("kube-controller-manager", REPLICAS, subresource="scale", at_s=None)
KUBECTL_SCALE = entry("kubectl", REPLICAS, subresource="scale", at_s=None)
EDITED = msgspec.structs.replace(CREATE, time_ns=T0 + 60 * SECOND)


def told(before: Object, after: Object) -> tuple[str, str]:
    """Manager and operation."""
    change = changes.between(before, after)
    return change.manager, change.operation


class TestWhatDiffers:
    """An entry that came, gained or is newer, and owns what moved."""

    @pytest.mark.parametrize(
        ("managers", "fields", "expected"),
        [
            pytest.param(
                (without(CREATE, IMAGE), entry("kubectl-set", IMAGE)),
                NEW_IMAGE,
                ("kubectl-set", "Update"),
                id="kubectl set image",
            ),
            pytest.param(
                (CREATE, entry("kubectl-rollout", "template/restartedAt")),
                {"moved": {"template/restartedAt": "now"}, "template": "two", "restarted_at": "now"},
                ("kubectl-rollout", "Update"),
                id="kubectl rollout restart",
            ),
            pytest.param((EDITED,), NEW_IMAGE, ("kubectl-create", "Update"), id="the same manager once more"),
            pytest.param(
                (without(CREATE, IMAGE), entry("helm", IMAGE, operation="Apply")),
                NEW_IMAGE,
                ("helm", "Apply"),
                id="helm 4 applies",
            ),
            pytest.param(
                (without(CREATE, IMAGE), entry("kustomize-controller", IMAGE, operation="Apply")),
                NEW_IMAGE,
                ("kustomize-controller", "Apply"),
                id="Flux applies",
            ),
            pytest.param(
                (without(CREATE, IMAGE), entry("argocd-controller", IMAGE, operation="Apply")),
                NEW_IMAGE,
                ("argocd-controller", "Apply"),
                id="Argo CD applies",
            ),
            pytest.param(
                (without(CREATE, REPLICAS), HPA),
                SCALED,
                ("horizontal-pod-autoscaler", "Update"),
                id="an autoscaler, by its name",
            ),
            pytest.param((without(CREATE, REPLICAS), KUBECTL_SCALE), SCALED, ("kubectl", "Update"), id="kubectl scale"),
            pytest.param(
                (without(CREATE, IMAGE), entry("kubectl-set", IMAGE), entry("label-maker", spec=False, at_s=90)),
                NEW_IMAGE,
                ("kubectl-set", "Update"),
                id="not the newer one that owns metadata only",
            ),
            pytest.param(
                (EDITED, entry("helm", IMAGE, at_s=50)),
                SCALED,
                ("kubectl-create", "Update"),
                id="of two that are new the one that owns what moved",
            ),
            pytest.param(
                (without(CREATE, IMAGE), entry("kubectl-set", IMAGE), entry("kube-controller-manager", IMAGE, at_s=90)),
                NEW_IMAGE,
                ("kubectl-set", "Update"),
                id="not the workload's own controller",
            ),
            pytest.param(
                (CREATE, entry("x", subresource="status", at_s=90)), SCALED, ("unknown", ""), id="not a status"
            ),
            pytest.param(
                (CREATE, entry("before-first-apply", IMAGE, REPLICAS, at_s=90)),
                NEW_IMAGE,
                ("unknown", ""),
                id="not what the API server adds before the first apply",
            ),
            pytest.param(
                (entry("ancient-changes", IMAGE, REPLICAS, at_s=90),),
                NEW_IMAGE,
                ("unknown", ""),
                id="not what the API server puts together",
            ),
            pytest.param(
                (without(EDITED, "strategy"),),
                {"moved": {"strategy": "Recreate"}},
                ("unknown", ""),
                id="not the one that was edited and has nothing of what moved",
            ),
        ],
    )
    def test_the_author(self, managers, fields, expected):
        """As one row each."""
        assert told(WEB, version(*managers, **fields)) == expected

    def test_its_time_is_the_time_of_the_change(self):
        """By the cluster's clock."""
        change = changes.between(WEB, version(CREATE, entry("kubectl-set", IMAGE), **NEW_IMAGE))
        assert change.at_ns == change.time_ns == T0 + 60 * SECOND

    def test_kubectl_scale_leaves_an_entry_without_a_time(self):
        """It is known who, not when."""
        change = changes.between(WEB, version(without(CREATE, REPLICAS), KUBECTL_SCALE, **SCALED))
        assert (change.manager, change.at_ns, change.time_ns) == ("kubectl", None, None)

    def test_all_authors_of_versions_that_were_not_seen(self):
        """Each wrote a part of what moved."""
        fields = NEW_IMAGE | {"moved": {IMAGE: "web:2", REPLICAS: "3"}, "replicas": 3}
        after = version(entry("helm", IMAGE, at_s=50, operation="Apply"), entry("kubectl-edit", REPLICAS), **fields)
        change = changes.between(WEB, after)
        assert (change.manager, change.operation) == ("helm, kubectl-edit", "")
        assert change.time_ns == T0 + 60 * SECOND

    def test_who_applies_less_than_before_removes_it(self):
        """Its entry is newer and has lost what moved."""
        flux = entry("kustomize-controller", IMAGE, "strategy", operation="Apply", at_s=10)
        later = msgspec.structs.replace(without(flux, "strategy"), time_ns=T0 + 60 * SECOND)
        before = version(flux, generation=1)
        assert told(before, version(later, moved={"strategy": "none"})) == ("kustomize-controller", "Apply")

    def test_without_parts_the_entries_alone_tell(self):
        """Metadata of a kind that is not watched."""
        before = msgspec.structs.replace(WEB, parts=None)
        after = msgspec.structs.replace(version(CREATE, entry("kubectl-edit")), parts=None)
        assert told(before, after) == ("kubectl-edit", "Update")


class TestVanished:
    """Entries that leave tell nothing by that (kubernetes-events 7.13)."""

    def test_a_resume_takes_the_entry_of_the_pause_with_it(self):
        """Anybody may have resumed it."""
        paused = version(CREATE, entry("kubectl-rollout", "paused"), moved={"paused": "true"}, paused=True)
        resumed = version(CREATE, of=paused, parts=WEB.parts, paused=False)
        assert told(WEB, paused) == ("kubectl-rollout", "Update")
        assert told(paused, resumed) == ("unknown", "")

    def test_one_scaler_replaces_another(self):
        """The one that came did it."""
        by_hand = version(without(CREATE, REPLICAS), KUBECTL_SCALE, **SCALED)
        after = version(without(CREATE, REPLICAS), HPA, of=by_hand, moved={REPLICAS: "5"}, replicas=5)
        assert told(by_hand, after) == ("horizontal-pod-autoscaler", "Update")

    def test_the_same_scaler_twice(self):
        """Its entry has no time, so it does not differ; but it alone owns the number that moved."""
        first = version(without(CREATE, REPLICAS), KUBECTL_SCALE, **SCALED)
        second = version(without(CREATE, REPLICAS), KUBECTL_SCALE, of=first, moved={REPLICAS: "1"}, replicas=1)
        assert told(first, second) == ("kubectl", "Update")
        assert changes.between(first, second).time_ns is None

    def test_a_scale_to_zero_takes_the_entry_with_it(self):
        """Zero is not written into the Scale object."""
        first = version(without(CREATE, REPLICAS), KUBECTL_SCALE, **SCALED)
        second = version(without(CREATE, REPLICAS), of=first, moved={REPLICAS: "0"}, replicas=0)
        assert told(first, second) == ("unknown", "")

    def test_kubectl_scale_of_a_number_that_nobody_owned(self):
        """It leaves no entry at all."""
        applied = entry("kubectl", IMAGE, ENV, operation="Apply", at_s=0)
        before = version(applied, generation=1)
        assert told(before, version(applied, **SCALED)) == ("unknown", "")

    def test_the_owner_of_a_part_of_many_values_is_not_the_author(self):
        """A variable that somebody else owned may have been removed."""
        assert told(WEB, version(CREATE, moved={ENV: "none"}, template="two")) == ("unknown", "")

    def test_two_owners_of_what_moved_prove_nothing(self):
        """They agree on the value: one applied what the other had written."""
        both = (CREATE, entry("helm", REPLICAS, operation="Apply", at_s=0))
        before = version(*both, generation=1)
        assert told(before, version(*both, **SCALED)) == ("unknown", "")


class TestFirstSight:
    """There is no version before."""

    def test_a_creation_is_by_who_wrote_it_first(self):
        """The entry that is as old as the object."""
        change = changes.creation(WEB)
        assert (change.summary, change.manager) == ("created with image web:1, log:1", "kubectl-create")
        assert change.at_ns == change.time_ns == T0

    @pytest.mark.parametrize(
        ("managers", "expected"),
        [
            pytest.param((EDITED,), "kubectl-create", id="alone, although it has edited a label since"),
            pytest.param(
                (CREATE, entry("flux", IMAGE, operation="Apply")), "kubectl-create", id="one has joined later"
            ),
            pytest.param((CREATE, entry("flux", IMAGE, at_s=0)), "unknown", id="two within the first second"),
            pytest.param((), "unknown", id="no entries: proxies may strip them"),
            pytest.param((entry("kube-controller-manager", at_s=0),), "kube-controller-manager", id="a CronJob's Job"),
            pytest.param(
                (entry("kube-controller-manager", at_s=0), entry("kubectl-create", at_s=0)),
                "kubectl-create",
                id="a controller added to it within the second",
            ),
        ],
    )
    def test_a_creator(self, managers, expected):
        """Proved by the generation, which is still the first, or by the second of its creation."""
        assert changes.creation(msgspec.structs.replace(WEB, managers=managers)).manager == expected

    def test_a_kind_without_generations_needs_an_entry_of_that_second(self):
        """Nothing says that it has not been changed."""
        claim = msgspec.structs.replace(WEB, kind="PersistentVolumeClaim", generation=0, managers=(EDITED,))
        assert changes.creation(claim).manager == "unknown"

    @pytest.mark.parametrize(
        ("generation", "managers", "expected"),
        [
            pytest.param(2, (without(CREATE, IMAGE), entry("kubectl-set", IMAGE)), "kubectl-set", id="the only change"),
            pytest.param(
                2, (without(CREATE, REPLICAS), HPA), "horizontal-pod-autoscaler", id="undated, but the only one"
            ),
            pytest.param(3, (CREATE, entry("kubectl-set", IMAGE)), "unknown", id="one of two: which is not known"),
            pytest.param(2, (CREATE,), "unknown", id="whoever it was left nothing"),
            pytest.param(2, (EDITED,), "unknown", id="it may have been a label that moved the time"),
            pytest.param(2, (CREATE, entry("a", IMAGE), entry("b", ENV)), "unknown", id="too many for one change"),
            pytest.param(
                2, (CREATE, entry("flux", IMAGE, operation="Apply")), "unknown", id="who applies may change nothing"
            ),
        ],
    )
    def test_who_changed_it_before_anybody_looked(self, generation, managers, expected):
        """Known only where there has been one change, and one who can have made it. Its time is not."""
        change = changes.last_change(msgspec.structs.replace(WEB, generation=generation, managers=managers))
        assert (change.summary, change.manager, change.time_ns) == ("changed before it was watched", expected, None)

    def test_it_is_placed_by_the_newest_entry(self):
        """A date to sort by, not one to tell."""
        obj = msgspec.structs.replace(WEB, generation=5, managers=(CREATE, entry("kubectl-set"), entry("x", at_s=None)))
        assert changes.last_change(obj).at_ns == T0 + 60 * SECOND

    def test_without_any_dated_entry_it_is_as_old_as_the_object(self):
        """Better too old than new."""
        assert changes.last_change(msgspec.structs.replace(WEB, generation=5, managers=())).at_ns == T0


class TestDeletion:
    """Nothing tells who wished it, with few exceptions."""

    def test_nobody_is_named(self):
        """But the cluster dates it: the deadline less the grace."""
        change = changes.deletion(msgspec.structs.replace(WEB, deletion_ns=T0 + 90 * SECOND, grace_s=30))
        assert (change.summary, change.manager, change.time_ns) == ("deleted", "unknown", T0 + 60 * SECOND)

    def test_its_owner_goes_too(self):
        """Then it is the garbage collector's work."""
        change = changes.deletion(WEB, owner_is_going=True)
        assert (change.summary, change.manager) == ("deleted with its owner", "garbage-collector")

    @pytest.mark.parametrize(
        ("reason", "status", "expected"),
        [
            ("PreemptionByScheduler", "True", ("deleted: PreemptionByScheduler", "kube-scheduler")),
            ("DeletionByTaintManager", "True", ("deleted: DeletionByTaintManager", "taint-eviction-controller")),
            ("EvictionByEvictionAPI", "True", ("deleted: EvictionByEvictionAPI", "unknown")),
            ("PreemptionByScheduler", "False", ("deleted", "unknown")),
        ],
    )
    def test_a_pod_may_say_what_befell_it(self, reason, status, expected):
        """In its DisruptionTarget condition."""
        condition = Condition("DisruptionTarget", status, reason)
        pod = Object("v1", "Pod", "shop", "web", "u", conditions=(condition,))
        change = changes.deletion(pod)
        assert (change.summary, change.manager) == expected


class TestWish:
    """Kinds that move their generation with every write of their status (kubernetes-events 7.14)."""

    APP = Object("argoproj.io/v1alpha1", "Application", "argocd", "shop", "u", generation=7)
    SERVER = entry("argocd-server", "source", at_s=0)
    CONTROLLER = entry("argocd-application-controller", spec=False, status=True, at_s=10)
    BOTH = entry("operator", "size", status=True, at_s=10)

    def wish(self, before: tuple[FieldManager, ...], after: tuple[FieldManager, ...], **fields: object) -> bool:
        """Whether the generation moved for a wish."""
        old = msgspec.structs.replace(self.APP, managers=before)
        return who.is_wish(old, msgspec.structs.replace(old, generation=8, managers=after, **fields))

    def later(self, manager: FieldManager) -> FieldManager:
        """The same, written again."""
        return msgspec.structs.replace(manager, time_ns=T0 + 60 * SECOND)

    def test_a_status_write_is_none(self):
        """The entry of the status has moved."""
        assert not self.wish((self.SERVER, self.CONTROLLER), (self.SERVER, self.later(self.CONTROLLER)))

    def test_an_entry_of_the_spec_that_was_written_again_is_one(self):
        """It holds nothing of the status, so it was the spec that moved the generation."""
        assert self.wish((self.SERVER, self.CONTROLLER), (self.later(self.SERVER), self.CONTROLLER))

    def test_a_new_owner_is_one(self):
        """It has come by changing something."""
        assert self.wish((self.SERVER,), (self.SERVER, entry("kubectl-edit", "destination")))

    def test_a_time_alone_is_none_if_the_entry_holds_the_status_too(self):
        """An operator that writes everything: mostly it is the status."""
        assert not self.wish((self.BOTH,), (self.later(self.BOTH),))

    def test_a_part_gained_is_one_even_so(self):
        """The status has no such part."""
        assert self.wish((self.BOTH,), (msgspec.structs.replace(self.BOTH, parts=("limit", "size")),))

    def test_without_evidence_there_is_none(self):
        """The generation is no evidence."""
        assert not self.wish((), ())

    def test_where_the_spec_is_known_it_alone_tells(self):
        """Whatever the entries say."""
        old = msgspec.structs.replace(self.APP, parts=parts({"source": "a"}), managers=(self.SERVER,))
        new = msgspec.structs.replace(old, generation=8, managers=(self.later(self.SERVER),))
        assert not who.is_wish(old, new)
        assert who.is_wish(old, msgspec.structs.replace(new, parts=parts({"source": "b"})))


class TestStories:
    """What the chronicle makes of it."""

    def test_status_writes_of_a_custom_resource_open_no_story(self):
        """Seventeen generations, one sync: one story."""
        cluster = Cluster()
        status = entry("argocd-application-controller", spec=False, status=True)
        app = cluster.create(
            "Application", "shop", api_version="argoproj.io/v1alpha1", generation=1, managers=(status,)
        )
        cluster.wait(60)
        for second in range(17):
            newer = msgspec.structs.replace(status, time_ns=T0 + second * SECOND)
            cluster.change(app, generation=app.object.generation + 1, managers=(newer,))
        cluster.edit(app, by="argocd-server")
        cluster.finish()
        told = [span for span in cluster.roots() if span.attributes["kspanpy.change.summary"] != "created"]
        assert [span.attributes["kspanpy.change.manager"] for span in told] == ["argocd-server"]

    def test_what_goes_with_its_owner_is_collected(self):
        """A Deployment of a custom resource that is being deleted."""
        cluster = Cluster()
        shop = cluster.create("Shop", "corner", api_version="example.com/v1", generation=1)
        web = cluster.deployment(owners=(shop.as_owner(),))
        cluster.wait(60)
        cluster.delete(shop)
        cluster.gone(web)
        cluster.gone(shop)
        cluster.finish()
        deleted = [chapter.change for chapter in cluster.linker._catalog.seen(web.uid).chapters][-1]
        assert (deleted.manager, deleted.summary) == ("garbage-collector", "deleted with its owner")


# How the API server keeps managedFields, in small: structured-merge-diff merge/update.go, managedfields/internal/managedfieldsupdater.go.
LEAVES = {"replicas": REPLICAS, "image": IMAGE, "env A": ENV, "env B": ENV, "strategy": "strategy", "label": ""}
NAMES = ["alice", "bob", "carol"]


class Store:
    """One object and its managers; values are numbers, times whole seconds."""

    def __init__(self) -> None:
        self.values = {"replicas": 1, "image": 1, "env A": 1}
        self.owned: dict[tuple[str, str], set[str]] = {("alice", "Update"): set(self.values)}
        self.times: dict[tuple[str, str], int] = {("alice", "Update"): 0}
        self.generation = 1

    def write(self, name: str, operation: str, wanted: dict[str, int | None], at_s: int) -> None:
        """Update: set or remove these; Apply: these are all it wants, with force."""
        key, old = (name, operation), dict(self.values)
        mine = self.owned.get(key, set())
        if operation == "Apply":
            others = set().union(*(owned for other, owned in self.owned.items() if other != key), set())
            keep = {leaf: value for leaf, value in wanted.items() if value is not None}
            for leaf in mine - set(keep) - others:
                self.values.pop(leaf, None)
            self.values.update(keep)
        else:
            keep = {}
            for leaf, value in wanted.items():
                if value is None:
                    self.values.pop(leaf, None)
                else:
                    self.values[leaf] = value
        changed = {leaf for leaf, value in self.values.items() if old.get(leaf) != value}
        removed = set(old) - set(self.values)
        before = {other: set(owned) for other, owned in self.owned.items()}
        for other in list(self.owned):
            self.owned[other] -= removed if other == key else removed | changed
        now = set(keep) if operation == "Apply" else self.owned.get(key, set()) | changed
        self.owned[key] = now
        if changed or (operation == "Apply" and (removed or now != before.get(key, set()))):
            self.times[key] = at_s
        self.owned = {other: owned for other, owned in self.owned.items() if owned}
        self.generation += any(LEAVES[leaf] for leaf in changed | removed)

    def version(self) -> Object:
        """As a watch would show it."""
        values: dict[str, str] = {}
        for leaf in sorted(self.values):
            if LEAVES[leaf]:
                values[LEAVES[leaf]] = values.get(LEAVES[leaf], "") + f"{leaf}={self.values[leaf]};"
        managers = tuple(
            entry(
                name,
                *{LEAVES[leaf] for leaf in owned} - {""},
                operation=operation,
                at_s=self.times[name, operation],
                spec=any(LEAVES[leaf] for leaf in owned),
            )
            for (name, operation), owned in sorted(self.owned.items())
        )
        return msgspec.structs.replace(WEB, parts=parts(values), managers=managers, generation=self.generation)


wishes = st.dictionaries(st.sampled_from(sorted(LEAVES)), st.none() | st.integers(1, 3), min_size=1, max_size=3)
writes = st.tuples(st.sampled_from(NAMES), st.sampled_from(["Update", "Update", "Apply"]), wishes, st.integers(0, 1))


class TestNobodyIsAccused:
    """Whatever happens, whoever is named did it."""

    @given(st.lists(writes, max_size=12))
    @settings(deadline=None)
    def test_of_neighbouring_versions(self, history):
        """Many writes within a second, shared ownership, labels, removals."""
        store, at_s = Store(), 0
        for name, operation, wanted, passes in history:
            before, at_s = store.version(), at_s + passes
            store.write(name, operation, wanted, at_s)
            after = store.version()
            if after.generation != before.generation:
                author = who.of_change(before, after, what.moved(before, after))
                assert author.manager in (name, "unknown")
                if author.manager == name:
                    assert author.operation == operation
                    assert author.time_ns in (None, T0 + at_s * SECOND)

    def test_and_most_changes_have_an_author(self):
        """The rule is not met by naming nobody."""
        store = Store()
        named = []
        for at_s, (name, operation, wanted) in enumerate(
            [
                ("bob", "Update", {"image": 2}),
                ("carol", "Apply", {"replicas": 3}),
                ("alice", "Update", {"env A": 2, "label": 1}),
                ("alice", "Update", {"env A": None}),
                ("carol", "Apply", {"replicas": 3, "strategy": 1}),
                ("carol", "Apply", {"replicas": 3}),
            ],
            1,
        ):
            before = store.version()
            store.write(name, operation, wanted, at_s)
            after = store.version()
            named.append(who.of_change(before, after, what.moved(before, after)).manager)
        assert named == ["bob", "carol", "alice", "unknown", "carol", "carol"]

    def test_the_controller_is_never_taken_for_an_author(self):
        """Its status has a newer time with every version."""
        newer = msgspec.structs.replace(CONTROLLER, time_ns=T0 + 99 * SECOND)
        after = msgspec.structs.replace(version(**SCALED), managers=(CREATE, newer))
        assert told(WEB, after)[0] != "kube-controller-manager"
