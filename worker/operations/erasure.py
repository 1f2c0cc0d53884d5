"""Erasing a contact: what is stored of it, what it left in Dynamics, and removing it for good."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipelines.contact import Contact
from pipelines.fact import KIN
from pipelines.history import Happening, note
from pipelines.identity import record_id
from pipelines.kin import kin
from pipelines.pipeline import Pipeline
from pipelines.snapshot import snapshot
from pipelines.step import CreateStep
from pipelines.view import view
from worker.clock import Clock
from worker.operations.quarantine import quarantined
from worker.stores.protocol import ContactStore, Quarantined, Saved


#: Whether Dynamics has a record, by the ledger's state; other states mean that it has not.
REMAINS = {
    "there": "there",
    "doubted": "may be there",
    "sent": "may be there",
    "found": "may be there",
}

#: Names whose values are ids of other contacts, usually other legs of the same call.
RELATED = ("InitialContactId", "PreviousContactId", "NextContactId", "RelatedContactId")


@dataclass(frozen=True, slots=True)
class Traces:
    """What is stored of a contact, and where.

    Attributes:
        facts: How many of its facts the store keeps.
        parked: How many of its writes are parked.
        quarantined: How many messages in quarantine mention it.
        records: What it left in Dynamics: ``phonecalls(<guid>)`` -> whether it is there.
        related: Ids of the contacts it names or is named by, which may be of the same person.
    """

    facts: int
    parked: int
    quarantined: int
    records: dict[str, str]
    related: list[str]


async def traces(store: ContactStore, contact_id: str, pipelines: Iterable[Pipeline]) -> Traces:
    """Everything that is stored of a contact, to be shown before it is erased."""
    [entry] = await store.load([contact_id])
    contact = entry.contact
    mentioned = [item.id async for item in quarantined(store) if mentions(item, contact_id)]
    return Traces(
        facts=len(contact.facts),
        parked=len(contact.parked),
        quarantined=len(mentioned),
        records=_records(contact, pipelines, known=entry.version > 0),
        related=sorted(_related(contact)),
    )


def _related(contact: Contact) -> set[str]:
    """The contacts that it names, and those that name it."""
    named = view(contact)
    ids = {str(named[name]).lower() for name in RELATED if name in named}
    return (ids | kin(contact).keys()) - {contact.id}


def _records(contact: Contact, pipelines: Iterable[Pipeline], *, known: bool) -> dict[str, str]:
    """The ledger's records, and those that may exist by ids derived from the contact's id."""
    found = {}
    if not known or snapshot(contact, {}).long_over:
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


async def erase(
    store: ContactStore,
    contact_id: str,
    clock: Clock | None = None,
    *,
    by: str = "",
    why: str = "",
) -> None:
    """Erase a contact, known or not, and drop the messages in quarantine that mention it.

    The contact is removed first, so that a worker that has it in hand can no longer save it.

    Args:
        store: Where it is kept.
        contact_id: Its id.
        clock: Time.
        by: Who does it: a system user.
        why: The reason given. Both are kept in the history of the contacts that knew of it, without
            its id; of the contact itself nothing is kept.
    """
    (entry,) = await store.load([contact_id])
    await store.forget([contact_id])
    untold = Happening(at=(clock or Clock()).wall(), what="untold", by=by, why=why)
    await _untell(store, contact_id, sorted(_related(entry.contact)), untold)
    async for item in quarantined(store):
        if mentions(item, contact_id):
            await store.release([item.id])
    await store.scrub()


async def _untell(
    store: ContactStore, contact_id: str, others: Sequence[str], untold: Happening
) -> None:
    """Take out of other contacts what they were told of one that was forgotten."""
    while others:
        changed = []
        for entry in await store.load(others):
            facts = entry.contact.facts
            told = [register for register in facts if register.startswith(f"{KIN}{contact_id}/")]
            for register in told:
                del facts[register]
            if told:
                note(entry.contact.history, untold)
                changed.append(entry)
        saved = await store.save(changed)
        pairs = zip(changed, saved, strict=True)
        others = [entry.contact.id for entry, outcome in pairs if outcome is Saved.CONFLICT]


def mentions(item: Quarantined, contact_id: str) -> bool:
    """Whether a message contains the contact's id, as text or within base64.

    Lambda encodes the records of Kinesis in base64, and so do some archives.
    """
    if contact_id in item.origin.lower() or contact_id.encode() in item.body.lower():
        return True
    return any(encoded in item.body for encoded in _in_base64(contact_id))


def _in_base64(contact_id: str) -> Iterator[bytes]:
    """The id in base64 at each of the three offsets, without characters shared with neighbours."""
    for written in (contact_id.encode(), contact_id.upper().encode()):
        for before in range(3):
            encoded = b64encode(bytes(before) + written)
            yield encoded[-(-before * 8 // 6) : (before + len(written)) * 8 // 6]
