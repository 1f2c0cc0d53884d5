"""A doubted ledger: an older one than what Dynamics has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.action import Change, Verb
from pipelines.contact import UNKNOWN, Contact, Parked, RecordLedger, State
from pipelines.difference import Desired, difference
from pipelines.fact import Fact
from pipelines.ledger import digest, digests, doubt
from pipelines.loader import load
from pipelines.outcome import Found, Missing
from pipelines.settle import settle
from pipelines.step import CreateStep


KEY = "8a1f0c7e-0000-4000-8000-00000000c0de"
NAME = f"phonecalls({KEY})"
US = "11111111-0000-4000-8000-000000000001"
SOMEBODY = "22222222-0000-4000-8000-000000000002"
BEFORE, THEN, AFTER = (f"2026-01-0{day}T00:00:00.000Z" for day in (1, 2, 3))


def contact_of(*at: str, **record: Any) -> Contact:
    """A contact that was told so much at these times, with one record in its ledger."""
    facts = {str(n): Fact("c", str(n), at, b"{}", at) for n, at in enumerate(at)}
    fields = {"state": "there"} | record
    return Contact("c", facts, {NAME: RecordLedger("phonecalls", KEY, **fields)})


def state_of(contact: Contact) -> State:
    return contact.ledger[NAME].state


# --- when ----------------------------------------------------------------------------------------


def test_without_a_restoration_nothing_is_doubted() -> None:
    contact = contact_of(BEFORE)
    doubt(contact, 0, "")
    assert (state_of(contact), contact.restored) == ("there", 0)


def test_after_a_restoration_every_record_is_doubted_once() -> None:
    contact = contact_of(AFTER)
    doubt(contact, 1, THEN)
    assert (state_of(contact), contact.restored) == ("doubted", 1)
    contact.ledger[NAME].state = "there"
    doubt(contact, 1, THEN)
    assert state_of(contact) == "there"


def test_a_contact_from_before_is_doubted_each_time_as_its_messages_may_come_again() -> None:
    contact = contact_of(BEFORE, AFTER)
    for _ in range(2):
        doubt(contact, 1, THEN)
        assert state_of(contact) == "doubted"
        contact.ledger[NAME].state = "there"


def test_a_contact_that_was_doubted_reads_back_as_it_was_saved() -> None:
    contact = contact_of(BEFORE, columns={"subject": "x"})
    doubt(contact, 3, THEN)
    assert Contact.from_bytes("c", contact.to_bytes()) == contact


def test_what_an_older_state_was_about_to_send_is_no_news_of_what_dynamics_has() -> None:
    contact = contact_of(BEFORE, columns={"subject": "old"})
    contact.intent = {NAME: {"subject": "new"}, "tasks(1)": {"": "create", "subject": "x"}}
    doubt(contact, 1, THEN)
    assert contact.intent == {}
    assert contact.ledger[NAME].columns == {"subject": "old"}
    assert contact.ledger["tasks(1)"] == RecordLedger("tasks", "1")


def test_what_was_sent_since_is_unknown_as_ever() -> None:
    contact = contact_of(BEFORE, columns={"subject": "old"})
    contact.restored = 1
    contact.intent = {NAME: {"subject": "new"}}
    doubt(contact, 1, THEN)
    assert contact.ledger[NAME].columns == {"subject": UNKNOWN}


def test_a_create_whose_answer_is_not_known_makes_nobodys_record_ours() -> None:
    contact = contact_of(BEFORE, state="sent")
    doubt(contact, 1, THEN)
    assert state_of(contact) == "unsent"


@pytest.mark.parametrize("state", ["unsent", "found", "gone"])
def test_a_record_that_is_not_there_is_not_doubted(state: State) -> None:
    contact = contact_of(BEFORE, state=state)
    doubt(contact, 1, THEN)
    assert state_of(contact) == state


def test_attributes_of_connect_lookups_and_what_was_done_for_agents_are_not_doubted() -> None:
    contact = contact_of(BEFORE)
    contact.ledger["attributes(c/p)"] = RecordLedger("attributes", "c/p", "there", {"a": "x"})
    contact.lookups["p/WHO"] = {"asked": "x", "answer": {}}
    contact.effects["p/OPEN"] = "done"
    doubt(contact, 1, THEN)
    assert contact.ledger["attributes(c/p)"].state == "there"
    assert contact.lookups
    assert contact.effects == {"p/OPEN": "done"}


# --- what is read --------------------------------------------------------------------------------


@pytest.fixture
def planned() -> Callable[..., list[Change]]:
    """What is planned for a doubted record with this ledger, if these columns are desired."""
    (create,) = load(
        'name="p"\n[[step]]\nname="M"\non="created"\nmethod="POST"\nentity="phonecalls"\nbody="{}"'
    ).steps

    def plan(columns: dict[str, str], **desired: Any) -> list[Change]:
        record = RecordLedger("phonecalls", KEY, "doubted", columns)
        assert isinstance(create, CreateStep)
        wanted = Desired("phonecalls", KEY, create, desired, steps=[create])
        writes, closes = difference(wanted, record, adopting=False)
        return writes + closes

    return plan


def test_a_doubted_record_that_owes_nothing_is_not_even_read(
    planned: Callable[..., list[Change]],
) -> None:
    assert not planned(digests({"subject": "a"}), subject="a")


@pytest.mark.parametrize("desired", [{"subject": "b"}, {"subject": None}, {"statecode": 1}])
def test_a_doubted_record_is_read_before_anything_is_written(
    planned: Callable[..., list[Change]], desired: dict[str, Any]
) -> None:
    [write] = planned(digests({"subject": "a"}), **desired)
    assert write.verb is Verb.ADOPT
    assert write.columns == desired


# --- what is written -----------------------------------------------------------------------------

PARTIES = [{"participationtypemask": 1, "addressused": "+1"}]
BOUND = "regardingobjectid_contact@odata.bind"


def judged(
    was: Any, wanted: Any, now: Any, by: str = SOMEBODY, column: str = "subject", **fields: Any
) -> str:
    """Whether a column is settled or owed, of the old ledger's value, the desired and today's."""
    columns = {} if was is ... else {column: UNKNOWN if was == UNKNOWN else digest(was)}
    contact = contact_of(BEFORE, columns=columns, state="doubted", ours=True, **fields)
    contact.restored = 1
    write = Change(Verb.ADOPT, ("p/M",), NAME, {column: wanted})
    row = {"statecode": 0, column: now, "_createdby_value": US, "_modifiedby_value": by}
    if column == BOUND:
        link = "_regardingobjectid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"
        row |= {"_regardingobjectid_value": now, link: BOUND.removesuffix("@odata.bind")}
    settle(contact, write, Found(row, frozenset((US,))))
    record = contact.ledger[NAME]
    assert (record.state, record.ours) == ("there", by == US)
    return "owed" if record.columns[column] == UNKNOWN else "settled"


@pytest.mark.parametrize("by", [US, SOMEBODY])
@pytest.mark.parametrize(
    ("was", "wanted", "now", "then"),
    [
        ("a", "b", "a", "owed"),  # as the ledger had it
        ("a", "b", "b", "settled"),  # written since
        ("a", "a", "edited", "settled"),  # its facts are unchanged
        ("a", "a", None, "settled"),
        (..., "b", None, "owed"),  # never written, and empty
        (UNKNOWN, "b", None, "owed"),
        ("a", None, "a", "owed"),
        (1, 2, 1, "owed"),
    ],
)
def test_a_column_of_a_doubted_record_is_written_over_what_the_old_ledger_had(
    was: Any, wanted: Any, now: Any, then: str, by: str
) -> None:
    assert judged(was, wanted, now, by) == then


@pytest.mark.parametrize(
    ("was", "wanted", "now"),
    [("a", "b", "edited"), ("a", "b", None), (..., "b", "edited"), (UNKNOWN, "b", "edited")],
)
def test_what_a_person_did_since_is_left_alone_but_not_what_we_wrote_last(
    was: Any, wanted: Any, now: Any
) -> None:
    assert judged(was, wanted, now, SOMEBODY) == "settled"
    assert judged(was, wanted, now, US) == "owed"


@pytest.mark.parametrize(
    ("was", "wanted", "now", "column"),
    [
        ("2026-01-02T03:00:05Z", "2026-01-02T03:00:09Z", "2026-01-02T03:00:05Z", "actualstart"),
        ("2026-01-02T03:00:05.000Z", "2026-01-02T03:00:09Z", "2026-01-02T03:00:05Z", "actualend"),
        (f"/contacts({KEY})", f"/contacts({US})", KEY, BOUND),
    ],
)
def test_what_the_old_ledger_had_is_known_again_in_the_form_that_dynamics_shows(
    was: str, wanted: str, now: str, column: str
) -> None:
    assert judged(was, wanted, now, SOMEBODY, column) == "owed"
    assert judged("other", wanted, now, SOMEBODY, column) == "settled"


def test_whom_a_person_was_seen_to_have_changed_is_a_persons_for_good() -> None:
    """Our own writes make us the last who changed it, and say no more about who did before."""
    contact = contact_of(BEFORE, columns=digests({"subject": "a"}))
    for by, desired in ((SOMEBODY, "b"), (US, "c")):
        doubt(contact, 1, THEN)
        write = Change(Verb.ADOPT, ("p/M",), NAME, {"subject": desired})
        row = {"subject": "edited", "_createdby_value": US, "_modifiedby_value": by}
        settle(contact, write, Found(row, frozenset((US,))))
        assert contact.ledger[NAME].columns == digests({"subject": desired})


def test_a_record_that_we_closed_for_a_reason_that_comes_again_is_left_alone_until_then() -> None:
    assert judged("a", "b", "c", US) == "owed"
    contact = contact_of(BEFORE, columns=digests({"subject": "a"}))
    doubt(contact, 1, THEN)
    row = {"subject": "c", "statecode": 1, "_createdby_value": US, "_modifiedby_value": US}
    for columns, then in (
        ({"subject": "b"}, digest("b")),
        ({"subject": "d", "statecode": 1}, UNKNOWN),
    ):
        doubt(contact, 1, THEN)
        write = Change(Verb.ADOPT, ("p/M",), NAME, dict(columns))
        settle(contact, write, Found(row, frozenset((US,))))
        assert contact.ledger[NAME].columns["subject"] == then


def test_overwriting_overwrites_what_people_did_too() -> None:
    contact = contact_of(BEFORE, state="doubted", columns=digests({"subject": "a"}))
    write = Change(Verb.ADOPT, ("p/M",), NAME, {"subject": "b"})
    row = {"subject": "edited", "_createdby_value": US, "_modifiedby_value": SOMEBODY}
    settle(contact, write, Found(row, frozenset((US,)), overwrite=True))
    assert contact.ledger[NAME].columns == {"subject": UNKNOWN}


@pytest.mark.parametrize(
    ("on_missing", "state"), [("park", "gone"), ("skip", "gone"), ("recreate", "unsent")]
)
def test_a_doubted_record_that_is_gone_is_made_again_only_if_the_pipeline_says_so(
    on_missing: str, state: str
) -> None:
    contact = contact_of(BEFORE, state="doubted")
    asked = Change(Verb.ADOPT, ("p/M",), NAME, on_missing=on_missing, creatable=True)
    settle(contact, asked, Missing(Parked(["p/M"], 0.0, 404, "", {}, "")))
    assert (state_of(contact), contact.parked) == (state, {})
