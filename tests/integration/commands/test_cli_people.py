"""``contact list`` and ``find``, and ``person forget``, as an operator types them."""

from __future__ import annotations

import asyncio
import csv
import io
import json

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.dynamics.protocol import Request
from worker.operations.index import index_all
from worker.sandbox.inprocess import InProcessDynamics
from worker.stores.sqlite import SqliteStore


Command = Callable[..., Any]
Served = Any

STATE = ("--state", "sqlite:state.db")
CALL = "00000000-0000-4000-a000-000000000001"
MISSED = "00000000-0000-4000-a000-000000000002"
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def numbers(
    command: Command, day: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """A state of the day that is indexed; contact -> the number it is with."""
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("CONNECT_DYNAMICS_INDEX_KEY", "env:SECRET_KEY")
    replayed = command("replay", day, *STATE, "--dynamics", "sandbox:kept.sqlite")
    assert replayed.status == 0

    async def index() -> dict[str, str]:
        store = SqliteStore(place / "state.db")
        await index_all(store, KEY.encode())
        entries = await store.load([CALL, MISSED])
        await store.close()
        bodies = [json.loads(entry.contact.facts["record"].body) for entry in entries]
        return {body["ContactId"]: body["CustomerEndpoint"]["Address"] for body in bodies}

    return asyncio.run(index())


def ids(text: str) -> set[str]:
    return {json.loads(line)["contact"] for line in text.splitlines()}


def test_contacts_are_listed_and_found_by_number_agent_and_record(
    command: Command, numbers: dict[str, str]
) -> None:
    assert ids(command("contact", "list", "-o", "ndjson", "--since", "2026-01-01", *STATE).out) == {
        CALL,
        MISSED,
    }
    found = command("contact", "find", "--phone", numbers[CALL], "-o", "ndjson", *STATE)
    assert CALL in ids(found.out)
    record = next(iter(command("contact", "show", CALL, "-o", "json", *STATE).report["records"]))
    pasted = f"https://org.example/main.aspx?etn=phonecall&id={record[11:-1]}"
    assert ids(command("contact", "find", "--record", pasted, "-o", "ndjson", *STATE).out) == {CALL}
    nobody = command("contact", "find", "--phone", "+4930999999", *STATE)
    assert (nobody.status, nobody.out) == (0, "")
    assert nobody.err.startswith("no contact\nlooked among all contacts of the state")


def test_what_a_replay_saved_is_looked_for_and_added_to_with_the_key_that_it_had(
    command: Command, day: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody would be found, and a person certified as forgotten who is still there."""
    replay = ("replay", day, *STATE, "--dynamics", "sandbox:kept.sqlite")
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("CONNECT_DYNAMICS_INDEX_KEY", "env:SECRET_KEY")
    assert command(*replay).status == 0
    monkeypatch.setenv("SECRET_KEY", KEY[::-1])
    for words in (
        ("contact", "find", "--phone", "+4930901820", *STATE),
        ("person", "forget", "--phone", "+4930901820", "--yes", *STATE),
        ("quarantine", "retry", "--all", *STATE),
        replay,
    ):
        told = command(*words)
        assert told.status == 1, words
        assert "not the key with which the state is indexed" in told.err


def test_a_list_of_contacts_has_the_same_rows_in_every_form(
    command: Command, numbers: dict[str, str]
) -> None:
    assert numbers
    listed = ("contact", "list", "--since", "2026-01-01", *STATE)
    rows = command(*listed, "-o", "json").report["rows"]
    assert [row["contact"] for row in rows] == [MISSED, CALL]
    cells = list(csv.DictReader(io.StringIO(command(*listed, "-o", "csv").out)))
    assert [cell["contact"] for cell in cells] == [MISSED, CALL]
    assert [line.split()[0] for line in command(*listed).out.splitlines()[1:]] == [MISSED, CALL]


@pytest.mark.parametrize(
    "options", [(), ("--phone", "+4930901820", "--agent", "ada"), ("--phone", "")]
)
def test_one_says_whom_to_find(command: Command, options: tuple[str, ...]) -> None:
    assert command("contact", "find", *options, *STATE).status == 2


def test_without_a_key_nobody_is_found_and_it_says_what_to_set(
    command: Command, numbers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONNECT_DYNAMICS_INDEX_KEY")
    for words in (("contact", "find"), ("person", "forget")):
        ended = command(*words, "--phone", numbers[CALL], *STATE)
        assert (ended.status, ended.out) == (1, "")
        assert "CONNECT_DYNAMICS_INDEX_KEY" in ended.err


def test_a_person_is_shown_asked_for_erased_and_certified(
    command: Command, numbers: dict[str, str]
) -> None:
    theirs = [one for one, number in numbers.items() if number == numbers[CALL]]
    named = ("person", "forget", "--phone", numbers[CALL], *STATE)
    told = command(*named, "--dry-run")
    assert told.status == 0
    assert all(one in told.out for one in theirs)
    assert "phonecalls(" in told.out
    assert "Dynamics was not searched: CONNECT_DYNAMICS_ENVIRONMENT_URL" in told.out
    assert command(*named, answer="n\n").status == 1
    assert command("contact", "show", CALL, *STATE).status == 0
    done = command(*named, "--yes", "--why", "ticket 12", "-o", "json")
    certificate = done.report
    assert sorted(certificate["contacts"]) == sorted(theirs)
    assert certificate["why"] == "ticket 12"
    assert numbers[CALL][1:] not in done.out
    assert command("contact", "show", CALL, *STATE).status == 1
    assert ids(command("contact", "list", "--since", "2026-01-01", "-o", "ndjson", *STATE).out) == (
        {*numbers} - {*theirs}
    )
    again = command(*named)
    assert again.status == 0
    assert "0 contacts" in again.out
    assert "24 months" in " ".join(again.out.split())


def test_who_has_no_number_and_no_address_is_not_forgotten_by_accident(
    command: Command, numbers: dict[str, str]
) -> None:
    assert numbers
    assert command("person", "forget", *STATE).status == 2
    assert "that is no phone" in command("person", "forget", "--phone", "Ada", *STATE).err


def test_records_in_dynamics_that_hold_the_number_are_listed_and_left_as_they_are(
    command: Command, numbers: dict[str, str], reached: Served
) -> None:
    records = reached.dataverse.organisation.records
    old = "00000000-0000-4000-8000-000000000077"
    dynamics = InProcessDynamics(reached.dataverse.organisation)
    body = {"activityid": old, "phonenumber": numbers[CALL], "subject": "of last year"}
    asyncio.run(dynamics.send(Request("POST", "phonecalls", body=body), timeout_s=5))
    before = records.dump()
    named = ("person", "forget", "--phone", numbers[CALL], *STATE, "--yes", "-o", "json")
    certificate = command(*named).report
    [found] = certificate["dynamics"]  # those of the state were written to another Dynamics
    assert (found["record"], found["known_by"]) == (f"phonecalls({old})", "phonenumber")
    assert certificate["searched"] == ["phonecalls: phonenumber"]
    assert records.dump() == before
    reads = {reached.requests.get()[0] for _ in range(reached.requests.qsize())}
    assert "PATCH" not in reads
