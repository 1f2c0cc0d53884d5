"""`make run`: the whole product on one machine, and what it says of it."""

from __future__ import annotations

import os
import re
import signal
import sys

from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from rich.console import Console

from pipelines.entity import entity
from worker.sandbox.dataverse.rows.records import CLOCKED
from worker.sandbox.demo.__main__ import demo
from worker.sandbox.demo.outcome import Outcome, percentile
from worker.sandbox.demo.report import PROBLEMS_SHOWN, report
from worker.sandbox.demo.scenario import LATEST_S, tell
from worker.sandbox.oracle.customers import rows
from worker.sandbox.oracle.verdict import differences, expected
from worker.sandbox.traffic import KINDS, RECORDS
from worker.sandbox.traffic.people import AGENTS


NOW = datetime(2026, 1, 2, 15, 0, tzinfo=UTC)
SMALL = 8

#: The one kind of contact that is not live: it is of the night before.
PAST = "voice_midnight"

#: What ``make run`` leaves on the timeline, for people to read. When it must change, read the
#: difference that the test shows and write the new text here.
GOLDEN = Path(__file__).parents[2] / "samples" / "timeline.golden.txt"

#: A party's part by its participationtypemask, as the golden file calls it.
PARTS = {1: "from", 2: "to", 3: "copy to"}

#: Columns that are other in every run, or that say nothing.
UNTOLD = {
    *CLOCKED,
    *("activityid", "annotationid", "_createdby_value", "_modifiedby_value"),
    *("isbilled", "isworkflowcreated", "leftvoicemail", "prioritycode", "isdocument"),
}


@pytest.fixture
def outcome() -> Outcome:
    """A small scenario after which Dynamics holds exactly what it should."""
    scenario = tell(SMALL, 1, NOW)
    wanted = expected(scenario.legs)
    records: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in wanted:
        columns = {name: value for name, value in one.columns.items() if value is not None}
        key = entity(one.entity_set).key
        records[one.entity_set].append({key: one.key, **columns})
    for leg in scenario.legs:
        records["contacts"] += [
            {**row, "fullname": f"{row['firstname']} {row['lastname']}"}
            for row in rows(leg.customer)
        ]
    records["systemusers"] = [
        {"systemuserid": agent.user_id, "fullname": agent.username} for agent in AGENTS
    ]
    return Outcome(
        records=records,
        expected=wanted,
        differences=[],
        log=[
            *({"event": "push.done", "latency_s": 0.001 * n} for n in range(1, 101)),
            *({"event": "desktop.shown", "seconds": 0.01 * n} for n in range(1, 21)),
            *({"event": "push.written_back", "seconds": 0.02 * n} for n in range(1, 21)),
            {"event": "push.expired", "step": "chat/STEP3", "outcome": "ended_first"},
            {"event": "push.expired", "step": "timeline/writeback", "outcome": "worker_late"},
        ],
        quarantined=["not JSON"],
        parked=0,
        rested=True,
        exit_status=0,
        requests=40,
        asked={"DescribeContact": 7},
        throttled=0,
        written_back=[{"ms_id": "1"}],
        lookups={"SingleMatch": 3, "NoMatch": 2},
        verified={"expected": 9, "counts": {"right": 9}, "lines": []},
        seconds=12.0,
    )


def shown(outcome: Outcome) -> list[str]:
    console = Console(width=100, file=StringIO())
    with console.capture() as captured:
        console.print(report(outcome))
    return captured.get().splitlines()


def timeline_of(outcome: Outcome) -> str:
    """The timeline pipeline's records, a column a line, without what differs from run to run."""
    lines = []
    made = {one.key: one for one in outcome.expected if one.pipeline == "timeline"}
    people = {
        row[entity(name).key]: f"{row['fullname']} ({entity(name).logical})"
        for name in ("contacts", "systemusers")
        for row in outcome.records[name]
    }
    for name in ("phonecalls", "emails", "tasks", "annotations"):
        for row in outcome.records[name]:
            if row[entity(name).key] in made:
                lines += [f"{name}({row[entity(name).key]})", *fields(row, people), ""]
    return "\n".join(lines)


def fields(row: dict[str, Any], people: dict[str, str]) -> Iterator[str]:
    for column, value in row.items():
        if column.endswith("_activity_parties"):
            for party in value:
                who = people.get(party.get("_partyid_value")) or f"{party['addressused']} (text)"
                yield f"  {PARTS[party['participationtypemask']]:<24} {who}"
        elif not column.startswith("actual") and column not in UNTOLD:
            told = re.sub(r"\d{4}/\d\d/\d\d|\d{4}-?\d\d-?\d\dT.*?(Z|_UTC)", "<time>", str(value))
            told = re.sub(r"https?://(localhost|127\.0\.0\.1):\d+", "<environment>", told)
            yield f"  {column.strip('_'):<24} {people.get(value, told)}".replace("\n", " / ")


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.services
async def test_contacts_flow_from_aws_through_the_real_worker_into_dynamics(
    tmp_path: Path,
) -> None:
    """One of every kind; the timeline is field by field that of the golden file."""
    told: list[str] = []
    outcome = await demo(tmp_path, told.append, contacts=len(KINDS), seed=3)
    assert timeline_of(outcome) == GOLDEN.read_text(encoding="utf-8")
    assert list(outcome.problems()) == []
    assert outcome.exit_status == 0
    assert outcome.verified["counts"] == {"right": outcome.verified["expected"]}
    assert outcome.verified["expected"] == len(outcome.expected)
    assert outcome.expected
    assert outcome.latencies_s
    assert outcome.seconds < 60
    assert any("shortened" in line for line in told)


@pytest.mark.services
async def test_an_interrupted_demo_ends_its_children_and_leaves_no_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "worker.sandbox.demo", "--up"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = await create_subprocess_exec(*command, env=environment, stdin=DEVNULL, stdout=PIPE)
    assert process.stdout is not None
    worker = 0
    async for line in process.stdout:
        if line.startswith(b"worker"):
            worker = int(line.split()[-1])
        if b"quarantine list" in line:
            process.send_signal(signal.SIGINT)
            break
    rest = await process.stdout.read()
    assert await process.wait() == 0
    assert b"everything has been ended" in rest
    assert names_in(tmp_path) == []
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_all_right_is_said_in_a_table_of_100_columns(outcome: Outcome) -> None:
    lines = shown(outcome)
    assert max(map(len, lines)) <= 100
    count = len(outcome.expected)
    at = lines.index(f"verified           {count} of {count} records match")
    assert lines[at + 1] == "                   9 of 9 right, as connect-dynamics verify finds"
    assert "event to Dynamics  p50 50 ms, p95 95 ms, max 100 ms; from read to acknowledged" in lines
    assert "quarantined        1 (not JSON)" in lines
    assert lines[-1] == "done in 12 s"
    for one in outcome.expected:
        if one.entity_set != "annotations":
            assert any(one.columns["subject"][:32] in line for line in lines)


def test_the_report_says_how_soon_agents_could_see_their_records_and_why_some_could_not(
    outcome: Outcome,
) -> None:
    lines = shown(outcome)
    at = lines.index(
        "pages for agents   20 shown in time; answer to attribute p50 100 ms, p95 190 ms"
    )
    assert lines[at + 1] == "                   0 expired because the worker was slow"
    assert lines[at + 2].endswith("1 not shown: the contact had ended when the answer was heard of")
    assert "                   begin to attribute p50 200 ms, p95 380 ms" in lines


def test_a_slow_worker_and_pages_that_are_only_logged_are_told(outcome: Outcome) -> None:
    late = {"event": "push.expired", "step": "chat/STEP3", "outcome": "worker_late"}
    logged = {"event": "desktop.logged"}
    lines = shown(replace(outcome, log=[*outcome.log, late, logged]))
    assert "                   1 expired because the worker was slow" in lines
    assert '                   1 only logged (open_by = "log")' in lines


def test_a_timeline_activity_is_shown_with_who_spoke_with_whom(outcome: Outcome) -> None:
    made = {row["activityid"]: row for row in outcome.records["phonecalls"]}
    call = next(row for row in made.values() if row["subject"].startswith("Call with "))
    (line,) = (line for line in shown(outcome) if call["subject"][:32] in line)
    assert call["category"] in line
    assert any(agent.username in line for agent in AGENTS)


def test_what_differs_is_said_but_not_endlessly(outcome: Outcome) -> None:
    first = outcome.expected[0]
    name = f"{first.entity_set}({first.key})"
    many = [f"{name} column{n} is 1, should be 2" for n in range(PROBLEMS_SHOWN + 5)]
    lines = shown(replace(outcome, differences=many))
    count = len(outcome.expected)
    assert f"verified           {count - 1} of {count} records match" in lines
    assert "  and 5 more" in lines
    assert lines[-1] == "FAILED in 12 s"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"rested": False}, "the worker did not come to rest in time"),
        ({"exit_status": 1}, "the worker's exit status is 1, should be 0"),
        ({"quarantined": []}, "0 messages are quarantined, should be 1"),
        ({"parked": 2}, "2 contacts have parked writes, should be none"),
        (
            {
                "verified": {
                    "expected": 1,
                    "counts": {"different": 1},
                    "lines": [
                        {
                            "record": "phonecalls(1)",
                            "finding": "different",
                            "columns": ["subject"],
                        }
                    ],
                }
            },
            "verify finds phonecalls(1) different subject",
        ),
    ],
)
def test_every_kind_of_problem_is_told(
    outcome: Outcome, change: dict[str, Any], problem: str
) -> None:
    assert not list(outcome.problems())
    assert list(replace(outcome, **change).problems()) == [problem]


def test_a_missing_a_wrong_and_a_foreign_record_are_differences(outcome: Outcome) -> None:
    assert not list(differences(outcome.expected, outcome.records))
    wrong, missing = outcome.records["phonecalls"][:2]
    wrong["subject"] = "something else"
    outcome.records["phonecalls"].remove(missing)
    outcome.records["annotations"].append({"annotationid": "a note"})
    found = list(differences(outcome.expected, outcome.records))
    assert len(found) == 3
    assert any(f"({wrong['activityid']}) subject is 'something else'" in line for line in found)
    assert f"phonecalls({missing['activityid']}) is not there" in found
    assert "annotations(a note) should not be there" in found


@pytest.mark.parametrize(
    ("values", "share", "result"),
    [([], 0.5, 0.0), ([7.0], 0.0, 7.0), ([1.0, 2.0], 0.5, 1.0), ([1.0, 2.0], 0.51, 2.0)],
)
def test_a_percentile_is_the_smallest_value_that_the_share_does_not_exceed(
    values: list[float], share: float, result: float
) -> None:
    assert percentile(values, share) == result


def test_a_scenario_has_every_kind_and_is_told_in_seconds() -> None:
    scenario = tell(60, 1, NOW)
    assert {leg.kind for leg in scenario.legs} == set(KINDS)
    assert scenario.sent == sorted(scenario.sent, key=lambda message: message.at_s)
    assert scenario.sent[-1].at_s <= LATEST_S
    assert scenario.lost > 0
    assert scenario.repeated > 0


def test_what_happens_on_a_contact_is_told_as_it_happens() -> None:
    scenario = tell(60, 1, NOW)
    answered = {leg.id: leg for leg in scenario.legs if leg.answered and leg.kind != PAST}
    sent = {m.contact_id: m for m in scenario.sent if b"CONNECTED_TO_AGENT" in m.body}
    delays = [
        NOW.timestamp() + message.at_s - (answered[contact_id].answered_ms or 0) / 1000
        for contact_id, message in sent.items()
        if contact_id in answered
    ]
    assert len(delays) > 30
    assert all(delay > 0 for delay in delays)
    assert percentile(sorted(delays), 0.9) < 1.0


def test_every_contact_of_a_scenario_has_ended_when_its_record_is_sent() -> None:
    scenario = tell(60, 1, NOW)
    first = {m.contact_id: m.at_s for m in reversed(scenario.sent) if m.stream == RECORDS}
    for leg in scenario.legs:
        assert leg.disconnected_ms / 1000 <= NOW.timestamp() + first[leg.id]
        assert leg.initiated_ms / 1000 > NOW.timestamp() - 86_400
