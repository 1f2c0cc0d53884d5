"""What a lease table must do, whichever it is: DynamoDB (moto's) and the twin in memory."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from worker import aws
from worker.leases.dynamodb import DynamoLeases, create_lease_table, open_leases
from worker.leases.lease import Lease
from worker.leases.memory import MemoryLeases
from worker.leases.position import END, TRIM_HORIZON, Position
from worker.leases.protocol import LeaseConflict, LeasesUnavailable, LeaseTable


TABLE = "leases"
KEY = "shardId-000000000001"
HORIZON = Position(TRIM_HORIZON)
FRESH = Lease(KEY, HORIZON, parents=frozenset({"shardId-000000000000"}), hashes=(0, 2**128 - 1))


@asynccontextmanager
async def dynamodb(url: str) -> AsyncIterator[Any]:
    """A client, and the table as long as it is there."""
    async with aws.client("dynamodb", endpoint_url=url, whole=True) as client:
        await create_lease_table(client, TABLE)
        yield client
        await client.delete_table(TableName=TABLE)


@pytest.fixture
async def client(moto_server: str) -> AsyncIterator[Any]:
    async with dynamodb(moto_server) as client:
        yield client


@pytest.fixture(params=["memory", pytest.param("dynamodb", marks=pytest.mark.services)])
async def table(request: pytest.FixtureRequest) -> AsyncIterator[LeaseTable]:
    if request.param == "memory":
        yield MemoryLeases()
        return
    async with dynamodb(request.getfixturevalue("moto_server")) as client:
        yield DynamoLeases(client, TABLE)


async def owned(table: LeaseTable, worker: str = "a") -> Lease:
    await table.create(FRESH)
    return written(await table.take(FRESH, worker))


@pytest.fixture
async def handed_off(table: LeaseTable) -> Lease:
    """A lease of a's, as a knows it, that a leader of KCL 3 began to hand off to b."""
    lease = await owned(table)
    if isinstance(table, MemoryLeases):
        table.leases[KEY] = replace(lease, owner="b", checkpoint_owner="a")
    elif isinstance(table, DynamoLeases):
        await table._client.update_item(
            TableName=TABLE,
            Key={"leaseKey": {"S": KEY}},
            UpdateExpression="SET leaseOwner = :b, checkpointOwner = :a",
            ExpressionAttributeValues={":a": {"S": "a"}, ":b": {"S": "b"}},
        )
    return lease


def written(answer: Lease | LeaseConflict) -> Lease:
    assert isinstance(answer, Lease)
    return answer


def refused(answer: Lease | LeaseConflict) -> Lease | None:
    assert isinstance(answer, LeaseConflict)
    assert not answer.repeated
    return answer.current


async def test_what_is_created_is_found_as_it_was(table: LeaseTable) -> None:
    assert await table.get(KEY) is None
    assert await table.create(FRESH)
    assert await table.get(KEY) == FRESH
    assert await table.scan() == [FRESH]


async def test_what_is_there_is_not_created_again(table: LeaseTable) -> None:
    lease = await owned(table)
    assert not await table.create(FRESH)
    assert await table.get(KEY) == lease


async def test_every_write_returns_the_lease_as_it_is_then(table: LeaseTable) -> None:
    lease = await owned(table)
    assert (lease.owner, lease.counter, lease.switches) == ("a", 1, 0)
    lease = written(await table.renew(lease))
    assert lease.counter == 2
    lease = written(await table.move(lease, Position("17")))
    assert (lease.checkpoint, lease.counter) == (Position("17"), 3)
    lease = written(await table.release(lease))
    assert (lease.owner, lease.counter) == (None, 4)
    assert await table.get(KEY) == lease


async def test_who_saw_another_counter_writes_nothing_and_is_told_what_is_there(
    table: LeaseTable,
) -> None:
    old = await owned(table)
    lease = written(await table.renew(old))
    assert refused(await table.renew(old)) == lease
    assert refused(await table.take(old, "b")) == lease
    assert refused(await table.move(old, END)) == lease
    assert refused(await table.release(old)) == lease
    assert not await table.delete(old)
    assert await table.get(KEY) == lease


async def test_a_lease_that_is_gone_is_written_by_nobody(table: LeaseTable) -> None:
    lease = await owned(table)
    assert await table.delete(lease)
    assert refused(await table.renew(lease)) is None
    assert refused(await table.take(lease, "b")) is None
    assert refused(await table.move(lease, END)) is None
    assert refused(await table.release(lease)) is None
    await table.set_children(KEY, ["x"])
    assert not await table.delete(lease)
    assert await table.scan() == []


async def test_of_two_that_take_at_once_one_gets_it(table: LeaseTable) -> None:
    await table.create(FRESH)
    answers = await asyncio.gather(*(table.take(FRESH, worker) for worker in "abcdefgh"))
    winners = [answer for answer in answers if isinstance(answer, Lease)]
    assert len(winners) == 1
    assert await table.get(KEY) == winners[0]


async def test_switches_are_counted_until_the_next_checkpoint(table: LeaseTable) -> None:
    lease = await owned(table)
    lease = written(await table.take(lease, "b"))
    lease = written(await table.take(lease, "b"))
    lease = written(await table.take(lease, "c"))
    assert lease.switches == 2
    assert written(await table.move(lease, Position("1"))).switches == 0


async def test_nobody_moves_the_checkpoint_of_a_lease_without_owner(table: LeaseTable) -> None:
    lease = written(await table.release(await owned(table)))
    assert refused(await table.move(lease, Position("1"))) == lease


async def test_children_are_noted_without_touching_the_counter(table: LeaseTable) -> None:
    lease = await owned(table)
    await table.set_children(KEY, ["x", "y"])
    assert await table.get(KEY) == replace(lease, children=frozenset({"x", "y"}))
    assert written(await table.renew(lease)).children == {"x", "y"}


async def test_a_hand_off_stops_renewing_until_it_is_known(
    table: LeaseTable, handed_off: Lease
) -> None:
    current = refused(await table.renew(handed_off))
    assert current == replace(handed_off, owner="b", checkpoint_owner="a")
    assert written(await table.renew(current)).counter == handed_off.counter + 1


async def test_during_a_hand_off_the_old_owner_alone_moves_the_checkpoint(
    table: LeaseTable, handed_off: Lease
) -> None:
    moved = written(await table.move(handed_off, Position("1")))
    assert (moved.owner, moved.checkpoint_owner) == ("b", "a")
    usurper = replace(moved, checkpoint_owner=None)
    assert refused(await table.move(usurper, Position("2"))) == moved


async def test_letting_go_in_a_hand_off_gives_the_lease_to_the_next_owner(
    table: LeaseTable, handed_off: Lease
) -> None:
    current = refused(await table.release(handed_off))
    assert current is not None
    assert current.checkpoint_owner == "a"
    lease = written(await table.release(current))
    assert (lease.owner, lease.checkpoint_owner, lease.switches) == ("b", None, 0)
    assert lease.counter == handed_off.counter + 1


async def test_taking_ends_a_hand_off(table: LeaseTable, handed_off: Lease) -> None:
    lease = written(await table.take(handed_off, "c"))
    assert (lease.owner, lease.checkpoint_owner) == ("c", None)


async def stored(client: Any) -> dict[str, Any]:
    answer = await client.get_item(TableName=TABLE, Key={"leaseKey": {"S": KEY}})
    item: dict[str, Any] = answer["Item"]
    return item


@pytest.mark.services
async def test_items_have_the_attributes_and_types_that_kcl_writes(
    client: Any, moto_server: str
) -> None:
    connect = partial(aws.client, "dynamodb", endpoint_url=moto_server)
    async with open_leases(connect, TABLE) as table:
        await table.create(FRESH)
        fresh = {
            "leaseKey": {"S": KEY},
            "leaseCounter": {"N": "0"},
            "ownerSwitchesSinceCheckpoint": {"N": "0"},
            "checkpoint": {"S": "TRIM_HORIZON"},
            "checkpointSubSequenceNumber": {"N": "0"},
            "parentShardId": {"SS": ["shardId-000000000000"]},
            "startingHashKey": {"S": "0"},
            "endingHashKey": {"S": "340282366920938463463374607431768211455"},
            "entityType": {"S": "LEASE"},
        }
        assert await stored(client) == fresh
        lease = written(await table.take(FRESH, "a"))
        await table.set_children(KEY, ["shardId-000000000002"])
        await table.move(lease, END)
        assert await stored(client) == {
            **fresh,
            "leaseCounter": {"N": "2"},
            "leaseOwner": {"S": "a"},
            "checkpoint": {"S": "SHARD_END"},
            "childShardIds": {"SS": ["shardId-000000000002"]},
        }


@pytest.mark.services
async def test_what_a_later_kcl_adds_to_a_lease_survives_all_we_write_but_pending_checkpoints(
    client: Any, moto_server: str
) -> None:
    theirs = {
        "leaseKey": {"S": KEY},
        "leaseCounter": {"N": "7"},
        "checkpoint": {"S": "5"},
        "checkpointSubSequenceNumber": {"N": "2"},
        "throughputKBps": {"N": "1.5"},
        "somethingNew": {"M": {"x": {"BOOL": True}}},
    }
    pending = {
        "pendingCheckpoint": {"S": "6"},
        "pendingCheckpointSubSequenceNumber": {"N": "0"},
        "pendingCheckpointState": {"B": b"x"},
    }
    await client.put_item(TableName=TABLE, Item={**theirs, **pending})
    connect = partial(aws.client, "dynamodb", endpoint_url=moto_server)
    async with open_leases(connect, TABLE) as table:
        [lease] = await table.scan()
        assert (lease.counter, lease.checkpoint) == (7, Position("5", 2))
        lease = written(await table.take(lease, "a"))
        lease = written(await table.renew(lease))
        lease = written(await table.move(lease, Position("9")))
        await table.release(lease)
    assert await stored(client) == {
        **theirs,
        "leaseCounter": {"N": "11"},
        "checkpoint": {"S": "9"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
    }


@pytest.mark.services
async def test_what_else_kcl_keeps_in_the_table_is_no_lease(client: Any, moto_server: str) -> None:
    for kind in ("STREAM", "LEADER", "WORKER_METRIC_STATS", "TABLE_MIGRATION"):
        item = {"leaseKey": {"S": kind}, "entityType": {"S": kind}}
        await client.put_item(TableName=TABLE, Item=item)
    connect = partial(aws.client, "dynamodb", endpoint_url=moto_server)
    async with open_leases(connect, TABLE) as table:
        assert await table.scan() == []


@pytest.mark.services
async def test_a_table_of_many_pages_is_scanned_whole(client: Any, moto_server: str) -> None:
    padding = {"S": "x" * 100_000}
    for n in range(25):  # 1 MB is a page
        lease = {"leaseKey": {"S": f"{n}"}, "leaseCounter": {"N": "0"}, "checkpoint": {"S": "1"}}
        await client.put_item(TableName=TABLE, Item={**lease, "padding": padding})
    connect = partial(aws.client, "dynamodb", endpoint_url=moto_server)
    async with open_leases(connect, TABLE) as table:
        assert len(await table.scan()) == 25


@pytest.mark.services
async def test_a_table_is_created_once_with_kcls_key(client: Any) -> None:
    await create_lease_table(client, TABLE)
    answer = await client.describe_table(TableName=TABLE)
    assert answer["Table"]["KeySchema"] == [{"AttributeName": "leaseKey", "KeyType": "HASH"}]
    assert answer["Table"]["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.services
async def test_a_table_that_is_not_there_may_come(moto_server: str) -> None:
    connect = partial(aws.client, "dynamodb", endpoint_url=moto_server)
    async with open_leases(connect, "nowhere") as table:
        with pytest.raises(LeasesUnavailable):
            await table.scan()


class Wire:
    """A way to a server on which the next answer gets lost, its request having been carried out."""

    def __init__(self, url: str) -> None:
        self.lose_next = False
        self._port = int(url.rpartition(":")[2])

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._requests(reader, back))
            tasks.create_task(self._answers(there, writer))

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.lose_next:
                self.lose_next = False
                break
            writer.write(data)
        writer.close()


@pytest.mark.services
async def test_a_write_whose_answer_was_lost_on_the_wire_is_refused_as_a_repeated_one(
    client: Any, moto_server: str
) -> None:
    wire = Wire(moto_server)
    lease = await owned(DynamoLeases(client, TABLE))
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with (
        server,
        open_leases(partial(aws.client, "dynamodb", endpoint_url=url), TABLE) as table,
    ):
        assert await table.get(KEY) == lease
        wire.lose_next = True
        answer = await table.renew(lease)
    assert answer == LeaseConflict(lease.renewed(), repeated=True)
