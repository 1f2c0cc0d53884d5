"""Workers list contacts as they take them in and as they carry them out."""

from __future__ import annotations

import pytest

from pipelines.labels import Keyed, label_of
from twins.calls import Call
from twins.dynamics import Failure
from twins.rig import Rig
from worker.dynamics.errors import Refused
from worker.operations.parked import parked_writes, retry_parked


KEY = b"k" * 32


@pytest.fixture
def keyed(rig: Rig) -> Rig:
    """A worker with the index's key."""
    rig.ingest.index_key = KEY
    rig.push = rig.another(index_key=KEY)
    return rig


async def listed(rig: Rig, label: str) -> list[str]:
    return [one.contact_id for one in await rig.store.labelled(label, None, 9)]


async def of(rig: Rig, kind: Keyed, text: str) -> list[str]:
    label = label_of(kind, text, KEY)
    assert label
    return await listed(rig, label)


async def test_a_contact_is_found_as_soon_as_it_is_taken_in(keyed: Rig, call: Call) -> None:
    await keyed.tell(call.begun(endpoint={"address": "+15550100200"}))
    assert await listed(keyed, "day 2026-01-02") == [call.id]
    await keyed.tell(call.record(Agent={"Username": "jdoe"}))
    assert await of(keyed, "phone", "+1 555 010-0200") == [call.id]
    assert await of(keyed, "agent", "JDOE") == [call.id]


async def test_a_contact_is_found_by_the_record_that_was_made_for_it(
    keyed: Rig, call: Call
) -> None:
    await keyed.tell(call.begun())
    await keyed.run(5)
    [(_, key)] = keyed.dynamics.records
    assert await of(keyed, "record", key) == [call.id]


async def test_a_contact_that_no_pipeline_admits_is_found_too(call: Call) -> None:
    rig = Rig(pipelines=[])
    rig.ingest.index_key = KEY
    await rig.tell(call.record())
    assert await of(rig, "phone", "+15550100200") == [call.id]


async def test_a_contact_is_found_by_what_fails_until_it_does_no_more(
    keyed: Rig, call: Call
) -> None:
    refused = Refused("answered 400", status=400, code="0x1")
    keyed.dynamics.script = lambda r: None if r.path == "WhoAmI" else Failure(refused)
    await keyed.tell(call.begun())
    await keyed.run(5)
    assert await listed(keyed, "failing 400 0x1 phonecalls") == [call.id]
    keyed.dynamics.script = lambda _request: None
    async for write in parked_writes(keyed.store):
        await retry_parked(keyed.store, write, keyed.clock)
    await keyed.run(5)
    assert await listed(keyed, "failing 400 0x1 phonecalls") == []


async def test_without_a_key_workers_list_nobody(rig: Rig, call: Call) -> None:
    await rig.tell(call.record(Agent={"Username": "jdoe"}))
    await rig.run(5)
    [entry] = await rig.store.load([call.id])
    assert list(entry.contact.labels) == ["day 2026-01-02"]


async def test_a_worker_that_dies_between_take_in_and_push_leaves_the_contact_listed(
    keyed: Rig, call: Call
) -> None:
    """Another one, without the key, does not take it out of the lists of people."""
    await keyed.tell(call.record())
    await keyed.run(5, keyed.another())
    assert await of(keyed, "phone", "+15550100200") == [call.id]
