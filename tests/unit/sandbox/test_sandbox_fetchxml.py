"""FetchXML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


LTD = "0a0b0c0d-0001-4002-8003-000000000001"
INC = "0a0b0c0d-0001-4002-8003-000000000002"
ADA = "0a0b0c0d-0001-4002-8003-00000000000a"
BOB = "0a0b0c0d-0001-4002-8003-00000000000b"
CY = "0a0b0c0d-0001-4002-8003-00000000000c"
NAMES = {ADA: "ada", BOB: "bob", CY: "cy"}


@pytest.fixture(autouse=True)
def rows(dataverse: Dataverse) -> None:
    dataverse.put("accounts", {"accountid": LTD, "name": "Ltd", "creditonhold": True})
    dataverse.put("accounts", {"accountid": INC, "name": "Inc"})
    at = {"parentcustomerid_account@odata.bind": f"/accounts({LTD})"}
    ada = {"firstname": "Ada", "lastname": "Old", "preferredcontactmethodcode": 3, **at}
    dataverse.put("contacts", {"contactid": ADA, **ada})
    bob = {"lastname": "New", "preferredcontactmethodcode": 2, **at}
    dataverse.put("contacts", {"contactid": BOB, **bob})
    dataverse.put("contacts", {"contactid": CY, "firstname": "Old", "lastname": "Old"})


async def answer(http: httpx.AsyncClient, xml: str, path: str = "contacts") -> httpx.Response:
    headers = {"Prefer": 'odata.include-annotations="*"'}
    return await http.get(path, params={"fetchXml": xml}, headers=headers)


async def fetched(http: httpx.AsyncClient, inside: str, fetch: str = "") -> list[dict[str, Any]]:
    found = await answer(http, f"<fetch {fetch}><entity name='contact'>{inside}</entity></fetch>")
    assert found.status_code == 200, found.text
    return list(found.json()["value"])


async def names(http: httpx.AsyncClient, inside: str, fetch: str = "") -> list[str]:
    return [NAMES[row["contactid"]] for row in await fetched(http, inside, fetch)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("attribute='lastname' operator='eq' value='old'", "ada cy"),
        ("attribute='firstname' operator='ne' value='ada'", "bob cy"),
        ("attribute='firstname' operator='neq' value='ada'", "bob cy"),
        ("attribute='preferredcontactmethodcode' operator='gt' value='2'", "ada"),
        ("attribute='preferredcontactmethodcode' operator='le' value='2'", "bob cy"),
        ("attribute='lastname' operator='like' value='%e%'", "bob"),
        ("attribute='lastname' operator='not-like' value='%e%'", "ada cy"),
        ("attribute='lastname' operator='begins-with' value='n'", "bob"),
        ("attribute='lastname' operator='not-begin-with' value='n'", "ada cy"),
        ("attribute='lastname' operator='ends-with' value='D'", "ada cy"),
        ("attribute='firstname' operator='not-end-with' value='a'", "bob cy"),
        ("attribute='firstname' operator='null'", "bob"),
        ("attribute='firstname' operator='not-null'", "ada cy"),
        (f"attribute='parentcustomerid' operator='eq' value='{{{LTD}}}'", "ada bob"),
        ("attribute='createdon' operator='today'", "ada bob cy"),
        ("attribute='createdon' operator='last-x-hours' value='1'", "ada bob cy"),
        ("attribute='createdon' operator='olderthan-x-hours' value='1'", ""),
        ("attribute='createdon' operator='on-or-after' value='2026-01-03'", ""),
        ("attribute='createdon' operator='last-seven-days'", "ada bob cy"),
        ("attribute='createdby' operator='eq-userid'", "ada bob cy"),
        ("attribute='createdby' operator='ne-userid'", ""),
        ("attribute='donotphone' operator='eq' value='0'", "ada bob cy"),
        ("attribute='firstname' operator='eq' valueof='lastname'", "cy"),
    ],
)
async def test_conditions_choose_rows(
    http: httpx.AsyncClient, condition: str, expected: str
) -> None:
    assert await names(http, f"<filter><condition {condition}/></filter>") == expected.split()


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("in", ["New", "x"], "bob"),
        ("not-in", ["New", "x"], "ada cy"),
        ("between", ["m", "o"], "bob"),
        ("not-between", ["m", "o"], "ada cy"),
    ],
)
async def test_conditions_have_lists_of_values(
    http: httpx.AsyncClient, operator: str, values: list[str], expected: str
) -> None:
    listed = "".join(f"<value>{value}</value>" for value in values)
    condition = f"<condition attribute='lastname' operator='{operator}'>{listed}</condition>"
    assert await names(http, f"<filter>{condition}</filter>") == expected.split()


async def test_filters_are_joined_by_and_or_or(http: httpx.AsyncClient) -> None:
    old = "<condition attribute='lastname' operator='eq' value='old'/>"
    null = "<condition attribute='firstname' operator='null'/>"
    ada = "<condition attribute='firstname' operator='eq' value='ada'/>"
    assert await names(http, f"<filter type='or'>{null}{ada}</filter>") == ["ada", "bob"]
    assert await names(http, f"<filter>{old}{ada}</filter>") == ["ada"]
    nested = f"<filter type='and'>{old}<filter type='or'>{null}{ada}</filter></filter>"
    assert await names(http, nested) == ["ada"]
    assert await names(http, f"<filter>{old}</filter><filter>{ada}</filter>") == ["ada"]


async def test_only_chosen_columns_that_are_not_null_are_shown(http: httpx.AsyncClient) -> None:
    inside = "<attribute name='firstname'/><attribute name='lastname' alias='last'/>"
    rows = await fetched(http, inside)
    assert set(rows[0]) == {"@odata.etag", "firstname", "last", "contactid"}
    assert set(rows[1]) == {"@odata.etag", "last", "contactid"}
    everything = await fetched(http, "<all-attributes/>")
    assert everything == await fetched(http, "")
    assert (everything[0]["firstname"], "jobtitle" in everything[0]) == ("Ada", False)


async def test_lookups_are_shown_with_their_annotations(http: httpx.AsyncClient) -> None:
    row = (await fetched(http, "<attribute name='parentcustomerid'/>"))[0]
    assert row["_parentcustomerid_value"] == LTD
    assert row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"


async def test_an_inner_link_leaves_out_rows_without_a_match(http: httpx.AsyncClient) -> None:
    link = (
        "<attribute name='lastname'/>"
        "<link-entity name='account' from='accountid' to='parentcustomerid' alias='a'>"
        "<attribute name='name'/><attribute name='creditonhold' alias='hold'/>"
        "</link-entity>"
    )
    rows = await fetched(http, link)
    assert [(row["lastname"], row["a.name"], row["hold"]) for row in rows] == [
        ("Old", "Ltd", True),
        ("New", "Ltd", True),
    ]


async def test_an_outer_link_keeps_rows_without_a_match(http: httpx.AsyncClient) -> None:
    link = (
        "<link-entity name='account' from='accountid' to='parentcustomerid' link-type='outer'"
        " alias='a'><attribute name='name'/>{}</link-entity>"
    )
    rows = await fetched(http, link.format(""))
    assert [row.get("a.name") for row in rows] == ["Ltd", "Ltd", None]
    none = "<filter><condition attribute='name' operator='eq' value='x'/></filter>"
    assert await names(http, link.format(none)) == ["ada", "bob", "cy"]
    missing = "<filter><condition entityname='a' attribute='accountid' operator='null'/></filter>"
    assert await names(http, link.format("") + missing) == ["cy"]


async def test_links_nest_and_multiply(http: httpx.AsyncClient) -> None:
    colleagues = (
        "<link-entity name='account' from='accountid' to='parentcustomerid' alias='a'>"
        "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='c'>"
        "<attribute name='lastname'/></link-entity></link-entity>"
    )
    rows = await fetched(http, f"<attribute name='lastname'/>{colleagues}")
    assert [(row["lastname"], row["c.lastname"]) for row in rows] == [
        ("Old", "Old"),
        ("Old", "New"),
        ("New", "Old"),
        ("New", "New"),
    ]


async def test_a_link_without_an_alias_is_called_by_its_number(http: httpx.AsyncClient) -> None:
    link = (
        "<link-entity name='account' from='accountid' to='parentcustomerid'>"
        "<attribute name='name'/></link-entity>"
    )
    assert (await fetched(http, link))[0]["account1.name"] == "Ltd"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("<order attribute='lastname'/>", "bob ada cy"),
        ("<order attribute='lastname' descending='true'/>", "ada cy bob"),
        (
            "<order attribute='lastname'/><order attribute='firstname' descending='1'/>",
            "bob cy ada",
        ),
        ("<order attribute='preferredcontactmethodcode'/>", "cy bob ada"),
    ],
)
async def test_rows_come_in_order_choices_by_their_labels(
    http: httpx.AsyncClient, order: str, expected: str
) -> None:
    assert await names(http, order) == expected.split()


async def test_top_and_pages_cut(http: httpx.AsyncClient) -> None:
    order = "<order attribute='contactid'/>"
    assert await names(http, order, "top='2'") == ["ada", "bob"]
    assert await names(http, order, "count='2' page='1'") == ["ada", "bob"]
    assert await names(http, order, "count='2' page='2'") == ["cy"]


async def test_a_paging_cookie_leads_to_the_next_page(http: httpx.AsyncClient) -> None:
    xml = (
        "<fetch count='1' page='{}' {}><entity name='contact'><order attribute='contactid'/>"
        "</entity></fetch>"
    )
    first = (await answer(http, xml.format(1, ""))).json()
    assert first["@Microsoft.Dynamics.CRM.morerecords"] is True
    cookie = ET.fromstring(first["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"])
    assert cookie.attrib["pagenumber"] == "2"
    inner = quoteattr(unquote(unquote(cookie.attrib["pagingcookie"])))
    await http.delete(f"contacts({BOB})")
    second = (await answer(http, xml.format(2, f"paging-cookie={inner}"))).json()
    assert [NAMES[row["contactid"]] for row in second["value"]] == ["cy"]
    assert second["@Microsoft.Dynamics.CRM.morerecords"] is False


async def test_a_total_is_counted_on_request(http: httpx.AsyncClient) -> None:
    xml = "<fetch count='1' returntotalrecordcount='true'><entity name='contact'/></fetch>"
    body = (await answer(http, xml)).json()
    assert body["@Microsoft.Dynamics.CRM.totalrecordcount"] == 3


async def test_distinct_rows_are_shown_once(http: httpx.AsyncClient) -> None:
    rows = await fetched(http, "<attribute name='lastname'/>", "distinct='true'")
    assert rows == [{"lastname": "Old"}, {"lastname": "New"}]


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("<fetch", "0x80040201"),
        ("<get/>", "0x80040203"),
        ("<fetch/>", "0x80040203"),
        ("<fetch aggregate='true'><entity name='contact'/></fetch>", "0x80040203"),
        ("<fetch top='x'><entity name='contact'/></fetch>", "0x80040203"),
        ("<fetch top='1' page='1'><entity name='contact'/></fetch>", "0x80040203"),
        ("<fetch><entity name='nothing'/></fetch>", "0x80041102"),
        ("<fetch><entity name='account'/></fetch>", "0x80040203"),
    ],
)
async def test_a_fetch_that_cannot_be_read_is_refused(
    http: httpx.AsyncClient, xml: str, code: str
) -> None:
    found = await answer(http, xml)
    assert (found.status_code, found.json()["error"]["code"]) == (400, code)


LINK = "<link-entity name='account' from='accountid' to='parentcustomerid' {}/>"


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("<attribute name='nothing'/>", "0x80041103"),
        ("<attribute name='lastname' aggregate='count' alias='n'/>", "0x80040203"),
        ("<order attribute='nothing'/>", "0x80041103"),
        ("<order entityname='x' attribute='lastname'/>", "0x80040203"),
        ("<filter><condition attribute='nothing' operator='null'/></filter>", "0x80041103"),
        ("<filter><condition attribute='lastname' operator='above'/></filter>", "0x80040203"),
        ("<filter><condition attribute='lastname' operator='eq'/></filter>", "0x80040203"),
        (
            "<filter><condition entityname='x' attribute='lastname' operator='null'/></filter>",
            "0x80040203",
        ),
        (
            "<filter><condition attribute='statecode' operator='eq' value='x'/></filter>",
            "0x80060888",
        ),
        ("<filter><link-entity name='account'/></filter>", "0x80040203"),
        (LINK.format("link-type='any'"), "0x80040203"),
        ("<link-entity name='nothing' from='a' to='b'/>", "0x80041102"),
        ("<link-entity name='account'/>", "0x80041103"),
        ("<attribut name='lastname'/>", "0x80040203"),
    ],
)
async def test_what_is_not_there_is_refused(
    http: httpx.AsyncClient, inside: str, code: str
) -> None:
    found = await answer(http, f"<fetch><entity name='contact'>{inside}</entity></fetch>")
    assert (found.status_code, found.json()["error"]["code"]) == (400, code), found.text


async def test_other_options_do_not_go_with_it(http: httpx.AsyncClient) -> None:
    params = {"fetchXml": "<fetch><entity name='contact'/></fetch>", "$top": "1"}
    assert (await http.get("contacts", params=params)).status_code == 400


async def test_a_collection_of_a_row_is_fetched_from(http: httpx.AsyncClient) -> None:
    xml = "<fetch><entity name='contact'><attribute name='lastname'/></entity></fetch>"
    found = await answer(http, xml, f"accounts({LTD})/contact_customer_accounts")
    assert [row["lastname"] for row in found.json()["value"]] == ["Old", "New"]


async def test_activities_are_linked_to_their_parties(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    parties = [{"partyid_contact@odata.bind": f"/contacts({ADA})", "participationtypemask": 1}]
    dataverse.put("phonecalls", {"subject": "hers", "phonecall_activity_parties": parties})
    dataverse.put("phonecalls", {"subject": "nobody's"})
    link = (
        "<link-entity name='activityparty' from='activityid' to='activityid' alias='p'>"
        f"<filter><condition attribute='partyid' operator='eq' value='{ADA}'/></filter>"
        "<attribute name='participationtypemask'/></link-entity>"
    )
    xml = f"<fetch><entity name='phonecall'><attribute name='subject'/>{link}</entity></fetch>"
    found = (await answer(http, xml, "phonecalls")).json()["value"]
    assert [(row["subject"], row["p.participationtypemask"]) for row in found] == [("hers", 1)]
    alone = "<fetch><entity name='activityparty'><attribute name='partyid'/></entity></fetch>"
    rows = (await answer(http, alone, "activityparties")).json()["value"]
    assert [row["_partyid_value"] for row in rows].count(ADA) == 1


@pytest.mark.parametrize(
    ("inside", "rows"),
    [
        ("<attribute name='contactid' aggregate='count' alias='n'/>", [{"n": 3}]),
        ("<attribute name='fax' aggregate='countcolumn' alias='n'/>", [{"n": 1}]),
        (
            (
                "<attribute name='fax' aggregate='countcolumn' distinct='true' alias='n'/>"
                "<attribute name='lastname' aggregate='max' alias='most'/>"
            ),
            [{"n": 1, "most": "c"}],
        ),
        ("<attribute name='pager' aggregate='min' alias='n'/>", [{}]),
        (
            (
                "<attribute name='jobtitle' groupby='true' alias='job'/>"
                "<attribute name='contactid' aggregate='count' alias='n'/>"
                "<order alias='n' descending='true'/>"
            ),
            [{"job": "x", "n": 2}, {"job": "y", "n": 1}],
        ),
        (
            (
                "<attribute name='createdon' groupby='true' dategrouping='month' alias='month'/>"
                "<attribute name='contactid' aggregate='count' alias='n'/>"
            ),
            [{"month": 1, "n": 3}],
        ),
    ],
)
async def test_an_aggregate_fetch_counts_and_groups(
    http: httpx.AsyncClient, dataverse: Dataverse, inside: str, rows: list[dict[str, Any]]
) -> None:
    for last, job, fax in (("a", "x", None), ("b", "x", "1"), ("c", "y", None)):
        body = {"lastname": last, "jobtitle": job, "fax": fax, "department": "counted"}
        dataverse.put("contacts", body)
    wanted = "<filter><condition attribute='department' operator='eq' value='counted'/></filter>"
    xml = f"<fetch aggregate='true'><entity name='contact'>{inside}{wanted}</entity></fetch>"
    found = await answer(http, xml, "contacts")
    assert found.json()["value"] == rows


@pytest.mark.parametrize(
    "inside",
    [
        "<attribute name='contactid' aggregate='count'/>",
        "<attribute name='contactid' alias='n'/>",
        "<attribute name='lastname' aggregate='sum' alias='n'/>",
        "<attribute name='createdon' groupby='true' alias='n'/>",
        "<attribute name='contactid' aggregate='count' alias='n'/><order alias='m'/>",
    ],
)
async def test_an_aggregate_fetch_that_means_nothing_is_refused(
    http: httpx.AsyncClient, inside: str
) -> None:
    xml = f"<fetch aggregate='true'><entity name='contact'>{inside}</entity></fetch>"
    assert (await answer(http, xml, "contacts")).json()["error"]["code"] == "0x80040203"
