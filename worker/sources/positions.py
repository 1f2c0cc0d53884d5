"""Positions in a shard, and where they are kept.

A checkpoint is a sequence number (everything up to it is done) or ``SHARD_END``, the text that
the Kinesis Client Library writes too, so its lease table can take this store's place.
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

#: Arguments of GetShardIterator that say where to begin.
Begin = dict[str, Any]


class Checkpoints(Moments, Protocol):
    """What a stream needs of a ``ContactStore`` that keeps its positions."""

    async def positions(self, stream: str) -> dict[str, str]:
        """The checkpoint of every shard of a stream that has one."""
        ...

    async def set_position(self, stream: str, shard: str, position: str) -> None:
        """Write a shard's checkpoint."""
        ...


def fixed_start(start: str, now: float) -> str:
    """``start`` as something that means the same tomorrow: "earliest" or an ISO time.

    LATEST would not: a restart before the first checkpoint would skip what came in between.

    Raises:
        ConfigError: It is neither "now", "earliest" nor an ISO time.
    """
    if start == NOW:
        return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    begin_at_start(start)
    return start


async def remembered_start(memory: Moments, stream: str, start: str, outside: OutsideTime) -> str:
    """What ``start`` was when the stream was first seen; changing it later changes nothing.

    A "now" that is still to come was read off a wrong clock: it is set right.

    Raises:
        ConfigError: See ``fixed_start``.
        StoreUnavailable: The store cannot be used just now.
    """
    name = f"start/{stream}"
    value = fixed_start(start, outside.now())
    if start == NOW:
        return await remembered(memory, name, value, outside)
    return await memory.remember(name, value)


def begin_at_start(start: str) -> Begin:
    """Begin where a shard without checkpoint begins. A time without offset is UTC.

    Raises:
        ConfigError: It is neither "earliest" nor an ISO time.
    """
    if start == EARLIEST:
        return begin_at_horizon()
    try:
        time = datetime.fromisoformat(start)
    except ValueError:
        raise ConfigError('start is neither "now", "earliest" nor an ISO time') from None
    # In UTC, since botocore's serializer looks at the clock face only; it sends whole seconds.
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": time}


def begin_at_horizon() -> Begin:
    """Begin at the oldest record there is."""
    return {"ShardIteratorType": "TRIM_HORIZON"}


def begin_at(sequence: int) -> Begin:
    """Begin at a record; to be there still, it must not have been trimmed."""
    return {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": str(sequence)}


def sequence_of(checkpoint: str) -> int:
    """The sequence number that a checkpoint is.

    Raises:
        ConfigError: It is none.
    """
    try:
        return int(checkpoint)
    except ValueError:
        raise ConfigError("a checkpoint in the store is no sequence number") from None
