"""The gate that every request of one application user passes: slots, breaker, and their protocol.

``slots`` says how many requests may be in flight, ``breaker`` whether any may be sent at all. How
a request ended teaches both. A gate is one worker's; what other workers have learned reaches it
through ``worker.dynamics.gate_sync``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from worker.clock import Clock
from worker.dynamics.breaker import Breaker
from worker.dynamics.errors import DynamicsError
from worker.dynamics.failure_counter import OUTAGE_AFTER
from worker.dynamics.privileges import Privileges
from worker.dynamics.reasons import GateState, Reason
from worker.dynamics.slots import MAX_SLOTS, Slots


@dataclass(frozen=True)
class Gate:
    """What a request passes on its way to Dynamics.

    Attributes:
        slots: How many requests at a time.
        breaker: Whether any.
        clock: The clock of both.
        refresh: Called before each request: learns what other workers know.
        privileges: Which kinds of requests are refused.
    """

    slots: Slots
    breaker: Breaker
    clock: Clock
    refresh: Callable[[], Awaitable[None]] | None = None
    privileges: Privileges = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "privileges", Privileges(self.clock))

    @asynccontextmanager
    async def slot(
        self, *, wait_s: float | None = None, writes: bool = True, subject: str | None = None
    ) -> AsyncIterator[None]:
        """Wait for a free slot and hold it; slots and breaker learn from how the block ends.

        Args:
            wait_s: Longest wait for a slot (s).
            writes: Whether a success proves that this user may write.
            subject: What the request is about, such as a record: if that one never gets an
                answer, it is no outage. None: unlike any other.

        Raises:
            GateClosed: it is closed, or closes while waiting.
            NotSent: no slot came free in ``wait_s``.
        """
        deadline = None if wait_s is None else self.clock.monotonic() + wait_s
        if self.refresh and self.breaker.state is GateState.OPEN:
            await self.refresh()
        async with self.slots.held(deadline):
            try:
                yield
            except DynamicsError as error:
                judged = self.breaker.failed(error, subject, writes=writes)
                if judged is error:
                    raise
                raise judged from None
            else:
                self.breaker.succeeded(subject, writes=writes)

    @property
    def reasons(self) -> set[Reason]:
        """Why not everything is sent now: the breaker's reason, and missing privileges."""
        missing = {Reason.FORBIDDEN} if self.privileges.missing else set()
        return ({self.breaker.reason} | missing) - {Reason.NONE}

    def take_hint(self, slots: int) -> None:
        """Take ``x-ms-dop-hint``; a worker without a share of so few slots waits."""
        self.slots.take_hint(slots)
        self.breaker.check_share()


def make_gate(
    clock: Clock | None = None, *, max_slots: int = MAX_SLOTS, outage_after: int = OUTAGE_AFTER
) -> Gate:
    """The gate of a worker that shares it with no other."""
    clock = clock or Clock()
    slots = Slots(clock, max_slots)
    return Gate(slots, Breaker(slots, clock, outage_after), clock)
