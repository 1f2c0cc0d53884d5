"""A circuit breaker for one application user: whether any request may be sent now.

It closes the gate when going on would do harm, and opens it again when a probe succeeds; one probe
runs at a time. Open and closed are said of the gate: requests pass while it is *open*.

A probe reads, so its success says nothing about writes. After an outage, after a lost role, or when
trouble comes back, the gate therefore opens *on trial*, for one contact at a time, until a write is
answered. Until then each pause is twice as long as the last one.
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable

import structlog

from worker import heartbeat
from worker.clock import Clock
from worker.dynamics.errors import (
    Busy,
    DynamicsError,
    Forbidden,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
    WrongOrganization,
)
from worker.dynamics.failure_counter import OUTAGE_AFTER, PROBE_FIRST_S, FailureCounter
from worker.dynamics.reasons import (
    LOCAL,
    NEEDS_TRIAL,
    PAUSES_BEFORE_TRIAL,
    ROUTINE,
    GateState,
    Reason,
    reason_of,
)
from worker.dynamics.slots import POLL_S, Slots
from worker.dynamics.witness import Witness


_log = structlog.get_logger(__name__)


class Breaker:
    """Opens and closes the way to Dynamics.

    Attributes:
        state: Open or closed.
        reason: Why it is closed, also while it is open on trial; else NONE.
        cause: The text of the error behind it; never personal data.
        retry_at: Time on the monotonic clock (s) before which it stays closed; 0.0 while open.
        is_prober: Whether this worker probes; if not, another worker does.
        changes: How often it has closed, closed for longer, or opened.
        changed: Set each time that happens.
        recovered: Set each time that a write is answered after an outage.
        second_opinion: Whether there is one more way to find out, at once, whether it is an outage.
    """

    def __init__(self, slots: Slots, clock: Clock, outage_after: int = OUTAGE_AFTER) -> None:
        """Open; an outage is ``outage_after`` different requests without an answer."""
        self._slots = slots
        self._clock = clock
        self._probing = asyncio.Lock()
        self._failures = FailureCounter(outage_after, clock.chance)
        self.state = GateState.OPEN
        self.reason = Reason.NONE
        self.cause = ""
        self.retry_at = 0.0
        self.is_prober = True
        self.changes = 0
        self.changed = asyncio.Event()
        self.recovered = asyncio.Event()
        self.second_opinion: Callable[[], bool] = lambda: False

    @property
    def retry_s(self) -> float:
        """How long (s) it stays closed at least."""
        return max(0.0, self.retry_at - self._clock.monotonic())

    @property
    def witness(self) -> Witness:
        """Which requests of this worker succeeded."""
        return self._failures.witness

    @property
    def on_trial(self) -> bool:
        """Whether it is open for one contact at a time."""
        return self.state is GateState.OPEN and self.reason is not Reason.NONE

    # --- what requests of this worker have shown ---

    def succeeded(self, subject: str | None = None, *, writes: bool = True) -> None:
        """Count a success (see ``Gate.slot``)."""
        self.witness.succeeded(subject, writes=writes)
        self._answered(subject, writes=writes)
        if writes:
            self._end_trial()
        self._slots.grow()

    def failed(
        self, error: DynamicsError, subject: str | None = None, *, writes: bool = True
    ) -> DynamicsError:
        """Count a failure (see ``Gate.slot``), and close if it says that no other would pass.

        Returns:
            The error; instead of a ``Throttled`` that is about its subject alone, a ``Busy``.
        """
        if isinstance(error, Throttled) and self._failures.throttled(subject, writes=writes):
            error = Busy(
                str(error),
                retry_after_s=error.retry_after_s,
                code=error.code,
                detail=error.detail,
            )
        match error:
            case Throttled():
                self._throttled(error, writes=writes)
            case Unavailable():
                self._unavailable(error, subject, writes=writes)
            case Unauthorized():
                self._unauthorized(error, writes=writes)
            case Refused() | Forbidden():
                self._answered(subject, writes=writes)
        return error

    def is_suspect(self, subject: str) -> bool:
        """Whether a request about it got no answer while others did, and none since."""
        return self._failures.is_suspect(subject)

    def is_failing(self, subject: str) -> bool:
        """Whether the last request about it got no answer."""
        return self._failures.is_failing(subject)

    def write_lost(self, error: DynamicsError) -> None:
        """Close: a write that should succeed got no answer, so none would."""
        self._failures.note_trouble(writes=True)
        self._close(Reason.OUTAGE, self._failures.next_pause_s(), str(error))

    def refuse(self, error: WrongOrganization) -> None:
        """Close: nothing may be sent on behalf of this state."""
        self._close(Reason.ORGANIZATION, self._failures.next_pause_s(), str(error))

    def _throttled(self, error: Throttled, *, writes: bool) -> None:
        """Close until Retry-After has passed, or for longer if that has not helped before.

        Of several Retry-Afters the longest wins.
        """
        self._slots.halve()
        self._failures.note_trouble(writes=writes)
        is_open = self.state is GateState.OPEN
        least_s = self._failures.next_least_pause_s() if is_open else PROBE_FIRST_S
        self._close(Reason.THROTTLED, max(least_s, error.retry_after_s), str(error))

    def _unauthorized(self, error: Unauthorized, *, writes: bool) -> None:
        """Close at once: no request can succeed without a token."""
        self._failures.note_trouble(writes=writes)
        if self.state is GateState.OPEN:
            self._close(Reason.UNAUTHORIZED, self._failures.next_pause_s(), str(error))

    def _unavailable(self, error: Unavailable, subject: str | None, *, writes: bool) -> None:
        """Count a request without an answer: of several subjects in a row it is an outage.

        On trial one is enough, unless its subject got none while others did. Of too few subjects
        a probe says whether it is one.
        """
        if not self._failures.unanswered(subject, writes=writes):
            return
        if self.state is GateState.CLOSED:
            return
        if self._failures.outage or self.on_trial:
            pause_s = 0.0 if self.second_opinion() else self._failures.next_pause_s()
            self._close(Reason.OUTAGE, pause_s, str(error))
        elif self._failures.doubt:
            self._close(Reason.DOUBT, 0.0, str(error))

    def _answered(self, subject: str | None, *, writes: bool) -> None:
        """Dataverse works, whatever it said; but only a success says that a lost role is back."""
        over = self._failures.answered(subject, writes=writes)
        if self._failures.overloaded():
            self._slots.halve()
        if over and self.reason is not Reason.FORBIDDEN:
            self._end_trial()

    # --- what other workers have found ---

    def close_with_others(self, reason: Reason, retry_s: float, cause: str) -> None:
        """Close because another worker did."""
        if self.state is GateState.OPEN and reason is not Reason.THROTTLED:
            self._failures.next_pause_s()  # so that the next is longer, whichever worker closes
        self._failures.note_trouble(writes=True)
        self._close(reason, retry_s, cause)

    def open_with_others(self) -> None:
        """Open because another worker did."""
        own = self.reason in (Reason.SURPLUS, Reason.ORGANIZATION)
        if self.state is GateState.CLOSED and not own:
            self._open()

    def check_share(self) -> None:
        """Close while this worker's share of the slots is 0, open once it is not."""
        if self.state is GateState.OPEN and not self._slots.share:
            self._close(Reason.SURPLUS, 0.0, "more workers than requests at a time")
        elif self.state is GateState.CLOSED and self.reason is Reason.SURPLUS and self._slots.share:
            self._open()

    # --- opening again ---

    async def reopen(self, probe: Callable[[], Awaitable[object]]) -> None:
        """Return once the gate is open, probing each time its pause is over.

        Many may call at once: one of them probes. ``probe`` must not ask for a slot.
        """
        async with self._probing:
            while self.state is GateState.CLOSED:
                heartbeat.beat()
                others = not self.is_prober and self.reason not in LOCAL
                if others or self.reason is Reason.SURPLUS:
                    await self._clock.sleep(POLL_S)  # opened by ``gate_sync``
                elif self.retry_s > 0:
                    await self._clock.sleep(self.retry_s)  # which may grow meanwhile
                else:
                    await self._try_to_open(probe)

    async def _try_to_open(self, probe: Callable[[], Awaitable[object]]) -> None:
        try:
            await probe()
        except Busy as error:
            pause_s = max(self._failures.next_least_pause_s(), error.retry_after_s)
            self._close(Reason.THROTTLED, pause_s, str(error))
        except DynamicsError as error:
            self._close(reason_of(error), self._failures.next_pause_s(), str(error))
        else:
            # Requests sent before it closed may have been throttled meanwhile.
            if self.retry_at <= self._clock.monotonic():
                self._open()

    def _close(self, reason: Reason, pause_s: float, cause: str) -> None:
        retry_at = self._clock.monotonic() + pause_s
        if self.state is GateState.CLOSED and retry_at <= self.retry_at:
            return
        self.state = GateState.CLOSED
        self.retry_at = retry_at
        self._set_reason(reason, cause)
        self._slots.refuse(reason, retry_at)
        self._count_change()

    def _open(self) -> None:
        """Open, on trial if a probe says too little."""
        self.state = GateState.OPEN
        if self.reason not in NEEDS_TRIAL and self._failures.pauses < PAUSES_BEFORE_TRIAL:
            self._set_reason(Reason.NONE)
        self.retry_at = 0.0
        self._failures.reopened()
        self._slots.allow(one_at_a_time=self.on_trial)
        self._count_change()
        self.check_share()

    def _end_trial(self) -> None:
        if self.state is GateState.OPEN:
            if self.reason is Reason.OUTAGE:
                self.recovered.set()
            self._set_reason(Reason.NONE)
            self._slots.end_trial()

    def _count_change(self) -> None:
        self.changes += 1
        self.changed.set()

    def _set_reason(self, reason: Reason, cause: str = "") -> None:
        """Keep why it is closed, and log each reason once."""
        if reason is not self.reason:
            if reason is Reason.NONE:
                _log.warning("dynamics.resumed")  # good news, but it ends bad news of that level
            else:
                log = _log.warning if {reason, self.reason} <= ROUTINE else _log.error
                log("dynamics.paused", reason=reason.value, cause=cause)
        self.reason, self.cause = reason, cause
