"""What was redacted in Amazon Connect or deleted is emptied in Dynamics, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.action import Change, ReadFile, Verb
from pipelines.contact import Contact, Parked
from pipelines.fact import Fact
from pipelines.ledger import NULL
from pipelines.loader import load
from pipelines.outcome import Done, Exists, Found, Missing
from pipelines.plan import Plan, Terms, plan
from pipelines.redaction import MOST_NAMES, UNKNOWN, covers, redacted
from pipelines.settle import settle


Told = Callable[..., Contact]
Makes = Callable[..., Fact]

US, SOMEBODY = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"

_REFUSED = Parked(["p/CALL"], 0.0, 404, "", {}, "")
EXISTS, MISSING = Exists(_REFUSED), Missing(_REFUSED)

PIPELINE = load(
    """
name = "p"

[[step]]
name = "LENS"
on = "analysis"
read = true

[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '''{"subject": "Call with {{CustomerEndpoint | default: 'unknown number'}}",
  "phonenumber": "{{CustomerEndpoint}}", "category": "{{Attributes.CallReason}}",
  "subcategory": "{{Queue}}",
  "phonecall_activity_parties": [
    {"participationtypemask": 1, "addressused": "{{CustomerEndpoint}}"}]}'''

[[step]]
name = "LINK"
on = "recording"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"description": "Recording: {{objectUrl}}"}'

[[step]]
name = "NOTE"
on = "analysis"
method = "POST"
entity = "annotations"
body = '''{"notetext": "{{LENS-Response.summary}}"}'''
"""
)

ANALYSIS = (
    "Analysis/Voice/2026/01/02/"
    "5ca32fbd-8f92-46af-92a5-6b0f970f0efe_analysis_2026-01-02T03:00:00Z.json"
)
REDACTED = ANALYSIS.replace("Voice/", "Voice/Redacted/").replace(
    "_analysis_", "_analysis_redacted_"
)


def planned(contact: Contact) -> Plan:
    return plan(contact, [PIPELINE], float("inf"), Terms())


def changes(found: Plan, table: str = "phonecalls") -> list[Change]:
    return [one for one in found.actions if isinstance(one, Change) and one.entity == table]


def emptied(record: Makes, fields: Any = "CUSTOMER_ENDPOINT", **changed: Any) -> Fact:
    said = {"connect:RedactedFields": {"ValueString": fields}}
    gone = {"CustomerEndpoint": None, "LastUpdateTimestamp": "2026-09-02T09:11:05Z"}
    return record(SegmentAttributes=said, **gone | changed)


def settled(contact: Contact) -> None:
    """Carry out all there is to do; what is looked for is not there."""
    for _ in range(4):
        for action in planned(contact).actions:
            looks = isinstance(action, Change) and action.verb is Verb.ADOPT
            settle(contact, action, MISSING if looks else Done({"summary": "Ada asked"}))


# --- what is redacted ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"ValueString": "CUSTOMER_ENDPOINT,Attributes.CallReason"},
        {"ValueString": '["CustomerEndpoint", "attributes.callReason"]'},
        ["CustomerEndpoint", "Attributes.CallReason"],
        {"ValueList": [{"ValueString": "customer_endpoint"}, "ATTRIBUTES.CallReason"]},
        "CustomerEndpoint; Attributes.CallReason",
    ],
)
def test_redacted_fields_are_found_however_they_are_written(said: Any) -> None:
    found = redacted({"SegmentAttributes": {"connect:RedactedFields": said}})
    assert found == {"customerendpoint", "attributescallreason"}


@pytest.mark.parametrize(
    ("name", "path", "empty", "covered"),
    [
        ("customerendpoint", ("CustomerEndpoint",), True, True),
        ("customerendpoint", ("CustomerEndpoint", "Address"), False, True),
        ("customerendpointaddress", ("CustomerEndpoint",), True, True),
        ("attributes", ("Attributes", "x"), False, True),
        ("attributesx", ("Attributes", "y"), True, False),
        ("customerendpoint", ("Queue", "Name"), True, False),
        ("agentusername", ("AgentName",), True, True),
        ("customerendpointaddress", ("From",), True, True),
        ("customerendpointaddress", ("ThirdParties",), True, True),
        ("agent", ("AgentName",), False, True),
        ("agent", ("Previous", "Agent"), False, True),
        ("nextcontactid", ("Next", "Queue", "Name"), False, True),
        ("customerendpoint", ("ThirdParties",), False, True),
        ("attributesx", ("ThirdParties",), False, False),
        ("somethingnew", ("Queue", "Name"), True, True),
        ("somethingnew", ("Queue", "Name"), False, False),
    ],
)
def test_a_redaction_covers_what_is_named_and_without_a_known_name_all_that_is_empty(
    name: str, path: tuple[str, ...], *, empty: bool, covered: bool
) -> None:
    assert covers(frozenset([name]), path, empty=empty) is covered


# --- what is emptied ----------------------------------------------------------------------------


def test_a_redaction_empties_columns_parties_and_texts_and_then_rests(
    record: Makes, told: Told
) -> None:
    contact = told(record())
    settled(contact)
    contact.observe(emptied(record))
    sent: dict[str, Any] = {}
    for change in changes(planned(contact)):
        sent |= change.columns
    assert sent == {
        "subject": "Call with unknown number",
        "phonenumber": None,
        "phonecall_activity_parties": [],
    }
    settled(contact)
    assert planned(contact).actions == []


def test_a_redaction_reaches_a_record_that_others_changed_and_no_ledger_knows(
    record: Makes, told: Told
) -> None:
    contact = told(emptied(record))
    (create,) = (c for c in changes(planned(contact)) if c.verb is Verb.CREATE)
    settle(contact, create, EXISTS)
    (look,) = changes(planned(contact))
    row = {
        "_createdby_value": US,
        "_modifiedby_value": SOMEBODY,
        "subject": "Call with +4930901820, a friend",
        "phonenumber": "+4930901821",
        "category": "a person's",
        "phonecall_activity_parties": [
            {"participationtypemask": 1, "addressused": "+4930901820"}
        ],
    }  # fmt: skip
    settle(contact, look, Found(row, frozenset((US,))))
    sent: dict[str, Any] = {}
    for change in changes(planned(contact)):
        sent |= change.columns
    assert sent == {
        "subject": "Call with unknown number",
        "phonenumber": None,
        "subcategory": "Support",
        "phonecall_activity_parties": [],
    }
    settled(contact)
    assert planned(contact).actions == []


def test_a_record_made_after_the_redaction_is_made_once_without_what_was_redacted(
    record: Makes, told: Told
) -> None:
    contact = told(emptied(record))
    (create,) = (c for c in changes(planned(contact)) if c.verb is Verb.CREATE)
    assert "phonenumber" not in create.columns
    settle(contact, create, Done({}))
    assert changes(planned(contact)) == []


@pytest.mark.parametrize("field", ["Attributes.CallReason", "ATTRIBUTES", "SOMETHING_NEW"])
def test_a_redacted_attribute_is_emptied_though_the_ledger_has_no_value(
    field: str, record: Makes, told: Told
) -> None:
    contact = told(record(Attributes={}))
    settled(contact)
    (name,) = (n for n in contact.ledger if n.startswith("phonecalls"))
    contact.observe(emptied(record, field, Attributes={}, CustomerEndpoint=None))
    settled(contact)
    assert contact.ledger[name].columns["category"] == NULL


# --- files and notes ----------------------------------------------------------------------------


def test_a_note_loses_an_original_files_text_and_the_state_does_too(
    record: Makes, stored: Makes, told: Told
) -> None:
    contact = told(record(), stored(ANALYSIS))
    settled(contact)
    contact.observe(emptied(record))
    found = planned(contact)
    assert [c.columns for c in changes(found, "annotations")] == [{"notetext": None}]
    assert found.forgotten == ["p/LENS"]
    assert not [one for one in found.actions if isinstance(one, ReadFile)]


def test_a_note_keeps_the_text_of_a_redacted_file(record: Makes, stored: Makes, told: Told) -> None:
    contact = told(record(), stored(REDACTED))
    settled(contact)
    contact.observe(emptied(record))
    assert changes(planned(contact), "annotations") == []


def test_a_note_that_no_state_knows_is_looked_for_and_emptied(record: Makes, told: Told) -> None:
    contact = told(emptied(record))
    (look,) = changes(planned(contact), "annotations")
    assert look.verb is Verb.ADOPT
    settle(
        contact,
        look,
        Found({"_modifiedby_value": SOMEBODY, "notetext": "Ada asked"}, frozenset((US,))),
    )
    assert [c.columns for c in changes(planned(contact), "annotations")] == [{"notetext": None}]
    settled(contact)
    assert planned(contact).actions == []


def test_a_note_that_is_not_there_is_looked_for_once(record: Makes, told: Told) -> None:
    contact = told(emptied(record))
    (look,) = changes(planned(contact), "annotations")
    settle(contact, look, MISSING)
    assert changes(planned(contact), "annotations") == []


@pytest.mark.parametrize("expired", [False, True])
def test_a_deleted_recording_takes_its_link_away_and_a_replay_does_not_bring_it_back(
    record: Makes, stored: Makes, told: Told, *, expired: bool
) -> None:
    file = stored()
    data = file.data
    gone = {"Location": f"{data['bucket']}/{data['key']}", "Status": "DELETED", "Type": "AUDIO"}
    newest = record(Recording=gone, LastUpdateTimestamp="2026-09-02T09:11:05Z")
    contact = told(newest) if expired else told(record(), file)
    if expired:
        (create,) = changes(planned(contact))
        settle(contact, create, EXISTS)
        (look,) = changes(planned(contact))
        settle(
            contact,
            look,
            Found({"_modifiedby_value": SOMEBODY, "description": "link"}, frozenset((US,))),
        )
    else:
        settled(contact)
        contact.observe(newest)
    texts = [c.columns for c in changes(planned(contact)) if "description" in c.columns]
    assert [columns["description"] for columns in texts] == [None]
    settled(contact)
    contact.observe(file)
    assert planned(contact).actions == []


def test_more_redacted_names_than_a_record_has_fields_count_as_one_that_nobody_knows() -> None:
    named = ",".join(f"Field{number}" for number in range(MOST_NAMES + 1))
    found = redacted({"SegmentAttributes": {"connect:RedactedFields": {"ValueString": named}}})
    assert found == UNKNOWN
    assert covers(found, ("CustomerEndpoint",), empty=True)
    assert not covers(found, ("CustomerEndpoint",), empty=False)
