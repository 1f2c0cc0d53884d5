"""Actions: where each is parked, what it is about, and what goes first."""

from __future__ import annotations

import pytest

from pipelines.action import KINDS, Action, Change, Lookup, OpenPage, ReadFile, Verb, WriteBack


def test_a_change_is_parked_at_its_record_which_names_table_and_key() -> None:
    change = Change(Verb.UPDATE, ("p/A", "p/B"), "contacts(name='a (b)')")
    assert change.place == "contacts(name='a (b)')"
    assert (change.entity, change.key) == ("contacts", "name='a (b)'")


def test_what_is_read_is_parked_at_its_step() -> None:
    for action in (Lookup("p/WHO", "contacts"), ReadFile("p/WHO", "b", "k")):
        assert (action.place, action.steps) == ("p/WHO", ("p/WHO",))


@pytest.mark.parametrize(
    ("on_missing", "creatable", "then"),
    [
        ("park", True, "park"),
        ("skip", False, "skip"),
        ("recreate", True, "recreate"),
        ("recreate", False, "park"),
    ],
)
def test_a_record_that_no_step_of_ours_creates_is_not_created_again(
    on_missing: str, creatable: bool, then: str
) -> None:
    change = Change(Verb.UPDATE, ("p/A",), "contacts(1)", {}, (), on_missing, creatable)
    assert change.if_missing == then


def test_kinds_are_listed_in_the_order_in_which_they_go() -> None:
    assert KINDS == (
        "lookup",
        "create",
        "adopt",
        "reopen",
        "update",
        "parties",
        "note",
        "attributes",
        "open",
        "close",
    )


def test_every_action_says_of_which_kind_it_is() -> None:
    made: list[Action] = [
        Lookup("p/S", "contacts"),
        ReadFile("p/S", "b", "k"),
        *(Change(verb, ("p/S",), "contacts(1)") for verb in Verb),
        WriteBack("p/writeback", "attributes(c/p)", "i", "c", "c", {}),
        OpenPage("p/S", "i", "c", "c", "https://x"),
    ]
    assert {action.kind for action in made} == set(KINDS)
