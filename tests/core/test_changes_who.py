"""Who changed an object, and what: read from the versions before and after."""

from __future__ import annotations

import msgspec
import pytest

from kspanpy.core.changes import change as changes
from kspanpy.core.model import SECOND, FieldManager, Object
from tests.core.cluster import T0

CREATE = FieldManager("kubectl-create", "Update", "", T0, touches_spec=True)
CONTROLLER = FieldManager("kube-controller-manager", "Update", "status", T0 + SECOND, touches_spec=False)
WEB = Object(
    api_version="apps/v1",
    kind="Deployment",
    namespace="shop",
    name="web",
    uid="u",
    generation=1,
    created_ns=T0,
    replicas=2,
    template="one",
    images=(("app", "web:1"), ("log", "log:1")),
    managers=(CREATE, CONTROLLER),
)


def entry(manager: str, *, subresource: str = "", at_s: int | None = 60, spec: bool = True) -> FieldManager:
    """An entry of managedFields."""
    time_ns = None if at_s is None else T0 + at_s * SECOND
    return FieldManager(manager, "Update", subresource, time_ns, touches_spec=spec)


def changed(*managers: FieldManager, **fields: object) -> changes.Change:
    """The change from WEB to a version with these entries besides its own."""
    after = msgspec.structs.replace(WEB, generation=2, managers=(*WEB.managers, *managers), **fields)
    return changes.between(WEB, after)


class TestWhat:
    """Phase and summary."""

    @pytest.mark.parametrize(
        ("fields", "phase", "summary"),
        [
            pytest.param(
                {"template": "two", "images": (("app", "web:2"), ("log", "log:1"))},
                "rollout",
                "image app: web:1 -> web:2",
                id="image",
            ),
            pytest.param(
                {"template": "two", "images": (("app", "web:2"), ("log", "log:2"))},
                "rollout",
                "image app: web:1 -> web:2, image log: log:1 -> log:2",
                id="two images",
            ),
            pytest.param(
                {"template": "two", "images": (*WEB.images, ("new", "new:1"))},
                "rollout",
                "image new: none -> new:1",
                id="one more container",
            ),
            pytest.param({"template": "two", "restarted_at": "2026"}, "rollout", "rollout restart", id="restart"),
            pytest.param({"template": "two"}, "rollout", "pod template", id="something else of the template"),
            pytest.param({"replicas": 4}, "scale", "replicas 2 -> 4", id="scale"),
            pytest.param(
                {"template": "two", "images": (("app", "web:2"), ("log", "log:1")), "replicas": 3},
                "rollout",
                "image app: web:1 -> web:2, replicas 2 -> 3",
                id="image and scale: a rollout",
            ),
            pytest.param({"paused": True}, "update", "paused", id="paused"),
            pytest.param({"replicas": 3, "paused": True}, "scale", "replicas 2 -> 3, paused", id="scaled and paused"),
            pytest.param({}, "update", "spec", id="nothing that is known"),
        ],
    )
    def test_what_moved(self, fields, phase, summary):
        """In words, and which story it makes."""
        change = changed(**fields)
        assert (phase, summary) == (change.phase, change.summary)

    def test_resumed(self):
        """The other way round."""
        before = msgspec.structs.replace(WEB, paused=True)
        assert changes.between(before, WEB).summary == "resumed"

    def test_an_older_restart_is_not_told_again(self):
        """The annotation stays on the object."""
        before = msgspec.structs.replace(WEB, restarted_at="2026")
        after = msgspec.structs.replace(before, template="two")
        assert changes.between(before, after).summary == "pod template"

    def test_a_daemon_set_has_nobody_who_wishes_a_number(self):
        """Its number is that of the nodes."""
        before = msgspec.structs.replace(WEB, kind="DaemonSet")
        after = msgspec.structs.replace(before, template="two", replicas=3)
        assert changes.between(before, after).summary == "pod template"

    def test_a_summary_has_an_end(self):
        """However many containers there are."""
        images = tuple((f"container-{n}", "image") for n in range(100))
        assert len(changed(template="two", images=images).summary) == 256


class TestWho:
    """Only an entry that differs between the two versions counts."""

    def test_the_entry_that_is_new(self):
        """With its time."""
        change = changed(entry("kubectl-set"), template="two")
        assert (change.manager, change.at_ns) == ("kubectl-set", T0 + 60 * SECOND)

    def test_an_entry_that_has_moved(self):
        """The same manager once more."""
        moved = msgspec.structs.replace(CREATE, time_ns=T0 + 60 * SECOND)
        after = msgspec.structs.replace(WEB, managers=(moved, CONTROLLER), template="two")
        assert changes.between(WEB, after).manager == "kubectl-create"

    def test_kubectl_scale_leaves_an_entry_without_a_time(self):
        """It is known who, not when."""
        change = changed(entry("kubectl", subresource="scale", at_s=None), replicas=4)
        assert (change.manager, change.at_ns) == ("kubectl", None)

    def test_where_no_entry_differs_nobody_knows(self):
        """`kubectl scale` of replicas that nobody owns."""
        assert changed(replicas=4) == changes.Change("scale", "replicas 2 -> 4", "unknown", None)

    def test_an_autoscaler_is_called_by_its_name(self):
        """kube-controller-manager scales for nobody else."""
        hpa = entry("kube-controller-manager", subresource="scale")
        assert changed(hpa, replicas=4).manager == "horizontal-pod-autoscaler"

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(entry("kubelet", subresource="status"), id="status"),
            pytest.param(entry("label-maker", spec=False), id="metadata only"),
            pytest.param(entry("kube-controller-manager"), id="the workload's own controller"),
        ],
    )
    def test_entries_that_made_no_wish_do_not_count(self, other):
        """However new they are."""
        assert changed(other, entry("kubectl-set", at_s=1), template="two").manager == "kubectl-set"
        assert changed(other, template="two").manager == "unknown"

    def test_of_two_new_entries_the_newer(self):
        """Several writes may lie between two versions that were seen."""
        assert changed(entry("helm", at_s=50), entry("kubectl-edit", at_s=60)).manager == "kubectl-edit"


class TestFirstSight:
    """There is no version before."""

    def test_a_creation_is_by_who_wrote_it_first(self):
        """The entry that is as old as the object."""
        change = changes.creation(WEB)
        assert change == changes.Change("", "created with image web:1, log:1", "kubectl-create", T0)

    def test_a_creation_that_was_edited_at_once_is_by_nobody(self):
        """Generation 2 was not made by whoever created it."""
        assert changes.creation(msgspec.structs.replace(WEB, generation=2)).manager == "unknown"

    def test_without_managers_nobody_knows(self):
        """ManagedFields may be switched off by proxies, and are absent for some kinds."""
        assert changes.creation(msgspec.structs.replace(WEB, managers=())).manager == "unknown"

    def test_what_was_changed_before_anybody_looked_is_dated_by_its_newest_entry(self):
        """Who that was proves nothing about what."""
        obj = msgspec.structs.replace(WEB, generation=5, managers=(CREATE, entry("kubectl-set"), entry("x", at_s=None)))
        change = changes.last_change(obj)
        assert (change.manager, change.at_ns) == ("unknown", T0 + 60 * SECOND)

    def test_without_any_dated_entry_it_is_as_old_as_the_object(self):
        """Better too old than new."""
        assert changes.last_change(msgspec.structs.replace(WEB, generation=5, managers=())).at_ns == T0
