"""Ingest: takes a batch of messages and returns once every one of them is safe.

Decode, group by contact, load those contacts in one go, fold, save each with a condition on its
version; on conflict load and fold again. What a contact tells the others of its chain is folded
into these afterwards, so that one who was forgotten tells nobody anything. What cannot be
decoded, and the facts of a contact that no save can hold, go to quarantine. Only when ``handle``
returns may the source acknowledge (I2).
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from typing import TypeVar

import structlog

from pipelines.acknowledgements import has_records
from pipelines.age import KEPT_S
from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import KIN, Decoded, Fact, Ignored, Undecodable
from pipelines.interest import Interest, concerns
from pipelines.kin import answers, told
from pipelines.labels import relabel, tells
from pipelines.lifecycle import milestones_of, signals
from worker.clock import Clock
from worker.errors import StoreUnavailable, WorkerError
from worker.faults import Faults
from worker.retry import retry_until
from worker.sources.protocol import Message
from worker.stores.protocol import ContactStore, Entry, Quarantined, Saved


T = TypeVar("T")

#: Contact -> facts of it, each with the message it came by.
_Facts = dict[str, list[tuple[Fact, Message]]]

_log = structlog.get_logger(__name__)

#: An unfinished contact is kept this long after its last fact (s).
UNFINISHED_S = 120 * 86_400.0

#: So many bytes (of one message, or of several) are decoded before the other loops
#: run; a larger message is decoded in a thread. The worst of this size take 60 ms.
AT_ONCE_BYTES = 64 * 1024

#: A message is folded into its contact, what that tells into the contacts that it names and those
#: that name it, and what these answer into it. Nobody answers an answer.
ROUNDS = 3

#: Why a fact is ignored that would bring a forgotten contact back.
FORGOTTEN = "contact was forgotten"

#: Why a message is quarantined whose contact is stored, but not for this release to read; the
#: first kind is taken in again by the release that can (``worker.service``).
NEWER = "a newer release keeps this contact, and takes the message in by itself"
DAMAGED = "what is stored of this contact is damaged: restore or forget it, then retry"


async def everything() -> Interest | None:
    """What is read where nobody knows: everything."""
    return None


@dataclass(slots=True)
class Tally:
    """What came in so far. ``ignored`` and ``rejected`` (quarantined) count by reason.

    ``examples`` are origins of messages, one for each reason of ``rejected``.
    ``only_told`` are contacts of which no message came, but others of their chain told.
    """

    messages: int = 0
    facts: int = 0
    news: int = 0
    quarantined: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    last_at: str = ""
    only_told: int = 0


@dataclass(slots=True)
class Ingest:
    """Brings messages into a contact store.

    Attributes:
        store: Where contacts are kept.
        buckets: Buckets whose objects count; None: all.
        rank: Rank of contacts that come due: 0 live, 1 replayed (and marked so).
        since: Facts older than this UTC time (``YYYY-MM-DDTHH:MM:SS…``) are left out; "" for none.
        until: The same for facts from this time on.
        interest: What is read of contacts: news that change nothing of it make nothing due. None:
            everything, as in a replay, which tells of each contact at once and looks at it once.
        news: Called with contacts that came due, once they are saved.
        arrived: Called with the time (s) at which each batch's newest message reached its stream.
        clock: Time and chance; due times are by its wall clock.
        in_thread: Calls a function in a thread.
        tally: Counts.
        faults: Contains bugs that one message may reveal.
        index_key: Makes labels of people (``pipelines.labels``); None: contacts get none.
    """

    store: ContactStore
    buckets: frozenset[str] | None = None
    rank: int = 0
    since: str = ""
    until: str = ""
    interest: Callable[[], Awaitable[Interest | None]] = everything
    news: Callable[[Sequence[Contact]], None] = lambda _contacts: None
    arrived: Callable[[float], None] = lambda _at: None
    clock: Clock = field(default_factory=Clock)
    in_thread: Callable[..., Awaitable[list[Decoded]]] = asyncio.to_thread
    tally: Tally = field(default_factory=Tally)
    faults: Faults = field(default_factory=Faults)
    index_key: bytes | None = None
    _decoded: int = 0

    async def handle(self, messages: Sequence[Message], stop: asyncio.Event | None = None) -> None:
        """Make every message safe: saved, quarantined, or ignored on purpose.

        One that runs into a bug of ours is found by taking them one by one, and quarantined.
        While the store is unavailable the batch waits; nothing is skipped.

        Raises:
            StoreUnavailable: ``stop`` was set before the store took all of the batch, which must
                not be acknowledged.
        """
        stop = stop or asyncio.Event()
        try:
            await self._take_in(messages, stop)
        except WorkerError:
            raise
        except Exception as error:  # noqa: BLE001 - one message must not hold up a shard for ever
            if len(messages) > 1:
                for message in messages:
                    await self.handle([message], stop)
                return
            fault = self.faults.note("message", error)
            for message in messages:
                item = self._quarantined(message, str(fault))
                await self._safe(partial(self._set_aside, [item]), stop)
                self.tally.messages += 1
                self.tally.quarantined += 1

    async def _take_in(self, messages: Sequence[Message], stop: asyncio.Event) -> None:
        facts: _Facts = {}
        rejected: list[Quarantined] = []
        if times := [message.arrived for message in messages if message.arrived is not None]:
            self.arrived(max(times))
        for message in messages:
            try:
                self._decoded += len(message.body)
                if message.damage is not None:
                    outcomes: list[Decoded] = [Undecodable(message.damage)]
                elif self._decoded <= AT_ONCE_BYTES:
                    outcomes = decode(message.body, self.buckets, message.arrived, message.place)
                else:
                    outcomes = await self._outcomes(message)
                reasons = self._sort(message, outcomes, facts)
            except Exception as error:  # noqa: BLE001 - our own bug must not hold up a shard for ever
                reasons = [str(self.faults.note("message", error))]
            rejected += [self._quarantined(message, reason) for reason in reasons]
        stored: dict[str, Entry] = {}
        rejected += await self._safe(partial(self._fold, facts, stored), stop)
        news = facts
        for _ in range(ROUNDS - 1):
            if not (news := _told(news, stored)):
                break
            rejected += await self._safe(partial(self._fold, news, stored), stop)
        if rejected:
            await self._safe(partial(self._set_aside, rejected), stop)
        self.tally.messages += len(messages)
        self.tally.facts += sum(map(len, facts.values()))
        self.tally.quarantined += len(rejected)

    async def _outcomes(self, message: Message) -> list[Decoded]:
        """What a message says, once the other loops ran, or by a thread."""
        body = message.body
        if len(body) > AT_ONCE_BYTES:
            return await self.in_thread(decode, body, self.buckets, message.arrived, message.place)
        self._decoded = 0
        await asyncio.sleep(0)  # lets the other loops run
        return decode(body, self.buckets, message.arrived, message.place)

    def _sort(self, message: Message, outcomes: list[Decoded], facts: _Facts) -> list[str]:
        """Add a message's facts; why it must be quarantined, if so."""
        reasons: dict[str, None] = {}  # a message of a million bad parts is one entry
        for found in outcomes:
            if isinstance(found, Fact):
                at = found.at
                if at and (at < self.since or (self.until and at >= self.until)):
                    self._ignore("outside --since and --until")
                    continue
                self.tally.last_at = max(self.tally.last_at, at)
                if (known := facts.get(found.contact_id)) is None:
                    known = facts[found.contact_id] = []
                known.append((found, message))
            elif isinstance(found, Ignored):
                self._ignore(found.reason)
            else:
                reasons[found.reason] = None
        return list(reasons)

    def _ignore(self, reason: str, count: int = 1) -> None:
        self.tally.ignored[reason] = self.tally.ignored.get(reason, 0) + count

    async def _fold(self, facts: _Facts, stored: dict[str, Entry]) -> list[Quarantined]:
        """Fold facts into their contacts until all are saved; return what no save can hold.

        Those of contacts that were forgotten are taken out of ``facts``, and ignored.

        Args:
            facts: What came.
            stored: Contacts as this batch left them in the store, which need not be loaded again.
                An entry is not among them from before it changes until it is saved.
        """
        rejected: list[Quarantined] = []
        waiting = facts
        while waiting:
            interest = await self.interest()
            absent = [contact_id for contact_id in waiting if contact_id not in stored]
            loaded = {e.contact.id: e for e in await self.store.load(absent)} if absent else {}
            entries = [loaded.get(key) or stored.pop(key) for key in waiting]
            stubs = {e.contact.id for e in entries if e.version and not e.contact.heard_of}
            changed = [e for e in entries if self._observe(e, waiting[e.contact.id], interest)]
            saved = await self.store.save(changed)
            lost: dict[str, Saved] = {}
            for entry, outcome in zip(changed, saved, strict=True):
                if outcome is Saved.SAVED:
                    now_stub, was_stub = not entry.contact.heard_of, entry.contact.id in stubs
                    self.tally.only_told += now_stub - was_stub
                    continue
                lost[entry.contact.id] = outcome
                if outcome is Saved.REFUSED:
                    rejected += self._too_large(entry, waiting[entry.contact.id])
                if outcome is Saved.UNREADABLE:
                    rejected += self._unreadable(entry, waiting[entry.contact.id])
            stored |= {e.contact.id: e for e in entries if e.contact.id not in lost}
            now = self.clock.wall()
            saved_now = [e for e in changed if e.contact.id not in lost]
            if due := [e.contact for e in saved_now if e.due_at is not None and e.due_at <= now]:
                self.news(due)
            again = [one for one, outcome in lost.items() if outcome is Saved.CONFLICT]
            for one in [one for one, outcome in lost.items() if outcome is Saved.FORGOTTEN]:
                if own := _own(facts.pop(one)):
                    self._ignore(FORGOTTEN, own)
            waiting = {contact_id: facts[contact_id] for contact_id in again}
        return rejected

    def _observe(
        self, entry: Entry, facts: list[tuple[Fact, Message]], interest: Interest | None
    ) -> bool:
        """Fold facts into an entry; whether any was new."""
        contact = entry.contact
        before = replace(contact, facts=dict(contact.facts)) if interest else contact
        news = sum([contact.observe(fact) for fact, _ in facts])
        if not news and not self._looks_again(entry):
            return False
        self.tally.news += news
        if not contact.labels or any(tells(fact, self.index_key) for fact, _ in facts):
            with self.faults.contained("contact", contact_id=contact.id):
                relabel(contact, self.index_key)
        now = self.clock.wall()
        entry.expires_at = now + UNFINISHED_S
        if not contact.heard_of:
            return True  # there is nothing to do for it until a message about it comes
        if interest and entry.version and not self._concerns(interest, before, contact):
            if "ended" in milestones_of(signals(contact), ()):
                entry.expires_at = now + KEPT_S  # as push would say if it looked at it
            return True
        entry.rank = self.rank if entry.due_at is None else min(entry.rank, self.rank)
        if entry.fault is None:  # news do not shorten the pauses of what fails by our own bug
            entry.due_at = now if entry.due_at is None else min(entry.due_at, now)
        contact.replayed |= self.rank > 0 and _own(facts) > 0
        return True

    def _looks_again(self, entry: Entry) -> bool:
        """Whether a replay has a contact without records looked at, though nothing of it is new.

        What was acknowledged of it may have been given up (``pipelines.acknowledgements``).
        """
        contact = entry.contact
        idle = entry.due_at is None and not contact.parked and not entry.unreadable
        return self.rank > 0 and contact.heard_of and idle and not has_records(contact)

    def _concerns(self, interest: Interest, before: Contact, after: Contact) -> bool:
        """Whether what is new may be read; where that runs into a bug of ours, it is looked at."""
        with self.faults.contained("contact", contact_id=after.id):
            return concerns(interest, before, after)
        return True

    def _too_large(self, entry: Entry, facts: list[tuple[Fact, Message]]) -> list[Quarantined]:
        _log.error("ingest.contact_refused", contact_id=entry.contact.id)
        return self._all(facts, "the store cannot hold the contact with this fact: it is too large")

    def _unreadable(self, entry: Entry, facts: list[tuple[Fact, Message]]) -> list[Quarantined]:
        _log.error("ingest.contact_unreadable", contact_id=entry.contact.id, why=entry.unreadable)
        return self._all(facts, NEWER if entry.newer else DAMAGED)

    def _all(self, facts: list[tuple[Fact, Message]], reason: str) -> list[Quarantined]:
        messages = {message.origin: message for _, message in facts}
        return [self._quarantined(message, reason) for message in messages.values()]

    def _quarantined(self, message: Message, reason: str) -> Quarantined:
        seal = blake2b(digest_size=16)
        origin = message.origin.encode(errors="backslashreplace")
        for part in (origin, reason.encode(), message.body):
            seal.update(len(part).to_bytes(8, "big") + part)
        # Not the origin: an archive's file may be named after a person. The list has it.
        known_as, source = seal.hexdigest(), message.origin.partition(":")[0]
        _log.warning("ingest.quarantined", id=known_as, source=source, reason=reason)
        return Quarantined(known_as, self.clock.wall(), origin.decode(), reason, message.body)

    async def _set_aside(self, items: Sequence[Quarantined]) -> int:
        """Quarantine messages; how many."""
        await self.store.quarantine(items)
        for item in items:
            self.tally.rejected[item.reason] = self.tally.rejected.get(item.reason, 0) + 1
            self.tally.examples.setdefault(item.reason, item.origin)
        return len(items)

    async def _safe(self, call: Callable[[], Awaitable[T]], stop: asyncio.Event) -> T:
        """What the call returns, which is something, once the store has taken it.

        Raises:
            StoreUnavailable: It had not when ``stop`` was set.
        """
        done = await retry_until(
            call, clock=self.clock, errors=(StoreUnavailable,), failed=_log_unavailable, stop=stop
        )
        if done is None:
            raise StoreUnavailable("the worker stops and the store has not taken a batch")
        return done


def _own(facts: list[tuple[Fact, Message]]) -> int:
    """How many of the facts are what a message says of its contact."""
    return sum(not fact.register.startswith(KIN) for fact, _ in facts)


def _told(facts: _Facts, stored: Mapping[str, Entry]) -> _Facts:
    """What contacts tell those that they name, and those that name them, now that this came.

    Also when it was not new: whoever folded it before may have died before that was told. Those
    that could not be stored, or were forgotten, tell nothing.
    """
    known = {contact_id: entry.contact for contact_id, entry in stored.items()}
    told_others: _Facts = {}
    for contact_id, came in facts.items():
        if contact_id not in known:
            continue
        said = [(one, message) for fact, message in came for one in told(fact, known)]
        again = answers(known[contact_id], [fact for fact, _ in came], known)
        said += [(one, came[-1][1]) for one in again]
        for one, message in said:
            told_others.setdefault(one.contact_id, []).append((one, message))
    return told_others


def _log_unavailable(error: Exception, pause_s: float) -> None:
    _log.warning("ingest.store_unavailable", reason=str(error), pause_s=round(pause_s, 3))
