"""Erasing a contact: what is kept of it, what it left in Dynamics, and forgetting it for good."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipelines.age import long_over
from pipelines.contact import Contact
from pipelines.identity import record_id
from pipelines.lifecycle import milestones
from pipelines.pipeline import Pipeline
from pipelines.step import CreateStep
from pipelines.view import view
from worker.operations import quarantined
from worker.stores.protocol import ContactStore, Quarantined


#: What Dynamics has of a record, by the ledger's state; one that is gone it has not.
REMAINS = {
    "there": "there",
    "doubted": "may be there",
    "sent": "may be there",
    "found": "may be there",
}

#: Names whose values are the ids of other contacts: most often other legs of the same call.
RELATED = ("InitialContactId", "PreviousContactId", "NextContactId", "RelatedContactId")


@dataclass(frozen=True, slots=True)
class Traces:
    """What is left of a contact, and where.

    Attributes:
        facts: How many facts the store keeps of it.
        parked: How many of its writes are parked.
        quarantined: How many messages in quarantine mention it.
        records: What it left in Dynamics: ``phonecalls(<guid>)`` -> whether it is there.
        related: Ids of the contacts it names, which may be of the same person.
    """

    facts: int
    parked: int
    quarantined: int
    records: dict[str, str]
    related: list[str]


async def traces(store: ContactStore, contact_id: str, pipelines: Iterable[Pipeline]) -> Traces:
    """Everything that is left of a contact, to be told before it is forgotten."""
    [entry] = await store.load([contact_id])
    contact = entry.contact
    named = view(contact)
    mentioned = [item.id async for item in quarantined(store) if mentions(item, contact_id)]
    return Traces(
        facts=len(contact.facts),
        parked=len(contact.parked),
        quarantined=len(mentioned),
        records=_records(contact, pipelines, known=entry.version > 0),
        related=sorted({str(named[n]).lower() for n in RELATED if n in named} - {contact_id}),
    )


def _records(contact: Contact, pipelines: Iterable[Pipeline], *, known: bool) -> dict[str, str]:
    """The ledger's records, and those whose ids the contact's tells although no ledger does."""
    found = {}
    if not known or long_over(contact, milestones(contact).get("ended", "")):
        for pipeline in pipelines:
            for step in pipeline.steps:
                if isinstance(step, CreateStep):
                    key = record_id(contact.id, pipeline.name, step.name)
                    found[f"{step.table.set}({key})"] = "may be there"
    for name in contact.intent:
        found[name] = "may be there"
    for name, record in contact.ledger.items():
        if state := REMAINS.get(record.state):
            found[name] = f"{state}, with notes" if record.refusals > 1 else state
    return dict(sorted(found.items()))


async def erase(store: ContactStore, contact_id: str) -> None:
    """Forget a contact, known or not, and drop the messages in quarantine that mention it.

    First it is forgotten: what a worker has of it in hand is not saved any more.
    """
    await store.forget([contact_id])
    async for item in quarantined(store):
        if mentions(item, contact_id):
            await store.release([item.id])
    await store.scrub()


def mentions(item: Quarantined, contact_id: str) -> bool:
    """Whether a message holds the contact's id, as it is or within base64.

    The latter is how Lambda, and so some archives, have the records of Kinesis.
    """
    if contact_id in item.origin.lower() or contact_id.encode() in item.body.lower():
        return True
    return any(encoded in item.body for encoded in _in_base64(contact_id))


def _in_base64(contact_id: str) -> Iterator[bytes]:
    """What base64 makes of the id at each of three places, less what it shares with neighbours."""
    for written in (contact_id.encode(), contact_id.upper().encode()):
        for before in range(3):
            encoded = b64encode(bytes(before) + written)
            yield encoded[-(-before * 8 // 6) : (before + len(written)) * 8 // 6]
