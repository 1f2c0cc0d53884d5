"""Mistakes that only Dynamics' metadata shows, each with its place and what to write instead."""

from __future__ import annotations

import re

from pathlib import Path

import orjson
import pytest

from pipelines.loader import load
from worker.commands.check import ask
from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.inprocess import InProcessDynamics
from worker.settings import Settings


SAMPLES = Path(__file__).parents[2] / "samples" / "mistakes"
GOOD = (SAMPLES / "good.toml").read_text(encoding="utf-8")
MISTAKES = [orjson.loads(line) for line in (SAMPLES / "online.ndjson").read_bytes().splitlines()]

TOLD = re.compile(r"mine\.toml: step (\S+): (.*) \(line (\d+), column (\d+)\)")


async def wrong(text: str) -> list[str]:
    dynamics = InProcessDynamics(create_organisation())
    found = await ask(dynamics, Settings(), [load(text, "mine.toml")])
    return [one.text for one in found if one.wrong]


async def test_the_file_in_which_mistakes_are_made_is_as_dynamics_takes_it() -> None:
    assert await wrong(GOOD) == []


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: row["what"])
async def test_what_dynamics_would_refuse_is_told_with_file_step_line_and_column(
    row: dict[str, str],
) -> None:
    assert row["old"] in GOOD
    text = GOOD.replace(row["old"], row["new"], 1)
    first, *_ = await wrong(text)
    told = TOLD.fullmatch(first)
    assert told, first
    step, message, line, column = told.groups()
    assert step == row["step"]
    assert message.startswith(row["told"])
    assert text.splitlines()[int(line) - 1][int(column) - 1 :].startswith(row["place"])
