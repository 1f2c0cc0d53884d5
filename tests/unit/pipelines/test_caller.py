"""In whose name a change is made: a step's ``as``, for a contact and for a request of several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.action import Change, Verb
from pipelines.caller import Caller
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.loader import load
from pipelines.outcome import Done
from pipelines.plan import Terms, plan
from pipelines.settle import settle
from pipelines.source import PipelineError


Told = Callable[..., Contact]
Makes = Callable[..., Fact]

AGENT = "0a0b0c0d-0001-4002-8003-0000000000aa"
OTHER = "0a0b0c0d-0001-4002-8003-0000000000ab"


def step(name: str, body: str, caller: str = "", method: str = "POST", on: str = "created") -> str:
    query = 'query = "({{CALL-Response.activityid}})"\n' if method == "PATCH" else ""
    return (
        f'[[step]]\nname = "{name}"\non = "{on}"\nmethod = "{method}"\nentity = "phonecalls"\n'
        f"{query}body = '{body}'\n" + (f"as = {caller}\n" if caller else "")
    )


def changes(contact: Contact, *steps: str) -> list[Change]:
    pipeline = load('name = "p"\n' + "".join(steps))
    found = plan(contact, [pipeline], 0.0, Terms()).actions
    return [one for one in found if isinstance(one, Change)]


@pytest.fixture
def contact(told: Told, event: Makes) -> Contact:
    return told(event("INITIATED"))


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (f'"{AGENT}"', Caller(AGENT)),
        (f'"{{{AGENT.upper()}}}"', Caller(AGENT)),
        (f'{{ entra = "{AGENT}" }}', Caller(AGENT, entra=True)),
        ('"{{ContactId}}"', None),
        ("", None),
    ],
)
def test_a_change_is_in_the_name_of_the_user_that_its_step_gives(
    contact: Contact, caller: str, expected: Caller | None
) -> None:
    (create,) = changes(contact, step("CALL", '{"subject": "x"}', caller))
    if caller == '"{{ContactId}}"':
        expected = Caller(contact.id)
    assert create.caller == expected


def test_a_user_who_is_not_known_yet_holds_nothing_up(contact: Contact) -> None:
    (create,) = changes(contact, step("CALL", '{"subject": "x"}', '"{{Attributes.agent_id}}"'))
    assert (create.verb, create.caller) == (Verb.CREATE, None)


def test_several_steps_due_together_create_in_the_name_of_the_creating_one(
    contact: Contact,
) -> None:
    call = step("CALL", '{"subject": "x"}', f'"{AGENT}"')
    more = step("MORE", '{"subject": "y", "category": "z"}', f'"{OTHER}"', "PATCH")
    (create,) = changes(contact, call, more)
    assert (create.columns, create.caller) == (
        {"subject": "y", "category": "z"},
        Caller(AGENT),
    )
    (own,) = changes(contact, step("CALL", '{"subject": "x"}'), more)
    assert own.caller is None


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (f'"{AGENT}"', f'"{OTHER}"', Caller(OTHER)),
        (f'"{AGENT}"', "", Caller(AGENT)),
        ("", f'"{OTHER}"', Caller(OTHER)),
        ("", "", None),
    ],
)
def test_several_steps_due_together_update_in_the_name_of_the_last_one_that_gives_a_user(
    contact: Contact, first: str, second: str, expected: Caller | None
) -> None:
    call = step("CALL", '{"subject": "x"}', f'"{AGENT}"')
    (create,) = changes(contact, call)
    settle(contact, create, Done())
    one = step("ONE", '{"category": "1"}', first, "PATCH")
    two = step("TWO", '{"subcategory": "2"}', second, "PATCH")
    (update,) = changes(contact, call, one, two)
    assert (update.verb, update.caller) == (Verb.UPDATE, expected)


def test_a_request_has_no_user_of_a_step_whose_columns_are_not_in_it(contact: Contact) -> None:
    call = step("CALL", '{"subject": "x"}', f'"{AGENT}"')
    settle(contact, changes(contact, call)[0], Done())
    (update,) = changes(contact, call, step("END", '{"category": "1"}', "", "PATCH"))
    assert update.caller is None


def test_what_is_acknowledged_does_not_depend_on_in_whose_name_it_was_written(
    contact: Contact,
) -> None:
    (create,) = changes(contact, step("CALL", '{"subject": "x"}'))
    settle(contact, create, Done())
    assert changes(contact, step("CALL", '{"subject": "x"}', f'"{AGENT}"')) == []


def test_an_answer_s_field_that_only_as_names_is_asked_for() -> None:
    lookup = (
        '[[step]]\nname = "AGENT"\non = "answered"\nmethod = "GET"\nentity = "systemusers"\n'
        '[step.lookup]\nby = "user"\ncolumns = ["domainname"]\n'
    )
    call = step(
        "CALL", "{}", '{ entra = "{{AGENT-Response.azureactivedirectoryobjectid}}" }', on="answered"
    )
    agent: Any = load('name = "p"\n' + lookup + call).step("AGENT")
    assert agent.reads == {"azureactivedirectoryobjectid"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (step("CALL", "{}", '"Lena"'), "as: a user's id like"),
        (step("CALL", "{}", "5"), "as: a user's id like"),
        (step("CALL", "{}", '""'), "as: a user's id like"),
        (step("CALL", "{}", f'{{ user = "{AGENT}" }}'), "as: a user's id like"),
        (step("CALL", "{}", '"{{Agnt}}"'), "did you mean Agent"),
        (step("CALL", "{}", '"{{Agent | no_such}}"'), "as: there is no filter"),
        (step("CALL", "{}", '"{{LATER-Response.systemuserid}}"'), "no step before this one"),
        ('[[step]]\nname = "O"\non = "answered"\nopen = "main.aspx"\nas = "x"\n', "'as' goes with"),
        (
            '[[step]]\nname = "L"\non = "created"\nmethod = "GET"\nentity = "contacts"\nas = "x"\n',
            "'as' goes with",
        ),
    ],
)
def test_an_as_that_cannot_be_used_is_found_on_loading(text: str, told: str) -> None:
    with pytest.raises(PipelineError, match=r"step \w+:") as raised:
        load('name = "p"\n' + text)
    assert told in str(raised.value)
