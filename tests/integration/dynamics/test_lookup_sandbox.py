"""Lookups against the sandbox: callers and customers as they are, and what is found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
import pytest

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.entity import entity
from pipelines.lookup import MOST_ROWS, By, Search, Way
from pipelines.template import Template
from pipelines.text import sound
from twins.dynamics import connect_in_process
from worker.dynamics.client import DataverseClient
from worker.dynamics.lookup import Lookups, look_up, make_lookups
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import GateState
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.oracle.customers import introduce, match, rows
from worker.sandbox.traffic.people import customer


VALUE = Template("{{CustomerEndpoint}}")
PHONES = ("telephone1", "mobilephone")
PHONE: dict[str, Any] = {"by": "phone", "columns": PHONES, "suffix": 9}
GERMAN = {**PHONE, "country": "49"}
EMAIL: dict[str, Any] = {"by": "email", "columns": ("emailaddress1", "emailaddress2")}
ATTRIBUTE: dict[str, Any] = {"by": "attribute", "columns": ("externaluseridentifier", "contactid")}
KEY = "11111111-0000-4000-8000-000000000001"

SINGLE, MULTI, NONE = "SingleMatch", "MultiMatch", "NoMatch"


class Rig:
    """A sandbox and the way to it."""

    def __init__(self, dataverse: Dataverse, dynamics: DataverseClient) -> None:
        self.dataverse = dataverse
        self.dynamics = dynamics

    def know(self, *stored: dict[str, Any], table: str = "contacts") -> None:
        for row in stored:
            self.dataverse.put(table, row)

    async def ask(
        self, how: dict[str, Any], value: str, lookups: Lookups | None = None
    ) -> dict[str, Any]:
        columns = ("accountid", "fullname")
        search = Search(entity("contacts"), Way(value=VALUE, **how), value, columns)
        return await look_up(self.dynamics, search, lookups or make_lookups(), timeout_s=20)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    dataverse = create_dataverse(auth=False)
    async with connect_in_process(httpx.ASGITransport(dataverse.app)) as client:
        yield Rig(dataverse, client)
    dataverse.close()


def phones(*numbers: str) -> list[dict[str, Any]]:
    return [{"lastname": f"No {n}", "telephone1": number} for n, number in enumerate(numbers)]


@pytest.mark.parametrize(
    ("how", "value", "stored", "expected"),
    [
        # whole numbers
        (PHONE, "+4930901820", phones("+4930901820"), SINGLE),
        (PHONE, "+4930901820", phones("004930901820"), SINGLE),
        (PHONE, "+4930901820", phones("4930901820"), SINGLE),
        (PHONE, "+4930901820", [{"mobilephone": "+4930901820"}], SINGLE),
        (PHONE, "+4930901820", [{"fax": "+4930901820"}], NONE),
        (PHONE, "+49 (0)30 90 18 20", phones("+4930901820"), SINGLE),
        # typed by people
        (PHONE, "+4930901820", phones("+49 30 90 18 20"), SINGLE),
        (PHONE, "+4930901820", phones("+49 (0) 30 / 90-18-20"), SINGLE),
        (PHONE, "+4930901820", phones("+49 30 901820 ext. 12"), SINGLE),
        (PHONE, "+4930901820", phones("+49 30 901820x7"), SINGLE),
        (PHONE, "+4930901820", phones("+49 30 901820 #7"), SINGLE),
        ({**PHONE, "suffix": 0}, "+4930901820", phones("+49 30 90 18 20"), SINGLE),
        (PHONE, "+4930901820", phones("\u202a+4930901820\u202c"), SINGLE),
        (PHONE, "+4930901820", phones("\u200e+49\u00a030\u00a0901820"), SINGLE),
        # without country code
        (GERMAN, "+4930901820", phones("030901820"), SINGLE),
        (GERMAN, "+4930901820", phones("(030) 90 18 20"), SINGLE),
        (GERMAN, "+4930901820", phones("30 901820"), SINGLE),
        (GERMAN, "+33930901820", phones("(0930) 90 18 20"), NONE),
        (PHONE, "+15550100200", phones("(555) 010-0200"), SINGLE),
        (PHONE, "+15550100200", phones("1-555-010-0200"), SINGLE),
        ({**PHONE, "suffix": 11}, "+15550100200", phones("(555) 010-0200"), NONE),
        ({**PHONE, "suffix": 0}, "+15550100200", phones("(555) 010-0200"), NONE),
        (PHONE, "0930901820", phones("+49 930901820"), NONE),
        ({**PHONE, "suffix": 7}, "+15552100200", phones("210-0200"), SINGLE),
        # numbers that merely end alike, or begin so
        (PHONE, "+4930901820", phones("+33930901820"), NONE),
        (PHONE, "+4930901820", phones("+4930901820 0"), NONE),
        (PHONE, "+4930901820", phones("+49309018201"), NONE),
        (PHONE, "+4930901820", phones("1930901820"), NONE),
        (PHONE, "+4930901820", phones("901820"), NONE),
        # shared, also where it is stored in two spellings; never a guess
        (PHONE, "+4930901820", phones("+4930901820", "+4930901820"), MULTI),
        (PHONE, "+4930901820", phones("+4930901820", "+49 30 90 18 20"), MULTI),
        (GERMAN, "+4930901820", phones("004930901820", "030 901820"), MULTI),
        (PHONE, "+4930901820", phones("+4930901820", "+33930901820"), SINGLE),
        (PHONE, "+15550100200", phones("+15550100200", "555-010-0200"), SINGLE),
        (PHONE, "+4930901820", phones(*["+4930901820"] * 50), MULTI),
        (PHONE, "+4930901820", phones(*["+33 930 901820"] * 50), NONE),
        # nobody
        (PHONE, "+4930901820", [], NONE),
        (PHONE, "anonymous", phones("anonymous"), NONE),
        (PHONE, "%", phones("+4930901820"), NONE),
        (PHONE, "+4930901820' or telephone1 ne '", phones("+4930901821"), NONE),
        # mail addresses
        (EMAIL, "Ada@Example.com", [{"emailaddress1": "ada@example.com"}], SINGLE),
        (EMAIL, "ada@example.com", [{"emailaddress2": "ADA@example.com"}], SINGLE),
        (EMAIL, "o'hara@example.com", [{"emailaddress1": "o'hara@example.com"}], SINGLE),
        (EMAIL, "a_a@example.com", [{"emailaddress1": "aba@example.com"}], NONE),
        (EMAIL, "%@example.com", [{"emailaddress1": "ada@example.com"}], NONE),
        (EMAIL, "ada@example.com", [{"emailaddress1": "ada@example.com.org"}], NONE),
        (EMAIL, "a@b.c", [{"emailaddress1": "a@b.c"}, {"emailaddress2": "a@b.c"}], MULTI),
        (EMAIL, "no address", [{"emailaddress1": "no address"}], NONE),
        # ids
        (ATTRIBUTE, KEY, [{"contactid": KEY}], SINGLE),
        (ATTRIBUTE, KEY.upper(), [{"contactid": KEY}], SINGLE),
        (ATTRIBUTE, "C-7", [{"externaluseridentifier": "C-7"}], SINGLE),
        (ATTRIBUTE, "C_7", [{"externaluseridentifier": "C-7"}], NONE),
        (ATTRIBUTE, "it's [%_]", [{"externaluseridentifier": "it's [%_]"}], SINGLE),
        (ATTRIBUTE, "x' or contactid ne null", [{"contactid": KEY}], NONE),
    ],
)
async def test_who_is_found(
    rig: Rig, how: dict[str, Any], value: str, stored: list[dict[str, Any]], expected: str
) -> None:
    rig.know(*stored)
    found = await rig.ask(how, value)
    assert (found["LookupStatus"], found["outcome"]) == (expected, expected)
    assert ("contactid" in found) is (expected == SINGLE)


async def test_a_match_among_fifty_others_is_not_taken_for_the_only_one(rig: Rig) -> None:
    rig.know(*phones("0049-30-901820", *["+33 930 901820"] * 260))
    search = Search(entity("contacts"), Way(value=VALUE, **PHONE), "+4930901820")
    _, by_its_end = search.queries(wildcard=True)
    found = (await rig.dynamics.send(Request("GET", by_its_end), timeout_s=20)).body["value"]
    assert search.answer(found, more=len(found) >= MOST_ROWS)["outcome"] == MULTI


@pytest.mark.parametrize(("wildcard", "expected"), [(True, SINGLE), (False, NONE)])
async def test_a_number_in_no_known_spelling_is_found_by_its_end_if_a_wildcard_is_allowed(
    rig: Rig, wildcard: bool, expected: str
) -> None:
    rig.know(*phones("+49 930901820"))
    lookups = make_lookups(wildcard=wildcard)
    assert (await rig.ask(PHONE, "0930901820", lookups=lookups))["outcome"] == expected


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_a_throttled_wildcard_finds_nobody_and_leaves_the_gate_open(
    rig: Rig, status: Any
) -> None:
    """The exact spellings go on finding people, and other requests pass."""
    rig.dataverse.switches.wildcard_rows, rig.dataverse.switches.wildcard_status = 0, status
    rig.know(*phones("+49 930901820", "+49 30 901820"))
    lookups = make_lookups(wildcard=True)
    assert (await rig.ask(PHONE, "0930901820", lookups=lookups))["outcome"] == NONE
    assert (await rig.ask(PHONE, "+4930901820", lookups=lookups))["outcome"] == SINGLE
    assert rig.dynamics.gate.breaker.state is GateState.OPEN


async def test_a_deactivated_customer_is_nobody(rig: Rig) -> None:
    row = {"contactid": KEY, "telephone1": "+4930901820"}
    rig.know(row, *phones("+4930901820"))
    transport = httpx.ASGITransport(rig.dataverse.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
        closed = {"statecode": 1, "statuscode": 2}
        answer = await http.patch(f"/api/data/v9.2/contacts({KEY})", json=closed)
        assert answer.is_success
    assert (await rig.ask(PHONE, "+4930901820"))["outcome"] == SINGLE


@pytest.mark.parametrize("table", ["accounts", "leads"])
async def test_accounts_and_leads_are_looked_up_like_contacts(rig: Rig, table: str) -> None:
    rig.know({"telephone1": "+49 30 901820"}, table=table)
    how = {**PHONE, "columns": ("telephone1", "telephone2")}
    search = Search(entity(table), Way(value=VALUE, **how), "+4930901820")
    found = await look_up(rig.dynamics, search, make_lookups(), timeout_s=20)
    assert found["outcome"] == SINGLE
    assert entity(table).key in found


async def test_a_match_has_the_columns_asked_for(rig: Rig) -> None:
    rig.know({"contactid": KEY, "firstname": "Ada", "lastname": "A", "telephone1": "+4930901820"})
    found = await rig.ask(PHONE, "+4930901820")
    assert (found["contactid"], found["fullname"]) == (KEY, "Ada A")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("maria.keller", SINGLE),
        ("MARIA.KELLER@example.com", SINGLE),
        ("maria", NONE),
        ("maria_keller", NONE),
        ("tom", MULTI),
        ("gone", NONE),
    ],
)
async def test_an_agent_is_found_by_user_name_or_address(
    rig: Rig, name: str, expected: str
) -> None:
    rig.know(
        {"domainname": "maria.keller@example.com", "isdisabled": False},
        {"domainname": "tom@example.com", "isdisabled": False},
        {"domainname": "tom@example.org", "isdisabled": False},
        {"domainname": "gone@example.com", "isdisabled": True},
        table="systemusers",
    )
    way = Way("user", VALUE, ("domainname", "internalemailaddress"))
    search = Search(entity("systemusers"), way, name)
    found = await look_up(rig.dynamics, search, make_lookups(), timeout_s=20)
    assert found["outcome"] == expected


async def test_the_customers_of_the_demonstration_are_found_as_they_should_be(rig: Rig) -> None:
    """All of the ways in which they are stored, and those who are not or share a number."""
    people = [customer(Random(n)) for n in range(60)]
    introduce(rig.dataverse, people)
    assert {len(rows(who)) for who in people} == {0, 1, 2}
    for who in people:
        expected = (match(who) or {}).get("contactid")
        assert (await rig.ask(PHONE, who.number)).get("contactid") == expected
        assert (await rig.ask(EMAIL, who.email)).get("contactid") == expected


#: Texts that Dataverse can hold, and that would mean something if they got out of their literal.
SENDABLE = st.text(st.characters(exclude_categories=("Cc", "Cn", "Cs")), max_size=40)
STRANGE = st.text(st.sampled_from("'%_[]\"&?$=+# ()a1@\\;,/"), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(by=st.sampled_from(["email", "attribute", "user"]), value=STRANGE | SENDABLE)
@example(by="attribute", value="' or contactid ne null or lastname eq '")
async def test_a_value_finds_its_own_row_and_no_other(by: By, value: str) -> None:
    value = " ".join(sound(value).split())
    dataverse = create_dataverse(auth=False)
    async with connect_in_process(httpx.ASGITransport(dataverse.app)) as client:
        rig = Rig(dataverse, client)
        rig.know({"contactid": KEY, "externaluseridentifier": value or "x"}, {"lastname": "B"})
        found = await rig.ask({"by": by, "columns": ("externaluseridentifier",)}, value or "x")
        looked_for = by != "email" or bool(value.partition("@")[1])
        assert found.get("contactid") in ({KEY} if looked_for else {None}) | {None}
        if by == "attribute":
            assert found["contactid"] == KEY
    dataverse.close()
