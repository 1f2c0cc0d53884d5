"""Ten contacts, and the phone calls a person expects of them, both written by hand."""

from __future__ import annotations

import json

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


Command = Callable[..., Any]
Message = dict[str, Any]

INSTANCE = "arn:aws:connect:eu-central-1:111122223333:instance/1a2b"
BUCKET = "acme-calls"

#: Ten contacts; the last digit of an id is its number.
ID = "5ca32fbd-8f92-46af-92a5-6b0f970f0ef{}"


def event(number: int, kind: str, method: str = "INBOUND", **said: Any) -> Message:
    """A contact event about contact ``number``; times are of one morning."""
    detail = {
        "eventType": kind,
        "contactId": ID.format(number),
        "channel": said.pop("channel", "VOICE"),
        "initiationMethod": method,
        "instanceArn": INSTANCE,
    }
    envelope = {"detail-type": "Amazon Connect Contact Event", "source": "aws.connect"}
    return {**envelope, "time": "2026-03-04T10:00:00Z", "detail": {**detail, **said}}


def record(number: int, method: str = "INBOUND", **said: Any) -> Message:
    """Its contact record."""
    return {
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "ContactId": ID.format(number),
        "InstanceARN": INSTANCE,
        "Channel": "VOICE",
        "InitiationMethod": method,
        "LastUpdateTimestamp": "2026-03-04T11:00:00Z",
        **said,
    }


def recording(number: int, minute: str) -> Message:
    """The notification of its recording; S3 encodes keys as forms do."""
    name = f"{ID.format(number)}_20260304T{minute}_UTC.wav"
    key = f"connect/acme/CallRecordings/2026/03/04/{name}".replace(":", "%3A")
    thing = {"key": key, "size": 1, "eTag": "0", "sequencer": "0055AED6DCD90281E5"}
    stored = {"bucket": {"name": BUCKET}, "object": thing}
    head = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    time = {"eventTime": "2026-03-04T11:00:00.000Z", "awsRegion": "eu-central-1"}
    return {"Records": [{**head, **time, "s3": stored}]}


def number(address: str) -> dict[str, str]:
    return {"Address": address, "Type": "TELEPHONE_NUMBER"}


def recorded(contact: int, minute: str) -> str:
    """What the agent reads about the recording; a link may not hold a bare colon."""
    name = f"{ID.format(contact)}_20260304T{minute.replace(':', '%3A')}_UTC.wav"
    folder = "connect/acme/CallRecordings/2026/03/04"
    return f"Your Recording URI is https://{BUCKET}.s3.eu-central-1.amazonaws.com/{folder}/{name}"


#: A column without a value.
NONE = None
INCOMING, OUTGOING = False, True
OPEN, RECEIVED, MADE, CANCELLED = (0, 1), (1, 4), (1, 2), (2, 3)

GOLDEN: dict[str, tuple[list[Message], list[dict[str, Any]]]] = {
    "an answered and recorded call": (
        [
            event(0, "INITIATED", initiationTimestamp="2026-03-04T09:00:00.403Z"),
            event(0, "CONNECTED_TO_AGENT", initiationTimestamp="2026-03-04T09:00:00.403Z"),
            event(0, "DISCONNECTED", disconnectTimestamp="2026-03-04T09:03:01.154Z"),
            record(
                0,
                InitiationTimestamp="2026-03-04T09:00:00Z",
                DisconnectTimestamp="2026-03-04T09:03:01Z",
                CustomerEndpoint=number("+15555550100"),
                Agent={"Username": "anna", "ConnectedToAgentTimestamp": "2026-03-04T09:00:30Z"},
                Queue={"Name": "Billing", "EnqueueTimestamp": "2026-03-04T09:00:09Z"},
            ),
            recording(0, "09:00"),
        ],
        [
            {
                "subject": "Call between anna and +15555550100",
                "phonenumber": "+15555550100",
                "directioncode": INCOMING,
                "actualstart": "2026-03-04T09:00:00Z",
                "actualend": "2026-03-04T09:03:01Z",
                "actualdurationminutes": 4,
                "category": "VOICE",
                "subcategory": "Billing",
                "description": recorded(0, "09:00"),
                "state": RECEIVED,
            }
        ],
    ),
    "a call given up while waiting": (
        [
            event(1, "INITIATED", initiationTimestamp="2026-03-04T09:10:00.000Z"),
            event(1, "QUEUED", queueInfo={"enqueueTimestamp": "2026-03-04T09:10:09.000Z"}),
            record(
                1,
                InitiationTimestamp="2026-03-04T09:10:00Z",
                DisconnectTimestamp="2026-03-04T09:11:00Z",
                CustomerEndpoint=number("+15555550101"),
                Queue={"Name": "Sales", "EnqueueTimestamp": "2026-03-04T09:10:09Z"},
            ),
        ],
        [
            {
                "subject": "Call between no agent and +15555550101",
                "actualdurationminutes": 1,
                "subcategory": "Sales",
                "description": NONE,
                "state": RECEIVED,
            }
        ],
    ),
    "a call an agent made, whose record alone came": (
        [
            record(
                2,
                "OUTBOUND",
                InitiationTimestamp="2026-03-04T09:20:00Z",
                DisconnectTimestamp="2026-03-04T09:20:59Z",
                CustomerEndpoint=number("+15555550102"),
                Agent={"Username": "ben", "ConnectedToAgentTimestamp": "2026-03-04T09:20:10Z"},
            )
        ],
        [
            {
                "subject": "Call between ben and +15555550102",
                "directioncode": OUTGOING,
                "actualstart": "2026-03-04T09:20:00Z",
                "actualend": "2026-03-04T09:20:59Z",
                "subcategory": NONE,
                "state": CANCELLED,
            }
        ],
    ),
    "a callback": (
        [
            record(
                3,
                "CALLBACK",
                InitiationTimestamp="2026-03-04T06:30:00Z",
                ConnectedToSystemTimestamp="2026-03-04T09:30:20Z",
                DisconnectTimestamp="2026-03-04T09:40:00Z",
                CustomerEndpoint=number("+15555550103"),
                Agent={"Username": "anna", "ConnectedToAgentTimestamp": "2026-03-04T09:30:00Z"},
            )
        ],
        [
            {
                "directioncode": OUTGOING,
                "actualstart": "2026-03-04T09:30:00Z",
                "actualdurationminutes": 10,
                "state": MADE,
            }
        ],
    ),
    "a call still going on": (
        [event(4, "INITIATED", initiationTimestamp="2026-03-04T09:40:00.999Z")],
        [
            {
                "subject": "Call between no agent and unknown number",
                "phonenumber": NONE,
                "actualstart": "2026-03-04T09:40:00Z",
                "actualend": NONE,
                "state": OPEN,
            }
        ],
    ),
    "a call handed on: a phone call for each of its two legs": (
        [
            record(
                5,
                NextContactId=ID.format(6),
                InitiationTimestamp="2026-03-04T09:50:00Z",
                DisconnectTimestamp="2026-03-04T09:55:00Z",
                CustomerEndpoint=number("+15555550105"),
                Agent={"Username": "anna", "ConnectedToAgentTimestamp": "2026-03-04T09:50:20Z"},
            ),
            record(
                6,
                "TRANSFER",
                PreviousContactId=ID.format(5),
                InitialContactId=ID.format(5),
                InitiationTimestamp="2026-03-04T09:55:00Z",
                DisconnectTimestamp="2026-03-04T10:00:00Z",
                CustomerEndpoint=number("+15555550105"),
                Agent={"Username": "cleo", "ConnectedToAgentTimestamp": "2026-03-04T09:55:20Z"},
            ),
        ],
        [
            {
                "subject": "Call between anna and +15555550105",
                "directioncode": INCOMING,
                "actualstart": "2026-03-04T09:50:00Z",
                "state": RECEIVED,
            },
            {
                "subject": "Call between cleo and +15555550105",
                "directioncode": INCOMING,
                "actualstart": "2026-03-04T09:55:00Z",
                "state": RECEIVED,
            },
        ],
    ),
    "the flow after a call: no phone call of its own": (
        [
            event(7, "INITIATED", "DISCONNECT", initiationTimestamp="2026-03-04T10:00:01.000Z"),
            record(
                7,
                "DISCONNECT",
                PreviousContactId=ID.format(6),
                InitiationTimestamp="2026-03-04T10:00:01Z",
                DisconnectTimestamp="2026-03-04T10:00:09Z",
            ),
        ],
        [],
    ),
    "a chat: no phone call": (
        [event(8, "INITIATED", "API", channel="CHAT", initiationTimestamp="2026-03-04T10:01:00Z")],
        [],
    ),
    "a record sent again, the older one last, with 1970 for what is not set": (
        [
            event(9, "INITIATED", disconnectTimestamp="1970-01-01T00:00:00.001Z"),
            record(
                9,
                LastUpdateTimestamp="2026-03-05T00:00:00Z",
                InitiationTimestamp="2026-03-04T10:10:00Z",
                DisconnectTimestamp="2026-03-04T10:10:30Z",
                CustomerEndpoint=number("+15555550109"),
            ),
            record(
                9,
                LastUpdateTimestamp="2026-03-04T10:12:00Z",
                InitiationTimestamp="2026-03-04T10:10:00Z",
                DisconnectTimestamp="2026-03-04T10:10:30Z",
                CustomerEndpoint=number("+15555550199"),
            ),
        ],
        [{"phonenumber": "+15555550109", "actualdurationminutes": 1, "state": RECEIVED}],
    ),
}


def replayed(command: Command, place: Path, messages: list[Message]) -> list[dict[str, Any]]:
    """The phone calls, by their beginning."""
    lines = "\n".join(json.dumps(message) for message in messages)
    (place / "archive.json").write_text(lines)
    ended = command("replay", "--dynamics", "sandbox", "archive.json", "--dump", "dump.json")
    assert ended.status == 0
    calls = json.loads((place / "dump.json").read_bytes())["phonecalls"]
    for call in calls:
        call["state"] = call["statecode"], call["statuscode"]
    return sorted(calls, key=lambda call: str(call.get("actualstart")))


def chosen(calls: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The expected columns of the calls there are."""
    assert len(calls) == len(expected)
    pairs = zip(calls, expected, strict=True)
    return [{column: call.get(column) for column in wanted} for call, wanted in pairs]


@pytest.mark.parametrize("story", sorted(GOLDEN))
def test_a_contact_becomes_the_phone_call_a_person_expects(
    command: Command, place: Path, story: str
) -> None:
    messages, expected = GOLDEN[story]
    assert chosen(replayed(command, place, messages), expected) == expected


def test_all_of_them_at_once_and_backwards_are_the_same(command: Command, place: Path) -> None:
    messages = [message for story, _ in GOLDEN.values() for message in story]
    expected = [call for _, calls in GOLDEN.values() for call in calls]
    calls = replayed(command, place, messages[::-1])
    assert chosen(calls, expected) == expected
