"""Quarantine: messages that could not be used, listed, counted and tried again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pipelines.decode.arrival import AHEAD
from worker.engine.ingest import NEWER, Ingest
from worker.operations.listing import iso, unknown
from worker.sources.protocol import Message
from worker.stores.protocol import ContactStore, Quarantined


#: How many messages are read from a store at a time; they may have megabytes.
PAGE = 20


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages are meant; what is empty does not restrict them.

    Attributes:
        ids: These.
        reason: Those whose reason contains this, in any case.
        since: Set aside from then on (s since 1970).
    """

    ids: frozenset[str] = frozenset()
    reason: str = ""
    since: float = 0.0

    def takes(self, item: Quarantined) -> bool:
        """Whether a message is meant."""
        return (
            (not self.ids or item.id in self.ids)
            and self.reason.lower() in item.reason.lower()
            and item.at >= self.since
        )


@dataclass(frozen=True, slots=True)
class QuarantineReason:
    """What is set aside for one reason, as it is listed.

    Attributes:
        reason: Why.
        messages: How many.
        bytes: How large they are together.
        oldest: When the first was set aside.
        newest: And the last.
        origin: Where the first came from.
    """

    reason: str
    messages: int
    bytes: int
    oldest: str
    newest: str
    origin: str


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """One message, as it is listed: its id, origin, time, size and reason."""

    id: str
    origin: str
    at: str
    bytes: int
    reason: str


class Reasons:
    """Messages by reason, counted one by one; their bytes are not kept."""

    def __init__(self) -> None:
        self._lines: defaultdict[str, list[QuarantineLine]] = defaultdict(list)

    def add(self, item: Quarantined) -> None:
        """Count one more."""
        self._lines[item.reason].append(line(item))

    @property
    def messages(self) -> int:
        """How many there are."""
        return sum(map(len, self._lines.values()))

    def rows(self) -> list[QuarantineReason]:
        """A row for each reason, the one with most messages first."""
        rows = []
        for reason, lines in self._lines.items():
            dated = sorted(lines, key=lambda one: one.at)
            first, last = dated[0], dated[-1]
            size = sum(one.bytes for one in lines)
            rows.append(QuarantineReason(reason, len(lines), size, first.at, last.at, first.origin))
        return sorted(rows, key=lambda row: (-row.messages, row.reason))


def line(item: Quarantined) -> QuarantineLine:
    """A message as it is listed."""
    return QuarantineLine(item.id, item.origin, iso(item.at), len(item.body), item.reason)


async def quarantined(store: ContactStore) -> AsyncIterator[Quarantined]:
    """Every quarantined message, by id."""
    after = ""
    while page := await store.quarantined(after, PAGE):
        for item in page:
            yield item
        after = page[-1].id


async def selected(store: ContactStore, selection: Selection) -> AsyncIterator[Quarantined]:
    """The messages that are meant, one at a time, as together they may be large."""
    async for item in quarantined(store):
        if selection.takes(item):
            yield item


async def reasons(store: ContactStore, selection: Selection) -> Reasons:
    """What is in quarantine and meant, by reason.

    Raises:
        ConfigError: A message that was named is not there, or nothing is for that reason.
    """
    found, ids, known = Reasons(), set(), set()
    async for item in quarantined(store):
        ids.add(item.id)
        known.add(item.reason)
        if selection.takes(item):
            found.add(item)
    if missing := selection.ids - ids:
        raise unknown("not in quarantine:", missing, ids)
    wanted = selection.reason.lower()
    if wanted and not any(wanted in reason.lower() for reason in known):
        raise unknown("nothing is in quarantine because of", [selection.reason], known)
    return found


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
