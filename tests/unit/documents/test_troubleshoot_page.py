"""The page for trouble lists exactly the alarms and log events there are."""

from __future__ import annotations

import re

from alarms import alarms
from document_tables import ROOT, code, rows, written
from log_events import Event, logged
from worker.dynamics.aadsts import ADVICE


PAGE = "infra/troubleshoot.md"

EVENT = ("event", "level", "when", "fields", "what to do")
ALARM = ("alarm", "metric", "log event", "usual cause", "what to do")

#: Beginnings of names with dots that are no events: AWS's own metrics, and files.
OTHERS = {"GetRecords", "infra"}


def test_the_page_for_trouble_has_a_row_for_every_log_event_with_level_and_fields() -> None:
    expected = sorted(_row(name, event) for name, event in logged().items())
    found = sorted([row[0], row[1], row[3]] for row in rows(PAGE, *EVENT))
    assert found == expected, written(expected)


def test_the_page_for_trouble_says_of_every_log_event_when_it_is_logged_and_what_to_do() -> None:
    assert [row[0] for row in rows(PAGE, *EVENT) if not row[2] or not row[4]] == []


def test_a_log_event_that_is_an_error_has_something_to_be_done_about_it() -> None:
    found = rows(PAGE, *EVENT)
    assert [row[0] for row in found if row[1] == "error" and row[4] == "nothing"] == []


def test_the_page_for_trouble_has_a_row_for_every_code_of_entra_s_with_what_to_do() -> None:
    expected = [[code(f"AADSTS{number}"), text] for number, text in sorted(ADVICE.items())]
    found = rows(PAGE, "Entra's code", "what to do")
    assert found == expected, written(expected)


def test_the_page_for_trouble_has_a_row_for_every_alarm_with_its_metric() -> None:
    expected = [
        [code(name), ", ".join(code(metric) for metric in sorted(metrics))]
        for name, metrics in alarms().items()
    ]
    found = rows(PAGE, *ALARM)
    assert [row[:2] for row in found] == expected, written(expected)
    assert [row[0] for row in found if not all(row[3:])] == []


def test_every_log_event_that_a_page_names_is_one_that_there_is() -> None:
    known = logged().keys()
    rooms = {name.partition(".")[0] for name in known}
    named = {
        name
        for page in (ROOT / "infra").rglob("*.md")
        for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", page.read_text(encoding="utf-8"))
        if name.partition(".")[0] in rooms
    }
    files = {name for name in named if name.endswith((".md", ".sql", ".yaml", ".py"))}
    assert len(named) > 60
    assert named - files <= known


def test_every_metric_that_the_page_for_trouble_names_is_on_the_page_for_operators() -> None:
    pattern = r"`(connect_dynamics_\w+)`"
    named, known = (
        set(re.findall(pattern, (ROOT / page).read_text(encoding="utf-8")))
        for page in (PAGE, "infra/operate.md")
    )
    assert named
    assert named <= known


def _row(name: str, event: Event) -> list[str]:
    levels = " or ".join(sorted(event.levels))
    return [code(name), levels, ", ".join(map(code, sorted(event.fields)))]
