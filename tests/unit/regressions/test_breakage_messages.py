"""Messages of forms that nobody had imagined: what is read of them never raises, nor takes long."""

from __future__ import annotations

import asyncio
import time

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson
import pytest

from pipelines.contact import Contact, Parked
from pipelines.decode import decode, split
from pipelines.decode.envelope import MOST_PARTS, TOO_MANY
from pipelines.decode.seal import TOO_DEEP
from pipelines.enrichment import wanted
from pipelines.fact import Fact
from pipelines.kin import told
from pipelines.legs import chain_of
from pipelines.lifecycle import milestones
from pipelines.objects import objects
from pipelines.view import values_of_kin, view
from worker.definitions import find
from worker.engine.ingest import AT_ONCE_BYTES, Ingest
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore


CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
EVENT = {
    "eventType": "CONNECTED_TO_AGENT",
    "contactId": CONTACT,
    "initialContactId": "11111111-8f92-46af-92a5-6b0f970f0efe",
    "previousContactId": "22222222-8f92-46af-92a5-6b0f970f0efe",
    "channel": "VOICE",
    "initiationMethod": "TRANSFER",
    "instanceArn": "arn:aws:connect:eu-central-1:111122223333:instance/1a2b",
    "initiationTimestamp": "2026-01-02T03:00:00.403Z",
    "disconnectTimestamp": "2026-01-02T03:04:00.403Z",
    "queueInfo": {"queueArn": "arn:q/77", "enqueueTimestamp": "2026-01-02T03:00:05.036Z"},
    "agentInfo": {"agentArn": "arn:a/88", "connectedToAgentTimestamp": "2026-01-02T03:00:20.768Z"},
    "customerEndpoint": {"address": "+4930901820", "type": "TELEPHONE_NUMBER"},
    "attributes": {"CallReason": "invoice"},
}
RECORD = {
    "AWSContactTraceRecordFormatVersion": "2017-03-10",
    "ContactId": CONTACT,
    "InitialContactId": "11111111-8f92-46af-92a5-6b0f970f0efe",
    "InstanceARN": "arn:aws:connect:eu-central-1:111122223333:instance/1a2b",
    "Channel": "VOICE",
    "InitiationMethod": "INBOUND",
    "InitiationTimestamp": "2026-01-02T03:00:00Z",
    "DisconnectTimestamp": "2026-01-02T03:04:05Z",
    "LastUpdateTimestamp": "2026-01-02T03:05:30Z",
    "CustomerEndpoint": {"Address": "+4930901820", "Type": "TELEPHONE_NUMBER"},
    "Queue": {"ARN": "arn:q/77", "Name": "Support", "EnqueueTimestamp": "2026-01-02T03:00:05Z"},
    "Agent": {"ARN": "arn:a/88", "Username": "ada"},
    "Recording": {"Location": f"b/{CONTACT}_20260102T03:00_UTC.wav", "Status": "AVAILABLE"},
    "Recordings": [{"Location": f"b/{CONTACT}_20260102T03:00_UTC.wav", "StorageType": "S3"}],
    "Attributes": {"CallReason": "invoice"},
}
ENVELOPE = {"detail-type": "Amazon Connect Contact Event", "source": "aws.connect"}
ODD: list[Any] = [
    None,
    "",
    "x",
    7,
    -1.5,
    True,
    [],
    ["x", {}],
    {},
    {"Reason": {}},
    {"ARN": []},
    2**63,
]


def changed(message: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The message without each of its members, and with each of them of any other kind."""
    for name, value in message.items():
        without = {k: v for k, v in message.items() if k != name}
        yield name, without
        yield from ((f"{name}={odd}", {**message, name: odd}) for odd in ODD)
        if isinstance(value, dict):
            yield from ((f"{name}.{at}", {**message, name: inner}) for at, inner in changed(value))


MESSAGES = [
    *((f"event {at}", {**ENVELOPE, "detail": detail}) for at, detail in changed(EVENT)),
    *((f"record {at}", record) for at, record in changed(RECORD)),
]


PIPELINES = [find("phonecall"), find("timeline")]


def read(fact: Fact, *others: Fact) -> None:
    """All that is derived of a contact."""
    contact = Contact(fact.contact_id)
    for one in (fact, *others):
        contact.observe(one)
        for extract in told(one):
            leg = Contact(extract.contact_id)
            leg.observe(extract)
            view(leg)
            chain_of(leg.id, "2026-01-02T03:00:00Z", values_of_kin(leg))
    view(contact)
    milestones(contact)
    objects(contact)
    wanted(contact, PIPELINES)
    assert Contact.from_bytes(contact.id, contact.to_bytes()) == contact


def test_whatever_kind_each_value_of_a_message_is_of_its_contact_can_be_read() -> None:
    (event,) = decode(orjson.dumps({**ENVELOPE, "detail": EVENT}))
    (record,) = decode(orjson.dumps(RECORD))
    assert isinstance(event, Fact)
    assert isinstance(record, Fact)
    for at, message in MESSAGES:
        (found,) = decode(orjson.dumps(message))
        if isinstance(found, Fact) and found.contact_id == CONTACT:
            try:
                read(found)
                read(found, event)
                read(found, record)
            except Exception as error:
                raise AssertionError(at) from error


@pytest.mark.parametrize("depth", range(200, 260))
def test_what_is_kept_of_a_message_has_room_around_it(depth: int) -> None:
    (found,) = decode(orjson.dumps(RECORD)[:-1] + b',"Tags":' + _dumped(depth) + b"}")
    if found == TOO_DEEP:
        assert depth > 215
        return
    assert isinstance(found, Fact)
    contact = Contact(CONTACT)
    contact.observe(found)
    request = {"body": {"description": {"Tags": found.data["Tags"]}}}
    contact.parked["phonecalls(x)"] = Parked(["p/S"], 0.0, 400, "c", request, "")
    assert Contact.from_bytes(CONTACT, contact.to_bytes()) == contact


def _dumped(depth: int) -> bytes:
    return b'{"a":' * depth + b'"x"' + b"}" * depth


MIB = 1024 * 1024

#: What a message of one mebibyte is made of, over and over.
REPEATED = {
    "opening braces": b"{",
    "opening brackets": b"[",
    "quotes": b'"',
    "closing and opening braces": b"}{",
    "backslashes": b"\\",
    "spaces": b" ",
    "newlines": b"\n",
    "braces on lines": b"{\n",
    "both brackets": b"[{",
    "broken names": b'{"a"{',
    "quotes and braces": b'{"}{',
    "escapes and braces": b"{\\",
    "empty objects": b"{}",
    "objects on one line": b'{"a":1} ',
    "nested objects": b'{"a":',
    "cut lines": b'{"a":\n',
}


def seconds(work: Callable[[], object]) -> float:
    """CPU time; the best of three, since others use the processor too."""
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return best


@pytest.mark.parametrize("part", REPEATED.values(), ids=REPEATED)
def test_decoding_takes_time_in_proportion_to_the_message_whatever_is_in_it(
    part: bytes,
) -> None:
    quarter, whole = part * (MIB // 4 // len(part)), part * (MIB // len(part))
    short, long = (seconds(partial(decode, body)) for body in (quarter, whole))
    assert long <= 6 * max(short, 0.02)


@pytest.mark.parametrize("part", REPEATED.values(), ids=REPEATED)
def test_an_archive_is_split_in_time_in_proportion_to_it(part: bytes) -> None:
    """Where no number of parts is too many."""
    body = part * (MIB // 64 // len(part))
    short, long = (seconds(partial(split.split, body * n)) for n in (1, 4))
    assert long <= 8 * max(short, 0.02)


def test_ends_are_looked_for_ahead_in_no_more_bytes_than_were_read() -> None:
    class Counting(split.Splitter):
        looked = 0

        def _end_at_sight(self) -> int:
            before = self._may_look
            found = super()._end_at_sight()
            self.looked += before - self._may_look
            return found

    splitter = Counting()
    body = b"{" * (MIB // 4) + b"\\}{"
    assert len([*splitter.feed(body), *splitter.finish()]) > MIB // 5
    assert splitter.looked <= MIB + len(body)


def test_of_a_message_of_too_many_parts_the_first_are_read_and_the_rest_is_told() -> None:
    event = orjson.dumps({**ENVELOPE, "detail": EVENT})
    for body in (event + b"{" * MIB, b"[" + event + b",1" * MIB + b"]"):
        found = decode(body)
        assert isinstance(found[0], Fact)
        assert found[-1] == TOO_MANY
        assert len(found) == MOST_PARTS + 1


async def test_a_large_message_is_decoded_in_a_thread_and_the_order_is_kept() -> None:
    store = MemoryStore()
    threaded: list[int] = []

    async def in_thread(function: Callable[..., Any], body: bytes, *more: Any) -> Any:
        threaded.append(len(body))
        return await asyncio.to_thread(function, body, *more)

    ingest = Ingest(store, in_thread=in_thread)
    large = b"{" * (AT_ONCE_BYTES + 1)
    small = orjson.dumps({**ENVELOPE, "detail": EVENT})
    await ingest.handle([Message(large, "sqs:q/1"), Message(small, "sqs:q/2")] * 3)
    assert threaded == [len(large)] * 3
    assert ingest.tally.facts == 3
    reasons = {item.reason for item in await store.quarantined("", 10)}
    assert reasons == {"not JSON", "more than 10,000 parts"}


async def test_many_small_messages_leave_the_other_loops_their_turn() -> None:
    turns = 0
    ended = False

    async def other() -> None:
        nonlocal turns
        while not ended:
            turns += 1
            await asyncio.sleep(0)

    other_loop = asyncio.create_task(other())
    body = orjson.dumps({**ENVELOPE, "detail": {**EVENT, "text": "x" * 4000}})
    count = 10 * AT_ONCE_BYTES // len(body)
    await Ingest(MemoryStore()).handle([Message(body, "sqs:q/1")] * count)
    ended = True
    await other_loop
    assert turns >= 9
