"""Push: brings Dynamics to match the contacts that are due.

A contact whose plan is not empty is *due*. Connect is asked what its pipelines miss, it is claimed
(``worker.engine.claims``), and no request leaves later than the claim safely allows. Only
definitive answers count; while the gate is closed nothing is claimed at all. A bug on one contact
is that contact's alone (``worker.engine.containment``).
"""

from __future__ import annotations

import asyncio
import random
import time

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from pipelines import ledger
from pipelines.age import KEPT_S
from pipelines.contact import Contact
from pipelines.lifecycle import milestones
from pipelines.pipeline import Pipeline
from pipelines.plan import Plan, Terms, plan
from pipelines.write import LIVE_ONLY, Kind, Write
from worker import heartbeat
from worker.amazon_connect import live
from worker.amazon_connect.enrichment import Enrichment
from worker.amazon_connect.errors import ConnectError, ConnectRefused
from worker.amazon_connect.memory import MemoryConnect
from worker.amazon_connect.protocol import Connect, ScreenPop
from worker.clock import Clock, run_until
from worker.dynamics.errors import DynamicsError, Forbidden, NotSent, Throttled, Unavailable
from worker.dynamics.gate import Gate, GateState
from worker.dynamics.requests import request_for
from worker.dynamics.writer import Writer, park
from worker.engine.claims import CLAIM_S, Claims
from worker.engine.containment import Containment, build_of
from worker.errors import StoreUnavailable
from worker.faults import Faults
from worker.stores.protocol import ContactStore, Entry, Saved


_log = structlog.get_logger(__name__)

#: How long one request may take in all its tries (s).
REQUEST_S = 60.0

#: Dataverse gives up on a request after this long (s); until then it may still commit.
SERVER_S = 120.0

#: Pause before a contact whose request got no answer, or a 403, is tried again (s).
RETRY_S = 2.0

#: 403 answers on one contact alone, while others succeed, before its write is parked.
FORBIDDEN_TRIES = 3

#: How many contacts are worked on at a time; requests in flight are the gate's to limit.
CONTACTS_AT_A_TIME = 64

#: Longest and shortest wait before the store is asked again for due contacts (s).
LOOK_AGAIN_S = 1.0
SHORTEST_PAUSE_S = 0.05

#: A wait that is worth telling (s).
LONG_PAUSE_S = 15.0


@dataclass(slots=True)
class Sent:
    """What went out so far."""

    writes: int = 0
    lookups: int = 0
    opened: int = 0
    written_back: int = 0
    expired: int = 0
    parked: int = 0


@dataclass(slots=True)
class Push:
    """Pushes due contacts.

    Attributes:
        store: Where contacts are kept.
        writer: Carries out writes.
        gate: Says whether Dynamics takes requests.
        probe: One request past the gate, to find out whether it can open again.
        desktop: Opens records for agents.
        connect: Takes the attributes that are written back.
        enrichment: Asks Connect what contacts' events do not say; None: it is not asked.
        pipelines: What to send.
        terms: Under which terms.
        clock: Wall clock (s).
        monotonic: Monotonic clock (s), for deadlines.
        sleep: Waits.
        jitter: Random number from 0 to 1.
        waits_over: Plan as if every wait were over: a replay's time is the archive's.
        doubt: Called with each contact that was loaded: doubts its ledger if the state was
            restored (``worker.stores.restoration``).
        latency: Called with how long (s) each contact was due when Dynamics came to match it.
        wrote: Called with the kind of each write that was acknowledged.
        sent: Counts.
        faults: Counts and tells bugs of ours.
        containment: Decides on contacts that met one.
    """

    store: ContactStore
    writer: Writer
    gate: Gate
    probe: Callable[[], Awaitable[object]]
    desktop: ScreenPop
    pipelines: Iterable[Pipeline]
    terms: Terms
    connect: Connect = field(default_factory=MemoryConnect)
    enrichment: Enrichment | None = None
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    waits_over: bool = False
    doubt: Callable[[Contact], None] = lambda _contact: None
    latency: Callable[[float], None] = lambda _seconds: None
    wrote: Callable[[Kind], None] = lambda _kind: None
    sent: Sent = field(default_factory=Sent)
    faults: Faults = field(default_factory=Faults)
    containment: Containment = field(init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _in_hand: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.containment = Containment(
            self.store,
            Clock(self.clock, self.monotonic, self.sleep, self.jitter),
            build_of(self.pipelines),
            self.faults,
            patient=not self.waits_over,
        )

    def news(self) -> None:
        """Something came due: look now."""
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Push what comes due until ``stop`` is set, then finish what is in hand."""
        clock = self.containment.clock
        async with asyncio.TaskGroup() as group:
            group.create_task(run_until(stop, self._revive()))
            await self.faults.again("push", lambda: self._look_after(group, stop), clock, stop=stop)

    async def _revive(self) -> None:
        """Try what other builds parked as bugs, once at the start."""
        with self.faults.contained("housekeeping"):
            while True:
                try:
                    return await self.containment.revive(self._news)
                except* StoreUnavailable:
                    heartbeat.beat()
                    await self.sleep(LONG_PAUSE_S)

    async def _look_after(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        while not stop.is_set():
            heartbeat.beat()
            if self.gate.state is not GateState.OPEN:  # nothing is claimed while nothing is taken
                await run_until(stop, self.gate.reopen(self.probe))
            elif not await self._start(group):
                await run_until(stop, self._rest())

    async def drain(self, stop: asyncio.Event | None = None) -> None:
        """Push until nothing is due any more, now or after a pause that runs, or ``stop`` is set.

        Contacts in hand are finished in any case.
        """
        stop = stop or asyncio.Event()
        while not stop.is_set():
            async with asyncio.TaskGroup() as group:
                while not stop.is_set() and await self._start(group):
                    await run_until(stop, self.gate.reopen(self.probe))
            following = await self.store.next_due()
            if following is None or await self._only_given_up():
                return
            pause_s = max(0.0, following - self.clock())
            if pause_s > LONG_PAUSE_S:
                _log.error("push.waiting", seconds=round(pause_s), why="an earlier run's claims")
            await run_until(stop, self.sleep(pause_s))

    # --- which contacts ---

    async def _start(self, group: asyncio.TaskGroup) -> bool:
        """Start work on due contacts, as many as there is room for; False: none is in hand."""
        self._news.clear()
        room = max(0, int(min(CONTACTS_AT_A_TIME, self.gate.room)) - len(self._in_hand))
        left_alone = self.containment.resting() | self._in_hand
        due = await self._due(CONTACTS_AT_A_TIME + len(left_alone)) if room else []
        fresh = [contact_id for contact_id in due if contact_id not in left_alone][:room]
        for contact_id in fresh:
            self._in_hand.add(contact_id)
            group.create_task(self._guarded(contact_id))
        if not self._in_hand:
            return False
        if room > len(fresh):
            await self._rest()
        else:
            await self._news.wait()  # until there is room again
        return True

    async def _due(self, limit: int) -> list[str]:
        try:
            return await self.store.due(self.clock(), limit)
        except StoreUnavailable as error:
            _log.warning("push.store_unavailable", reason=str(error))
            await self.sleep(RETRY_S)
            return []

    async def _only_given_up(self) -> bool:
        given_up = self.containment.given_up()
        return bool(given_up) and given_up >= set(await self._due(len(given_up) + 1))

    async def _rest(self) -> None:
        """Wait for news, for the next thing to come due, or for the time to look again."""
        try:
            following = await self.store.next_due()
        except StoreUnavailable:
            following = None  # asked again after the pause; _due reports it
        pause_s = LOOK_AGAIN_S
        if following is not None and not self.containment.resting():
            pause_s = min(pause_s, max(SHORTEST_PAUSE_S, following - self.clock()))
        await run_until(self._news, self.sleep(pause_s))

    async def _guarded(self, contact_id: str) -> None:
        try:
            await self.push(contact_id)
        except StoreUnavailable as error:
            # Its claim lapses by itself; the intent saved with it says what may have been sent.
            _log.warning("push.store_unavailable", contact_id=contact_id, reason=str(error))
            await self.sleep(RETRY_S)
        except Exception as error:  # noqa: BLE001 - even what contains faults may have one
            self.containment.rest(contact_id)
            self.faults.note("contact", error, contact_id=contact_id)
        finally:
            self._in_hand.discard(contact_id)
            self._news.set()

    # --- one contact ---

    async def push(self, contact_id: str) -> None:
        """Bring Dynamics to match one contact, as far as it can be done now.

        Raises:
            StoreUnavailable: What was sent is known from its intent.
        """
        entry = None
        try:
            (entry,) = await self.store.load([contact_id])
            now = self.clock()
            if entry.due_at is None or entry.due_at > now or entry.claimed_until > now:
                return  # somebody was faster
            if await self.containment.admits(entry):
                await self._round(entry, entry.due_at)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - what nobody imagined stays with this contact
            note = await self.containment.failed(contact_id, entry, error)
            self.sent.parked += note is not None and note.parked

    async def _round(self, entry: Entry, due_at: float) -> None:
        contact = entry.contact
        self.doubt(contact)
        ledger.unsettle(contact)
        parked, before = set(contact.parked), ledger.columns_of(contact)
        # Counted from before the claim is saved, however long that takes.
        last_start = self.monotonic() + CLAIM_S - SERVER_S - REQUEST_S
        questions = self.enrichment.questions(contact) if self.enrichment else []
        if self.enrichment and questions:
            # Ours first: other workers that see it due would ask the same.
            if not await self._claims.take(entry, ()):
                return
            with self.faults.contained("enrichment", contact_id=contact.id):
                await self.enrichment.complete(contact, questions)
        agenda = self.plan(contact)
        if agenda.writes and not questions and not await self._claims.take(entry, agenda.writes):
            return
        retry_s = await self._work(entry, agenda, last_start) if agenda.writes else None
        contact.intent.clear()
        agenda = self.plan(contact)
        self._expire(contact, agenda)
        if retry_s is None:
            entry.due_at = agenda.next_at
            retry_s = self.containment.restless_s(contact.id) if agenda.writes else None
        done = retry_s is None
        if retry_s is not None:
            entry.due_at = self.clock() + retry_s
        if "ended" in milestones(contact):
            entry.expires_at = self.clock() + KEPT_S
        note = entry.fault
        # A copy: should this fail, the entry still says how often it did before.
        fault = None if done else self.containment.noted(contact.id, note)
        await self._claims.release(replace(entry, fault=fault), parked, before)
        if done:
            self.containment.came_right(contact.id, note)
            self._told_done(contact.id, self.clock() - due_at)

    def _told_done(self, contact_id: str, latency_s: float) -> None:
        with self.faults.contained("telemetry", contact_id=contact_id):
            self.latency(latency_s)
        _log.info("push.done", contact_id=contact_id, latency_s=round(latency_s, 3))

    def plan(self, contact: Contact) -> Plan:
        """What is still to be done for a contact now."""
        now = float("inf") if self.waits_over else self.clock()
        return plan(contact, self.pipelines, now, self.terms)

    @property
    def _claims(self) -> Claims:
        return Claims(self.store, self.containment.clock)

    async def _work(self, entry: Entry, agenda: Plan, last_start: float) -> float | None:
        """Carry out writes until none are left; the pause (s) if something must be tried again."""
        contact = entry.contact
        writes = list(agenda.writes)
        retry_s = None
        if not await self._intend(entry, writes):
            return 0.0
        while writes:
            if self.monotonic() > last_start:
                return 0.0  # what is left goes under a new claim
            write = writes.pop(0)
            try:
                goes_on = await self._perform(contact, write)
            except ConnectError as error:
                retry_s = self._not_told(contact, write, error) or retry_s
                continue
            except DynamicsError as error:
                return self._failed(contact, write, error)
            if goes_on and (writes or write.kind is not Kind.LOOKUP):
                continue
            writes = [
                w for w in self.plan(contact).writes if w.kind not in LIVE_ONLY or not retry_s
            ]
            if not await self._intend(entry, writes):
                return 0.0
        return retry_s

    async def _intend(self, entry: Entry, writes: list[Write]) -> bool:
        """Note what is about to be sent; False: facts came meanwhile, plan again from all."""
        if not ledger.intend(entry.contact, writes):
            return True
        return await self.store.save([entry]) == [Saved.SAVED]

    async def _perform(self, contact: Contact, write: Write) -> bool:
        if write.kind in LIVE_ONLY:
            await live.perform(contact, write, self.connect, self.desktop, self.faults)
            ledger.acknowledge(contact, write, {})
            self.sent.opened += write.kind is Kind.OPEN
            self.sent.written_back += write.kind is Kind.ATTRIBUTES
            self._tell_written(contact, write)
            return True
        parked = len(contact.parked)
        goes_on = await self.writer.perform(contact, write, timeout_s=REQUEST_S)
        contact.tries = 0
        if goes_on:
            self._tell_written(contact, write)
        if goes_on and write.kind is Kind.LOOKUP:
            self.sent.lookups += 1
        elif goes_on:
            self.sent.writes += 1
        if len(contact.parked) > parked:
            self._parked(contact, write)
        return goes_on

    def _tell_written(self, contact: Contact, write: Write) -> None:
        with self.faults.contained("telemetry", contact_id=contact.id):
            self.wrote(write.kind)

    def _not_told(self, contact: Contact, write: Write, error: ConnectError) -> float | None:
        """Connect or the desktop was not told; the pause (s) before the next try, if any."""
        event = "push.open_failed" if write.kind is Kind.OPEN else "push.write_back_failed"
        _log.warning(event, contact_id=contact.id, reason=str(error))
        if isinstance(error, ConnectRefused):
            contact.effects[write.steps[0]] = "refused"
            return None
        return RETRY_S

    def _failed(self, contact: Contact, write: Write, error: DynamicsError) -> float:
        """Nothing definitive came of it; how long to wait before the contact is tried again."""
        contact.intent.clear()
        unanswered = isinstance(error, Unavailable) and not isinstance(error, NotSent | Throttled)
        if unanswered:
            ledger.intend(contact, [write])
            ledger.unsettle(contact)
        _log.info("push.not_done", contact_id=contact.id, kind=write.kind.value, reason=str(error))
        if unanswered:
            return self.containment.unanswered_s(contact.id)
        if isinstance(error, Forbidden):
            return self._forbidden(contact, write, error)
        return RETRY_S * (1 + self.jitter())

    def _forbidden(self, contact: Contact, write: Write, error: Forbidden) -> float:
        if self.gate.forbidden(contact.id, error.code):
            contact.tries = 0  # a lost role is nobody's fault here
            return RETRY_S
        contact.tries += 1
        if contact.tries >= FORBIDDEN_TRIES:
            park(contact, write, request_for(write, self.writer.create_by), error, self.clock())
            self._parked(contact, write)
            contact.tries = 0
            return 0.0
        return RETRY_S * 2.0**contact.tries * (1 + self.jitter())

    def _parked(self, contact: Contact, write: Write) -> None:
        self.sent.parked += 1
        entry = contact.parked[write.place]
        _log.error(
            "push.parked",
            contact_id=contact.id,
            steps=entry.steps,
            status=entry.status,
            code=entry.code,
        )

    # --- afterwards ---

    def _expire(self, contact: Contact, agenda: Plan) -> None:
        """Record live-only steps whose time is over."""
        for step in agenda.expired:
            contact.effects[step] = "expired"
            self.sent.expired += 1
            _log.info("push.expired", contact_id=contact.id, step=step)
