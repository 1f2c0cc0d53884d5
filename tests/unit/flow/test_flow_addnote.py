"""``ms_operation = addnote``: the activity on the timeline, or a note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipelines.identity import timeline_id
from pipelines.loader import load
from worker.dynamics.metadata import Metadata
from worker.dynamics.protocol import Request


if TYPE_CHECKING:
    from tests.unit.flow.conftest import Flow


CONTACT = "c0000000-0000-4000-8000-000000000001"
NUMBER = "+4930901820"


def calls(flow: Flow) -> list[dict[str, Any]]:
    return flow.rows("phonecalls")


# --- activities ---


async def test_the_activity_is_the_one_that_the_worker_makes(flow: Flow) -> None:
    key = flow.know(firstname="Ada", lastname="Lovelace", telephone1=NUMBER)
    made = await flow.ask(ms_operation="addnote", entity="phonecall", ms_contact_id=key)
    assert made["activityid"] == timeline_id(CONTACT, "phonecall")
    assert (made["outcome"], made["entity"]) == ("Created", "phonecall")
    (call,) = calls(flow)
    assert call["activityid"] == made["activityid"]
    assert call["subject"] == "Call with Ada Lovelace"
    assert (call["directioncode"], call["category"]) == (False, "invoice")
    assert call["_regardingobjectid_value"] == key
    assert call["phonecall_activity_parties"] == [
        {"participationtypemask": 1, "_partyid_value": key}
    ]


async def test_without_an_id_the_pipeline_looks_the_customer_up(flow: Flow) -> None:
    key = flow.know(lastname="Lovelace", telephone1=NUMBER)
    await flow.ask(ms_operation="addnote")
    assert calls(flow)[0]["_regardingobjectid_value"] == key


async def test_a_flow_that_repeats_itself_makes_no_second(flow: Flow) -> None:
    first = await flow.ask(ms_operation="addnote")
    again = await flow.ask(ms_operation="addnote")
    assert (first["outcome"], again["outcome"]) == ("Created", "Exists")
    assert first["activityid"] == again["activityid"]
    assert len(calls(flow)) == 1


async def test_the_activity_follows_the_channel(flow: Flow) -> None:
    for channel, entity in (("EMAIL", "email"), ("TASK", "task"), ("CHAT", "task")):
        flow.contact = {"Channel": channel, "ContactId": f"{channel.lower()}-1"}
        made = await flow.ask(ms_operation="addnote")
        assert (made["entity"], made["outcome"]) == (entity, "Created")


async def test_the_customer_may_be_an_account(flow: Flow) -> None:
    key = flow.know("accounts", name="Engines")
    await flow.ask(ms_operation="addnote", ms_contact_id=key, ms_customer_entity_name="account")
    assert calls(flow)[0]["_regardingobjectid_value"] == key


async def test_an_outbound_call_is_outbound(flow: Flow) -> None:
    flow.contact = {"InitiationMethod": "OUTBOUND"}
    await flow.ask(ms_operation="addnote")
    assert calls(flow)[0]["directioncode"] is True


async def test_no_timeline_is_no_activity(flow: Flow) -> None:
    made = await flow.ask(ms_operation="addnote", CreateTimeline="false")
    assert (made["outcome"], made["activityid"], calls(flow)) == ("Skipped", "", [])


async def test_of_a_record_that_is_there_only_gaps_are_filled(flow: Flow) -> None:
    key = flow.know(lastname="Lovelace")
    flow.dataverse.put(
        "phonecalls",
        {
            "activityid": timeline_id(CONTACT, "phonecall"),
            "subject": "Asked for a discount",
            "directioncode": False,
        },
    )
    made = await flow.ask(ms_operation="addnote", ms_contact_id=key)
    assert made["outcome"] == "Exists"
    (call,) = calls(flow)
    assert call["subject"] == "Asked for a discount"
    assert call["directioncode"] is False
    assert (call["_regardingobjectid_value"], call["phonenumber"]) == (key, NUMBER)


@pytest.mark.parametrize("said", ["false", "False", "0", "no"])
async def test_a_flow_s_attribute_says_that_no_activity_is_wanted_as_its_parameter_does(
    flow: Flow, said: str
) -> None:
    assert (await flow.ask(ms_operation="addnote", CreateTimeline=said))["outcome"] == "Skipped"
    flow.contact = {"Attributes": {"CreateTimeline": said}}
    assert (await flow.ask(ms_operation="addnote"))["outcome"] == "Skipped"
    assert calls(flow) == []


async def test_a_closed_record_stays_as_it_is(flow: Flow) -> None:
    activity = timeline_id(CONTACT, "phonecall")
    flow.dataverse.put("phonecalls", {"activityid": activity, "subject": "s"})
    closed = {"statecode": 1, "statuscode": 4}
    close = Request("PATCH", f"phonecalls({activity})", {"If-Match": "*"}, closed)
    await flow.session.send(close)
    flow.dataverse.switches.closed = "0x8004022e"
    before = calls(flow)
    made = await flow.ask(ms_operation="addnote")
    assert (made["activityid"], made["outcome"]) == (activity, "Exists")
    assert calls(flow) == before


@pytest.mark.parametrize(
    ("contact", "parameters"),
    [
        ({}, {"entity": "task"}),  # the pipeline makes a phone call of it
        ({}, {"entity": "incident"}),
        ({"Channel": "FAX"}, {}),
        ({}, {"ms_contact_id": "nobody"}),
        ({}, {"ms_contact_id": "11111111-1111-4111-8111-111111111111"}),
        ({}, {"ms_contact_id": "1", "ms_customer_entity_name": "systemuser"}),
    ],
)
async def test_what_cannot_be_made_is_told(
    flow: Flow, contact: dict[str, Any], parameters: dict[str, str]
) -> None:
    flow.contact = contact
    made = await flow.ask(ms_operation="addnote", **parameters)
    assert made["outcome"] == "NoMatch"
    assert made["reason"]
    assert calls(flow) == []


# --- notes ---


async def test_a_note_hangs_on_the_customer(flow: Flow) -> None:
    key = flow.know("leads", lastname="Lovelace")
    made = await flow.ask(
        ms_operation="addnote",
        entity="annotation",
        ms_contact_id=key,
        ms_customer_entity_name="lead",
        subject="Complaint",
        notetext="Called twice",
    )
    (row,) = flow.rows("annotations")
    assert (made["outcome"], made["annotationid"]) == ("Created", row["annotationid"])
    assert (row["subject"], row["notetext"]) == ("Complaint", "Called twice")
    assert row["_objectid_value"] == key


async def test_a_note_is_made_once_and_another_text_is_another_note(flow: Flow) -> None:
    key = flow.know(lastname="Lovelace")
    about = {"ms_operation": "addnote", "entity": "annotation", "ms_contact_id": key}
    made = [await flow.ask(**about, notetext=text) for text in ("one", "one", "two")]
    assert [note["outcome"] for note in made] == ["Created", "Exists", "Created"]
    assert len(flow.rows("annotations")) == 2


@pytest.mark.parametrize("parameters", [{"notetext": "x"}, {"ms_contact_id": CONTACT}])
async def test_a_note_needs_text_and_customer(flow: Flow, parameters: dict[str, str]) -> None:
    made = await flow.ask(ms_operation="addnote", entity="annotation", **parameters)
    assert made["outcome"] == "NoMatch"
    assert "a note needs" in made["reason"]


CUSTOM = """
name = "timeline"
[[step]]
name = "CUSTOMER"
on = "created"
method = "GET"
entity = "contacts"
[step.lookup]
by = "phone"
columns = ["telephone1"]
[[step]]
name = "SMS"
on = "created"
method = "POST"
entity = "cr8a1_smsmessages"
body = '''{
  "subject": "Message",
  "regardingobjectid_contact_cr8a1_smsmessage@odata.bind":
    "/contacts({{CUSTOMER-Response.contactid}})"
}'''
"""


async def test_the_activity_may_be_a_custom_one_whose_key_metadata_says(flow: Flow) -> None:
    flow.session.pipeline = load(CUSTOM)
    flow.session.tables = Metadata(flow.session.client)
    key = flow.know(lastname="Lovelace", telephone1="+49 30 901820")
    for more in ({}, {"ms_contact_id": key, "entity": "cr8a1_smsmessage"}):
        flow.contact = {"ContactId": f"sms-{len(more)}"}
        made = await flow.ask(ms_operation="addnote", **more)
        assert (made["outcome"], made["entity"]) == ("Created", "cr8a1_smsmessage")
    found = flow.rows("cr8a1_smsmessages")
    assert [row["_regardingobjectid_value"] for row in found] == [key, key]


async def test_a_note_has_no_character_that_dynamics_refuses_and_is_cut_between_two(
    flow: Flow,
) -> None:
    key = flow.know(lastname="Lovelace")
    about = {"ms_operation": "addnote", "entity": "annotation", "ms_contact_id": key}
    made = await flow.ask(**about, subject="x" * 499 + "😀", notetext="first\x0bsecond")
    (row,) = flow.rows("annotations")
    assert made["outcome"] == "Created"
    assert (row["subject"], row["notetext"]) == ("x" * 499, "firstsecond")


async def test_a_note_of_nothing_but_such_characters_has_no_text(flow: Flow) -> None:
    about = {"ms_operation": "addnote", "entity": "annotation", "ms_contact_id": CONTACT}
    assert (await flow.ask(**about, notetext="\x0b\0"))["outcome"] == "NoMatch"
