"""The state that an operation works on: a store that is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from worker.errors import ConfigError
from worker.stores import open_store
from worker.stores.protocol import ContactStore


def file_of(spec: str) -> Path | None:
    """The file of a ``sqlite:PATH`` store; None for any other."""
    kind, _, path = spec.partition(":")
    return Path(path) if kind == "sqlite" and path else None


@asynccontextmanager
async def opened(spec: str) -> AsyncIterator[ContactStore]:
    """The store that is there, for the time of one command; none is made.

    Raises:
        ConfigError: There is no such store.
    """
    if spec == "memory":
        raise ConfigError("state in memory ends with its process; name a file: sqlite:PATH")
    if (path := file_of(spec)) is not None and not path.exists():
        raise ConfigError(f"{path}: there is no state yet; is --state, or the setting, right?")
    store = open_store(spec)
    try:
        yield store
    finally:
        await store.close()
