"""A sandbox in process, with a fixed clock and seed, and a client for it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import httpx
import pytest

from worker.sandbox.dataverse.app import Dataverse, create_dataverse


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


NOW = 1767323045.0  # 2026-01-02T03:04:05Z


@pytest.fixture
def dataverse() -> Iterator[Dataverse]:
    """Without tokens, limits or faults; contacts have emailaddress1 as alternate key."""
    keys = {"contacts": [("emailaddress1",)], "phonecalls": [("subject",)]}
    dataverse = create_dataverse(auth=False, keys=keys, clock=lambda: NOW, random=Random(1))
    yield dataverse
    dataverse.close()


@pytest.fixture
async def http(dataverse: Dataverse) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it, at the root of the Web API."""
    transport = httpx.ASGITransport(app=dataverse.app)
    root = "https://org.test/api/data/v9.2/"
    async with httpx.AsyncClient(transport=transport, base_url=root) as client:
        yield client
