"""Positions in a shard, and where they are kept.

A checkpoint is a sequence number (everything up to it has been processed) or ``SHARD_END``, as the
Kinesis Client Library writes it too, so its lease table can take the place of this store.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Protocol

from worker.errors import ConfigError
from worker.moments import Moments, remembered
from worker.outside_time import OutsideTime


SHARD_END: Final = "SHARD_END"
NOW: Final = "now"
EARLIEST: Final = "earliest"

#: Arguments of GetShardIterator: where to begin.
Begin = dict[str, Any]


class Checkpoints(Moments, Protocol):
    """The part of a ``ContactStore`` that keeps a stream's positions."""

    async def positions(self, stream: str) -> dict[str, str]:
        """The checkpoint of every shard of a stream that has one."""
        ...

    async def set_position(self, stream: str, shard: str, position: str) -> None:
        """Write a shard's checkpoint."""
        ...


def fixed_start(start: str, now: float) -> str:
    """``start`` in a form that does not depend on the time: "earliest" or an ISO time.

    LATEST does: a restart before the first checkpoint would skip the records in between.

    Raises:
        ConfigError: It is neither "now", "earliest" nor an ISO time.
    """
    if start == NOW:
        return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    begin_at_start(start)
    return start


async def remembered_start(memory: Moments, stream: str, start: str, outside: OutsideTime) -> str:
    """The ``start`` from when the stream was first seen; changing it later has no effect.

    A remembered "now" that lies in the future came from a wrong clock, and is corrected.

    Raises:
        ConfigError: See ``fixed_start``.
        StoreUnavailable: The store cannot be used for now.
    """
    name = f"start/{stream}"
    value = fixed_start(start, outside.now())
    if start == NOW:
        return await remembered(memory, name, value, outside)
    return await memory.remember(name, value)


def begin_at_start(start: str) -> Begin:
    """Where a shard without checkpoint begins. A time without offset is UTC.

    Raises:
        ConfigError: It is neither "earliest" nor an ISO time.
    """
    if start == EARLIEST:
        return begin_at_horizon()
    try:
        time = datetime.fromisoformat(start)
    except ValueError:
        raise ConfigError('start is neither "now", "earliest" nor an ISO time') from None
    # In UTC, since botocore's serializer ignores the offset; it sends whole seconds.
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": time}


def begin_at_horizon() -> Begin:
    """Begin at the oldest record there is."""
    return {"ShardIteratorType": "TRIM_HORIZON"}


def begin_at(sequence: int) -> Begin:
    """Begin at a record, which must not have been trimmed."""
    return {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": str(sequence)}


def sequence_of(checkpoint: str) -> int:
    """A checkpoint as a sequence number.

    Raises:
        ConfigError: It is not one.
    """
    try:
        return int(checkpoint)
    except ValueError:
        raise ConfigError("a checkpoint in the store is no sequence number") from None
