"""The ledger: what each outcome of each write means."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.action import Action, Change, Lookup, OpenPage, ReadFile, Verb, WriteBack
from pipelines.contact import UNKNOWN, Contact, Parked, RecordLedger, State
from pipelines.ledger import (
    NULL,
    digest,
    digests,
    drop,
    intend,
    mark_late_writes,
    mark_unknown,
    record_of,
)
from pipelines.outcome import Closed, Done, Exists, Found, Logged, Missing, Outcome, Shown
from pipelines.row import current, same
from pipelines.settle import settle


KEY = "8a1f0c7e-0000-4000-8000-00000000c0de"
NAME = f"phonecalls({KEY})"
US = "11111111-0000-4000-8000-000000000001"
SOMEBODY = "22222222-0000-4000-8000-000000000002"


PARKED = Parked(["p/CALL"], 0.0, 404, "", {}, "")


def write(verb: Verb = Verb.UPDATE, **changes: Any) -> Change:
    columns = {"subject": "Call", "category": "VOICE"}
    fields = {"record": NAME, "columns": columns} | changes
    return Change(verb, ("p/CALL",), **fields)


def known(contact: Contact, **fields: Any) -> RecordLedger:
    contact.ledger[NAME] = RecordLedger("phonecalls", KEY, **({"state": "there"} | fields))
    return contact.ledger[NAME]


@pytest.fixture
def contact() -> Contact:
    return Contact("c")


# --- digests ------------------------------------------------------------------------------------


def test_equal_values_have_one_digest() -> None:
    assert digest({"a": [1, None], "b": "x"}) == digest({"b": "x", "a": [1, None]})
    different: list[Any] = [None, False, 0, "", "0", {}, [0]]
    assert len({digest(value) for value in different}) == len(different)


def test_no_parties_say_what_null_says() -> None:
    assert digest([]) == digest(None)
    assert digests({"a": None, "b": 1}) == {"a": NULL, "b": digest(1)}


# --- acknowledged -------------------------------------------------------------------------------


def test_a_create_makes_the_record_ours(contact: Contact) -> None:
    create = write(Verb.CREATE, returning=("createdon", "other"))
    settle(contact, create, Done({"createdon": "now", "secret": "x"}))
    assert contact.ledger == {
        NAME: RecordLedger(
            "phonecalls",
            KEY,
            "there",
            {"subject": digest("Call"), "category": digest("VOICE")},
            ours=True,
            answer={"createdon": "now"},
        )
    }


def test_a_create_forgets_what_was_thought_of_the_record(contact: Contact) -> None:
    record = known(contact, state="sent", columns={"description": UNKNOWN})
    settle(contact, write(Verb.CREATE), Done())
    assert set(record.columns) == {"subject", "category"}


def test_an_update_adds_its_columns(contact: Contact) -> None:
    record = known(contact, columns={"subject": UNKNOWN, "description": "x"})
    settle(contact, write(columns={"subject": None}), Done())
    assert record.columns == {"subject": NULL, "description": "x"}


def test_a_record_that_no_step_creates_is_taken_to_be_there(contact: Contact) -> None:
    settle(contact, write(), Done())
    assert contact.ledger[NAME].state == "there"


@pytest.mark.parametrize(("verb", "state"), [(Verb.CREATE, "unsent"), (Verb.ADOPT, "unsent")])
def test_a_record_of_ours_begins_unsent(verb: Verb, state: str, contact: Contact) -> None:
    assert record_of(contact, write(verb)).state == state
    assert record_of(contact, write(verb)) is contact.ledger[NAME]


def test_a_record_by_another_key_keeps_it_whole(contact: Contact) -> None:
    odd = write(record="contacts(name='a (b)')")
    assert record_of(contact, odd).key == "name='a (b)'"
    assert record_of(contact, odd).name == odd.record


def test_a_lookup_is_remembered_with_its_question(contact: Contact) -> None:
    settle(contact, Lookup("p/WHO", "contacts?x"), Done({"LookupStatus": "NoMatch"}))
    assert contact.lookups == {
        "p/WHO": {"asked": digest("contacts?x"), "answer": {"LookupStatus": "NoMatch"}}
    }
    assert contact.ledger == {}


@pytest.mark.parametrize(("told", "word"), [(Shown(1.0), "shown"), (Logged(1.0), "logged")])
def test_the_ledger_says_of_a_page_whether_it_was_shown_or_only_logged(
    contact: Contact, told: Outcome, word: str
) -> None:
    settle(contact, OpenPage("p/OPEN", "i", "c", "c", "https://x"), told)
    effects = {"p/OPEN": f"{word} 1970-01-01T00:00:01.000Z"}
    assert (contact.effects, contact.ledger) == (effects, {})


# --- intent -------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", list(Verb))
def test_what_changes_a_record_is_noted_before_it_is_sent(verb: Verb, contact: Contact) -> None:
    assert intend(contact, [write(verb)]) is (verb is not Verb.ADOPT)
    assert (NAME in contact.intent) is (verb is not Verb.ADOPT)


def test_attributes_are_noted_before_they_are_written_and_what_reads_or_opens_is_not(
    contact: Contact,
) -> None:
    assert intend(contact, [WriteBack("p/writeback", "attributes(c/p)", "i", "c", "c", {"a": "1"})])
    assert contact.intent == {"attributes(c/p)": digests({"a": "1"})}
    actions: list[Action] = [Lookup("p/WHO", "contacts"), ReadFile("p/LENS", "b", "k")]
    assert not intend(contact, [*actions, OpenPage("p/OPEN", "i", "c", "c", "https://x")])


def test_noting_the_same_again_is_no_news(contact: Contact) -> None:
    assert intend(contact, [write(Verb.CREATE), write(columns={"a": 1})])
    assert not intend(contact, [write(columns={"a": 1})])
    assert not intend(contact, [])
    assert intend(contact, [write(columns={"a": 2})])


def test_an_intent_without_outcome_leaves_columns_unknown(contact: Contact) -> None:
    record = known(contact, columns={"subject": digest("Call"), "description": "x"})
    intend(contact, [write()])
    mark_unknown(contact)
    assert record.columns == {"subject": UNKNOWN, "category": UNKNOWN, "description": "x"}
    assert (record.state, contact.intent) == ("there", {})


def test_a_create_without_outcome_may_have_been_sent(contact: Contact) -> None:
    intend(contact, [write(Verb.CREATE)])
    mark_unknown(contact)
    assert contact.ledger[NAME].state == "sent"
    assert set(contact.ledger[NAME].columns) == {"subject", "category"}


def test_a_create_of_a_record_that_is_there_says_nothing_new(contact: Contact) -> None:
    record = known(contact)
    intend(contact, [write(Verb.CREATE)])
    mark_unknown(contact)
    assert record.state == "there"


def test_an_update_of_others_without_outcome_is_of_a_record_that_is_there(
    contact: Contact,
) -> None:
    intend(contact, [write()])
    mark_unknown(contact)
    assert contact.ledger[NAME].state == "there"


def test_without_intent_nothing_is_unsettled(contact: Contact) -> None:
    mark_unknown(contact)
    assert contact == Contact("c")


# --- it exists already --------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "ours"), [("unsent", False), ("sent", True)])
def test_a_record_that_exists_may_be_ours_if_a_create_left(
    state: str, contact: Contact, *, ours: bool
) -> None:
    record = known(contact, state=state)
    settle(contact, write(Verb.CREATE), Exists(PARKED))
    assert (record.state, record.ours) == ("found", ours)


def adopted(contact: Contact, row: dict[str, Any], *, overwrite: bool = False) -> dict[str, str]:
    """What the ledger says of each column: "settled", or "owed" if it is to be written."""
    columns = {"subject": "Call", "directioncode": False, "statecode": 1, "statuscode": 4}
    asked = write(Verb.ADOPT, columns=columns, returning=("createdon",))
    settle(contact, asked, Found(row, frozenset((US,)), overwrite))
    record = contact.ledger[NAME]
    assert (record.state, record.ours) == ("there", row.items() >= OURS.items())
    return {c: "owed" if d == UNKNOWN else "settled" for c, d in record.columns.items()}


OURS = {"_createdby_value": US.upper(), "_modifiedby_value": US}
OTHERS = {"_createdby_value": US, "_modifiedby_value": SOMEBODY}
EDITED = {"subject": "Edited", "directioncode": True, "statecode": 0, "statuscode": 1}
ALL_OWED = dict.fromkeys(EDITED, "owed")


def test_our_own_record_is_brought_up_to_date_fully(contact: Contact) -> None:
    assert adopted(contact, OURS | EDITED) == ALL_OWED


def test_a_record_that_our_lost_create_may_have_made_is_brought_up_to_date_fully(
    contact: Contact,
) -> None:
    known(contact, state="found", ours=True)
    assert adopted(contact, OTHERS | EDITED) == ALL_OWED


def test_overwriting_brings_anybodys_record_up_to_date_fully(contact: Contact) -> None:
    assert adopted(contact, OTHERS | EDITED, overwrite=True) == ALL_OWED


def test_a_persons_columns_are_kept_and_gaps_filled(contact: Contact) -> None:
    assert adopted(contact, OTHERS | EDITED) == {
        "subject": "settled",  # edited
        "directioncode": "owed",  # at its default
        "statecode": "owed",  # open, so it is closed
        "statuscode": "owed",
    }
    assert adopted(contact, OTHERS | EDITED | {"subject": None})["subject"] == "owed"


def test_a_record_without_makers_is_a_persons(contact: Contact) -> None:
    assert adopted(contact, EDITED)["subject"] == "settled"


def test_a_persons_closed_record_stays_as_it_was_closed(contact: Contact) -> None:
    found = adopted(contact, OTHERS | EDITED | {"statecode": 2, "statuscode": 3})
    assert (found["statecode"], found["statuscode"]) == ("settled", "settled")


@pytest.mark.parametrize("row", [OURS, OTHERS])
def test_what_says_the_same_is_settled(row: dict[str, Any], contact: Contact) -> None:
    there = {"subject": "Call", "directioncode": False, "statecode": 1, "statuscode": 4}
    assert set(adopted(contact, row | there).values()) == {"settled"}


def test_columns_nobody_wants_any_more_are_nulled_in_our_record_only(contact: Contact) -> None:
    for row, left in ((OURS, "description"), (OTHERS, None)):
        known(contact, state="found", columns={"description": "x", "category": "y"})
        found = adopted(contact, row | EDITED | {"description": "old", "category": None})
        assert ("description" in found) is (left is not None)
        assert "category" not in found


def test_asked_fields_are_kept(contact: Contact) -> None:
    adopted(contact, OURS | EDITED | {"createdon": "then", "other": 1})
    assert contact.ledger[NAME].answer == {"createdon": "then"}


def test_a_record_of_others_has_its_tables_defaults(contact: Contact) -> None:
    look = write(Verb.ADOPT, columns={"prioritycode": 2, "phonecall_activity_parties": [{}]})
    row = OTHERS | {"prioritycode": 1, "phonecall_activity_parties": []}
    settle(contact, look, Found(row, frozenset((US,))))
    assert set(contact.ledger[NAME].columns.values()) == {UNKNOWN}


# --- it is missing or closed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "settled", "state"),
    [
        (write(creatable=True), False, "there"),
        (write(on_missing="skip", creatable=True), True, "gone"),
        (write(on_missing="skip"), True, "gone"),
        (write(on_missing="recreate", creatable=True), True, "unsent"),
        (write(on_missing="recreate"), False, "there"),
        (write(Verb.CLOSE, creatable=True), False, "there"),
        (write(Verb.ADOPT, creatable=True), True, "absent"),
        (write(Verb.ADOPT, on_missing="recreate", creatable=True), True, "absent"),
    ],
)
def test_a_missing_record_is_parked_recreated_or_skipped(
    asked: Change, state: str, contact: Contact, *, settled: bool
) -> None:
    record = known(contact, columns={"subject": "x"})
    settle(contact, asked, Missing(PARKED))
    assert (NAME not in contact.parked) is settled
    assert record.state == state
    assert record.columns == ({} if state == "unsent" else {"subject": "x"})


def test_a_closed_record_is_reopened_then_noted(contact: Contact) -> None:
    record = known(contact)
    settle(contact, write(), Closed(PARKED))
    assert (record.refusals, record.columns) == (1, {"statecode": UNKNOWN})
    settle(contact, write(), Closed(PARKED))
    assert record.refusals == 2


def test_a_record_that_will_not_reopen_is_noted_at_once(contact: Contact) -> None:
    record = known(contact, columns={"statecode": digest(1)})
    settle(contact, write(Verb.REOPEN), Closed(PARKED))
    assert (record.refusals, record.columns) == (2, {"statecode": digest(1)})


# --- who comes too late --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "late", "theirs", "after"),
    [
        ("1", "2", "3", UNKNOWN),  # both wrote, and whose value it has now nobody knows
        ("1", UNKNOWN, "3", UNKNOWN),
        ("1", "2", "2", "2"),
        ("1", "1", "3", "3"),  # the latecomer did not write
    ],
)
def test_what_a_latecomer_and_others_wrote_differently_is_unknown(
    contact: Contact, before: str, late: str, theirs: str, after: str
) -> None:
    record = known(contact, columns={"subject": theirs})
    latecomer = Contact(contact.id)
    known(latecomer, columns={"subject": late})
    found = mark_late_writes(contact, latecomer, {record.name: {"subject": before}})
    assert record.columns == {"subject": after}
    assert found is (theirs != after)


@pytest.mark.parametrize("state", ["sent", "found"])
def test_a_latecomer_whose_create_met_the_record_of_others_wrote_nothing(
    contact: Contact, state: State
) -> None:
    record = known(contact, columns={"subject": "1"})
    latecomer = Contact(contact.id)
    known(latecomer, columns={"subject": UNKNOWN}).state = state
    assert not mark_late_writes(contact, latecomer, {})
    assert record.columns == {"subject": "1"}


# --- letting go ---------------------------------------------------------------------------------


def test_a_record_let_go_of_is_gone(contact: Contact) -> None:
    known(contact)
    contact.parked[NAME] = Parked(["p/CALL"], 0.0, 400, "", {}, "")
    drop(contact, NAME)
    assert (contact.parked, contact.ledger[NAME].state) == ({}, "gone")


def test_a_record_dropped_before_it_was_made_is_gone(contact: Contact) -> None:
    drop(contact, NAME)
    assert contact.ledger == {NAME: RecordLedger("phonecalls", KEY, "gone")}


def test_a_lookup_let_go_of_is_dropped(contact: Contact) -> None:
    contact.parked["p/WHO"] = Parked(["p/WHO"], 0.0, 400, "", {}, "")
    drop(contact, "p/WHO")
    assert (contact.parked, contact.effects) == ({}, {"p/WHO": "dropped"})


# --- comparing ------------------------------------------------------------------------------------

LINK = "regardingobjectid_contact_phonecall"
ANNOTATION = "@Microsoft.Dynamics.CRM.associatednavigationproperty"


def test_a_links_value_is_found_by_its_annotation() -> None:
    row = {
        "_ownerid_value": SOMEBODY,
        f"_ownerid_value{ANNOTATION}": "ownerid",
        "_regardingobjectid_value": KEY,
        f"_regardingobjectid_value{ANNOTATION}": LINK,
        "subject": "Call",
    }
    assert current(row, f"{LINK}@odata.bind") == KEY
    assert current(row, "regardingobjectid_account_phonecall@odata.bind") == KEY  # one column
    assert current(row, "serviceid@odata.bind") is None
    assert current(row, "subject") == "Call"
    assert current(row, "category") is None


@pytest.mark.parametrize(
    ("column", "desired", "actual", "equal"),
    [
        ("subject", "Call", "Call", True),
        ("subject", "Call", "call", False),
        ("subject", "Call", None, False),
        ("actualdurationminutes", 5, 5, True),
        ("actualdurationminutes", 5, "5", False),
        ("actualstart", "2026-01-02T03:00:00Z", "2026-01-02T03:00:00.000Z", True),
        ("actualstart", "2026-01-02T03:00:00Z", "2026-01-02T04:00:00+01:00", True),
        ("actualstart", "2026-01-02T03:00:00Z", "2026-01-02T03:00:01Z", False),
        ("subject", "soon", "later", False),
        (f"{LINK}@odata.bind", f"/contacts({KEY.upper()})", KEY, True),
        (f"{LINK}@odata.bind", f"contacts({KEY})", KEY, True),
        (f"{LINK}@odata.bind", f"/contacts({KEY})", SOMEBODY, False),
        (f"{LINK}@odata.bind", f"/contacts({KEY})", None, False),
    ],
)
def test_values_are_compared_by_what_they_say(
    column: str,
    desired: Any,
    actual: Any,
    equal: bool,
) -> None:
    assert same(column, desired, actual) is equal


def test_parties_are_compared_by_role_and_person() -> None:
    desired = [
        {"partyid_contact@odata.bind": f"/contacts({KEY.upper()})", "participationtypemask": 1},
        {"addressused": "+49", "participationtypemask": 2},
    ]
    actual = [
        {"participationtypemask": 2, "_partyid_value": None, "addressused": "+49", "x": 1},
        {"participationtypemask": 1, "_partyid_value": KEY, "addressused": "a@b"},
    ]
    assert same("phonecall_activity_parties", desired, actual)
    assert not same("phonecall_activity_parties", desired, actual[:1])
    assert not same("phonecall_activity_parties", desired[:1], actual[:1])
    assert same(
        "email_activity_parties", [{"unresolvedpartyname": "A"}], [{"unresolvedpartyname": "a"}]
    )


def test_parties_that_dynamics_keeps_by_itself_make_no_difference_whoever_lists_them() -> None:
    caller = {"participationtypemask": 1, "addressused": "+4930"}
    owner = {"participationtypemask": 9, "_partyid_value": SOMEBODY}
    column = "phonecall_activity_parties"
    assert same(column, [caller], [caller, owner])
    assert same(column, [caller, owner], [caller])
    assert current({column: [owner]}, column) == []
