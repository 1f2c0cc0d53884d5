"""Claims: a contact that is being pushed belongs to one worker for a while.

Claiming notes until when it is ours and what is about to be sent, so two workers never write for
one contact at once, and a crash leaves a note of what may have been sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import uuid4

import structlog

from pipelines import ledger
from pipelines.action import Action
from pipelines.contact import Contact
from pipelines.history import Happening, note
from worker.clock import Clock
from worker.errors import StoreUnavailable
from worker.retry import retry_until
from worker.stores.protocol import ContactStore, Entry, Saved


_log = structlog.get_logger(__name__)

#: How long a claim lasts (s): requests start only in its first part.
CLAIM_S = 300.0

#: Pause before a contact that has grown too large to be claimed is tried again (s).
TOO_LARGE_S = 3600.0

#: Pause before a contact that others hold is looked at again (s).
AGAIN_S = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Claims:
    """Takes and releases claims on contacts.

    Attributes:
        store: Where contacts are kept.
        clock: Time and chance; claims and due times are by its wall clock.
    """

    store: ContactStore
    clock: Clock

    async def take(self, entry: Entry, actions: Iterable[Action]) -> bool:
        """Claim the contact for ``CLAIM_S`` and note what we are to send; whether it is ours."""
        ledger.intend(entry.contact, actions)
        entry.claim = uuid4().hex
        entry.claimed_until = self.clock.wall() + CLAIM_S
        (saved,) = await self.store.save([entry])
        if saved is Saved.REFUSED:
            _log.error("push.contact_refused", contact_id=entry.contact.id)
            entry.contact.intent.clear()
            entry.claim, entry.claimed_until = "", 0.0
            entry.due_at = self.clock.wall() + TOO_LARGE_S
            await self.store.save([entry])
        return saved is Saved.SAVED

    async def release(self, entry: Entry, parked: set[str], before: ledger.Columns) -> float | None:
        """Save the outcome and release the claim; when (s) the contact is due again, None: never.

        Facts that came meanwhile are kept. Should the claim not be ours any more, it has lapsed:
        our intent shows whoever took it what we may have sent by then.

        Args:
            entry: The contact as we have it.
            parked: What was parked when we took it; an operator may have retried it since.
            before: What the ledger held when we took it.
        """
        token = entry.claim
        # A copy: should this fail, the entry still says who holds the contact.
        entry = replace(entry, claim="", claimed_until=0.0)
        while (saved := await self._save(entry)) is Saved.CONFLICT:
            fresh = await self._load(entry.contact.id)
            if not token or fresh.claim != token:
                _log.info("push.superseded", contact_id=entry.contact.id)
                if token:
                    await self._flag_late_writes(entry.contact, before)
                return None
            for place in parked - fresh.contact.parked.keys():
                ledger.unpark(entry.contact, fresh.contact, place)  # an operator acted meanwhile
            entry.contact.learn(fresh.contact)
            entry = replace(
                fresh, contact=entry.contact, due_at=self.clock.wall(), claim="", claimed_until=0.0
            )
        if saved is Saved.REFUSED:
            # The intent saved with the claim says what was sent; it is settled when that lapses.
            _log.error("push.contact_refused", contact_id=entry.contact.id)
            return None
        return entry.due_at

    async def _flag_late_writes(self, late: Contact, before: ledger.Columns) -> None:
        """Mark what we sent after our claim had lapsed, so that the newest facts are sent again.

        It waits until nobody holds the contact, for a holder would save over what we add.
        """
        while True:
            fresh = await self._load(late.id)
            if fresh.claimed_until > self.clock.wall():
                await self.clock.sleep(AGAIN_S)
                continue
            if not ledger.mark_late_writes(fresh.contact, late, before):
                return
            fresh.due_at = self.clock.wall()
            note(fresh.contact.history, Happening(at=fresh.due_at, what="late"))
            if await self._save(fresh) is not Saved.CONFLICT:
                _log.warning("push.wrote_late", contact_id=late.id)
                return

    async def _load(self, contact_id: str) -> Entry:
        (entry,) = await self._until_answered(lambda: self.store.load([contact_id]))
        return entry

    async def _save(self, entry: Entry) -> Saved:
        (saved,) = await self._until_answered(lambda: self.store.save([entry]))
        return saved

    async def _until_answered(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the store answers, so that what has been sent is saved.

        Raises:
            StoreUnavailable: It did not for as long as a claim lasts.
        """
        return await retry_until(
            call,
            clock=self.clock,
            errors=(StoreUnavailable,),
            failed=_log_unavailable,
            deadline=self.clock.monotonic() + CLAIM_S,
        )


def _log_unavailable(error: Exception, _pause_s: float) -> None:
    _log.warning("push.store_unavailable", reason=str(error))
