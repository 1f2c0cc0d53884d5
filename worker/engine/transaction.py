"""One contact's transaction: claim it, plan, carry out what is planned, release it.

Connect is asked what the contact's pipelines miss, the contact is claimed
(``worker.engine.claims``), and no request leaves later than the claim safely allows. Only
definitive answers count; what anything else means is ``worker.engine.policy``'s to say. A bug on
one contact is that contact's alone (``worker.engine.containment``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from pipelines import ledger
from pipelines.age import KEPT_S
from pipelines.contact import Contact
from pipelines.lifecycle import milestones
from pipelines.plan import Plan
from pipelines.write import LIVE_ONLY, Kind, Write
from worker.amazon_connect import live
from worker.amazon_connect.enrichment import Enrichment
from worker.amazon_connect.errors import ConnectError
from worker.amazon_connect.protocol import Connect, ScreenPop
from worker.clock import Clock
from worker.dynamics.errors import DynamicsError
from worker.dynamics.gate import Gate
from worker.dynamics.requests import request_for
from worker.dynamics.writer import Writer, park
from worker.engine.claims import CLAIM_S, Claims
from worker.engine.containment import Containment
from worker.engine.planner import Planner
from worker.engine.policy import AT_ONCE, Policy, SetAside, TryAgain, is_unanswered
from worker.errors import StoreUnavailable
from worker.faults import Faults
from worker.stores.protocol import ContactStore, Entry, Saved


_log = structlog.get_logger(__name__)

#: How long one request may take in all its tries (s).
REQUEST_S = 60.0

#: Dataverse gives up on a request after this long (s); until then it may still commit.
SERVER_S = 120.0


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
class Transactions:
    """Carries out contacts' transactions, any number of them side by side.

    Attributes:
        store: Where contacts are kept.
        writer: Carries out writes.
        gate: Judges 403 answers.
        desktop: Opens records for agents.
        connect: Takes the attributes that are written back.
        planner: Says what is to be done.
        build: Names this release with these pipelines, see ``worker.engine.containment``.
        clock: Time and chance.
        enrichment: Asks Connect what contacts' events do not say; None: it is not asked.
        doubt: Called with each contact that was loaded: doubts its ledger if the state was
            restored (``worker.stores.restoration``).
        latency: Called with how long (s) each contact was due when Dynamics came to match it.
        wrote: Called with the kind of each write that was acknowledged.
        faults: Counts and tells bugs of ours.
        sent: Counts.
        containment: Decides on contacts that met one.
        policy: Decides what failures mean.
    """

    store: ContactStore
    writer: Writer
    gate: Gate
    desktop: ScreenPop
    connect: Connect
    planner: Planner
    build: str
    clock: Clock = field(default_factory=Clock)
    enrichment: Enrichment | None = None
    doubt: Callable[[Contact], None] = lambda _contact: None
    latency: Callable[[float], None] = lambda _seconds: None
    wrote: Callable[[Kind], None] = lambda _kind: None
    faults: Faults = field(default_factory=Faults)
    sent: Sent = field(init=False, default_factory=Sent)
    containment: Containment = field(init=False)
    policy: Policy = field(init=False)
    _claims: Claims = field(init=False)

    def __post_init__(self) -> None:
        patient = not self.planner.waits_over
        self.containment = Containment(
            self.store, self.clock, self.build, self.faults, patient=patient
        )
        self.policy = Policy(self.gate, self.containment, self.clock)
        self._claims = Claims(self.store, self.clock)

    async def run(self, contact_id: str) -> None:
        """Bring Dynamics to match one contact, as far as it can be done now.

        Raises:
            StoreUnavailable: What was sent is known from its intent.
        """
        entry = None
        try:
            (entry,) = await self.store.load([contact_id])
            now = self.clock.wall()
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
        last_start = self.clock.monotonic() + CLAIM_S - SERVER_S - REQUEST_S
        agenda = await self._claimed(entry)
        if agenda is None:
            return
        again = await self._work(entry, agenda, last_start) if agenda.writes else None
        contact.intent.clear()
        again = self._look_ahead(entry, again)
        note = entry.fault
        # A copy: should this fail, the entry still says how often it did before.
        fault = self.containment.noted(contact.id, note) if again else None
        await self._claims.release(replace(entry, fault=fault), parked, before)
        if again is None:
            self.containment.came_right(contact.id, note)
            self._tell_done(contact.id, self.clock.wall() - due_at)

    async def _claimed(self, entry: Entry) -> Plan | None:
        """The plan of a contact that is ours, or that needs nothing sent; None: it is not ours."""
        contact = entry.contact
        questions = self.enrichment.questions(contact) if self.enrichment else []
        if self.enrichment and questions:
            # Ours first: other workers that see it due would ask the same.
            if not await self._claims.take(entry, ()):
                return None
            with self.faults.contained("enrichment", contact_id=contact.id):
                await self.enrichment.complete(contact, questions)
        agenda = self.planner.plan(contact)
        if agenda.writes and not questions and not await self._claims.take(entry, agenda.writes):
            return None
        return agenda

    def _look_ahead(self, entry: Entry, again: TryAgain | None) -> TryAgain | None:
        """Note when the contact is due next and how long it is kept; None: it is done for now."""
        contact = entry.contact
        agenda = self.planner.plan(contact)
        self._expire(contact, agenda)
        if again is None and agenda.writes:
            again = self.policy.unfinished(contact.id)
        entry.due_at = self.clock.wall() + again.after_s if again else agenda.next_at
        if "ended" in milestones(contact):
            entry.expires_at = self.clock.wall() + KEPT_S
        return again

    def _expire(self, contact: Contact, agenda: Plan) -> None:
        """Record live-only steps whose time is over."""
        for step in agenda.expired:
            contact.effects[step] = "expired"
            self.sent.expired += 1
            _log.info("push.expired", contact_id=contact.id, step=step)

    def _tell_done(self, contact_id: str, latency_s: float) -> None:
        with self.faults.contained("telemetry", contact_id=contact_id):
            self.latency(latency_s)
        _log.info("push.done", contact_id=contact_id, latency_s=round(latency_s, 3))

    # --- act ---

    async def _work(self, entry: Entry, agenda: Plan, last_start: float) -> TryAgain | None:
        """Carry out writes until none are left; None: of what could be done, nothing is left."""
        contact = entry.contact
        writes = list(agenda.writes)
        again = None
        if not await self._intend(entry, writes):
            return AT_ONCE
        while writes:
            if self.clock.monotonic() > last_start:
                return AT_ONCE
            write = writes.pop(0)
            try:
                goes_on = await self._perform(contact, write)
            except ConnectError as error:
                again = self._not_taken(contact, write, error) or again
                continue
            except DynamicsError as error:
                return self._failed(contact, write, error)
            if goes_on and (writes or write.kind is not Kind.LOOKUP):
                continue
            writes = [
                w for w in self.planner.plan(contact).writes if w.kind not in LIVE_ONLY or not again
            ]
            if not await self._intend(entry, writes):
                return AT_ONCE
        return again

    async def _intend(self, entry: Entry, writes: list[Write]) -> bool:
        """Note what is about to be sent; False: facts came meanwhile, plan again from all."""
        if not ledger.intend(entry.contact, writes):
            return True
        return await self.store.save([entry]) == [Saved.SAVED]

    async def _perform(self, contact: Contact, write: Write) -> bool:
        """Carry out one write; whether what was planned after it still holds.

        Raises:
            ConnectError: Connect or the desktop did not take it.
            DynamicsError: Nothing definitive came of it.
        """
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
            self._tell_parked(contact, write)
        return goes_on

    def _not_taken(self, contact: Contact, write: Write, error: ConnectError) -> TryAgain | None:
        """Connect or the desktop did not take it; None: it never will."""
        event = "push.open_failed" if write.kind is Kind.OPEN else "push.write_back_failed"
        _log.warning(event, contact_id=contact.id, reason=str(error))
        verdict = self.policy.of_connect(error)
        if isinstance(verdict, SetAside):
            contact.effects[write.steps[0]] = "refused"
            return None
        return verdict

    def _failed(self, contact: Contact, write: Write, error: DynamicsError) -> TryAgain:
        """Nothing definitive came of it."""
        contact.intent.clear()
        if is_unanswered(error):
            ledger.intend(contact, [write])
            ledger.unsettle(contact)
        _log.info("push.not_done", contact_id=contact.id, kind=write.kind.value, reason=str(error))
        verdict = self.policy.of_dynamics(contact, error)
        if isinstance(verdict, SetAside):
            request = request_for(write, self.writer.create_by)
            park(contact, write, request, error, self.clock.wall())
            self._tell_parked(contact, write)
            return AT_ONCE
        return verdict

    def _tell_written(self, contact: Contact, write: Write) -> None:
        with self.faults.contained("telemetry", contact_id=contact.id):
            self.wrote(write.kind)

    def _tell_parked(self, contact: Contact, write: Write) -> None:
        self.sent.parked += 1
        entry = contact.parked[write.place]
        _log.error(
            "push.parked",
            contact_id=contact.id,
            steps=entry.steps,
            status=entry.status,
            code=entry.code,
        )
