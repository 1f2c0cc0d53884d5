"""Columns, their types, lengths and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from worker.sandbox.dataverse.schema.tables import BY_LOGICAL, TABLES


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


PHONECALL_DEFAULTS = {
    "activitytypecode": "phonecall",
    "createdon": "2026-01-02T03:04:05Z",
    "directioncode": True,
    "isbilled": False,
    "isworkflowcreated": False,
    "leftvoicemail": False,
    "modifiedon": "2026-01-02T03:04:05Z",
    "prioritycode": 1,
    "statecode": 0,
    "statuscode": 1,
}

LENGTHS = [
    ("phonecall", "subject", 200),
    ("phonecall", "phonenumber", 200),
    ("phonecall", "description", 2000),
    ("phonecall", "category", 250),
    ("phonecall", "subcategory", 250),
    ("phonecall", "activityadditionalparams", 8192),
    ("task", "subject", 200),
    ("task", "description", 2000),
    ("task", "category", 250),
    ("task", "activityadditionalparams", 8192),
    ("email", "subject", 800),
    ("email", "sender", 250),
    ("email", "torecipients", 500),
    ("email", "messageid", 320),
    ("email", "inreplyto", 320),
    ("email", "trackingtoken", 50),
    ("contact", "telephone1", 50),
    ("contact", "mobilephone", 50),
    ("contact", "callback", 50),
    ("contact", "emailaddress1", 100),
    ("contact", "firstname", 50),
    ("contact", "lastname", 50),
    ("contact", "description", 2000),
    ("contact", "externaluseridentifier", 50),
    ("appointment", "location", 200),
    ("appointment", "globalobjectid", 300),
    ("annotation", "subject", 500),
    ("annotation", "notetext", 100000),
    ("annotation", "filename", 255),
    ("annotation", "mimetype", 256),
    ("annotation", "langid", 2),
]


@pytest.mark.parametrize(("logical", "column", "length"), LENGTHS)
async def test_text_is_taken_up_to_its_length_and_no_further(
    http: httpx.AsyncClient, logical: str, column: str, length: int
) -> None:
    path = BY_LOGICAL[logical].entity_set
    fits = await http.post(path, json={column: "x" * length})
    exceeds = await http.post(path, json={column: "x" * (length + 1)})
    assert fits.status_code == 204
    assert exceeds.json()["error"]["code"] == "0x80044331"


async def test_length_counts_as_dot_net_does(http: httpx.AsyncClient) -> None:
    """A character beyond the basic plane is two."""
    assert (await http.post("tasks", json={"subject": "😀" * 100})).status_code == 204
    assert (await http.post("tasks", json={"subject": "😀" * 101})).status_code == 400


@pytest.mark.parametrize(
    ("column", "sent", "stored"),
    [
        ("subject", "x", "x"),
        ("subject", "", None),
        ("subject", None, None),
        ("directioncode", False, False),
        ("actualdurationminutes", 3, 3),
        ("actualdurationminutes", 2**31 - 1, 2**31 - 1),
        ("actualstart", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z"),
        ("actualstart", "2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05Z"),
        ("prioritycode", 2, 2),
        ("scheduleddurationminutes", 5, None),  # the server's alone: dropped
        ("onholdtime", 5, None),
        ("createdon", "2001-01-01T00:00:00Z", "2026-01-02T03:04:05Z"),
        ("overriddencreatedon", "2001-01-01T00:00:00Z", "2026-01-02T03:04:05Z"),
        ("statuscode@OData.Community.Display.V1.FormattedValue", "Made", "Open"),
    ],
)
async def test_a_value_is_stored_in_its_columns_form(
    http: httpx.AsyncClient, column: str, sent: Any, stored: Any
) -> None:
    headers = {"Prefer": 'return=representation,odata.include-annotations="*"'}
    answer = await http.post("phonecalls", json={column: sent}, headers=headers)
    assert answer.status_code == 201
    assert answer.json()[column] == stored


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("subject", 1),
        ("subject", True),
        ("directioncode", "true"),
        ("directioncode", 1),
        ("actualdurationminutes", "3"),
        ("actualdurationminutes", 3.5),
        ("actualdurationminutes", True),
        ("actualstart", "yesterday"),
        ("actualstart", "2026-01-02"),
        ("actualstart", "2026-01-02T03:04:05"),
        ("actualstart", 5),
        ("prioritycode", "High"),
        ("activityid", "x"),
        ("regardingobjectid_contact", "x"),
        ("phonecall_activity_parties", "x"),
    ],
)
async def test_a_value_of_the_wrong_type_is_refused(
    http: httpx.AsyncClient, column: str, value: Any
) -> None:
    answer = await http.post("phonecalls", json={column: value})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "0x80048d19"


async def test_a_phone_call_is_born_with_its_defaults(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    await http.post("phonecalls", json={})
    row = dataverse.dump()["phonecalls"][0]
    user = (await http.get("WhoAmI")).json()["UserId"]
    people = {f"_{name}_value": user for name in ("createdby", "modifiedby", "ownerid")}
    rest = {"activityid": row["activityid"], "versionnumber": row["versionnumber"]}
    assert row == PHONECALL_DEFAULTS | people | rest


async def test_a_create_may_tell_an_earlier_time_of_creation(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    await http.post("phonecalls", json={"overriddencreatedon": "2001-01-01T00:00:00Z"})
    assert dataverse.dump()["phonecalls"][0]["createdon"] == "2001-01-01T00:00:00Z"


async def test_a_contacts_full_name_and_account_follow_from_its_columns(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    account = dataverse.put("accounts", {"name": "Ltd"})
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    person = dataverse.put("contacts", {"firstname": "Ada", "lastname": "L", **bind})
    row = (await http.get(f"contacts({person})")).json()
    assert (row["fullname"], row["_accountid_value"]) == ("Ada L", account)


async def test_a_note_has_the_size_of_its_file(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    call = dataverse.put("phonecalls", {})
    body = {"documentbody": "aGVsbG8=", "objectid_phonecall@odata.bind": f"/phonecalls({call})"}
    note = dataverse.put("annotations", body)
    row = (await http.get(f"annotations({note})")).json()
    assert (row["isdocument"], row["filesize"], row["_objectid_value"]) == (True, 5, call)
    bad = await http.post("annotations", json={"documentbody": "?"})
    assert bad.status_code == 400


@pytest.mark.parametrize("entity_set", [n for n, table in TABLES.items() if not table.joins])
async def test_every_table_takes_a_client_chosen_primary_key(
    http: httpx.AsyncClient, entity_set: str
) -> None:
    key = "0a0b0c0d-0001-4002-8003-00000000000a"
    answer = await http.post(entity_set, json={TABLES[entity_set].key: key.upper()})
    assert answer.headers["odata-entityid"].endswith(f"{entity_set}({key})")


async def test_an_update_does_not_change_the_primary_key(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    key = dataverse.put("phonecalls", {})
    body = {"activityid": "0a0b0c0d-0001-4002-8003-00000000000a", "subject": "x"}
    assert (await http.patch(f"phonecalls({key})", json=body)).status_code == 204
    assert [row["activityid"] for row in dataverse.dump()["phonecalls"]] == [key]


@pytest.mark.parametrize("character", ["\x0b", "\0", "\x1b", "\ufffe"])
@pytest.mark.parametrize("column", ["subject", "description"])
async def test_a_character_that_xml_cannot_hold_is_refused_with_its_number(
    http: httpx.AsyncClient, column: str, character: str
) -> None:
    answer = await http.post("phonecalls", json={column: f"a{character}b"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "0x80040278")
    assert f"hexadecimal value 0x{ord(character):02X}" in error["message"]


async def test_a_party_s_text_is_refused_for_such_a_character_and_for_its_utf_16_length(
    http: httpx.AsyncClient,
) -> None:
    codes = []
    for used in ("a\x0b", "😀" * 161, "😀" * 160):
        parties = [{"participationtypemask": 1, "addressused": used}]
        answer = await http.post("phonecalls", json={"phonecall_activity_parties": parties})
        codes.append(answer.json()["error"]["code"] if answer.content else "")
    assert codes == ["0x80040278", "0x80044331", ""]


async def test_tabs_line_ends_and_whatever_else_xml_has_are_taken(http: httpx.AsyncClient) -> None:
    text = "a\tb\r\nc\x7f\ufdd0\U0001f600"
    assert (await http.post("phonecalls", json={"description": text})).status_code == 204
