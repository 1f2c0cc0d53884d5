"""Forgetting a contact: nothing is left of it, nothing brings it back, whatever workers do."""

from __future__ import annotations

import asyncio
import base64

from collections.abc import Callable
from typing import Any

import pytest

from twins.calls import Call
from twins.dynamics import Failure
from twins.rig import Rig
from worker.definitions import find
from worker.dynamics.errors import Refused
from worker.engine.claims import CLAIM_S
from worker.engine.ingest import FORGOTTEN
from worker.errors import StoreUnavailable
from worker.operations.erasure import erase, mentions, traces
from worker.sources.protocol import Message
from worker.stores.protocol import Quarantined


PIPELINES = [find("phonecall"), find("chat")]


async def left(rig: Rig) -> tuple[int, int, int]:
    """Contacts, parked ones and quarantined messages that the store holds."""
    counts = await rig.store.counts(float("inf"))
    return counts.contacts, counts.parked, counts.quarantined


async def test_facts_of_a_forgotten_contact_are_ignored_and_counted(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    gone, other = calls(2)
    await rig.tell(gone.begun())
    await erase(rig.store, gone.id)
    await rig.tell(gone.answered(), gone.record(), other.begun())
    assert await rig.store.ids("", 10) == [other.id]
    assert rig.ingest.tally.ignored == {FORGOTTEN: 2}
    assert rig.ingest.tally.facts == 2


async def test_facts_are_counted_once_however_often_the_store_is_away(
    rig: Rig, calls: Callable[[int], list[Call]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, other = calls(2)
    await erase(rig.store, gone.id)
    save, fails = rig.store.save, iter([True])

    async def lost(entries: Any) -> Any:
        saved = await save(entries)
        if next(fails, False):
            raise StoreUnavailable("its answer was lost")
        return saved

    monkeypatch.setattr(rig.store, "save", lost)
    await rig.tell(gone.begun(), other.begun())
    assert (rig.ingest.tally.facts, rig.ingest.tally.ignored) == (1, {FORGOTTEN: 1})


async def test_a_worker_that_has_it_in_hand_does_not_bring_it_back(rig: Rig, call: Call) -> None:
    rig.dynamics.slow = lambda _request: 30.0
    await rig.tell(call.begun())
    in_hand = asyncio.ensure_future(rig.push.transactions.run(call.id))
    await asyncio.sleep(1)
    known = await traces(rig.store, call.id, PIPELINES)
    await erase(rig.store, call.id)
    await rig.tell(call.record())
    await in_hand
    await rig.run(2 * CLAIM_S, rig.another())
    assert await left(rig) == (0, 0, 0)
    ((entity_set, key),) = rig.dynamics.records
    assert known.records == {f"{entity_set}({key})": "may be there"}  # it was told beforehand


async def test_a_worker_about_to_claim_it_sends_nothing(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.tell(call.begun())
    load = rig.store.load

    async def overtaken(contact_ids: Any) -> Any:
        entries = await load(contact_ids)
        monkeypatch.setattr(rig.store, "load", load)
        await erase(rig.store, call.id)
        return entries

    monkeypatch.setattr(rig.store, "load", overtaken)
    await rig.push.transactions.run(call.id)
    assert rig.sent == []
    assert await left(rig) == (0, 0, 0)


async def test_parked_writes_and_quarantined_messages_go_with_it(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    gone, other = calls(2)
    refusal = Failure(Refused("POST phonecalls answered 400", status=400))
    rig.dynamics.script = lambda _request: refusal
    await rig.tell(gone.begun(), other.begun(), gone.record()[:-1], b"{")
    await rig.run(1)
    assert await left(rig) == (2, 2, 2)
    known = await traces(rig.store, gone.id, PIPELINES)
    assert (known.facts, known.parked, known.quarantined, known.records) == (1, 1, 1, {})
    await erase(rig.store, gone.id)
    assert await left(rig) == (1, 1, 1)


async def test_what_remains_in_dynamics_is_named(rig: Rig, call: Call) -> None:
    linked = {"InitialContactId": call.id.upper(), "PreviousContactId": "Another-Leg"}
    await rig.tell(call.begun(), call.record(**linked))
    await rig.run(1)
    known = await traces(rig.store, call.id, PIPELINES)
    ((entity_set, key),) = rig.dynamics.records
    assert known.records == {f"{entity_set}({key})": "there"}
    assert known.related == ["another-leg"]
    (entry,) = await rig.store.load([call.id])
    (record,) = entry.contact.ledger.values()
    record.refusals = 2
    await rig.store.save([entry])
    known = await traces(rig.store, call.id, PIPELINES)
    assert list(known.records.values()) == ["there, with notes"]


async def test_of_a_contact_that_has_expired_the_ids_of_its_records_are_still_known(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    await rig.run(1)
    ((entity_set, key),) = rig.dynamics.records
    rig.store._rows.clear()
    known = await traces(rig.store, call.id, PIPELINES)
    assert (known.facts, known.related) == (0, [])
    assert known.records[f"{entity_set}({key})"] == "may be there"


async def test_a_record_that_a_person_deleted_remains_nowhere(rig: Rig, call: Call) -> None:
    await rig.tell(call.begun())
    await rig.run(1)
    (entry,) = await rig.store.load([call.id])
    (record,) = entry.contact.ledger.values()
    record.state = "gone"
    await rig.store.save([entry])
    assert (await traces(rig.store, call.id, PIPELINES)).records == {}


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz"])
def test_a_message_mentions_a_contact_plainly_or_in_base64(
    call: Call, before: bytes, *, upper: bool
) -> None:
    written = call.id.upper() if upper else call.id
    plain = before + written.encode() + b'", "Address": "+4930"}'
    packed = b'{"data": "' + base64.b64encode(plain) + b'"'
    assert mentions(Quarantined("q", 0.0, "sqs:q/1", "not JSON", plain), call.id)
    assert mentions(Quarantined("q", 0.0, "sqs:q/1", "not JSON", packed), call.id)


def test_a_message_may_mention_a_contact_by_the_name_of_its_file(call: Call) -> None:
    origin = f"archive:{call.id.upper()}.json:1"
    assert mentions(Quarantined("q", 0.0, origin, "not JSON", b"{"), call.id)


def test_a_message_about_others_does_not_mention_it(
    call: Call, calls: Callable[[int], list[Call]]
) -> None:
    (other,) = calls(1)
    body = other.record() + base64.b64encode(other.record())
    assert not mentions(Quarantined("q", 0.0, "sqs:q/1", "not JSON", body), call.id)


async def test_a_replay_into_the_same_state_does_not_bring_it_back(rig: Rig, call: Call) -> None:
    await erase(rig.store, call.id)
    rig.ingest.rank = 1
    await rig.ingest.handle([Message(call.record(), "archive:a.json:1")])
    assert await left(rig) == (0, 0, 0)
