"""Names of other contacts of a chain and of the records that the same pipeline makes for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.identity import record_id
from pipelines.kin import told as told_others
from pipelines.loader import load
from pipelines.plan import Terms, plan
from pipelines.source import PipelineError


Makes = Callable[..., Fact]
Told = Callable[..., Contact]

FIRST = "00000000-0000-4000-8000-00000000000a"
LINKED = {"InitialContactId": FIRST, "PreviousContactId": FIRST.upper()}


def pipeline(text: str, when: str = "", step_when: str = "", on: str = "created") -> Any:
    return load(
        f'name = "p"\n{when}\n[[step]]\nname = "CALL"\non = "{on}"\nmethod = "POST"\n'
        f"entity = \"phonecalls\"\n{step_when}\nbody = '''{{\"subject\": \"{text}\"}}'''\n"
    )


def subject(contact: Contact, text: str, **terms: Any) -> Any:
    """What a template renders for a contact."""
    creates = plan(contact, [pipeline(text, **terms)], 0.0, Terms()).actions
    return creates[0].columns.get("subject") if creates else None  # type: ignore[union-attr]


KEY = "{{Previous.CALL-Response.activityid}}"


@pytest.mark.parametrize("name", ["Previous", "Initial", "previous"])
def test_the_record_of_another_contact_has_the_id_that_its_own_plan_gives_it(
    name: str, record: Makes, told: Told
) -> None:
    first = record(ContactId=FIRST)
    other = Contact(FIRST)
    other.observe(first)
    (made,) = plan(other, [pipeline("x")], 0.0, Terms()).actions
    second = told(record(InitiationMethod="TRANSFER", **LINKED))
    assert subject(second, KEY.replace("Previous", name)) is None
    for fact in told_others_back(first, second):
        second.observe(fact)
    expected = record_id(FIRST, "p", "CALL")
    assert subject(second, KEY.replace("Previous", name)) == expected
    assert made.place == f"phonecalls({expected})"


def told_others_back(first: Fact, second: Contact) -> list[Fact]:
    """What the first contact tells the second, as if it named it."""
    body = first.body.replace(b"{", b'{"RelatedContactId":"' + second.id.encode() + b'",', 1)
    return told_others(Fact(first.contact_id, first.register, first.version, body, first.at))


@pytest.mark.parametrize(
    ("first", "terms"),
    [
        ({"InitiationMethod": "MONITOR"}, {}),
        ({"InitiationMethod": "EXTERNAL_OUTBOUND"}, {}),
        ({"InitiationMethod": "DISCONNECT", "Agent": None, "Queue": None}, {}),
        ({"Channel": "CHAT"}, {"when": 'when = { Channel = "VOICE" }'}),
        ({"Channel": "CHAT"}, {"step_when": 'when = { Channel = "VOICE" }'}),
        ({"Agent": None}, {"on": "answered"}),
        ({"Attributes": {"a": "b"}}, {"when": "when = { Attributes.a = 'b' }"}),
    ],
)
def test_a_record_that_will_not_be_made_as_far_as_is_known_has_no_name(
    first: dict[str, Any], terms: dict[str, str], record: Makes, told: Told
) -> None:
    second = told(record(InitiationMethod="TRANSFER", Attributes={"a": "b"}, **LINKED))
    for fact in told_others_back(record(ContactId=FIRST, **first), second):
        second.observe(fact)
    assert subject(second, f"x {KEY}", **terms) == "x "
    assert subject(second, "{{Previous.Channel}}", **terms) == first.get("Channel", "VOICE")


LINKING = """
name = "p"
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"x@odata.bind": "/phonecalls({{Previous.CALL-Response.activityid}})"}'
"""


def test_a_link_to_another_contacts_record_is_warned_about() -> None:
    (warning,) = load(LINKING).warnings()
    assert "links to the record of another contact" in warning


def test_of_another_contact_its_agent_queue_channel_and_method_are_known(
    record: Makes, told: Told
) -> None:
    second = told(record(InitiationMethod="TRANSFER", **LINKED))
    assert subject(second, "{{Previous}} {{Previous.ContactId}}") == f"{FIRST} {FIRST}"
    for fact in told_others_back(record(ContactId=FIRST), second):
        second.observe(fact)
    text = "{{Initial.Agent}} {{Previous.Queue.Name}} {{Previous.InitiationMethod}}"
    assert subject(second, text) == "ada Support INBOUND"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Previous.NONE-Response.activityid",
            "no step that creates a record whose answer is NONE-R",
        ),
        (
            "Previous.CALL-Response.subject",
            "the key alone is known: Previous.CALL-Response.activityid",
        ),
        ("Previous.CALL-Response", "the key alone is known"),
        (
            "Next.Agnt",
            "Next has no 'Agnt'; it has Agent, Channel, ContactId, InitiationMethod, Queue",
        ),
        ("Previou.ContactId", "did you mean Previous"),
    ],
)
def test_a_name_that_no_other_contact_has_is_refused_with_what_there_is(
    name: str, message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        pipeline(f"{{{{{name}}}}}")


@pytest.mark.parametrize(
    "name", ["Related.Agent.Username", "Initial.queue", "Next", "ThirdParties"]
)
def test_names_of_other_contacts_are_accepted(name: str) -> None:
    assert pipeline(f"{{{{{name}}}}}").steps


def test_a_condition_alone_can_ask_for_the_record_of_another_contact(
    record: Makes, told: Told
) -> None:
    first = record(ContactId=FIRST)
    second = told(record(InitiationMethod="TRANSFER", **LINKED))
    asking = load(ASKING)
    assert len(plan(second, [asking], 0.0, Terms()).actions) == 1
    for fact in told_others_back(first, second):
        second.observe(fact)
    assert len(plan(second, [asking], 0.0, Terms()).actions) == 2


ASKING = """
name = "p"

[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "Call"}'

[[step]]
name = "NOTE"
on = "created"
method = "POST"
entity = "annotations"
when = { "Previous.CALL-Response.activityid" = { present = true } }
body = '{"subject": "Transferred"}'
"""
