"""One contact's transaction: claim it, plan, carry out what is planned, release it.

Connect is asked for what the contact's pipelines lack, the contact is claimed
(``worker.engine.claims``), and no request leaves later than the claim safely allows. Only
definitive answers count; ``worker.engine.policy`` decides what anything else means. A bug on one
contact affects that contact alone (``worker.engine.containment``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from pipelines import ledger
from pipelines.action import Action, LiveAction
from pipelines.age import KEPT_S
from pipelines.agenda import Agenda
from pipelines.contact import Contact
from pipelines.labels import relabel
from pipelines.outcome import Delayed
from pipelines.snapshot import Snapshot
from pipelines.waiting import is_waited_for
from worker.amazon_connect.enrichment import Enrichment
from worker.amazon_connect.protocol import Connect, ScreenPop
from worker.clock import Clock
from worker.dynamics.gate import Gate
from worker.dynamics.performer import Performer
from worker.engine.attempts import REQUEST_S, Attempts
from worker.engine.claims import CLAIM_S, Claims
from worker.engine.containment import Containment
from worker.engine.freshness import Freshness
from worker.engine.notes import Notes
from worker.engine.planner import Planner
from worker.engine.policy import (
    AT_ONCE,
    NOT_TAKEN,
    Policy,
    PutOff,
    SetAside,
    TryAgain,
)
from worker.engine.reports import Reports
from worker.engine.suspects import Suspects
from worker.engine.waiting import Waiting
from worker.engine.write_probe import WriteProbe
from worker.errors import StoreUnavailable
from worker.exchange import Exchange
from worker.faults import Faults
from worker.precedence import Since, nobody, waited_for
from worker.stores.protocol import ContactStore, Entry, Saved


_log = structlog.get_logger(__name__)

#: When a contact that another worker holds is looked at again (s), if somebody waits for it.
LOOK_AGAIN_S = 1.0

#: Dataverse gives up on a request after this long (s); until then it may still commit.
SERVER_S = 120.0


@dataclass(slots=True)
class Transactions:
    """Carries out contacts' transactions, any number of them side by side.

    Attributes:
        store: Where contacts are kept.
        performer: Carries out what is done in Dynamics.
        gate: Judges 403 answers.
        desktop: Opens records for agents.
        connect: Takes the attributes that are written back.
        planner: Plans what is to be done.
        build: Names this release with these pipelines, see ``worker.engine.containment``.
        clock: Time and chance.
        enrichment: Asks Connect what contacts' events leave out; None: it is not asked.
        doubt: Called with each contact that was loaded: doubts its ledger if the state was
            restored (``worker.stores.restoration``).
        reports: Counts, measures and logs what is done, and bugs of ours.
        probe_writes: Whether the last acknowledged change may be sent again.
        index_key: Makes labels of people (``pipelines.labels``); None: contacts get none.
        faults: Those that the reports count.
        freshness: Knows since when contacts wait that were tried in vain.
        containment: Decides on contacts whose rounds ended in one.
        write_probe: Finds out whether writes are answered.
        suspects: What got no answer when it was last tried.
        policy: Decides what failures mean.
        waiting: The contacts for which somebody waits.
        notes: Writes the contacts' histories.
    """

    store: ContactStore
    performer: Performer
    gate: Gate
    desktop: ScreenPop
    connect: Connect
    planner: Planner
    build: str
    clock: Clock = field(default_factory=Clock)
    enrichment: Enrichment | None = None
    doubt: Callable[[Contact], None] = lambda _contact: None
    reports: Reports = field(default_factory=Reports)
    probe_writes: bool = True
    index_key: bytes | None = None
    faults: Faults = field(init=False)
    freshness: Freshness = field(init=False, default_factory=Freshness)
    containment: Containment = field(init=False)
    write_probe: WriteProbe = field(init=False)
    suspects: Suspects = field(init=False)
    policy: Policy = field(init=False)
    waiting: Waiting = field(init=False)
    notes: Notes = field(init=False)
    _claims: Claims = field(init=False)
    _attempts: Attempts = field(init=False)

    def __post_init__(self) -> None:
        self.faults = self.reports.faults
        patient = not self.planner.waits_over
        self.containment = Containment(
            self.store, self.clock, self.build, self.faults, patient=patient
        )
        breaker = self.gate.breaker
        self.write_probe = WriteProbe(
            self.performer.dynamics,
            breaker,
            self.clock,
            self.store,
            enabled=self.probe_writes,
            users=self.performer.users,
        )
        self.suspects = Suspects(breaker.witness, self.write_probe, self.clock)
        self.policy = Policy(self.gate, self.containment, self.suspects, self.clock)
        self._claims = Claims(self.store, self.clock)
        self.notes = Notes(self.clock, self.faults)
        self.waiting = Waiting(self.planner, self.clock)
        self._attempts = Attempts(
            self.performer,
            self.desktop,
            self.connect,
            self.clock,
            self.policy,
            self.suspects,
            self.write_probe,
            self.notes,
            self.reports,
        )

    async def run(self, contact_id: str) -> float | None:
        """Bring Dynamics to match one contact, as far as it can be done now.

        Returns:
            When to look at it again (s since 1970), as far as is known; None: when it comes due.

        Raises:
            StoreUnavailable: What was sent is known from its intent.
        """
        entry = None
        try:
            (entry,) = await self.store.load([contact_id])
            now = self.clock.wall()
            if entry.due_at is None or entry.due_at > now:
                return entry.due_at  # another worker was faster
            if entry.claimed_until > now:
                return now + LOOK_AGAIN_S
            if await self.containment.admits(entry):
                return await self._round(entry, entry.due_at)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a bug of ours stays with this contact
            note = await self.containment.failed(contact_id, entry, error)
            self.reports.sent.parked += note is not None and note.parked
        return None

    async def _round(self, entry: Entry, due_at: float) -> float | None:
        """The round of a contact that was due at this time; when it is due again."""
        contact = entry.contact
        self.waiting.see(contact)  # it may be another worker that took it in
        self._take_up(contact)
        parked, before = set(contact.parked), ledger.columns_of(contact)
        # Counted from before the claim is saved, however long that takes.
        last_start = self.clock.monotonic() + CLAIM_S - SERVER_S - REQUEST_S
        seen = self.planner.snapshot(contact)
        questions = self.enrichment.questions(contact, seen) if self.enrichment else []
        if self.enrichment and questions:
            # Claim first: other workers that see it due would ask the same.
            if not await self._claims.take(entry, ()):
                return entry.due_at
            with (
                self.faults.contained("enrichment", contact_id=contact.id),
                waited_for(partial(self.waiting.since, contact.id)),
            ):
                await self.enrichment.complete(contact, questions)
            seen = self.planner.snapshot(contact)  # nothing else changes the facts in this round
        put_off: dict[str, float] = {}
        agenda = Agenda(contact, partial(self._plan, contact, seen, put_off), put_off)
        if agenda.actions and not (questions or await self._claims.take(entry, agenda.actions)):
            return entry.due_at
        again = await self._work(entry, agenda, seen, last_start)
        if again is None and put_off:
            again = TryAgain(min(put_off.values()))
        contact.intent.clear()
        again = self._look_ahead(entry, seen, again, due_at)
        note = entry.fault
        if again is None:
            contact.tries = 0
            self.suspects.over(contact)
            if note is not None:
                self.notes.fault_over(contact, note)
        with self.faults.contained("contact", contact_id=contact.id):
            relabel(contact, self.index_key)
        # A copy: should this fail, the entry still says how often it did before.
        fault = note if again else None
        next_at = await self._claims.release(replace(entry, fault=fault), parked, before)
        self.freshness.tried(contact.id, contact.owed_since, next_at)
        if again is None:
            self.containment.succeeded(contact.id, note)
            self.reports.matched(contact.id, self.clock.wall() - due_at)
        return next_at

    def _take_up(self, contact: Contact) -> None:
        """Note what an earlier worker, or a restoration, leaves to be found out."""
        self.notes.begun(contact)
        known = contact.restored
        self.doubt(contact)
        if contact.restored != known:
            self.notes.restored(contact)
        ledger.mark_unknown(contact)

    def _look_ahead(
        self, entry: Entry, seen: Snapshot, again: TryAgain | None, due_at: float
    ) -> TryAgain | None:
        """Note when the contact is due next and how long it is kept; None: it is done for now."""
        contact = entry.contact
        left = self.planner.plan(contact, seen)
        self.reports.left(contact, left, heard_at=due_at, now=self.clock.wall())
        self.notes.expired(contact, left.expired)
        for step in left.forgotten:
            ledger.forget(contact, step)
        if again is None and left.actions:
            again = self.policy.unfinished(contact.id)
        entry.due_at = self.clock.wall() + again.after_s if again else left.next_at
        if again is None:
            contact.owed_since = None
        elif contact.owed_since is None:
            contact.owed_since = due_at
        if "ended" in seen.reached:
            # Not by our clock alone: one that is behind would have it removed at once.
            entry.expires_at = max(self.clock.wall(), seen.ended or 0.0) + KEPT_S
        return again

    # --- act ---

    def _plan(self, contact: Contact, seen: Snapshot, put_off: dict[str, float]) -> list[Action]:
        """What can be done now; what waits is added to what is put off, by place and how long."""
        while True:
            actions = self.planner.plan(contact, seen, put_off).actions
            waiting = {
                action.place: wait_s
                for action in actions
                if (wait_s := self.policy.waits_s(contact, action))
            }
            if not waiting:
                return actions
            put_off |= waiting

    async def _work(
        self, entry: Entry, agenda: Agenda, seen: Snapshot, last_start: float
    ) -> TryAgain | None:
        """Carry actions out until none is left; None: nothing is left that could be done."""
        contact = entry.contact
        again = None
        while agenda.actions:
            if not await self._intend(entry, agenda.actions):
                return AT_ONCE
            if self.clock.monotonic() > last_start:
                return AT_ONCE
            action, exchange = agenda.actions[0], Exchange()
            with waited_for(self._precedence(contact, agenda.actions)):
                outcome = await self._attempts.make(contact, action, exchange)
            if isinstance(outcome, TryAgain):
                return outcome
            if isinstance(outcome, PutOff | SetAside):
                if isinstance(outcome, PutOff):
                    agenda.put_off[action.place] = outcome.after_s
                agenda.actions = agenda.plan()
                continue
            if isinstance(outcome, Delayed):
                again = NOT_TAKEN
                agenda.plan = _without_live(agenda.plan)
            if isinstance(action, LiveAction):
                self._attempts.settle_live(contact, agenda, outcome, exchange, seen)
            else:
                self._attempts.settle(contact, agenda, outcome, exchange)
        return again

    def _precedence(self, contact: Contact, actions: list[Action]) -> Since:
        """Whether somebody waits for the first of these actions, whenever it is asked for."""
        return partial(self.waiting.since, contact.id) if is_waited_for(actions) else nobody

    async def _intend(self, entry: Entry, actions: list[Action]) -> bool:
        """Note what is about to be sent; False: facts came meanwhile, plan again."""
        if not ledger.intend(entry.contact, actions):
            return True
        return await self.store.save([entry]) == [Saved.SAVED]


def _without_live(plan: Callable[[], list[Action]]) -> Callable[[], list[Action]]:
    """A plan of what is left when Connect or the desktop is not to be asked again now."""
    return lambda: [action for action in plan() if not isinstance(action, LiveAction)]
