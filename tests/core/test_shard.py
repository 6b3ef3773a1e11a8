"""Which shard tells what; and that shards together tell exactly what one process tells, whatever happens."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kspanpy.core.model import Object
from kspanpy.core.shard import Shard, parse
from kspanpy.core.steps import DiscardReason
from tests.core.cluster import T0, Cluster
from tests.core.sharded import Shards
from tests.core.test_properties import CRAMPED, ROOMY, SECOND, histories
from tests.model.delivery import tell
from tests.model.histories import Cluster as Model
from tests.model.histories import histories as model_histories
from tests.model.test_model import late

few = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def thing(name: str, *, namespace: str = "shop", kind: str = "Deployment", uid: str = "u") -> Object:
    """A root object."""
    return Object("apps/v1", kind, namespace, name, uid)


class TestWhoTells:
    """By namespace, kind and name of the root object."""

    @pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 256])
    def test_exactly_one_shard_tells_of_an_object(self, count: int) -> None:
        """Whatever its name."""
        for number in range(50):
            assert sum(Shard(index, count).tells(thing(f"web-{number}")) for index in range(count)) == 1

    def test_it_is_the_same_one_in_every_process_and_version(self) -> None:
        """The hash is written down here: with another one every story of every user would move."""
        roots = [thing("web"), thing("web", kind="StatefulSet"), thing("web", namespace="bank"), thing("node-1", namespace="", kind="Node")]  # fmt: skip
        assert [next(i for i in range(64) if Shard(i, 64).tells(root)) for root in roots] == [32, 25, 41, 24]

    def test_what_is_deleted_and_made_again_stays_where_it_was(self) -> None:
        """Its uid does not count."""
        for index in range(5):
            assert Shard(index, 5).tells(thing("web", uid="one")) == Shard(index, 5).tells(thing("web", uid="two"))

    def test_objects_are_spread_evenly(self) -> None:
        """Of 4000 names each of four shards has 1000, give or take a tenth."""
        shares = Counter(i for n in range(4000) for i in range(4) if Shard(i, 4).tells(thing(f"web-{n}")))
        assert all(900 < share < 1100 for share in shares.values())


class TestText:
    """How a user writes it."""

    @pytest.mark.parametrize(
        ("text", "shard"),
        [("", Shard()), ("0/1", Shard()), ("0/4", Shard(0, 4)), ("3/4", Shard(3, 4)), ("255/256", Shard(255, 256))],
    )
    def test_it_is_the_number_and_how_many_there_are(self, text: str, shard: Shard) -> None:
        """From 0."""
        assert parse(text) == shard
        assert not text or str(shard) == text

    @pytest.mark.parametrize(
        ("host", "index"), [("kspanpy-0", 0), ("kspanpy-3", 3), ("kspanpy-1.kspanpy.svc", 1), ("2", 2)]
    )
    def test_auto_takes_the_number_that_the_host_name_ends_in(self, host: str, index: int) -> None:
        """As the Pods of a StatefulSet have it."""
        assert parse("auto/4", host=host) == Shard(index, 4)

    @pytest.mark.parametrize("text", ["4/4", "-1/4", "0/0", "0/257", "1", "/", "a/4", "01/4", "0/04", "0/4/1", "٣/٤", "0 / 4"])  # fmt: skip
    def test_anything_else_is_refused(self, text: str) -> None:
        """Rather than tell something else than was meant."""
        with pytest.raises(ValueError, match=r"."):
            parse(text)

    @pytest.mark.parametrize("host", ["kspanpy-4", "kspanpy", "kspanpy-7d4b9c6f5-x7k2p", "kspanpy-01", "kspanpy-1a", ""])  # fmt: skip
    def test_auto_is_refused_where_the_host_name_says_nothing(self, host: str) -> None:
        """No number, or one that is too large."""
        with pytest.raises(ValueError, match=r"."):
            parse("auto/4", host=host)


def followed(how, history) -> None:
    """By one linker and by shards, compared at every step."""
    shards = Shards(how)
    for fact, now_ns in history:
        shards.step(fact, now_ns)
    shards.finish(T0 + 1300 * SECOND)


class TestShardsTogether:
    """Everything is followed everywhere, and told once."""

    @few
    @given(history=histories)
    def test_any_history_is_told_by_all_shards_as_by_one_process(self, history):
        """Compared at every step."""
        followed(ROOMY, history)

    @few
    @given(history=histories)
    def test_also_where_there_is_no_room(self, history):
        """What is forgotten early for want of room is forgotten by all: bounds count what is followed, not what is told."""
        followed(CRAMPED, history)

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(history=model_histories(), lateness=late(), parent=st.booleans())
    def test_also_where_the_cluster_is_like_a_real_one(self, history, lateness, parent):
        """Histories of the model, with watches that are late."""
        how = msgspec.structs.replace(ROOMY, traceparent="parent" if parent else "link")
        tell(Model(history).play(history), lateness, Shards(how))


class TestAccounts:
    """seen = exported + discarded + pending, in each shard."""

    def test_what_another_shard_tells_is_discarded_with_that_reason(self):
        """Not before its place is known, and for a step that lasts not before its end: until then it is pending."""
        (other,) = (shard for shard in (Shard(0, 2), Shard(1, 2)) if not shard.tells(thing("web")))
        cluster = Cluster(shard=other)
        pod = cluster.pod(cluster.replicaset(cluster.deployment("web")))
        cluster.event(pod, "Scheduled")
        cluster.event(pod, "Pulling")
        assert (cluster.linker.stats().held_events, cluster.discarded) == (2, [])
        cluster.bookmark()
        assert (cluster.linker.stats().held_events, len(cluster.discarded)) == (1, 1)
        cluster.event(pod, "Pulled")
        cluster.finish()
        assert cluster.spans == []
        assert [discarded.reason for discarded in cluster.discarded] == [DiscardReason.OTHER_SHARD] * 3
        assert cluster.linker.stats().held_events == 0

    def test_the_shard_that_tells_it_discards_nothing(self):
        """The same history."""
        (own,) = (shard for shard in (Shard(0, 2), Shard(1, 2)) if shard.tells(thing("web")))
        cluster = Cluster(shard=own)
        pod = cluster.pod(cluster.replicaset(cluster.deployment("web")))
        cluster.event(pod, "Scheduled")
        cluster.finish()
        assert cluster.discarded == []
        assert any(span.name == "Pod.Scheduled" for span in cluster.spans)
