"""Quarantine: messages that could not be used, listed and tried again."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pipelines.decode.arrival import AHEAD
from worker.engine.ingest import NEWER, Ingest
from worker.sources.protocol import Message
from worker.stores.protocol import ContactStore, Quarantined


#: How many messages are read from a store at a time; they may have megabytes.
PAGE = 20


async def quarantined(store: ContactStore) -> AsyncIterator[Quarantined]:
    """Every quarantined message, by id."""
    after = ""
    while page := await store.quarantined(after, PAGE):
        for item in page:
            yield item
        after = page[-1].id


async def retry_quarantined(store: ContactStore, ingest: Ingest, item: Quarantined) -> bool:
    """Take a quarantined message in again; whether it could be used this time.

    One that was dated too long after its arrival is not tried: its arrival is not kept.
    """
    if item.reason == AHEAD.reason:
        return False
    before = ingest.tally.quarantined
    await ingest.handle([Message(item.body, item.origin)])
    if ingest.tally.quarantined > before:
        return False
    await store.release([item.id])
    return True


async def retry_newer(store: ContactStore, ingest: Ingest) -> None:
    """Take in again what an older release set aside for this one."""
    async for item in quarantined(store):
        if item.reason == NEWER:
            await retry_quarantined(store, ingest, item)
