"""The timeline pipeline: who is looked up, and what becomes of it, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pipelines.action import Action, Change
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.identity import timeline_id
from pipelines.lookup import status
from pipelines.plan import Plan, Terms, plan
from pipelines.snapshot import snapshot
from worker.definitions import find


Makes = Callable[..., Fact]
Told = Callable[..., Contact]
CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

TIMELINE = find("timeline")
NOW = 1_767_322_800.0 + 600
CUSTOMER = "11111111-0000-4000-8000-000000000001"
CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
USER = "22222222-0000-4000-8000-000000000002"
PARTIES = "phonecall_activity_parties"
REGARDING = "regardingobjectid_contact_phonecall@odata.bind"


def planned(contact: Contact) -> Any:
    return plan(contact, [TIMELINE], NOW, Terms())


def kinds(found: Plan) -> list[str]:
    return [write.kind for write in found.actions]


def changes(found: Plan) -> list[Any]:
    return [action for action in found.actions if isinstance(action, Change)]


def epoch_of_end(contact: Contact) -> float:
    ended = snapshot(contact, {}).ended
    assert ended is not None
    return ended


def answers(contact: Contact, carry_out: CarryOut, **found: dict[str, Any]) -> None:
    """Answer the lookups that are due, by step: nobody unless told."""
    for write in planned(contact).actions:
        if isinstance(write, Change):
            break
        step = write.steps[0].rpartition("/")[2]
        carry_out(contact, [write], found.get(step, status("NoMatch")))


KNOWN = {"id": CUSTOMER, "contact": CUSTOMER, "name": "Ada A"} | status("SingleMatch")
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
    attributes = {"ms_contact_id": CUSTOMER, "ms_id": CONTACT}
    said = {"Channel": "CHAT", "CustomerEndpoint": None, "Attributes": attributes}
    contact = told(record(**said))
    assert f"contactid%20eq%20{CUSTOMER}" in planned(contact).actions[0].url
    answers(contact, carry_out, CUSTOMER=KNOWN)
    create, *_ = planned(contact).actions
    assert create.columns["regardingobjectid_contact_task@odata.bind"] == f"/contacts({CUSTOMER})"


def test_an_id_that_a_browser_left_in_an_attribute_is_nobody_s(record: Makes, told: Told) -> None:
    said = {"Channel": "CHAT", "CustomerEndpoint": None, "Attributes": {"ms_contact_id": CUSTOMER}}
    contact = told(record(**said))
    found = planned(contact)
    assert [write.steps for write in found.actions] == [("timeline/AGENT",)]
    assert found.waiting["timeline/CUSTOMER"] == "for a value its query needs"


@pytest.mark.parametrize("table", ["contact", "account", "lead"])
def test_regarding_and_party_are_of_the_table_in_which_the_customer_was_found(
    record: Makes, told: Told, carry_out: CarryOut, table: str
) -> None:
    contact = told(record())
    found = {"id": CUSTOMER, table: CUSTOMER, "table": table, "accountid": CUSTOMER, "name": "A"}
    answers(contact, carry_out, CUSTOMER=found | status("SingleMatch"))
    create, *_ = planned(contact).actions
    links = {c: v for c, v in create.columns.items() if c.startswith("regarding")}
    address = f"/{table}s({CUSTOMER})"
    assert links == {f"regardingobjectid_{table}_phonecall@odata.bind": address}
    assert create.columns[PARTIES][0] == {
        "participationtypemask": 1,
        f"partyid_{table}@odata.bind": address,
    }


def test_a_customer_who_turns_out_to_be_an_account_replaces_the_contact(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    """And the other way round: the link of another table is not emptied after it was set."""
    contact = told(record())
    answers(contact, carry_out, CUSTOMER=KNOWN)
    carry_out(contact, planned(contact).actions, {})
    account = {"id": USER, "account": USER} | status("SingleMatch")
    for day, found in (("03", account), ("04", KNOWN)):
        newer = {"Address": f"+44200000000{day}"}
        at = f"2026-01-{day}T00:00:00Z"
        contact.observe(record(LastUpdateTimestamp=at, CustomerEndpoint=newer))
        answers(contact, carry_out, CUSTOMER=found)
        actions = planned(contact).actions
        links = {c: v for c, v in actions[0].columns.items() if c.startswith("regarding")}
        assert list(links.values()) == [
            f"/accounts({USER})" if found is account else f"/contacts({CUSTOMER})"
        ]
        carry_out(contact, actions, {})


OWNER = "ownerid@odata.bind"
TEAM = "teams(33333333-0000-4000-8000-000000000003)"


OWNERS: list[tuple[dict[str, str], dict[str, Any], str | None]] = [
    ({"Owner": TEAM}, AGENT, f"/systemusers({USER})"),
    ({"Owner": TEAM}, status("NoMatch"), f"/{TEAM}"),
    ({}, AGENT, f"/systemusers({USER})"),
    ({}, status("MultiMatch"), None),
]


@pytest.mark.parametrize("channel", ["VOICE", "EMAIL", "TASK", "CHAT"])
def test_the_owner_is_the_agent_where_found_and_the_configured_one_where_not(
    record: Makes, told: Told, carry_out: CarryOut, channel: str
) -> None:
    for constants, agent, owner in OWNERS:
        contact = told(record(Channel=channel))
        answers(contact, carry_out, AGENT=agent)
        create, *_ = changes(plan(contact, [TIMELINE], NOW, Terms(constants)))
        assert create.columns.get(OWNER) == owner


def test_an_owner_is_never_emptied(record: Makes, told: Told, carry_out: CarryOut) -> None:
    contact = told(record())
    answers(contact, carry_out, AGENT=AGENT)
    carry_out(contact, planned(contact).actions, {})
    contact.observe(record(LastUpdateTimestamp="2026-01-03T00:00:00Z", Agent=None))
    answers(contact, carry_out)
    assert all(OWNER not in action.columns for action in planned(contact).actions)


CANCELLED = {"VOICE": 3, "EMAIL": 5, "TASK": 6, "CHAT": 6}


@pytest.mark.parametrize("channel", CANCELLED)
def test_no_activity_is_made_if_a_flow_says_so(
    record: Makes, told: Told, carry_out: CarryOut, channel: str
) -> None:
    for said in ("false", "False", "0", " no "):
        contact = told(record(Channel=channel, Attributes={"CreateTimeline": said}))
        answers(contact, carry_out)
        assert changes(plan(contact, [TIMELINE], NOW, Terms(live=True))) == []


@pytest.mark.parametrize("channel", CANCELLED)
def test_an_activity_that_is_there_when_a_flow_says_no_is_cancelled(
    event: Makes, record: Makes, told: Told, carry_out: CarryOut, channel: str
) -> None:
    live = Terms(live=True)
    contact = told(event("INITIATED", channel=channel))
    (create,) = changes(plan(contact, [TIMELINE], NOW, live))
    carry_out(contact, [create], {})
    contact.observe(record(Channel=channel, Attributes={"CreateTimeline": "FALSE"}))
    answers(contact, carry_out)
    *_, close = changes(plan(contact, [TIMELINE], NOW, live))
    assert (close.kind, close.record) == ("close", create.record)
    assert close.columns == {"statecode": 2, "statuscode": CANCELLED[channel]}


def test_in_a_replay_an_activity_that_may_be_there_is_looked_at_before_it_is_cancelled(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record(Attributes={"CreateTimeline": "false"}))
    answers(contact, carry_out)
    (look,) = changes(planned(contact))
    assert (look.kind, look.key) == ("adopt", timeline_id(contact.id, "phonecall"))
    assert look.columns["statecode"] == 2


@pytest.mark.parametrize(
    ("said", "subject"),
    [
        ({}, "Chat with ada"),
        ({"Agent": None}, "Chat with unknown customer"),
        ({"Attributes": {"customerName": "Grace"}}, "Chat with Grace"),
        (
            {
                "CustomerEndpoint": {"Address": "+447700900123", "Type": "TELEPHONE_NUMBER"},
                "SegmentAttributes": {"connect:Subtype": {"ValueString": "connect:SMS"}},
            },
            "SMS with +447700900123",
        ),
    ],
)
def test_a_chat_says_who_wrote_as_far_as_anybody_knows(
    record: Makes, told: Told, carry_out: CarryOut, said: Any, subject: str
) -> None:
    contact = told(record(**{"Channel": "CHAT", "CustomerEndpoint": None, **said}))
    answers(contact, carry_out)
    create, *_ = planned(contact).actions
    assert create.columns["subject"] == subject


def test_a_text_message_has_agent_number_and_transcript(
    record: Makes, stored: Makes, told: Told, carry_out: CarryOut
) -> None:
    number = {"Address": "+447700900123", "Type": "TELEPHONE_NUMBER"}
    contact = told(record(Channel="CHAT", CustomerEndpoint=number))
    key = f"connect/i/ChatTranscripts/2026/01/02/{contact.id}_20260102T03:04_UTC.json"
    contact.observe(stored(key))
    assert "telephone1" in planned(contact).actions[0].url
    answers(contact, carry_out)
    create, *_ = planned(contact).actions
    agent, told_number, transcript = create.columns["description"].split("\n")
    assert (agent, told_number) == ("Agent: ada", "Number: +447700900123")
    assert transcript.startswith("Transcript: https://")


@pytest.mark.parametrize("channel", ["VOICE", "EMAIL", "TASK", "CHAT"])
def test_without_a_contact_record_an_activity_is_closed_15_minutes_after_its_end(
    event: Makes, told: Told, carry_out: CarryOut, channel: str
) -> None:
    contact = told(event("INITIATED", channel=channel), event("DISCONNECTED", channel=channel))
    answers(contact, carry_out)
    ended = epoch_of_end(contact)
    for after_s, closes in ((899, []), (901, [1])):
        found = plan(contact, [TIMELINE], ended + after_s, Terms(live=True))
        states = [a.columns["statecode"] for a in changes(found) if a.kind == "close"]
        assert states == closes


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
