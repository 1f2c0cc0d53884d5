"""The chat pipeline: who wrote with whom, and what they wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pipelines.action import Action, Change
from pipelines.contact import Contact
from pipelines.entity import entity
from pipelines.fact import Fact
from pipelines.plan import Terms, plan
from worker.definitions import find


Makes = Callable[..., Fact]
Told = Callable[..., Contact]
CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

CHAT = {"Channel": "CHAT", "CustomerEndpoint": None, "InitiationMethod": "API"}
NOW = 1_767_322_800.0
PLACE = "connect/acme/ChatTranscripts/2026/01/02/{}_20260102T03:00_UTC.json"


def planned(contact: Contact) -> list[Action]:
    return plan(contact, [find("chat")], NOW, Terms(files="original")).actions


def made(contact: Contact) -> dict[str, Any]:
    create = planned(contact)[0]
    assert isinstance(create, Change)
    return create.columns


def subtype(value: Any) -> dict[str, Any]:
    return {"SegmentAttributes": {"connect:Subtype": {"ValueString": value}}}


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({}, "Chat between ada and unknown customer"),
        ({"Agent": None}, "Chat between no agent and unknown customer"),
        ({"Attributes": {"customerName": "Bob Sample"}}, "Chat between ada and Bob Sample"),
        ({"Attributes": {"customerName": "B" * 90}}, f"Chat between ada and {'B' * 79}…"),
        (
            {
                **subtype("connect:SMS"),
                "CustomerEndpoint": {"Address": "+447700900123", "Type": "TELEPHONE_NUMBER"},
            },
            "SMS between ada and +447700900123",
        ),
        (subtype("connect:Chat"), "Chat between ada and unknown customer"),
        (subtype(None), "Chat between ada and unknown customer"),
    ],
)
def test_the_subject_of_a_chat_says_who_wrote_with_whom(
    record: Makes, told: Told, fields: dict[str, Any], subject: str
) -> None:
    assert made(told(record(**CHAT | fields)))["subject"] == subject


@pytest.fixture(params=[True, False], ids=["record", "events"])
def transcribed(
    event: Makes, record: Makes, stored: Makes, told: Told, request: pytest.FixtureRequest
) -> Contact:
    """A chat whose transcript is there, with or without its contact record."""
    ended = event("DISCONNECTED", channel="CHAT", initiationMethod="API")
    contact = told(record(**CHAT) if request.param else ended)
    contact.observe(stored(PLACE.format(contact.id)))
    return contact


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"transcript": "CUSTOMER: Hi\nAGENT: Hello"}, "_UTC.json\n\nCUSTOMER: Hi\nAGENT: Hello"),
        ({}, "_UTC.json"),
        ({"transcript": "x" * 3_000}, "x…"),
    ],
)
def test_a_chat_has_the_way_to_its_transcript_and_what_of_it_fits(
    transcribed: Contact, carry_out: CarryOut, said: Any, text: str
) -> None:
    carry_out(transcribed, planned(transcribed), said)
    description = made(transcribed)["description"]
    assert description.startswith("Your Transcript URI is https://recordings.s3.")
    assert description.endswith(text)
    assert len(description) <= entity("tasks").lengths["description"]
