"""What decoding does not take as it was written is counted, by a closed list of reasons; what is ordinary costs nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kspanpy.decode import Altered, altered, object_from


def counted(**fields: Any) -> dict[str, int]:
    """By how much the counts move when an Event (or another kind) with these fields is decoded."""
    thing = {"kind": "Event", "apiVersion": "v1", "metadata": {"name": "e", "uid": "u"}, **fields}
    before = altered()
    object_from(json.dumps(thing).encode())
    return {str(reason): number - before[reason] for reason, number in altered().items() if number > before[reason]}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"message": "Back-off restarting", "reason": "BackOff"}, {}, id="ordinary"),
        pytest.param({"message": "größer als 日本"}, {}, id="other alphabets"),
        pytest.param({"message": "x" * 1025}, {"cut": 1}, id="too long"),
        pytest.param({"message": "x" * 1_000_000}, {"cut": 1}, id="a megabyte"),
        pytest.param({"message": "\x1b[2J", "reason": "A\x00"}, {"cleaned": 2}, id="controls"),
        pytest.param({"message": "\x00" * 1_000_000}, {"cut": 1}, id="a megabyte of controls"),
        pytest.param({"message": "x" * 1000 + "\x1b" * 100}, {"cleaned": 1}, id="short enough once clean"),
        pytest.param(
            {
                "kind": "Pod",
                "metadata": {"name": "p", "ownerReferences": [{"kind": "A", "uid": str(n)} for n in range(5000)]},
            },
            {"left_out": 4984},
            id="thousands of owners",
        ),
        pytest.param(
            {"kind": "Pod", "metadata": {"name": "p", "managedFields": [{"manager": "m"}] * 70}},
            {"left_out": 6},
            id="managers",
        ),
    ],
)
def test_each_is_counted_once(fields: dict[str, Any], expected: dict[str, int]) -> None:
    """By what was done to it."""
    assert counted(**fields) == expected


def test_every_reason_is_there_from_the_beginning() -> None:
    """A counter that appears only with its first value can not be compared with anything."""
    assert set(altered()) == set(Altered)
