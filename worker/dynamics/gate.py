"""The gate every request of one application user passes: how many at a time, and whether at all.

Dataverse limits concurrent requests, requests and execution time per user and web server and
advises to start low, raise until 429 and obey Retry-After (powerapps-docs ``api-limits``, "send
parallel requests"). The number of slots grows additively and halves on trouble; the gate closes
when going on would do harm, and one probe at a time finds out when it can open again. A probe
reads, and what it says of writes is nothing: after an outage, a lost role, or when trouble comes
back, the gate opens for one contact on trial, until a write is answered. Until then each pause is
twice the last one.

A gate is one worker's. What it must know of the others is told by ``worker.dynamics.gate_sync``.
"""

from __future__ import annotations

import asyncio
import random
import time

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from worker import heartbeat
from worker.dynamics.budget import RequestBudget
from worker.dynamics.errors import (
    DynamicsError,
    NotSent,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.failure_counter import OUTAGE_AFTER, PROBE_FIRST_S, FailureCounter
from worker.dynamics.reasons import AGAIN, TRIED, USUAL, GateClosed, GateState, Reason, reason_of


__all__ = ("LOOK_S", "Gate", "GateClosed", "GateState", "Reason")

_log = structlog.get_logger(__name__)

START_SLOTS = 4

#: Dataverse's documented limit of concurrent requests per user and web server.
MAX_SLOTS = 52

#: A role is given back by a person, so asking more often helps nobody.
FORBIDDEN_PAUSE_S = 60.0

#: How often (s) something is looked at that others may change meanwhile.
LOOK_S = 1.0

#: Seconds of work that are worth having in hand while the budget spreads requests over time.
IN_HAND_S = 2.0


class Gate:
    """Adaptive concurrency and circuit breaker for one application user.

    Attributes:
        state: Open or closed.
        reason: Why it is closed, also while it is open on trial; else NONE.
        cause: The words of the error behind it; never personal data.
        retry_at: Time on the gate's clock (s) before which it stays closed; 0.0 while open.
        in_flight: Requests that hold a slot.
        budget: Spreads requests over time.
        workers: How many share slots and budget, this one included.
        leads: Whether this worker probes, and not another one for it.
        turns: How often it has closed, closed for longer, or opened.
        turned: Set each time that happens.
        refresh: Called before a request, if set: learns what other workers know.
        hinted: The last ``x-ms-dop-hint``; 0: none yet.
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
        self._ceiling = max_slots
        self._max_slots = max_slots
        self._rank = 0
        self.workers = 1
        self._slots = float(START_SLOTS)
        self._waiting: deque[asyncio.Future[GateClosed | None]] = deque()
        self._probing = asyncio.Lock()
        self._pacing = asyncio.Lock()
        self._trouble = FailureCounter(outage_after, random)
        self.state = GateState.OPEN
        self.reason = Reason.NONE
        self.cause = ""
        self.retry_at = 0.0
        self.in_flight = 0
        self.budget = RequestBudget()
        self.leads = True
        self.turns = 0
        self.turned = asyncio.Event()
        self.refresh: Callable[[], Awaitable[None]] | None = None
        self.hinted = 0

    @property
    def limit(self) -> int:
        """How many requests may be in flight now; 0 only for a worker that is one too many."""
        return min(self._part, 1 if self._on_trial else max(1, int(self._slots)))

    @property
    def room(self) -> float:
        """For how many contacts' requests it has room: for more, none need be taken in hand."""
        return 1 if self._on_trial else max(1.0, self.budget.rate * IN_HAND_S)

    @property
    def retry_s(self) -> float:
        """How long (s) it stays closed at least."""
        return max(0.0, self.retry_at - self._clock())

    @property
    def _part(self) -> int:
        """This worker's part of the slots; all workers' parts together are all the slots."""
        before = self._ceiling * self._rank // self.workers
        return self._ceiling * (self._rank + 1) // self.workers - before

    @property
    def _on_trial(self) -> bool:
        return self.state is GateState.OPEN and self.reason is not Reason.NONE

    @asynccontextmanager
    async def slot(
        self, *, wait_s: float | None = None, writes: bool = True, subject: str | None = None
    ) -> AsyncIterator[None]:
        """Wait for a free slot and hold it; how the block ends tells the gate how things are.

        Args:
            wait_s: Longest wait for a slot (s).
            writes: Whether a success proves that this user may write.
            subject: What the request is about, such as a record: that one of them gets no answer,
                however often, is no outage. None: unlike any other.

        Raises:
            GateClosed: it is closed, or closes while waiting.
            NotSent: no slot came free in ``wait_s``.
        """
        deadline = None if wait_s is None else self._clock() + wait_s
        if self.refresh and self.state is GateState.OPEN:
            await self.refresh()
        await self._pace(self._until(deadline))
        turn: asyncio.Future[GateClosed | None] = asyncio.get_running_loop().create_future()
        started: float | None = None
        try:
            await self._enter(turn, self._until(deadline))
            started = self._clock()
            try:
                yield
            except DynamicsError as error:
                self._learn(error, subject, writes=writes)
                raise
            else:
                self.succeeded(writes=writes, subject=subject)
        finally:
            # First: a slot comes free whatever else fails.
            if turn.done() and not turn.cancelled() and turn.result() is None:
                self.in_flight -= 1
            self._wake()
            if started is not None:
                self.budget.took(self._clock() - started)

    def hint(self, slots: int) -> None:
        """Take ``x-ms-dop-hint``, the server's advice, as the maximum of all workers together."""
        self.hinted = max(1, slots)
        self._ceiling = min(self.hinted, self._max_slots)
        self._divide()

    def share(self, rank: int, workers: int) -> None:
        """Take the part of slots and budget that falls to number ``rank`` of so many workers."""
        self._rank, self.workers = rank, workers
        self._divide()

    def follow(self, reason: Reason, retry_s: float, cause: str) -> None:
        """Close as another worker did."""
        if self.state is GateState.OPEN and reason is not Reason.THROTTLED:
            self._trouble.pause_s()  # so that the next pause is longer, whoever closes then
        self._trouble.noticed(writes=True)
        self._close(reason, retry_s, cause)

    def opened(self) -> None:
        """Open as another worker did."""
        if self.state is GateState.CLOSED and self.reason is not Reason.SURPLUS:
            self._open()

    def succeeded(self, *, writes: bool = True, subject: str | None = None) -> None:
        """Count a success: one more slot for each round of successes that used them all."""
        self._answered(subject, writes=writes)
        if writes:
            self._trouble.may_write()
            self._proved()
        # Growing on an idle line would only prepare a burst.
        if self.in_flight >= self.limit and self._slots < self._ceiling:
            self._slots += 1 / self._slots
            self._wake()

    def throttled(self, retry_after_s: float, cause: str = "", *, writes: bool = True) -> None:
        """Close until Retry-After has passed, or for longer if that has not helped before.

        Of several Retry-Afters the longest wins.
        """
        self._halve()
        self._trouble.noticed(writes=writes)
        floor_s = self._trouble.floor_s() if self.state is GateState.OPEN else PROBE_FIRST_S
        self._close(Reason.THROTTLED, max(floor_s, retry_after_s), cause)

    def unauthorized(self, cause: str = "", *, writes: bool = True) -> None:
        """Close at once: no request can succeed without a token."""
        self._trouble.noticed(writes=writes)
        if self.state is GateState.OPEN:
            self._close(Reason.UNAUTHORIZED, self._trouble.pause_s(), cause)

    def unavailable(
        self, cause: str = "", *, subject: str | None = None, writes: bool = True
    ) -> None:
        """Count a request without an answer: of several subjects in a row it is an outage.

        On trial one is enough, unless its subject got none while others did. Of too few subjects
        a probe says whether it is one.
        """
        if not self._trouble.unanswered(subject, writes=writes):
            return
        if self._trouble.too_many():
            self._halve()
        if self.state is GateState.CLOSED:
            return
        if self._trouble.outage or self._on_trial:
            self._close(Reason.OUTAGE, self._trouble.pause_s(), cause)
        elif self._trouble.doubt:
            self._close(Reason.DOUBT, 0.0, cause)

    def forbidden(self, contact_id: str, code: str) -> bool:
        """Count a 403 on a contact; True: it is not this contact's fault, the gate is closed."""
        several = self._trouble.forbidden(contact_id, code)
        if self.state is GateState.OPEN and (several or self.reason is Reason.FORBIDDEN):
            self._close(Reason.FORBIDDEN, FORBIDDEN_PAUSE_S, f"403 {code} on several contacts")
        return self.reason is Reason.FORBIDDEN

    async def reopen(self, probe: Callable[[], Awaitable[object]]) -> None:
        """Return once the gate is open, probing each time its pause is over.

        Many may call at once: one of them probes. ``probe`` must not ask for a slot.
        """
        async with self._probing:
            while self.state is GateState.CLOSED:
                heartbeat.beat()
                others = not self.leads and self.reason is not Reason.DOUBT
                if others or self.reason is Reason.SURPLUS:
                    await self._sleep(LOOK_S)  # others decide
                elif self.retry_s > 0:
                    await self._sleep(self.retry_s)  # it may move away while we sleep
                else:
                    await self._try_to_open(probe)

    async def _try_to_open(self, probe: Callable[[], Awaitable[object]]) -> None:
        try:
            await probe()
        except Throttled as error:
            pause_s = max(self._trouble.floor_s(), error.retry_after_s)
            self._close(Reason.THROTTLED, pause_s, str(error))
        except DynamicsError as error:
            self._close(reason_of(error), self._trouble.pause_s(), str(error))
        else:
            # Requests sent before it closed may have been throttled meanwhile.
            if self.retry_at <= self._clock():
                self._open()

    async def _pace(self, wait_s: float | None) -> None:
        """Wait until the budget allows one request more, first come, first served."""
        try:
            async with asyncio.timeout(wait_s), self._pacing:
                while self.state is GateState.OPEN:
                    if not (pause_s := self.budget.wait_s(self._clock())):
                        self.budget.spend()
                        return
                    await self._sleep(min(pause_s, LOOK_S))
        except TimeoutError:
            raise NotSent("not sent: the budget allowed no request in time") from None

    async def _enter(self, turn: asyncio.Future[GateClosed | None], wait_s: float | None) -> None:
        """Wait for a slot; with it ``turn`` is done, and whoever made it gives the slot back."""
        if (refusal := self._refusal()) is not None:
            raise refusal
        if self.in_flight < self.limit and not self._waiting:
            self.in_flight += 1
            turn.set_result(None)
            return
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(wait_s):
                refusal = await turn
        except TimeoutError:
            raise NotSent("not sent: no slot came free in time") from None
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
        # It may have closed between the grant and our turn.
        if refusal is not None or (refusal := self._refusal()) is not None:
            raise refusal

    def _until(self, deadline: float | None) -> float | None:
        return None if deadline is None else deadline - self._clock()

    def _refusal(self) -> GateClosed | None:
        return GateClosed(self.reason, self.retry_at) if self.state is GateState.CLOSED else None

    def _wake(self) -> None:
        """Hand free slots to those who wait longest."""
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    def _learn(self, error: DynamicsError, subject: str | None, *, writes: bool) -> None:
        match error:
            case Throttled():
                self.throttled(error.retry_after_s, str(error), writes=writes)
            case Unavailable():
                self.unavailable(str(error), subject=subject, writes=writes)
            case Unauthorized():
                self.unauthorized(str(error), writes=writes)
            case Refused():
                self._answered(subject, writes=writes)

    def _answered(self, subject: str | None, *, writes: bool) -> None:
        """Dataverse works, whatever it said; of a lost role only a success says that it is back."""
        over = self._trouble.answered(subject, writes=writes)
        if over and self.reason is not Reason.FORBIDDEN:
            self._proved()

    def _proved(self) -> None:
        if self.state is GateState.OPEN:
            self._because(Reason.NONE)

    def _halve(self) -> None:
        self._slots = max(1.0, self.limit / 2)

    def _divide(self) -> None:
        """Live with a new part."""
        self.budget.workers = min(self.workers, self._ceiling)  # surplus ones spend nothing
        if not self._part and self.state is GateState.OPEN:
            self._close(Reason.SURPLUS, 0.0, "more workers than requests at a time")
        elif self._part and self.reason is Reason.SURPLUS:
            self._open()
        self._wake()

    def _close(self, reason: Reason, pause_s: float, cause: str) -> None:
        retry_at = self._clock() + pause_s
        if self.state is GateState.CLOSED and retry_at <= self.retry_at:
            return
        self.state = GateState.CLOSED
        self.retry_at = retry_at
        self._because(reason, cause)
        self.turns += 1
        self.turned.set()
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(GateClosed(reason, retry_at))

    def _open(self) -> None:
        """Open with few slots, as at the start; on trial if a probe says too little."""
        self.state = GateState.OPEN
        if self.reason not in TRIED and self._trouble.pauses < AGAIN:
            self._because(Reason.NONE)
        self.retry_at = 0.0
        self.turns += 1
        self.turned.set()
        self._slots = min(self._slots, float(START_SLOTS))
        self._trouble.over()
        self._divide()

    def _because(self, reason: Reason, cause: str = "") -> None:
        """Keep why it is closed, and tell the operator once for each reason."""
        if reason is not self.reason:
            log = _log.warning if {reason, self.reason} <= USUAL else _log.error
            if reason is Reason.NONE:
                log("dynamics.resumed")
            else:
                log("dynamics.paused", reason=reason.value, cause=cause)
        self.reason, self.cause = reason, cause
