"""The sandbox inside this process, without TLS or tokens: for replays, tests and benchmarks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from worker.sandbox.dataverse.app import create_dataverse


if TYPE_CHECKING:
    from pathlib import Path


#: All records by entity set.
Dump = Callable[[], dict[str, list[dict[str, Any]]]]


@asynccontextmanager
async def open_sandbox(path: Path | None) -> AsyncIterator[tuple[httpx.AsyncBaseTransport, Dump]]:
    """A sandbox that keeps its rows in a file or in memory: its transport and its dump."""
    dataverse = create_dataverse(path=path, auth=False)
    try:
        yield httpx.ASGITransport(dataverse.app), dataverse.dump
    finally:
        dataverse.close()
