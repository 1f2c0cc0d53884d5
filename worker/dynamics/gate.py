"""The gate every request of one application user passes: how many at a time, and whether at all.

Dataverse limits concurrent requests, requests and execution time per user and web server and
advises to start low, raise until 429 and obey Retry-After (powerapps-docs ``api-limits``, "send
parallel requests"). The number of slots grows additively and halves on trouble; the gate closes
when going on would do harm, and one probe at a time finds out when it can open again.
"""

from __future__ import annotations

import asyncio
import enum
import random
import time

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from worker.dynamics.errors import (
    DynamicsError,
    Forbidden,
    NotSent,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.telemetry.health import beat


START_SLOTS = 4

#: Dataverse's documented limit of concurrent requests per user and web server.
MAX_SLOTS = 52

#: Requests without an answer, one after the other, that make an outage.
OUTAGE_AFTER = 5

#: Contacts refused with the same code, with no successful write between, that make a lost role.
FORBIDDEN_AFTER = 3

#: Trouble halves the slots: each request without an answer weighs 1, each answer takes some back,
#: so more than one in ten unanswered is too many.
TROUBLE_HALVES_AT = 2.0
TROUBLE_EASED = 0.1

#: Wait before the first and before the later probes (s), doubling between.
PROBE_FIRST_S = 1.0
PROBE_MAX_S = 60.0

#: A role is given back by a person, so asking more often helps nobody.
FORBIDDEN_PAUSE_S = 60.0


class State(enum.Enum):
    """Whether requests may pass."""

    OPEN = "open"
    CLOSED = "closed"


class Reason(enum.Enum):
    """Why the gate is closed, NONE while it is open."""

    NONE = ""
    THROTTLED = "throttled"
    OUTAGE = "outage"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"


class GateClosed(NotSent):
    """The request was not sent.

    Attributes:
        reason: Why the gate is closed.
        retry_at: Time on the gate's clock (s) before which it will not open.
    """

    def __init__(self, reason: Reason, retry_at: float) -> None:
        super().__init__(f"not sent: the gate is closed ({reason.value})")
        self.reason = reason
        self.retry_at = retry_at


class Gate:
    """Adaptive concurrency and circuit breaker for one application user.

    Attributes:
        state: Open or closed.
        reason: Why it is closed.
        retry_at: Time on the gate's clock (s) before which it stays closed; 0.0 while open.
        in_flight: Requests that hold a slot.
    """

    def __init__(
        self,
        *,
        max_slots: int = MAX_SLOTS,
        outage_after: int = OUTAGE_AFTER,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        """All slots free, ``START_SLOTS`` of them; ``random`` gives numbers from 0 to 1."""
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._outage_after = outage_after
        self._ceiling = max_slots
        self._max_slots = max_slots
        self._slots = float(START_SLOTS)
        self._waiting: deque[asyncio.Future[GateClosed | None]] = deque()
        self._probing = asyncio.Lock()
        self._unanswered = 0
        self._trouble = 0.0
        self._probes_failed = 0
        self._forbidden: dict[str, set[str]] = {}
        self.state = State.OPEN
        self.reason = Reason.NONE
        self.retry_at = 0.0
        self.in_flight = 0

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return max(1, int(min(self._slots, self._ceiling)))

    @asynccontextmanager
    async def slot(
        self, *, wait_s: float | None = None, writes: bool = True
    ) -> AsyncIterator[None]:
        """Wait for a free slot and hold it; how the block ends tells the gate how things are.

        Args:
            wait_s: Longest wait for a slot (s).
            writes: Whether a success proves that this user may write.

        Raises:
            GateClosed: it is closed, or closes while waiting.
            NotSent: no slot came free in ``wait_s``.
        """
        await self._enter(wait_s)
        try:
            yield
        except DynamicsError as error:
            self._learn(error)
            raise
        else:
            self.succeeded(writes=writes)
        finally:
            self._leave()

    def hint(self, slots: int) -> None:
        """Take ``x-ms-dop-hint``, the server's advice, as the maximum."""
        self._ceiling = max(1, min(slots, self._max_slots))
        self._wake()

    def succeeded(self, *, writes: bool = True) -> None:
        """Count a success: one more slot for each round of successes that used them all."""
        self._answered()
        self._probes_failed = 0
        if writes:
            self._forbidden.clear()
        # Growing on an idle line would only prepare a burst.
        if self.in_flight >= self.limit and self._slots < self._ceiling:
            self._slots += 1 / self._slots
            self._wake()

    def throttled(self, retry_after_s: float) -> None:
        """Close until Retry-After has passed; of several the longest wins."""
        self._halve()
        self._close(Reason.THROTTLED, retry_after_s)

    def unauthorized(self) -> None:
        """Close at once: no request can succeed without a token."""
        self._close(Reason.UNAUTHORIZED, self._probe_pause_s())

    def unavailable(self) -> None:
        """Count a request without an answer: several in a row are an outage."""
        self._unanswered += 1
        self._trouble += 1
        if self._trouble >= TROUBLE_HALVES_AT:
            self._trouble = 0.0
            self._halve()
        if self._unanswered >= self._outage_after and self.state is State.OPEN:
            self._close(Reason.OUTAGE, self._probe_pause_s())

    def forbidden(self, contact_id: str, code: str) -> bool:
        """Count a 403 on a contact; True: it is not this contact's fault, the gate is closed."""
        contacts = self._forbidden.setdefault(code, set())
        contacts.add(contact_id)
        if len(contacts) >= FORBIDDEN_AFTER and self.state is State.OPEN:
            self._close(Reason.FORBIDDEN, FORBIDDEN_PAUSE_S)
        return self.reason is Reason.FORBIDDEN

    async def reopen(self, probe: Callable[[], Awaitable[object]]) -> None:
        """Return once the gate is open, probing each time its pause is over.

        Many may call at once: one of them probes. ``probe`` must not ask for a slot.
        """
        async with self._probing:
            while self.state is State.CLOSED:
                beat()
                await self._pause()
                await self._try_to_open(probe)

    async def _pause(self) -> None:
        """Sleep until ``retry_at``, which may move away while we sleep."""
        while (left_s := self.retry_at - self._clock()) > 0:
            await self._sleep(left_s)

    async def _try_to_open(self, probe: Callable[[], Awaitable[object]]) -> None:
        try:
            await probe()
        except Throttled as error:
            self.throttled(error.retry_after_s)
        except DynamicsError as error:
            self._probes_failed += 1
            self._close(_reason_of(error), self._probe_pause_s())
        else:
            # Requests sent before it closed may have been throttled meanwhile.
            if self.retry_at <= self._clock():
                self._open()

    async def _enter(self, wait_s: float | None) -> None:
        if (refusal := self._refusal()) is not None:
            raise refusal
        if self.in_flight < self.limit and not self._waiting:
            self.in_flight += 1
            return
        turn: asyncio.Future[GateClosed | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(wait_s):
                refusal = await turn
        except TimeoutError:
            self._give_up(turn)
            raise NotSent("not sent: no slot came free in time") from None
        except asyncio.CancelledError:
            self._give_up(turn)
            raise
        if refusal is None and (refusal := self._refusal()) is not None:
            self._leave()  # it closed between the grant and our turn
        if refusal is not None:
            raise refusal

    def _refusal(self) -> GateClosed | None:
        return GateClosed(self.reason, self.retry_at) if self.state is State.CLOSED else None

    def _give_up(self, turn: asyncio.Future[GateClosed | None]) -> None:
        """Leave the queue, or hand back the slot that was granted at the same moment."""
        if turn in self._waiting:
            self._waiting.remove(turn)
        elif turn.done() and not turn.cancelled() and turn.result() is None:
            self._leave()

    def _leave(self) -> None:
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        """Hand free slots to those who wait longest."""
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    def _learn(self, error: DynamicsError) -> None:
        match error:
            case Throttled():
                self.throttled(error.retry_after_s)
            case Unavailable():
                self.unavailable()
            case Unauthorized():
                self.unauthorized()
            case _:
                self._answered()

    def _answered(self) -> None:
        """Dataverse works, whatever it said."""
        self._unanswered = 0
        self._trouble = max(0.0, self._trouble - TROUBLE_EASED)

    def _halve(self) -> None:
        self._slots = max(1.0, self.limit / 2)

    def _close(self, reason: Reason, pause_s: float) -> None:
        retry_at = self._clock() + pause_s
        if self.state is State.CLOSED and retry_at <= self.retry_at:
            return
        self.state = State.CLOSED
        self.reason = reason
        self.retry_at = retry_at
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(GateClosed(reason, retry_at))

    def _open(self) -> None:
        """Open with few slots, as at the start."""
        self.state = State.OPEN
        self.reason = Reason.NONE
        self.retry_at = 0.0
        self._slots = min(self._slots, float(START_SLOTS))
        self._unanswered = 0
        self._trouble = 0.0

    def _probe_pause_s(self) -> float:
        """Twice as long after each failed probe, with jitter in the upper half."""
        ceiling_s = min(PROBE_MAX_S, PROBE_FIRST_S * 2.0 ** (self._probes_failed + 1))
        return max(PROBE_FIRST_S, ceiling_s * (1 + self._random()) / 2)


def _reason_of(error: DynamicsError) -> Reason:
    match error:
        case Unauthorized():
            return Reason.UNAUTHORIZED
        case Forbidden():
            return Reason.FORBIDDEN
        case _:
            return Reason.OUTAGE
