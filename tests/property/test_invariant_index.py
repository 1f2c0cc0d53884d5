"""I8: what contacts are listed under tells nothing of anybody, and finds nobody without the key."""

from __future__ import annotations

import re

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import TYPE_CHECKING

import pytest

from pipelines.contact import Contact
from pipelines.labels import KEYED, Keyed, label_of
from privacy import values_of_people
from twins.dynamics import Failure, Script
from worker.definitions import find
from worker.dynamics import errors
from worker.sandbox.traffic import history
from worker.stores.protocol import ContactStore, Entry


if TYPE_CHECKING:
    from tests.property.conftest import World


OpenWorld = Callable[..., "AbstractAsyncContextManager[World]"]

KEY, ANOTHER = b"k" * 32, b"j" * 32

#: Shorter values may stand in any hash by chance.
SHORTEST = 6

#: Every channel, agents who hand over, and what Connect redacts.
KINDS_TOLD = ("voice_inbound", "outbound_transferred", "chat", "task", "email_inbound", "redacted")

PIPELINES = ("phonecall", "chat", "task", "email", "timeline")


def seldom(chance: Random) -> Script:
    """Refuses now and then, so that something is parked."""
    refused = errors.Refused("answered 400", status=400, code="0x80040203")
    return lambda _request: Failure(refused) if chance.random() < 0.3 else None


async def told(open_world: OpenWorld, kind: str, key: bytes | None) -> tuple[World, list[Entry]]:
    """A world in which such contacts were told of, and what is stored then."""
    pipelines = [find(name) for name in PIPELINES]
    async with open_world(
        "memory post refuse", live=True, pipelines=pipelines, index_key=key
    ) as world:
        world.memory.script = seldom(Random(kind))
        sent = history(kind, Random(kind)).sent
        await world.tell(*([message.body] for message in sent), push=True)
        return world, await world.store.load(await world.store.ids("", 100))


def guessed(contact: Contact) -> Iterator[tuple[Keyed, str]]:
    """What somebody who knows all about a contact could look for."""
    for value in values_of_people(contact):
        yield from ((kind, value) for kind in ("phone", "email", "agent"))
    yield from (("record", record.key) for record in contact.ledger.values())


async def finds(store: ContactStore, key: bytes, contact: Contact) -> set[Keyed]:
    """The kinds of what finds the contact with this key."""
    labels = {(kind, label_of(kind, text, key)) for kind, text in guessed(contact)}
    found: set[Keyed] = set()
    for kind, label in labels:
        if label and contact.id in {o.contact_id for o in await store.labelled(label, None, 100)}:
            found.add(kind)
    return found


@pytest.mark.parametrize("kind", KINDS_TOLD)
async def test_i8_no_label_of_a_contact_holds_a_value_of_a_person_or_the_id_of_a_record(
    open_world: OpenWorld, kind: str
) -> None:
    _, entries = await told(open_world, kind, KEY)
    assert entries
    for entry in entries:
        contact = entry.contact
        labels = " ".join(contact.labels).lower()
        values = values_of_people(contact) | {r.key.lower() for r in contact.ledger.values()}
        digits = {re.sub(r"\D", "", value) for value in values}
        said = {v for v in values | digits if len(v) >= SHORTEST and v in labels}
        assert not said - {"phonecalls"}, labels
        assert KEY.decode() not in labels


@pytest.mark.parametrize("kind", KINDS_TOLD)
async def test_i8_a_contact_is_found_with_the_key_and_by_nothing_with_another_one(
    open_world: OpenWorld, kind: str
) -> None:
    world, entries = await told(open_world, kind, KEY)
    kinds: set[Keyed] = set()
    for entry in entries:
        kinds |= await finds(world.store, KEY, entry.contact)
        assert not await finds(world.store, ANOTHER, entry.contact)
    assert "record" in kinds or not any(entry.contact.ledger for entry in entries)
    assert kinds & {"phone", "email", "agent"} or kind.startswith(("chat", "task"))


@pytest.mark.parametrize("kind", ["voice_inbound", "email_inbound"])
async def test_i8_without_a_key_nothing_that_is_hashed_is_stored(
    open_world: OpenWorld, kind: str
) -> None:
    _, entries = await told(open_world, kind, None)
    assert entries
    for entry in entries:
        assert {label.partition(" ")[0] for label in entry.contact.labels}.isdisjoint(KEYED)
        assert any(label.startswith("day ") for label in entry.contact.labels)
