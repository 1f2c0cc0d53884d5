"""Trying a call again until it succeeds, is stopped, or has taken too long."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, overload

from worker import heartbeat
from worker.clock import Backoff, Clock, run_until


T = TypeVar("T")

#: Called with each failure and the pause (s) after it; raises one that no other try can help.
Failed = Callable[[Exception, float], None]

#: After a try that went on for so long (s) the pauses begin anew.
LASTING_S: Final = 300.0


@overload
async def retry_until(
    call: Callable[[], Awaitable[T]],
    *,
    clock: Clock,
    errors: tuple[type[Exception], ...],
    failed: Failed,
    stop: None = None,
    deadline: float | None = None,
) -> T: ...


@overload
async def retry_until(
    call: Callable[[], Awaitable[T]],
    *,
    clock: Clock,
    errors: tuple[type[Exception], ...],
    failed: Failed,
    stop: asyncio.Event,
    deadline: float | None = None,
) -> T | None: ...


async def retry_until(
    call: Callable[[], Awaitable[T]],
    *,
    clock: Clock,
    errors: tuple[type[Exception], ...],
    failed: Failed,
    stop: asyncio.Event | None = None,
    deadline: float | None = None,
) -> T | None:
    """Try a call until it succeeds, with pauses that grow and are partly random (``Backoff``).

    A try that has begun is finished even after ``stop``, so that what is in hand gets
    acknowledged; only the waiting is cut short.

    Args:
        call: Makes one try.
        clock: Time and chance.
        errors: What another try may help.
        failed: Called with each of them.
        stop: Ends the tries once it is set.
        deadline: Monotonic time (s) from which on no further try begins; None: there is none.

    Returns:
        What the call returned; None if it failed and ``stop`` is set.

    Raises:
        Exception: One that is not among ``errors``, that ``failed`` raised, or the last one before
            the deadline.
    """
    backoff = Backoff(clock.chance)
    stop = stop or asyncio.Event()
    while True:
        heartbeat.beat()
        began = clock.monotonic()
        try:
            return await call()
        except errors as failure:
            ended = clock.monotonic()
            if ended - began > LASTING_S:
                backoff.succeeded()
            pause_s = backoff.failed()
            failed(failure, pause_s)
            if deadline is not None and ended + pause_s >= deadline:
                raise
        await run_until(stop, clock.sleep(pause_s))
        if stop.is_set():
            return None


def ignore(*_: object) -> None:
    """Take any report and do nothing: the default where nobody listens."""
