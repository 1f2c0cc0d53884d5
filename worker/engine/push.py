"""Push: brings Dynamics to match the contacts that are due.

A contact whose plan is not empty is *due*. This decides which contacts are worked on and when; what
is done for one is its transaction (``worker.engine.transaction``). While the gate is closed nothing
is claimed at all.

Contacts that somebody waits for (``worker.engine.waiting``) go first, newest first, whatever else
is in hand. The others are taken in the store's order, as many as there is room for. While the gate
is open on trial one contact goes that has never failed; if there is none, or that failed too, the
last acknowledged change is sent again (``worker.engine.write_probe``).

This is for one application user. Several share the contacts (``worker.engine.pushes``).
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

import structlog

from pipelines.age import KEPT_S
from pipelines.contact import Contact
from worker import heartbeat
from worker.clock import run_until
from worker.dynamics.binding import Binding
from worker.dynamics.errors import DynamicsError, WrongOrganization
from worker.dynamics.reasons import GateState, Reason
from worker.engine.policy import RETRY_S
from worker.engine.stall import Stall
from worker.engine.transaction import Transactions
from worker.errors import StoreUnavailable
from worker.stores.buckets import ALL


_log = structlog.get_logger(__name__)

#: How many contacts are worked on at a time, and how many that somebody waits for beside these;
#: the gate limits requests in flight.
CONTACTS_AT_A_TIME = 64
WAITING_AT_A_TIME = 64

#: So many contacts that have failed are passed over to find one that has not.
MOST_PASSED_OVER = 1000

#: What is in hand while a write is probed.
PROBE = "the write probe"

#: Longest and shortest wait before the store is asked again for due contacts (s).
LOOK_AGAIN_S = 1.0
SHORTEST_PAUSE_S = 0.05

#: A wait that is worth a log line (s).
LONG_PAUSE_S = 15.0


class Push:
    """Pushes due contacts as one application user.

    Args:
        transactions: Carries out what is due; its store, gate and clock are used here too.
        probe: One request past the gate, to find out whether it can open again.
        user: The client id, for logs and metrics.
        binding: Says whether this state may be used with this Dynamics; None: any state may.

    Attributes:
        transactions: As given.
        user: As given.
        buckets: Of which buckets contacts are taken (``worker.stores.buckets``).
    """

    def __init__(
        self,
        transactions: Transactions,
        probe: Callable[[], Awaitable[object]],
        user: str = "",
        binding: Binding | None = None,
    ) -> None:
        self.transactions = transactions
        self.user = user
        self.buckets = ALL
        self._binding = binding
        self._probe = partial(_probed, probe, binding) if binding else probe
        self._store = transactions.store
        self._gate = transactions.gate
        self._clock = transactions.clock
        self._faults = transactions.faults
        self._containment = transactions.containment
        self._news = asyncio.Event()
        self._waiting = transactions.waiting
        self._suspects = transactions.suspects
        self._write_probe = transactions.write_probe
        self._tried_at = -1  # how many writes had succeeded when a contact was tried last
        self._probed = False  # the last trial was a probe
        self._following: float | None = None  # when (s since 1970) something is due, as last asked
        self._in_hand: dict[str, bool] = {}  # whether it was taken because somebody waits

    def news(self, contacts: Sequence[Contact] = ()) -> None:
        """Look for due contacts now: something came due, these among others."""
        for contact in contacts:
            with self._faults.contained("contact", contact_id=contact.id):
                self._waiting.see(contact)
        if contacts:
            self._following = self._clock.wall()
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Push what comes due until ``stop`` is set, then finish what is in hand."""
        async with asyncio.TaskGroup() as group:
            group.create_task(run_until(stop, self._see_whose_state()))
            look = partial(self._look_after, group, stop)
            await self._faults.again("push", look, self._clock, stop=stop)

    async def _see_whose_state(self) -> None:
        """Close the gate at once if the state is another organization's; nothing is bound yet."""
        try:
            if self._binding:
                await self._binding.check()
        except WrongOrganization as error:
            self._gate.breaker.refuse(error)
        except (DynamicsError, StoreUnavailable) as error:  # it is asked again before each claim
            _log.info("push.organization_not_known", reason=str(error))

    async def _look_after(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        while not stop.is_set():
            heartbeat.beat()
            if self._gate.breaker.state is not GateState.OPEN:  # so nothing is claimed
                await run_until(stop, self._gate.breaker.reopen(self._probe))
            elif not await self._start(group):
                await run_until(stop, self._rest())

    async def drain(self, stop: asyncio.Event | None = None) -> None:
        """Push until nothing is due any more, now or after a pause that runs, or ``stop`` is set.

        Contacts in hand are finished in any case. It also ends when nothing is done any more
        (``worker.engine.stall``): then something is still due.
        """
        stall, ended = Stall(self.transactions, self._probe), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(set_after(stall.ended, ended))
            stopping = group.create_task(set_after((stop or asyncio.Event()).wait, ended))
            await self._drain(ended, stall.probing)
            watching.cancel()
            stopping.cancel()

    async def _drain(self, stop: asyncio.Event, probe: Callable[[], Awaitable[object]]) -> None:
        while not stop.is_set():
            async with asyncio.TaskGroup() as group:
                while not stop.is_set() and await self._start(group):
                    await run_until(stop, self._gate.breaker.reopen(probe))
            following = await self._store.next_due(self.buckets)
            if following is None or await self._only_given_up():
                return
            given_up = self._containment.held_back_for_good()  # these stay due
            pause_s = max(LOOK_AGAIN_S if given_up else 0.0, following - self._clock.wall())
            if pause_s > LONG_PAUSE_S and not len(self._suspects):
                _log.error("push.waiting", seconds=round(pause_s), why="an earlier run's claims")
            await run_until(stop, self._clock.sleep(pause_s))

    # --- which contacts ---

    async def _start(self, group: asyncio.TaskGroup) -> bool:
        """Start work on due contacts, as many as there is room for; False: none is in hand."""
        self._news.clear()
        held_back = self._containment.held_back()
        if self._gate.breaker.on_trial:
            return await self._start_trial(group, held_back)
        self._take(group, self._waiting.due(), held_back, self._room_for_waiting)
        room = self._room
        excluded = held_back | self._in_hand.keys()
        due = await self._due_now(CONTACTS_AT_A_TIME + len(excluded)) if room else []
        taken = self._take(group, due, held_back, room, waited_for=False)
        if not self._in_hand:
            return False
        if room > taken:
            await self._rest()
        else:
            await self._until_news(LONG_PAUSE_S)  # until there is room again
        return True

    async def _start_trial(self, group: asyncio.TaskGroup, held_back: set[str]) -> bool:
        """Start the one thing that is tried; False: there is nothing to try.

        Of several contacts, after one has failed, any one may be it: those that are due first may
        have in common what is wrong with them.
        """
        if self._in_hand:
            await self._until_news(LONG_PAUSE_S)
            return True
        passed_over = len(held_back) + min(len(self._suspects), MOST_PASSED_OVER)
        waiting, writes = self._waiting.due(), self._gate.breaker.witness.writes
        due = await self._due_now(CONTACTS_AT_A_TIME + passed_over)
        found = [c for c in (*waiting, *due) if c not in held_back]
        if not found:
            return False
        fresh = [contact_id for contact_id in found if contact_id not in self._suspects]
        in_vain = self._tried_at == writes or self._write_probe.stands_alone
        doubtful = self._gate.breaker.reason in (Reason.OUTAGE, Reason.THROTTLED)
        # In turn with contacts: what was acknowledged last may itself be what fails.
        probes = not self._probed and (in_vain or not fresh)
        if doubtful and self._write_probe.worth_asking and probes:
            self._probed = True
            self._in_hand[PROBE] = False
            group.create_task(self._probe_write())
            return True
        among = fresh or found
        if in_vain and among[0] not in waiting[:1]:
            among = among[int(self._clock.chance() * len(among)) :]
        self._tried_at, self._probed = writes, False
        self._take(group, among, held_back, 1, waited_for=among[0] in waiting)
        return bool(self._in_hand)

    async def _probe_write(self) -> None:
        try:
            if not await self._write_probe.is_answered():
                await self._clock.sleep(LOOK_AGAIN_S)  # it said nothing: not again at once
        except Exception as error:  # noqa: BLE001 - a bug of ours must not end push
            self._faults.note("housekeeping", error)
        finally:
            self._in_hand.pop(PROBE, None)
            self._news.set()

    @property
    def _room(self) -> int:
        """How many contacts more are worth taking in hand, in the store's order."""
        slots = self._gate.slots
        taken = [w for w in self._in_hand.values() if slots.one_at_a_time or not w]
        return max(0, int(min(CONTACTS_AT_A_TIME, slots.room)) - len(taken))

    @property
    def _room_for_waiting(self) -> int:
        """How many more that somebody waits for; on trial any contact is the only one."""
        if self._gate.slots.one_at_a_time:
            return max(0, 1 - len(self._in_hand))
        return max(0, WAITING_AT_A_TIME - sum(self._in_hand.values()))

    def _take(
        self,
        group: asyncio.TaskGroup,
        found: Iterable[str],
        held_back: set[str],
        room: int,
        *,
        waited_for: bool = True,
    ) -> int:
        """Start work on as many of these as there is room for; how many."""
        fresh = [c for c in found if c not in held_back and c not in self._in_hand][:room]
        for contact_id in fresh:
            self._in_hand[contact_id] = waited_for
            group.create_task(self._guarded(contact_id))
        return len(fresh)

    async def _due_now(self, limit: int) -> list[str]:
        """Contacts that are due.

        While there is none it is asked only when one will be, and while there are some only which.
        """
        now = self._clock.wall()
        try:
            if self._following is None or self._following > now:
                self._following = await self._store.next_due(self.buckets)
                if self._following is None or self._following > now:
                    return []
            due = await self._store.due(now, limit, self.buckets)
            if not due:
                self._following = await self._store.next_due(self.buckets)
        except StoreUnavailable as error:
            _log.warning("push.store_unavailable", reason=str(error))
            self._following = None
            await self._clock.sleep(RETRY_S)
            return []
        else:
            return due

    async def _only_given_up(self) -> bool:
        """Whether nothing else is due, now or later."""
        given_up = self._containment.held_back_for_good()
        ever = self._clock.wall() + KEPT_S
        due = await self._store.due(ever, len(given_up) + 1, self.buckets) if given_up else []
        return bool(given_up) and given_up >= set(due)

    async def _rest(self) -> None:
        """Wait until something comes due, or until it is time to look again."""
        pause_s, following = LOOK_AGAIN_S, self._following
        if following is not None and not self._containment.held_back():
            pause_s = min(pause_s, max(SHORTEST_PAUSE_S, following - self._clock.wall()))
        await self._until_news(pause_s)

    async def _until_news(self, pause_s: float) -> None:
        """Wait for news, but no longer than until it is time to look at who waits."""
        if self._room_for_waiting:
            busy = self._containment.held_back() | self._in_hand.keys()
            following = self._waiting.next_at(busy) - self._clock.wall()
            pause_s = min(pause_s, max(SHORTEST_PAUSE_S, following))
        await run_until(self._news, self._clock.sleep(pause_s))

    async def _is_admitted(self) -> bool:
        """Whether this Dynamics may acknowledge to this state; asked before each claim.

        Raises:
            StoreUnavailable: The state does not say.
        """
        if self._binding is None:
            return True
        try:
            await self._binding.confirm()
        except WrongOrganization as error:
            self._gate.breaker.refuse(error)
        except DynamicsError as error:
            _log.info("push.organization_not_known", reason=str(error))
            await self._clock.sleep(RETRY_S)
        else:
            return True
        return False

    async def _guarded(self, contact_id: str) -> None:
        try:
            if not await self._is_admitted():
                return
            again_at = await self.transactions.run(contact_id)
            self._waiting.looked_at(contact_id, again_at)
        except StoreUnavailable as error:
            # Its claim lapses by itself; the intent saved with it says what may have been sent.
            _log.warning("push.store_unavailable", contact_id=contact_id, reason=str(error))
            await self._clock.sleep(RETRY_S)
        except Exception as error:  # noqa: BLE001 - containment itself may have a bug
            self._containment.hold_back(contact_id)
            self._faults.note("contact", error, contact_id=contact_id)
        finally:
            self._in_hand.pop(contact_id, None)
            if not self._in_hand:
                self._following = None  # all that was due is done: ask when something is again
            self._news.set()


async def _probed(probe: Callable[[], Awaitable[object]], binding: Binding) -> None:
    """Probe, and see whether the state is the organization's that answers.

    Raises:
        DynamicsError: There is no answer that counts, or it is another's state.
    """
    await probe()
    with suppress(StoreUnavailable):  # it is asked again before each claim
        await binding.check()


async def set_after(work: Callable[[], Awaitable[object]], event: asyncio.Event) -> None:
    """Set the event once the work is done."""
    await work()
    event.set()
