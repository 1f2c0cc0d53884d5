"""Whether what came in is kept: acknowledged only when safe, in order, by who may (I2, I3, I5, I7).

And what is kept beside it: a history that names nobody (I8) and has its bounds (I9).

Watches what the store and the lease table are made to hold, at the moment they hold it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import orjson

from pipelines.decode import decode
from pipelines.fact import Decoded, Fact, Undecodable
from pipelines.happening import WORDS
from pipelines.history import MOST, MOST_BYTES, happenings
from privacy import repeated
from simulated.damage import Rows
from simulated.kinesis import STREAM, Stream
from simulated.network import at_once
from simulated.story import Story
from twins.kinesis import Record, Shard
from worker.leases.lease import Lease
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry


@dataclass(slots=True)
class Safekeeping:
    """Watches the way from the stream into the store.

    Attributes:
        story: Told of breaches.
        stream: Where records come from.
        store: Where they must end.
        rows: Watches those that cannot be read.
        facts: Contact -> register -> version and digest, as the store holds them.
        positions: Shard -> checkpoint, as an integer.
        ended: Shards whose end was checkpointed.
    """

    story: Story
    stream: Stream
    store: MemoryStore
    rows: Rows
    facts: dict[str, dict[str, Fact]] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def saved(self, entry: Entry) -> None:
        """The store took an entry: no register may have gone back (I5 in state)."""
        contact = entry.contact
        if repeated(contact):
            self.story.breach("I8", f"the history of {contact.id} says something of somebody")
        if odd := {one.what for one in happenings(contact)} - WORDS:
            self.story.breach("history", f"{contact.id}: {odd} are no words")
        if len(contact.history) > MOST or len(orjson.dumps(contact.history)) > MOST_BYTES:
            self.story.breach("I9", f"the history of {contact.id} is too long")
        self.rows.check(contact.id)
        for register, before in self.facts.get(contact.id, {}).items():
            now = contact.facts.get(register)
            if now is not before and (now is None or _order(now) < _order(before)):
                self.story.breach("I5", f"{register} of {contact.id} went back in the store")
        self.facts[contact.id] = dict(contact.facts)

    def expired(self, contact_ids: Collection[str]) -> None:
        """The store removed contacts; no run lasts as long as they are kept."""
        for contact_id in contact_ids:
            self.story.breach("I2", f"{contact_id} was removed long before its time")

    def moved(self, worker: str, before: Lease, after: Lease) -> None:
        """The table took a checkpoint."""
        shard = self.stream.shards[before.key]
        if before.holder != worker:
            self.story.breach("I7", f"{worker} moved {shard.name} of {before.holder}")
        last = shard.records[-1].sequence if shard.records else 0
        position = last if after.over else after.checkpoint.sequence or 0
        reached = self.positions.get(shard.name, 0)
        if position < reached or (shard.name in self.ended and not after.over):
            self.story.breach("I3", f"{worker} moved {shard.name} back to {position}")
        if after.over:
            if shard.ends is None:
                self.story.breach("I3", f"{worker} ended {shard.name}, which is open")
            self.ended.add(shard.name)
        self.positions[shard.name] = max(position, reached)
        for record in shard.records:
            if reached < record.sequence <= position:
                self._expect_safe(shard, record, f"{worker} acknowledged")

    def read(self, shard: str) -> None:
        """Records of a shard were asked for."""
        for parent in self.stream.shards[shard].parents:
            if parent not in self.ended:
                self.story.breach("I3", f"{shard} was read before {parent} was done")

    def unread(self) -> list[str]:
        """Shards that are not done, or not to their newest record."""
        return [
            shard.name
            for shard in self.stream.shards.values()
            if (shard.ends is not None and shard.name not in self.ended)
            or (shard.records and self.positions.get(shard.name, 0) < shard.records[-1].sequence)
        ]

    def check_all(self) -> None:
        """In the end everything is safe, acknowledged or not."""
        for shard, record in self.stream.records():
            self._expect_safe(shard, record, "nobody holds")

    def _expect_safe(self, shard: Shard, record: Record, what: str) -> None:
        origin = f"kinesis:{STREAM}/{shard.name}/{record.sequence}"
        if not all(self._safe(found, origin) for found in decode(record.data)):
            self.story.breach("I2", f"{what} {origin}, which is not safe")

    def _safe(self, found: Decoded, origin: str) -> bool:
        if isinstance(found, Undecodable):
            return self._quarantined(origin)
        if not isinstance(found, Fact):
            return True  # ignored on purpose
        held = self.facts.get(found.contact_id, {}).get(found.register)
        safe = held is not None and _order(held) >= _order(found)
        return safe or self._quarantined(origin)

    def _quarantined(self, origin: str) -> bool:
        return origin in {item.origin for item in at_once(self.store.quarantined("", 10_000))}


def _order(fact: Fact) -> tuple[str, str, str]:
    """What decides between two facts of a register, told once more."""
    return fact.version, fact.digest, fact.at
