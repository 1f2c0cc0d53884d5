"""The Grafana dashboard, Prometheus's rules and CloudWatch's alarms look at what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from alarms import alarms
from document_tables import ROOT
from exposed_metrics import families, samples
from pipelines.effect import MISSED
from promql import groups_in, mistakes_in, series_in
from worker.dynamics.reasons import Reason
from worker.telemetry.metrics import PREFIX


DASHBOARD = ROOT / "infra" / "grafana" / "connect-dynamics.json"
RULES = ROOT / "infra" / "prometheus" / "rules.yaml"

#: Units of Grafana that the dashboard uses.
UNITS = {"s", "d", "short", "reqps", "ops"}

#: The alert that stands for two alarms on AWS's own metrics.
OF_PROMETHEUS = {"ReadingLate"}

KNOWN = samples()


def outcomes() -> dict[str, set[str]]:
    """The values of ``outcome`` that each series has from the start."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for family in families():
        for sample in family.samples:
            if "outcome" in sample.labels:
                found[sample.name].add(sample.labels["outcome"])
    found[f"{PREFIX}steps_total"] |= {"failed", "parked"}
    return found


OUTCOMES = outcomes()


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = dashboard["panels"]
    return found


def shown() -> list[dict[str, Any]]:
    return [panel for panel in panels() if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


# --- Grafana ---


@pytest.mark.parametrize("panel", shown(), ids=lambda panel: panel["title"])
def test_a_panel_asks_for_series_and_labels_that_there_are(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert mistakes_in(target["expr"], KNOWN, OUTCOMES) == [], target["expr"]
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert named <= groups_in(target["expr"])


@pytest.mark.parametrize("panel", shown(), ids=lambda panel: panel["title"])
def test_a_panel_has_a_title_a_unit_and_a_description_in_a_sentence(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert re.match(r"[A-Za-z0-9].{20,}", panel["description"])
    assert panel["targets"]


def test_the_first_row_of_the_dashboard_says_whether_it_is_right_now_and_whom_it_affects() -> None:
    first, *rest = panels()
    assert (first["type"], first["title"]) == ("row", "Is it right now? Whom does it affect?")
    ends = next(n for n, panel in enumerate(rest) if panel["type"] == "row")
    named = {
        series.name.removeprefix(PREFIX)
        for panel in rest[:ends]
        for target in panel["targets"]
        for series in series_in(target["expr"])
    }
    right = {"freshness_seconds", "store_up", "degraded", "step_failures"}
    whom = {"contacts_due", "contacts_parked", "openings_total", "steps_total"}
    assert named == right | whom


def test_no_panel_of_the_dashboard_lies_over_another_or_has_its_id() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))


# --- Prometheus ---


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_series_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    assert mistakes_in(rule["expr"], KNOWN, OUTCOMES) == []
    named = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
    assert named <= groups_in(rule["expr"]) | {"instance"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_has_the_fields_of_an_alert_and_says_what_it_means(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"[A-Z]\w+", rule["alert"])
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description"}
    assert "infra/troubleshoot.md" in rule["annotations"]["description"]


def test_prometheus_alerts_of_all_that_cloudwatch_does_by_the_same_names() -> None:
    ours = {
        name
        for name, metrics in alarms().items()
        if any(metric.startswith(PREFIX) for metric in metrics)
    }
    assert sorted(rule["alert"] for rule in rules()) == sorted(ours | OF_PROMETHEUS)


def test_pages_that_are_missed_are_the_same_to_all_who_count_them(
    template: Callable[[str], dict[str, Any]],
) -> None:
    pattern = "|".join(MISSED)
    missed = f'outcome=~"{pattern}"'
    (rule,) = (rule for rule in rules() if rule["alert"] == "PagesMissed")
    assert rule["expr"].count(missed) == 2
    (panel,) = (panel for panel in shown() if panel["title"].startswith("Pages agents missed"))
    assert missed in panel["targets"][0]["expr"]
    alarm = template("alarms")["Resources"]["PagesMissed"]["Properties"]
    told = {stat["Dimensions"]["outcome"] for stat in _stats(alarm)}
    assert told == {*MISSED, "shown"}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not here: not run")
def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    ended = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()


# --- CloudWatch ---


def test_every_alarm_asks_for_a_metric_by_labels_that_it_has_and_is_sent_by(
    template: Callable[[str], dict[str, Any]],
) -> None:
    sent = _sent(template)
    for name, resource in template("alarms")["Resources"].items():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            continue
        for stat in _stats(resource["Properties"]):
            metric, by = stat["MetricName"], stat["Dimensions"]
            assert frozenset(by) in sent[metric], f"{name}: {metric} by {sorted(by)} is not sent"
            assert by.keys() - {"Deployment"} <= KNOWN[metric], name
            if "outcome" in by:
                assert by["outcome"] in OUTCOMES[metric], name


def test_the_dashboard_of_cloudwatch_shows_every_reason_why_nothing_is_sent(
    template: Callable[[str], dict[str, Any]],
) -> None:
    body, _ = template("alarms")["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    (widget,) = (w for w in widgets if w["properties"]["title"].startswith("Why nothing is sent"))
    shown_there = [metric[-1] for metric in widget["properties"]["metrics"]]
    assert sorted(shown_there) == sorted(one.value for one in Reason if one is not Reason.NONE)


def _sent(template: Callable[[str], dict[str, Any]]) -> dict[str, set[frozenset[str]]]:
    """The metrics that the agent beside the worker sends, with the labels each is sent by."""
    containers = template("worker")["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    (agent,) = (one for one in containers if one["Name"] == "metrics")
    variables = {one["Name"]: one["Value"] for one in agent["Environment"]}
    config = json.loads(variables["CW_CONFIG_CONTENT"]["Fn::Sub"])
    processor = config["logs"]["metrics_collected"]["prometheus"]["emf_processor"]
    sent: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for declaration in processor["metric_declaration"]:
        for selector in declaration["metric_selectors"]:
            sent[selector.strip("^$")] |= set(map(frozenset, declaration["dimensions"]))
    return sent


def _stats(properties: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The metrics of the worker that an alarm looks at, with the values of their dimensions."""
    queries = [
        q["MetricStat"]["Metric"] for q in properties.get("Metrics", ()) if "MetricStat" in q
    ]
    for metric in queries or [properties]:
        if metric["Namespace"] == "ConnectDynamics":
            by = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
            yield {"MetricName": metric["MetricName"], "Dimensions": by}


# --- the check itself ---


@pytest.mark.parametrize(
    ("query", "mistake"),
    [
        ("max(connect_dynamics_nothing)", "no series connect_dynamics_nothing"),
        ("maxi(connect_dynamics_store_up)", "no function maxi"),
        ("max(connect_dynamics_store_up))", "brackets do not match"),
        ("max by (step) (connect_dynamics_store_up)", "no label step"),
        ('connect_dynamics_store_up{step="x"}', "connect_dynamics_store_up has no label step"),
        (
            'rate(connect_dynamics_openings_total{outcome="lost"}[5m])',
            "connect_dynamics_openings_total has no outcome lost",
        ),
    ],
)
def test_a_query_that_names_what_is_not_there_is_found_wrong(query: str, mistake: str) -> None:
    assert mistake in mistakes_in(query, KNOWN, OUTCOMES)


@pytest.mark.parametrize(
    "query", ["connect_dynamics_writes_total > 1", "rate(connect_dynamics_store_up[5m])"]
)
def test_a_counter_that_is_not_taken_over_a_time_is_found_wrong_and_a_gauge_that_is(
    query: str,
) -> None:
    assert any("taken over a time" in one for one in mistakes_in(query, KNOWN, OUTCOMES))
