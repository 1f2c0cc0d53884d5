"""The pages of main.aspx and what is served beside them."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from worker.sandbox.browser.dynamics import Dynamics
from worker.sandbox.dataverse.app import create_dataverse


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


CONTACT = "0a0b0c0d-0001-4002-8003-000000000001"
CALL = "0a0b0c0d-0001-4002-8003-000000000002"
UNKNOWN = "0a0b0c0d-0001-4002-8003-00000000000f"
ANA = {"firstname": "Ana", "lastname": "Silva", "telephone1": "+351 210 000 001"}


@pytest.fixture
def dynamics() -> Iterator[Dynamics]:
    """A contact, and a call regarding her with a note."""
    dataverse = create_dataverse()
    dataverse.put("contacts", {"contactid": CONTACT, "emailaddress1": "ana@example.test", **ANA})
    call = {
        "activityid": CALL,
        "subject": "Call from Ana",
        "phonenumber": "+351210000001",
        "directioncode": False,
        "regardingobjectid_contact_phonecall@odata.bind": f"/contacts({CONTACT})",
        "phonecall_activity_parties": [
            {"partyid_contact@odata.bind": f"/contacts({CONTACT})", "participationtypemask": 1}
        ],
    }
    dataverse.put("phonecalls", call)
    note = {"subject": "Recording", "objectid_phonecall@odata.bind": f"/phonecalls({CALL})"}
    dataverse.put("annotations", note)
    yield Dynamics(dataverse)
    dataverse.close()


@pytest.fixture
async def http(dynamics: Dynamics) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=dynamics.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://org.test") as client:
        yield client


async def _page(http: httpx.AsyncClient, **query: str) -> str:
    answer = await http.get("/main.aspx", params=query)
    assert answer.status_code == 200
    return answer.text


def _main(html: str) -> dict[str, str]:
    """The data attributes of the page's main element."""
    match = re.search(r"<main ([^>]*)>", html)
    assert match
    return dict(re.findall(r'data-([a-z]+)="([^"]*)"', match[1]))


async def _record(http: httpx.AsyncClient, table: str, row_id: str, **query: str) -> str:
    return await _page(http, pagetype="entityrecord", etn=table, id=row_id, **query)


async def test_a_record_is_shown_with_its_columns_parties_regarding_and_notes(
    http: httpx.AsyncClient,
) -> None:
    html = await _record(http, "phonecall", CALL)
    assert _main(html) == {"page": "record", "table": "phonecall", "id": CALL, "found": "true"}
    for text in ("Call from Ana", "Incoming", "Ana Silva", "Recording", ">Open<"):
        assert text in html
    assert 'data-phone="+351210000001"' in html
    assert f"etn=contact&amp;id={CONTACT}" in html


async def test_a_record_is_found_by_an_id_in_braces_and_capitals(http: httpx.AsyncClient) -> None:
    html = await _record(http, "contact", f"{{{CONTACT.upper()}}}")
    assert _main(html)["id"] == CONTACT
    assert "Call from Ana" in html  # on her timeline


async def test_an_unknown_id_is_said_to_be_unavailable(http: httpx.AsyncClient) -> None:
    html = await _record(http, "phonecall", UNKNOWN)
    assert _main(html) == {"page": "record", "table": "phonecall", "id": UNKNOWN, "found": "false"}
    assert "The record you are trying to open is unavailable" in html


@pytest.mark.parametrize("table", ["", "nothing", "{customerEntityName}"])
async def test_an_unknown_table_is_said_to_be_unavailable(
    http: httpx.AsyncClient, table: str
) -> None:
    assert _main(await _record(http, table, CONTACT))["found"] == "false"


@pytest.mark.parametrize("query", [{"id": ""}, {"id": UNKNOWN, "validate": "no"}])
async def test_without_a_record_the_form_for_a_new_one_is_marked(
    http: httpx.AsyncClient, query: dict[str, str]
) -> None:
    html = await _page(http, pagetype="entityrecord", etn="phonecall", **query)
    assert (_main(html)["create"], _main(html)["found"]) == ("true", "false")


async def test_a_text_that_is_no_id_opens_no_form(http: httpx.AsyncClient) -> None:
    main = _main(await _record(http, "contact", "{customerRecordId}"))
    assert (main["found"], "create" in main) == ("false", False)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("silva", "1"),
        ("ANA@example", "1"),
        ("+351210000001", "1"),
        ("210 000 001", "1"),
        ("00351 210000001", "1"),
        ("000 001", "1"),
        ("0001", "0"),
        ("210000002", "0"),
        ("nobody", "0"),
        ("  ", "0"),
    ],
)
async def test_a_search_finds_people_by_name_number_and_mail(
    http: httpx.AsyncClient, text: str, hits: str
) -> None:
    html = await _page(http, pagetype="search", searchText=text)
    assert (_main(html)["page"], _main(html)["hits"]) == ("search", hits)


async def test_what_rows_hold_is_never_markup(http: httpx.AsyncClient, dynamics: Dynamics) -> None:
    hostile = '"><script>alert(1)</script>'
    dynamics.dataverse.put("contacts", {"contactid": UNKNOWN, "lastname": hostile})
    html = await _record(http, "contact", UNKNOWN)
    html += await _page(http, pagetype="search", searchText=hostile)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


@pytest.mark.parametrize("path", ["/main.aspx", "/apps/customer-service"])
async def test_pages_may_be_framed_by_whom_the_organization_names(
    http: httpx.AsyncClient, dynamics: Dynamics, path: str
) -> None:
    policy = (await http.get(path)).headers["content-security-policy"]
    assert policy.endswith("; frame-ancestors 'self'")
    dynamics.switches.frame_ancestors = "'self' https://desktop.test"
    policy = (await http.get(path)).headers["content-security-policy"]
    assert policy.endswith("; frame-ancestors 'self' https://desktop.test")
    dynamics.switches.frame_ancestors = ""
    assert "frame-ancestors" not in (await http.get(path)).headers["content-security-policy"]


async def test_pages_are_alone_in_their_window_if_the_switch_says_so(
    http: httpx.AsyncClient, dynamics: Dynamics
) -> None:
    assert "cross-origin-opener-policy" not in (await http.get("/main.aspx")).headers
    dynamics.switches.coop = "same-origin"
    headers = (await http.get("/main.aspx")).headers
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path", ["/WebResources/Widget/msdyn_ciLibrary.js", "/webresources/widget/MSDYN_cilibrary.JS"]
)
async def test_the_library_is_served_in_any_case(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "CIFInitDone" in answer.text


@pytest.mark.parametrize(
    "path",
    ["/main.aspx", "/apps/customer-service", "/WebResources/Widget/msdyn_ciLibrary.js"],
)
async def test_who_is_signed_out_is_led_to_a_page_that_cannot_be_framed(
    http: httpx.AsyncClient, dynamics: Dynamics, path: str
) -> None:
    dynamics.switches.signed_in = False
    answer = await http.get(path)
    assert (answer.status_code, answer.headers["location"]) == (302, "/sign-in")
    assert (await http.get("/sign-in")).headers["x-frame-options"] == "DENY"
    assert (await http.get("/dynamics/data/contacts")).status_code == 401


async def test_the_web_api_stays_behind_its_tokens(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/data/v9.2/contacts")).status_code == 401


async def test_the_workspace_reads_and_writes_as_its_person(http: httpx.AsyncClient) -> None:
    rows = (await http.get("/dynamics/data/contacts?$select=fullname")).json()["value"]
    assert [row["fullname"] for row in rows] == ["Ana Silva"]
    made = await http.post("/dynamics/data/tasks", json={"subject": "Call back"})
    assert made.status_code == 204
    assert "/api/data/v9.2/tasks(" in made.headers["odata-entityid"]


async def test_other_sites_reach_nothing_through_the_workspace(http: httpx.AsyncClient) -> None:
    headers = {"sec-fetch-site": "cross-site"}
    answer = await http.post("/dynamics/data/tasks", content=b"{}", headers=headers)
    assert answer.status_code == 403


async def _setup(http: httpx.AsyncClient) -> dict[str, Any]:
    setup: dict[str, Any] = (await http.get("/dynamics/workspace.json")).json()
    return setup


async def test_the_workspace_is_told_the_provider_that_comes_first(
    http: httpx.AsyncClient, dynamics: Dynamics
) -> None:
    assert (await _setup(http))["provider"] is None
    for name, order in (("second", 2), ("first", 1)):
        row = {"msdyn_name": name, "msdyn_channelurl": f"https://{name}.test"}
        dynamics.dataverse.put("msdyn_channelproviders", row | {"msdyn_sortorder": order})
    provider = (await _setup(http))["provider"]
    assert (provider["url"], provider["outbound"]) == ("https://first.test", False)


async def test_the_workspace_is_told_templates_with_what_belongs_to_them(
    http: httpx.AsyncClient, dynamics: Dynamics
) -> None:
    put = dynamics.dataverse.put
    tab = put(
        "msdyn_applicationtabtemplates",
        {
            "msdyn_uniquename": "cdyn_customer",
            "msdyn_title": "Customer",
            "msdyn_pagetype": 509180001,
            "msdyn_templateparameters": '{"entityName": "contact", "entityId": "{id}"}',
        },
    )
    put(
        "msdyn_templateparameters",
        {
            "msdyn_name": "validateRecord",
            "msdyn_value": "true",
            "msdyn_applicationtabtemplateid@odata.bind": f"/msdyn_applicationtabtemplates({tab})",
        },
    )
    put(
        "msdyn_sessiontemplates",
        {
            "msdyn_uniquename": "cdyn_voice",
            "msdyn_sessiontype": 0,
            "msdyn_title": "Voice-{customerName}",
            "msdyn_anchortab@odata.bind": f"/msdyn_applicationtabtemplates({tab})",
        },
    )
    put("msdyn_sessiontemplates", {"msdyn_uniquename": "cdyn_entity"})
    setup = await _setup(http)
    given = {"entityName": "contact", "entityId": "{id}", "validateRecord": "true"}
    assert setup["tabs"]["cdyn_customer"]["parameters"] == given
    voice, entity = setup["sessions"]["cdyn_voice"], setup["sessions"]["cdyn_entity"]
    assert (voice["generic"], voice["anchor"]) == (True, "cdyn_customer")
    assert (entity["generic"], entity["anchor"]) == (False, "")


async def test_a_notification_template_comes_with_its_fields_in_order(
    http: httpx.AsyncClient, dynamics: Dynamics
) -> None:
    dataverse = dynamics.dataverse
    template = dataverse.put("msdyn_notificationtemplates", {"msdyn_uniquename": "cdyn_voice"})
    root = f"/dynamics/data/msdyn_notificationtemplates({template})"
    for name, order in (("Queue", 2), ("Customer", 1)):
        row = {"msdyn_title": name, "msdyn_value": f"{{{name}}}", "msdyn_order": order}
        field = dataverse.put("msdyn_notificationfields", row)
        answer = await http.post(
            f"{root}/msdyn_notificationtemplate_notificationfield/$ref",
            json={"@odata.id": f"/msdyn_notificationfields({field})"},
        )
        assert answer.status_code == 204
    shown = (await _setup(http))["notifications"]["cdyn_voice"]
    assert [field["title"] for field in shown["fields"]] == ["Customer", "Queue"]
    assert (shown["accept"], shown["countdownS"], shown["rejectShown"]) == ("Accept", 120, True)
