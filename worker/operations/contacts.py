"""Contacts as lists show them: by day, by what is the matter with them, by who they are with.

Lists are read from the state's own indexes (``pipelines.labels``), newest first. What no index
answers, a channel or a queue, is looked for among the newest contacts, within a bound.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pipelines.contact import Contact
from pipelines.effect import Effect
from pipelines.labels import EXPIRED
from pipelines.lifecycle import PHASES, phase
from pipelines.names import said
from pipelines.view import view
from worker.operations.cause import BUG, cause_of
from worker.operations.index import ALL_OF_THEM, covered, found
from worker.operations.listing import Listed, cut, iso
from worker.stores.protocol import ContactStore, Entry, Found


#: How many contacts are read from a store at a time.
PAGE = 200

#: How many contacts a list looks at for those that it is about.
MOST = 2_000

#: After so many days in a row without a contact, earlier ones are not looked for.
EMPTY_DAYS = 31

#: Clocks may be ahead: contacts begin a little later than now.
AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact as it is listed; holds nobody's data.

    Attributes:
        contact: Its id.
        began: When; "" if nothing says so.
        channel: ``VOICE``, ``CHAT``, …
        queue: The queue's name, or the end of its ARN.
        phase: See ``pipelines.lifecycle``.
        state: ``settled``; ``due``: to be pushed now; ``later``: at a later time; ``parked``;
            ``bug``: a bug of ours keeps it waiting; ``unreadable``.
        due: When it is, or was, to be pushed.
        expired: Whether a page or a write-back came too late.
        failing: What is parked: ``404 0x80040217 phonecalls``.
    """

    contact: str
    began: str
    channel: str
    queue: str
    phase: str
    state: str
    due: str
    expired: bool
    failing: list[str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which contacts a list is about; what is empty does not restrict it.

    Attributes:
        due: Only those that are due.
        parked: Only those with something parked.
        expired: Only those with a page or a write-back that came too late.
        failing: Only those parked with this HTTP status or code.
        since: Only those that began then (s since 1970) or later.
        until: Only those that began then or before.
        channel: Only of this channel.
        queue: Only of this queue, by name or the end of its ARN.
    """

    due: bool = False
    parked: bool = False
    expired: bool = False
    failing: str = ""
    since: float = 0.0
    until: float = 0.0
    channel: str = ""
    queue: str = ""

    def takes(self, row: ContactRow) -> bool:
        """Whether a contact belongs to the list."""
        codes = {word.lower() for why in row.failing for word in why.split()}
        return (
            (not self.due or row.state == "due")
            and (not self.parked or bool(row.failing))
            and (not self.expired or row.expired)
            and (not self.failing or self.failing.lower() in codes)
            and (not self.since or row.began >= iso(self.since))
            and (not self.until or ("" < row.began <= iso(self.until)))
            and (not self.channel or row.channel.lower() == self.channel.lower())
            and (not self.queue or row.queue.lower() == self.queue.lower())
        )


async def listed(store: ContactStore, wanted: Wanted, limit: int, now: float) -> Listed[ContactRow]:
    """The contacts that are wanted, newest first; those that are due, the most urgent first.

    Args:
        store: The state.
        wanted: Which.
        limit: How many at most; 0: as many as are found among those looked at.
        now: The time (s since 1970).
    """
    if wanted.parked or wanted.failing:
        return await _listed_parked(store, wanted, limit, now)
    by_time = not wanted.due
    rows: list[ContactRow] = []
    looked, last = 0, ""
    async for page in _read(store, wanted, now):
        for row in page:
            looked, last = looked + 1, row.began or last
            if wanted.takes(row):
                if limit and len(rows) == limit:
                    told = f"the first {limit:,}; --limit 0 for more"
                    again = f", or --until {rows[-1].began}" if by_time else ""
                    return Listed(rows, more=True, note=told + again)
                rows.append(row)
        if looked >= MOST:
            told = f"looked at {'the newest ' if by_time else ''}{looked:,} contacts"
            again = f"; go on with --until {last}" if by_time and last else ""
            return Listed(rows, more=True, note=told + again)
    if not rows and by_time and (await store.counts(now)).contacts:
        return Listed(note=_why_none(wanted))
    return Listed(rows)


def _why_none(wanted: Wanted) -> str:
    """Why none is listed of a state that has contacts."""
    older = f"contacts of an earlier release are not listed by day; {ALL_OF_THEM}"
    if wanted.since or wanted.expired:
        return older
    end = "--until" if wanted.until else "now"
    return f"looked {EMPTY_DAYS} days back from {end}; --since 365d looks further; {older}"


async def _listed_parked(
    store: ContactStore, wanted: Wanted, limit: int, now: float
) -> Listed[ContactRow]:
    """Those with something parked, which the state keeps by id."""
    rows: list[ContactRow] = []
    looked = 0
    async for page in _read(store, wanted, now):
        looked += len(page)
        rows += filter(wanted.takes, page)
        if looked >= MOST:
            break
    rows.sort(key=lambda row: row.began, reverse=True)
    if looked >= MOST:
        told = f"looked at {looked:,} of those with something parked; parked list counts all"
        return Listed(rows[: limit or None], more=True, note=told)
    return cut(rows, limit)


async def _read(store: ContactStore, wanted: Wanted, now: float) -> AsyncIterator[list[ContactRow]]:
    """Contacts that may be wanted, in pages."""
    async for ids in _pages(_ids(store, wanted, now)):
        yield [row_of(entry, now) for entry in await store.load(ids) if entry.version]


async def with_label(store: ContactStore, label: str, limit: int, now: float) -> Listed[ContactRow]:
    """The contacts that have a label (``worker.operations.index``), newest first; limit 0: all."""
    rows: list[ContactRow] = []
    async for entry in found(store, label):
        if limit and len(rows) == limit:
            return Listed(rows, more=True, note=f"the newest {limit:,}; --limit 0 for all")
        rows.append(row_of(entry, now))
    return Listed(rows, note="" if rows else f"looked among {await covered(store)}")


def pasted(text: str) -> str:
    """The id in a record's address as browsers show it, ``main.aspx?…&id=GUID``; else the text."""
    named = parse_qs(urlsplit(text.strip()).query).get("id", [])
    return named[0].strip("{}") if named else text.strip().rstrip("/").rpartition("/")[2]


def row_of(entry: Entry, now: float) -> ContactRow:
    """A contact as it is listed."""
    contact = entry.contact
    named = {} if entry.unreadable else _named(contact)
    queue = named.get("Queue") or {}
    causes = (cause_of(place, parked) for place, parked in sorted(contact.parked.items()))
    failing = [" ".join(filter(None, (c.status, c.code, c.table))) for c in causes]
    return ContactRow(
        contact=contact.id,
        began=_second(str(named.get("InitiationTimestamp", ""))),
        channel=str(named.get("Channel", "")),
        queue=str(queue.get("Name") or str(queue.get("ARN", "")).rpartition("/")[2]),
        phase="" if entry.unreadable else _phase(contact),
        state=_state(entry, now),
        due=iso(entry.due_at),
        expired=any(map(_is_late, contact.effects.values())),
        failing=[BUG, *failing] if entry.fault else failing,
    )


def _phase(contact: Contact) -> str:
    """The phase; a contact record proves the last one, whatever the events are."""
    return PHASES[-1] if contact.record is not None else phase(contact)


def _named(contact: Contact) -> Mapping[str, Any]:
    """The names of a contact that rows show: those of its record, which go before all others."""
    return view(contact) if contact.record is None else said(contact.record.body)


def _state(entry: Entry, now: float) -> str:
    if entry.unreadable:
        return "unreadable"
    if entry.fault is not None:
        return "bug"
    if entry.contact.parked:
        return "parked"
    if entry.due_at is None:
        return "settled"
    return "due" if entry.due_at <= now else "later"


def _is_late(text: str) -> bool:
    """Whether a page or a write-back came too late for somebody who expected it."""
    effect = Effect.read(text)
    return effect.state == "expired" and effect.outcome != "replayed"


def _second(at: str) -> str:
    """A UTC time of a fact, to the second."""
    return f"{at[:19]}Z" if at else ""


async def _ids(store: ContactStore, wanted: Wanted, now: float) -> AsyncIterator[str]:
    """Ids of contacts that may be wanted, in the order of the list."""
    if wanted.parked or wanted.failing:
        after = ""
        while ids := await store.parked(after, PAGE):
            for contact_id in ids:
                yield contact_id
            after = ids[-1]
    elif wanted.due:
        for contact_id in await store.due(now, MOST + PAGE):
            yield contact_id
    elif wanted.expired:
        async for contact_id in _labelled(store, EXPIRED, wanted.until):
            yield contact_id
    else:
        async for contact_id in _by_day(store, wanted, now):
            yield contact_id


async def _by_day(store: ContactStore, wanted: Wanted, now: float) -> AsyncIterator[str]:
    day = datetime.fromtimestamp(wanted.until or now, UTC).date()
    if not wanted.until:
        day += AHEAD
    first = datetime.fromtimestamp(wanted.since, UTC).date()
    empty = 0
    while day >= first and (wanted.since or empty <= EMPTY_DAYS):
        empty += 1
        async for contact_id in _labelled(store, f"day {day}", wanted.until):
            empty = 0
            yield contact_id
        day -= timedelta(days=1)


async def _labelled(store: ContactStore, label: str, until: float | None) -> AsyncIterator[str]:
    """Ids listed under a label, newest first; with a time only those from then on downwards."""
    before = (int(until) + 1.0, "") if until else None
    while page := await store.labelled(label, before, PAGE):
        for one in page:
            yield one.contact_id
        before = _place(page[-1])


def _place(one: Found) -> tuple[float, str]:
    return one.at, one.contact_id


async def _pages(ids: AsyncIterator[str]) -> AsyncIterator[Sequence[str]]:
    """Ids in pages to load."""
    page: list[str] = []
    async for contact_id in ids:
        page.append(contact_id)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
