"""The page for operators lists exactly the metrics, commands and options there are."""

from __future__ import annotations

import re

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, get_args

from prometheus_client.metrics_core import Metric

from alarms import alarms
from command_line import commands
from document_tables import ROOT, code, rows, written
from exposed_metrics import families
from pipelines.contact import Contact
from pipelines.effect import Outcome
from pipelines.expectation import Finding
from pipelines.happening import WORDS
from pipelines.plan import Terms
from worker.dynamics.gate import make_gate
from worker.dynamics.reasons import Reason
from worker.heartbeat import Health
from worker.operations.contact import described
from worker.operations.contacts import ContactRow
from worker.operations.dynamics_search import InDynamics
from worker.operations.person import Certificate
from worker.operations.pile import Exported, ParkedCause, ParkedLine
from worker.operations.quarantine import QuarantineLine, QuarantineReason
from worker.operations.verified import FINE, OWED, UNEXPECTED, UNSURE, Line, Verified
from worker.stores.protocol import Entry
from worker.telemetry.metrics import PREFIX, Metrics
from worker.telemetry.pages import pages


PAGE = "infra/operate.md"

METRIC = ("metric", "type", "labels", "unit", "what it is", "normal", "alarm")

#: What the rows of each list are.
LISTS: dict[str, type[Any]] = {
    "contact list": ContactRow,
    "parked list": ParkedCause,
    "parked list --ids": ParkedLine,
    "parked export": Exported,
    "quarantine list": QuarantineReason,
    "quarantine list --ids": QuarantineLine,
}

#: Labels that the format of histograms adds.
FORMAT = {"le"}


def test_the_page_for_operators_has_a_row_for_every_metric_with_type_labels_and_alarm() -> None:
    used = _alarms_by_metric()
    expected = sorted(_metric_row(family, used) for family in families())
    found = sorted([*row[:3], row[6]] for row in rows(PAGE, *METRIC))
    assert found == expected, written(expected)


def test_the_page_for_operators_says_of_every_metric_what_it_is_and_what_is_normal() -> None:
    assert [row[0] for row in rows(PAGE, *METRIC) if not all(row[3:6])] == []


def test_a_metric_whose_name_says_seconds_is_in_seconds_on_the_page_for_operators() -> None:
    wrong = [row[0] for row in rows(PAGE, *METRIC) if ("_seconds" in row[0]) != (row[3][:1] == "s")]
    assert wrong == []


def test_the_page_for_operators_says_what_each_outcome_of_a_page_means() -> None:
    found = rows(PAGE, "outcome", "meaning", "what to do")
    assert [row[0] for row in found] == [code(outcome) for outcome in get_args(Outcome)]


def test_every_alarm_on_a_metric_of_the_worker_looks_at_one_that_there_is() -> None:
    used = {name for name in _alarms_by_metric() if name.startswith(PREFIX)}
    assert used <= {_name(family) for family in families()}


def test_the_page_for_operators_has_a_row_for_every_command_and_what_it_takes() -> None:
    expected = [
        [
            code(command.name),
            command.help,
            " ".join(code(one.name if one.required else f"[{one.name}]") for one in command.takes),
        ]
        for command in commands()
    ]
    found = rows(PAGE, "command", "what it does", "takes")
    assert found == expected, written(expected)


def test_the_page_for_operators_has_a_row_for_every_option_and_argument() -> None:
    meanings: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for command in commands():
        for one in command.takes:
            meanings[one.name, one.help].append(command.name)
    names = [name for name, _ in meanings]
    expected = [
        [code(name), ", ".join(map(code, of)) if names.count(name) > 1 else "", help_text]
        for (name, help_text), of in sorted(meanings.items())
    ]
    found = rows(PAGE, "option or argument", "of", "what it means")
    assert found == expected, written(expected)


def test_the_page_for_operators_has_a_row_for_every_field_of_a_list() -> None:
    expected = [
        [code(name) if not n else "", code(one.name)]
        for name, row in LISTS.items()
        for n, one in enumerate(fields(row))
    ]
    found = rows(PAGE, "list", "field", "what it is")
    assert [row[:2] for row in found] == expected, written(expected)
    assert [row[1] for row in found if not row[2]] == []


def test_the_page_for_operators_says_of_every_word_of_a_history_when_it_is_noted() -> None:
    found = [row[0] for row in rows(PAGE, "what", "when it is noted")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(found))) == sorted(WORDS)


def test_the_page_for_operators_has_a_row_for_every_field_of_a_certificate() -> None:
    found = rows(PAGE, "field of the certificate", "what it is")
    assert [row[0] for row in found] == [code(one.name) for one in fields(Certificate)]
    [dynamics] = (row[1] for row in found if row[0] == code("dynamics"))
    assert [one.name for one in fields(InDynamics) if code(one.name) not in dynamics] == []


def test_the_page_for_operators_names_every_field_of_a_contact_that_is_shown() -> None:
    told = described(Entry(Contact("a"), 1), [], Terms(), 0.0)
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    paragraph = page.partition("`contact show --output json` has")[2].partition("\n\n")[0]
    assert {name for name in told if code(name) not in paragraph} == {"contact"}


def test_the_page_for_operators_has_a_row_for_every_reason_why_nothing_is_sent() -> None:
    found = {row[0].strip("`") for row in rows(PAGE, "reason", "why nothing is sent", "ends")}
    assert found == {reason.value for reason in Reason if reason is not Reason.NONE}


def test_the_page_for_operators_has_a_row_for_every_page_of_a_worker() -> None:
    found = [row[0].strip("`") for row in rows(PAGE, "page", "200", "else")]
    assert found == list(pages(Metrics(), Health(), {"": make_gate()}))


def test_the_page_for_operators_has_a_row_for_every_finding_of_verify_and_says_what_fails() -> None:
    findings = [*(one.value for one in Finding), OWED, UNEXPECTED, UNSURE]
    found = {row[0]: row[2] for row in rows(PAGE, "finding", "meaning", "a failure")}
    assert found == {code(one): "no" if one in FINE else "yes" for one in findings}


def test_the_page_for_operators_has_a_row_for_every_name_in_the_json_of_verify() -> None:
    found = rows(PAGE, "name", "what it is")
    assert [row[0] for row in found] == [code(name) for name in Verified("", "").document()]
    (lines,) = (row[1] for row in found if row[0] == "`lines`")
    assert re.findall(r"`(\w+)`", lines) == [one.name for one in fields(Line)]


def test_every_command_that_a_page_gives_is_one_that_there_is() -> None:
    known = {command.name for command in commands()}
    named = {
        (page.name, words)
        for page in sorted((ROOT / "infra").rglob("*.md"))
        for words in _commands_in(page.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert {(page, words) for page, words in named if not _known(words, known)} == set()


def _commands_in(text: str) -> Iterator[str]:
    """The first two words after the program's name, wherever a page gives a command."""
    for line in text.replace("`", "\n").splitlines():
        words = line.removeprefix("$ ").split()
        if words[:1] == ["connect-dynamics"] and len(words) > 1:
            yield " ".join(words[1:3])


def _known(words: str, known: set[str]) -> bool:
    return words in known or words.split(maxsplit=1)[0] in known


def _name(family: Metric) -> str:
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    return family.name + suffix


def _metric_row(family: Metric, used: dict[str, list[str]]) -> list[str]:
    samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
    labels = {label for sample in samples for label in sample.labels} - FORMAT
    name = _name(family)
    return [
        code(name),
        family.type,
        ", ".join(map(code, sorted(labels))),
        ", ".join(map(code, used.get(name, []))),
    ]


def _alarms_by_metric() -> dict[str, list[str]]:
    used: defaultdict[str, list[str]] = defaultdict(list)
    for alarm, metrics in sorted(alarms().items()):
        for metric in metrics:
            used[metric].append(alarm)
    return used
