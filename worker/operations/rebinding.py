"""Rebinding a state: what one organization has acknowledged is given up for another's sake.

It goes through the contacts in pages and remembers how far it is, so that it goes on from there
after an interruption. From its beginning to its end no worker pushes from this state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.acknowledgements import GivenUp, give_up_acknowledgements
from pipelines.happening import by_operator
from pipelines.history import Happening, note
from worker.clock import Clock
from worker.dynamics.binding import GOOD_FOR_S, NAME, Bound, read, written
from worker.errors import ConfigError
from worker.stores.protocol import ContactStore, Entry, Saved


#: How many contacts are read from a store at a time.
PAGE = 200


@dataclass(slots=True)
class Rebound:
    """What a rebinding gave up.

    Attributes:
        contacts: How many contacts it went through.
        records: Of how many records the acknowledgements are gone.
        answers: How many answers of lookups.
        parked: How many parked writes are to be tried again.
        damaged: How many contacts cannot be read; they stay as they are.
    """

    contacts: int = 0
    records: int = 0
    answers: int = 0
    parked: int = 0
    damaged: int = 0

    def add(self, given_up: GivenUp) -> None:
        """Count what was given up of one contact."""
        self.records += given_up.records
        self.answers += given_up.answers
        self.parked += given_up.parked


async def bound(store: ContactStore) -> Bound:
    """To which organization a state is bound.

    Raises:
        WrongOrganization: That cannot be read.
    """
    return read(await store.recall(NAME))


async def rebind(
    store: ContactStore,
    clock: Clock,
    by: str = "",
    why: str = "",
) -> Rebound:
    """Give up what the state's organization acknowledged; the state is bound to none then.

    Args:
        store: The state.
        clock: Running workers notice within ``GOOD_FOR_S``, which is waited for.
        by: Who does it: a system user.
        why: The reason given. Both are kept in the contacts' histories.

    Raises:
        ConfigError: A newer release keeps a contact: its acknowledgements cannot be given up.
        StoreUnavailable: It is not complete, and goes on when it is called again.
    """
    begun = await bound(store)
    after = begun.giving_up or ""
    if begun.giving_up is None:
        begun = await _note(store, begun, "")
    await clock.sleep(GOOD_FOR_S)
    done = Rebound()
    told = by_operator("rebound", "", (), clock.wall(), by=by, why=why)
    while ids := await store.ids(after, PAGE):
        await _give_up(store, ids, told, done)
        after = ids[-1]
        begun = await _note(store, begun, after)
    await _replace(store, begun, Bound())
    return done


async def _note(store: ContactStore, begun: Bound, after: str) -> Bound:
    """Note how far it is."""
    return await _replace(store, begun, replace(begun, giving_up=after))


async def _replace(store: ContactStore, old: Bound, new: Bound) -> Bound:
    text = await store.recall(NAME)
    if read(text) != old or not await store.replace(NAME, text, written(new)):
        raise ConfigError("somebody else rebinds this state just now: leave it to one of you")
    return new


async def _give_up(store: ContactStore, ids: Sequence[str], told: Happening, done: Rebound) -> None:
    """Give up what these contacts hold, whoever else saves them meanwhile."""
    while ids:
        changed: list[tuple[Entry, GivenUp]] = []
        for entry in await store.load(ids):
            if entry.newer:
                raise ConfigError(
                    f"contact {entry.contact.id} was written by a newer release: rebind the state"
                    " with that one; until then no worker writes from it"
                )
            if entry.unreadable:
                done.damaged += 1
            elif given_up := give_up_acknowledgements(entry.contact):
                # Whoever holds it began before: what it saves now is refused, as out of date.
                entry.claim, entry.claimed_until = "", 0.0
                note(entry.contact.history, told)
                if given_up.parked and entry.due_at is None:
                    entry.due_at = told.at
                changed.append((entry, given_up))
        saved = await store.save([entry for entry, _ in changed])
        again = []
        for (entry, given_up), outcome in zip(changed, saved, strict=True):
            if outcome is Saved.CONFLICT:
                again.append(entry.contact.id)
            elif outcome is Saved.SAVED:
                done.add(given_up)
        done.contacts += len(ids) - len(again)
        ids = again
