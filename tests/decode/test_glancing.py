"""A glance says of a watch line what reading it would say, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kspanpy.core.model import Event
from kspanpy.decode import Change, Glance, glance, watch_line

EVENT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "v1",
    "metadata": {"name": "web.1", "namespace": "shop", "uid": "u", "resourceVersion": "17"},
    "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web"},
    "reason": "Unhealthy",
    "message": "no answer",
    "type": "Warning",
}


def line(type_: str = "ADDED", **more: Any) -> bytes:
    """A line of a watch."""
    return json.dumps({"type": type_, "object": EVENT | more}).encode()


@pytest.mark.parametrize("type_", ["ADDED", "MODIFIED"])
def test_an_event_is_known_by_its_namespace_its_type_and_its_version(type_):
    """All that is needed to drop it and to move the cursor past it."""
    assert glance(line(type_)) == Glance("shop", warning=True, resource_version=17)
    assert glance(line(type_, type="Normal")) == Glance("shop", warning=False, resource_version=17)


@pytest.mark.parametrize(
    "other",
    [
        line("DELETED"),
        line("BOOKMARK"),
        line("ERROR"),
        line("other"),
        line(kind="Pod"),
        line(apiVersion="example.org/v1"),
        line(metadata={"name": "web.1", "namespace": "shop", "resourceVersion": "opaque"}),
        line(metadata={"name": "web.1", "namespace": "shop"}),
        line(metadata={"namespace": "shop", "resourceVersion": "17"}),
        line(metadata={"name": "web.1", "namespace": ["shop"], "resourceVersion": "17"}),
        line(metadata=None),
        line()[:-1],
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"type":"ADDED","object":{"metadata":' + b'{"a":' * 100_000,
        line(message="x").replace(b'"x"', b"[" * 5_000 + b"]" * 5_000),
        b'{"kind":"Status","code":410}',
    ],
)
def test_whatever_is_not_plainly_an_event_that_was_written_has_to_be_read(other):
    """It is no loss to read a line too many."""
    assert glance(other) is None


@pytest.mark.parametrize("field", ["message", "reason", "action", "reportingInstance"])
def test_no_text_can_pass_for_the_namespace_of_an_event(field):
    """Neither quotes and braces, nor a copy of a whole Event, nor labels with the names of the fields."""
    other = {"metadata": {"name": "a", "namespace": "victim", "resourceVersion": "99"}, "type": "Normal"}
    text = '","metadata":{"namespace":"victim","resourceVersion":"99"},"type":"Normal","x":"' + json.dumps(other)
    seen = glance(line(**{field: text, "labels": other, "object": other, "involvedObject": other["metadata"]}))
    assert seen == Glance("shop", warning=True, resource_version=17)
    metadata = EVENT["metadata"] | {"annotations": {"namespace": "victim"}, "labels": {"metadata": text}, "zz": other}
    assert glance(line(metadata=metadata)) == seen


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["shop", "17", "Event", "v1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "namespace", "resourceVersion", "type", "metadata", "uid"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*EVENT, "series", "count", "object"]), odd, max_size=4), odd, st.data())
def test_a_glance_and_reading_agree(fields, namespace, data):
    """Whatever stands in the fields, also twice, also cut off or with bytes that are no UTF-8."""
    metadata = EVENT["metadata"] | {"namespace": namespace}
    body = json.dumps({"type": "ADDED", "object": {**EVENT, "metadata": metadata, **fields}}).encode()
    if data.draw(st.booleans()):
        body = body.replace(b'"kind": "Event"', b'"kind": "Event", "metadata": ' + json.dumps(fields).encode(), 1)
    at = data.draw(st.integers(0, len(body)))
    body = body[:at] + data.draw(st.binary(max_size=2)) + body[at + data.draw(st.integers(0, 2)) :]
    seen = glance(body)
    if seen is None:
        return
    change = watch_line(body, kind="Event", api_version="v1")
    if isinstance(change, Change):  # else it is malformed, and its own namespace pays
        assert isinstance(change.object, Event)
        event = change.object
        assert seen == Glance(event.namespace, event.type == "Warning", event.resource_version or -1)
