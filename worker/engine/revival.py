"""Revival: what was parked comes due again once its cause may be over, a few contacts first.

A bug of ours may be mended in another build. A record that never got an answer may get one after
an outage: what looks like the record's fault before an outage is sometimes its beginning.
"""

from __future__ import annotations

import asyncio

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from pipelines.contact import Contact
from pipelines.happening import by_operator
from pipelines.history import note
from worker import heartbeat
from worker.clock import Clock
from worker.stores.protocol import ContactStore, Entry, Saved


_log = structlog.get_logger(__name__)

#: How many contacts are tried first, and how long (s) they are watched before twice as many are.
FIRST_TRIED: Final = 3
WATCHED_S: Final = 60.0

#: Why what was parked without an answer is tried again.
ANSWERS_AGAIN: Final = "Dynamics answers again"

#: How many contacts are read from the store at a time.
PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Revival:
    """Has parked contacts tried again.

    Attributes:
        store: Where contacts are kept.
        clock: Time.
        build: See ``worker.engine.containment.build_of``.
        came_due: Called each time that some came due.
    """

    store: ContactStore
    clock: Clock
    build: str
    came_due: Callable[[], None]

    async def bugs(self) -> None:
        """Try what other builds parked as bugs: a few of each, more while those succeed.

        Raises:
            StoreUnavailable: Called again, it goes on.
        """
        waiting: defaultdict[str, list[str]] = defaultdict(list)
        async for entry in self._parked():
            note = entry.fault
            if note and note.parked and not entry.unreadable and self.build not in note.tried:
                waiting[note.what].append(entry.contact.id)
        async with asyncio.TaskGroup() as group:
            for ids in waiting.values():
                group.create_task(self._a_few_first(_each(ids), self._revive_bug, _has_bug))

    async def unanswered(self) -> None:
        """Try what was parked without an answer: a few contacts at a time, more while all are.

        Raises:
            StoreUnavailable: Called again, it goes on.
        """
        await self._a_few_first(
            self._without_answer(), self._revive_unanswered, _has_no_answer, one_cause=False
        )

    async def _parked(self) -> AsyncIterator[Entry]:
        after = ""
        while ids := await self.store.parked(after, PAGE):
            for entry in await self.store.load(ids):
                yield entry
            after = ids[-1]

    async def _without_answer(self) -> AsyncIterator[str]:
        async for entry in self._parked():
            # One with a bug of ours has its own time.
            if not entry.fault and _unanswered(entry.contact):
                yield entry.contact.id

    async def _a_few_first(
        self,
        waiting: AsyncIterator[str],
        revive: Callable[[Entry], Awaitable[object]],
        failed: Callable[[Entry], bool],
        *,
        one_cause: bool = True,
    ) -> None:
        """Revive these, twice as many each time, until one of the last has failed again.

        What has a cause of its own each goes on then, a few at a time.
        """
        number = FIRST_TRIED
        while tried := [contact_id async for contact_id in _first(waiting, number)]:
            for entry in await self.store.load(tried):
                await revive(entry)
            _log.info("fault.tried_again", contacts=len(tried), build=self.build)
            self.came_due()
            heartbeat.beat()
            await self.clock.sleep(WATCHED_S)
            again = any(map(failed, await self.store.load(tried)))
            if again and one_cause:
                return  # the cause is still there; the rest stays parked
            number = FIRST_TRIED if again else min(2 * number, PAGE)

    async def _revive_bug(self, entry: Entry) -> None:
        if entry.fault and entry.fault.parked:
            note = replace(entry.fault, parked=False)
            await self.store.put_back(entry.contact.id, entry.version, self.clock.wall(), note)

    async def _revive_unanswered(self, entry: Entry) -> None:
        while places := _unanswered(entry.contact):
            now = self.clock.wall()
            for place in places:
                steps = entry.contact.parked.pop(place).steps
                again = by_operator("retried", place, steps, now, why=ANSWERS_AGAIN)
                note(entry.contact.history, again)
            entry.due_at = now
            if await self.store.save([entry]) != [Saved.CONFLICT]:
                return
            (entry,) = await self.store.load([entry.contact.id])


async def _each(ids: list[str]) -> AsyncIterator[str]:
    for contact_id in ids:
        yield contact_id


async def _first(ids: AsyncIterator[str], number: int) -> AsyncIterator[str]:
    while number:
        try:
            yield await anext(ids)
        except StopAsyncIteration:
            return
        number -= 1


def _unanswered(contact: Contact) -> list[str]:
    return [place for place, parked in contact.parked.items() if parked.unanswered]


def _has_bug(entry: Entry) -> bool:
    return entry.fault is not None


def _has_no_answer(entry: Entry) -> bool:
    return bool(entry.contact.failures or _unanswered(entry.contact))
