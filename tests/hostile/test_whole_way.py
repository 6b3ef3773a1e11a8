"""What a tenant writes, on its whole way: decoded, linked, exported in every form, logged, shown in a terminal, counted."""

from __future__ import annotations

import json
import logging
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kspanpy import cli, decode
from kspanpy.core.linker import Linker
from kspanpy.core.model import Span
from kspanpy.core.settings import LinkerSettings
from kspanpy.core.steps import SpanEnded
from kspanpy.export.checked import checked
from kspanpy.export.console import readable
from kspanpy.ops.logs import JsonFormatter, Redactor, TextFormatter

NOW_NS = 1_800_000_000 * 10**9
FORBIDDEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufeff]"
)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}(\.[A-Za-z0-9][A-Za-z0-9._-]{0,62}| [a-z-]+)")
KEY = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9._/-]+)+")
NASTY = (
    "\x1b[2J\x1b]0;owned\x07", "a\r\nb\u2028c", "\u202egnp.exe", "<img src=x onerror=alert(1)>", "\ud800", "\x00", "x" * 1_000_000,
    "${jndi:ldap://evil}", "%s%n", "[bold]x[/bold]", "\x9b31m", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "",
)  # fmt: skip
TEXT = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=()), max_size=40)
NUMBER = st.sampled_from([-1, 0, -(2**63), 2**63, 10**40, 1e300, "many"])


def told(*things: dict[str, object]) -> list[Span]:
    """The spans of these objects and Events."""
    linker, outputs = Linker(LinkerSettings(cluster_uid="c")), []
    for thing in things:
        found = decode.object_from(json.dumps(thing).encode())
        if not isinstance(found, decode.Malformed) and (fact := decode.to_step("ADDED", found)) is not None:
            outputs += linker.step(fact, NOW_NS)
    outputs += linker.finish(NOW_NS)
    return [output.span for output in outputs if isinstance(output, SpanEnded)]


def assert_harmless(spans: list[Span]) -> None:
    """Names and keys of their grammar, values bounded and clean, a line of the console that is one."""
    for span in spans:
        assert NAME.fullmatch(span.name), span.name
        for key, value in span.attributes.items():
            assert KEY.fullmatch(key), key
            assert not isinstance(value, str) or (len(value) <= 1024 and not FORBIDDEN.search(value)), (key, value)
        assert not FORBIDDEN.search(span.error + span.service)
        good = checked(span)
        if not isinstance(good, str):
            assert not FORBIDDEN.search(readable(good))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_text_anywhere(data: st.DataObject) -> None:
    """In every field of an Event, and of the object and the owners that it speaks of."""
    draw = data.draw
    about = {
        key: draw(TEXT) for key in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath", "resourceVersion")
    }
    metadata = {key: draw(TEXT) for key in ("namespace", "name", "uid", "creationTimestamp")}
    event = {
        key: draw(TEXT)
        for key in ("reason", "message", "type", "action", "reportingComponent", "eventTime", "lastTimestamp")
    }
    event |= {"kind": "Event", "apiVersion": "v1", "metadata": metadata, "involvedObject": about, "related": about}
    event |= {"count": draw(NUMBER), "series": {"count": draw(NUMBER), "lastObservedTime": draw(TEXT)}}
    marks = {key: draw(TEXT) for key in ("app.kubernetes.io/version", "helm.sh/chart", "kubernetes.io/change-cause")}
    thing = {
        "kind": draw(st.sampled_from(["Deployment", "Pod", "Job", "Widget"])) , "apiVersion": draw(st.sampled_from(["apps/v1", "v1"])),
        "metadata": metadata | {
            "labels": marks, "annotations": marks, "generation": draw(NUMBER),
            "managedFields": [{"manager": draw(TEXT), "operation": draw(TEXT), "time": draw(TEXT)}],
            "ownerReferences": [{"kind": draw(TEXT), "name": draw(TEXT), "uid": draw(TEXT), "apiVersion": draw(TEXT)}],
        },
        "spec": {"replicas": draw(NUMBER), "template": {"spec": {"containers": [{"name": draw(TEXT), "image": draw(TEXT)}]}}},
        "status": {"conditions": [{"type": "Ready", "status": draw(TEXT), "reason": draw(TEXT), "message": draw(TEXT)}]},
    }  # fmt: skip
    assert_harmless(told(thing, event))


@given(TEXT)
@settings(max_examples=60, deadline=None)
def test_any_text_in_a_log(text: str) -> None:
    """In the message, in a field, in a field's name: one line, in both forms."""
    record = logging.LogRecord("kspanpy", logging.INFO, "", 0, "%s", (text,), None)
    record.__dict__["field"] = text
    for formatter in (JsonFormatter(Redactor()), TextFormatter(Redactor())):
        assert not FORBIDDEN.search(formatter.format(record))


def test_ten_thousand_reasons_kinds_and_namespaces_make_no_metric(tmp_path: Path) -> None:
    """The series of a scrape are those of the code, whatever the cluster says."""
    from kspanpy.app.loop import Loop

    spans: list[Span] = []
    loop = Loop(Linker(LinkerSettings(cluster_uid="c")), offer=spans.extend, lookup=lambda _: None, capacity=20_000)
    before = set(loop.counts.discarded) | set(decode.altered())
    chance = random.Random(1)
    for number in range(10_000):
        word = f"R{chance.getrandbits(64):x}"
        about = {"kind": f"K{word}", "namespace": f"n{word}", "name": word, "uid": word}
        event = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": f"e{number}", "namespace": f"n{word}", "uid": f"e{number}"},
        }
        found = decode.object_from(json.dumps(event | {"involvedObject": about, "reason": word}).encode())
        loop.deliver(NOW_NS, decode.to_step("ADDED", found))
    loop.start()
    assert loop.stop(50)
    counts = loop.counts
    assert (counts.seen, counts.exported, counts.pending, counts.errors) == (10_000, 10_000, 0, 0)
    assert set(counts.discarded) | set(decode.altered()) == before


def test_the_files_and_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """OTLP/JSON can be read back; a tree and a list print no character that moves a cursor."""
    lines = []
    for number, text in enumerate(NASTY):
        about = {"kind": "Pod", "namespace": "evil", "name": f"p{text[:50]}", "uid": f"u{number}"}
        thing = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": f"e{number}", "namespace": "evil", "uid": f"e{number}"},
        }
        thing |= {
            "involvedObject": about,
            "reason": text or "R",
            "message": text,
            "type": "Warning",
            "reportingComponent": text[:99],
        }
        lines.append(json.dumps({"received": "2026-11-23T06:47:30.5Z", "type": "ADDED", "object": thing}))
    path = tmp_path / "c.ndjson"
    path.write_text("\n".join(lines) + "\n")
    out = tmp_path / "spans.jsonl"
    assert cli.main(["replay", str(path), "--output", str(out)]) == 0
    capfd.readouterr()
    for line in out.read_text().splitlines():
        text = json.loads(line)
        assert text
        assert not FORBIDDEN.search(json.dumps(text, ensure_ascii=False))
    for form in ("--tree", "--list"):
        assert cli.main(["replay", str(path), form]) == 0
        printed = capfd.readouterr()
        assert not FORBIDDEN.search((printed.out + printed.err).replace("\n", "")), form
