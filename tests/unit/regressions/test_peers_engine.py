"""What broke in other consumers of Kinesis: engine, leases, checkpoints.

tests/README.md names the products, and tests of the same kind in other folders.
"""

from __future__ import annotations

import asyncio

from collections.abc import Callable

from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.dynamics import Failure
from twins.site import Site, Stream
from worker.dynamics.errors import Unavailable
from worker.leases.stream import FAILOVER_S


MakeCalls = Callable[[int], list[Call]]
MakePipeline = Callable[[str], list[Pipeline]]

POISON = b'{"cut off": '


async def test_poison_is_quarantined_once_and_holds_up_neither_its_shard_nor_another(
    calls: MakeCalls,
) -> None:
    """What came before is not delivered again, and what comes after is."""
    site = Site()
    *others, elsewhere = calls(10)
    bodies = [call.begun() for call in others]
    site.stream.put(*bodies[:5], POISON, *bodies[5:])
    site.stream.put(elsewhere.begun(), shard=1)
    await site.run(3)
    assert len(site.calls) == 10
    await site.run(60)
    (kept,) = await site.quarantined()
    assert kept.body == POISON
    assert site.tally.messages == 11


async def test_a_batch_that_fails_whole_is_kept_record_by_record_with_sequence_numbers(
    call: Call,
) -> None:
    """Each record has an entry of its own, by which it can be read again."""
    site = Site()
    site.stream.put(*[POISON] * 5)
    await site.run(3)
    origins = sorted(item.origin for item in await site.quarantined())
    records = site.stream.shards["shardId-000"].records
    assert origins == sorted(f"kinesis:contact-events/shardId-000/{r.sequence}" for r in records)
    site.stream.put(call.begun())
    await site.run(3)
    assert len(site.calls) == 1


STEPS = """
[[step]]
name = "CREATE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}", "phonenumber": "{{CustomerEndpoint}}"}'
"""


async def test_what_follows_a_failed_write_waits_and_other_contacts_go_on(
    pipeline: MakePipeline, calls: MakeCalls
) -> None:
    """Order is kept within a contact, not across contacts."""
    loop = asyncio.get_running_loop()
    site = Site(pipelines=pipeline(STEPS))
    failing, other = calls(2)
    down = Failure(Unavailable("answered 500", status=500))
    site.dynamics.script = lambda request: (
        down if failing.id in str(request) and loop.time() < 30 else None
    )
    site.stream.put(failing.begun(), other.begun())
    loop.call_at(10, lambda: site.stream.put(failing.record(), other.record()))
    await site.run(120)
    ours = [r.method for _, r in site.sent_at if failing.id in str(r)]
    assert ours == ["POST"] * len(ours)
    probes = ("_modifiedby_value", "'If-Match': 'W/")
    others = [(at, r) for at, r in site.sent_at if failing.id not in str(r)]
    assert [at < 12 for at, r in others if not any(p in str(r) for p in probes)] == [True] * 2
    assert {call["phonenumber"] for call in site.calls} == {"+15550100200"}


async def test_a_second_application_on_the_stream_costs_neither_any_record(
    calls: MakeCalls,
) -> None:
    """Both share the reads that Kinesis serves of a shard, and are throttled."""
    stream = Stream(1)
    sites = [Site(stream=stream, limit=1) for _ in range(2)]
    stream.put(*[call.begun() for call in calls(40)])
    await asyncio.gather(*[site.run(60) for site in sites])
    assert [len(site.calls) for site in sites] == [40, 40]
    assert stream.throttled > 10
    assert {code for site in sites for code in site.troubles} == {
        "ProvisionedThroughputExceededException"
    }


async def test_workers_killed_one_after_the_other_as_they_take_over_lose_and_double_nothing(
    calls: MakeCalls,
) -> None:
    """Each dies with records in hand; the next one takes its shards over."""
    site = Site(limit=3)
    waiting = calls(60)
    for number in range(10):
        site.stream.put(*[waiting.pop().begun() for _ in range(3)], shard=0)
        site.stream.put(*[waiting.pop().begun() for _ in range(3)], shard=1)
        taken = asyncio.Event()
        worker = asyncio.create_task(site.run(3600, f"w{number}", taken.set))
        await taken.wait()
        await asyncio.sleep(0.03 * number)  # while it reads, saves or sends
        worker.cancel()
        await asyncio.wait((worker,))
    await site.run(600, "last")
    assert len(site.calls) == 60
    assert not await site.quarantined()
    assert not await site.store.parked("", 10)


async def test_a_checkpoint_does_not_grow_old(calls: MakeCalls) -> None:
    """A worker that was away for days goes on where it stopped."""
    site = Site()
    first, second = calls(2)
    site.stream.put(first.begun())
    await site.run(10)
    await asyncio.sleep(7 * 86_400)
    site.stream.put(second.begun())
    await site.run(FAILOVER_S, "b")
    assert len(site.calls) == 2
    assert site.tally.messages == 2, "nothing is read again"
