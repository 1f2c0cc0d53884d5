"""One DynamoDB table over the network: few requests at a time, failures by what they mean.

botocore repeats throttled and failed requests a few times by itself (``worker.aws``). What still
fails then:

StoreUnavailable   throttled, 5xx, no answer or not DynamoDB's, no permission yet: the same call may
                   succeed later
Refused            DynamoDB cannot take this request, now or ever
ConfigError        there is no such table, or no Region to look for it
"""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from http import HTTPStatus
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError, ParamValidationError

from worker import aws
from worker.clock import Backoff, Clock
from worker.errors import ConfigError, StoreUnavailable, WorkerError
from worker.stores.layout import Item


T = TypeVar("T")

#: Requests under way at a time; less than ``worker.aws_client.MAX_CONNECTIONS``.
AT_ONCE: Final = 32

#: BatchGetItem takes no more keys:
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_KEYS: Final = 100

#: Answers without any of the keys asked for, in a row, before a read counts as failed.
EMPTY_ANSWERS: Final = 5

CONDITION_FAILED: Final = "ConditionalCheckFailedException"

#: Why a transaction was cancelled: a condition, or somebody else has the same item in hand.
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CancellationReason.html
IN_THE_WAY: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
TOO_LARGE: Final = "ValidationError"

#: What an answer must hold.
ANSWERED: Final = {
    "batch_get_item": ("Responses", "UnprocessedKeys"),
    "query": ("Count",),
    "describe_table": ("Table",),
}

#: Operations whose requests hold what we were told to write.
WRITES: Final = frozenset({"put_item", "transact_write_items", "update_item"})

NO_TABLE: Final = "ResourceNotFoundException"


class TableRefused(ConfigError):  # noqa: N818 - says what is the matter
    """DynamoDB cannot take the request: an item it cannot hold, or the table is of another form."""


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Carry the calls out side by side; a failure is raised once all of them are over."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes  # type: ignore[return-value] # no exception is among them


def where(condition: str, **values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a query for the keys that meet the condition."""
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }


def only(*attributes: str) -> dict[str, Any]:
    """The arguments of a query that reads these attributes alone."""
    names = {f"#a{n}": name for n, name in enumerate(attributes)}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}


def _cancelled_by(failure: Exception) -> set[str]:
    """Why a transaction was cancelled, item by item; nothing if that is not what happened."""
    answer = failure.response if isinstance(failure, ClientError) else {}
    return {reason.get("Code", "None") for reason in answer.get("CancellationReasons", ())}


def _conditional(request: Mapping[str, Any]) -> bool:
    return "ConditionExpression" in request or "TransactItems" in request


def _failed_condition(failure: Exception) -> bool:
    return aws.code(failure) == CONDITION_FAILED or bool(_cancelled_by(failure) & IN_THE_WAY)


def _genuine(answer: Any, operation: str) -> bool:
    """Whether DynamoDB gave this answer: a proxy's page with status 200 means nothing was done.

    botocore takes what is not JSON for an answer without contents. DynamoDB's have an id each:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
    """
    about = answer.get("ResponseMetadata", {})
    marked = about.get("RequestId") and about.get("HTTPStatusCode") == HTTPStatus.OK
    return bool(marked) and all(name in answer for name in ANSWERED.get(operation, ()))


def _strange(what: str) -> StoreUnavailable:
    return StoreUnavailable(f"DynamoDB: an answer that is not DynamoDB's ({what})")


class TableConnection:
    """A table and the client that reaches it, made when first needed.

    Args:
        table: The table's name.
        connect: Makes a client, see ``worker.aws.client``.
        clock: Time and chance, for pauses.
    """

    def __init__(
        self, table: str, connect: Callable[[], AbstractAsyncContextManager[Any]], clock: Clock
    ) -> None:
        self._table = table
        self._connect = connect
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._opening = asyncio.Lock()
        self._client: Any = None
        self._stack = AsyncExitStack()

    async def put(
        self,
        item: Item,
        condition: str | None = None,
        names: dict[str, str] | None = None,
        **values: dict[str, Any],
    ) -> Item | None:
        """Write an item if the condition holds.

        Args:
            item: All of it.
            condition: On the item in its place.
            names: Attributes' names, by what the condition calls them.
            **values: Values, by what the condition calls them without the colon.

        Returns:
            None if it is written, else the item in the way (empty if there is none).
        """
        request: dict[str, Any] = {"Item": item}
        if condition is not None:
            request["ConditionExpression"] = condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if names:
            request["ExpressionAttributeNames"] = names
        if values:
            request["ExpressionAttributeValues"] = {f":{k}": v for k, v in values.items()}
        try:
            await self._call("put_item", TableName=self._table, **request)
        except ClientError as failure:  # the condition failed: no other comes through
            obstacle: Item = failure.response.get("Item", {})
            return obstacle
        return None

    async def create(self, item: Item, unless: Item) -> Item | None:
        """Write an item if it is not there yet, and no other either.

        Args:
            item: All of it.
            unless: The other item's key.

        Returns:
            None if it is written, else the item in the way (empty if it is not there yet).
        """
        absent = {
            "TableName": self._table,
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        check = {"ConditionCheck": {**absent, "Key": unless}}
        try:
            await self._call(
                "transact_write_items", TransactItems=[check, {"Put": {**absent, "Item": item}}]
            )
        except ClientError as failure:  # something was in the way: no other comes through
            reasons: list[Item] = failure.response.get("CancellationReasons", [])
            return next((reason["Item"] for reason in reasons if reason.get("Item")), {})
        return None

    async def update(
        self,
        key: Item,
        changes: Item,
        gone: Iterable[str],
        condition: str,
        **values: dict[str, Any],
    ) -> Item | None:
        """Change some attributes of an item if the condition holds; the others stay.

        Args:
            key: The item's.
            changes: Attributes with their new values.
            gone: Names of attributes that are taken away.
            condition: On the item as it is.
            **values: Values, by what the condition calls them without the colon.

        Returns:
            None if it is done, else the item as it is (empty if there is none).
        """
        names = {f"#n{n}": name for n, name in enumerate([*changes, *gone])}
        new = {f":n{n}": value for n, value in enumerate(changes.values())}
        sets = ", ".join(f"#n{n} = :n{n}" for n in range(len(changes)))
        removes = ", ".join(list(names)[len(changes) :])
        request: dict[str, Any] = {
            "UpdateExpression": f"SET {sets} " * bool(sets) + f"REMOVE {removes}" * bool(removes),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if given := {**new, **{f":{k}": v for k, v in values.items()}}:
            request["ExpressionAttributeValues"] = given
        try:
            await self._call("update_item", TableName=self._table, Key=key, **request)
        except ClientError as failure:  # the condition failed: no other comes through
            obstacle: Item = failure.response.get("Item", {})
            return obstacle
        return None

    async def delete(self, key: Item) -> Item | None:
        """Remove an item; what it was, None if there was none."""
        answer = await self._call(
            "delete_item", TableName=self._table, Key=key, ReturnValues="ALL_OLD"
        )
        old: Item | None = answer.get("Attributes")
        return old

    async def get(self, keys: Sequence[Item]) -> list[Item]:
        """Those of these items that are there, as last written, in any order."""
        batches = (keys[at : at + MAX_KEYS] for at in range(0, len(keys), MAX_KEYS))
        answers = await together(self._get(batch) for batch in batches)
        return [item for answer in answers for item in answer]

    async def _get(self, keys: Sequence[Item]) -> list[Item]:
        """What did not fit into an answer is asked for at once, what was throttled later."""
        found: list[Item] = []
        backoff, empty = Backoff(self._clock.chance), 0
        while True:
            wanted = {self._table: {"Keys": keys, "ConsistentRead": True}}
            answer = await self._call("batch_get_item", RequestItems=wanted)
            items = answer["Responses"].get(self._table, [])
            found += items
            keys = answer["UnprocessedKeys"].get(self._table, {}).get("Keys", [])
            if not keys:
                return found
            empty = 0 if items else empty + 1
            if empty == EMPTY_ANSWERS:
                raise StoreUnavailable("DynamoDB: keys left unprocessed")
            if empty:
                await self._clock.sleep(backoff.failed())

    async def pages(self, *, limit: int | None = None, **query: Any) -> AsyncIterator[Any]:
        """The answers to a query, until there are ``limit`` items or no more."""
        seen = 0
        while limit is None or seen < limit:
            if limit is not None:
                query["Limit"] = limit - seen
            answer = await self._call("query", TableName=self._table, **query)
            yield answer
            seen += answer["Count"]
            if not (last := answer.get("LastEvaluatedKey")):
                return
            if last == query.get("ExclusiveStartKey"):
                raise _strange("query")  # it would go on for ever
            query["ExclusiveStartKey"] = last

    async def query(self, *, limit: int | None = None, **query: Any) -> list[Item]:
        """The items a query finds, in the order of their sort key."""
        pages = self.pages(limit=limit, **query)
        return [item async for page in pages for item in page.get("Items", ())]

    async def count(self, *, limit: int | None = None, **query: Any) -> int:
        """How many items a query finds, ``limit`` at most."""
        pages = self.pages(limit=limit, **query, Select="COUNT")
        return sum([page["Count"] async for page in pages])

    async def index_size(self, index: str) -> int:
        """How many items were in an index some time in the last six hours.

        Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GlobalSecondaryIndexDescription.html
        """
        answer = await self._call("describe_table", TableName=self._table)
        indexes = answer["Table"]["GlobalSecondaryIndexes"]
        return sum(int(i.get("ItemCount", 0)) for i in indexes if i["IndexName"] == index)

    async def close(self) -> None:
        """Let go of the client."""
        async with self._opening:
            self._client = None
            await self._stack.aclose()

    async def _call(self, operation: str, **request: Any) -> Any:
        """One request; a failed condition alone is left to the caller as botocore's error."""
        client = await self._open()
        async with self._turns:
            try:
                answer = await getattr(client, operation)(**request)
            except aws.FAILURES as failure:
                if _conditional(request) and _failed_condition(failure):
                    raise
                raise self._meaning(failure) from failure
            except ParamValidationError:  # of what we were told to write, or of an odd answer
                raise self._impossible(operation) from None
            except WorkerError:
                raise
            except Exception as failure:  # noqa: BLE001 - what botocore's parsers fall over
                raise _strange(type(failure).__name__) from None
        if not _genuine(answer, operation):
            raise _strange(operation)
        return answer

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                self._client = await self._stack.enter_async_context(self._connect())
            return self._client

    def _impossible(self, operation: str) -> WorkerError:
        if operation in WRITES:
            return TableRefused(f"DynamoDB cannot hold what was to be written to {self._table}")
        return _strange(operation)

    def _meaning(self, failure: Exception) -> WorkerError:
        code = aws.code(failure)
        if code == NO_TABLE:
            return ConfigError(
                f"there is no DynamoDB table {self._table}: connect-dynamics tables create makes it"
            )
        if aws.may_pass(failure) and TOO_LARGE not in _cancelled_by(failure):
            return StoreUnavailable(f"DynamoDB: {code}")
        return TableRefused(f"DynamoDB refuses a request to the table {self._table}: {code}")
