"""The checker can fail: a worker that breaks a promise on purpose is caught by the simulation."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from pipelines import changes, ledger
from pipelines.agenda import Agenda
from pipelines.contact import Contact, Damaged, NewerForm, Unreadable
from pipelines.fact import Fact
from pipelines.identity import record_id
from pipelines.snapshot import Snapshot
from simulated import simulate
from simulated.loop import PROCESS
from worker.dynamics import client, requests
from worker.dynamics.breaker import Breaker
from worker.dynamics.failure_counter import FailureCounter
from worker.dynamics.privileges import Privileges
from worker.dynamics.reasons import Reason
from worker.engine import containment, far_ahead, policy
from worker.engine.containment import Containment
from worker.engine.far_ahead import FarAhead
from worker.engine.policy import RETRY_S, Policy, TryAgain
from worker.engine.push import Push
from worker.engine.suspects import Suspects
from worker.engine.transaction import Transactions
from worker.errors import StoreUnavailable
from worker.faults import Faults
from worker.leases import choice
from worker.leases.lease import Lease
from worker.leases.memory import MemoryLeases
from worker.leases.position import Position
from worker.outside_time import OutsideTime
from worker.sources.pages import RecordPage, slices
from worker.sources.protocol import Handle
from worker.sources.shard_reader import SLICE_COUNT, ShardReader
from worker.stores import memory, stored
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, Saved


#: Within so many seeds each must be caught.
SEEDS = 200

Patch = pytest.MonkeyPatch


def checkpoint_before_save(patch: Patch) -> None:
    async def deliver(
        self: ShardReader, page: RecordPage, handle: Handle, stop: asyncio.Event
    ) -> None:
        for batch in slices(self._new(page), SLICE_COUNT, self._context.slice_bytes):
            self._done = batch[-1].sequence
            await self._keep(partial(self._bookmark.move, self._done), stop)
            await handle([self._message(record) for record in batch])
        self._iterator = page.next_iterator
        if page.next_iterator is None:
            self.over = await self._keep(partial(self._bookmark.end, page.children), stop)

    patch.setattr(ShardReader, "_deliver", deliver)


def no_version_condition(patch: Patch) -> None:
    save: Callable[[MemoryStore, Entry, Any], Saved] = MemoryStore._save

    def force(self: MemoryStore, entry: Entry, row: Any) -> Saved:
        stored = self._rows.get(entry.contact.id)
        if stored is not None:
            row = type(row)(stored.version + 1, *[getattr(row, n) for n in row.__slots__[1:]])
        return save(self, entry, row)

    patch.setattr(MemoryStore, "_save", force)


def no_intent(patch: Patch) -> None:
    patch.setattr(ledger, "intend", lambda _contact, _writes: False)


def claim_not_checked_before_sending(patch: Patch) -> None:
    work = Transactions._work

    async def on_and_on(
        self: Transactions, entry: Entry, agenda: Agenda, seen: Snapshot, _: float
    ) -> TryAgain | None:
        return await work(self, entry, agenda, seen, float("inf"))

    patch.setattr(Transactions, "_work", on_and_on)


def update_without_if_match(patch: Patch) -> None:
    patch.setattr(requests, "UPDATE_ONLY", {})


def stale_record_wins(patch: Patch) -> None:
    patch.setattr(Fact, "exceeds", lambda self, other: self.body != other.body)


def retry_after_ignored(patch: Patch) -> None:
    patch.setattr(Breaker, "_throttled", lambda *_a, **_k: None)


def record_ids_of_each_workers_own(patch: Patch) -> None:
    def own_id(contact_id: str, pipeline: str, step: str) -> str:
        process = PROCESS.get()
        return record_id(contact_id, pipeline, f"{step} {process and process.name}")

    patch.setattr(changes, "record_id", own_id)


def child_shards_read_at_once(patch: Patch) -> None:
    patch.setattr(choice, "readable_leases", lambda leases: [x for x in leases if not x.over])


def checkpoint_without_lease(patch: Patch) -> None:
    async def move(self: MemoryLeases, lease: Lease, checkpoint: Position) -> Lease:
        self.leases[lease.key] = self.leases[lease.key].moved(checkpoint)
        return self.leases[lease.key]

    patch.setattr(MemoryLeases, "move", move)


def containment_taken_out(patch: Patch) -> None:
    async def end(_: Containment, __: str, ___: Entry | None, error: Exception) -> None:
        raise error

    async def work(self: Push, contact_id: str) -> None:
        await self.transactions.run(contact_id)
        self._in_hand.pop(contact_id, None)
        self._news.set()

    async def once(
        _: Faults, __: str, loop: Callable[[], Awaitable[None]], *_a: Any, **_k: Any
    ) -> None:
        await loop()

    patch.setattr(Containment, "failed", end)
    patch.setattr(Push, "_guarded", work)
    patch.setattr(Faults, "again", once)


def claim_kept_after_a_fault(patch: Patch) -> None:
    async def keep(self: Containment, contact_id: str, *_: Any) -> None:
        self.hold_back(contact_id)

    patch.setattr(Containment, "failed", keep)


def contact_written_on_after_it_was_given_back(patch: Patch) -> None:
    work = Transactions._work

    async def on_and_on(
        self: Transactions, entry: Entry, agenda: Agenda, seen: Snapshot, until: float
    ) -> TryAgain | None:
        try:
            return await work(self, entry, agenda, seen, until)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - a bug of ours, see simulated.bugs
            await self.store.put_back(entry.contact.id, entry.version, None, None)
            return await work(self, entry, agenda, seen, until)

    patch.setattr(Transactions, "_work", on_and_on)


def rows_that_cannot_be_read_begun_anew(patch: Patch, kind: type[Unreadable]) -> None:
    read_entry = stored.read_entry

    def begin(contact_id: str, data: bytes, **beside: Any) -> Entry:
        try:
            Contact.from_bytes(contact_id, data)
        except kind:
            return Entry(Contact(contact_id), **beside)
        except Unreadable:
            pass
        return read_entry(contact_id, data, **beside)

    patch.setattr(memory, "read_entry", begin)


def unknown_fields_dropped(patch: Patch) -> None:
    from_bytes = Contact.from_bytes

    def read(contact_id: str, data: bytes) -> Contact:
        contact = from_bytes(contact_id, data)
        contact.extra.clear()
        return contact

    patch.setattr(Contact, "from_bytes", read)


def answers_without_marks_believed(patch: Patch) -> None:
    patch.setattr(client, "is_dataverses", lambda *_: True)


def expiry_by_our_own_clock(patch: Patch) -> None:
    patch.setattr(OutsideTime, "at_least", lambda self: self._clock.wall())


def far_ahead_claims_taken_at_once(patch: Patch) -> None:
    patch.setattr(FarAhead, "_holder_has_stopped", lambda *_: True)
    patch.setattr(far_ahead, "LOOK_EVERY_S", 1.0)  # most claims are short


def pauses_that_never_grow(patch: Patch) -> None:
    patch.setattr(containment, "LONGEST_PAUSE_S", containment.FIRST_PAUSE_S)


def a_403_closes_everything(patch: Patch) -> None:
    def close(self: Policy, *_: Any) -> TryAgain:
        self.gate.breaker.close_with_others(Reason.FORBIDDEN, 60.0, "403")
        return TryAgain(RETRY_S)

    patch.setattr(Policy, "_forbidden", close)


def what_a_role_forbids_parked(patch: Patch) -> None:
    patch.setattr(Privileges, "refused", lambda *_a, **_k: None)


def tries_counted_without_a_witness(patch: Patch) -> None:
    patch.setattr(Suspects, "_has_witness", lambda *_a, **_k: True)


def poison_never_parked(patch: Patch) -> None:
    patch.setattr(policy, "UNANSWERED_TRIES", 10**9)


def one_records_429_closes_the_gate_for_all(patch: Patch) -> None:
    patch.setattr(FailureCounter, "throttled", lambda *_a, **_k: False)


@pytest.mark.judge
@pytest.mark.timeout(600)
# In worlds in which single records go wrong, "progress" finds what is not written as it should be
# before everything is mended, and "I1" what is not at the end.
@pytest.mark.parametrize(
    ("broken", "invariants"),
    [
        (checkpoint_before_save, "I2"),
        (no_version_condition, "I1 I2 I5"),
        (no_intent, "I1 progress"),
        (claim_not_checked_before_sending, "I5"),
        (update_without_if_match, "I6"),
        (stale_record_wins, "I1 I2 I5"),
        (retry_after_ignored, "Retry-After"),
        (record_ids_of_each_workers_own, "I1 I4 progress"),
        (child_shards_read_at_once, "I3"),
        (checkpoint_without_lease, "I3 I7"),
        (containment_taken_out, "worker"),
        (claim_kept_after_a_fault, "claim progress"),
        (contact_written_on_after_it_was_given_back, "I5"),
        (partial(rows_that_cannot_be_read_begun_anew, kind=Damaged), "rows I5"),
        (partial(rows_that_cannot_be_read_begun_anew, kind=NewerForm), "rows I5"),
        (unknown_fields_dropped, "rows"),
        (answers_without_marks_believed, "I1 progress"),
        (pauses_that_never_grow, "I9"),
        (expiry_by_our_own_clock, "I2"),
        (far_ahead_claims_taken_at_once, "claim"),
        (a_403_closes_everything, "progress"),
        (what_a_role_forbids_parked, "progress"),
        (tries_counted_without_a_witness, "progress"),
        (poison_never_parked, "progress"),
        (one_records_429_closes_the_gate_for_all, "progress"),
    ],
)
def test_a_broken_build_is_caught_within_200_seeds(
    broken: Callable[[Patch], None], invariants: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    outcomes = map(simulate, range(SEEDS))
    caught = next((outcome for outcome in outcomes if outcome.breaches), None)
    assert caught is not None
    assert caught.breaches[0].partition(":")[0] in invariants.split()
