"""A person: all contacts with a number or a mail address, erased together, and a certificate of it.

The index finds the contacts. What it cannot find is said: contacts from before it, records in
Dynamics whose contacts the state has forgotten by age, and what Amazon keeps by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from pipelines.age import KEPT_S
from pipelines.mail import mailboxes
from pipelines.phone import Number, visible
from pipelines.pipeline import Pipeline
from worker.clock import Clock
from worker.errors import ConfigError
from worker.operations import erasure
from worker.operations.dynamics_search import InDynamics
from worker.operations.index import found
from worker.operations.listing import iso
from worker.operations.quarantine import quarantined
from worker.stores.protocol import ContactStore, Quarantined


Kind = Literal["phone", "email"]

_DAY_S: Final = 86_400


def elsewhere(buckets: Sequence[str]) -> dict[str, str]:
    """What of a person is kept where this program does not reach: place -> what, and what to do.

    Source: Amazon Connect Administrator Guide, "contact records", and API Reference,
    ``DeleteContactData``.
    """
    where = ", ".join(f"s3://{bucket}" for bucket in buckets) or "the buckets of the instance"
    return {
        "Amazon Connect, contact records": (
            "number or address, agent and attributes, those written back too, for 24 months:"
            " DeleteContactData for each contact"
        ),
        f"S3, {where}": (
            "recordings, transcripts, analyses, attachments, mails: delete the objects whose keys"
            " hold a contact's id"
        ),
        "archives of messages": "what Firehose or others keep for replays: delete or let expire",
        "Kinesis and SQS": "messages, until the stream's retention is over (24 hours to 365 days)",
        "backups of the state": "restored copies know the person again: repeat person forget",
    }


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a person, to be shown before it is erased.

    Attributes:
        contacts: Ids of the contacts with that number or address, newest first.
        facts: How many facts the state has of them.
        parked: How many of their writes are parked.
        quarantined: How many messages in quarantine mention them, or the number or address.
        records: What they left in Dynamics: address -> whether it is there.
        related: Ids of contacts that they name or are named by, of this person or of another.
    """

    contacts: list[str]
    facts: int
    parked: int
    quarantined: int
    records: dict[str, str]
    related: list[str]


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a person was erased: when (s since 1970), by whom, why, who (hashed), from where."""

    at: float
    by: str
    why: str
    person: str
    state: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was erased of a person, and what this program cannot reach.

    Attributes:
        at: When.
        by: Who did it: a system user.
        why: The reason given.
        person: The kind and the keyed hash of the value, which is not repeated.
        state: The state it was erased from.
        contacts: Ids of the contacts that were erased.
        facts: How many facts of them.
        parked: How many parked writes.
        quarantined: How many messages in quarantine.
        related: Contacts that were linked with them and are still there.
        period: Which contacts the search covered, in words.
        dynamics: Records in Dynamics, to be deleted there.
        searched: Which tables and columns of Dynamics were searched; or why they were not.
        elsewhere: Where else something is kept, and what to do.
    """

    at: str
    by: str
    why: str
    person: str
    state: str
    contacts: list[str]
    facts: int
    parked: int
    quarantined: int
    related: list[str]
    period: list[str]
    dynamics: list[InDynamics]
    searched: list[str]
    elsewhere: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """It as JSON data."""
        return asdict(self)


def spellings(kind: Kind, text: str) -> list[str]:
    """How a number or an address may be written; the first as Amazon Connect writes it.

    Raises:
        ConfigError: The text is neither.
    """
    seen = visible(text)
    if kind == "email":
        found = [one.address for one in mailboxes(seen)]
    else:
        number = Number.read(seen)
        found = [f"+{number.digits}", *number.spellings()] if number else []
    if not found:
        raise ConfigError(f"that is no {kind}")
    return [*dict.fromkeys(found)]


async def kept_of(
    store: ContactStore, label: str, sought: str, pipelines: Sequence[Pipeline]
) -> Kept:
    """What the state keeps of a person."""
    contacts = [entry.contact.id async for entry in found(store, label)]
    traces = [await erasure.traces(store, one, pipelines) for one in contacts]
    records: dict[str, str] = {}
    for one in traces:
        records |= one.records
    related = {other for one in traces for other in one.related} - {*contacts}
    return Kept(
        contacts,
        sum(one.facts for one in traces),
        sum(one.parked for one in traces),
        sum([1 async for item in quarantined(store) if _is_of(item, [*contacts, sought])]),
        records,
        sorted(related),
    )


def _is_of(item: Quarantined, needles: Iterable[str]) -> bool:
    return any(erasure.mentions(item, one) for one in needles)


async def forget_person(
    store: ContactStore, kept: Kept, sought: str, clock: Clock, *, by: str, why: str
) -> None:
    """Erase the contacts, and the messages in quarantine that mention them or the person."""
    for contact_id in kept.contacts:
        await erasure.erase(store, contact_id, clock, by=by, why=why)
    async for item in quarantined(store):
        if _is_of(item, [sought]):
            await store.release([item.id])
    await store.scrub()


def period(now: float, covered: str) -> list[str]:
    """Which contacts a search by the index covered.

    Args:
        now: When it was (s since 1970).
        covered: See ``worker.operations.index.covered``.
    """
    days, oldest = KEPT_S / _DAY_S, iso(now - KEPT_S)
    gone = f"contacts are kept for {days:.0f} days after their end: of those that ended before"
    return [
        f"{gone} {oldest} the state has only what is parked or due",
        f"the index of people knows {covered}",
    ]


def certified(
    done: Erasure,
    kept: Kept,
    *,
    dynamics: list[InDynamics],
    searched: list[str],
    buckets: Sequence[str],
    covered: str,
) -> Certificate:
    """The certificate of an erasure; ``covered`` as of ``period``."""
    return Certificate(
        at=iso(done.at),
        by=done.by,
        why=done.why,
        person=done.person,
        state=done.state,
        contacts=kept.contacts,
        facts=kept.facts,
        parked=kept.parked,
        quarantined=kept.quarantined,
        related=kept.related,
        period=period(done.at, covered),
        dynamics=dynamics,
        searched=searched,
        elsewhere=elsewhere(buckets),
    )
