"""A sandbox in process that has what the probes need, and the conformance kit's way to it."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Iterator
from random import Random

import httpx
import pytest

from worker.conformance.organization import Organization
from worker.dynamics.auth import StaticTokens
from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.app import Dataverse, create_dataverse


ROOT = "https://org.test/api/data/v9.2/"


async def no_time(_seconds: float) -> None:
    """Lets others go on, and takes none."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def dataverse() -> Iterator[Dataverse]:
    """With alternate keys, a disabled user, and answers slow enough for two to come at once."""
    keys = {"contacts": [("emailaddress1",)], "phonecalls": [("subject",)]}
    dataverse = create_dataverse(keys=keys, random=Random(1), sleep=no_time)
    dataverse.put("systemusers", {"firstname": "Ada", "isdisabled": True})
    dataverse.faults.sometimes(faults.latency(0.001), 1.0, method="PATCH")
    yield dataverse
    dataverse.close()


@pytest.fixture
async def organization(dataverse: Dataverse) -> AsyncIterator[Organization]:
    token = dataverse.tokens.issue(next(iter(dataverse.tokens.clients)))
    transport = httpx.ASGITransport(app=dataverse.app)
    async with httpx.AsyncClient(transport=transport) as http:
        yield Organization(http, StaticTokens(token), ROOT, sleep=no_time)
