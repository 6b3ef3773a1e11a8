"""Ids are a promise to every trace that has been stored: these values must never change."""

from __future__ import annotations

import os
import subprocess
import sys

from kspanpy.core import ids

TRACE = bytes.fromhex("c6d8a0a7f4a1bb0c6e7c0ff9d20a2d5e")
_PRINT = (
    "from kspanpy.core import ids; t = ids.trace_id('c', 'r', '2'); "
    "print(t.hex(), ids.event_span_id('e', 3).hex(), ids.lifecycle_span_id(t, 'o', 'startup').hex())"
)


def test_golden_values():
    """The same fields give the same ids for ever: a span that is sent again after an upgrade is the same span."""
    assert ids.trace_id("cluster", "root", "2").hex() == "e9c1636d85b059eea09e42ff81b02332"
    assert ids.event_span_id("event", 1).hex() == "4a1db15311a7bcd3"
    assert ids.lifecycle_span_id(TRACE, "object", "startup").hex() == "9eaabb9e6daacbf7"


def test_sizes():
    """As OTLP wants them: 16 and 8 bytes, never all zero."""
    assert len(ids.trace_id("", "", "")) == 16
    assert len(ids.event_span_id("", 0)) == len(ids.lifecycle_span_id(b"", "", "")) == 8
    assert any(ids.trace_id("", "", ""))


def test_every_field_counts():
    """Another cluster, root, story, event, step, object or phase is another id."""
    found = [
        ids.trace_id("c", "r", "2"),
        ids.trace_id("d", "r", "2"),
        ids.trace_id("c", "s", "2"),
        ids.trace_id("c", "r", "3"),
        ids.event_span_id("e", 1),
        ids.event_span_id("f", 1),
        ids.event_span_id("e", 2),
        ids.lifecycle_span_id(TRACE, "o", "startup"),
        ids.lifecycle_span_id(TRACE, "p", "startup"),
        ids.lifecycle_span_id(TRACE, "o", "run"),
        ids.lifecycle_span_id(TRACE[::-1], "o", "startup"),
    ]
    assert len(found) == len(set(found))


def test_fields_do_not_run_into_each_other():
    """The pair ab, c is not the pair a, bc."""
    assert ids.trace_id("ab", "c", "") != ids.trace_id("a", "bc", "")
    assert ids.event_span_id("e1", 1) != ids.event_span_id("e", 11)


def test_broken_text_has_an_id_too():
    """Half a surrogate pair is no reason to stop."""
    assert len(ids.trace_id("\ud800", "", "")) == 16


def test_no_hash_seed_and_no_process_has_a_say():
    """Two processes with different hash seeds agree."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _PRINT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
