"""Samples of others, and of every kind of contact, become the records a person would expect."""

from __future__ import annotations

import json

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


Command = Callable[..., Any]

SAMPLES = Path(__file__).parents[2] / "samples"
PUBLISHED = SAMPLES / "published"
EVERY_KIND = SAMPLES / "every-kind"

ANALYSIS = "Contact Lens analysis file"
NOT_OURS = "object that is not Amazon Connect's"

#: Methods of contacts that are part of another one; here no flow afterwards queues anybody.
ASIDE = ("DISCONNECT", "EXTERNAL_OUTBOUND")

#: Sample -> why it is ignored. All of them are one message.
IGNORED = {
    "awsdocs__chat_9342a9b_0.json": ANALYSIS,
    "awsdocs__voice_3d55bca_1.json": ANALYSIS,
    "negative__connectContactFlowEventAll.json": "contact flow payload",
    "other_detail_type__rules-fail_0.json": (
        "other event: Amazon Connect Rules Action Execution Failed"
    ),
    "powertools__s3EventBridgeNotificationObjectCreatedEvent.json": NOT_OURS,
    "powertools__s3SqsEvent.json": NOT_OURS,
}

#: Sample -> the phone call's columns. They are single events: little is known yet.
CALLS: dict[str, dict[str, Any]] = {
    "awsdocs__contact-events_84f4d79_0_CONNECTED_TO_AGENT.json": {"statecode": 0},
    "awsdocs__contact-events_84f4d79_1_DISCONNECTED.json": {"statecode": 1, "statuscode": 4},
    "awsdocs__contact-events_9c43ca5_0_CONNECTED_TO_AGENT.json": {
        "statecode": 0,
        "actualstart": "2021-08-04T17:17:53Z",
    },
}


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_what_is_not_for_us_is_ignored_with_its_reason(command: Command, name: str) -> None:
    ended = command("replay", "--dynamics", "sandbox", PUBLISHED / name, "--report", "json")
    assert ended.status == 0
    assert ended.report["ignored_by_reason"] == {IGNORED[name]: 1}
    assert ended.report["writes"] == 0
    assert IGNORED[name] in ended.err


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_published_event_becomes_a_phone_call(command: Command, place: Path, name: str) -> None:
    assert (
        command("replay", "--dynamics", "sandbox", PUBLISHED / name, "--dump", "dump.json").status
        == 0
    )
    (call,) = json.loads((place / "dump.json").read_bytes())["phonecalls"]
    assert CALLS[name].items() <= call.items()
    assert call["directioncode"] is False
    said = (PUBLISHED / name).read_bytes()
    answered = b"CONNECTED_TO_AGENT" in said or b"connectedToAgentTimestamp" in said
    who = "an agent" if answered else "no agent"  # whose name events do not have
    assert call["subject"] == f"Call between {who} and unknown number"


def test_every_published_sample_comes_to_something(command: Command) -> None:
    """Read all together: nothing is lost, and what is no message is kept."""
    ended = command("replay", "--dynamics", "sandbox", PUBLISHED, "--report", "json")
    assert ended.status == 3
    report = ended.report
    assert report["contacts"] == 1  # they share an invented id
    assert report["ignored"] == len(IGNORED)
    files = len(list(PUBLISHED.iterdir()))
    assert report["quarantined"] >= files - len(IGNORED) - len(CALLS)


def phone_call(truth: dict[str, Any]) -> tuple[Any, ...]:
    """What the phone call of a contact shows, from what happened."""
    url = truth["recording_url"]
    who = truth["agent"] or "no agent"
    return (
        truth["start"],
        truth["end"],
        truth["number"],
        truth["outgoing"],
        f"Call between {who} and {truth['number'] or 'unknown number'}",
        truth["queue"],
        f"Your Recording URI is {url}" if url else truth["why"],
        (2, 3) if truth["fate"] == "cancelled" else (1, 2 if truth["outgoing"] else 4),
    )


def shown(row: dict[str, Any]) -> tuple[Any, ...]:
    """The same, from the record."""
    columns = ("actualstart", "actualend", "phonenumber", "directioncode", "subject")
    more = ("subcategory", "description")
    state = (row["statecode"], row["statuscode"])
    return (*(row.get(name) for name in (*columns, *more)), state)


def test_every_kind_of_contact_becomes_its_phone_calls_and_no_other(
    command: Command, place: Path
) -> None:
    """Three contacts of each kind, in the three archives a team would keep.

    One phone call per leg of a call, none for the flow after it, none for chat, task and e-mail.
    """
    ended = command(
        "replay", "--dynamics", "sandbox", EVERY_KIND, "--report", "json", "--dump", "dump.json"
    )
    lines = (EVERY_KIND / "truths.ndjson").read_text().splitlines()
    truths = [json.loads(line) for line in lines]
    calls = [t for t in truths if t["channel"] == "VOICE" and t["method"] not in ASIDE]
    rows = json.loads((place / "dump.json").read_bytes())["phonecalls"]
    assert ended.report["contacts"] == len(truths)
    assert sorted(map(shown, rows), key=str) == sorted(map(phone_call, calls), key=str)
    assert ended.report["requests"] <= 2 * len(calls)


@pytest.mark.parametrize(
    "name", ["day.ndjson", "day.json", "day.firehose.gz"], ids=lambda name: name.partition(".")[2]
)
def test_the_form_of_an_archive_makes_no_difference(
    command: Command, place: Path, name: str
) -> None:
    command("replay", "--dynamics", "sandbox", SAMPLES / name, "--dump", "dump.json")
    calls = json.loads((place / "dump.json").read_bytes())["phonecalls"]
    assert {(row["actualstart"], row["phonenumber"]) for row in calls} == {
        ("2026-01-02T09:00:00Z", "+15555550100"),
        ("2026-01-02T09:00:10Z", "+15555550100"),
    }
