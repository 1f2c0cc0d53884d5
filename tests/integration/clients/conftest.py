"""The sandbox over TLS, for clients that other people wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.users import CLIENT_ID
from worker.sandbox.server import serve


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Served(NamedTuple):
    """A served sandbox: its base URL, its authority's certificate, a token, and itself."""

    url: str
    ca_path: Path
    token: str
    dataverse: Dataverse


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    keys = {"contacts": [("emailaddress1",)], "phonecalls": [("subject",)]}
    dataverse = create_dataverse(keys=keys)
    ca_path = tmp_path / "ca.pem"
    async with serve(dataverse, ca_path=ca_path) as url:
        yield Served(url, ca_path, dataverse.tokens.issue(CLIENT_ID), dataverse)
    dataverse.close()
