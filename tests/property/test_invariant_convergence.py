"""I1 and I5: whatever way the messages come, the records end the same, as the truth says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact
from worker.sandbox.traffic import EVENTS, KINDS, History, history


if TYPE_CHECKING:
    from tests.property.conftest import World


thorough = settings(max_examples=15, deadline=None, derandomize=True)


OpenWorld = Callable[..., "AbstractAsyncContextManager[World]"]
Expected = Callable[[History], list[dict[str, Any]]]

#: Dynamics, how records are created, what becomes of updates of closed records.
VARIANTS = [
    "sandbox post allow",
    "sandbox post refuse",
    "sandbox patch allow",
    "sandbox patch refuse",
    "memory post allow",
    "memory post refuse",
]

CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"


@dataclass(frozen=True)
class Delivery:
    """A history's messages as they are handed in: in which order, repeated, cut into batches."""

    kind: str
    seed: int
    order: tuple[int, ...]
    cuts: frozenset[int]

    @property
    def told(self) -> History:
        return history(self.kind, Random(f"{self.seed} {self.kind}"))

    def batches(self, *, events: bool = True) -> list[list[bytes]]:
        sent = [m for m in self.told.sent if events or m.stream != EVENTS]
        bodies = [sent[place].body for place in self.order if place < len(sent)]
        edges = [0, *sorted(cut for cut in self.cuts if cut < len(bodies)), len(bodies)]
        return [bodies[a:b] for a, b in pairwise(edges)]


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    kind, seed = draw(st.sampled_from(list(KINDS))), draw(st.integers(0, 99))
    places = range(len(history(kind, Random(f"{seed} {kind}")).sent))
    repeated = draw(st.lists(st.sampled_from(places), max_size=6))
    order = draw(st.permutations([*places, *repeated]))
    return Delivery(kind, seed, tuple(order), draw(st.frozensets(st.sampled_from(places))))


async def plainly(opened: AbstractAsyncContextManager[World], told: History) -> dict[str, Any]:
    """The records after the plain run: everything in order, in one batch."""
    async with opened as world:
        await world.tell([m.body for m in told.sent])
        return world.rows()


@pytest.mark.parametrize("variant", VARIANTS)
@thorough
@given(delivery=deliveries(), push=st.booleans())
async def test_i1_any_order_repetition_and_batching_ends_in_the_same_records(
    open_world: OpenWorld,
    expected: Expected,
    variant: str,
    delivery: Delivery,
    push: bool,
) -> None:
    async with open_world(variant) as world:
        await world.tell(*delivery.batches(), push=push)
        assert world.calls() == expected(delivery.told)
        assert world.rows() == await plainly(open_world(variant), delivery.told)
        assert not await world.parked()


@pytest.mark.parametrize("variant", ["sandbox post refuse", "memory post allow"])
@thorough
@given(delivery=deliveries(), push=st.booleans())
async def test_i1_with_all_contact_events_lost_the_records_end_the_same(
    open_world: OpenWorld,
    expected: Expected,
    variant: str,
    delivery: Delivery,
    push: bool,
) -> None:
    async with open_world(variant) as world:
        await world.tell(*delivery.batches(events=False), push=push)
        assert world.calls() == expected(delivery.told)
        assert world.rows() == await plainly(open_world(variant), delivery.told)


@thorough
@given(delivery=deliveries())
async def test_i1_a_live_worker_that_waits_ends_where_a_replay_ends(
    open_world: OpenWorld, expected: Expected, delivery: Delivery
) -> None:
    async with open_world("memory post refuse", live=True) as world:
        await world.tell(*delivery.batches(), push=True)
        assert world.calls() == expected(delivery.told)


@thorough
@given(delivery=deliveries(), others=st.randoms(use_true_random=False))
def test_i1_the_facts_of_a_contact_do_not_depend_on_order_or_repetition(
    delivery: Delivery, others: Random
) -> None:
    shuffled = [fact for batch in delivery.batches() for body in batch for fact in decode(body)]
    others.shuffle(shuffled)
    in_order = [fact for message in delivery.told.sent for fact in decode(message.body)]
    assert folded(shuffled) == folded(in_order)


@thorough
@given(
    delivery=deliveries(),
    arrivals=st.lists(st.none() | st.floats(1e9, 2e9), min_size=1, max_size=8),
    others=st.randoms(use_true_random=False),
    cut=st.integers(0, 20),
)
def test_i1_when_a_contact_was_first_heard_of_does_not_depend_on_order_or_repetition(
    delivery: Delivery, arrivals: list[float | None], others: Random, cut: int
) -> None:
    """Nor on which copy of it was told what, and saved between."""
    told = [
        fact
        for number, message in enumerate(delivery.told.sent)
        for fact in decode(message.body, arrived=arrivals[number % len(arrivals)])
        if isinstance(fact, Fact)
    ]
    in_order = heard(told)
    shuffled = [*told, *told]
    others.shuffle(shuffled)
    copies = heard(shuffled[:cut]), heard(shuffled[cut:])
    for contact_id, contact in copies[0].items():
        contact.learn(copies[1].pop(contact_id, contact))
    apart = copies[0] | copies[1]
    again = {key: Contact.from_bytes(key, c.to_bytes()) for key, c in apart.items()}
    for found in (heard(shuffled), apart, again):
        assert {key: (c.arrived, c.facts) for key, c in found.items()} == {
            key: (c.arrived, c.facts) for key, c in in_order.items()
        }


def heard(facts: list[Fact]) -> dict[str, Contact]:
    contacts: dict[str, Contact] = {}
    for fact in facts:
        contacts.setdefault(fact.contact_id, Contact(fact.contact_id)).observe(fact)
    return contacts


def test_i1_a_file_told_of_on_two_ways_is_the_same_fact_in_either_order() -> None:
    key = f"connect/acme/CallRecordings/2026/01/02/{CONTACT}_20260102T03:00_UTC.wav"
    stored = {"key": key, "size": 1, "sequencer": "0A"}
    native = {
        "eventName": "ObjectCreated:Put",
        "eventTime": "2026-01-02T03:04:05.678Z",
        "awsRegion": "eu-central-1",
        "s3": {"bucket": {"name": "acme"}, "object": stored},
    }
    by_eventbridge = {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": "2026-01-02T03:04:05Z",
        "region": "eu-central-1",
        "detail": {"bucket": {"name": "acme"}, "object": stored},
    }
    facts = [fact for body in (native, by_eventbridge) for fact in decode(orjson.dumps(body))]
    assert len(facts) == 2
    assert folded(facts) == folded(facts[::-1])


def folded(facts: list[Any]) -> dict[str, dict[str, Fact]]:
    contacts: dict[str, Contact] = {}
    for fact in facts:
        assert isinstance(fact, Fact)
        contacts.setdefault(fact.contact_id, Contact(fact.contact_id)).observe(fact)
    return {key: dict(contact.facts) for key, contact in contacts.items()}


#: One contact record in three versions; the queue's name tells them apart.
VERSIONS = {
    version: orjson.dumps(
        {
            "AWSContactTraceRecordFormatVersion": "2017-03-10",
            "ContactId": CONTACT,
            "Channel": "VOICE",
            "InitiationMethod": "INBOUND",
            "InitiationTimestamp": "2026-01-02T03:00:00Z",
            "DisconnectTimestamp": "2026-01-02T03:04:05Z",
            "LastUpdateTimestamp": f"2026-01-02T03:05:0{version}Z",
            "CustomerEndpoint": {"Address": "+15550100200", "Type": "TELEPHONE_NUMBER"},
            "Queue": {"Name": f"v{version}"} if version != 2 else None,
        }
    )
    for version in (1, 2, 3)
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("push", [False, True])
@pytest.mark.parametrize("order", [(3, 1, 2, 2), (1, 2, 3), (2, 3, 1), (3, 2, 1), (1, 3, 3, 2)])
async def test_i5_the_newest_contact_record_wins_in_state_and_in_dynamics(
    open_world: OpenWorld, variant: str, order: tuple[int, ...], push: bool
) -> None:
    async with open_world(variant) as world:
        await world.tell(*[[VERSIONS[version]] for version in order], push=push)
        (entry,) = await world.store.load([CONTACT])
        assert entry.contact.record is not None
        assert entry.contact.record.at == "2026-01-02T03:05:03.000Z"
        (call,) = world.calls()
        assert call["subcategory"] == "v3"
        assert not await world.parked()


async def test_i5_a_value_the_newest_record_no_longer_has_becomes_null(
    open_world: OpenWorld,
) -> None:
    async with open_world("sandbox post allow") as world:
        await world.tell([VERSIONS[1]], [VERSIONS[2]], push=True)
        (call,) = world.calls()
        assert "subcategory" not in call
