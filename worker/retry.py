"""Repeating a call for ever, and saying so each time it fails."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from worker import aws, heartbeat
from worker.clock import Backoff, Clock, run_until
from worker.errors import StoreUnavailable


T = TypeVar("T")


def ignore(*_: object) -> None:
    """Take any report and do nothing: the default where nobody listens."""


def stoppable(clock: Clock, stop: asyncio.Event) -> Clock:
    """The same clock, whose sleeps end at ``stop``."""

    async def sleep(seconds: float) -> None:
        await run_until(stop, clock.sleep(seconds))

    return replace(clock, sleep=sleep)


async def insist(
    call: Callable[[], Awaitable[T]],
    *,
    stop: asyncio.Event,
    clock: Clock,
    report: Callable[[str], None],
) -> T | None:
    """Repeat the call, with back-off, until it succeeds.

    A try that has begun is finished even after ``stop``, so that what is in hand gets
    acknowledged; only the waiting is cut short.

    Returns:
        What the call returned; None if it failed and ``stop`` is set.

    Raises:
        Exception: Anything that another try cannot mend; a refusal of AWS is reported before.
    """
    backoff = Backoff(clock.chance)
    while True:
        heartbeat.beat()
        try:
            return await call()
        except (StoreUnavailable, *aws.FAILURES) as failure:
            report(aws.code(failure))
            if not isinstance(failure, StoreUnavailable) and not aws.may_pass(failure):
                raise
        await run_until(stop, clock.sleep(backoff.failed()))
        if stop.is_set():
            return None
