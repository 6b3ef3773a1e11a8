"""docs/metrics.md says what a real service serves: every metric, label and label value, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fakes.apiserver import FakeApiServer
from prometheus_client.parser import text_string_to_metric_families

from kspanpy.app import leading, readings, sinks
from kspanpy.app.checkpoint import OPERATIONS, Checkpoint, open_state
from kspanpy.app.loop import Loop
from kspanpy.core.linker import Linker
from kspanpy.core.settings import Limit, LinkerSettings
from kspanpy.core.shard import Shard
from kspanpy.core.steps import DiscardReason
from kspanpy.decode import Altered, MalformedReason
from kspanpy.export.sink import AttemptResult, DropReason, ExportStats
from kspanpy.kube import WATCHED, FailureReason, OwnerLookup, Watcher, WatchSettings, connect
from kspanpy.ops.metrics import Metrics

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "metrics.md").read_text()
Families = dict[str, dict[str, Any]]


@pytest.fixture
def scraped(tmp_path: Path) -> Families:
    """Name -> type, label and its values, of all that one service serves; spans with every fate there is."""
    with FakeApiServer() as server:
        client = connect(kubeconfig=server.kubeconfig(tmp_path))
        loop = Loop(Linker(LinkerSettings()), offer=lambda _: None, lookup=lambda _: None, capacity=100)
        lookup = OwnerLookup(client, deliver_step=lambda _: None)
        watcher = Watcher(client, settings=WatchSettings(), deliver=lambda _: None)
        state = open_state(tmp_path / "state", identity="x")
        checkpoint = Checkpoint(state, LinkerSettings())
        stats = ExportStats(dropped=dict.fromkeys(DropReason, 1), attempts=dict.fromkeys(AttemptResult, 1))
        watcher.start()
        try:
            assert watcher.wait_synced(15)
            _, body = Metrics(
                lambda: {
                    **readings.readings(loop, lambda: stats, watcher, lookup, checkpoint),
                    **leading.Alone(sinks.Nowhere()).readings(),
                    **readings.sharing(Shard(1, 4)),
                }
            ).scrape()
        finally:
            watcher.stop(5)
            client.close()
            state.close()
    found: Families = {}
    for family in text_string_to_metric_families(body.decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = [label for sample in family.samples for label in sample.labels.items() if label[0] != "le"]
        found[name] = {"type": family.type, "values": [value for _, value in labels], "labels": {k for k, _ in labels}}
    return {name: family for name, family in found.items() if name.startswith(("kspanpy_", "otel_"))}


def listed() -> Families:
    """The table of metrics."""
    rows = re.findall(r"^\| `((?:kspanpy|otel)_\w+)` \| (\w+) \| (?:`(\w+)`)? ?\|", PAGE, re.MULTILINE)
    return {name: {"type": type_, "label": label} for name, type_, label in rows}


def values() -> dict[str, set[str]]:
    """The table of label values; a row without a metric goes on with the one above."""
    found: dict[str, set[str]] = {}
    metric = ""
    for line in PAGE.partition("## Label values")[2].partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "metric":
            metric = cells[0].strip("`") or metric
            found.setdefault(metric, set()).update(re.findall(r"`([^`]+)`", cells[1]))
    return found


def test_a_scrape_serves_what_the_page_lists(scraped: Families) -> None:
    """Both ways, with types; labels where there is something to label. `scripts/docs` renews the table."""
    page = listed()
    assert scraped.keys() == page.keys(), "run .venv/bin/python scripts/docs"
    for name, family in scraped.items():
        assert family["type"] == page[name]["type"], name
        assert family["labels"] <= {page[name]["label"]}, name


def test_the_values_of_labels_are_on_the_page(scraped: Families) -> None:
    """Both ways: those of the code, and those that are served."""
    page = values()
    closed = {
        "kspanpy_events_discarded_total": DiscardReason,
        "kspanpy_spans_dropped_total": DropReason,
        "kspanpy_export_requests_total": AttemptResult,
        "kspanpy_limit_reached_total": Limit,
        "kspanpy_watch_failures_total": FailureReason,
        "kspanpy_state_errors_total": (*OPERATIONS, "spans"),
        "kspanpy_values_altered_total": Altered,
    }
    lookups = set(scraped["kspanpy_owner_lookups_total"]["values"])
    assert page == {name: set(map(str, reasons)) for name, reasons in closed.items()} | {
        "kspanpy_owner_lookups_total": lookups
    }
    for name in closed:
        assert set(scraped[name]["values"]) <= page[name]


def test_kinds_are_those_that_are_watched(scraped: Families) -> None:
    """No label value comes from the cluster."""
    kinds = {resource.kind for resource in WATCHED}
    for name, family in scraped.items():
        if family["labels"] == {"kind"}:
            assert set(family["values"]) <= kinds, name
    assert set(scraped["kspanpy_watch_synced"]["values"]) == kinds


@pytest.mark.parametrize("reason", MalformedReason, ids=str)
def test_every_reason_for_an_unreadable_input_is_on_the_page_it_refers_to(reason: MalformedReason) -> None:
    """docs/captures.md has the list."""
    assert f"`{reason}`" in (TOP / "docs" / "captures.md").read_text()


def test_rules_for_alerts_name_metrics_that_exist() -> None:
    """A typing error in an expression is a silence. Those of deploy/alerts.yaml are looked at by tests/deploy."""
    for text in (PAGE, (TOP / "docs" / "alerts.md").read_text()):
        named = set(re.findall(r"\b(?:kspanpy|otel_sdk)_\w+", text))
        assert {name.removesuffix("_bucket") for name in named} <= listed().keys()


def test_the_names_of_opentelemetry_are_spelled_as_prometheus_does(scraped: Families) -> None:
    """Dots become underscores, a counter ends in _total, a unit in braces is left out; all that are served are explained."""
    explained = {}
    for name, here in re.findall(r"^\| `(otel\.[a-z.]+)` \| `(\w+)` \|", PAGE, re.MULTILINE):
        explained[here] = name.replace(".", "_")
    assert explained.keys() == {name for name in scraped if name.startswith("otel_")}
    for here, name in explained.items():
        assert here == name + ("_total" if scraped[here]["type"] == "counter" else "")


def test_both_sums_are_on_the_page() -> None:
    """What `tests/fakes/accounts.py` finds true of every scrape."""
    flat = re.sub(r"\s+", " ", PAGE)
    for total, parts in (
        ("events_seen_total", ("events_exported_total", "events_discarded_total", "events_pending")),
        ("spans_emitted_total", ("spans_acknowledged_total", "spans_dropped_total", "spans_queued")),
    ):
        assert f"kspanpy_{total} = {' + '.join(f'kspanpy_{part}' for part in parts)}" in flat
