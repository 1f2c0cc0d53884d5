"""A person is erased: all contacts of a number or an address, and a certificate of it."""

from __future__ import annotations

import base64

from typing import Any

import pytest

from pipelines.contact import Contact, Parked
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.history import happenings
from pipelines.kin import kin
from pipelines.labels import relabel
from twins.calls import Call, calls
from worker.clock import Clock
from worker.definitions import find
from worker.errors import ConfigError
from worker.operations.dynamics_search import InDynamics
from worker.operations.index import label_in
from worker.operations.person import (
    Erasure,
    Kind,
    certified,
    forget_person,
    kept_of,
    period,
    spellings,
)
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, Quarantined


KEY = b"k" * 32
NUMBER = "+15550100200"
PIPELINES = [find("phonecall")]


async def told(store: MemoryStore, call: Call, **fields: Any) -> None:
    contact = Contact(call.id)
    for fact in decode(call.record(**fields)):
        assert isinstance(fact, Fact)
        contact.observe(fact)
    if call.id.endswith("1"):
        contact.parked["tasks(1)"] = Parked(["mine/STEP"], 0.0, 404, "", {}, "")
    relabel(contact, KEY)
    await store.save([Entry(contact)])


@pytest.fixture
async def store() -> MemoryStore:
    """Three contacts with a number, one of another; four messages in quarantine, three of them."""
    store = MemoryStore()
    first, second, third, other = calls(4)
    for call in (first, second, third):
        await told(store, call, NextContactId=other.id)
    await told(store, other, CustomerEndpoint={"Address": "+15550100299"})
    said = {
        "a": f"broken of {second.id.upper()}".encode(),
        "b": f"broken with {NUMBER}".encode(),
        "c": base64.b64encode(f'{{"x": "{NUMBER}"}}'.encode()),
        "d": b"of nobody, +15550100299",
    }
    await store.quarantine([Quarantined(one, 0.0, "", "", body) for one, body in said.items()])
    return store


async def label(store: MemoryStore) -> str:
    return await label_in(store, "phone", NUMBER, KEY)


async def test_all_that_is_kept_of_a_person_is_told_before_it_is_erased(
    store: MemoryStore,
) -> None:
    kept = await kept_of(store, await label(store), NUMBER, PIPELINES)
    assert sorted(kept.contacts) == [call.id for call in calls(3)]
    assert (kept.facts, kept.parked, kept.quarantined) == (3, 1, 3)
    assert kept.related == [calls(4)[3].id]


async def test_an_erased_person_is_gone_and_nobody_else(store: MemoryStore) -> None:
    kept = await kept_of(store, await label(store), NUMBER, PIPELINES)
    await forget_person(store, kept, NUMBER, Clock(), by="olga", why="ticket 12")
    other = calls(4)[3]
    assert await store.ids("", 10) == [other.id]
    assert [item.id for item in await store.quarantined("", 10)] == ["d"]
    again = await kept_of(store, await label(store), NUMBER, PIPELINES)
    assert (again.contacts, again.facts, again.quarantined, again.records) == ([], 0, 0, {})
    [entry] = await store.load([other.id])
    assert not kin(entry.contact)
    assert all("5550100200" not in str(one) for one in happenings(entry.contact))


async def test_a_certificate_says_what_was_erased_which_period_it_covers_and_what_is_left(
    store: MemoryStore,
) -> None:
    kept = await kept_of(store, await label(store), NUMBER, PIPELINES)
    done = Erasure(1_767_323_045.0, "olga", "ticket 12", await label(store), "sqlite:x")
    left = [InDynamics("phonecalls(1)", "phonenumber", "2025-01-01T00:00:00Z", ours=True)]
    document = certified(
        done,
        kept,
        dynamics=left,
        searched=["phonecalls: phonenumber"],
        buckets=("recordings",),
        covered="contacts saved since 2025-12-01T00:00:00Z",
    ).document()
    assert NUMBER[1:] not in str(document), "whoever reads it learns no number"
    assert document["person"].startswith("phone ")
    assert (document["at"], document["by"], document["why"]) == (
        "2026-01-02T03:04:05Z",
        "olga",
        "ticket 12",
    )
    assert sorted(document["contacts"]) == [call.id for call in calls(3)]
    assert document["period"] == period(
        1_767_323_045.0, "contacts saved since 2025-12-01T00:00:00Z"
    )
    assert "2025-12-03T03:04:05Z" in document["period"][0], "30 days before"
    assert "2025-12-01T00:00:00Z" in document["period"][1]
    assert document["dynamics"][0]["record"] == "phonecalls(1)"
    assert any("s3://recordings" in where for where in document["elsewhere"])
    assert any("24 months" in what for what in document["elsewhere"].values())


@pytest.mark.parametrize(
    ("kind", "text", "first"),
    [
        ("phone", "+1 (555) 010-0200", "+15550100200"),
        ("phone", "0049 30 901820", "+4930901820"),
        ("email", "Ada <Ada@Customer.example>", "ada@customer.example"),
    ],
)
def test_a_number_or_address_is_sought_as_connect_writes_it(
    kind: Kind, text: str, first: str
) -> None:
    assert spellings(kind, text)[0] == first


@pytest.mark.parametrize(("kind", "text"), [("phone", "Ada"), ("email", "Ada"), ("phone", "")])
def test_what_is_no_number_and_no_address_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ConfigError, match=f"that is no {kind}"):
        spellings(kind, text)
