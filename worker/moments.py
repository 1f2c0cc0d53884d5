"""Moments that the state remembers: since when a pipeline applies, where a stream begins.

The first worker chooses one, for good. Should its clock have been ahead, everything until then
would be left out, so a moment that is still to come is corrected.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import structlog

from worker.outside_time import OutsideTime


_log = structlog.get_logger(__name__)


class Moments(Protocol):
    """What keeps them: a ``ContactStore``."""

    async def remember(self, name: str, value: str) -> str:
        """Keep ``value`` under ``name`` unless there is one; what is kept now."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """Keep ``new`` under ``name`` if ``old`` is what is kept there; whether it was."""
        ...


def text_of(at: float) -> str:
    """A moment (s since 1970) as a UTC second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def remembered(kept_by: Moments, name: str, value: str, outside: OutsideTime) -> str:
    """What is remembered under a name, ``value`` if nothing was; see ``set_right``."""
    return await set_right(kept_by, name, await kept_by.remember(name, value), outside)


async def set_right(kept_by: Moments, name: str, kept: str, outside: OutsideTime) -> str:
    """What is remembered under a name: what was kept, or now if that is still to come.

    Args:
        kept_by: The store.
        name: Under which it is kept.
        kept: What was kept when it was last read; what is not a time stays.
        outside: Knows what time it is. As long as it does not, everything stays.

    Raises:
        StoreUnavailable: The store cannot be used just now.
    """
    while _to_come(kept, outside):
        now = text_of(outside.now())
        if await kept_by.replace(name, kept, now):
            _log.warning("state.moment_set_right", name=name, was=kept, now=now)
            return now
        kept = await kept_by.remember(name, now)
    return kept


def _to_come(kept: str, outside: OutsideTime) -> bool:
    try:
        return outside.in_future(datetime.fromisoformat(kept).timestamp())
    except ValueError:
        return False
