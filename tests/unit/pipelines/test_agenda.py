"""The agenda: what is done next, and when the plan is made anew."""

from __future__ import annotations

import pytest

from pipelines.action import Action, Change, Lookup, ReadFile, Verb
from pipelines.agenda import Agenda
from pipelines.contact import Contact, Parked
from pipelines.outcome import Done, Exists, Outcome


CREATE = Change(Verb.CREATE, ("p/CALL",), "phonecalls(1)", {"subject": "x"}, creatable=True)
ADOPT = Change(Verb.ADOPT, ("p/CALL",), "phonecalls(1)", {"subject": "x"}, creatable=True)
CLOSE = Change(Verb.CLOSE, ("p/CALL",), "phonecalls(1)", {"statecode": 1})
WHO, LENS = Lookup("p/WHO", "contacts"), ReadFile("p/LENS", "b", "k")
EXISTS = Exists(Parked(["p/CALL"], 0.0, 412, "", {}, ""))


def agenda_of(*plans: list[Action]) -> Agenda:
    """An agenda that is planned as these say, one after the other."""
    left = iter(plans)
    return Agenda(Contact("c"), lambda: [*next(left)])


def test_actions_go_in_the_order_in_which_they_are_planned() -> None:
    agenda = agenda_of([CREATE, CLOSE])
    assert agenda.settle(Done())
    assert agenda.actions == [CLOSE]
    assert agenda.settle(Done())
    assert agenda.actions == []
    assert agenda.contact.ledger["phonecalls(1)"].state == "there"


def test_what_was_planned_after_an_action_that_came_to_something_else_is_planned_anew() -> None:
    agenda = agenda_of([CREATE, CLOSE], [ADOPT])
    assert not agenda.settle(EXISTS)
    assert agenda.actions == [ADOPT]
    assert agenda.contact.ledger["phonecalls(1)"].state == "found"


@pytest.mark.parametrize("reading", [[WHO, LENS], [LENS, WHO]])
def test_the_plan_goes_on_with_what_was_found_once_all_is_read(reading: list[Action]) -> None:
    agenda = agenda_of(reading, [CREATE])
    assert agenda.settle(Done())
    assert agenda.actions == reading[1:]
    assert agenda.settle(Done())
    assert agenda.actions == [CREATE]


@pytest.mark.parametrize("outcome", [Done(), EXISTS])
def test_nothing_is_left_when_the_last_plan_has_nothing_more(outcome: Outcome) -> None:
    agenda = agenda_of([CREATE], [])
    agenda.settle(outcome)
    assert agenda.actions == []
