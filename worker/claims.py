"""Claims: a contact that is being pushed is one worker's for a while.

Claiming notes until when it is ours and what is about to be sent, so two workers never write for
one contact at once, and a crash leaves a note of what may have been sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from uuid import uuid4

import structlog

from pipelines import ledger
from pipelines.write import Write
from worker.stores.protocol import ContactStore, Entry, Saved


_log = structlog.get_logger(__name__)

#: How long a claim lasts (s): requests start only in its first part.
CLAIM_S = 300.0

#: Pause before a contact that has grown too large to be claimed is tried again (s).
TOO_LARGE_S = 3600.0


async def claim(
    store: ContactStore, entry: Entry, writes: Iterable[Write], clock: Callable[[], float]
) -> bool:
    """Make the contact ours for ``CLAIM_S`` and note what we are about to send; whether it is."""
    ledger.intend(entry.contact, writes)
    entry.claim = uuid4().hex
    entry.claimed_until = clock() + CLAIM_S
    (saved,) = await store.save([entry])
    if saved is Saved.REFUSED:
        _log.error("push.contact_refused", contact_id=entry.contact.id)
        entry.contact.intent.clear()
        entry.claim, entry.claimed_until = "", 0.0
        entry.due_at = clock() + TOO_LARGE_S
        await store.save([entry])
    return saved is Saved.SAVED


async def release(
    store: ContactStore, entry: Entry, parked: set[str], clock: Callable[[], float]
) -> None:
    """Save what came of it and let go of the claim.

    Facts that came meanwhile are kept. Should somebody else hold the claim by now, ours has
    lapsed: our intent told them what we may have sent, and nothing is left to save.

    Args:
        store: Where contacts are kept.
        entry: The contact as we have it.
        parked: What was parked when we took it; an operator may have retried or dropped it since.
        clock: Wall clock (s).
    """
    token, entry.claim, entry.claimed_until = entry.claim, "", 0.0
    while (saved := await store.save([entry])) == [Saved.CONFLICT]:
        (fresh,) = await store.load([entry.contact.id])
        if not token or fresh.claim != token:
            _log.info("push.superseded", contact_id=entry.contact.id)
            return
        for place in parked - fresh.contact.parked.keys():
            ledger.unpark(entry.contact, fresh.contact, place)  # an operator did meanwhile
        for fact in fresh.contact.facts.values():
            entry.contact.observe(fact)
        entry = replace(fresh, contact=entry.contact, due_at=clock(), claim="", claimed_until=0.0)
    if saved == [Saved.REFUSED]:
        # The intent saved with the claim says what was sent; it is settled when that lapses.
        _log.error("push.contact_refused", contact_id=entry.contact.id)
