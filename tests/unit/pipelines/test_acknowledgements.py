"""What is given up of a contact when its state is used with another Dynamics."""

from __future__ import annotations

from pipelines.acknowledgements import GivenUp, give_up_acknowledgements, has_records
from pipelines.contact import Contact, Parked, RecordLedger


RECORD = "phonecalls(11111111-2222-5333-8444-555555555555)"
ATTRIBUTES = "attributes(c)"


def pushed() -> Contact:
    """A contact that was written to one Dynamics, partly, and shown to an agent."""
    contact = Contact("c")
    contact.ledger[RECORD] = RecordLedger("phonecalls", RECORD[11:-1], "there", {"subject": "1"})
    contact.ledger[ATTRIBUTES] = RecordLedger("attributes", "c", "there", {"ms_id": "2"})
    contact.lookups["case/FIND"] = {"asked": "3", "answer": {"contactid": "4"}}
    contact.effects["phonecall/OPEN"] = "shown 2026-01-02T03:04:05.000Z"
    contact.parked["tasks(5)"] = Parked(["case/TASK"], 6.0, 403, "0x80040220", {}, "no")
    contact.intent["tasks(5)"] = {"subject": "7"}
    contact.failures["create tasks(5)"] = 2
    contact.tries = 3
    return contact


def test_what_dynamics_acknowledged_answered_and_refused_is_given_up() -> None:
    contact = pushed()
    assert give_up_acknowledgements(contact) == GivenUp(records=1, answers=1, parked=1)
    assert not has_records(contact)
    left = (contact.lookups, contact.parked, contact.intent, contact.failures, contact.tries)
    assert not any(left)


def test_what_connect_acknowledged_and_agents_were_shown_stays() -> None:
    contact = pushed()
    give_up_acknowledgements(contact)
    assert contact.ledger[ATTRIBUTES].columns == {"ms_id": "2"}
    assert contact.effects == {"phonecall/OPEN": "shown 2026-01-02T03:04:05.000Z"}


def test_giving_up_twice_gives_nothing_up_the_second_time() -> None:
    contact = pushed()
    assert give_up_acknowledgements(contact)
    assert not give_up_acknowledgements(contact)
