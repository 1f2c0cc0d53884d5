"""The rows: transactions, dumps, and the file that keeps them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.rows.records import CLOCKED


if TYPE_CHECKING:
    from pathlib import Path


PERSON = "0a0b0c0d-0001-4002-8003-00000000000a"
KEYS = {"contacts": [("emailaddress1",)]}


def in_file(path: Path) -> Dataverse:
    return create_dataverse(auth=False, path=path, keys=KEYS, random=Random(1))


def call_with(parties: list[dict[str, Any]]) -> dict[str, Any]:
    bind = {"regardingobjectid_contact@odata.bind": f"/contacts({PERSON})"}
    return {"subject": "x", "phonecall_activity_parties": parties, **bind}


def test_reopening_the_file_shows_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    first = in_file(path)
    first.put("contacts", {"contactid": PERSON, "emailaddress1": "a@x.example"})
    first.put("phonecalls", call_with([{"addressused": "x", "participationtypemask": 1}]))
    before = first.dump()
    first.close()
    second = in_file(path)
    assert second.dump() == before
    with pytest.raises(Refusal):  # the alternate key is known again
        second.put("contacts", {"emailaddress1": "a@x.example"})
    second.close()


async def test_deletes_and_refusals_reach_the_file_as_they_should(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    first = in_file(path)
    kept = first.put("tasks", {"subject": "x"})
    gone = first.put("tasks", {"subject": "y"})
    transport = httpx.ASGITransport(app=first.app)
    root = "https://org.test/api/data/v9.2/"
    async with httpx.AsyncClient(transport=transport, base_url=root) as http:
        await http.delete(f"tasks({gone})")
        await http.patch(f"tasks({kept})", json={"subject": "z" * 201})
    first.close()
    second = in_file(path)
    assert [row["subject"] for row in second.dump()["tasks"]] == ["x"]
    second.close()


def test_versions_go_on_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    first = in_file(path)
    first.put("tasks", {})
    version = first.dump()["tasks"][0]["versionnumber"]
    first.close()
    second = in_file(path)
    assert second.records.next_version() > version
    second.close()


def test_two_dumps_of_the_same_rows_differ_by_clock_and_count_alone() -> None:
    dumps = []
    for now, parties in ((1e9, [1, 2]), (2e9, [2, 1])):
        dataverse = create_dataverse(auth=False, clock=lambda now=now: now)  # type: ignore[misc]  # a default of a lambda
        dataverse.put("contacts", {"contactid": PERSON, "lastname": str(now)})
        roles = [{"addressused": "x", "participationtypemask": mask} for mask in parties]
        dataverse.put("phonecalls", {"activityid": PERSON, **call_with(roles)})
        rows = dataverse.dump()["phonecalls"]
        dumps.append([{k: v for k, v in row.items() if k not in CLOCKED} for row in rows])
        dataverse.close()
    assert dumps[0] == dumps[1]


def test_a_dump_is_sorted_by_primary_key(dataverse: Dataverse) -> None:
    for number in (3, 1, 2):
        dataverse.put("tasks", {"activityid": f"0a0b0c0d-0001-4002-8003-00000000000{number}"})
    keys = [row["activityid"] for row in dataverse.dump()["tasks"]]
    assert keys == sorted(keys)


def test_a_transaction_that_fails_leaves_nothing(dataverse: Dataverse) -> None:
    def two_then_fail() -> None:
        with dataverse.records.transaction():
            dataverse.put("tasks", {})
            dataverse.put("tasks", {})
            raise LookupError

    with pytest.raises(LookupError):
        two_then_fail()
    assert dataverse.dump()["tasks"] == []


def test_an_alternate_key_is_free_again_after_a_change(dataverse: Dataverse) -> None:
    dataverse.put("contacts", {"contactid": PERSON, "emailaddress1": "a@x.example"})
    with pytest.raises(Refusal):
        dataverse.put("contacts", {"emailaddress1": "A@x.example"})
    table_row = next(iter(dataverse.dump()["contacts"]))
    assert table_row["emailaddress1"] == "a@x.example"


async def test_the_listener_hears_no_personal_data() -> None:
    heard: list[tuple[str, str, int]] = []
    dataverse = create_dataverse(
        auth=False, keys=KEYS, listener=lambda *request: heard.append(request)
    )
    transport = httpx.ASGITransport(app=dataverse.app)
    root = "https://org.test/api/data/v9.2/"
    async with httpx.AsyncClient(transport=transport, base_url=root) as http:
        await http.get("contacts?$filter=lastname eq 'Ada'")
        await http.get("contacts(emailaddress1='ada@x.example')")
        await http.get(f"contacts({PERSON})")
    dataverse.close()
    assert heard == [
        ("GET", "contacts", 200),
        ("GET", "contacts(…)", 404),
        ("GET", f"contacts({PERSON})", 404),
    ]
