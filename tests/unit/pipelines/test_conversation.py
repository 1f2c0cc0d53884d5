"""Which legs are conversations of their own, and what the others are told to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.contact import Contact
from pipelines.conversation import no_conversation
from pipelines.enrichment import wanted
from pipelines.fact import Fact
from pipelines.live import LIVE_WITHIN_S
from pipelines.loader import load
from pipelines.plan import Terms, plan
from pipelines.snapshot import epoch
from worker.operations.contact import described
from worker.stores.protocol import Entry


Makes = Callable[..., Fact]
Told = Callable[..., Contact]

QUEUE = {"ARN": "arn:q/77", "Name": "Billing", "EnqueueTimestamp": "2026-01-02T03:00:05Z"}
AGENT = {"ARN": "arn:a/88", "Username": "maud.ellery"}
#: What a contact record has of a leg that was neither queued nor taken.
NOBODY = {"ARN": None, "Username": None, "AgentInteractionDuration": 0, "NumberOfHolds": 0}

STEPS = """
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "tasks"
body = '{"subject": "{{Queue.Name}}"}'

[[step]]
name = "OPEN"
on = "answered"
open = "main.aspx"
query = '{"etn": "task"}'

[writeback]
ms_id = "{{ContactId}}"
"""
PIPELINE = load(f'name = "p"\n{STEPS}')
LIVE = Terms(live=True)


def kinds(contact: Contact, pipeline: Any = PIPELINE, terms: Terms = LIVE) -> list[str]:
    """What is to be done just after an agent answered."""
    now = (epoch("2026-01-02T03:00:20Z") or 0) + LIVE_WITHIN_S / 2
    return [action.kind for action in plan(contact, [pipeline], now, terms).actions]


@pytest.mark.parametrize(
    ("method", "names", "is_one"),
    [
        ("DISCONNECT", {}, False),
        ("DISCONNECT", {"Queue": QUEUE}, True),
        ("DISCONNECT", {"Queue": {"ARN": "arn:q/77"}}, False),
        ("DISCONNECT", {"Queue": {"EnqueueTimestamp": "2026-01-02T03:00:05Z"}}, True),
        ("DISCONNECT", {"Agent": AGENT}, True),
        ("DISCONNECT", {"Agent": {"ConnectedToAgentTimestamp": "2026-01-02T03:00:20Z"}}, True),
        ("DISCONNECT", {"Agent": NOBODY, "Queue": {"ARN": None, "Duration": 0}}, False),
        ("DISCONNECT", {"Agent": "maud.ellery"}, False),
        ("MONITOR", {"Agent": AGENT, "Queue": QUEUE}, False),
        ("EXTERNAL_OUTBOUND", {"Agent": AGENT}, False),
        ("TRANSFER", {}, True),
        ("QUEUE_TRANSFER", {}, True),
        ("A_METHOD_OF_TOMORROW", {}, True),
        (None, {}, True),
    ],
)
def test_a_flow_after_a_leg_is_a_conversation_once_it_is_queued_or_has_an_agent(
    method: str | None, names: dict[str, Any], is_one: bool
) -> None:
    assert (no_conversation({"InitiationMethod": method, **names}) == "") is is_one


def test_a_flow_after_a_leg_gets_its_record_when_it_is_queued_and_its_page_when_it_is_answered(
    event: Makes, told: Told
) -> None:
    contact = told(event("INITIATED", initiationMethod="DISCONNECT"))
    assert kinds(contact) == []
    assert wanted(contact, [PIPELINE]) == []
    contact.observe(event("QUEUED", initiationMethod="DISCONNECT"))
    assert kinds(contact) == ["attributes", "create"]
    contact.observe(event("CONNECTED_TO_AGENT", initiationMethod="DISCONNECT"))
    assert kinds(contact) == ["attributes", "open", "create"]


@pytest.mark.parametrize("queue", [QUEUE, None])
def test_a_flow_after_a_leg_that_was_queued_and_abandoned_gets_a_record_by_the_record_alone(
    record: Makes, told: Told, queue: dict[str, str] | None
) -> None:
    contact = told(record(InitiationMethod="DISCONNECT", Agent=NOBODY, Queue=queue))
    assert kinds(contact, terms=Terms()) == (["create"] if queue else [])


@pytest.mark.parametrize("method", ["MONITOR", "EXTERNAL_OUTBOUND"])
def test_a_leg_that_is_part_of_another_gets_neither_record_nor_page_nor_attributes(
    event: Makes, record: Makes, told: Told, method: str
) -> None:
    contact = told(event("CONNECTED_TO_AGENT", initiationMethod=method))
    assert kinds(contact) == []
    waiting = plan(contact, [PIPELINE], 0.0, LIVE).waiting
    assert f"no: {method} legs (" in waiting["p/MAKE"]
    assert {"p/MAKE", "p/OPEN", "p/writeback"} <= waiting.keys()
    assert kinds(told(record(InitiationMethod=method, Agent=AGENT)), terms=Terms()) == []


@pytest.mark.parametrize("method", ["DISCONNECT", "MONITOR", "EXTERNAL_OUTBOUND"])
def test_a_pipeline_that_names_the_method_gets_records_of_legs_that_are_part_of_others(
    event: Makes, told: Told, method: str
) -> None:
    contact = told(event("INITIATED", initiationMethod=method))
    asking = load(f'name = "p"\nwhen = {{ InitiationMethod = ["{method}"] }}\n{STEPS}')
    assert kinds(contact, asking) == ["create"]


def test_contact_show_says_of_a_leg_that_is_left_out_what_it_is(event: Makes, told: Told) -> None:
    for method, left_out in (("MONITOR", True), ("DISCONNECT", True), ("TRANSFER", False)):
        contact = told(event("INITIATED", initiationMethod=method))
        seen = described(Entry(contact, version=1), [PIPELINE], LIVE, 0.0)
        assert (f"one of the {method} legs (" in seen.get("no_conversation", "")) is left_out
        assert ("get no record" in seen["waiting"].get("p/MAKE", "")) is left_out
