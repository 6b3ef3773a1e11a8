"""Decoding costs what there is to read; what was read before costs less; what is remembered has an end."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from kspanpy.core.model import Object
from kspanpy.decode import Change, list_page, watch_line
from kspanpy.decode.metadata import word
from kspanpy.decode.remembered import Remembered
from tests.faults import generator
from tests.growth.counting import LAW, calls, peak_bytes

CLUSTER = generator.Cluster({"pods": 1000, "deployments": 100})
POD = next(CLUSTER.items("Pod"))


def line(thing: dict[str, Any], **metadata: Any) -> bytes:
    """A change, as an API server writes it."""
    changed = copy.deepcopy(thing)
    changed["metadata"] |= metadata
    return json.dumps({"type": "MODIFIED", "object": changed}, separators=(",", ":")).encode()


def read(data: bytes) -> Object:
    """The object of that line."""
    change = watch_line(data)
    assert isinstance(change, Change)
    assert isinstance(change.object, Object)
    return change.object


def test_ten_times_the_lines_take_ten_times_the_calls():
    """However many different Pods there have been."""
    lines = [line(pod) for pod in CLUSTER.items("Pod")]
    few, many = (calls(list, map(watch_line, some)) for some in (lines[:100], lines))
    assert many <= LAW * few


def test_ten_times_the_items_of_a_list_take_ten_times_the_memory():
    """Of a page; and of that most is the page itself, which is let go with its last item."""
    items = [json.dumps(pod, separators=(",", ":")).encode() for pod in CLUSTER.items("Pod")]

    def page(some: list[bytes]) -> bytes:
        return (
            b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":['
            + b",".join(some)
            + b"]}"
        )

    few, many = (peak_bytes(list_page, body) for body in (page(items[:100]), page(items)))
    assert many <= LAW * few


@pytest.mark.parametrize("what", ["conditions", "labels", "annotations", "managers", "containers"])
def test_ten_times_as_much_of_anything_takes_ten_times_the_calls(what):
    """Or less, beyond what is kept of it."""

    def with_so_many(number: int) -> bytes:
        pod = copy.deepcopy(POD)
        if what == "conditions":
            pod["status"]["conditions"] = [{"type": f"C{number}-{n}", "status": "True"} for n in range(number)]
        elif what in ("labels", "annotations"):
            pod["metadata"][what] = {f"{n}/x": "y" * 60 for n in range(number)}
        elif what == "managers":
            pod["metadata"]["managedFields"] = [{"manager": f"m{number}-{n}"} for n in range(number)]
        else:
            pod["spec"]["containers"] = [{"name": f"c{number}-{n}"} for n in range(number)]
            pod["status"]["containerStatuses"] = [{"name": f"c{number}-{n}"} for n in range(number)]
        return line(pod)

    few, many = (calls(watch_line, with_so_many(number)) for number in (20, 200))
    assert many <= LAW * few


def test_a_version_that_says_nothing_new_is_read_with_fewer_calls():
    """A heartbeat: everything but the resourceVersion has been seen, so nothing but the object itself is made again."""
    pods = list(CLUSTER.items("Pod"))[:2]
    read(line(pods[0]))
    other = copy.deepcopy(pods[0])
    for condition in other["status"]["conditions"]:
        condition["lastTransitionTime"] = "2026-03-01T12:00:00Z"
    new = calls(watch_line, line(other, uid="other"))
    again = calls(watch_line, line(pods[0], resourceVersion="77"))
    assert again < new


def test_two_versions_of_an_object_share_what_has_not_changed():
    """And so do two Pods of one ReplicaSet."""
    before, after = read(line(POD)), read(line(POD, resourceVersion="77"))
    assert before.resource_version != after.resource_version
    for name in ("conditions", "containers", "managers", "owners"):
        old, new = getattr(before, name), getattr(after, name)
        assert old == new
        assert all(one is other for one, other in zip(old, new, strict=True)), name
    for name in ("labels", "images", "annotations", "namespace", "node_name", "kind"):
        assert getattr(before, name) is getattr(after, name), name


class TestRemembered:
    """What is remembered by its key."""

    def test_it_is_made_once(self):
        """Whoever asks for it."""
        made: list[str] = []
        table = Remembered(lambda key: made.append(key) or key.upper(), capacity=10)
        assert [table["a"], table["a"], table["b"]] == ["A", "A", "B"]
        assert made == ["a", "b"]

    def test_it_has_an_end_and_then_begins_anew(self):
        """However many different keys there are."""
        table = Remembered(str.upper, capacity=10)
        for number in range(1000):
            assert table[f"a{number}"] == f"A{number}"
            assert len(table) <= 10

    def test_what_had_to_be_altered_is_not_kept(self):
        """It is counted each time; and a text that is too long would be kept as the key, which has no bound."""
        table = word.__self__
        word("ordinary")
        for odd in ("control\x00", "x" * 1000):
            word(odd)
            assert odd not in table
        assert "ordinary" in table

    def test_a_long_text_where_a_time_belongs_is_not_kept(self):
        """Nor what holds it."""
        pod = copy.deepcopy(POD)
        pod["status"]["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": "9" * 100_000}]
        data = line(pod)
        watch_line(data)
        assert peak_bytes(list, map(watch_line, [data] * 50)) < 10 * len(data)
