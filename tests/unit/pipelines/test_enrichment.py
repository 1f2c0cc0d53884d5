"""What Connect is asked about a contact, and for how long its answers count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contact import Contact
from pipelines.enrichment import MOMENTS, Question, wanted
from pipelines.fact import Fact
from pipelines.loader import load
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.view import view


Makes = Callable[..., Fact]
Told = Callable[..., Contact]

AT = "2026-01-02T03:00:30.000Z"

STEP = """
[[step]]
name = "MAKE{number}"
on = "{on}"
method = "POST"
entity = "phonecalls"
body = '{{"subject": "{text}"}}'
"""


def reading(*texts: str, on: str = "created", head: str = "", tail: str = "") -> list[Pipeline]:
    """A pipeline whose steps read these names."""
    steps = "".join(STEP.format(number=n, on=on, text=t) for n, t in enumerate(texts))
    return [load(f'name = "p"\n{head}\n{steps}\n{tail}')]


def topics(contact: Contact, pipelines: list[Pipeline]) -> list[str]:
    return [question.topic for question in wanted(contact, pipelines)]


def answer(contact: Contact, question: Question, said: dict[str, Any], at: str = AT) -> None:
    fact = question.answered(contact, said, at)
    assert fact is not None
    contact.observe(fact)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("{{CustomerEndpoint}}", ["contact"]),
        ("{{customerendpoint.Type}}", ["contact"]),
        ("{{Attributes.CallReason}}", ["attributes"]),
        ("{{Agent}} {{Agent.Username}} {{Username}}", ["agent"]),
        ("{{Agent.ARN}}", []),
        ("{{Queue | upcase}}", ["queue"]),
        ("{{Queue.EnqueueTimestamp}}", []),
        ("{{ContactId}} {{Channel}} {{DisconnectReason}}", []),
    ],
)
def test_what_events_do_not_say_is_asked_for_if_a_step_reads_it(
    event: Makes, told: Told, text: str, asked: list[str]
) -> None:
    contact = told(event("INITIATED"), event("CONNECTED_TO_AGENT"))
    assert topics(contact, reading(text)) == asked


def test_a_question_names_instance_and_thing_by_their_ids(event: Makes, told: Told) -> None:
    contact = told(event("CONNECTED_TO_AGENT", initialContactId="first"))
    every = reading("{{CustomerEndpoint}} {{Attributes.a}} {{Agent}} {{Queue}}")
    asked = {q.topic: (q.instance_id, q.about) for q in wanted(contact, every)}
    assert asked == {
        "contact": ("1a2b", contact.id),
        "attributes": ("1a2b", "first"),
        "agent": ("1a2b", "88"),
        "queue": ("1a2b", "77"),
    }


def test_tags_and_endpoints_of_events_come_first(event: Makes, told: Told) -> None:
    customer = {"address": "+4930901820", "type": "TELEPHONE_NUMBER"}
    contact = told(event("INITIATED", customerEndpoint=customer, tags={"crm": "1"}))
    assert topics(contact, reading("{{CustomerEndpoint}} {{Tags.crm}}")) == []


@pytest.mark.parametrize("text", ["{{CustomerEndpoint}}", "{{Attributes.a}}", "{{Agent}}"])
def test_nothing_is_asked_once_the_contact_record_is_there(
    event: Makes, record: Makes, told: Told, text: str
) -> None:
    bare = record(CustomerEndpoint=None, Attributes=None, Agent=None)
    assert topics(told(event("CONNECTED_TO_AGENT"), bare), reading(text)) == []


def test_nothing_is_asked_of_a_replayed_contact_or_of_a_file_alone(
    event: Makes, stored: Makes, told: Told
) -> None:
    contact = told(event("INITIATED"))
    contact.replayed = True
    assert topics(contact, reading("{{CustomerEndpoint}}")) == []
    assert topics(told(stored()), reading("{{CustomerEndpoint}}")) == []


def test_nothing_is_asked_for_steps_whose_time_has_not_come(event: Makes, told: Told) -> None:
    assert topics(told(event("INITIATED")), reading("{{CustomerEndpoint}}", on="answered")) == []


def test_conditions_are_read_too_and_may_exclude(event: Makes, told: Told) -> None:
    contact = told(event("QUEUED"))
    by_queue = reading("x", head='when = { "Queue.Name" = ["Support"] }')
    assert topics(contact, by_queue) == ["queue"]
    chats = reading("{{CustomerEndpoint}}", head='when = { Channel = ["CHAT"] }')
    assert topics(contact, chats) == []


def test_side_legs_are_asked_about_only_if_a_condition_names_them(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED", initiationMethod="MONITOR"))
    assert topics(contact, reading("{{CustomerEndpoint}}")) == []
    named = reading("{{CustomerEndpoint}}", head='when = { InitiationMethod = ["MONITOR"] }')
    assert topics(contact, named) == ["contact"]


def test_attributes_that_go_back_may_read_what_is_asked_for(event: Makes, told: Told) -> None:
    tail = '[writeback]\nms_search_text = "{{CustomerEndpoint}}"'
    assert topics(told(event("INITIATED")), reading("x", tail=tail)) == ["contact"]


def test_an_agents_own_queue_has_no_name_to_ask_for(event: Makes, told: Told) -> None:
    own = {"queueArn": "arn:aws:connect:x:1:instance/1a2b/queue/agent/88"}
    assert topics(told(event("QUEUED", queueInfo=own)), reading("{{Queue}}")) == []


@pytest.mark.parametrize(
    "said", [{}, {"CustomerEndpoint": {"Address": "+1", "Type": "TELEPHONE_NUMBER"}}]
)
def test_an_answer_is_not_asked_for_again_even_if_it_said_nothing(
    event: Makes, told: Told, said: dict[str, Any]
) -> None:
    contact, pipelines = told(event("INITIATED")), reading("{{CustomerEndpoint}}")
    (question,) = wanted(contact, pipelines)
    answer(contact, question, said)
    assert wanted(contact, pipelines) == []


def test_attributes_are_asked_for_anew_when_a_later_step_reads_them(
    event: Makes, told: Told
) -> None:
    contact = told(event("INITIATED"))
    early = reading("{{Attributes.a}}")
    late = early + reading("{{Attributes.a}}", on="answered")
    (question,) = wanted(contact, late)
    answer(contact, question, {"Attributes": {"a": "1"}})
    assert wanted(contact, late) == []
    contact.observe(event("CONNECTED_TO_AGENT"))
    assert wanted(contact, early) == []
    (question,) = wanted(contact, late)
    answer(contact, question, {"Attributes": {"a": "2"}}, "2026-01-02T03:01:00.000Z")
    assert view(contact)["Attributes"] == {"a": "2"}
    assert wanted(contact, late) == []


def test_a_name_counts_for_the_agent_it_was_asked_of(event: Makes, told: Told) -> None:
    contact, pipelines = told(event("CONNECTED_TO_AGENT")), reading("{{Agent}}")
    (question,) = wanted(contact, pipelines)
    answer(contact, question, {"Username": "ada"})
    assert view(contact)["Username"] == "ada"
    assert view(contact)["Agent"]["ConnectedToAgentTimestamp"] == "2026-01-02T03:00:20Z"
    other = {"agentArn": "arn:aws:connect:x:1:instance/1a2b/agent/99"}
    contact.observe(event("COMPLETED", agentInfo=other))
    assert "Username" not in view(contact)
    assert [question.about for question in wanted(contact, pipelines)] == ["99"]


def test_what_events_say_goes_before_what_connect_answered(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED"))
    customer = {"address": "+2", "type": "TELEPHONE_NUMBER"}
    question = Question("contact", "1a2b", contact.id)
    answer(contact, question, {"CustomerEndpoint": {"Address": "+1"}, "Channel": "CHAT"})
    assert view(contact)["CustomerEndpoint"]["Address"] == "+1"
    contact.observe(event("QUEUED", customerEndpoint=customer))
    assert view(contact)["CustomerEndpoint"]["Address"] == "+2"
    assert view(contact)["Channel"] == "VOICE"


values = st.none() | st.text(max_size=5) | st.integers(-9, 9)
said_of = st.fixed_dictionaries(
    {},
    optional={
        "CustomerEndpoint": st.dictionaries(st.sampled_from(["Address", "Type"]), values),
        "SystemEndpoint": st.dictionaries(st.sampled_from(["Address", "Type"]), values),
        "Attributes": st.dictionaries(st.text(max_size=5), values),
        "Username": values,
        "Name": values,
        "Channel": values,
    },
)
told_about = st.sampled_from(
    [
        (),
        (("ARN", "arn:aws:connect:eu-central-1:111122223333:instance/1a2b/agent/88"),),
        *((("AskedOn", on),) for on in MOMENTS),
    ]
)
questions = st.builds(
    Question,
    st.sampled_from(["contact", "attributes", "agent", "queue"]),
    st.just("1a2b"),
    st.just("88"),
    told_about,
)


@given(st.lists(st.tuples(questions, said_of), max_size=6), st.data())
def test_what_connect_answered_counts_only_until_the_contact_record_is_there(
    event: Makes,
    record: Makes,
    told: Told,
    answers: list[tuple[Question, dict[str, Any]]],
    data: st.DataObject,
) -> None:
    absent = data.draw(st.sets(st.sampled_from(["CustomerEndpoint", "Agent", "Queue", "Channel"])))
    facts = [event("INITIATED"), event("CONNECTED_TO_AGENT"), record(**dict.fromkeys(absent))]
    plain, enriched = told(*facts), told(*facts)
    for question, said in answers:
        answer(enriched, question, said)
    assert view(enriched) == view(plain)
    pipelines = reading("{{CustomerEndpoint}} {{Agent}} {{Queue}} {{Attributes.a}}")
    assert plan(enriched, pipelines, 0, Terms()) == plan(plain, pipelines, 0, Terms())
    assert wanted(enriched, pipelines) == []
