"""Outside time: what time it is by the clocks of others, for our own may be wrong.

AWS and Dynamics date their answers; Kinesis and SQS say when they took a message in. The first
give the time, the second an earliest time. Between two answers the monotonic clock counts on.
What cannot be taken back is not decided by our wall clock alone.
"""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from math import inf
from typing import Final

import structlog

from worker.clock import Clock


_log = structlog.get_logger(__name__)

#: Our wall clock is taken for right if it differs by no more than this (s): dates are in whole
#: seconds, and an answer is on its way for a while.
SLACK_S: Final = 10.0

#: From where on a clock is called wrong, and within what right again (s).
WRONG_S: Final = 60.0
RIGHT_S: Final = 30.0

#: For how long (s), at least, an answer counts beside later ones that give an earlier time.
WINDOW_S: Final = 600.0


@dataclass(slots=True)
class _ServiceClock:
    """One service's clock, as seconds since 1970 at monotonic time 0.

    An answer that took long, or lay here unread while the process was stopped, gives an earlier
    time than it is, never a later one. So of several the latest counts.
    """

    since: float
    best: float
    before: float = -inf

    def observe(self, offset: float, now: float) -> None:
        if now - self.since > WINDOW_S:
            self.since, self.before, self.best = now, self.best, offset
        self.best = max(self.best, offset)

    @property
    def offset(self) -> float:
        return max(self.best, self.before)


class OutsideTime:
    """Knows what time it is by the clocks of others.

    Args:
        clock: Our own clocks.
        on_skew: Called with how far (s) our wall clock is ahead, whenever a service gives the time.
    """

    def __init__(
        self, clock: Clock | None = None, on_skew: Callable[[float], None] = lambda _s: None
    ) -> None:
        self._clock = clock or Clock()
        self._on_skew = on_skew
        self._services: dict[str, _ServiceClock] = {}
        self._least = -inf
        self._wrong = False
        self._known = asyncio.Event()

    def observe(self, service: str, at: float) -> None:
        """A service says that it is this time now (s since 1970)."""
        now = self._clock.monotonic()
        self._services.setdefault(service, _ServiceClock(now, -inf)).observe(at - now, now)
        self._known.set()
        self._judge()

    def dated(self, service: str, date: str) -> None:
        """A service answered with this ``Date`` header; one that cannot be read says nothing."""
        try:
            at = parsedate_to_datetime(date).timestamp()
        except (ValueError, OverflowError):
            return
        self.observe(service, at)

    def arrived(self, at: float) -> None:
        """A service took something in at this time (s since 1970), and it is later now."""
        self._least = max(self._least, at - self._clock.monotonic())
        self._judge()

    async def wait_until_known(self, patience_s: float) -> None:
        """Return once a service has given the time, or after so long (s)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._known.wait()

    @property
    def clock(self) -> Clock:
        """Our own clocks, with ``now`` for the wall clock."""
        return replace(self._clock, wall=self.now)

    @property
    def known(self) -> bool:
        """Whether a service has given the time."""
        return bool(self._services)

    @property
    def skew_s(self) -> float | None:
        """By how much (s) our wall clock is ahead; negative: behind; None: not known.

        If two services differ, the one that is nearer to ours is believed: a clock is called wrong
        only if all others say so.
        """
        ours = self._clock.wall() - self._clock.monotonic()
        if self.known:
            return min((ours - service.offset for service in self._services.values()), key=abs)
        return ours - self._least if ours < self._least else None

    def now(self) -> float:
        """The time (s since 1970): by our wall clock, unless it is wrong by more than a slack."""
        skew_s, wall = self.skew_s or 0.0, self._clock.wall()
        return wall if abs(skew_s) <= SLACK_S else wall - skew_s

    def at_least(self) -> float | None:
        """It is at least this late (s since 1970), whatever our clock says; None: not known."""
        if self.known:
            return self.now()
        return None if self._least == -inf else self._least + self._clock.monotonic()

    def in_future(self, moment: float) -> bool:
        """Whether a moment (s since 1970) is certainly still to come."""
        return self.known and moment > self.now() + SLACK_S

    def _judge(self) -> None:
        """Report when our clock turns out to be wrong, and when it is right again."""
        skew_s = self.skew_s
        if skew_s is None:
            return
        self._on_skew(skew_s)
        if abs(skew_s) > WRONG_S and not self._wrong:
            self._wrong = True
            _log.error("clock.wrong", skew_s=round(skew_s))
        elif abs(skew_s) < RIGHT_S and self._wrong:
            self._wrong = False
            _log.info("clock.right", skew_s=round(skew_s))
