"""Whoever judges the fleet notices what is lost, stale or there twice."""

from __future__ import annotations

import random

from collections import Counter
from collections.abc import Iterable

import pytest

from fleet.account import missing_in_state, repeated, wrong_in_dynamics
from fleet.ground import Requests
from fleet.producer import Put
from worker.engine.ingest import Ingest
from worker.sandbox import traffic
from worker.sandbox.oracle.verdict import OF_CHANNELS, Records, expected
from worker.sandbox.traffic import SentMessage
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore


#: A call whose record is written anew when a survey changed its attributes.
SURVEYED = next(
    story
    for story in (traffic.history("voice_inbound", random.Random(seed)) for seed in range(100))
    if len(story.parsed(traffic.RECORDS)) > 1
)
OLD, NEW = (sent for sent in SURVEYED.sent if sent.stream == traffic.RECORDS)
MALFORMED = traffic.malformed(random.Random(1))


async def missing(kept: Iterable[SentMessage]) -> list[str]:
    """What is said of a store that has these of all messages."""
    store = MemoryStore()
    await Ingest(store).handle([Message(sent.body, "test") for sent in kept])
    puts = [Put(sent, 0.0) for sent in [*SURVEYED.sent, MALFORMED]]
    return [fault async for fault in missing_in_state(store, puts)]


async def test_nothing_is_missing_where_all_was_kept() -> None:
    assert await missing([*SURVEYED.sent, MALFORMED]) == []


async def test_a_lost_message_is_noticed() -> None:
    (lost,) = await missing([*SURVEYED.sent[1:], MALFORMED])
    assert lost.startswith("lost: event/INITIATED")


async def test_an_older_record_in_place_of_a_newer_one_is_noticed() -> None:
    (stale,) = await missing([*(s for s in SURVEYED.sent if s is not NEW), MALFORMED])
    assert stale.startswith("stale: record")


async def test_a_malformed_message_that_is_not_in_quarantine_is_noticed() -> None:
    (lost,) = await missing(SURVEYED.sent)
    assert "malformed" in lost


@pytest.fixture
def records() -> Records:
    """What Dynamics should hold of the call."""
    (call,) = expected(SURVEYED.contacts, OF_CHANNELS)
    return {"phonecalls": [{"activityid": call.key, **call.columns}]}


def posts(**statuses: int) -> Requests:
    return Counter({("POST", "phonecalls", int(s[1:])): times for s, times in statuses.items()})


def test_one_record_made_by_one_create_is_right(records: Records) -> None:
    requests = posts(_204=1, _412=2)
    assert list(wrong_in_dynamics(SURVEYED.contacts, records, requests)) == []
    assert repeated(requests) == 2


def test_a_second_record_of_a_contact_is_noticed(records: Records) -> None:
    records["phonecalls"].append({"activityid": "another"})
    (wrong,) = wrong_in_dynamics(SURVEYED.contacts, records, posts(_204=2))
    assert "should not be there" in wrong


def test_a_second_create_is_noticed_although_one_record_is_left(records: Records) -> None:
    (wrong,) = wrong_in_dynamics(SURVEYED.contacts, records, posts(_204=2))
    assert wrong == "phonecalls: 2 creates for 1 records"
