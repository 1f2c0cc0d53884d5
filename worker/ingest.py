"""Ingest: takes a batch of messages and returns once every one of them is safe.

Decode, group by contact, load those contacts in one go, fold, save each with a condition on its
version; on conflict load and fold again. What cannot be decoded, and the facts of a contact that
no save can hold, go to quarantine. Only when ``handle`` returns may the source acknowledge (I2).
"""

from __future__ import annotations

import asyncio
import time

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeVar

import structlog

from pipelines.decode import decode
from pipelines.fact import Decoded, Fact, Ignored, Undecodable
from pipelines.legs import told_to_others
from worker.errors import StoreUnavailable
from worker.sources.protocol import Message
from worker.stores.protocol import ContactStore, Entry, Quarantined, Saved
from worker.telemetry.health import beat


T = TypeVar("T")

_log = structlog.get_logger(__name__)

#: An unfinished contact is kept this long after its last fact (s).
UNFINISHED_S = 120 * 86_400.0

#: Why a fact is ignored that would bring a forgotten contact back.
FORGOTTEN = "contact was forgotten"

#: Pauses while the store cannot be used: first and longest (s), doubling between.
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0


@dataclass(slots=True)
class Tally:
    """What came in so far. ``ignored`` counts by reason, the rest are totals."""

    messages: int = 0
    facts: int = 0
    news: int = 0
    quarantined: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    last_at: str = ""


@dataclass(slots=True)
class Ingest:
    """Brings messages into a contact store.

    Attributes:
        store: Where contacts are kept.
        buckets: Buckets whose objects count; None: all.
        rank: Rank of contacts that come due: 0 live, 1 replayed (and marked so).
        since: Facts older than this UTC time (``YYYY-MM-DDTHH:MM:SS…``) are left out; "" for none.
        until: The same for facts from this time on.
        legs: Facts about a leg are told to the earlier legs of its chain, see ``pipelines.legs``.
        news: Called after contacts came due.
        arrived: Told when (s) the newest message of each batch had arrived at its stream or queue.
        clock: Wall clock (s).
        sleep: Pauses between tries while the store is away.
        tally: Counts.
    """

    store: ContactStore
    buckets: frozenset[str] | None = None
    rank: int = 0
    since: str = ""
    until: str = ""
    legs: bool = False
    news: Callable[[], None] = lambda: None
    arrived: Callable[[float], None] = lambda _at: None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    tally: Tally = field(default_factory=Tally)

    async def handle(self, messages: Sequence[Message]) -> None:
        """Make every message safe: saved, quarantined, or ignored on purpose."""
        facts: dict[str, list[tuple[Fact, Message]]] = {}
        rejected: list[Quarantined] = []
        if times := [message.arrived for message in messages if message.arrived is not None]:
            self.arrived(max(times))
        for message in messages:
            self._sort(message, facts, rejected)
        rejected += await self._patiently(lambda: self._fold(facts))
        if rejected:
            await self._patiently(lambda: self.store.quarantine(rejected))
        self.tally.messages += len(messages)
        self.tally.facts += sum(map(len, facts.values()))
        self.tally.quarantined += len(rejected)
        if facts:
            self.news()

    def _sort(
        self,
        message: Message,
        facts: dict[str, list[tuple[Fact, Message]]],
        rejected: list[Quarantined],
    ) -> None:
        if message.damage is not None:
            rejected.append(self._quarantined(message, message.damage))
            return
        reasons: dict[str, None] = {}  # a message of a million bad parts is one all the same
        for found in self._decode(message):
            match found:
                case Fact() if self._in_time(found):
                    for fact in (found, *(told_to_others(found) if self.legs else ())):
                        facts.setdefault(fact.contact_id, []).append((fact, message))
                    self.tally.last_at = max(self.tally.last_at, found.at)
                case Fact():
                    self._ignore("outside --since and --until")
                case Ignored(reason):
                    self._ignore(reason)
                case Undecodable(reason):
                    reasons[reason] = None
        rejected += [self._quarantined(message, reason) for reason in reasons]

    def _decode(self, message: Message) -> list[Decoded]:
        try:
            return decode(message.body, self.buckets, message.arrived)
        except Exception as error:  # noqa: BLE001 - our own bug must not hold up a shard for ever
            return [Undecodable(f"the decoder failed ({type(error).__name__}): report this bug")]

    def _in_time(self, fact: Fact) -> bool:
        if not fact.at:
            return True
        return fact.at >= self.since and (not self.until or fact.at < self.until)

    def _ignore(self, reason: str, count: int = 1) -> None:
        self.tally.ignored[reason] = self.tally.ignored.get(reason, 0) + count

    async def _fold(self, facts: dict[str, list[tuple[Fact, Message]]]) -> list[Quarantined]:
        """Fold facts into their contacts until all are saved; what no save can hold is returned.

        Those of contacts that were forgotten are taken out of ``facts``, and ignored.
        """
        rejected: list[Quarantined] = []
        waiting = dict(facts)
        while waiting:
            entries = await self.store.load(list(waiting))
            changed = [e for e in entries if self._observe(e, waiting[e.contact.id])]
            saved = await self.store.save(changed)
            for entry, outcome in zip(changed, saved, strict=True):
                if outcome is Saved.REFUSED:
                    rejected += self._too_large(entry, waiting[entry.contact.id])
                if outcome is Saved.FORGOTTEN:
                    self._ignore(FORGOTTEN, len(facts.pop(entry.contact.id)))
            again = [
                entry.contact.id
                for entry, outcome in zip(changed, saved, strict=True)
                if outcome is Saved.CONFLICT
            ]
            waiting = {contact_id: waiting[contact_id] for contact_id in again}
        return rejected

    def _observe(self, entry: Entry, facts: list[tuple[Fact, Message]]) -> bool:
        """Fold facts into an entry; whether that told anything new."""
        news = sum([entry.contact.observe(fact) for fact, _ in facts])
        if not news:
            return False
        self.tally.news += news
        now = self.clock()
        entry.rank = self.rank if entry.due_at is None else min(entry.rank, self.rank)
        entry.due_at = now if entry.due_at is None else min(entry.due_at, now)
        entry.expires_at = now + UNFINISHED_S
        entry.contact.replayed |= self.rank > 0
        return True

    def _too_large(self, entry: Entry, facts: list[tuple[Fact, Message]]) -> list[Quarantined]:
        _log.error("ingest.contact_refused", contact_id=entry.contact.id)
        messages = {message.origin: message for _, message in facts}
        reason = "the store cannot hold the contact with this fact: it is too large"
        return [self._quarantined(message, reason) for message in messages.values()]

    def _quarantined(self, message: Message, reason: str) -> Quarantined:
        seal = blake2b(digest_size=16)
        for part in (message.origin.encode(), reason.encode(), message.body):
            seal.update(len(part).to_bytes(8, "big") + part)
        _log.warning("ingest.quarantined", origin=message.origin, reason=reason)
        return Quarantined(seal.hexdigest(), self.clock(), message.origin, reason, message.body)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the store takes it: the batch waits, nothing is skipped."""
        pause_s = FIRST_PAUSE_S
        while True:
            beat()
            try:
                return await call()
            except StoreUnavailable as error:
                _log.warning("ingest.store_unavailable", reason=str(error), pause_s=pause_s)
            await self.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
