"""Queries."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

import httpx
import pytest

from worker.sandbox.dataverse.reading.operators import like


if TYPE_CHECKING:
    from worker.sandbox.dataverse.app import Dataverse


ADA = "0a0b0c0d-0001-4002-8003-00000000000a"
BOB = "0a0b0c0d-0001-4002-8003-00000000000b"
CY = "0a0b0c0d-0001-4002-8003-00000000000c"
NAMES = {ADA: "ada", BOB: "bob", CY: "cy"}


@pytest.fixture(autouse=True)
def people(dataverse: Dataverse) -> None:
    account = dataverse.put("accounts", {"accountid": ADA, "name": "Ltd"})
    at_account = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    ada = {"lastname": "O'Bryan", "telephone1": "+4930123", "donotphone": True}
    dataverse.put("contacts", {"contactid": ADA, **ada, **at_account})
    bob = {"lastname": "Smith", "telephone1": "+4930124", "mobilephone": "+49170"}
    dataverse.put("contacts", {"contactid": BOB, **bob})
    old = {"overriddencreatedon": "2001-01-01T00:00:00Z", "preferredcontactmethodcode": 3}
    dataverse.put("contacts", {"contactid": CY, "lastname": "a_b 100%", **old})


async def found(http: httpx.AsyncClient, query: str) -> list[str]:
    answer = await http.get(f"contacts?{query}")
    assert answer.status_code == 200, answer.text
    return [NAMES[row["contactid"]] for row in answer.json()["value"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lastname eq 'O''Bryan'", "ada"),
        ("lastname eq 'o''bryan'", "ada"),
        ("lastname ne 'smith'", "ada cy"),
        ("telephone1 eq '+4930123' or mobilephone eq '+49170'", "ada bob"),
        ("telephone1 gt '+4930123'", "bob"),
        ("telephone1 le '+4930123'", "ada"),
        ("telephone1 eq null", "cy"),
        ("mobilephone ne null", "bob"),
        ("mobilephone ne '+49170'", "ada cy"),
        ("not (telephone1 eq null)", "ada bob"),
        ("not contains(lastname,'smi')", "ada cy"),
        ("contains(lastname,'BRY')", "ada"),
        ("startswith(telephone1,'+4930')", "ada bob"),
        ("endswith(telephone1,'4')", "bob"),
        ("contains(telephone1,'30_2')", "ada bob"),
        ("contains(telephone1,'3%4')", "bob"),
        ("endswith(telephone1,'[3-9]') and endswith(telephone1,'3')", "ada"),
        ("contains(lastname,'[_]b')", "cy"),
        (f"contactid eq {BOB}", "bob"),
        (f"contactid eq {BOB.upper()}", "bob"),
        (f"_parentcustomerid_value eq {ADA}", "ada"),
        ("donotphone eq true", "ada"),
        ("donotphone eq false", "bob cy"),
        ("statecode eq 0 and preferredcontactmethodcode ge 3", "cy"),
        ("preferredcontactmethodcode lt 3", "ada bob"),
        ("createdon lt 2020-01-01", "cy"),
        ("createdon ge 2026-01-02T03:04:05Z", "ada bob"),
        ("createdon ge 2026-01-02T03:04:06Z", ""),
        ("lastname eq 'x' or donotphone eq true and statecode eq 0", "ada"),
        ("(lastname eq 'smith' or donotphone eq true) and statecode eq 1", ""),
        ('Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=["SMITH","x"])', "bob"),
        ("Microsoft.Dynamics.CRM.In(PropertyName='statecode',PropertyValues=[\"1\"])", ""),
        ("lastname eq @p2", "bob"),
    ],
)
async def test_a_filter_finds_what_it_names(
    http: httpx.AsyncClient, text: str, expected: str
) -> None:
    query = f"$filter={quote(text)}&@p1='lastname'&@p2='Smith'&$orderby=createdon desc,contactid"
    assert await found(http, query) == expected.split()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "$filter=lastname eq 'O'Bryan'",
            "There is an unterminated literal at position 21 in 'lastname eq 'O'Bryan''.",
        ),
        (f"$filter=contactid eq guid'{ADA}'", "Unrecognized literal"),
        (f"$filter=contactid eq '{ADA}'", "Found operand types 'Edm.Guid' and 'Edm.String'"),
        ("$filter=statecode eq 'x'", "Found operand types 'Edm.Int32' and 'Edm.String'"),
        ("$filter=lastname eq Smith", "Could not find a property named 'Smith'"),
        ("$filter=lastname eq", "Syntax error"),
        ("$filter=lastname is 'x'", "Syntax error"),
        ("$filter=(lastname eq 'x'", "Syntax error"),
        ("$filter=lastname eq 'x' lastname", "Syntax error"),
        ("$filter='x' eq lastname", "Syntax error"),
        ("$filter=lastname eq 'x' %26", "Syntax error"),
        ("$filter=contains(statecode,'x')", "Syntax error"),
        ("$filter=contains(lastname,5)", "Syntax error"),
        ("$filter=lastname eq (", "Syntax error"),
        ("$filter=createdon gt 2026-99-99", "Syntax error"),
        ("$select=Lastname", "Could not find a property named 'Lastname'"),
        ("$expand=nothing", "Could not find a property named 'nothing'"),
        ("$expand=ownerid($filter=x)", "Could not find a property named 'x'"),
        ("$expand=ownerid($skip=1)", "Syntax error in $expand: '$skip'"),
        ("$expand=ownerid($levels=2)", "Syntax error in $expand: '$levels'"),
        ("$expand=ownerid($select=nothing)", "Could not find a property named 'nothing'"),
        ("$expand=ownerid)", "unbalanced bracket"),
        ("$expand=ownerid/fullname", "Could not find a property named 'ownerid/fullname'"),
        ("$orderby=nothing", "Could not find a property named 'nothing'"),
        ("$orderby=lastname down", "Syntax error in '$orderby'"),
        ("$skip=1", "Skip Clause is not supported in CRM"),
        ("$search=x", "The query parameter $search is not supported."),
        ("$format=json", "The query parameter $format is not supported."),
        ("$Filter=lastname eq 'x'", "The query parameter $Filter is not supported."),
        ("fetchxml=<fetch/>", "The query parameter fetchxml is not supported."),
        ("filter=lastname eq 'x'", "The query parameter filter is not supported."),
        ("$deltatoken=1", "The query parameter $deltatoken is not supported."),
        ("$skiptoken=5", "Malformed XML"),
        ("$top=x", "Invalid value 'x' for $top"),
        ("$count=yes", "Invalid value 'yes' for $count"),
    ],
)
async def test_a_bad_query_is_refused(http: httpx.AsyncClient, query: str, message: str) -> None:
    answer = await http.get(f"contacts?{query}")
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("space", ["+", "%20"])
async def test_spaces_are_written_in_two_ways(http: httpx.AsyncClient, space: str) -> None:
    assert await found(http, f"$filter=lastname{space}eq{space}'Smith'") == ["bob"]


async def test_a_plus_in_a_number_must_be_encoded(http: httpx.AsyncClient) -> None:
    assert await found(http, "$filter=telephone1 eq '%2B4930123'") == ["ada"]
    assert await found(http, "$filter=telephone1 eq '+4930123'") == []


async def test_rows_come_in_the_order_asked_for(http: httpx.AsyncClient) -> None:
    assert await found(http, "$orderby=lastname") == ["cy", "ada", "bob"]
    assert await found(http, "$orderby=telephone1 desc") == ["bob", "ada", "cy"]
    assert await found(http, "$orderby=telephone1 asc") == ["cy", "ada", "bob"]


async def test_top_limits_and_count_counts_all(http: httpx.AsyncClient) -> None:
    body = (await http.get("contacts?$top=1&$count=true&$select=lastname")).json()
    assert (len(body["value"]), body["@odata.count"]) == (1, 3)


async def test_only_chosen_columns_and_the_key_are_shown(http: httpx.AsyncClient) -> None:
    row = (await http.get("contacts?$top=1&$select=lastname")).json()["value"][0]
    assert set(row) == {"@odata.etag", "lastname", "contactid"}


async def test_pages_follow_each_other(http: httpx.AsyncClient) -> None:
    headers = {"Prefer": "odata.maxpagesize=2"}
    query = "$select=lastname&$orderby=lastname&$filter=statecode eq 0"
    first = await http.get(f"contacts?{query}", headers=headers)
    assert first.headers["preference-applied"] == "odata.maxpagesize=2"
    second = (await http.get(first.json()["@odata.nextLink"], headers=headers)).json()
    rows = first.json()["value"] + second["value"]
    assert [NAMES[row["contactid"]] for row in rows] == ["cy", "ada", "bob"]
    assert "@odata.nextLink" not in second


async def test_top_is_ignored_where_pages_are_asked_for(http: httpx.AsyncClient) -> None:
    headers = {"Prefer": "odata.maxpagesize=1"}
    body = (await http.get("contacts?$top=2", headers=headers)).json()
    assert len(body["value"]) == 1
    assert "@odata.nextLink" in body


async def test_a_page_begins_behind_the_last_row_of_the_one_before(
    http: httpx.AsyncClient,
) -> None:
    headers = {"Prefer": "odata.maxpagesize=1"}
    first = (await http.get("contacts?$orderby=lastname", headers=headers)).json()
    assert [row["contactid"] for row in first["value"]] == [CY]
    await http.post("contacts", json={"lastname": "A"})
    second = (await http.get(first["@odata.nextLink"], headers=headers)).json()
    assert [row["contactid"] for row in second["value"]] == [ADA]


async def test_a_link_to_the_next_page_has_a_cookie_with_the_ends_of_this_one(
    http: httpx.AsyncClient,
) -> None:
    headers = {"Prefer": "odata.maxpagesize=2"}
    link = (await http.get("contacts?$orderby=contactid", headers=headers)).json()[
        "@odata.nextLink"
    ]
    cookie = ET.fromstring(httpx.URL(link).params["$skiptoken"])
    assert (cookie.attrib["pagenumber"], cookie.attrib["istracking"]) == ("2", "False")
    inner = unquote(unquote(cookie.attrib["pagingcookie"]))
    assert inner == (
        f'<cookie page="1"><contactid last="{{{BOB.upper()}}}" first="{{{ADA.upper()}}}" />'
        "</cookie>"
    )


async def test_rows_are_ordered_by_several_columns(http: httpx.AsyncClient) -> None:
    assert await found(http, "$orderby=donotphone desc,lastname desc") == ["ada", "bob", "cy"]
    assert await found(http, "$orderby=@a desc,@b&@a=donotphone&@b=lastname") == [
        "ada",
        "cy",
        "bob",
    ]


async def test_a_lookup_orders_by_the_name_it_shows(http: httpx.AsyncClient) -> None:
    await http.post("accounts", json={"accountid": BOB, "name": "Aardvark"})
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({BOB})"}
    await http.patch(f"contacts({BOB})", json=bind)
    assert await found(http, "$orderby=_parentcustomerid_value") == ["cy", "bob", "ada"]


async def test_the_total_is_annotated_on_request(http: httpx.AsyncClient) -> None:
    headers = {"Prefer": 'odata.include-annotations="Microsoft.Dynamics.CRM.*"'}
    counted = (await http.get("contacts?$count=true&$top=1", headers=headers)).json()
    assert counted["@Microsoft.Dynamics.CRM.totalrecordcount"] == 3
    assert counted["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is False
    plain = (await http.get("contacts?$top=1", headers=headers)).json()
    assert plain["@Microsoft.Dynamics.CRM.totalrecordcount"] == -1


async def test_a_parameter_for_plug_ins_changes_nothing(http: httpx.AsyncClient) -> None:
    assert await found(http, "tag=x&$filter=lastname eq 'Smith'") == ["bob"]


@pytest.mark.parametrize("option", ["$filter=lastname eq 'x'", "$top=1", "$orderby=lastname"])
async def test_options_of_collections_are_refused_for_a_single_row(
    http: httpx.AsyncClient, option: str
) -> None:
    answer = await http.get(f"contacts({ADA})?{option}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")
    assert "can be applied only on collections" in answer.json()["error"]["message"]


@pytest.mark.parametrize("option", ["savedQuery", "userQuery"])
async def test_a_view_that_is_not_there_is_not_found(http: httpx.AsyncClient, option: str) -> None:
    answer = await http.get(f"contacts?{option}={ADA}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "0x80040217")
    message = f"{option.lower()} With Id = {ADA} Does Not Exist"
    assert answer.json()["error"]["message"] == message


@pytest.mark.parametrize(("query", "count"), [("", "3"), ("?$filter=lastname eq 'Smith'", "1")])
async def test_a_count_is_a_text_of_its_own(
    http: httpx.AsyncClient, query: str, count: str
) -> None:
    answer = await http.get(f"contacts/$count{query}")
    assert (answer.text, answer.headers["content-type"]) == (count, "text/plain")
    assert (await http.get("contacts/$count?$top=1")).status_code == 400


async def test_lookups_are_expanded_in_collections(http: httpx.AsyncClient) -> None:
    query = "$expand=parentcustomerid_account($select=name)&$orderby=contactid"
    rows = (await http.get(f"contacts?{query}")).json()["value"]
    shown = [row["parentcustomerid_account"] for row in rows]
    assert (shown[0]["name"], shown[1], shown[2]) == ("Ltd", None, None)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a%", "abc", True),
        ("a_", "abc", False),
        ("[a-c]x", "bx", True),
        ("[^a]x", "bx", True),
        ("[%]", "%", True),
        ("[%]", "x", False),
        ("a.c", "abc", False),
        ("[", "[", True),
    ],
)
def test_like_has_its_wildcards(pattern: str, text: str, matches: bool) -> None:
    assert bool(like(pattern).fullmatch(text)) is matches
