"""Ingest: from messages to facts that are safe."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.decode import decode
from pipelines.fact import Decoded
from twins.calls import Call
from twins.rig import Rig
from worker.clock import BACKOFF_FIRST_S, BACKOFF_LONGEST_S, Clock
from worker.engine.ingest import UNFINISHED_S, Ingest
from worker.errors import StoreUnavailable
from worker.sources.protocol import Message
from worker.stores.protocol import Saved


async def test_a_contact_with_news_is_due_now_and_is_kept_for_120_days(
    rig: Rig, call: Call
) -> None:
    await asyncio.sleep(10)
    await rig.tell(call.begun())
    entry = await rig.entry(call.id)
    assert entry.due_at == rig.clock.wall()
    assert entry.expires_at == rig.clock.wall() + UNFINISHED_S
    assert set(entry.contact.facts) == {"event/INITIATED"}


async def test_a_contact_told_nothing_new_is_not_saved(rig: Rig, call: Call) -> None:
    await rig.tell(call.begun())
    saves = rig.store.saves
    await rig.tell(call.begun(), call.begun())
    assert rig.store.saves == saves
    assert (rig.ingest.tally.facts, rig.ingest.tally.news) == (3, 1)


async def test_a_batch_is_loaded_and_saved_in_one_go(
    rig: Rig, calls: Callable[[int], list[Call]], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    save = rig.store.save

    async def note(entries: Any) -> list[Saved]:
        saved.append(len(entries))
        return await save(entries)

    monkeypatch.setattr(rig.store, "save", note)
    await rig.tell(*[body for call in calls(50) for body in (call.begun(), call.record())])
    assert saved == [50]


async def test_news_brings_an_earlier_time_but_never_a_later_one(rig: Rig, call: Call) -> None:
    await rig.tell(call.begun())
    entry = await rig.entry(call.id)
    entry.due_at = rig.clock.wall() - 5
    await rig.store.save([entry])
    await rig.tell(call.record())
    assert (await rig.entry(call.id)).due_at == rig.clock.wall() - 5


async def test_live_news_lift_a_replayed_contact_and_not_the_other_way_round(
    rig: Rig, call: Call
) -> None:
    rig.ingest.rank = 1
    await rig.tell(call.begun())
    assert (await rig.entry(call.id)).rank == 1
    rig.ingest.rank = 0
    await rig.tell(call.answered())
    assert (await rig.entry(call.id)).rank == 0
    rig.ingest.rank = 1
    await rig.tell(call.record())
    assert (await rig.entry(call.id)).rank == 0


async def test_a_claim_is_left_as_it_is(rig: Rig, call: Call) -> None:
    await rig.tell(call.begun())
    entry = await rig.entry(call.id)
    entry.claim, entry.claimed_until = "worker", rig.clock.wall() + 300
    await rig.store.save([entry])
    await rig.tell(call.record())
    after = await rig.entry(call.id)
    assert (after.claim, after.claimed_until) == ("worker", rig.clock.wall() + 300)


async def test_after_a_conflict_the_contact_is_loaded_and_folded_again(
    rig: Rig, calls: Callable[[int], list[Call]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = calls(2)
    save = rig.store.save
    rivals = iter([first.answered()])

    async def overtaken(entries: Any) -> list[Saved]:
        if rival := next(rivals, None):
            await rig.tell(rival)
        return await save(entries)

    monkeypatch.setattr(rig.store, "save", overtaken)
    await rig.tell(first.begun(), second.begun())
    assert set((await rig.entry(first.id)).contact.facts) == {
        "event/INITIATED",
        "event/CONNECTED_TO_AGENT",
    }
    assert set((await rig.entry(second.id)).contact.facts) == {"event/INITIATED"}


async def test_pauses_grow_while_the_store_is_away_and_nothing_is_skipped(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = rig.store.load
    left = iter(range(12))

    async def away(contact_ids: Any) -> Any:
        if next(left, None) is not None:
            raise StoreUnavailable("locked")
        return await load(contact_ids)

    monkeypatch.setattr(rig.store, "load", away)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    rig.ingest.clock = Clock(sleep=pause, chance=lambda: 1.0)
    await rig.tell(call.begun())
    assert pauses[:3] == [BACKOFF_FIRST_S, 2 * BACKOFF_FIRST_S, 4 * BACKOFF_FIRST_S]
    assert pauses[-1] == BACKOFF_LONGEST_S
    assert (await rig.entry(call.id)).version == 1


@pytest.mark.parametrize("call_of_the_store", ["load", "save", "quarantine"])
async def test_a_stop_ends_the_wait_for_the_store_and_the_batch_does_not_count_as_safe(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch, call_of_the_store: str
) -> None:
    tries: list[float] = []
    loop = asyncio.get_running_loop()

    async def away(_: Any) -> Any:
        tries.append(loop.time())
        raise StoreUnavailable("locked")

    monkeypatch.setattr(rig.store, call_of_the_store, away)
    stop = asyncio.Event()
    loop.call_later(100.0, stop.set)
    batch = [Message(call.begun(), "sqs:q/1"), Message(b"no JSON", "sqs:q/2")]
    with pytest.raises(StoreUnavailable):
        await rig.ingest.handle(batch, stop)
    assert loop.time() == 100.0
    assert tries[-1] < 100.0
    assert rig.ingest.tally.messages == 0


async def test_a_batch_that_comes_after_the_stop_is_still_tried_once(rig: Rig, call: Call) -> None:
    stop = asyncio.Event()
    stop.set()
    await rig.ingest.handle([Message(call.begun(), "sqs:q/1")], stop)
    assert (await rig.entry(call.id)).version == 1


async def test_what_is_damaged_or_undecodable_goes_to_quarantine_with_its_bytes(rig: Rig) -> None:
    cut = Message(b"{", "archive:a.gz:7", damage="line longer than 8 MiB")
    await rig.ingest.handle([Message(b"no JSON", "sqs:q/1"), cut])
    kept = await rig.store.quarantined("", 10)
    assert {(item.origin, item.body) for item in kept} == {
        ("sqs:q/1", b"no JSON"),
        ("archive:a.gz:7", b"{"),
    }
    assert "line longer than 8 MiB" in {item.reason for item in kept}
    assert rig.ingest.tally.quarantined == 2


async def test_a_message_of_many_bad_parts_is_kept_once_for_each_reason(rig: Rig) -> None:
    """Or one message of a megabyte would be half a million entries, and hashed as often."""
    bad = b'[%b {"contactId": "", "eventType": "X"}, "x"]' % (b"1, " * 9_000)
    await rig.ingest.handle([Message(bad, "sqs:q/1")])
    kept = await rig.store.quarantined("", 10)
    assert {item.reason for item in kept} == {
        "not a JSON object",
        "contact id missing or of unknown form",
    }
    assert [item.body for item in kept] == [bad, bad]
    assert rig.ingest.tally.quarantined == 2


async def test_what_is_beyond_ten_thousand_parts_is_kept_and_not_read(rig: Rig, call: Call) -> None:
    async def inline(decoder: Callable[..., list[Decoded]], *arguments: Any) -> list[Decoded]:
        return decoder(*arguments)

    rig.ingest.in_thread = inline
    bad = b"[%b %b]" % (call.begun() + b",", b"1, " * 200_000 + b"1")
    await rig.ingest.handle([Message(bad, "sqs:q/1")])
    kept = await rig.store.quarantined("", 10)
    assert {item.reason for item in kept} == {"not a JSON object", "more than 10,000 parts"}
    assert set((await rig.entry(call.id)).contact.facts) == {"event/INITIATED"}


async def test_the_same_bad_message_twice_is_kept_once(rig: Rig) -> None:
    for _ in range(2):
        await rig.ingest.handle([Message(b"no JSON", "sqs:q/1")])
    assert len(await rig.store.quarantined("", 10)) == 1


async def test_of_one_message_the_good_parts_are_used_and_the_bad_ones_kept(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun() + b'{"x": }' + call.answered())
    assert len((await rig.entry(call.id)).contact.facts) == 2
    (item,) = await rig.store.quarantined("", 10)
    assert call.id.encode() in item.body


async def test_a_message_that_breaks_the_decoder_is_quarantined_and_holds_nobody_up(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(body: bytes, *more: Any) -> list[Decoded]:
        if body == b"poison":
            raise KeyError("+4930901820")
        return decode(body, *more)

    monkeypatch.setattr("worker.engine.ingest.decode", broken)
    await rig.tell(b"poison", call.begun())
    (item,) = await rig.store.quarantined("", 10)
    assert (item.body, item.reason) == (
        b"poison",
        "our bug: KeyError at worker.engine.ingest:" + item.reason.rpartition(":")[2],
    )
    assert list(rig.ingest.faults.counts.values()) == [1]
    assert set((await rig.entry(call.id)).contact.facts) == {"event/INITIATED"}


async def test_a_contact_too_large_sends_its_facts_to_quarantine_and_keeps_what_it_had(
    make_rig: Callable[..., Rig], calls: Callable[[int], list[Call]]
) -> None:
    rig = make_rig(limit_bytes=3_000)
    large, small = calls(2)
    await rig.tell(large.begun())
    await rig.tell(large.record(Attributes={"a": "x" * 3_000}), small.record())
    assert set((await rig.entry(large.id)).contact.facts) == {"event/INITIATED"}
    assert set((await rig.entry(small.id)).contact.facts) == {"record"}
    (item,) = await rig.store.quarantined("", 10)
    assert "too large" in item.reason


async def test_what_is_ignored_is_counted_by_reason(rig: Rig) -> None:
    await rig.tell(b'{"Event": "s3:TestEvent"}', b'{"Event": "s3:TestEvent"}')
    assert rig.ingest.tally.ignored == {"S3 test event": 2}
    assert rig.ingest.tally.messages == 2


@pytest.mark.parametrize(
    ("since", "until", "taken"),
    [
        ("", "", 1),
        ("2026-01-02T03:05:00", "", 1),
        ("2026-01-02T03:05:01", "", 0),
        ("", "2026-01-02T03:05:00", 0),
        ("2026-01-01", "2026-01-03", 1),
    ],
)
async def test_facts_outside_the_time_asked_for_are_left_out(
    rig: Rig, call: Call, since: str, until: str, taken: int
) -> None:
    rig.ingest.since, rig.ingest.until = since, until
    await rig.tell(call.record())
    assert rig.ingest.tally.facts == taken
    assert sum(rig.ingest.tally.ignored.values()) == 1 - taken


async def test_objects_of_other_buckets_do_not_count(rig: Rig) -> None:
    ingest = Ingest(rig.store, frozenset({"mine"}))
    stored = (
        b'{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "theirs"}, "object": '
        b'{"key": "connect/CallRecordings/2026/01/02/'
        b'5ca32fbd-8f92-46af-92a5-6b0f970f0efe_20260102T03:00_UTC.wav"}}}'
    )
    await ingest.handle([Message(stored, "sqs:q/1")])
    assert ingest.tally.facts == 0
    assert ingest.tally.ignored


async def test_push_hears_of_contacts_that_came_due(rig: Rig, call: Call) -> None:
    heard: list[str] = []
    rig.ingest.news = lambda contacts: heard.extend(one.id for one in contacts)
    await rig.tell(b"no JSON")
    assert not heard
    await rig.tell(call.begun())
    assert heard == [call.id]
    await rig.tell(call.begun())
    assert heard == [call.id], "it is due already, and nothing new came"
