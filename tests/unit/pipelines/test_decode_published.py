"""Samples published by others are read as their authors meant them."""

from __future__ import annotations

import json

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.decode import decode
from pipelines.fact import Fact, Ignored, Undecodable


PUBLISHED = Path(__file__).parents[2] / "samples" / "published"

OUTCOMES = [
    (
        "awsdocs__contact-events_84f4d79_0_CONNECTED_TO_AGENT.json",
        "event/CONNECTED_TO_AGENT",
        "2021-05-01T18:43:48.000Z",  # its envelope's: it has no time of its own
    ),
    (
        "awsdocs__contact-events_84f4d79_1_DISCONNECTED.json",
        "event/DISCONNECTED",
        "2021-08-04T17:18:37.000Z",  # beside the detail
    ),
    (
        "awsdocs__contact-events_9c43ca5_0_CONNECTED_TO_AGENT.json",
        "event/CONNECTED_TO_AGENT",
        "2021-08-04T17:29:09.000Z",  # without envelope
    ),
]

OTHERS = [
    ("awsdocs__chat_9342a9b_0.json", Ignored("Contact Lens analysis file")),
    ("awsdocs__voice_3d55bca_1.json", Ignored("Contact Lens analysis file")),
    ("negative__connectContactFlowEventAll.json", Ignored("contact flow payload")),
    (
        "other_detail_type__rules-fail_0.json",
        Ignored("other event: Amazon Connect Rules Action Execution Failed"),
    ),
    (
        "powertools__s3EventBridgeNotificationObjectCreatedEvent.json",
        Ignored("object that is not Amazon Connect's"),
    ),
    ("powertools__s3SqsEvent.json", Ignored("object that is not Amazon Connect's")),
    ("powertools__snsSqsEvent.json", Undecodable("no contact identity")),
]

S3_REASONS = {
    "S3 event that creates no object",
    "object that is not Amazon Connect's",
    "S3 test event",
}


@pytest.mark.parametrize(("name", "register", "version"), OUTCOMES)
def test_published_contact_events_are_facts(name: str, register: str, version: str) -> None:
    (fact,) = decode((PUBLISHED / name).read_bytes())
    assert isinstance(fact, Fact)
    assert (fact.register, fact.version) == (register, version)
    assert fact.contact_id == "11111111-1111-1111-1111-111111111111"


@pytest.mark.parametrize(("name", "outcome"), OTHERS)
def test_other_published_payloads_have_their_outcomes(
    name: str, outcome: Ignored | Undecodable
) -> None:
    assert decode((PUBLISHED / name).read_bytes()) == [outcome]


def notifications(part: Any) -> Iterator[Any]:
    """What was recorded of S3: single records, EventBridge events, SNS messages, test events."""
    if isinstance(part, dict):
        if "s3" in part:
            yield {"Records": [part]}
        elif part.get("Type") == "Notification":
            yield part | {"Message": json.dumps(part["Message"])}
        elif "detail" in part or part.get("Event") == "s3:TestEvent":
            yield part
        else:
            for value in part.values():
                yield from notifications(value)
    elif isinstance(part, list):
        for value in part:
            yield from notifications(value)


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("localstack__*")), ids=lambda p: p.name)
def test_s3_notifications_recorded_from_aws_are_understood(path: Path) -> None:
    recorded = list(notifications(json.loads(path.read_bytes())))
    assert recorded
    for notification in recorded:
        for outcome in decode(json.dumps(notification).encode()):
            assert isinstance(outcome, Ignored), outcome
            assert outcome.reason in S3_REASONS


def test_every_sample_is_named_here() -> None:
    named = {name for name, *_ in [*OUTCOMES, *OTHERS]}
    found = {path.name for path in PUBLISHED.glob("*.json")}
    assert {name for name in found if not name.startswith("localstack__")} == named
