"""Check: what the worker will do about steps that are not in a pipeline any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.commands.check import check_offline
from worker.definitions import SHIPPED, find
from worker.engine.remembered_steps import remember_steps
from worker.settings import Settings
from worker.stores import open_store


PIPELINE = """
name = "mine"
[[step]]
name = "STEP2"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "x"}'
"""


async def checked(place: Path, text: str) -> list[str]:
    """What ``check`` says of the state with the pipeline changed to this text."""
    path, state = place / "mine.toml", f"sqlite:{place}/state.sqlite"
    path.write_text(PIPELINE)
    store = open_store(state)
    await remember_steps(store, [find(str(path))], "2026-01-02T03:00:00Z")
    before = await store.recall("steps/mine")
    path.write_text(text)
    findings = await check_offline(Settings(state=state, pipelines=(str(path),)))
    assert await store.recall("steps/mine") == before
    await store.close()
    return [finding.text for finding in findings if "STEP2 " in finding.text and not finding.wrong]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("STEP2", "CALL", "left as CALL came, which goes on with the records of phonecalls"),
        ("STEP2", "Step2", "is spelt Step2 now, which goes on with the records that STEP2 made"),
        ("phonecalls", "tasks", "makes records of tasks now; contacts that have one of phonecalls"),
        ("POST", "GET", "is gone; its records of phonecalls are left as they are"),
    ],
)
async def test_a_change_that_the_state_knows_is_told(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    changed = PIPELINE.replace(old, new)
    if new == "GET":
        changed = changed.replace('body = \'{"subject": "x"}\'', "")
    (text,) = await checked(tmp_path, changed)
    assert text.startswith(f"{tmp_path}/mine.toml: step STEP2 {says}")


async def test_a_pipeline_whose_steps_are_as_they_were_is_told_nothing_of(tmp_path: Path) -> None:
    assert await checked(tmp_path, PIPELINE.replace('"x"', '"y"')) == []


async def test_two_pipelines_that_make_two_activities_of_one_call_are_an_error(
    tmp_path: Path,
) -> None:
    findings = await check_offline(Settings(state="memory", pipelines=("phonecall", "timeline")))
    assert [one.text for one in findings if one.wrong and "both = true" in one.text]
    shipped = (SHIPPED / "timeline.toml").read_text(encoding="utf-8")
    path = tmp_path / "timeline.toml"
    path.write_text(f"both = true\n{shipped}", encoding="utf-8")
    findings = await check_offline(Settings(state="memory", pipelines=("phonecall", str(path))))
    assert not [one.text for one in findings if "both = true" in one.text]
