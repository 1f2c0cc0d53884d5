"""Contact stores: SQLite, DynamoDB and memory."""

from __future__ import annotations

from pathlib import Path

from worker.errors import ConfigError
from worker.stores.memory import MemoryStore
from worker.stores.protocol import ContactStore
from worker.stores.sqlite import SqliteStore


__all__ = ["open_store"]


def open_store(spec: str) -> ContactStore:
    """The store that the setting names: ``memory``, ``sqlite:PATH`` or ``dynamodb:TABLE``.

    Raises:
        ConfigError: There is no such kind of store, or the file is not ours. A table is looked up
            only when it is used.
        StoreUnavailable: The file is locked, or the disk is full.
    """
    match spec.partition(":"):
        case ("memory", "", ""):
            return MemoryStore()
        case ("sqlite", ":", path) if path:
            return SqliteStore(Path(path))
        case ("dynamodb", ":", table) if table:
            from worker.stores.dynamodb import DynamoStore  # takes long; a file needs none of it

            return DynamoStore(table)
    raise ConfigError(f"no such store: {spec!r}; use memory, sqlite:PATH or dynamodb:TABLE")
