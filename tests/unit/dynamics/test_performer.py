"""What Dynamics' answers mean, write by write."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.action import Action, Change, Lookup, Verb
from pipelines.contact import UNKNOWN, Contact, RecordLedger
from pipelines.ledger import digest
from pipelines.settle import settle
from twins.dynamics import PERSON_ID, Failure, ScriptedDynamics, in_turn
from worker.clock import Clock
from worker.dynamics.errors import (
    Closed,
    DynamicsError,
    Exists,
    Forbidden,
    Missing,
    Refused,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Request
from worker.files import MemoryFiles


KEY = "11111111-2222-5333-8444-555555555555"
NAME = f"phonecalls({KEY})"
NOW = 1_767_322_800.0


class Desk:
    """A contact, a Dynamics, and a performer between them."""

    def __init__(self, **settings: Any) -> None:
        self.contact = Contact("c")
        self.dynamics = ScriptedDynamics()
        self.performer = Performer(self.dynamics, Clock(lambda: NOW), MemoryFiles(), **settings)

    def there(self, **columns: Any) -> RecordLedger:
        """The record exists and its ledger says so."""
        self.dynamics.records["phonecalls", KEY] = {"activityid": KEY, "statecode": 0, **columns}
        known = {column: digest(value) for column, value in columns.items()}
        record = self.contact.ledger[NAME] = RecordLedger("phonecalls", KEY, "there", known)
        return record

    async def perform(self, verb: Verb, **more: Any) -> bool:
        fields = {"record": NAME, "columns": {"subject": "x"}}
        return await self.carry_out(Change(verb, ("p/S",), **{**fields, **more}))

    async def carry_out(self, action: Action) -> bool:
        return settle(self.contact, action, await self.performer.perform(action, timeout_s=1))

    def fails(self, error: DynamicsError) -> None:
        self.dynamics.script = in_turn(Failure(error))

    @property
    def record(self) -> RecordLedger:
        return self.contact.ledger[NAME]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_create_that_succeeds_is_acknowledged_with_the_fields_asked_for(desk: Desk) -> None:
    assert await desk.perform(Verb.CREATE, returning=("prioritycode",))
    assert desk.record.state == "there"
    assert desk.record.columns == {"subject": digest("x")}
    assert desk.record.answer == {"prioritycode": 1}


@pytest.mark.parametrize(("state", "ours"), [("unsent", False), ("sent", True)])
async def test_a_create_that_meets_a_record_has_it_read_before_anything_is_done(
    desk: Desk, state: Any, ours: bool
) -> None:
    desk.there(subject="by hand")
    desk.contact.ledger[NAME] = RecordLedger("phonecalls", KEY, state)
    assert not await desk.perform(Verb.CREATE)
    assert (desk.record.state, desk.record.ours) == ("found", ours)
    assert desk.dynamics.records["phonecalls", KEY]["subject"] == "by hand"


@pytest.mark.parametrize(
    ("makers", "settled"),
    [((PERSON_ID, PERSON_ID), True), (("", PERSON_ID), True), (("", ""), False)],
)
async def test_adopting_settles_what_a_person_wrote_and_leaves_open_what_we_wrote(
    desk: Desk, makers: tuple[str, str], settled: bool
) -> None:
    us = await desk.dynamics.user_id()
    creator, modifier = (maker or us for maker in makers)
    desk.there(subject="other", _createdby_value=creator, _modifiedby_value=modifier)
    desk.contact.ledger[NAME] = RecordLedger("phonecalls", KEY, "found")
    assert not await desk.perform(Verb.ADOPT)
    assert desk.record.state == "there"
    assert desk.record.columns == {"subject": digest("x") if settled else UNKNOWN}


async def test_overwriting_leaves_open_what_a_person_wrote_too() -> None:
    desk = Desk(overwrite=True)
    desk.there(subject="other", _createdby_value=PERSON_ID, _modifiedby_value=PERSON_ID)
    desk.contact.ledger[NAME] = RecordLedger("phonecalls", KEY, "found")
    await desk.perform(Verb.ADOPT)
    assert desk.record.columns == {"subject": UNKNOWN}


async def test_adopting_what_is_not_there_notes_that_it_is_absent(desk: Desk) -> None:
    desk.contact.ledger[NAME] = RecordLedger("phonecalls", KEY, "unsent")
    assert not await desk.perform(Verb.ADOPT)
    assert desk.record.state == "absent"
    assert not desk.contact.parked


TAKEN = "Entity Key emailaddress1 violated. A record with the same value for it already exists."


@pytest.mark.parametrize("code", ["0x80060892", ""])
@pytest.mark.parametrize("create_by", ["post", "patch"])
async def test_a_create_that_meets_another_record_s_alternate_key_is_parked_with_that_answer(
    create_by: str, code: str
) -> None:
    desk = Desk(create_by=create_by)
    desk.fails(Exists("412", status=412, code=code, detail=TAKEN))
    assert not await desk.perform(Verb.CREATE)
    parked = desk.contact.parked[NAME]
    assert (parked.status, parked.code, parked.answer) == (412, code, TAKEN)
    assert parked.request["body"]
    assert NAME not in desk.contact.ledger
    assert [r.method for r in desk.dynamics.requests][1:] == ["GET"]
    assert desk.dynamics.requests[1].path == NAME


async def test_a_create_that_meets_its_own_record_is_not_parked_whatever_the_code_says(
    desk: Desk,
) -> None:
    desk.there(subject="x")
    desk.contact.ledger[NAME] = RecordLedger("phonecalls", KEY, "sent")
    desk.fails(Exists("412", status=412, code="0x80060892", detail=TAKEN))
    assert not await desk.perform(Verb.CREATE)
    assert (desk.record.state, desk.record.ours) == ("found", True)
    assert not desk.contact.parked


async def test_an_update_that_meets_another_record_s_alternate_key_is_parked_with_that_answer(
    desk: Desk,
) -> None:
    desk.there(subject="y")
    desk.fails(Refused("412", status=412, code="0x80060892", detail=TAKEN))
    assert not await desk.perform(Verb.UPDATE)
    parked = desk.contact.parked[NAME]
    assert (parked.status, parked.code, parked.answer) == (412, "0x80060892", TAKEN)


async def test_parties_that_dynamics_keeps_by_itself_are_not_ours_and_cause_no_write(
    desk: Desk,
) -> None:
    """A regarding (8) and an owner (9) are listed by every activity."""
    parties = [{"participationtypemask": 1, "addressused": "+4930"}]
    column = "phonecall_activity_parties"
    assert await desk.perform(Verb.CREATE, columns={"subject": "x", column: parties})
    desk.contact.ledger[NAME] = RecordLedger("phonecalls", KEY, "found")
    assert not await desk.perform(Verb.ADOPT, columns={"subject": "x", column: parties})
    assert desk.record.columns[column] == digest(parties)
    row = await desk.dynamics.send(Request("GET", f"{NAME}?$expand={column}"), timeout_s=1)
    assert [one["participationtypemask"] for one in row.body[column]] == [1, 9]


async def test_a_person_s_record_with_no_parties_but_its_owner_has_none(desk: Desk) -> None:
    desk.there(subject="x", _createdby_value=PERSON_ID, _modifiedby_value=PERSON_ID)
    desk.contact.ledger[NAME] = RecordLedger("phonecalls", KEY, "found")
    columns = {"phonecall_activity_parties": [{"participationtypemask": 1, "addressused": "x"}]}
    await desk.perform(Verb.ADOPT, columns=columns)
    assert desk.record.columns == dict.fromkeys(columns, UNKNOWN)  # filled, as it is empty


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.CLOSE, Verb.REOPEN])
@pytest.mark.parametrize(
    ("policy", "state", "parked"),
    [
        ({"on_missing": "skip"}, "gone", 0),
        ({"on_missing": "recreate", "creatable": True}, "unsent", 0),
        ({"on_missing": "recreate"}, "there", 1),  # no step of ours creates it
        ({"on_missing": "park", "creatable": True}, "there", 1),
    ],
)
async def test_a_404_on_an_update_is_what_the_pipeline_says(
    desk: Desk, verb: Verb, policy: dict[str, Any], state: str, parked: int
) -> None:
    desk.there(subject="x")
    desk.dynamics.delete("phonecalls", KEY)
    assert not await desk.perform(verb, **policy)
    assert desk.record.state == state
    assert len(desk.contact.parked) == parked


@pytest.mark.parametrize("code", ["0x80060888", "0x8006088A"])
async def test_a_404_that_means_the_entity_set_is_for_an_operator(desk: Desk, code: str) -> None:
    desk.there()
    desk.fails(Missing("answered 404", status=404, code=code))
    assert not await desk.perform(Verb.UPDATE, on_missing="recreate", creatable=True)
    assert desk.record.state == "there"
    assert desk.contact.parked[NAME].code == code


@pytest.mark.parametrize(
    ("verbs", "refusals"),
    [
        ([Verb.UPDATE], 1),
        ([Verb.PARTIES], 1),
        ([Verb.UPDATE, Verb.UPDATE], 2),
        ([Verb.REOPEN], 2),
    ],
)
async def test_a_closed_record_is_reopened_first_then_told_of_in_notes(
    desk: Desk, verbs: list[Verb], refusals: int
) -> None:
    desk.there()
    for verb in verbs:
        desk.fails(Closed("answered 400", status=400))
        assert not await desk.perform(verb)
    assert desk.record.refusals == refusals
    assert not desk.contact.parked


async def test_a_reopening_refused_for_another_reason_is_told_of_in_notes_too(desk: Desk) -> None:
    desk.there()
    desk.fails(Refused("answered 400", status=400, code="0x80048408"))
    assert not await desk.perform(Verb.REOPEN)
    assert desk.record.refusals == 2
    assert not desk.contact.parked


async def test_a_note_that_is_there_already_is_this_very_note(desk: Desk) -> None:
    desk.there(subject="old")
    desk.fails(Exists("answered 412", status=412))
    assert await desk.perform(Verb.NOTE)
    assert desk.record.columns["subject"] == digest("x")


@pytest.mark.parametrize("verb", [Verb.CREATE, Verb.UPDATE, Verb.CLOSE, Verb.NOTE])
async def test_what_is_refused_for_good_is_parked_with_request_and_answer(
    desk: Desk, verb: Verb
) -> None:
    desk.fails(Refused("answered 400", status=400, code="0x1", detail="the answer"))
    assert not await desk.perform(verb)
    parked = desk.contact.parked[NAME]
    assert (parked.steps, parked.at, parked.status) == (["p/S"], NOW, 400)
    assert (parked.code, parked.answer) == ("0x1", "the answer")
    request: Request = desk.dynamics.requests[0]
    assert parked.request == {
        "method": request.method,
        "path": request.path,
        "body": request.body,
    }


@pytest.mark.parametrize(
    "action",
    [
        *(Change(verb, ("p/S",), NAME) for verb in (Verb.CREATE, Verb.UPDATE, Verb.ADOPT)),
        Lookup("p/S", "contacts"),
    ],
    ids=lambda action: action.kind,
)
@pytest.mark.parametrize("error", [Unavailable, Unauthorized, Forbidden])
async def test_what_is_not_definitive_is_raised_and_the_ledger_is_as_before(
    desk: Desk, action: Action, error: type[DynamicsError]
) -> None:
    desk.there(subject="old")
    before = desk.contact.to_bytes()
    desk.fails(error("no"))
    with pytest.raises(error):
        await desk.carry_out(action)
    assert desk.contact.to_bytes() == before


@pytest.mark.parametrize(
    ("people", "status", "found"),
    [
        (0, "NoMatch", {}),
        (1, "SingleMatch", {"contactid": KEY, "fullname": "Ada"}),
        (2, "MultiMatch", {}),
    ],
)
async def test_a_lookup_tells_how_many_there_are_and_the_fields_of_a_single_one(
    desk: Desk, people: int, status: str, found: dict[str, str]
) -> None:
    for key in (KEY, KEY.replace("1", "2"))[:people]:
        row = {"contactid": key, "fullname": "Ada", "nickname": None, "telephone1": "+1"}
        desk.dynamics.records["contacts", key] = row
    url = "contacts?$filter=telephone1 eq '%2B1'"
    returning = ("contactid", "fullname", "nickname")
    assert await look_up(desk, url=url, returning=returning)
    assert desk.contact.lookups["p/S"]["answer"] == {
        "LookupStatus": status,
        "outcome": status,
        **found,
    }


async def test_a_lookup_by_a_key_that_is_not_there_is_no_match(desk: Desk) -> None:
    await look_up(desk, url=f"contacts({KEY})")
    assert desk.contact.lookups["p/S"]["answer"]["LookupStatus"] == "NoMatch"
    assert not desk.contact.parked


async def test_a_lookup_refused_for_good_is_parked_under_its_step(desk: Desk) -> None:
    desk.fails(Refused("answered 400", status=400))
    assert not await look_up(desk, url="contacts?$filter=?")
    assert list(desk.contact.parked) == ["p/S"]


async def look_up(desk: Desk, url: str, returning: tuple[str, ...] = ()) -> bool:
    return await desk.carry_out(Lookup("p/S", url, returning))


async def test_a_person_who_closed_the_record_is_not_asked_to_close_it_again(
    desk: Desk,
) -> None:
    desk.there(statecode=0)
    desk.fails(Closed("answered 400", status=400))
    await desk.perform(Verb.CLOSE, columns={"statecode": 1, "statuscode": 4})
    assert not desk.contact.parked
