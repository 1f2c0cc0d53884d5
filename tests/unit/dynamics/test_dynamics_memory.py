"""The in-memory twin does what Dataverse would, as far as the worker uses it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from worker.dynamics.errors import Closed, DynamicsError, Exists, Missing, Refused, Unavailable
from worker.dynamics.memory import PERSON_ID, USER_ID, Failure, MemoryDynamics, in_turn
from worker.dynamics.protocol import WHO_AM_I, Answer, Dynamics, Request


KEY = "11111111-2222-4333-8444-555555555555"
CREATE = Request("POST", "phonecalls", body={"activityid": KEY, "subject": "one"})
IF_MATCH = {"If-Match": "*"}


def update(**columns: object) -> Request:
    return Request("PATCH", f"phonecalls({KEY})", IF_MATCH, columns)


async def send(dynamics: Dynamics, request: Request) -> Answer:
    return await dynamics.send(request, timeout_s=1)


@pytest.fixture
def memory() -> MemoryDynamics:
    return MemoryDynamics()


async def test_a_create_keeps_the_chosen_key_and_fills_in_defaults_and_users(
    memory: MemoryDynamics,
) -> None:
    answer = await send(memory, CREATE)
    assert answer.status == 204
    assert answer.headers["OData-EntityId"].endswith(f"/phonecalls({KEY})")
    record = memory.records["phonecalls", KEY]
    assert (record["subject"], record["statecode"], record["directioncode"]) == ("one", 0, True)
    assert record["_createdby_value"] == record["_modifiedby_value"] == USER_ID
    assert await memory.user_id() == USER_ID
    assert (await send(memory, WHO_AM_I)).body == {"UserId": USER_ID}


async def test_a_second_create_with_the_same_key_is_412(memory: MemoryDynamics) -> None:
    await send(memory, CREATE)
    with pytest.raises(Exists):
        await send(memory, CREATE)
    with pytest.raises(Exists):
        await send(memory, Request("PATCH", f"phonecalls({KEY})", {"If-None-Match": "*"}, {}))


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("telephone1 eq '+49 30' or telephone1 eq 'x'", True),
        ("(telephone1 eq 'x' or fullname eq 'O''Hara') and statecode eq 0", True),
        ("telephone1 eq '+49 30' and statecode eq 1", False),
        ("endswith(telephone1,'9%3%0')", True),
        ("endswith(telephone1,'9[%]30')", False),
        ("startswith(fullname,'o_h') and (statecode eq 1 or endswith(fullname,'A'))", True),
    ],
)
async def test_rows_are_filtered_by_what_lookups_ask(
    memory: MemoryDynamics, where: str, found: bool
) -> None:
    row = {"contactid": KEY, "telephone1": "+49 30", "fullname": "O'Hara", "statecode": 0}
    memory.records["contacts", KEY] = row
    answer = await send(memory, Request("GET", f"contacts?$filter={quote(where)}"))
    assert bool(answer.body["value"]) is found


async def test_a_create_without_a_key_gets_one_and_says_so_if_asked(memory: MemoryDynamics) -> None:
    request = Request("POST", "contacts", {"Prefer": "return=representation"}, {"fullname": "A"})
    answer = await send(memory, request)
    assert answer.status == 201
    assert ("contacts", answer.body["contactid"]) in memory.records


async def test_an_update_needs_the_record_and_an_upsert_does_not(memory: MemoryDynamics) -> None:
    with pytest.raises(Missing):
        await send(memory, update(subject="two"))
    await send(memory, Request("PATCH", f"phonecalls({KEY})", {}, {"subject": "two"}))
    await send(memory, update(category="VOICE"))
    record = memory.records["phonecalls", KEY]
    assert (record["subject"], record["category"]) == ("two", "VOICE")


async def test_a_read_gives_the_columns_asked_for_and_null_for_those_without_value(
    memory: MemoryDynamics,
) -> None:
    await send(memory, CREATE)
    answer = await send(memory, Request("GET", f"phonecalls({KEY})?$select=subject,category"))
    assert answer.body == {"subject": "one", "category": None}
    with pytest.raises(Missing):
        await send(memory, Request("GET", "phonecalls(00000000-0000-4000-8000-000000000000)"))


async def test_a_lookup_finds_by_equality_without_case_and_within_top(
    memory: MemoryDynamics,
) -> None:
    for name in ("Ann O'Hara", "Bob", "Bo"):
        await send(memory, Request("POST", "contacts", body={"fullname": name, "pager": "+1"}))

    async def found(query: str) -> list[str]:
        answer = await send(memory, Request("GET", f"contacts?$select=fullname&{query}"))
        return [record["fullname"] for record in answer.body["value"]]

    assert await found("$filter=fullname%20eq%20'ann%20O''hara'") == ["Ann O'Hara"]
    assert await found("$filter=fullname+eq+'Bob'+or+fullname+eq+'Bo'") == ["Bob", "Bo"]
    assert await found("$filter=(fullname eq 'Bob' and pager eq '%2B1')") == ["Bob"]
    assert await found("$filter=statecode eq 0&$top=2") == ["Ann O'Hara", "Bob"]
    assert await found("$top=5") == ["Ann O'Hara", "Bob", "Bo"]
    with pytest.raises(Refused):
        await found("$filter=contains(fullname,'B')")


async def test_binds_are_read_as_lookups_and_parties_change_by_put(memory: MemoryDynamics) -> None:
    bind = {"regardingobjectid_contact_phonecall@odata.bind": f"/contacts({KEY.upper()})"}
    parties = [{"participationtypemask": 1}]
    body = {**CREATE.body, **bind} if CREATE.body else bind
    await send(memory, Request("POST", "phonecalls", body=body))
    put = Request("PUT", f"phonecalls({KEY})/phonecall_activity_parties", body={"value": parties})
    await send(memory, put)
    record = memory.records["phonecalls", KEY]
    assert record["_regardingobjectid_value"] == KEY
    assert record["phonecall_activity_parties"] == parties


async def test_records_start_open_whatever_the_create_says(memory: MemoryDynamics) -> None:
    body = {"activityid": KEY, "statecode": 1, "statuscode": 4}
    await send(memory, Request("POST", "phonecalls", body=body))
    record = memory.records["phonecalls", KEY]
    assert (record["statecode"], record["statuscode"]) == (0, 1)


@pytest.mark.parametrize("refuses", [False, True])
async def test_closed_records_take_or_refuse_updates_as_told_and_can_be_reopened(
    refuses: bool,
) -> None:
    memory = MemoryDynamics(refuse_closed=refuses)
    await send(memory, CREATE)
    await send(memory, update(statecode=1, statuscode=4))
    if refuses:
        with pytest.raises(Closed):
            await send(memory, update(subject="late"))
        await send(memory, update(statecode=0, statuscode=1))
    await send(memory, update(subject="late"))
    assert memory.records["phonecalls", KEY]["subject"] == "late"


async def test_people_edit_and_delete(memory: MemoryDynamics) -> None:
    await send(memory, CREATE)
    memory.edit("phonecalls", KEY, subject="mine")
    assert memory.records["phonecalls", KEY]["_modifiedby_value"] == PERSON_ID
    memory.delete("phonecalls", KEY)
    with pytest.raises(Missing):
        await send(memory, update(subject="x"))


async def test_scripted_failures_come_before_or_after_the_write_and_all_requests_are_kept() -> None:
    lost: DynamicsError = Unavailable("lost")
    memory = MemoryDynamics(script=in_turn(Failure(lost), None, Failure(lost, committed=True)))
    with pytest.raises(Unavailable):
        await send(memory, CREATE)
    assert not memory.records
    await send(memory, CREATE)
    with pytest.raises(Unavailable):
        await send(memory, update(subject="two"))
    assert memory.records["phonecalls", KEY]["subject"] == "two"
    await send(memory, update(subject="three"))
    assert [request.method for request in memory.requests] == ["POST", "POST", "PATCH", "PATCH"]


@pytest.mark.parametrize("request_", [Request("DELETE", f"x({KEY})"), Request("GET", "a/b/c?d")])
async def test_what_the_twin_does_not_know_is_refused(
    memory: MemoryDynamics, request_: Request
) -> None:
    with pytest.raises(Refused):
        await send(memory, request_)


async def test_the_caller_keeps_its_own_lists(memory: MemoryDynamics) -> None:
    tags = ["a"]
    await send(memory, Request("POST", "tasks", body={"activityid": KEY, "tags": tags}))
    tags.append("b")
    assert memory.records["tasks", KEY]["tags"] == ["a"]
