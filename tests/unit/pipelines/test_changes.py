"""Changes of a pipeline: no step that is renamed, re-cased or re-targeted makes a second record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines import ledger
from pipelines.changes import Keys, Version, creating, departures, keys
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.identity import record_id
from pipelines.loader import load
from pipelines.outcome import Done
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.settle import settle


Told = Callable[..., Contact]
Makes = Callable[..., Fact]

NOW = 1767323045.0
BEFORE, THEN, LATER, LATEST = (f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3, 4))


def makes(name: str, table: str = "phonecalls", more: str = "", on: str = "created") -> str:
    return f"""
[[step]]
name = "{name}"
on = "{on}"
method = "POST"
entity = "{table}"
body = '{{"subject": "Call"{more}}}'
"""


def changes(name: str, table: str = "phonecalls", on: str = "ended") -> str:
    return f"""
[[step]]
name = "UP-{name}"
on = "{on}"
method = "PATCH"
entity = "{table}"
query = "({{{{{name}-Response.activityid}}}})"
body = '{{"category": "{{{{Channel}}}}"}}'
"""


def pipeline(*steps: str) -> Pipeline:
    return load('name = "p"' + "".join(steps))


def versions(*each: Pipeline | tuple[str, Pipeline]) -> tuple[Version, ...]:
    dated = [one if isinstance(one, tuple) else (THEN, one) for one in each]
    return tuple(Version(since, creating(one)) for since, one in dated)


def planned(contact: Contact, now: Pipeline, *had: Pipeline | tuple[str, Pipeline]) -> Any:
    return plan(contact, [now], NOW, Terms(versions={"p": versions(*had, now)}))


def done(contact: Contact, writes: list[Any]) -> list[str]:
    for write in writes:
        settle(contact, write, Done())
    return [f"{write.kind} {write.record}" for write in writes]


def older(contact: Contact) -> Contact:
    """The contact as releases kept it that did not say which step made a record."""
    for record in contact.ledger.values():
        record.by = ""
    return contact


@pytest.fixture
def call(event: Makes, told: Told) -> Contact:
    return told(event("INITIATED"), event("DISCONNECTED"))


def of(contact: Contact, name: str, table: str = "phonecalls") -> str:
    return f"{table}({record_id(contact.id, 'p', name)})"


A = pipeline(makes("A"), changes("A"))


@pytest.mark.parametrize("mark", [lambda contact: contact, older])
@pytest.mark.parametrize("name", ["B", "a"])
def test_a_renamed_step_goes_on_with_the_record_it_made(
    call: Contact, name: str, mark: Callable[[Contact], Contact]
) -> None:
    done(call, planned(call, A).actions)
    renamed = pipeline(makes(name, more=', "description": "new"'), changes(name))
    writes = planned(mark(call), renamed, A).actions
    assert done(call, writes) == [f"update {of(call, 'A')}"]
    assert writes[0].columns == {"description": "new"}
    assert planned(call, renamed, A).actions == []


def test_a_record_that_may_have_been_made_is_gone_on_with_too(call: Contact) -> None:
    ledger.intend(call, planned(call, A).actions)
    renamed = pipeline(makes("B"))
    (create,) = planned(call, renamed, A).actions
    assert (create.kind, create.record) == ("create", of(call, "A"))
    ledger.mark_unknown(call)
    (create,) = planned(call, renamed, A).actions
    assert (create.kind, create.record) == ("create", of(call, "A"))


def test_a_record_that_an_unknown_version_made_is_gone_on_with(call: Contact) -> None:
    """The other version's worker began later than ours, which has not read of it."""
    done(call, planned(call, pipeline(makes("B"))).actions)
    assert planned(call, A).actions[0].record == of(call, "B")
    assert planned(call, A).actions[0].kind == "update"


def test_an_intent_of_an_unknown_version_counts_as_well(call: Contact) -> None:
    ledger.intend(call, planned(call, pipeline(makes("B"))).actions)
    ledger.mark_unknown(call)
    assert call.ledger[of(call, "B")].by == "p/B"
    assert planned(call, A).actions[0].record == of(call, "B")


def test_an_intent_of_an_older_release_says_no_step(call: Contact) -> None:
    call.intent[of(call, "A")] = {"": "create", "subject": "?"}
    ledger.mark_unknown(call)
    assert call.ledger[of(call, "A")].by == ""
    (create,) = planned(call, pipeline(makes("B")), A).actions
    assert create.record == of(call, "A")


def test_a_step_that_makes_records_of_another_table_makes_none(call: Contact) -> None:
    done(call, planned(call, A).actions)
    moved = pipeline(makes("A", "tasks"), changes("A", "tasks"))
    found = planned(call, moved, A)
    assert found.actions == []
    assert found.waiting == {
        "p/A": "no: the contact has its record in phonecalls, not in tasks",
        "p/UP-A": "for A",
    }


def test_of_several_steps_that_came_as_one_left_none_makes_a_record(call: Contact) -> None:
    done(call, planned(call, A).actions)
    split = pipeline(makes("B"), makes("C"), changes("C"))
    found = planned(call, split, A)
    assert found.actions == []
    assert found.waiting == {
        "p/B": "no: the contact has a record of A, which left the pipeline",
        "p/C": "no: the contact has a record of A, which left the pipeline",
        "p/UP-C": "for C",
    }


def test_a_step_whose_two_forerunners_made_a_record_each_makes_none(call: Contact) -> None:
    both = pipeline(makes("A"), makes("B"))
    done(call, planned(call, both).actions)
    found = planned(call, pipeline(makes("C")), both)
    assert found.actions == []
    assert found.waiting == {"p/C": "no: the contact has a record of A, B, which left the pipeline"}


def test_a_step_that_stood_beside_the_one_that_left_makes_its_own_record(
    call: Contact, record: Makes
) -> None:
    both = pipeline(makes("A"), makes("B", on="record"))
    done(call, planned(call, both).actions)
    call.observe(record())
    alone = pipeline(makes("B", on="record"))
    assert done(call, planned(call, alone, both).actions) == [f"create {of(call, 'B')}"]


def test_a_removed_step_s_record_is_left_alone(call: Contact) -> None:
    both = pipeline(makes("A"), changes("A"), makes("N", "annotations"))
    done(call, planned(call, both).actions)
    assert planned(call, pipeline(makes("N", "annotations")), both).actions == []


def test_columns_parties_and_states_that_no_step_names_any_more_are_left_alone(
    call: Contact,
) -> None:
    parties = ', "phonecall_activity_parties": [{"addressused": "+1"}], "statecode": 1'
    done(call, planned(call, pipeline(makes("A", more=parties), changes("A"))).actions)
    assert planned(call, pipeline(makes("A"))).actions == []


def test_another_pipeline_s_columns_of_one_record_are_left_alone(call: Contact) -> None:
    """Both change a record that neither makes."""
    shared = """
[[step]]
name = "S"
on = "created"
method = "PATCH"
entity = "accounts"
query = "(accountnumber='1')"
body = '{"%s": "x"}'
"""
    two = [load(f'name = "{n}"' + shared % c) for n, c in (("p", "name"), ("q", "description"))]
    assert len(done(call, plan(call, two, NOW, Terms()).actions)) == 2
    assert plan(call, two, NOW, Terms()).actions == []


def test_a_record_of_another_pipeline_is_none_of_this_one_s(call: Contact) -> None:
    done(call, plan(call, [load('name = "q"' + makes("A"))], NOW, Terms()).actions)
    assert done(call, planned(call, pipeline(makes("B"))).actions) == [f"create {of(call, 'B')}"]


def test_a_record_that_was_deleted_is_not_made_again_under_a_new_name(call: Contact) -> None:
    done(call, planned(call, A).actions)
    call.ledger[of(call, "A")].state = "gone"
    assert planned(call, pipeline(makes("B")), A).actions == []


B, C = pipeline(makes("B")), pipeline(makes("C"))


@pytest.mark.parametrize(
    ("began", "now", "had", "by"),
    [
        (BEFORE, B, [(THEN, A), (LATER, B)], "A"),
        (THEN, B, [(THEN, A), (LATER, B)], "A"),
        (LATER, B, [(THEN, A), (LATER, B)], "B"),
        ("", B, [(THEN, A), (LATER, B)], "B"),
        (THEN, C, [(THEN, A), (LATER, B), (LATEST, C)], "A"),
        (LATER, C, [(THEN, A), (LATER, B), (LATEST, C)], "B"),
        (LATEST, C, [(THEN, A), (LATER, B), (LATEST, C)], "C"),
        (LATER, A, [(THEN, A), (LATER, B)], "A"),  # back again
        (THEN, B, [(THEN, A)], "B"),  # its own moment is not known
        (THEN, pipeline(makes("b")), [(THEN, B), (LATER, pipeline(makes("b")))], "B"),
        (BEFORE, C, [(THEN, pipeline(makes("A"), makes("B"))), (LATER, C)], "C"),  # which one?
    ],
)
def test_a_contact_from_before_a_step_came_has_the_id_of_then(
    began: str, now: Pipeline, had: list[tuple[str, Pipeline]], by: str
) -> None:
    """Its ledger has expired, and an archive with it is replayed."""
    ((name, _),) = creating(now)
    found = keys(Contact("c-1"), now, versions(*had), began)
    assert found == Keys({name: record_id("c-1", "p", by)}, {})


def test_of_two_steps_that_came_as_one_left_neither_has_the_id_of_then() -> None:
    split = pipeline(makes("B"), makes("C"))
    found = keys(Contact("c-1"), split, versions((THEN, A), (LATER, split)), BEFORE)
    assert found == Keys({name: record_id("c-1", "p", name) for name in "BC"}, {})


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (A, []),
        (pipeline(makes("N", "annotations")), ["is gone; its records of phonecalls are left"]),
        (B, ["left as B came, which goes on with the records of phonecalls that A made"]),
        (pipeline(makes("a")), ["is spelt a now, which goes on with the records that A made"]),
        (pipeline(makes("A", "tasks")), ["makes records of tasks now; contacts that have one of"]),
        (pipeline(makes("B"), makes("C")), ["left as B, C came: which of them is meant cannot be"]),
        (pipeline(makes("A"), makes("B")), []),
    ],
)
def test_what_became_of_a_step_is_told(now: Pipeline, what: list[str]) -> None:
    found = departures(now, versions(A, now))
    assert [step for step, _ in found] == ["A" for _ in what]
    assert all(said.startswith(begins) for (_, said), begins in zip(found, what, strict=True))
    assert departures(now, versions(A)) == found  # before the worker has started with it


# --- two versions side by side --------------------------------------------------------------------

#: How the second version differs from the first.
SECOND = {
    "renamed": pipeline(makes("B"), changes("B")),
    "re-cased": pipeline(makes("a"), changes("a")),
    "re-targeted": pipeline(makes("A", "tasks"), changes("A", "tasks")),
    "split": pipeline(makes("B"), makes("C", on="ended"), changes("B")),
    "swapped": pipeline(makes("A", "tasks"), makes("B"), changes("B")),
}


@dataclass
class Two:
    """Workers of both versions that push one contact in turn.

    Attributes:
        contact: The contact, which both know.
        each: The two versions.
        known: The versions they have read of.
        made: Every record whose create may have reached Dynamics.
    """

    contact: Contact
    each: tuple[Pipeline, Pipeline]
    known: tuple[Version, ...]
    made: set[str] = field(default_factory=set)

    def push(self, which: int, ends: str = "done") -> list[Any]:
        """One of them pushes; how it ends: done, lost (an answer), begun (nothing was sent)."""
        ledger.mark_unknown(self.contact)
        terms = Terms(versions={"p": self.known})
        writes: list[Any] = plan(self.contact, [self.each[which]], NOW, terms).actions
        ledger.intend(self.contact, writes)
        if ends != "begun":
            self.made |= {write.record for write in writes if write.kind == "create"}
        if ends == "done":
            done(self.contact, writes)
            self.contact.intent.clear()
        return writes

    def most(self) -> int:
        """How many records of one table were made at most."""
        return max(Counter(record.partition("(")[0] for record in self.made).values())


ROUND = st.tuples(
    st.sampled_from([0, 1]), st.sampled_from(["done", "lost", "begun"]), st.booleans()
)


@given(st.sampled_from(sorted(SECOND)), st.booleans(), st.lists(ROUND, max_size=8))
def test_two_versions_side_by_side_make_one_record_of_a_contact_and_table(
    event: Any, told: Any, how: str, informed: bool, rounds: list[tuple[int, str, bool]]
) -> None:
    each = (A, SECOND[how])
    two = Two(told(event("INITIATED")), each, versions(*each) if informed else ())
    for which, ends, news in rounds:
        if news:
            two.contact.observe(event("DISCONNECTED"))
        two.push(which, ends)
    two.contact.observe(event("DISCONNECTED"))
    for which in (0, 1, 0, 1):
        two.push(which)
    assert two.most() == 1 or (how == "split" and of(two.contact, "A") not in two.made)
    assert [two.push(which) for which in (0, 1)] == [[], []]  # neither undoes the other's


@given(st.sampled_from(sorted(SECOND)), st.lists(ROUND, max_size=4))
def test_records_of_an_older_release_are_gone_on_with_by_both_versions(
    event: Any, told: Any, how: str, rounds: list[tuple[int, str, bool]]
) -> None:
    each = (A, SECOND[how])
    two = Two(told(event("INITIATED")), each, versions(*each))
    two.push(0)
    older(two.contact)
    two.contact.observe(event("DISCONNECTED"))
    for which, ends, _ in rounds:
        two.push(which, ends)
    two.push(1)
    assert two.made == {of(two.contact, "A")}
