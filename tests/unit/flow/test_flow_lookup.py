"""``ms_operation = lookup``: who is calling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from worker.flow.answer import NAMES


CONTACT = "c0000000-0000-4000-8000-000000000001"


if TYPE_CHECKING:
    from tests.unit.flow.conftest import Flow


async def test_a_single_match_has_its_columns(flow: Flow) -> None:
    account = flow.know("accounts", name="Analytical Engines")
    key = flow.know(
        firstname="Ada",
        lastname="Lovelace",
        telephone1="+49 (0)30 901820",
        **{"parentcustomerid_account@odata.bind": f"/accounts({account})"},
    )
    found = await flow.ask(ms_operation="lookup")
    assert (found["LookupStatus"], found["outcome"]) == ("SingleMatch", "SingleMatch")
    assert (found["contactid"], found["fullname"]) == (key, "Ada Lovelace")
    assert (found["accountid"], found["entity"]) == (account, "contact")


async def test_a_shared_number_is_never_guessed_from(flow: Flow) -> None:
    for name in ("Ada", "Charles"):
        flow.know(firstname=name, telephone1="+4930901820")
    found = await flow.ask(ms_operation="lookup")
    assert (found["LookupStatus"], found["contactid"]) == ("MultiMatch", "")


async def test_nobody_is_nobody(flow: Flow) -> None:
    found = await flow.ask(ms_operation="lookup")
    assert (found["LookupStatus"], found["reason"]) == ("NoMatch", "")


@pytest.mark.parametrize("written", ["Ada@example.com", '"Lovelace, Ada" <Ada@Example.com>'])
async def test_mails_are_looked_up_by_their_address(flow: Flow, written: str) -> None:
    key = flow.know(lastname="Lovelace", emailaddress1="ada@example.com")
    address = {"Address": written, "Type": "EMAIL_ADDRESS"}
    flow.contact = {"Channel": "EMAIL", "CustomerEndpoint": address}
    assert (await flow.ask(ms_operation="lookup"))["contactid"] == key


@pytest.mark.parametrize(
    ("entity", "table", "row", "name"),
    [
        ("account", "accounts", {"name": "Engines"}, "Engines"),
        ("lead", "leads", {"firstname": "Ada", "lastname": "L"}, "Ada L"),
    ],
)
async def test_accounts_and_leads_are_customers_too(
    flow: Flow, entity: str, table: str, row: dict[str, str], name: str
) -> None:
    key = flow.know(table, telephone1="+4930901820", **row)
    found = await flow.ask(ms_operation="lookup", entity=entity)
    assert (found["contactid"], found["fullname"], found["entity"]) == (key, name, entity)
    assert found["accountid"] == (key if entity == "account" else "")


async def test_the_id_that_a_flow_has_goes_before_the_number(flow: Flow) -> None:
    key = flow.know(lastname="Lovelace")
    flow.know(lastname="Babbage", telephone1="+4930901820")
    found = await flow.ask(ms_operation="lookup", ms_contact_id=key.upper())
    assert (found["LookupStatus"], found["contactid"]) == ("SingleMatch", key)


@pytest.mark.parametrize("value", ["x' or 'a' eq 'a", "%", "0"])
async def test_what_is_no_id_is_nobodys(flow: Flow, value: str) -> None:
    flow.know(lastname="Lovelace")
    found = await flow.ask(ms_operation="lookup", ms_contact_id=value)
    assert (found["LookupStatus"], found["contactid"]) == ("NoMatch", "")


async def test_the_same_question_is_asked_once_in_some_seconds(flow: Flow) -> None:
    flow.know(lastname="Lovelace", telephone1="+4930901820")
    first = await flow.ask(ms_operation="lookup")
    asked = flow.dataverse.requests
    assert await flow.ask(ms_operation="lookup") == first
    assert flow.dataverse.requests == asked


async def test_a_contact_without_number_and_id_is_told_so(flow: Flow) -> None:
    flow.contact = {"Channel": "CHAT", "CustomerEndpoint": None}
    found = await flow.ask(ms_operation="lookup")
    assert found["LookupStatus"] == "NoMatch"
    assert "no number" in found["reason"]


async def test_an_unknown_table_is_told_so(flow: Flow) -> None:
    assert "contact, account, lead" in (await flow.ask(ms_operation="lookup", entity="x"))["reason"]


async def test_answers_are_flat_strings_and_always_the_same_names(flow: Flow) -> None:
    for operation in ("lookup", "addnote", "", "drop table"):
        found = await flow.ask(ms_operation=operation)
        assert tuple(found) == NAMES
        assert all(type(value) is str for value in found.values())


@pytest.mark.parametrize(
    ("known", "found"),
    [(["leads"], "lead"), (["accounts", "leads"], "account"), (["leads", "contacts"], "contact")],
)
async def test_without_a_table_the_pipeline_s_are_asked_in_their_order(
    flow: Flow, known: list[str], found: str
) -> None:
    keys = {table: flow.know(table, telephone1="+4930901820") for table in known}
    told = await flow.ask(ms_operation="lookup")
    assert (told["contactid"], told["entity"]) == (keys[f"{found}s"], found)
    assert told["accountid"] == (keys["accounts"] if found == "account" else "")


async def test_a_contact_and_its_account_of_one_number_are_the_contact(flow: Flow) -> None:
    account = flow.know("accounts", name="Engines", telephone1="+4930901820")
    key = flow.know(
        lastname="Lovelace",
        telephone1="+4930901820",
        **{"parentcustomerid_account@odata.bind": f"/accounts({account})"},
    )
    found = await flow.ask(ms_operation="lookup")
    assert (found["LookupStatus"], found["contactid"]) == ("SingleMatch", key)
    assert found["accountid"] == account


@pytest.mark.parametrize(("ms_id", "found"), [(True, "SingleMatch"), (False, "NoMatch")])
async def test_an_id_in_an_attribute_counts_if_the_flow_vouches_for_it(
    flow: Flow, ms_id: bool, found: str
) -> None:
    key = flow.know("accounts", name="Engines")
    attributes = {"ms_contact_id": key, "ms_id": CONTACT if ms_id else key}
    flow.contact = {"Channel": "CHAT", "CustomerEndpoint": None, "Attributes": attributes}
    assert (await flow.ask(ms_operation="lookup"))["LookupStatus"] == found
