"""The page for replays explains what the command takes and what it reports."""

from __future__ import annotations

import re

from dataclasses import fields

from command_line import commands
from document_tables import ROOT, rows
from worker.commands.replay_report import Report


PAGE = "infra/replay.md"


def test_the_page_for_replays_has_a_row_for_every_figure_of_the_report() -> None:
    found = [row[0].strip("`") for row in rows(PAGE, "figure", "means")]
    assert found == [figure.name for figure in fields(Report)]


def test_every_option_that_the_page_for_replays_names_is_one_of_the_command() -> None:
    [replay] = [command for command in commands() if command.name == "replay"]
    named = set(re.findall(r"--[a-z][a-z-]*", (ROOT / PAGE).read_text(encoding="utf-8")))
    assert len(named) > 5
    assert named <= {one.name for one in replay.takes}
