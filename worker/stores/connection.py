"""One DynamoDB table over the network: a limited number of requests, failures by their meaning.

botocore retries throttled and failed requests a few times by itself (``worker.aws``). What still
fails raises:

StoreUnavailable   throttled, 5xx, no answer or not DynamoDB's, no permission yet: the same call may
                   succeed later
TableRefused       DynamoDB can never accept this request
ConfigError        there is no such table, or no Region is configured
"""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from http import HTTPStatus
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError, ParamValidationError

from worker import aws
from worker.clock import Backoff, Clock
from worker.errors import ConfigError, StoreUnavailable, WorkerError
from worker.stores.layout import Item


T = TypeVar("T")

#: Most requests at a time; less than ``worker.aws_client.MAX_CONNECTIONS``.
AT_ONCE: Final = 32

#: Most keys of BatchGetItem:
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_KEYS: Final = 100

#: Answers in a row without any of the requested items before a read counts as failed.
EMPTY_ANSWERS: Final = 5

CONDITION_FAILED: Final = "ConditionalCheckFailedException"

#: Members that an answer must have.
ANSWERED: Final = {
    "batch_get_item": ("Responses", "UnprocessedKeys"),
    "query": ("Count",),
    "describe_table": ("Table",),
}

#: Operations whose requests hold the data to write.
WRITES: Final = frozenset({"put_item", "update_item"})

NO_TABLE: Final = "ResourceNotFoundException"


class TableRefused(ConfigError):  # noqa: N818 - says what is the matter
    """DynamoDB rejects the request: it cannot hold the item, or the table has other keys."""


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run the calls concurrently; a failure is raised once all of them have ended."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes  # type: ignore[return-value] # no exception is among them


def where(condition: str, **values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a query for the keys that satisfy the condition."""
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }


def only(*attributes: str) -> dict[str, Any]:
    """The arguments of a query that reads only these attributes."""
    names = {f"#a{n}": name for n, name in enumerate(attributes)}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}


def _is_dynamodb_answer(answer: Any, operation: str) -> bool:
    """Whether this answer is DynamoDB's: a proxy's page with status 200 means nothing was done.

    botocore takes what is not JSON for an empty answer. DynamoDB's answers have a request id:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
    """
    about = answer.get("ResponseMetadata", {})
    marked = about.get("RequestId") and about.get("HTTPStatusCode") == HTTPStatus.OK
    return bool(marked) and all(name in answer for name in ANSWERED.get(operation, ()))


def _foreign_answer(what: str) -> StoreUnavailable:
    return StoreUnavailable(f"DynamoDB: an answer that is not DynamoDB's ({what})")


class TableConnection:
    """A table and its client, which is created when first needed.

    Args:
        table: The table's name.
        connect: Makes a client, see ``worker.aws.client``.
        clock: Time and chance, for back-off.
    """

    def __init__(
        self, table: str, connect: Callable[[], AbstractAsyncContextManager[Any]], clock: Clock
    ) -> None:
        self._table = table
        self._connect = connect
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)
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
            item: The whole item.
            condition: On the item that it replaces.
            names: Attribute names, by the condition's placeholders.
            **values: Values, by the condition's placeholders without the colon.

        Returns:
            None if it was written, else the item in the way (empty if there is none).
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
        except ClientError as failure:  # a failed condition: the only one raised
            obstacle: Item = failure.response.get("Item", {})
            return obstacle
        return None

    async def create(self, item: Item, barred_by: Item) -> Item | None:
        """Write an item, which has a ``save``, if neither it nor another item exists.

        Not in a transaction, which costs three write units more for a small item. Whoever writes
        the other item removes this one afterwards, so it is looked for before and after: either we
        see it, or ours is removed. After a crash in between, a load finds both (``DynamoStore``).

        Args:
            item: The whole item.
            barred_by: The other item's key.

        Returns:
            None if it was written, else the item in the way.
        """
        if bar := await self.get([barred_by]):
            return bar[0]
        obstacle = await self.put(item, "attribute_not_exists(pk)")
        if obstacle is not None and obstacle.get("save") != item["save"]:
            return obstacle
        if bar := await self.get([barred_by]):
            await self.delete({name: item[name] for name in ("pk", "sk")})
            return bar[0]
        return None

    async def update(
        self,
        key: Item,
        changes: Item,
        removed: Iterable[str],
        condition: str,
        **values: dict[str, Any],
    ) -> Item | None:
        """Change some attributes of an item if the condition holds; the others stay.

        Args:
            key: The item's key.
            changes: Attributes with their new values.
            removed: Names of attributes to remove.
            condition: On the item as it is.
            **values: Values, by the condition's placeholders without the colon.

        Returns:
            None if it was changed, else the item as it is (empty if there is none).
        """
        names = {f"#n{n}": name for n, name in enumerate([*changes, *removed])}
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
        except ClientError as failure:  # a failed condition: the only one raised
            obstacle: Item = failure.response.get("Item", {})
            return obstacle
        return None

    async def delete(self, key: Item) -> Item | None:
        """Remove an item; the item as it was, or None."""
        answer = await self._call(
            "delete_item", TableName=self._table, Key=key, ReturnValues="ALL_OLD"
        )
        old: Item | None = answer.get("Attributes")
        return old

    async def get(self, keys: Sequence[Item]) -> list[Item]:
        """Those of these items that exist, read consistently, in any order."""
        batches = (keys[at : at + MAX_KEYS] for at in range(0, len(keys), MAX_KEYS))
        answers = await together(self._get(batch) for batch in batches)
        return [item for answer in answers for item in answer]

    async def _get(self, keys: Sequence[Item]) -> list[Item]:
        """Keys that did not fit into an answer are requested at once, throttled ones later."""
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
        """The answers to a query, until ``limit`` items or the end."""
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
                raise _foreign_answer("query")  # an endless loop otherwise
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
        """How many items an index had at some time in the last six hours.

        Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GlobalSecondaryIndexDescription.html
        """
        answer = await self._call("describe_table", TableName=self._table)
        indexes = answer["Table"]["GlobalSecondaryIndexes"]
        return sum(int(i.get("ItemCount", 0)) for i in indexes if i["IndexName"] == index)

    async def close(self) -> None:
        """Close the client."""
        async with self._opening:
            self._client = None
            await self._stack.aclose()

    async def _call(self, operation: str, **request: Any) -> Any:
        """One request; only a failed condition raises botocore's error, for the caller."""
        client = await self._open()
        async with self._slots:
            try:
                answer = await getattr(client, operation)(**request)
            except aws.FAILURES as failure:
                if "ConditionExpression" in request and aws.code(failure) == CONDITION_FAILED:
                    raise
                raise self._error_for(failure) from failure
            except ParamValidationError:  # about the data to write, or from an invalid answer
                raise self._invalid_request(operation) from None
            except WorkerError:
                raise
            except Exception as failure:  # noqa: BLE001 - whatever botocore's parsers raise
                raise _foreign_answer(type(failure).__name__) from None
        if not _is_dynamodb_answer(answer, operation):
            raise _foreign_answer(operation)
        return answer

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                self._client = await self._stack.enter_async_context(self._connect())
            return self._client

    def _invalid_request(self, operation: str) -> WorkerError:
        if operation in WRITES:
            return TableRefused(f"DynamoDB cannot hold what was to be written to {self._table}")
        return _foreign_answer(operation)

    def _error_for(self, failure: Exception) -> WorkerError:
        code = aws.code(failure)
        if code == NO_TABLE:
            return ConfigError(
                f"there is no DynamoDB table {self._table}: connect-dynamics tables create makes it"
            )
        if aws.may_pass(failure):
            return StoreUnavailable(f"DynamoDB: {code}")
        return TableRefused(f"DynamoDB refuses a request to the table {self._table}: {code}")
