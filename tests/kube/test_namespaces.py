"""The choice of namespaces."""

from __future__ import annotations

from kspanpy.core.model import Event, Object, ObjectReference
from kspanpy.kube import EVENTS, WATCHED, WatchSettings
from kspanpy.kube.namespaces import ProgressMerger, Target, targets, wanted

POD = Object(api_version="v1", kind="Pod", namespace="shop", name="web", uid="u")


def about(namespace: str, *, stored: str = "shop") -> Event:
    """An Event about a Pod of that namespace."""
    return Event(uid="u", name="e", namespace=stored, involved=ObjectReference(kind="Pod", namespace=namespace))


def test_without_a_choice_every_kind_is_watched_once() -> None:
    """All namespaces: one watch a kind."""
    assert targets(WATCHED, WatchSettings()) == [Target(resource) for resource in WATCHED]


def test_a_choice_is_one_watch_a_kind_and_namespace_and_nodes_stay_cluster_wide() -> None:
    """Included namespaces are watched each on its own, as namespaced Roles allow it."""
    found = targets(WATCHED, WatchSettings(include=("shop", "bank", "shop")))
    pods = [target.namespace for target in found if target.resource.kind == "Pod"]
    nodes = [target for target in found if target.resource.kind == "Node"]
    assert pods == ["shop", "bank"]
    assert [target.namespace for target in nodes] == [""]


def test_events_about_nodes_come_from_default_even_if_it_is_not_chosen() -> None:
    """`default` is watched for Events about objects without a namespace, and only for these."""
    found = [target for target in targets(WATCHED, WatchSettings(include=("shop",))) if target.resource == EVENTS]
    assert found == [Target(EVENTS, "shop"), Target(EVENTS, "default", unscoped=True)]
    assert wanted(about("", stored="default"), found[1], exclude=frozenset())
    assert not wanted(about("default", stored="default"), found[1], exclude=frozenset())


def test_a_chosen_default_is_watched_whole() -> None:
    """No second watch of `default` when it is included."""
    found = [target for target in targets(WATCHED, WatchSettings(include=("default",))) if target.resource == EVENTS]
    assert found == [Target(EVENTS, "default")]
    assert wanted(about("default", stored="default"), found[0], exclude=frozenset())


def test_excluded_namespaces_are_dropped_but_not_events_about_nodes() -> None:
    """Exclusion is by the namespace of the object, and objects without one are in none."""
    target, exclude = Target(EVENTS), frozenset({"shop", "default"})
    assert not wanted(about("shop"), target, exclude=exclude)
    assert wanted(about("bank", stored="bank"), target, exclude=exclude)
    assert wanted(about("", stored="default"), target, exclude=exclude)
    assert not wanted(POD, Target(WATCHED[1]), exclude=exclude)


def test_exclusion_wins_over_inclusion() -> None:
    """A namespace that is in both is not watched."""
    found = targets(WATCHED, WatchSettings(include=("shop", "bank"), exclude=("bank",)))
    assert {target.namespace for target in found if target.resource.kind == "Pod"} == {"shop"}


def test_a_kind_has_progressed_as_far_as_its_slowest_watch() -> None:
    """That nothing older of this kind is still to come must hold for all its namespaces."""
    shop, bank = Target(WATCHED[1], "shop"), Target(WATCHED[1], "bank")
    merger = ProgressMerger([shop, bank])
    assert [merger.moved(shop, 10), merger.moved(bank, 7), merger.moved(bank, 9), merger.moved(shop, 12)] == [
        None,
        7,
        9,
        None,
    ]
    assert merger.moved(bank, 20) == 12


def test_a_watch_without_rights_holds_no_other_back() -> None:
    """A namespace that may not be read does not keep the kind from progressing, and counts again when it may."""
    shop, bank = Target(WATCHED[1], "shop"), Target(WATCHED[1], "bank")
    merger = ProgressMerger([shop, bank])
    assert merger.moved(shop, 10) is None
    assert merger.absent(bank) == 10
    assert merger.absent(shop) is None
    assert merger.moved(shop, 12) == 12
    assert merger.moved(bank, 11) is None
    assert merger.moved(shop, 20) is None
    assert merger.moved(bank, 15) == 15
