"""What a name says about an owner: the last resort, and never more than a guess."""

from __future__ import annotations

import pytest

from kspanpy.core.objects import naming

LONG = "a" * 58


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        pytest.param("ReplicaSet", "web-6d4cf56db6", [("Deployment", "web")], id="a hash of the template"),
        pytest.param("ReplicaSet", "my-web-7c4d4cc559", [("Deployment", "my-web")], id="a name with dashes"),
        pytest.param("ReplicaSet", "web", [], id="no hash"),
        pytest.param("ReplicaSet", "web-main", [], id="a word: vowels are in no hash"),
        pytest.param("ReplicaSet", "web-1", [], id="too short for a hash"),
        pytest.param("Job", "backup-29061234", [("CronJob", "backup")], id="a schedule in minutes"),
        pytest.param("Job", "backup-2024", [], id="too short for minutes"),
        pytest.param("Pod", "db-0", [("StatefulSet", "db")], id="an ordinal"),
        pytest.param("Pod", "db-123456", [], id="no StatefulSet is so large"),
        pytest.param("Pod", "shell", [], id="nothing"),
        pytest.param("Pod", "", [], id="no name"),
        pytest.param("Deployment", "web-6d4cf56db6", [], id="a kind that nothing owns by convention"),
    ],
)
def test_who_may_own_it(kind, name, expected):
    """Kind and name, the likeliest first."""
    assert [(owner, owner_name) for owner, owner_name, _ in naming.owners(kind, name)] == expected


def test_five_random_letters_may_be_of_several_kinds():
    """A ReplicaSet before a DaemonSet before a Job: all that make Pods in numbers."""
    found = naming.owners("Pod", "web-6d4cf56db6-x7k2p")
    assert [kind for kind, _, _ in found] == ["ReplicaSet", "DaemonSet", "Job", "ReplicationController"]
    assert {name for _, name, _ in found} == {"web-6d4cf56db6"}
    assert found[0][2] == "apps/v1"


def test_a_long_name_is_cut_before_its_suffix():
    """The API server cuts at 58 characters and adds five, without a dash of its own."""
    found = naming.owners("Pod", f"{LONG}x7k2p")
    assert found[0][:2] == ("ReplicaSet", LONG)


@pytest.mark.parametrize("name", ["web-main1", "web-apple", "web-x7k2", "web-x7k2pq"])
def test_what_no_generator_makes_is_no_suffix(name):
    """The alphabet has no vowels, no 0, 1 and 3, and a suffix has five letters."""
    assert naming.owners("Pod", name) == []


@pytest.mark.parametrize(
    ("owner", "name", "agree"),
    [
        ("web", "web-1", True),
        ("web", "webshop-1", False),
        ("web", "web", False),
        ("web", "my-web-1", False),
        ("", "-1", True),
        pytest.param(LONG + "bbbb", f"{LONG}x7k2p", True, id="a long one is cut"),
        pytest.param(LONG + "bbbb", f"{LONG}x7k", False, id="which leaves 63 characters"),
        pytest.param("c" + LONG, f"{LONG}x7k2p", False, id="another long one"),
    ],
)
def test_names_begin_with_those_of_their_owners(owner, name, agree):
    """Whatever a message says: a name that does not was not made by that owner."""
    assert naming.agrees(owner, name) is agree


def test_a_long_name_takes_no_long_time():
    """Names are anybody's: the patterns are linear."""
    assert naming.owners("Pod", "-x7k2p" * 20_000)
