"""``connect-dynamics replay``: archived messages become Dynamics records."""

from __future__ import annotations

import json

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.sandbox.dataverse.users import CLIENT_ID, application_user


Command = Callable[..., Any]

REPORT = {"events", "contacts", "ignored", "quarantined", "parked", "writes", "requests", "seconds"}

#: What is in ``day``.
EVENTS, CALLS = 11, 2

THEIRS = """
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "theirs", "category": "{{Channel}}"}'
"""


def dumped(path: Path) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = json.loads(path.read_bytes())
    return rows


def test_the_json_report_tells_what_was_done(command: Command, day: Path) -> None:
    ended = command("replay", "--dynamics", "sandbox", day, "--report", "json")
    assert ended.status == 0
    assert set(ended.report) >= REPORT
    assert (ended.report["events"], ended.report["contacts"]) == (EVENTS, CALLS)
    assert ended.report["writes"] == ended.report["requests"] == 2 * CALLS
    assert ended.report["quarantined"] == ended.report["parked"] == ended.report["ignored"] == 0


def test_the_table_tells_the_same_and_why_messages_were_ignored(
    command: Command, day: Path
) -> None:
    ended = command("replay", "--dynamics", "sandbox", day, "--since", "2026-01-02T09:04:05Z")
    assert ended.status == 0
    assert all(name in ended.out for name in REPORT)
    assert "ignored: outside --since and --until" in ended.out


def test_the_dump_is_every_record_by_entity_set_sorted_by_primary_key(
    command: Command, day: Path, place: Path
) -> None:
    command("replay", "--dynamics", "sandbox", day, "--dump", place / "dump.json")
    rows = dumped(place / "dump.json")
    calls = rows["phonecalls"]
    assert all(isinstance(table, list) for table in rows.values())
    assert len(calls) == CALLS
    assert [row["activityid"] for row in calls] == sorted(row["activityid"] for row in calls)
    assert {row["statecode"] for row in calls} == {1}


def test_the_same_archive_twice_sends_nothing_the_second_time(
    command: Command, day: Path, place: Path
) -> None:
    twice = (
        "replay",
        "--dynamics",
        "sandbox",
        day,
        "--state",
        "sqlite:state.db",
        "--report",
        "json",
        "--dump",
    )
    first = command(*twice, "first.json")
    second = command(*twice, "second.json")
    assert first.report["writes"] == 2 * CALLS
    assert (second.report["writes"], second.report["requests"]) == (0, 0)
    assert (place / "first.json").read_bytes() == (place / "second.json").read_bytes()


def test_a_fresh_machine_writes_nothing_over_what_is_there_already(
    command: Command, day: Path, place: Path
) -> None:
    """Without the state of the first run the records are read and compared."""
    again = ("replay", day, "--dynamics", "sandbox:dynamics.db", "--report", "json", "--dump")
    command(*again, "first.json")
    second = command(*again, "second.json")
    assert second.report["writes"] == 0
    assert second.report["requests"] > 0
    assert (place / "first.json").read_bytes() == (place / "second.json").read_bytes()


def test_a_later_part_of_the_archive_completes_the_records(
    command: Command, day: Path, place: Path
) -> None:
    state = ("--state", "sqlite:state.db", "--dump", "dump.json")
    command("replay", "--dynamics", "sandbox", day, "--until", "2026-01-02T09:03:00Z", *state)
    began = dumped(place / "dump.json")["phonecalls"]
    ended = command(
        "replay", "--dynamics", "sandbox", day, "--since", "2026-01-02T09:03:00Z", *state
    )
    calls = dumped(place / "dump.json")["phonecalls"]
    assert ended.status == 0
    assert not any("phonenumber" in row for row in began)  # contact events do not tell it
    assert all("phonenumber" in row for row in calls)
    assert len(began) == len(calls) == CALLS


def test_a_date_alone_is_its_midnight(command: Command, day: Path) -> None:
    all_of_it = command(
        "replay", "--dynamics", "sandbox", day, "--since", "2026-01-02", "--report", "json"
    )
    none_of_it = command(
        "replay", "--dynamics", "sandbox", day, "--until", "2026-01-02", "--report", "json"
    )
    assert all_of_it.report["ignored"] == 0
    assert none_of_it.report["ignored"] == EVENTS


def test_a_dry_run_sends_nothing_and_leaves_the_state_as_it_was(
    command: Command, day: Path, place: Path
) -> None:
    state = ("--state", "sqlite:state.db", "--report", "json")
    command("replay", "--dynamics", "sandbox", day, "--until", "2026-01-02T09:03:00Z", *state)
    before = (place / "state.db").read_bytes()
    ended = command("replay", day, "--dry-run", *state)
    assert ended.status == 0
    assert ended.report["dry_run"] is True
    assert ended.report["requests"] == 0
    assert ended.report["writes"] > 0  # what would be sent
    assert (place / "state.db").read_bytes() == before


def test_a_dry_run_makes_no_state(command: Command, day: Path, place: Path) -> None:
    assert command("replay", day, "--dry-run", "--state", "sqlite:new.db").status == 0
    assert not list(place.iterdir())


def test_a_dry_run_has_nothing_to_dump(command: Command, day: Path) -> None:
    ended = command("replay", day, "--dry-run", "--dump", "dump.json")
    assert ended.status == 1
    assert "--dump" in ended.err


@pytest.mark.parametrize(("options", "subject"), [((), "mine"), (("--overwrite",), "theirs")])
def test_what_a_person_wrote_is_kept_unless_overwrite_is_asked_for(
    *,
    command: Command,
    reached: Any,
    pipeline: Callable[[str], Path],
    day: Path,
    place: Path,
    options: tuple[str, ...],
    subject: str,
) -> None:
    """A stranger's record under our id is only filled where it is empty."""
    replay = ("replay", "--dynamics", "sandbox", day, "--pipeline", pipeline(THEIRS))
    command(*replay, "--dump", "dump.json")
    for row in dumped(place / "dump.json")["phonecalls"]:
        stranger = {"activityid": row["activityid"], "subject": "mine"}
        reached.dataverse.put("phonecalls", stranger, client_id="a person")
    ended = command(*replay, "--dynamics", reached.url, *options)
    assert ended.status == 0
    rows = reached.dataverse.dump()["phonecalls"]
    assert {row["subject"] for row in rows} == {subject}
    assert {row["category"] for row in rows} == {"VOICE"}


def test_several_application_users_share_a_replay(
    command: Command, reached: Any, second_user: str, day: Path, place: Path
) -> None:
    state = f"sqlite:{place / 'state.sqlite'}"
    replay = ("replay", day, "--dynamics", reached.url, "--state", state, "--report", "json")
    ended = command(*replay)
    assert ended.status == 0
    rows = reached.dataverse.dump()["phonecalls"]
    assert len(rows) == CALLS
    users = {application_user(second_user), application_user(CLIENT_ID)}
    assert {row["_createdby_value"] for row in rows} <= users
    assert reached.dataverse.writes == ended.report["writes"]
    assert command(*replay).report["writes"] == 0, "a state is all users' together"


def test_rate_spreads_the_requests(command: Command, day: Path) -> None:
    ended = command("replay", "--dynamics", "sandbox", day, "--rate", "20", "--report", "json")
    assert ended.report["requests"] == 2 * CALLS
    assert ended.report["seconds"] >= (2 * CALLS - 1) / 20


def test_a_served_environment_is_reached_with_token_and_private_authority(
    command: Command, reached: Any, day: Path
) -> None:
    ended = command("replay", day, "--dynamics", reached.url, "--report", "json")
    assert ended.status == 0
    assert len(reached.dataverse.dump()["phonecalls"]) == CALLS
    assert reached.dataverse.writes == ended.report["writes"]


def test_several_sources_and_folders_are_read_together(
    command: Command, day: Path, place: Path
) -> None:
    """The same messages from a folder and a file are the same contacts."""
    folder = place / "archive"
    folder.mkdir()
    lines = day.read_bytes().splitlines(keepends=True)
    (folder / "late.json").write_bytes(b"".join(lines[5:]))
    ended = command("replay", "--dynamics", "sandbox", folder, day, "--report", "json")
    assert ended.report["contacts"] == CALLS
    assert ended.report["writes"] == 2 * CALLS


def test_what_cannot_be_used_is_kept_and_told_by_exit_status_3(
    command: Command, day: Path, place: Path
) -> None:
    (place / "broken.json").write_text('{"detail-type": "Amazon Connect Contact Event"\n')
    ended = command("replay", "--dynamics", "sandbox", "broken.json", day, "--report", "json")
    assert ended.status == 3
    assert ended.report["quarantined"] == 1
    assert ended.report["writes"] == 2 * CALLS


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (
            b'{"AgentARN": "a", "EventType": "LOGIN"}\n' * 2,
            0,
            "ignored were 2 x agent event",
        ),
        (
            b"Contact ID,Channel,Queue\nc-1,VOICE,Sales\nc-2,VOICE,Sales\n",
            3,
            "quarantined were 1 x CSV file: replay the contact records themselves",
        ),
        (b"PAR1\x15\x04\x00", 3, "quarantined were 1 x Parquet file: switch off record format"),
        (b'{\n  "a": {\n    "b": "cut\n    "c": 1\n  }\n}\n', 3, "quarantined were 1 x not JSON"),
        (b"", 0, "there were no messages at all"),
    ],
)
def test_a_replay_of_nothing_of_use_says_what_it_found_instead(
    command: Command, place: Path, body: bytes, status: int, said: str
) -> None:
    (place / "other").write_bytes(body)
    ended = command("replay", "--dynamics", "sandbox", "other", "--report", "json")
    assert ended.status == status
    assert "nothing in these sources is of use" in ended.err
    assert said in " ".join(ended.err.split())


def test_the_reports_name_why_messages_were_quarantined(command: Command, place: Path) -> None:
    (place / "other").write_bytes(b"PK\x03\x04")
    asked = ("replay", "--dynamics", "sandbox", "other")
    reasons = command(*asked, "--report", "json").report["quarantined_by_reason"]
    assert reasons == {"zip file: unpack it first": 1}
    assert "quarantined: zip file" in command(*asked).out
