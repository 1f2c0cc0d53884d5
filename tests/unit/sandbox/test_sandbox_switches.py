"""What Dataverse's documentation leaves open is a switch, and each does what it says.

Switches of states are in test_sandbox_states, of batches in test_sandbox_batch, of limits in
test_sandbox_limits; lost answers and SQL's troubles are in test_sandbox_faults.
"""

from __future__ import annotations

import asyncio

from typing import TYPE_CHECKING, Any

import pytest

from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.app import Dataverse
from worker.sandbox.dataverse.users import CLIENT_ID, application_user


if TYPE_CHECKING:
    import httpx


ID = "0a0b0c0d-0001-4002-8003-00000000000a"
PARTY = {"addressused": "x", "participationtypemask": 1}
SHORT = "regardingobjectid_contact@odata.bind"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(("mode", "status"), [("refuse", 400), ("replace", 204), ("ignore", 204)])
async def test_parties_nested_in_an_update_are_treated_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, status: int
) -> None:
    dataverse.switches.patch_parties = mode
    call = dataverse.put("phonecalls", {})
    body = {"phonecall_activity_parties": [PARTY]}
    assert (await http.patch(f"phonecalls({call})", json=body)).status_code == status
    replaced = "phonecall_activity_parties" in dataverse.dump()["phonecalls"][0]
    assert replaced == (mode == "replace")


@pytest.mark.parametrize("status", [404, 400])
async def test_a_bind_to_a_row_that_is_not_there_answers_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, status: Any
) -> None:
    dataverse.switches.bad_bind_status = status
    answer = await http.post("phonecalls", json={SHORT: f"/contacts({ID})"})
    assert code(answer) == (status, "0x80040217")


@pytest.mark.parametrize("expected", ["0x80040237", "0x80060892"])
async def test_a_create_under_a_taken_key_answers_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, expected: Any
) -> None:
    dataverse.switches.key_taken_code = expected
    call = dataverse.put("phonecalls", {})
    assert code(await http.post("phonecalls", json={"activityid": call})) == (412, expected)


@pytest.mark.parametrize("status", [412, 500])
async def test_duplicate_detection_answers_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, status: Any
) -> None:
    dataverse.switches.duplicate_status = status
    dataverse.put("accounts", {"emailaddress1": "a@x.example"})
    body = {"emailaddress1": "A@x.example"}
    headers = {"MSCRM.SuppressDuplicateDetection": "false"}
    assert code(await http.post("accounts", json=body, headers=headers)) == (status, "0x80040333")
    assert (await http.post("accounts", json=body)).status_code == 204


@pytest.mark.parametrize(("style", "expected"), [("hex", "0x80040217"), ("", ""), ("0x0", "0x0")])
async def test_error_codes_have_the_style_that_is_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, style: Any, expected: str
) -> None:
    dataverse.switches.code_style = style
    assert code(await http.get(f"phonecalls({ID})")) == (404, expected)


@pytest.mark.parametrize("expected", ["0x80060882", ""])
async def test_a_stale_etag_answers_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, expected: Any
) -> None:
    dataverse.switches.stale_code = expected
    call = dataverse.put("phonecalls", {})
    answer = await http.patch(f"phonecalls({call})", json={}, headers={"If-Match": 'W/"1"'})
    assert code(answer) == (412, expected)


@pytest.mark.parametrize("expected", ["0x80060888", "0x8006088a"])
async def test_an_unknown_segment_answers_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, expected: Any
) -> None:
    dataverse.switches.segment_code = expected
    assert code(await http.get("nothings")) == (404, expected)


@pytest.mark.parametrize(("mode", "status"), [("allow", 204), ("refuse", 400), ("pending", 400)])
async def test_alternate_keys_of_phone_calls_work_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, status: int
) -> None:
    dataverse.switches.phonecall_keys = mode
    assert (await http.patch("phonecalls(subject='x')", json={})).status_code == status


@pytest.mark.parametrize(("mode", "status"), [("refuse", 400), ("accept", 200)])
@pytest.mark.parametrize("logical", ["phonecall", "annotation"])
async def test_an_undocumented_bulk_message_answers_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, status: int, logical: str
) -> None:
    dataverse.switches.bulk_everywhere = mode
    body = {"Targets": [{"@odata.type": f"Microsoft.Dynamics.CRM.{logical}", "subject": "x"}]}
    answer = await http.post(f"{logical}s/Microsoft.Dynamics.CRM.CreateMultiple", json=body)
    assert answer.status_code == status


@pytest.mark.parametrize(("mode", "expected"), [("conflict", [204, 412]), ("accept", [204, 204])])
async def test_simultaneous_upserts_of_a_row_answer_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, expected: list[int]
) -> None:
    dataverse.switches.upsert_race = mode
    dataverse.faults.next(faults.latency(0.001), times=2)
    upserts = [http.patch(f"phonecalls({ID})", json={"subject": "x"}) for _ in range(2)]
    answers = await asyncio.gather(*upserts)
    assert sorted(answer.status_code for answer in answers) == expected


@pytest.mark.parametrize(
    ("status", "challenge", "challenged"),
    [(403, True, False), (401, True, True), (401, False, False)],
)
async def test_a_disabled_application_user_is_refused_as_switched(
    http: httpx.AsyncClient,
    dataverse: Dataverse,
    status: Any,
    challenge: bool,
    challenged: bool,
) -> None:
    dataverse.switches.disabled_status = status
    dataverse.switches.www_authenticate = challenge
    user = application_user(CLIENT_ID)
    await http.patch(f"systemusers({user})", json={"isdisabled": True})
    answer = await http.get("WhoAmI")
    assert code(answer) == (status, "0x80040225")
    assert ("www-authenticate" in answer.headers) == challenged


@pytest.mark.parametrize(("mode", "status"), [("accept", 204), ("refuse", 400)])
async def test_a_bind_by_alternate_key_answers_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, status: int
) -> None:
    dataverse.switches.bind_by_key = mode
    dataverse.put("contacts", {"emailaddress1": "a@x.example"})
    body = {SHORT: "/contacts(emailaddress1='a@x.example')"}
    assert (await http.post("phonecalls", json=body)).status_code == status


@pytest.mark.parametrize(("mode", "status"), [("accept", 204), ("refuse", 400)])
async def test_the_short_name_of_a_phone_calls_regarding_is_taken_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, status: int
) -> None:
    dataverse.switches.short_regarding = mode
    person = dataverse.put("contacts", {})
    answer = await http.post("phonecalls", json={SHORT: f"/contacts({person})"})
    assert answer.status_code == status


async def test_a_bind_by_an_alternate_key_that_names_no_row_is_not_found(
    http: httpx.AsyncClient,
) -> None:
    body = {SHORT: "/contacts(emailaddress1='nobody@x.example')"}
    assert code(await http.post("phonecalls", json=body)) == (404, "0x80060891")


@pytest.mark.parametrize(
    ("mode", "answered"),
    [("refuse", (400, "0x80048d19")), ("fail", (500, "0x80040216")), ("ignore", (204, ""))],
)
async def test_a_null_bind_never_empties_a_lookup_and_answers_as_switched(
    http: httpx.AsyncClient,
    dataverse: Dataverse,
    mode: Any,
    answered: tuple[int, str],
) -> None:
    dataverse.switches.null_bind = mode
    person = dataverse.put("contacts", {})
    call = dataverse.put("phonecalls", {SHORT: f"/contacts({person})"})
    answer = await http.patch(f"phonecalls({call})", json={"subject": "x", SHORT: None})
    assert (code(answer) if answer.content else (answer.status_code, "")) == answered
    (row,) = dataverse.dump()["phonecalls"]
    assert row["_regardingobjectid_value"] == person
    assert ("subject" in row) == (mode == "ignore")


@pytest.mark.parametrize(
    ("mode", "answered"), [("refuse", (400, "0x80048d19")), ("last", (204, ""))]
)
@pytest.mark.parametrize("emptied", [False, True])
async def test_a_lookup_set_under_two_names_answers_as_switched(
    http: httpx.AsyncClient,
    dataverse: Dataverse,
    mode: Any,
    answered: tuple[int, str],
    *,
    emptied: bool,
) -> None:
    dataverse.switches.two_binds = mode
    person, company = dataverse.put("contacts", {}), dataverse.put("accounts", {})
    first = {SHORT.partition("@")[0]: None} if emptied else {SHORT: f"/contacts({person})"}
    body = {**first, "regardingobjectid_account_phonecall@odata.bind": f"/accounts({company})"}
    answer = await http.post("phonecalls", json=body)
    assert (code(answer) if answer.content else (answer.status_code, "")) == answered
    about = [row["_regardingobjectid_value"] for row in dataverse.dump()["phonecalls"]]
    assert about == ([company] if mode == "last" else [])


@pytest.mark.parametrize(
    ("mode", "text", "status"),
    [
        ("raw", "o''b@x.example", 204),
        ("decoded", "o''b@x.example", 204),
        ("raw", "o%27%27b%40x.example", 404),
        ("decoded", "o%27%27b%40x.example", 204),
    ],
)
async def test_the_text_of_a_bind_is_decoded_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, text: str, status: int
) -> None:
    dataverse.switches.bind_text = mode
    dataverse.put("contacts", {"emailaddress1": "o'b@x.example"})
    body = {SHORT: f"/contacts(emailaddress1='{text}')"}
    assert (await http.post("phonecalls", json=body)).status_code == status


@pytest.mark.parametrize(("mode", "roles"), [("shown", [9]), ("hidden", [])])
async def test_the_parties_of_an_activity_list_its_owner_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, roles: list[int]
) -> None:
    dataverse.switches.automatic_parties = mode
    call = dataverse.put("phonecalls", {})
    row = (await http.get(f"phonecalls({call})?$expand=phonecall_activity_parties")).json()
    listed = [party["participationtypemask"] for party in row["phonecall_activity_parties"]]
    assert listed == roles


WILD = [
    "contains(lastname,'a')",
    "endswith(lastname,'a')",
    "statecode eq 0 and (lastname eq 'x' or endswith( lastname , 'a'))",
    "startswith(lastname,'%25a')",
]
TAME = ["startswith(lastname,'a')", "lastname eq 'contains(x'", "lastname eq 'a'"]


@pytest.mark.parametrize("status", [429, 400, 503])
async def test_a_leading_wildcard_on_a_large_table_is_throttled_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, status: Any
) -> None:
    dataverse.switches.wildcard_rows, dataverse.switches.wildcard_status = 1, status
    for _ in range(2):
        dataverse.put("contacts", {"lastname": "a"})
    for text in WILD:
        assert code(await http.get(f"contacts?$filter={text}")) == (status, "0x80048644")
    for text in TAME:
        assert (await http.get(f"contacts?$filter={text}")).status_code == 200


async def test_a_leading_wildcard_on_a_small_table_is_not_throttled(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.put("contacts", {"lastname": "a"})
    for text in (*WILD, *TAME):
        assert (await http.get(f"contacts?$filter={text}")).status_code == 200


@pytest.mark.parametrize(("mode", "status"), [("refuse", 400), ("last", 204)])
async def test_a_party_that_is_two_records_answers_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, mode: Any, status: int
) -> None:
    dataverse.switches.two_binds = mode
    party = {
        "participationtypemask": 1,
        "partyid_contact@odata.bind": f"/contacts({dataverse.put('contacts', {})})",
        "partyid_account@odata.bind": f"/accounts({dataverse.put('accounts', {})})",
    }
    answer = await http.post("phonecalls", json={"phonecall_activity_parties": [party]})
    assert answer.status_code == status
