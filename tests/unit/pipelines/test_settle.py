"""Settling: the table of what the ledger learns, line by line, and its diagram."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, get_args

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.action import Action, Change, Lookup, OpenPage, ReadFile, Verb, WriteBack
from pipelines.contact import Contact, Parked, RecordLedger, State
from pipelines.difference import Desired, difference
from pipelines.entity import entity
from pipelines.ledger import digest
from pipelines.lookup import status
from pipelines.outcome import (
    REFUSALS,
    Closed,
    Delayed,
    Done,
    Exists,
    Forbidden,
    Found,
    Logged,
    Missing,
    NoTable,
    Outcome,
    Refused,
    Shown,
    Unanswered,
    Undeliverable,
)
from pipelines.settle import BESIDES, SENT_IN, SETTLE, line_for, mermaid, settle
from pipelines.step import CreateStep


KEY = "8a1f0c7e-0000-4000-8000-00000000c0de"
NAME = f"phonecalls({KEY})"
OTHER = "phonecalls(other)"
US = "11111111-0000-4000-8000-000000000001"
TABLE = entity("phonecalls")
STATES: tuple[State, ...] = get_args(State)
PARKED = Parked(["p/CALL"], 1.0, 400, "0x1", {"method": "PATCH"}, "no")

#: What can come of an action, by its verb or its class.
POSSIBLE: dict[Verb | type[Action], tuple[type[Outcome], ...]] = {
    **dict.fromkeys(Verb, (Done, *REFUSALS)),
    Verb.ADOPT: (Found, *REFUSALS),
    Lookup: (Done, *REFUSALS),
    ReadFile: (Done,),
    WriteBack: (Done, Delayed, Undeliverable),
    OpenPage: (Shown, Logged, Delayed, Undeliverable),
}

OUTCOMES: dict[type[Outcome], Outcome] = {
    Done: Done({"createdon": "now"}),
    Found: Found(
        {"subject": "x", "_createdby_value": US, "_modifiedby_value": US}, frozenset((US,))
    ),
    Shown: Shown(1.0),
    Logged: Logged(1.0),
    Delayed: Delayed("busy", 1.0),
    Undeliverable: Undeliverable("refused", 1.0),
    Exists: Exists(PARKED),
    Closed: Closed(PARKED),
    Missing: Missing(PARKED),
    NoTable: NoTable(PARKED),
    Forbidden: Forbidden(PARKED),
    Unanswered: Unanswered(PARKED),
    Refused: Refused(PARKED),
}


def change(verb: Verb, on_missing: str = "park", *, creatable: bool = True) -> Change:
    columns = {"subject": "x"}
    return Change(verb, ("p/CALL",), NAME, columns, ("createdon",), on_missing, creatable)


def action_of(what: Verb | type[Action], on_missing: str = "park") -> Action:
    if isinstance(what, Verb):
        return change(what, on_missing)
    made: dict[type[Action], Action] = {
        Lookup: Lookup("p/WHO", "contacts(1)"),
        ReadFile: ReadFile("p/LENS", "b", "k"),
        WriteBack: WriteBack("p/writeback", "attributes(c/p)", "i", "c", "c", {"a": "1"}),
        OpenPage: OpenPage("p/OPEN", "i", "c", "c", "https://x"),
    }
    return made[what]


def contact_with(state: State | None, **fields: Any) -> Contact:
    contact = Contact("c")
    contact.ledger[OTHER] = RecordLedger("phonecalls", "other", "there", {"subject": "y"})
    if state is not None:
        contact.ledger[NAME] = RecordLedger("phonecalls", KEY, state, **fields)
    return contact


# --- the table ----------------------------------------------------------------------------------


def test_every_verb_has_a_line_for_every_outcome_it_can_have_and_no_other() -> None:
    assert set(SETTLE) == {(what, one) for what, outcomes in POSSIBLE.items() for one in outcomes}


@pytest.mark.parametrize("on_missing", ["park", "recreate", "skip"])
@pytest.mark.parametrize("case", list(SETTLE), ids=lambda case: f"{case[0]} {case[1].__name__}")
def test_a_line_fits_whatever_the_state_and_whatever_the_pipeline_says(
    case: tuple[Verb | type[Action], type[Outcome]], on_missing: str
) -> None:
    what, outcome = case
    for state in (None, *STATES):
        contact = contact_with(state)
        line = line_for(contact, action_of(what, on_missing), OUTCOMES[outcome])
        assert line in SETTLE[case]


@pytest.mark.parametrize("case", list(SETTLE), ids=lambda case: f"{case[0]} {case[1].__name__}")
def test_no_line_is_there_in_vain(case: tuple[Verb | type[Action], type[Outcome]]) -> None:
    what, outcome = case
    states = SENT_IN[what] if isinstance(what, Verb) else (None,)
    met = [
        line_for(contact_with(state), action_of(what, on_missing), OUTCOMES[outcome])
        for state in states
        for on_missing in ("park", "recreate", "skip")
    ]
    assert all(line in met for line in SETTLE[case])


@pytest.mark.parametrize(
    ("verb", "before", "outcome", "on_missing", "after", "parked"),
    [
        (Verb.CREATE, "unsent", Done, "park", "there", False),
        (Verb.CREATE, "sent", Exists, "park", "found", False),
        (Verb.CREATE, "absent", Missing, "skip", "absent", True),
        (Verb.CREATE, "unsent", Closed, "park", "unsent", True),
        (Verb.ADOPT, "found", Found, "park", "there", False),
        (Verb.ADOPT, "found", Missing, "recreate", "unsent", True),
        (Verb.ADOPT, "doubted", Missing, "recreate", "unsent", False),
        (Verb.ADOPT, "doubted", Missing, "park", "gone", False),
        (Verb.ADOPT, "unsent", Missing, "park", "absent", False),
        (Verb.UPDATE, "there", Missing, "recreate", "unsent", False),
        (Verb.UPDATE, "there", Missing, "skip", "gone", False),
        (Verb.UPDATE, "there", Missing, "park", "there", True),
        (Verb.UPDATE, "there", NoTable, "skip", "there", True),
        (Verb.UPDATE, "there", Closed, "park", "there", False),
        (Verb.REOPEN, "there", Refused, "park", "there", False),
        (Verb.REOPEN, "there", Forbidden, "park", "there", True),
        (Verb.NOTE, "there", Exists, "park", "there", False),
        (Verb.NOTE, "there", Missing, "recreate", "there", True),
        (Verb.CLOSE, "there", Closed, "park", "there", False),
        (Verb.CLOSE, "there", Refused, "park", "there", True),
    ],
)
def test_a_record_comes_into_the_state_that_its_line_says(  # noqa: PLR0917 - a table's columns
    verb: Verb,
    before: State,
    outcome: type[Outcome],
    on_missing: str,
    after: State,
    parked: bool,
) -> None:
    contact = contact_with(before)
    settle(contact, change(verb, on_missing), OUTCOMES[outcome])
    assert contact.ledger[NAME].state == after
    assert contact.parked == ({NAME: PARKED} if parked else {})


def test_a_refused_create_begins_no_record() -> None:
    contact = contact_with(None)
    settle(contact, change(Verb.CREATE), Refused(PARKED))
    assert NAME not in contact.ledger


@pytest.mark.parametrize(
    ("what", "outcome", "holds"),
    [
        (Verb.CREATE, Done, True),
        (Verb.CREATE, Exists, False),
        (Verb.ADOPT, Found, False),
        (Verb.NOTE, Exists, True),
        (Verb.CLOSE, Closed, True),
        (Verb.UPDATE, Closed, False),
        (Verb.UPDATE, Refused, False),
        (Lookup, Missing, True),
        (Lookup, Refused, False),
        (OpenPage, Delayed, True),
        (WriteBack, Undeliverable, True),
    ],
)
def test_the_plan_holds_as_long_as_what_came_of_it_was_planned_for(
    what: Verb | type[Action], outcome: type[Outcome], holds: bool
) -> None:
    state: State = "found" if what is Verb.ADOPT else "there"
    assert settle(contact_with(state), action_of(what), OUTCOMES[outcome]) is holds


def test_a_lookup_by_a_key_that_is_not_there_finds_nobody() -> None:
    contact = Contact("c")
    settle(contact, action_of(Lookup), Missing(PARKED))
    asked = {"asked": digest("contacts(1)"), "answer": status("NoMatch")}
    assert contact == Contact("c", lookups={"p/WHO": asked})


@pytest.mark.parametrize(("what", "step"), [(WriteBack, "p/writeback"), (OpenPage, "p/OPEN")])
def test_what_connect_will_not_take_is_refused_and_what_it_cannot_take_now_is_delayed(
    what: type[Action], step: str
) -> None:
    contact = Contact("c")
    settle(contact, action_of(what), Delayed("busy", 1.5))
    assert contact == Contact("c", effects={step: "delayed 1970-01-01T00:00:01.500Z busy"})
    settle(contact, action_of(what), Undeliverable("no", 2.0))
    assert contact == Contact("c", effects={step: "refused 1970-01-01T00:00:02.000Z no"})


def test_a_write_back_that_is_taken_at_last_was_not_delayed() -> None:
    contact = Contact("c")
    settle(contact, action_of(WriteBack), Delayed("busy", 1.5))
    settle(contact, action_of(WriteBack), Done())
    assert contact.effects == {}


# --- what is touched ----------------------------------------------------------------------------

cases = st.sampled_from(list(SETTLE))


@given(
    cases,
    st.sampled_from([None, *STATES]),
    st.sampled_from(["park", "recreate", "skip"]),
    st.integers(0, 2),
)
def test_settling_touches_nothing_but_the_record_of_its_action(
    case: tuple[Verb | type[Action], type[Outcome]],
    state: State | None,
    on_missing: str,
    refusals: int,
) -> None:
    what, outcome = case
    action = action_of(what, on_missing)
    contact = contact_with(state, columns={"statecode": digest(1)}, refusals=refusals)
    contact.lookups["p/ELSE"] = {"asked": "x", "answer": {}}
    contact.effects["p/ELSE"] = "done"
    contact.parked["p/ELSE"] = PARKED
    contact.intent[NAME] = {"subject": "x"}
    before = deepcopy(contact)
    settle(contact, action, OUTCOMES[outcome])
    for known in (contact, before):
        known.ledger.pop(action.place, None)
        for about in (known.lookups, known.effects, known.parked):
            about.pop(action.place, None)
            about.pop(action.steps[0], None)
    assert contact == before


# --- the diagram --------------------------------------------------------------------------------


def arrows() -> dict[tuple[str, str], list[tuple[list[str], str]]]:
    """The diagram: from, to -> the verbs and the words of each arrow."""
    found: dict[tuple[str, str], list[tuple[list[str], str]]] = {}
    for line in mermaid().splitlines()[1 + len(BESIDES) :]:
        ends, _, label = line.strip().partition(" : ")
        start, _, end = ends.partition(" --> ")
        verbs, _, why = label.partition(". ")
        found.setdefault((start, end), []).append((verbs.split(", "), why))
    return found


@pytest.mark.parametrize("on_missing", ["park", "recreate", "skip"])
@pytest.mark.parametrize("verb", list(Verb))
def test_the_diagram_shows_what_comes_of_every_outcome_in_every_state(
    verb: Verb, on_missing: str
) -> None:
    drawn = arrows()
    for state in SENT_IN[verb]:
        for outcome in POSSIBLE[verb]:
            contact = contact_with(state)
            settle(contact, change(verb, on_missing), OUTCOMES[outcome])
            after = "parked" if contact.parked else contact.ledger[NAME].state
            why = [words for verbs, words in drawn[state, after] if verb.value in verbs]
            other = ["whatever else is refused"] if contact.parked else []
            assert [words for words in why if words.startswith(outcome.says)] or other == why[-1:]


def test_the_diagram_shows_how_a_record_changes_without_an_action_too() -> None:
    lines = mermaid().splitlines()
    assert all(f"    {start} --> {end} : {why}" in lines for start, end, why in BESIDES)
    assert {state for start, end, _ in BESIDES for state in (start, end)} <= {
        "[*]", "parked", *STATES
    }  # fmt: skip


UPDATING = "reopen, update, parties"
REOPENED = "reopened first, noted if that does not help"


@pytest.mark.parametrize(
    "arrow",
    [
        "    unsent --> found : create. 412 exists",
        "    found --> there : adopt. found",
        "    found --> parked : adopt. 404 no such record",
        f"    there --> gone : {UPDATING}, close. 404 no such record, on_missing skip",
        f"    there --> unsent : {UPDATING}, close. 404 no such record, on_missing recreate",
        f"    there --> there : {UPDATING}. record is closed, {REOPENED}",
        "    there --> there : close. record is closed, somebody else closed it",
    ],
)
def test_the_way_of_a_412_a_404_and_a_closed_record_is_read_off_the_diagram(arrow: str) -> None:
    assert arrow in mermaid().splitlines()


@pytest.mark.parametrize("adopting", [True, False])
@pytest.mark.parametrize("refusals", [0, 1, 2])
@pytest.mark.parametrize("state", [state for state in STATES if state != "gone"])
def test_changes_are_planned_only_in_the_states_that_the_diagram_has_them_leave_from(
    state: State, refusals: int, adopting: bool
) -> None:
    if adopting and state == "absent":
        return  # given up before anything is compared, see plan
    step = CreateStep(name="CALL", path="p/CALL", on="created", table=TABLE, body={})
    columns = {"subject": "x", "phonecall_activity_parties": [{}], "statecode": 1, "statuscode": 4}
    desired = Desired("phonecalls", KEY, step, columns, steps=[step])
    record = RecordLedger("phonecalls", KEY, state, {"statecode": digest(1)}, refusals=refusals)
    changes, closes = difference(desired, record, adopting=adopting)
    first = changes[0].verb
    assert state in SENT_IN[first]
    later = {change.verb for change in (*changes[1:], *closes)}
    assert all("there" in SENT_IN[verb] for verb in later)
