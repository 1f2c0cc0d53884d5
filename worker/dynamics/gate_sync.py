"""Keeps the gates of all workers of an application user in sync; each worker has one of its own.

Dataverse counts requests per application user and not per worker. So what closes one worker's gate
closes all: it is written to a notice in the store, which each worker reads before a request, at
most once a second. One of them probes, the others wait for the outcome. Each takes its share of
slots and budget, by the number of workers that are alive.

Trouble of one worker alone must not hold up the others: after a failed probe the next worker
probes, and a worker whose trouble others did not have is *isolated*: it keeps its closings to
itself until it has been open for a while. If the store does not answer, each worker goes by its own
gate.
"""

from __future__ import annotations

import asyncio

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final, Protocol

import structlog

from worker import heartbeat
from worker.clock import Backoff, Clock
from worker.dynamics.breaker import Breaker
from worker.dynamics.live_workers import EXPIRY_S, HEARTBEAT_S, LiveWorkers
from worker.dynamics.notice import Notice, NoticeError
from worker.dynamics.reasons import LOCAL, GateState, Reason
from worker.dynamics.slots import POLL_S, Slots
from worker.errors import WorkerError
from worker.faults import Faults


#: How long (s) a worker that starts waits until the others have seen it and made room.
JOIN_S: Final = 2 * POLL_S

#: How long reading and writing the notice may take (s).
SYNC_TIMEOUT_S: Final = 5.0

#: How often a sync is repeated at once because another worker wrote meanwhile.
TRIES: Final = 5

#: Why the gate is not shared after an unexpected exception; the log has its type and place.
BUG: Final = "a bug in this program"

_log = structlog.get_logger(__name__)


class SharedState(Protocol):
    """Where the notice is kept: a ``ContactStore``."""

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore.recall``."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore.replace``."""
        ...


class GateSync:
    """Keeps one worker's gate in sync with the notice."""

    def __init__(
        self,
        slots: Slots,
        breaker: Breaker,
        state: SharedState,
        name: str,
        worker: str,
        *,
        clock: Clock | None = None,
        faults: Faults | None = None,
    ) -> None:
        """Nothing is read before the first ``sync``.

        Args:
            slots: This worker's.
            breaker: This worker's.
            state: Keeps the notice.
            name: The notice's name, one for each application user.
            worker: This worker's name, unlike any other's.
            clock: Of slots and breaker too.
            faults: Counts unexpected exceptions.
        """
        self._slots = slots
        self._breaker = breaker
        self._state = state
        self._name = name
        self._worker = worker
        self._clock = clock or Clock()
        self._faults = faults or Faults()
        self._backoff = Backoff(self._clock.chance)
        self._syncing = asyncio.Lock()
        self._live = LiveWorkers(worker)
        self._seen_version = 0  # the notice's
        self._shared_changes = 0  # how many of the breaker's changes the notice has
        self._shared_retry_at = float("-inf")  # as the notice has it
        self._closed_by_us = False
        self._isolated_at: float | None = None
        self._failure = ""  # why the last sync failed
        self._synced_at = self._heartbeat_at = self._not_before = float("-inf")

    async def run(self) -> None:
        """Sync whenever there may be something to write or to learn, until cancelled."""
        try:
            while True:
                heartbeat.beat()
                self._breaker.changed.clear()
                if self._needs_sync:
                    await self.sync()
                await self._pause()
        finally:
            await self._guarded(self._leave())

    async def join(self) -> None:
        """Become one of the workers; once this returns, all of them count with it."""
        await self.sync()
        await self._clock.sleep(JOIN_S)
        await self.sync()

    async def sync(self) -> None:
        """Read the notice, act on it, and write what it does not say yet."""
        async with self._syncing:
            await self._sync()

    async def refresh(self) -> None:
        """Sync, unless that was done within the last second; concurrent calls share one sync."""
        async with self._syncing:
            if self._clock.monotonic() >= self._synced_at + POLL_S:
                await self._sync()

    async def _sync(self) -> None:
        if self._clock.monotonic() >= self._not_before:
            await self._guarded(self._exchange())
        self._synced_at = self._clock.monotonic()

    @property
    def _needs_sync(self) -> bool:
        return (
            self._breaker.changes != self._shared_changes
            or self._breaker.state is GateState.CLOSED
            or self._clock.monotonic() >= self._heartbeat_at
        )

    async def _pause(self) -> None:
        """Wait until the gate closes or opens, but no longer than until it is time to sync."""
        try:
            async with asyncio.timeout(POLL_S):
                await self._breaker.changed.wait()
        except TimeoutError:
            return

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Without the store, or with a notice that cannot be read, this worker is on its own."""
        failure = BUG  # unless it is something else
        with self._faults.contained("gate"):
            try:
                async with asyncio.timeout(SYNC_TIMEOUT_S):
                    await work
                failure = ""
            except (WorkerError, TimeoutError) as error:
                failure = str(error) or "no answer in time"
        if failure:
            self._breaker.is_prober = True
            if not self._failure:
                _log.warning("gate.not_shared", reason=failure)
        if failure == BUG:
            self._not_before = self._clock.monotonic() + self._backoff.failed()
        self._failure = failure

    async def _exchange(self) -> None:
        for _ in range(TRIES):
            text = await self._state.recall(self._name)
            seen = self._read(text)
            self._count_workers(seen)
            self._end_isolation()
            self._apply(seen)
            written = self._updated(seen)
            changes, retry_at = self._breaker.changes, self._breaker.retry_at
            if written is seen or await self._state.replace(self._name, text, written.to_text()):
                self._note_exchange(seen, written, changes, retry_at)
                return

    def _read(self, text: str | None) -> Notice:
        """The notice; instead of a damaged one an empty one, which is written at once.

        Raises:
            NoticeError: A newer release's, which stays as it is.
        """
        try:
            return Notice.from_text(text)
        except NoticeError as error:
            if error.newer:
                raise
            _log.warning("gate.notice_damaged", name=self._name)
            self._heartbeat_at = float("-inf")
            return Notice(self._seen_version)

    # --- what is read ---

    def _count_workers(self, seen: Notice) -> None:
        self._live.see(seen.heartbeats, self._clock.monotonic())
        self._slots.take_share(self._live.rank, len(self._live.names))
        self._breaker.check_share()

    def _apply(self, seen: Notice) -> None:
        """Open or close as the notice says."""
        breaker = self._breaker
        if seen.hint and (not self._slots.hint or breaker.reason is Reason.SURPLUS):
            self._slots.take_hint(seen.hint)
            breaker.check_share()
        if seen.version == self._seen_version:
            return
        self._seen_version = seen.version
        changed = breaker.changes != self._shared_changes
        if seen.reason is not Reason.NONE:
            self._shared_retry_at = self._clock.monotonic() + seen.retry_s
            breaker.close_with_others(seen.reason, seen.retry_s, seen.cause)
        elif not changed:
            if self._closed_by_us:
                self._isolated_at = self._clock.monotonic()
            breaker.open_with_others()
        if not changed:
            self._shared_changes = breaker.changes
            self._closed_by_us = False

    # --- what is written ---

    def _updated(self, seen: Notice) -> Notice:
        """The notice as it should be; ``seen`` itself if nothing is missing."""
        notice = self._with_our_change(seen)
        if notice.reason is not Reason.NONE and notice.prober not in self._live.names:
            notice = replace(notice, prober=self._worker)
        if self._slots.hint and not notice.hint:
            notice = replace(notice, hint=self._slots.hint)
        if notice is seen and self._clock.monotonic() < self._heartbeat_at:
            return seen
        return replace(
            notice,
            heartbeats=self._live.heartbeats(),
            retry_s=self._retry_s(notice),
            hint=self._slots.hint or notice.hint,
        )

    def _retry_s(self, notice: Notice) -> float:
        """How long (s) it stays closed for all, counted from now."""
        return 0.0 if notice.reason is Reason.NONE else self._breaker.retry_s

    def _with_our_change(self, seen: Notice) -> Notice:
        """The notice with what happened to our gate since the last exchange."""
        breaker = self._breaker
        if breaker.changes == self._shared_changes or self._isolated:
            return seen
        closed = breaker.state is GateState.CLOSED and breaker.reason not in LOCAL
        was_closed = seen.reason is not Reason.NONE
        if not closed and was_closed:
            return Notice(seen.version + 1, hint=seen.hint)
        if not closed or (was_closed and breaker.retry_at <= self._shared_retry_at + POLL_S):
            return seen
        return replace(
            seen,
            version=seen.version + 1,
            reason=breaker.reason,
            cause=breaker.cause,
            prober=self._next_prober() if seen.prober == self._worker else seen.prober,
        )

    @property
    def _isolated(self) -> bool:
        """Whether our trouble is ours alone, as others have proved; a Retry-After never is."""
        return self._isolated_at is not None and self._breaker.reason is not Reason.THROTTLED

    def _end_isolation(self) -> None:
        """Be like the others again after a while without trouble."""
        if self._isolated_at is None:
            return
        if self._clock.monotonic() - self._isolated_at >= EXPIRY_S:
            self._isolated_at = None
        elif self._breaker.state is GateState.CLOSED:
            self._isolated_at = self._clock.monotonic()

    def _next_prober(self) -> str:
        """Who probes next: our probe failed, perhaps for a reason that only we have."""
        return self._worker if self._breaker.reason is Reason.THROTTLED else self._live.following

    def _note_exchange(self, seen: Notice, written: Notice, changes: int, retry_at: float) -> None:
        """The notice is ``written``, and has the breaker's ``changes`` and ``retry_at``."""
        closed = written.reason is not Reason.NONE
        if written.version != seen.version:
            self._seen_version, self._shared_retry_at = written.version, retry_at
            self._closed_by_us = closed and (self._closed_by_us or seen.reason is Reason.NONE)
        if written is not seen:
            self._heartbeat_at = self._clock.monotonic() + HEARTBEAT_S
        if not self._isolated:
            self._shared_changes = changes
        self._breaker.is_prober = self._isolated or not closed or written.prober == self._worker

    async def _leave(self) -> None:
        """Give our share to the others at once."""
        for _ in range(TRIES):
            text = await self._state.recall(self._name)
            seen = self._read(text)
            others = {name: n for name, n in seen.heartbeats.items() if name != self._worker}
            prober = "" if seen.prober == self._worker else seen.prober
            left = replace(seen, heartbeats=others, prober=prober, retry_s=self._retry_s(seen))
            if await self._state.replace(self._name, text, left.to_text()):
                return
