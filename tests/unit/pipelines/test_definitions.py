"""Pipelines are found by shipped name or by path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.loader import load
from pipelines.pipeline import doubles
from pipelines.plan import Terms, plan
from pipelines.source import PipelineError
from worker.definitions import find, find_all, shipped
from worker.errors import ConfigError


Makes = Callable[..., Fact]
Told = Callable[..., Contact]


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_pipeline_loads_without_a_warning(name: str) -> None:
    pipeline = find(name)
    assert pipeline.name == name
    assert pipeline.warnings() == []


CHANNELS = {"phonecall": "VOICE", "timeline": "VOICE", "chat": "CHAT", "task": "TASK"}
SIMULATED = {"connect:ValidationTestType": {"ValueString": "EXPERIENCE_VALIDATION"}}


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("source", ["event", "record"])
def test_every_shipped_pipeline_leaves_out_simulated_contacts(
    name: str, source: str, event: Makes, record: Makes, told: Told
) -> None:
    channel = CHANNELS.get(name, "EMAIL")

    def found(attributes: Mapping[str, Any]) -> list[Any]:
        if source == "record":
            fact = record(Channel=channel, SegmentAttributes=attributes)
        else:
            fact = event("INITIATED", channel=channel, segmentAttributes=attributes)
        return [*plan(told(fact), [find(name)], 0.0, Terms()).actions]

    assert found(SIMULATED) == []
    assert found({"connect:Subtype": {"ValueString": "connect:Telephony"}}) != []


def test_a_path_is_told_from_a_name_by_its_ending_or_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(
        'name = "mine"\n[[step]]\nname = "A"\non = "ended"\nopen = "main.aspx"\nquery = "{}"'
    )
    assert find(str(path)).name == "mine"
    for missing in ("none", "none.toml", "./phonecall"):
        with pytest.raises(ConfigError, match="there is no such pipeline"):
            find(missing)


def test_no_pipeline_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"shipped are .*phonecall"):
        find_all([])


def test_the_same_pipeline_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="rename one"):
        find_all(["phonecall", "phonecall"])


@pytest.mark.parametrize(
    ("names", "tables"),
    [
        (["phonecall", "timeline"], ["phonecalls"]),
        (["timeline", "chat", "task", "email"], ["emails", "tasks", "tasks"]),
        (["phonecall", "chat", "task", "email"], []),
        (["timeline"], []),
    ],
)
def test_two_pipelines_that_make_the_same_activities_of_the_same_contacts_are_told(
    names: list[str], tables: list[str]
) -> None:
    pipelines = find_all(names)
    found = doubles(pipelines)
    assert sorted(text.partition("make one of ")[2].partition(" ")[0] for text in found) == tables
    assert all("both = true" in text for text in found)
    wanted = [replace(one, both=one.name == "timeline") for one in pipelines]
    assert doubles(wanted) == []


def test_both_is_read_from_a_file_and_is_true_or_false() -> None:
    step = '[[step]]\nname = "A"\non = "created"\nmethod = "POST"\nentity = "tasks"\nbody = "{}"\n'
    assert load(f'name = "p"\nboth = true\n{step}').both
    with pytest.raises(PipelineError, match="both is true or false"):
        load(f'name = "p"\nboth = "yes"\n{step}')
