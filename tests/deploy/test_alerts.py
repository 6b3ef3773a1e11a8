"""The alert rules name metrics and labels that exist, say what they mean, and are tested; promtool (scripts/alerts) runs the tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kspanpy.ops.metrics import METRICS

TOP = Path(__file__).parents[2]
(GROUP,) = yaml.safe_load((TOP / "deploy" / "alerts.yaml").read_text())["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
LABELS = {metric.name: metric.label for metric in METRICS}
PAGE = (TOP / "docs" / "alerts.md").read_text()
each = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


@each
def test_it_asks_for_what_is_served(rule: dict[str, Any]) -> None:
    """A typing error in a metric or a label is a silence. What is asked of a label is that of a metric in the expression."""
    metrics = set(re.findall(r"\b(?:kspanpy|otel|process)_\w+", rule["expr"])) - {"process_start_time_seconds"}
    assert metrics
    assert metrics <= LABELS.keys()
    asked = set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", rule["expr"]))
    asked |= {
        label.strip() for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]) for label in labels.split(",")
    }
    shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert asked | shown <= {LABELS[metric] for metric in metrics} | {"job", "instance"}


@each
def test_it_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    """To somebody who has been woken up: a summary, a description, a severity, and a section in docs/alerts.md."""
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert len(rule["annotations"]["summary"]) < 60
    assert 100 < len(rule["annotations"]["description"]) < 400
    assert rule["annotations"]["runbook_url"].endswith(f"/docs/alerts.md#{rule['alert'].lower()}")
    section = PAGE.partition(f"\n## {rule['alert']}\n")[2].partition("\n## ")[0]
    assert f"**{rule['labels']['severity']}**" in section
    assert "\n1. " in section


@each
def test_it_is_tested_to_fire_and_not_to(rule: dict[str, Any]) -> None:
    """In tests/alerts: an evaluation with it and one without."""
    texts = [path.read_text() for path in sorted((TOP / "tests" / "alerts").glob("*.yaml"))]
    checks = [
        bool(check["exp_samples"])
        for text in texts
        for test in yaml.safe_load(text)["tests"]
        for check in test["promql_expr_test"]
        if f'alertname="{rule["alert"]}"' in check["expr"]
    ]
    assert {True, False} == set(checks)


def test_the_page_has_no_other_alerts() -> None:
    """In the order of the rules."""
    assert re.findall(r"^## (Kspanpy\w+)$", PAGE, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_the_copy_for_the_operator_is_the_same() -> None:
    """`scripts/alerts --write` makes it."""
    copy = yaml.safe_load((TOP / "deploy" / "prometheus-operator" / "alerts.yaml").read_text())
    assert copy["kind"] == "PrometheusRule"
    assert copy["spec"]["groups"] == [GROUP]


def test_the_operator_scrapes_the_port_of_the_service() -> None:
    """By its name, in the same namespace, under the path that is served."""
    monitor = yaml.safe_load((TOP / "deploy" / "prometheus-operator" / "servicemonitor.yaml").read_text())
    service = yaml.safe_load((TOP / "deploy" / "service.yaml").read_text())
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["path"] == "/metrics"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
