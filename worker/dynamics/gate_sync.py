"""One gate for all workers of an application user, each of which has its own.

Dataverse counts requests per application user and not per worker. So what closes one worker's gate
closes all: it is told in a notice in the store, which each worker reads before a request, at most
once a second. One of them probes, the others wait for what comes of it. Each takes its part of
slots and budget, by the number of workers whose beat goes on, as seen on the reader's own clock.

A worker that alone has trouble must not hold up the others: after a failed probe the next worker
probes, and who was proved wrong keeps its closings to itself until it has been open for a while.
The store decides nothing: if it does not answer, each worker goes by its own gate.
"""

from __future__ import annotations

import asyncio
import random
import time

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

import structlog

from worker import heartbeat
from worker.clock import Backoff
from worker.dynamics.gate import LOOK_S, Gate, GateState, Reason
from worker.dynamics.notice import Notice, NoticeError
from worker.dynamics.reasons import OWN
from worker.errors import WorkerError
from worker.faults import Faults


#: How often a worker says that it lives (s), and after how long without it counts as gone.
BEAT_S = 10.0
LIFE_S = 3 * BEAT_S

#: How long (s) a new worker waits until the others have seen it and made room.
JOIN_S = 2 * LOOK_S

#: How long one look at the notice may take (s).
LOOK_LIMIT_S = 5.0

#: How often a look is repeated at once because another worker wrote meanwhile.
TRIES = 5

#: Why it is not shared, when nobody imagined it; the log has type and place beside it.
FAULT = "a fault of ours"

_log = structlog.get_logger(__name__)


class Board(Protocol):
    """Where the notice is: a ``ContactStore``."""

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore.recall``."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore.replace``."""
        ...


class GateSync:
    """Keeps one worker's gate true to the notice, and the notice to the gate.

    Attributes:
        gate: This worker's.
    """

    def __init__(
        self,
        gate: Gate,
        board: Board,
        name: str,
        worker: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        faults: Faults | None = None,
    ) -> None:
        """Nothing is read before the first ``look``.

        Args:
            gate: This worker's.
            board: Keeps the notice.
            name: The notice's name, one for each application user.
            worker: This worker's name, unlike any other's.
            clock: Monotonic clock (s).
            faults: Counts what nobody imagined.
        """
        self.gate = gate
        self._faults = faults or Faults()
        self._board = board
        self._name = name
        self._worker = worker
        self._clock = clock
        self._live = [worker]
        self._beats: dict[str, tuple[int, float]] = {}  # and since when on our clock
        self._beat_at = float("-inf")
        self._turn = 0  # the notice's, as last seen
        self._turns = 0  # the gate's, as last told
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._until = float("-inf")  # how long others know that it is closed
        self._closed_it = False
        self._alone_at: float | None = None
        self._look_at = float("-inf")  # after a fault of ours not before
        self._backoff = Backoff(random.random)
        self._fails = ""
        gate.refresh = self.refresh

    async def run(self) -> None:
        """Look when there is something to tell or may be something to learn, until cancelled."""
        try:
            while True:
                heartbeat.beat()
                self.gate.turned.clear()
                if self._curious:
                    await self.look()
                await self._pause()
        finally:
            await self._guarded(self._leave())

    async def join(self) -> None:
        """Become one of the workers; once this returns, all of them count with it."""
        await self.look()
        await asyncio.sleep(JOIN_S)
        await self.look()

    async def look(self) -> None:
        """Read the notice, live by it, and write what it does not say yet."""
        async with self._looking:
            await self._look()

    async def refresh(self) -> None:
        """Look, unless that was done within the last second; many at once wait for one look."""
        async with self._looking:
            if self._clock() >= self._looked_at + LOOK_S:
                await self._look()

    async def _look(self) -> None:
        if self._clock() >= self._look_at:
            await self._guarded(self._agree())
        self._looked_at = self._clock()

    @property
    def _curious(self) -> bool:
        return (
            self.gate.turns != self._turns
            or self.gate.state is GateState.CLOSED
            or self._clock() >= self._beat_at
        )

    async def _pause(self) -> None:
        """Until the gate closes or opens, or it is time to look again."""
        try:
            async with asyncio.timeout(LOOK_S):
                await self.gate.turned.wait()
        except TimeoutError:
            return

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Without the store, or with what nobody can read in it, this worker is on its own."""
        fails = FAULT  # unless what follows says otherwise
        with self._faults.contained("gate"):
            try:
                async with asyncio.timeout(LOOK_LIMIT_S):
                    await work
                fails = ""
            except (WorkerError, TimeoutError) as error:
                fails = str(error) or "no answer in time"
        if fails:
            self.gate.leads = True
            if not self._fails:
                _log.warning("gate.not_shared", reason=fails)
        if fails == FAULT:
            self._look_at = self._clock() + self._backoff.failed()
        self._fails = fails

    async def _agree(self) -> None:
        for _ in range(TRIES):
            text = await self._board.recall(self._name)
            seen = self._read(text)
            self._count(seen.beats)
            self._forget_trouble()
            self._follow(seen)
            told, turns, until = self._tell(seen), self.gate.turns, self.gate.retry_at
            if told is seen or await self._board.replace(self._name, text, told.to_text()):
                self._settle(seen, told, turns, until)
                return

    def _read(self, text: str | None) -> Notice:
        """The notice; a damaged one says nothing and is written anew at once.

        Raises:
            NoticeError: A newer release's, which stays as it is.
        """
        try:
            return Notice.from_text(text)
        except NoticeError as odd:
            if odd.newer:
                raise
            _log.warning("gate.notice_damaged", name=self._name)
            self._beat_at = float("-inf")
            return Notice(self._turn)

    # --- what others say ---

    def _count(self, beats: Mapping[str, int]) -> None:
        """Find out who lives, and take our part."""
        now = self._clock()
        known = self._beats
        self._beats = {
            worker: known[worker] if known.get(worker, (None,))[0] == number else (number, now)
            for worker, number in beats.items()
        }
        live = {worker for worker, (_, at) in self._beats.items() if now - at < LIFE_S}
        self._live = sorted(live | {self._worker})
        self.gate.share(self._live.index(self._worker), len(self._live))

    def _follow(self, seen: Notice) -> None:
        gate = self.gate
        if seen.hint and (not gate.hinted or gate.reason is Reason.SURPLUS):
            gate.hint(seen.hint)
        if seen.turn == self._turn:
            return
        self._turn = seen.turn
        news = gate.turns != self._turns
        if seen.reason is not Reason.NONE:
            self._until = self._clock() + seen.retry_s
            gate.follow(seen.reason, seen.retry_s, seen.cause)
        elif not news:
            if self._closed_it:
                self._alone_at = self._clock()
            gate.opened()
        if not news:
            self._turns = gate.turns
            self._closed_it = False

    # --- what we say ---

    def _tell(self, seen: Notice) -> Notice:
        """The notice as it should be; ``seen`` itself if nothing is missing."""
        told = self._news(seen)
        if told.reason is not Reason.NONE and told.owner not in self._live:
            told = replace(told, owner=self._worker)
        if self.gate.hinted and not told.hint:
            told = replace(told, hint=self.gate.hinted)
        if told is seen and self._clock() < self._beat_at:
            return seen
        beats = {worker: self._beats.get(worker, (0,))[0] for worker in self._live}
        beats[self._worker] += 1
        hint = self.gate.hinted or told.hint
        return replace(told, beats=beats, retry_s=self._retry_s(told), hint=hint)

    def _retry_s(self, notice: Notice) -> float:
        """How long (s) it stays closed for all, counted from now."""
        return 0.0 if notice.reason is Reason.NONE else self.gate.retry_s

    def _news(self, seen: Notice) -> Notice:
        """The notice with what happened to our gate since we last told."""
        gate = self.gate
        if gate.turns == self._turns or self._keeps_quiet:
            return seen
        closed = gate.state is GateState.CLOSED and gate.reason not in OWN
        if not closed and seen.reason is not Reason.NONE:
            return Notice(seen.turn + 1, hint=seen.hint)
        if not closed or (seen.reason is not Reason.NONE and gate.retry_at <= self._until + LOOK_S):
            return seen
        return replace(
            seen,
            turn=seen.turn + 1,
            reason=gate.reason,
            cause=gate.cause,
            owner=self._successor() if seen.owner == self._worker else seen.owner,
        )

    @property
    def _keeps_quiet(self) -> bool:
        """Whether our trouble is ours alone, as others have proved; a Retry-After never is."""
        return self._alone_at is not None and self.gate.reason is not Reason.THROTTLED

    def _forget_trouble(self) -> None:
        """Be one of all again after a while without trouble."""
        if self._alone_at is None:
            return
        if self._clock() - self._alone_at >= LIFE_S:
            self._alone_at = None
        elif self.gate.state is GateState.CLOSED:
            self._alone_at = self._clock()

    def _successor(self) -> str:
        """Who probes next: our probe failed, perhaps through a fault of our own."""
        if self.gate.reason is Reason.THROTTLED:
            return self._worker
        return self._live[(self._live.index(self._worker) + 1) % len(self._live)]

    def _settle(self, seen: Notice, told: Notice, turns: int, until: float) -> None:
        """The notice is ``told``, our gate's turns and ``retry_at`` of that moment with it."""
        closed = told.reason is not Reason.NONE
        if told.turn != seen.turn:
            self._turn, self._until = told.turn, until
            self._closed_it = closed and (self._closed_it or seen.reason is Reason.NONE)
        if told is not seen:
            self._beat_at = self._clock() + BEAT_S
        if not self._keeps_quiet:
            self._turns = turns
        self.gate.leads = self._keeps_quiet or not closed or told.owner == self._worker

    async def _leave(self) -> None:
        """Let the others take our part at once."""
        for _ in range(TRIES):
            text = await self._board.recall(self._name)
            seen = self._read(text)
            beats = {worker: n for worker, n in seen.beats.items() if worker != self._worker}
            owner = "" if seen.owner == self._worker else seen.owner
            left = replace(seen, beats=beats, owner=owner, retry_s=self._retry_s(seen))
            if await self._board.replace(self._name, text, left.to_text()):
                return
