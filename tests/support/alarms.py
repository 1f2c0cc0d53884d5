"""The alarms of the CloudFormation template, as data."""

from __future__ import annotations

from typing import Any

from cfnlint.decode import decode

from document_tables import ROOT


ALARMS = ROOT / "infra" / "cloudformation" / "alarms.yaml"


def alarms() -> dict[str, set[str]]:
    """The names of all alarms, with the names of the metrics each looks at."""
    template, faults = decode(str(ALARMS))
    assert not faults
    assert isinstance(template, dict)
    return {
        name: set(_metrics(resource["Properties"]))
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


def _metrics(properties: dict[str, Any]) -> list[str]:
    if "MetricName" in properties:
        return [properties["MetricName"]]
    stats = [query["MetricStat"] for query in properties["Metrics"] if "MetricStat" in query]
    return [stat["Metric"]["MetricName"] for stat in stats]
