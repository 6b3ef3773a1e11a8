"""Changes that nobody can show, as far as the Events of controllers tell of them."""

from __future__ import annotations

import pytest

from kspanpy.core.model import SECOND, Event, ObjectReference
from kspanpy.core.objects.catalog import Catalog, Record
from kspanpy.core.placing import hearsay
from kspanpy.core.placing.hearsay import MAX_HEARD, Hearsay
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.timing import Occurrence
from tests.core.cluster import T0


class Heard:
    """One workload, and what Events say of it."""

    def __init__(self, kind: str = "Deployment", *, capacity: int = 10) -> None:
        self.hearsay = Hearsay(capacity=capacity)
        self.reference = ObjectReference(kind=kind, namespace="shop", name="web", uid="web", api_version="apps/v1")
        self.record: Record = Catalog(LinkerSettings()).stand_in(self.reference, T0)
        self.number = 0

    def say(self, at_s: float, reason: str, message: str = "") -> None:
        """An Event of its controller."""
        self.number += 1
        event = Event(
            uid=f"e{self.number}",
            name="e",
            namespace="shop",
            involved=self.reference,
            reason=reason,
            message=message,
        )
        self.hearsay.hear(event, Occurrence(1, T0 + int(at_s * SECOND), 0))

    def scaled(self, at_s: float, rs: str, before: int, after: int) -> None:
        """A Deployment scales a ReplicaSet, in today's words."""
        way = "up" if after > before else "down"
        self.say(at_s, "ScalingReplicaSet", f"Scaled {way} replica set {rs} from {before} to {after}")

    def phases(self) -> list[str]:
        """Of the changes that have been heard of since the last call."""
        return [chapter.phase for chapter in self.hearsay.changes(self.record)]


class TestDeployment:
    """It says which ReplicaSet it scales."""

    def test_the_first_that_is_scaled_up_is_a_rollout(self):
        """Its creation, as far as anybody knows."""
        heard = Heard()
        heard.scaled(0, "web-1", 0, 3)
        assert heard.phases() == ["rollout"]

    def test_another_one_is_the_next_rollout(self):
        """Its steps, and the end of the old one, are of it."""
        heard = Heard()
        heard.scaled(0, "web-1", 0, 2)
        for at_s, step in enumerate([("web-2", 0, 1), ("web-1", 2, 1), ("web-2", 1, 2), ("web-1", 1, 0)]):
            heard.scaled(60 + at_s, *step)
        assert heard.phases() == ["rollout", "rollout"]

    @pytest.mark.parametrize(("before", "after"), [(2, 5), (5, 2), (2, 0)])
    def test_the_only_one_is_a_scaling(self, before, after):
        """Up or down."""
        heard = Heard()
        heard.scaled(0, "web-1", 0, 2)
        heard.scaled(60, "web-1", before, after)
        assert heard.phases() == ["rollout", "scale"]

    def test_back_to_the_one_before(self):
        """The newest is scaled down while an older one is there: a rollback, begun from that end."""
        heard = Heard()
        heard.scaled(0, "web-1", 0, 3)
        heard.scaled(60, "web-2", 0, 1)
        heard.scaled(90, "web-2", 1, 0)
        heard.scaled(90.1, "web-1", 2, 3)
        assert heard.phases() == ["rollout", "rollout", "rollout"]

    def test_the_first_word_may_be_the_middle_of_a_rollout(self):
        """The old one goes: what came before was not heard."""
        heard = Heard()
        heard.scaled(0, "web-1", 2, 1)
        heard.scaled(1, "web-2", 1, 2)
        assert heard.phases()[0] == "rollout"

    @pytest.mark.parametrize(
        "message",
        [
            "Scaled up replica set web-1 to 3",
            "Scaled up replica set web-1 to 3 from 0",
            "Scaled up replica set web-1 from 0 to 3",
            "(combined from similar events): Scaled up replica set web-1 from 0 to 3",
        ],
    )
    def test_all_the_words_it_has_had(self, message):
        """In three releases, and aggregated."""
        heard = Heard()
        heard.say(0, "ScalingReplicaSet", message)
        assert heard.phases() == ["rollout"]

    @pytest.mark.parametrize("message", ["", "Scaled", "Scaled up replica set ", "Scaled up replica set web to many"])
    def test_other_words_say_nothing(self, message):
        """Not even a change."""
        heard = Heard()
        heard.say(0, "ScalingReplicaSet", message)
        assert heard.phases() == []

    def test_in_order_of_time(self):
        """Not in that in which they were heard."""
        heard = Heard()
        heard.scaled(60, "web-2", 0, 1)
        heard.scaled(0, "web-1", 0, 1)
        heard.scaled(61, "web-1", 1, 0)
        assert heard.phases() == ["rollout", "rollout"]

    def test_what_was_heard_is_heard_once(self):
        """And remembered for what comes next."""
        heard = Heard()
        heard.scaled(0, "web-1", 0, 2)
        assert (heard.phases(), heard.phases()) == (["rollout"], [])
        heard.scaled(60, "web-1", 2, 4)
        assert heard.phases() == ["scale"]


class TestOthers:
    """Other owners of Pods only say that they act."""

    def test_after_a_rest_it_is_a_change(self):
        """Controllers go on at once when a Pod is ready; people do not."""
        heard = Heard("StatefulSet")
        for at_s in (0, 3, 7, 60, 64):
            heard.say(at_s, "SuccessfulCreate", "create Pod web-0 in StatefulSet web successful")
        assert heard.phases() == ["rollout", "rollout"]

    def test_a_refusal_is_an_act(self):
        """It tried."""
        heard = Heard("DaemonSet")
        heard.say(0, "FailedCreate", "Error creating: exceeded quota")
        assert heard.phases() == ["rollout"]

    def test_a_job_runs_once(self):
        """However long it rests."""
        heard = Heard("Job")
        for at_s in (0, 600, 1200):
            heard.say(at_s, "SuccessfulCreate", "Created pod: web-x7k2p")
        assert heard.phases() == ["run"]

    def test_a_replica_set_changes_because_its_owner_does(self):
        """It is not asked."""
        heard = Heard("ReplicaSet")
        heard.say(0, "SuccessfulCreate", "Created pod: web-x7k2p")
        assert heard.phases() == []

    @pytest.mark.parametrize("reason", ["Killing", "Remark", "SuccessfulRescale"])
    def test_other_reasons_are_no_acts(self, reason):
        """Only Pods that are made, refused or taken away."""
        heard = Heard("StatefulSet")
        heard.say(0, reason)
        assert heard.phases() == []


class TestBounds:
    """Events are anybody's."""

    def test_so_much_of_one_object(self):
        """The rest is placed, but opens nothing."""
        heard = Heard()
        for number in range(MAX_HEARD + 50):
            heard.scaled(number, f"web-{number}", 0, 1)
        assert len(heard.phases()) == MAX_HEARD

    def test_so_many_objects(self):
        """The oldest, or the newest, is let go of: never more than there is room for."""
        heard = Heard(capacity=2)
        heard.scaled(0, "web-1", 0, 1)
        for number in range(10):
            about = ObjectReference(namespace="shop", uid=f"other-{number}")
            event = Event("e", "e", "shop", about, reason="SuccessfulCreate")
            heard.hearsay.hear(event, Occurrence(1, T0, 0))
        assert heard.phases() == []

    def test_what_is_shown_needs_no_hearsay(self):
        """Its own history counts."""
        heard = Heard()
        heard.scaled(0, "web-1", 0, 1)
        heard.hearsay.forget(heard.record.object)
        assert heard.phases() == []


def test_the_replica_set_that_is_named():
    """For kinship: a Deployment names its own."""
    event = Event(
        "e", "e", "shop", ObjectReference(), reason="ScalingReplicaSet", message="Scaled up replica set a to 1"
    )
    assert hearsay.scaled(event) == "a"
    other = Event("e", "e", "shop", ObjectReference(), reason="Other", message="Scaled up replica set a to 1")
    assert hearsay.scaled(other) == ""
