"""Check: what each answer of Dynamics comes to."""

from __future__ import annotations

import pytest

from pipelines.loader import load
from worker.commands.check import ask
from worker.dynamics.errors import DynamicsError, Forbidden, Missing, Unauthorized, Unavailable
from worker.dynamics.protocol import Answer, Request
from worker.settings import Settings


PIPELINE = load(
    """
name = "mine"
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "x", "phonecall_activity_parties": []}'
[[step]]
name = "OPEN"
on = "answered"
open = "main.aspx"
query = "{}"
"""
)
SUBJECT = {"LogicalName": "subject", "AttributeType": "String", "MaxLength": 100}
DEFINITION: dict[str, object] = {"PrimaryIdAttribute": "activityid", "Attributes": [SUBJECT]}


class Answers:
    """Knows us, and gives one answer to every question."""

    def __init__(self, answer: dict[str, object] | DynamicsError) -> None:
        self.answer = answer

    async def user_id(self) -> str:
        return "us"

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        assert request.method == "GET"
        assert timeout_s > 0
        if isinstance(self.answer, DynamicsError):
            raise self.answer
        names = {"EntitySetName": "phonecalls", "LogicalName": "phonecall", "IsActivity": True}
        return Answer(200, {}, {"value": [{**names, **self.answer}]})


class Stranger(Answers):
    """Does not know us."""

    async def user_id(self) -> str:
        assert isinstance(self.answer, DynamicsError)
        raise self.answer


async def told(dynamics: Answers) -> list[tuple[bool, str]]:
    return [(f.wrong, f.text) for f in await ask(dynamics, Settings(), [PIPELINE])]


async def test_a_shorter_column_than_assumed_is_a_note_on_how_to_fit() -> None:
    found = await told(Answers(DEFINITION))
    assert not any(wrong for wrong, _ in found)
    assert "MAKE: subject holds 100 characters here; use | fit: 100 (line " in found[-1][1]


async def test_another_key_than_assumed_is_a_failure() -> None:
    _, found = (await told(Answers({**DEFINITION, "PrimaryIdAttribute": "callid"})))[:2]
    assert found == (
        True,
        "phonecalls: its key is 'callid', this program takes it for 'activityid'; report it",
    )


FLAG = """
name = "mine"
[choices.level]
high = 2
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '''{{"new_x": "{text}"}}'''
"""


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("Boolean", "{{Attributes.vip}}", "Dynamics refuses it; add | boolean"),
        ("Boolean", "{{Attributes.vip | boolean}}", ""),
        ("Boolean", "{{Outbound}}", ""),
        ("Picklist", "{{Attributes.vip}}", "add | integer or | choice"),
        ("Picklist", "{{Attributes.vip | choice: 'level'}}", ""),
        ("Integer", "{% if Outbound %}2{% else %}{{ 1 }}{% endif %}", "the branch '2' is text"),
        ("Integer", "{% if Outbound %}{{ 2 }}{% else %}{{ 1 }}{% endif %}", ""),
        ("Money", "{{Channel}} {{Attributes.vip}}", "use one placeholder alone, | decimal"),
        ("String", "{{Channel}} {{Attributes.vip}}", ""),
        ("DateTime", "{{Attributes.due}}", ""),
    ],
)
async def test_text_for_a_column_of_another_type_is_refused_with_the_filter_to_use(
    kind: str, text: str, words: str
) -> None:
    column = {"LogicalName": "new_x", "AttributeType": kind}
    dynamics = Answers({**DEFINITION, "Attributes": [column]})
    found = await ask(dynamics, Settings(), [load(FLAG.format(text=text))])
    wrong = [one.text for one in found if one.wrong]
    assert len(wrong) == bool(words)
    assert not words or words in wrong[0]


LOOKUP = load(
    """
name = "mine"
[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
[step.lookup]
by = "phone"
columns = ["telephone1", "telephone9"]
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{WHO-Response.fullname}} {{WHO-Response.outcome}} {{WHO-Response.x}}"}'
"""
)
CUSTOMER = {"PrimaryIdAttribute": "contactid", "Attributes": [SUBJECT]}


async def test_the_columns_a_lookup_looks_in_and_finds_are_known() -> None:
    names = ("telephone1", "telephone2", "fullname")
    columns = [{"LogicalName": name, "AttributeType": "String"} for name in names]
    dynamics = Answers({**CUSTOMER, "Attributes": columns})
    found = [f.text for f in await ask(dynamics, Settings(), [LOOKUP]) if "WHO" in f.text]
    assert [text.partition("WHO: ")[2].partition(" (line ")[0] for text in found] == [
        "contacts has no column 'telephone9'; did you mean telephone2?",
        "contacts has no column 'x'; mind the publisher's prefix",
    ]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (Missing("404", status=404), "the tables' definitions cannot be read"),
        (Forbidden("403", status=403), "Give the application user a security role"),
        (Unavailable("no answer"), "Check address, network and proxy"),
    ],
)
async def test_a_table_that_cannot_be_read_comes_with_advice(
    error: DynamicsError, advice: str
) -> None:
    _, (wrong, text) = await told(Answers(error))
    assert wrong
    assert advice in text


async def test_an_environment_that_does_not_know_us_is_asked_nothing_more() -> None:
    ((wrong, text),) = await told(Stranger(Unauthorized("401", status=401)))
    assert wrong
    assert "Check that the application user exists in this environment" in text


class Some(Answers):
    """Tells which tables there are, and not what they are."""

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        if "$filter" in request.path:
            return await super().send(request, timeout_s=timeout_s)
        rows = [{"EntitySetName": "phonecalls", "LogicalName": "phonecall"}]
        return Answer(200, {}, {"value": rows})


async def test_a_table_whose_definition_is_refused_is_named_with_advice() -> None:
    _, (wrong, text) = await told(Some(Forbidden("403", status=403)))
    assert wrong
    assert text.startswith("phonecalls: its definition cannot be read: 403. Give the application")
