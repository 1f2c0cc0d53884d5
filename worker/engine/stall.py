"""A stall: a replay that goes on although nothing is done any more.

A worker waits for as long as it takes. A replay has to end: what is left stays due and is reported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from worker.dynamics.reasons import ROUTINE, Reason
from worker.engine.reports import Sent
from worker.engine.transaction import Transactions


_log = structlog.get_logger(__name__)

#: How long (s) a replay goes on without anything being done while probes are answered, so that it
#: can be no outage of everything; and how long at most.
REFUSED_S: Final = 300.0
AWAY_S: Final = 4 * 3600.0

#: How often (s) it is looked at.
LOOK_S: Final = 5.0


@dataclass(slots=True)
class Stall:
    """Watches one replay.

    Attributes:
        transactions: What it does.
        probe: See ``Push``; asked through this, so that its answers are known.
    """

    transactions: Transactions
    probe: Callable[[], Awaitable[object]]
    _seen: Sent = field(default_factory=Sent)
    _counted: int = 0
    _since: float = 0.0
    _probed: bool = False

    async def probing(self) -> None:
        """Probe, and note that there was an answer."""
        await self.probe()
        self._probed = True

    async def ended(self) -> None:
        """Return once nothing has been done for too long."""
        clock = self.transactions.clock
        self._begin()
        while clock.monotonic() - self._since < (REFUSED_S if self._refused else AWAY_S):
            await clock.sleep(LOOK_S)
            sent = self.transactions.reports.sent
            counted = self.transactions.suspects.all_counted
            if sent != self._seen or counted != self._counted or not self._in_trouble:
                self._begin()
        reason = self.transactions.gate.breaker.reason.value
        _log.error("push.given_up", seconds=round(clock.monotonic() - self._since), reason=reason)

    def _begin(self) -> None:
        self._seen = replace(self.transactions.reports.sent)
        self._counted = self.transactions.suspects.all_counted
        self._since = self.transactions.clock.monotonic()
        self._probed = False

    @property
    def _in_trouble(self) -> bool:
        """Whether anything but time is waited for."""
        reason = self.transactions.gate.breaker.reason
        return bool(len(self.transactions.suspects)) or reason is not Reason.NONE

    @property
    def _refused(self) -> bool:
        """Whether requests are answered, and yet nothing is done."""
        breaker = self.transactions.gate.breaker
        if breaker.reason is Reason.ORGANIZATION:
            return True
        if breaker.reason is Reason.OUTAGE and self.transactions.write_probe.ready:
            return False  # that writes get no answer has been found out: it ends some day
        return self._probed or breaker.reason in ROUTINE - {Reason.THROTTLED}
