"""Leases in DynamoDB, in the Kinesis Client Library's own format: its workers can share the table.

The conditions are KCL's (``leases/dynamodb/DynamoDBLeaseRefresher.java`` in
awslabs/amazon-kinesis-client), some of them stricter. Existing leases are only updated, attribute
by attribute, so that what a later KCL adds to them stays.
"""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError

from worker import aws
from worker.leases.items import Item, is_lease, item_of, lease_from, number, text, texts
from worker.leases.lease import Lease
from worker.leases.position import Position
from worker.leases.protocol import LeaseConflict, LeasesUnavailable, LeaseTable


T = TypeVar("T")

#: Longest wait for a new table (s); AWS takes about ten.
CREATION_S: Final = 120

CONDITION_FAILED: Final = "ConditionalCheckFailedException"
#: Timeout of a request (s): a slower one is on a dead connection, and the lease would lapse.
ANSWER_S: Final = 5.0

EXISTS: Final = "ResourceInUseException"

_RENEW: Final = "SET leaseCounter = :next"
_TAKE: Final = "SET leaseCounter = :next, leaseOwner = :worker REMOVE checkpointOwner"
_SWITCH: Final = " ADD ownerSwitchesSinceCheckpoint :one"
_RELEASE: Final = "SET leaseCounter = :next REMOVE leaseOwner"
_HAND_OFF: Final = "SET leaseCounter = :next REMOVE checkpointOwner"
_MOVE: Final = (
    "SET leaseCounter = :next, checkpoint = :at, checkpointSubSequenceNumber = :sub,"
    " ownerSwitchesSinceCheckpoint = :zero"
    " REMOVE pendingCheckpoint, pendingCheckpointSubSequenceNumber, pendingCheckpointState"
)

_SAME: Final = "leaseCounter = :counter"
_NOT_HANDED_OFF: Final = " AND attribute_not_exists(checkpointOwner)"
_OWNED: Final = " AND leaseOwner = :owner"
_HELD: Final = (
    " AND (checkpointOwner = :holder"
    " OR (attribute_not_exists(checkpointOwner) AND leaseOwner = :holder))"
)


@asynccontextmanager
async def open_leases(
    connect: Callable[[], AbstractAsyncContextManager[Any]], table: str
) -> AsyncIterator[LeaseTable]:
    """The lease table of one stream, for as long as the block lasts.

    Args:
        connect: Makes a DynamoDB client, e.g. ``partial(aws.client, "dynamodb")``.
        table: The table's name; with KCL that is the application's name.
    """
    async with connect() as client:
        yield DynamoLeases(client, table)


async def create_lease_table(client: Any, table: str) -> None:
    """Create a lease table as KCL does, if there is none, and wait until it can be used.

    KCL 3 adds by itself the index that it needs in addition.
    """
    try:
        await client.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    except ClientError as failure:
        if aws.code(failure) != EXISTS:
            raise
    await client.get_waiter("table_exists").wait(
        TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": CREATION_S}
    )


class DynamoLeases:
    """A lease table in DynamoDB.

    Args:
        client: A DynamoDB client (aiobotocore).
        table: The table's name.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    async def scan(self) -> list[Lease]:
        """See ``LeaseTable``.

        One unreadable lease fails the whole scan: without it, a child of its shard might be
        read too early (I3).
        """
        leases: list[Lease] = []
        request: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True}
        while True:
            found, following = await _usable(partial(self._client.scan, **request), _page)
            leases += found
            if following is None:
                return leases
            request["ExclusiveStartKey"] = following

    async def get(self, key: str) -> Lease | None:
        """See ``LeaseTable``."""
        request = {
            "TableName": self._table,
            "Key": {"leaseKey": text(key)},
            "ConsistentRead": True,
        }
        return await _usable(partial(self._client.get_item, **request), _found)

    async def create(self, lease: Lease) -> bool:
        """See ``LeaseTable``."""
        return await _allowed(
            partial(
                self._client.put_item,
                TableName=self._table,
                Item=item_of(lease),
                ConditionExpression="attribute_not_exists(leaseKey)",
            )
        )

    async def renew(self, lease: Lease) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        if lease.checkpoint_owner:
            # As in KCL: a hand-off that we know of does not stop us from renewing.
            return await self._update(lease, _RENEW, _SAME)
        return await self._update(lease, _RENEW, _SAME + _NOT_HANDED_OFF)

    async def take(self, lease: Lease, worker: str) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        values: Item = {":worker": text(worker)}
        if lease.taken(worker).switches > lease.switches:
            return await self._update(lease, _TAKE + _SWITCH, _SAME, {**values, ":one": number(1)})
        return await self._update(lease, _TAKE, _SAME, values)

    async def release(self, lease: Lease) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        values: Item = {":owner": text(lease.owner or "")}
        if lease.checkpoint_owner:
            values[":holder"] = text(lease.checkpoint_owner)
            return await self._update(lease, _HAND_OFF, _SAME + _OWNED + _HELD, values)
        return await self._update(lease, _RELEASE, _SAME + _OWNED + _NOT_HANDED_OFF, values)

    async def move(self, lease: Lease, checkpoint: Position) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        values: Item = {
            ":holder": text(lease.holder or ""),
            ":at": text(checkpoint.at),
            ":sub": number(checkpoint.sub),
            ":zero": number(0),
        }
        return await self._update(lease, _MOVE, _SAME + _HELD, values)

    async def set_children(self, key: str, children: Iterable[str]) -> None:
        """See ``LeaseTable``."""
        await _allowed(
            partial(
                self._client.update_item,
                TableName=self._table,
                Key={"leaseKey": text(key)},
                UpdateExpression="SET childShardIds = :children",
                ConditionExpression="attribute_exists(leaseKey)",
                ExpressionAttributeValues={":children": texts(children)},
            )
        )

    async def delete(self, lease: Lease) -> bool:
        """See ``LeaseTable``."""
        return await _allowed(
            partial(
                self._client.delete_item,
                TableName=self._table,
                Key={"leaseKey": text(lease.key)},
                ConditionExpression=_SAME,
                ExpressionAttributeValues={":counter": number(lease.counter)},
            )
        )

    async def _update(
        self, lease: Lease, update: str, condition: str, values: Item | None = None
    ) -> Lease | LeaseConflict:
        counters = {":counter": number(lease.counter), ":next": number(lease.counter + 1)}
        update_item = partial(
            self._client.update_item,
            TableName=self._table,
            Key={"leaseKey": text(lease.key)},
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues={**counters, **(values or {})},
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return await _usable(partial(_conditionally, update_item), _outcome)


async def _usable(call: Callable[[], Awaitable[Any]], read: Callable[[Any], T]) -> T:
    """A call's answer, parsed.

    Raises:
        LeasesUnavailable: The same call may succeed later.
        ClientError: The condition failed.
        Exception: Another of ``aws.FAILURES``: the request is wrong.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            return await aws.asked(call, read)
    except TimeoutError as failure:
        raise LeasesUnavailable("no answer") from failure
    except aws.FAILURES as failure:
        if aws.code(failure) == CONDITION_FAILED or not aws.may_pass(failure):
            raise
        raise LeasesUnavailable(aws.code(failure)) from failure


async def _allowed(call: Callable[[], Awaitable[Any]]) -> bool:
    """Whether a call's condition held."""
    try:
        await _usable(call, dict)
    except ClientError as failure:
        if aws.code(failure) != CONDITION_FAILED:
            raise
        return False
    return True


def _page(answer: Mapping[str, Any]) -> tuple[list[Lease], Item | None]:
    """The leases of one page, and where the next one begins.

    Raises:
        ValueError: Its count is not that of its items: leases must not appear to be missing.
    """
    if answer["Count"] != len(answer["Items"]):
        raise ValueError("Count")
    leases = [lease_from(item) for item in answer["Items"] if is_lease(item)]
    return leases, answer.get("LastEvaluatedKey")


def _found(answer: Mapping[str, Any]) -> Lease | None:
    item = answer.get("Item")
    return lease_from(item) if item else None


async def _conditionally(update_item: Callable[[], Awaitable[Any]]) -> Mapping[str, Any]:
    """The answer to an update, or the error response of a failed condition, as ``refused``."""
    try:
        return dict(await update_item())
    except ClientError as failure:
        if aws.code(failure) != CONDITION_FAILED:
            raise
        return {"refused": failure.response}


def _outcome(answer: Mapping[str, Any]) -> Lease | LeaseConflict:
    if "refused" not in answer:
        return lease_from(answer["Attributes"])
    refused = answer["refused"]
    retries = refused["ResponseMetadata"].get("RetryAttempts", 0)
    return LeaseConflict(_found(refused), repeated=retries > 0)
