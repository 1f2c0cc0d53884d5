"""The timeline pipeline: who is looked up, and what becomes of it, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pipelines.action import Action
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.identity import timeline_id
from pipelines.lookup import status
from pipelines.plan import Plan, Terms, plan
from worker.definitions import find


Makes = Callable[..., Fact]
Told = Callable[..., Contact]
CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

TIMELINE = find("timeline")
NOW = 1_767_322_800.0 + 600
CUSTOMER = "11111111-0000-4000-8000-000000000001"
USER = "22222222-0000-4000-8000-000000000002"
PARTIES = "phonecall_activity_parties"
REGARDING = "regardingobjectid_contact_phonecall@odata.bind"


def planned(contact: Contact) -> Any:
    return plan(contact, [TIMELINE], NOW, Terms())


def kinds(found: Plan) -> list[str]:
    return [write.kind for write in found.actions]


def answers(contact: Contact, carry_out: CarryOut, **found: dict[str, Any]) -> None:
    """Answer the lookups that are due, by step: nobody unless told."""
    for write in planned(contact).actions:
        assert write.kind == "lookup"
        step = write.steps[0].rpartition("/")[2]
        carry_out(contact, [write], found.get(step, status("NoMatch")))


KNOWN = {"contactid": CUSTOMER, "fullname": "Ada A"} | status("SingleMatch")
AGENT = {"systemuserid": USER} | status("SingleMatch")
FROM_CUSTOMER = {
    "participationtypemask": 1,
    "partyid_contact@odata.bind": f"/contacts({CUSTOMER})",
}
TO_AGENT = {
    "participationtypemask": 2,
    "partyid_systemuser@odata.bind": f"/systemusers({USER})",
}


def test_customer_and_agent_are_looked_up_before_anything_is_written(
    record: Makes, told: Told
) -> None:
    found = planned(told(record()))
    assert [write.steps for write in found.actions] == [("timeline/CUSTOMER",), ("timeline/AGENT",)]


def test_a_call_is_one_create_with_regarding_and_parties(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record(Attributes={"CallReason": "invoice"}))
    answers(contact, carry_out, CUSTOMER=KNOWN, AGENT=AGENT)
    create, *_ = planned(contact).actions
    assert (create.kind, create.key) == ("create", timeline_id(contact.id, "phonecall"))
    assert create.columns["subject"] == "Call with Ada A"
    assert create.columns["category"] == "invoice"
    assert create.columns[REGARDING] == f"/contacts({CUSTOMER})"
    assert create.columns[PARTIES] == [FROM_CUSTOMER, TO_AGENT]


def test_an_outgoing_call_is_from_the_agent_to_the_customer(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record(InitiationMethod="OUTBOUND"))
    answers(contact, carry_out, CUSTOMER=KNOWN, AGENT=AGENT)
    create, *_ = planned(contact).actions
    assert create.columns["directioncode"] is True
    assert create.columns[PARTIES] == [
        {**TO_AGENT, "participationtypemask": 1},
        {**FROM_CUSTOMER, "participationtypemask": 2},
    ]


@pytest.mark.parametrize("outcome", ["MultiMatch", "NoMatch"])
def test_whoever_is_not_a_single_match_is_there_as_text_and_is_not_regarding(
    record: Makes, told: Told, carry_out: CarryOut, outcome: Any
) -> None:
    contact = told(record())
    answers(contact, carry_out, CUSTOMER=status(outcome))
    create, *_ = planned(contact).actions
    assert create.columns["subject"] == "Call with +4930901820"
    assert REGARDING not in create.columns
    assert create.columns[PARTIES] == [
        {"participationtypemask": 1, "addressused": "+4930901820"},
        {"participationtypemask": 2, "addressused": "ada"},
    ]


def test_a_party_that_is_known_later_replaces_the_text_by_a_put_of_the_collection(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record())
    answers(contact, carry_out, AGENT=AGENT)
    carry_out(contact, planned(contact).actions, {})
    newer = {"Address": "+4930901821", "Type": "TELEPHONE_NUMBER"}
    contact.observe(record(LastUpdateTimestamp="2026-01-03T00:00:00Z", CustomerEndpoint=newer))
    answers(contact, carry_out, CUSTOMER=KNOWN)
    found = planned(contact)
    assert kinds(found)[:2] == ["update", "parties"]
    assert found.actions[0].columns[REGARDING] == f"/contacts({CUSTOMER})"
    assert found.actions[1].columns == {PARTIES: [FROM_CUSTOMER, TO_AGENT]}


def test_before_anybody_is_known_the_activity_is_there_without_parties(
    event: Makes, told: Told
) -> None:
    (create,) = planned(told(event("INITIATED"))).actions
    assert create.columns["subject"] == "Call with unknown number"
    assert PARTIES not in create.columns


def test_a_withheld_number_is_nobody_s_and_no_request(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record(CustomerEndpoint={"Address": "anonymous"}))
    customer = planned(contact).actions[0]
    assert customer.url == ""
    assert customer.search is not None
    answers(contact, carry_out)
    create, *_ = planned(contact).actions
    assert create.columns["subject"] == "Call with anonymous"


@pytest.mark.parametrize(
    ("channel", "table"),
    [("VOICE", "phonecall"), ("EMAIL", "email"), ("TASK", "task"), ("CHAT", "task")],
)
def test_the_activity_is_of_the_channel_s_table_with_the_lambda_s_id(
    record: Makes, told: Told, carry_out: CarryOut, channel: str, table: str
) -> None:
    contact = told(record(Channel=channel, CustomerEndpoint=None))
    answers(contact, carry_out)
    (create,) = (write for write in planned(contact).actions if write.kind == "create")
    assert create.record == f"{table}s({timeline_id(contact.id.upper(), table)})"


def test_a_chat_s_customer_is_the_one_that_a_flow_left_in_an_attribute(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    said = {"Channel": "CHAT", "CustomerEndpoint": None, "Attributes": {"ms_contact_id": CUSTOMER}}
    contact = told(record(**said))
    assert f"contactid%20eq%20{CUSTOMER}" in planned(contact).actions[0].url
    answers(contact, carry_out, CUSTOMER=KNOWN)
    create, *_ = planned(contact).actions
    assert create.columns["regardingobjectid_contact_task@odata.bind"] == f"/contacts({CUSTOMER})"


ANALYSIS = "Analysis/Voice/2026/01/02/{}_analysis_2026-01-02T03:00:20Z.json"


@pytest.fixture
def analysed(record: Makes, stored: Makes, told: Told) -> Contact:
    contact = told(record())
    contact.observe(stored(ANALYSIS.format(contact.id)))
    return contact


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"summary": "All is well.", "transcript": "AGENT: Hi"}, "All is well."),
        ({"transcript": "AGENT: Hi"}, "AGENT: Hi"),
        ({}, "https://recordings.s3.eu-central-1.amazonaws.com/Analysis/"),
    ],
)
def test_an_analysis_is_a_note_with_its_summary_its_transcript_or_the_way_to_it(
    analysed: Contact, carry_out: CarryOut, said: Any, text: str
) -> None:
    contact = analysed
    found = planned(contact).actions
    assert found[-1].url == f"s3://recordings/{ANALYSIS.format(contact.id)}"
    answers(contact, carry_out, LENS=said)
    call, note, *_ = planned(contact).actions
    assert note.entity == "annotations"
    assert note.columns["notetext"].startswith(text)
    assert note.columns["objectid_phonecall@odata.bind"] == f"/{call.record}"
