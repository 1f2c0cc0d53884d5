"""Throttled, half answered, refused, answered twice: what a request can come to."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

import pytest

from botocore.exceptions import ClientError, EndpointConnectionError

from pipelines.contact import Contact
from worker import aws
from worker.clock import Clock
from worker.errors import ConfigError, StoreUnavailable
from worker.stores import open_store
from worker.stores.connection import AT_ONCE, EMPTY_ANSWERS
from worker.stores.dynamodb import DynamoStore
from worker.stores.protocol import Entry, Saved


pytestmark = pytest.mark.services

Before = Callable[[str, dict[str, Any]], Awaitable[None]]
Connect = Callable[[], AbstractAsyncContextManager[Any]]
Meddle = Callable[[Before], DynamoStore]

WRITERS = 16
ROUNDS = 2


NUMBER = "+4930901820"


def failure(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": NUMBER}}, "PutItem")


MAY_PASS = [
    failure("ProvisionedThroughputExceededException"),
    failure("ThrottlingException"),
    failure("RequestLimitExceeded"),
    failure("InternalServerError"),
    failure("AccessDeniedException"),
    EndpointConnectionError(endpoint_url="http://127.0.0.1"),
]


class Failing:
    """A client whose every request fails."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        async def call(**_request: Any) -> Any:
            raise self.fault

        return call


class Stingy:
    """Answers BatchGetItem with few of the keys, and with none at first."""

    def __init__(self, client: Any, each: int, empty: int) -> None:
        self.client = client
        self.each = each
        self.empty = empty
        self.asked: list[int] = []

    async def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - DynamoDB's
        [(table, wanted)] = RequestItems.items()
        keys = wanted["Keys"]
        self.asked.append(len(keys))
        each = 0 if len(self.asked) <= self.empty else self.each
        about = {"RequestId": "ABC", "HTTPStatusCode": 200}
        answer: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {}, "ResponseMetadata": about}
        if each:
            some = {table: wanted | {"Keys": keys[:each]}}
            answer = await self.client.batch_get_item(RequestItems=some)
        if keys[each:]:
            answer["UnprocessedKeys"] = {table: wanted | {"Keys": keys[each:]}}
        return answer


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def stingy(
    client: Any, table: str, pauses: list[float]
) -> Callable[[int, int], tuple[DynamoStore, Stingy]]:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    def make(each: int, empty: int) -> tuple[DynamoStore, Stingy]:
        between = Stingy(client, each, empty)
        clock = Clock(sleep=sleep, chance=lambda: 0.5)
        return DynamoStore(table, connect=lambda: nullcontext(between), clock=clock), between

    return make


async def test_unprocessed_keys_are_asked_for_again_until_all_are_there(
    store: DynamoStore, stingy: Callable[..., tuple[DynamoStore, Stingy]], pauses: list[float]
) -> None:
    keys = [str(n) for n in range(150)]
    entries = [Entry(Contact(key, tries=1)) for key in keys]
    await store.save(entries)
    await store.save(entries)  # else it is also asked whether they were forgotten meanwhile
    loading, between = stingy(40, 2)
    loaded = await loading.load(keys)
    assert [(e.contact.id, e.contact.tries) for e in loaded] == [(key, 1) for key in keys]
    assert max(between.asked) == 100
    assert len(pauses) == 2, "after an empty answer; what did not fit is asked for at once"


async def test_keys_that_stay_unprocessed_make_the_store_unavailable(
    stingy: Callable[..., tuple[DynamoStore, Stingy]], pauses: list[float]
) -> None:
    loading, _ = stingy(1, 1000)
    with pytest.raises(StoreUnavailable, match="unprocessed"):
        await loading.load(["a"])
    assert pauses == [0.375, 0.75, 1.5, 3.0]
    assert len(pauses) == EMPTY_ANSWERS - 1


@pytest.mark.parametrize("fault", MAY_PASS, ids=aws.code)
@pytest.mark.parametrize("call", ["load", "save", "due", "quarantined", "positions", "counts"])
async def test_what_may_pass_makes_the_store_unavailable(fault: Exception, call: str) -> None:
    store = DynamoStore("contacts", connect=lambda: nullcontext(Failing(fault)))
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "load": lambda: store.load(["a"]),
        "save": lambda: store.save([Entry(Contact("a"))]),
        "due": lambda: store.due(1.0, 1),
        "quarantined": lambda: store.quarantined("", 1),
        "positions": lambda: store.positions("events"),
        "counts": lambda: store.counts(1.0),
    }
    with pytest.raises(StoreUnavailable, match=aws.code(fault)) as raised:
        await calls[call]()
    assert NUMBER not in str(raised.value)


async def test_a_throttled_save_leaves_none_of_the_others_running(
    store: DynamoStore, meddle: Meddle
) -> None:
    """When ``save`` has failed, nothing of it is still on its way."""

    async def fail_b(_operation: str, request: dict[str, Any]) -> None:
        if "contact#b" in str(request):
            raise failure("ThrottlingException")

    with pytest.raises(StoreUnavailable):
        await meddle(fail_b).save([Entry(Contact(key)) for key in "abc"])
    assert await store.ids("", 10) == ["a", "c"]


async def test_an_entry_that_dynamodb_cannot_hold_is_refused_and_holds_nobody_up(
    store: DynamoStore,
) -> None:
    """Its item is larger than 400 KB beside the contents, which no chunks help."""
    entries = [Entry(Contact("a")), Entry(Contact("b"), claim="x" * 500_000), Entry(Contact("c"))]
    assert await store.save(entries) == [Saved.SAVED, Saved.REFUSED, Saved.SAVED]
    assert await store.ids("", 10) == ["a", "c"]


async def test_a_save_repeated_because_its_answer_was_lost_is_no_conflict(
    meddle: Meddle, client: Any
) -> None:
    """As botocore repeats a request: the same, to the byte."""

    async def send_before(operation: str, request: dict[str, Any]) -> None:
        await getattr(client, operation)(**request)

    store = meddle(send_before)
    entry = Entry(Contact("a"), due_at=1.0)
    assert await store.save([entry]) == [Saved.SAVED]
    assert await store.save([entry]) == [Saved.SAVED]
    assert entry.version == 2
    assert await store.save([Entry(Contact("a"), version=1)]) == [Saved.CONFLICT]


async def test_sixteen_writers_on_one_contact_lose_nothing(table: str, client: Any) -> None:
    async def write(name: str) -> int:
        store = DynamoStore(table, connect=lambda: nullcontext(client))
        conflicts = 0
        for n in range(ROUNDS):
            while True:
                [entry] = await store.load(["a"])
                entry.contact.effects[f"{name}/{n}"] = "done"
                if await store.save([entry]) == [Saved.SAVED]:
                    break
                conflicts += 1
        return conflicts

    conflicts = await asyncio.gather(*(write(f"writer-{n}") for n in range(WRITERS)))
    [entry] = await DynamoStore(table, connect=lambda: nullcontext(client)).load(["a"])
    assert entry.version == WRITERS * ROUNDS
    assert len(entry.contact.effects) == WRITERS * ROUNDS
    assert sum(conflicts) > 0


async def test_no_more_requests_are_under_way_than_are_allowed(meddle: Meddle) -> None:
    under_way: list[int] = []
    now = 0
    full = asyncio.Event()

    async def hold(_operation: str, _request: dict[str, Any]) -> None:
        nonlocal now
        now += 1
        under_way.append(now)
        if now == AT_ONCE:
            full.set()
        await full.wait()
        now -= 1

    store = meddle(hold)
    outcomes = await store.save([Entry(Contact(str(n))) for n in range(3 * AT_ONCE)])
    assert outcomes == [Saved.SAVED] * 3 * AT_ONCE
    assert max(under_way) <= AT_ONCE


async def test_a_missing_table_is_a_matter_for_the_administrator(connect: Connect) -> None:
    store = DynamoStore("absent", connect=connect)
    for call in (store.remember("a", "b"), store.load(["a"]), store.due(1.0, 1)):
        with pytest.raises(ConfigError, match="absent: connect-dynamics tables create makes it"):
            await call
    await store.close()


async def test_a_table_of_another_form_is_a_matter_for_the_administrator(
    client: Any, connect: Connect
) -> None:
    await client.create_table(
        TableName="another",
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    store = DynamoStore("another", connect=connect)
    with pytest.raises(ConfigError, match="ValidationException"):
        await store.load(["a"])
    await store.close()
    await client.delete_table(TableName="another")


async def test_without_a_region_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    store = open_store("dynamodb:contacts")
    with pytest.raises(ConfigError, match="AWS_REGION"):
        await store.load(["a"])
    await store.close()


@pytest.mark.parametrize("spec", ["dynamodb", "dynamodb:", "dynamo:contacts"])
def test_a_setting_that_names_no_table_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="dynamodb:TABLE"):
        open_store(spec)


async def test_the_client_is_made_once_and_closed(table: str, client: Any) -> None:
    made = []

    @asynccontextmanager
    async def connect() -> AsyncIterator[Any]:
        made.append("open")
        yield client
        made.append("closed")

    store = DynamoStore(table, connect=connect)
    await asyncio.gather(*(store.load([key]) for key in "abc"))
    await store.close()
    await store.close()
    assert made == ["open", "closed"]
