"""A real worker among hostile services, started once per module; who falls is replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hostile.world import World, world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def settings() -> dict[str, str]:
    """Settings of this module's worker beside the usual ones."""
    return {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(
    tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str]
) -> AsyncIterator[World]:
    """The world of this module."""
    async with world(tmp_path_factory.mktemp("world"), **settings) as made:
        yield made
