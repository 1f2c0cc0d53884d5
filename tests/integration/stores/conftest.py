"""A fresh table on moto for each test, and clients with which something happens between calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from pipelines.contact import Contact
from worker import aws
from worker.stores.dynamodb import DynamoStore
from worker.stores.tables import create_tables


#: Called before each request with its operation and arguments.
Before = Callable[[str, dict[str, Any]], Awaitable[None]]
Connect = Callable[[], AbstractAsyncContextManager[Any]]


class Meddled:
    """A client that lets something happen before each request."""

    def __init__(self, client: Any, before: Before) -> None:
        self._client = client
        self._before = before

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        async def call(**request: Any) -> Any:
            await self._before(operation, request)
            return await getattr(self._client, operation)(**request)

        return call


@pytest.fixture
def connect(moto_server: str) -> Connect:
    return partial(aws.client, "dynamodb", endpoint_url=moto_server, whole=True)


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[Any]:
    async with connect() as opened:
        yield opened


@pytest.fixture
async def table(client: Any) -> AsyncIterator[str]:
    name = f"contacts-{uuid4().hex}"
    await create_tables(client, name)
    yield name
    await client.delete_table(TableName=name)


@pytest.fixture
async def store(table: str, client: Any) -> AsyncIterator[DynamoStore]:
    opened = DynamoStore(table, connect=lambda: nullcontext(client))
    yield opened
    await opened.close()


@pytest.fixture
def meddle(table: str, client: Any) -> Callable[[Before], DynamoStore]:
    """``meddle(before)``: a store of its own on the same table, meddled with."""

    def make(before: Before) -> DynamoStore:
        return DynamoStore(table, connect=lambda: nullcontext(Meddled(client, before)))

    return make


@pytest.fixture
def all_items(table: str, client: Any) -> Callable[[], Awaitable[list[dict[str, Any]]]]:
    """``await all_items()``: everything that lies in the table."""

    async def read() -> list[dict[str, Any]]:
        pages = client.get_paginator("scan").paginate(TableName=table)
        return [item async for page in pages for item in page["Items"]]

    return read


@pytest.fixture
def remove(table: str, client: Any) -> Callable[[list[dict[str, Any]]], Awaitable[None]]:
    """``await remove(items)``: somebody else takes them out of the table."""

    async def delete(items: list[dict[str, Any]]) -> None:
        for item in items:
            await client.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})

    return delete


@pytest.fixture(scope="session")
def large() -> Callable[..., Contact]:
    """``large("a", seed)``: a contact that no compression makes smaller than 30 kB, or ``size``."""

    def make(contact_id: str, seed: int = 1, size: int = 30_000) -> Contact:
        text = Random(seed).randbytes(size).hex()
        return Contact(contact_id, effects={"p/s": text}, tries=seed)

    return make
