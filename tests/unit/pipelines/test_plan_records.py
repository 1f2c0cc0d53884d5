"""Records that exist already, are not ours, are gone, closed, or hang on one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pipelines import ledger
from pipelines.action import Action, Change, Verb
from pipelines.contact import Contact, Parked, RecordLedger
from pipelines.fact import Fact
from pipelines.identity import record_id
from pipelines.loader import load
from pipelines.outcome import Closed, Found
from pipelines.plan import Plan, Terms, plan
from pipelines.settle import settle


Told = Callable[..., Contact]
Makes = Callable[..., Fact]
CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

CLOSED = Closed(Parked(["p/CALL"], 0.0, 400, "", {}, ""))

CREATE = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "Call", "category": "{{Queue}}"}'
"""
CLOSE = """
[[step]]
name = "CLOSE"
on = "ended"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"statecode": 1, "statuscode": 4}'
"""
TASK = """
[[step]]
name = "TASK"
on = "created"
method = "POST"
entity = "tasks"
body = '{"subject": "About {{CALL-Response.activityid}}"}'
"""
NOTE = """
[[step]]
name = "NOTE"
on = "created"
method = "POST"
entity = "annotations"
body = '{"subject": "About {{TASK-Response.activityid}}"}'
"""
FOREIGN = """
[[step]]
name = "CUSTOMER"
on = "record"
method = "PATCH"
entity = "contacts"
query = "(telephone1='{{CustomerEndpoint}}')"
on_missing = "skip"
body = '{"description": "Called {{Queue}}"}'
"""


def planned(contact: Contact, *steps: str, **terms: Any) -> Any:
    return plan(contact, [load('name = "p"' + "".join(steps))], 0.0, Terms(**terms))


def kinds(found: Plan) -> list[str]:
    return [write.kind for write in found.actions]


@pytest.fixture
def closed(record: Makes, told: Told, carry_out: CarryOut) -> Contact:
    """A contact whose call is created and closed, and whose queue has another name since."""
    contact = told(record())
    carry_out(contact, planned(contact, CREATE, CLOSE).actions, {})
    contact.observe(record(LastUpdateTimestamp="2026-01-11T00:00:00Z", Queue={"Name": "Sales"}))
    return contact


# --- the record's own state ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("unsent", ["create", "close"]),
        ("sent", ["create", "close"]),
        ("found", ["adopt"]),
        ("there", ["update", "close"]),
        ("gone", []),
    ],
)
def test_what_is_known_of_a_record_says_what_to_do(
    state: Any, kind: list[str], record: Makes, told: Told
) -> None:
    contact = told(record())
    known = RecordLedger("phonecalls", record_id(contact.id, "p", "CALL"), state)
    contact.ledger[known.name] = known
    assert kinds(planned(contact, CREATE, CLOSE)) == kind


def test_a_deleted_record_says_why_nothing_is_done(record: Makes, told: Told) -> None:
    contact = told(record())
    known = RecordLedger("phonecalls", record_id(contact.id, "p", "CALL"), "gone")
    contact.ledger[known.name] = known
    assert planned(contact, CREATE, CLOSE).waiting == dict.fromkeys(
        ("p/CALL", "p/CLOSE"), "no: the record was deleted or let go of"
    )


def test_a_new_record_is_open_anyway(record: Makes, told: Told) -> None:
    reopen = CLOSE.replace('"statecode": 1', '"statecode": 0')
    assert kinds(planned(told(record()), CREATE, reopen)) == ["create"]


def test_a_parked_record_is_left_alone(record: Makes, told: Told) -> None:
    contact = told(record())
    (create, _) = planned(contact, CREATE, CLOSE).actions
    contact.parked[create.place] = Parked(["p/CALL"], 0.0, 400, "", {}, "")
    found = planned(contact, CREATE, CLOSE)
    assert (found.actions, found.waiting["p/CALL"]) == ([], "parked")


def test_a_parked_lookup_is_left_alone(record: Makes, told: Told) -> None:
    who = CREATE.replace("CALL", "WHO").replace("POST", "GET").replace("body", "description")
    contact = told(record())
    assert kinds(planned(contact, who)) == ["lookup"]
    contact.parked["p/WHO"] = Parked(["p/WHO"], 0.0, 400, "", {}, "")
    assert planned(contact, who).waiting == {"p/WHO": "parked"}
    ledger.drop(contact, "p/WHO")
    assert planned(contact, who) == Plan()


# --- closed records -----------------------------------------------------------------------------


def test_a_closed_record_is_updated_as_long_as_it_takes_it(closed: Contact) -> None:
    found = planned(closed, CREATE, CLOSE)
    assert kinds(found) == ["update"]
    assert found.actions[0].columns == {"category": "Sales"}


def test_a_closed_record_that_refuses_an_update_is_reopened_updated_and_closed(
    closed: Contact, carry_out: CarryOut
) -> None:
    (update,) = planned(closed, CREATE, CLOSE).actions
    settle(closed, update, CLOSED)
    found = planned(closed, CREATE, CLOSE)
    assert kinds(found) == ["reopen", "update", "close"]
    assert [write.columns for write in found.actions] == [
        {"statecode": 0, "statuscode": 1},
        {"category": "Sales"},
        {"statecode": 1, "statuscode": 4},
    ]
    carry_out(closed, found.actions[:1], {})
    assert kinds(planned(closed, CREATE, CLOSE)) == ["update", "close"]
    carry_out(closed, found.actions[1:], {})
    assert planned(closed, CREATE, CLOSE) == Plan()


def test_a_closed_record_is_reopened_too_by_a_worker_to_whose_clock_its_end_is_ahead(
    closed: Contact, carry_out: CarryOut
) -> None:
    (update,) = planned(closed, CREATE, CLOSE).actions
    settle(closed, update, CLOSED)
    found = planned(closed, CREATE)
    assert kinds(found) == ["reopen", "update"]
    carry_out(closed, found.actions, {})
    assert kinds(planned(closed, CREATE, CLOSE)) == ["close"]


def test_an_update_that_a_reopened_record_refuses_becomes_a_note(
    closed: Contact, carry_out: CarryOut
) -> None:
    (update,) = planned(closed, CREATE, CLOSE).actions
    settle(closed, update, CLOSED)
    settle(closed, planned(closed, CREATE, CLOSE).actions[0], CLOSED)
    (note,) = planned(closed, CREATE, CLOSE).actions
    assert (note.kind, note.record) == ("note", update.record)
    assert note.columns == {"category": "Sales"}
    carry_out(closed, [note], {})
    assert planned(closed, CREATE, CLOSE) == Plan()


def test_a_note_has_an_id_by_what_it_says(
    closed: Contact, record: Makes, carry_out: CarryOut
) -> None:
    (update,) = planned(closed, CREATE, CLOSE).actions
    for _ in range(2):
        settle(closed, update, CLOSED)
    (note,) = planned(closed, CREATE, CLOSE).actions
    assert planned(closed, CREATE, CLOSE).actions == [note]
    carry_out(closed, [note], {})
    closed.observe(record(LastUpdateTimestamp="2026-01-12T00:00:00Z", Queue={"Name": "Third"}))
    (other,) = planned(closed, CREATE, CLOSE).actions
    assert (other.kind, other.columns) == ("note", {"category": "Third"})
    assert other != note


def test_a_record_a_person_closed_gets_a_note_at_once(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    """Nobody asked us to close it, so reopening it is not ours to do."""
    contact = told(record())
    carry_out(contact, planned(contact, CREATE).actions, {})
    contact.observe(record(LastUpdateTimestamp="2026-01-11T00:00:00Z", Queue=None))
    (update,) = planned(contact, CREATE).actions
    settle(contact, update, CLOSED)
    (note,) = planned(contact, CREATE).actions
    assert (note.kind, note.columns) == ("note", {"category": None})


def test_reopened_and_refused_still_it_becomes_a_note(closed: Contact, carry_out: CarryOut) -> None:
    (update,) = planned(closed, CREATE, CLOSE).actions
    settle(closed, update, CLOSED)
    reopen, update, _close = planned(closed, CREATE, CLOSE).actions
    carry_out(closed, [reopen], {})
    settle(closed, update, CLOSED)
    assert "note" in kinds(planned(closed, CREATE, CLOSE))
    assert "update" not in kinds(planned(closed, CREATE, CLOSE))


# --- records of others --------------------------------------------------------------------------


def test_a_record_of_others_is_updated_by_its_key(record: Makes, told: Told) -> None:
    (update,) = planned(told(record()), FOREIGN).actions
    assert (update.entity, update.key) == ("contacts", "telephone1='%2B4930901820'")
    assert update == Change(
        Verb.UPDATE,
        ("p/CUSTOMER",),
        "contacts(telephone1='%2B4930901820')",
        {"description": "Called Support"},
        on_missing="skip",
    )


def test_a_key_that_is_not_known_yet_is_waited_for(record: Makes, told: Told) -> None:
    found = planned(told(record(CustomerEndpoint=None)), FOREIGN)
    assert found == Plan(waiting={"p/CUSTOMER": "for the key of the record it updates"})


def test_another_key_is_another_record(record: Makes, told: Told, carry_out: CarryOut) -> None:
    contact = told(record())
    carry_out(contact, planned(contact, FOREIGN).actions, {})
    newer = record(LastUpdateTimestamp="2026-01-11T00:00:00Z", CustomerEndpoint={"Address": "+1"})
    contact.observe(newer)
    (update,) = planned(contact, FOREIGN).actions
    assert update.key == "telephone1='%2B1'"


def test_a_record_of_others_is_closed_by_those_who_ask(record: Makes, told: Told) -> None:
    close = FOREIGN.replace('"description"', '"statecode": 1, "statuscode": 2, "description"')
    assert kinds(planned(told(record()), close)) == ["update", "close"]


def test_a_later_step_may_name_the_key_of_an_update(record: Makes, told: Told) -> None:
    later = TASK.replace("CALL-Response.activityid", "CUSTOMER-Response.contactid")
    update, create = planned(told(record()), FOREIGN, later).actions
    assert create.columns == {"subject": f"About {update.key}"}


def test_an_update_waits_for_the_step_that_creates(record: Makes, told: Told) -> None:
    found = planned(told(record(InitiationMethod="MONITOR")), CREATE, CLOSE)
    assert found.actions == []
    assert found.waiting["p/CLOSE"] == "for CALL"


# --- records that hang on one another -----------------------------------------------------------


def test_what_hangs_on_another_record_is_created_after_it(record: Makes, told: Told) -> None:
    found = planned(told(record()), CREATE, TASK, NOTE)
    assert [write.entity for write in found.actions] == ["phonecalls", "tasks", "annotations"]


def test_what_hangs_on_a_record_that_is_not_made_yet_waits(
    event: Makes, told: Told, carry_out: CarryOut
) -> None:
    create = CREATE.replace('"created"', '"ended"')
    contact = told(event("INITIATED"))
    assert planned(contact, create, TASK).waiting["p/TASK"] == "for CALL"
    contact.observe(event("DISCONNECTED"))
    found = planned(contact, create, TASK)
    assert kinds(found) == ["create", "create"]
    carry_out(contact, found.actions[:1], {})
    assert [write.entity for write in planned(contact, create, TASK).actions] == ["tasks"]


@pytest.mark.parametrize(("state", "kind"), [("there", ["create"]), ("sent", [])])
def test_what_hangs_on_a_record_that_no_step_is_about_any_more_needs_it_to_be_there(
    state: Any, kind: list[str], record: Makes, told: Told, carry_out: CarryOut
) -> None:
    conditional = CREATE + 'when = { Queue = "Support" }'
    contact = told(record())
    carry_out(contact, planned(contact, conditional).actions, {})
    (known,) = contact.ledger.values()
    known.state = state
    contact.observe(record(LastUpdateTimestamp="2026-01-11T00:00:00Z", Queue={"Name": "Sales"}))
    assert kinds(planned(contact, conditional, TASK)) == kind


@pytest.mark.parametrize("fate", ["parked", "gone"])
def test_what_hangs_on_a_parked_or_deleted_record_waits(
    fate: str, record: Makes, told: Told
) -> None:
    contact = told(record())
    _doom(contact, fate)
    found = planned(contact, CREATE, TASK)
    assert (found.actions, found.waiting["p/TASK"]) == ([], "for CALL, which is parked or gone")


@pytest.mark.parametrize("fate", ["parked", "gone"])
def test_what_hangs_on_a_record_that_waits_for_another_waits_too(
    fate: str, record: Makes, told: Told
) -> None:
    contact = told(record())
    _doom(contact, fate)
    assert planned(contact, CREATE, TASK, NOTE).actions == []


def _doom(contact: Contact, fate: str) -> None:
    known = RecordLedger("phonecalls", record_id(contact.id, "p", "CALL"))
    if fate == "gone":
        known.state = "gone"
        contact.ledger[known.name] = known
    else:
        contact.parked[known.name] = Parked(["p/CALL"], 0.0, 400, "", {}, "")


def test_on_missing_is_the_creating_steps(record: Makes, told: Told) -> None:
    (create, close) = planned(
        told(record()), CREATE + 'on_missing = "recreate"', CLOSE + 'on_missing = "skip"'
    ).actions
    assert (create.on_missing, close.on_missing) == ("recreate", "recreate")
    assert create.creatable
    assert close.creatable


LINK = "regardingobjectid_contact_phonecall@odata.bind"
TARGET = "/contacts(lastname='{{Agent}}')"


def test_a_link_by_another_key_takes_any_name(record: Makes, told: Told) -> None:
    text = CREATE.replace("'", "'''").replace('"Call"', f'"Call", "{LINK}": "{TARGET}"')
    contact = told(record(Agent={"Username": "O'Brien"}))
    (create,) = planned(contact, text).actions
    assert create.columns[LINK] in (
        "/contacts(lastname='O''Brien')",
        "/contacts(lastname='O%27%27Brien')",
    )


MIGRATED = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '''{"subject": "{{Queue}}", "overriddencreatedon": "{{InitiationTimestamp}}",
    "importsequencenumber": "{{Attributes.number}}"}'''
"""


def test_what_only_a_create_can_set_is_sent_with_the_create_and_never_again(
    record: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record(Attributes={"number": 7}))
    (create,) = planned(contact, MIGRATED).actions
    assert create.columns["overriddencreatedon"] == "2026-01-02T03:00:00Z"
    assert create.columns["importsequencenumber"] == 7
    carry_out(contact, [create], {})
    later = record(
        LastUpdateTimestamp="2026-01-02T04:00:00Z",
        Attributes={"number": 8},
        InitiationTimestamp="2026-01-02T02:00:00Z",
        Queue={"Name": "Billing"},
    )
    contact.observe(later)
    (update,) = planned(contact, MIGRATED).actions
    assert update.columns == {"subject": "Billing"}


def test_what_only_a_create_can_set_is_left_in_a_record_that_is_there(
    record: Makes, told: Told
) -> None:
    contact = told(record(Attributes={"number": 7}))
    key = record_id(contact.id, "p", "CALL")
    contact.ledger[f"phonecalls({key})"] = RecordLedger("phonecalls", key, "found")
    (look,) = planned(contact, MIGRATED).actions
    row = {"subject": "Support", "overriddencreatedon": "2026-05-05T00:00:00Z"}
    settle(contact, look, Found(row, frozenset(), overwrite=True))
    assert planned(contact, MIGRATED).actions == []
