"""I1 and I4 with lookups and parties: the timeline ends the same whatever way the messages come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from twins.dynamics import ScriptedDynamics
from worker.definitions import find
from worker.files import MemoryFiles
from worker.sandbox.amazon.contact_lens import analyses
from worker.sandbox.oracle.customers import employ, introduce, rows
from worker.sandbox.oracle.expected_timeline import ACTIVITIES, timeline
from worker.sandbox.traffic import EVENTS, KINDS, History, history, truth
from worker.sandbox.traffic.people import AGENTS, BUCKET


if TYPE_CHECKING:
    from tests.property.conftest import World


thorough = settings(max_examples=15, deadline=None, derandomize=True)

OpenWorld = Callable[..., "AbstractAsyncContextManager[World]"]

PIPELINES = [find("timeline"), find("phonecall")]
CANCELED = 2
VARIANTS = ["sandbox post allow", "sandbox patch refuse", "memory post refuse"]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[History, list[list[bytes]]]:
    """A history, and its messages out of order, repeated, cut into batches, events lost or not."""
    told = history(draw(st.sampled_from(list(KINDS))), Random(draw(st.integers(0, 99))))
    lost = draw(st.booleans())
    bodies = [message.body for message in told.sent if not lost or message.stream != EVENTS]
    repeated = draw(st.lists(st.sampled_from(bodies), max_size=4))
    order = draw(st.permutations([*bodies, *repeated]))
    cuts = draw(st.frozensets(st.integers(1, len(order)), max_size=6))
    return told, [order[a:b] for a, b in pairwise([0, *sorted(cuts - {len(order)}), len(order)])]


def people(world: World, told: History) -> None:
    """Let Dynamics know the agents, and of the customers those that it should; store files."""
    world.files = MemoryFiles({(BUCKET, key): body for key, body in analyses(told.contacts)})
    customers = [leg.customer for leg in told.contacts]
    if world.dataverse is not None:
        employ(world.dataverse)
        introduce(world.dataverse, customers)
        return
    assert isinstance(world.dynamics, ScriptedDynamics)
    for row in (row for who in customers for row in rows(who)):
        name = f"{row['firstname']} {row['lastname']}"
        contact = {**row, "fullname": name, "statecode": 0}
        world.dynamics.records["contacts", row["contactid"]] = contact
    for agent in AGENTS:
        user = {"systemuserid": agent.user_id, "isdisabled": False}
        user["domainname"] = f"{agent.username}@example.com"
        world.dynamics.records["systemusers", agent.user_id] = user


def expected(told: History) -> dict[str, dict[str, Any]]:
    """The columns the truth knows, by record."""
    truths = truth(told)
    made = [
        one for leg in told.contacts if leg.fate != "none" for one in timeline(leg, truths[leg.id])
    ]
    return {f"{name}({key})": columns for name, key, columns in made}


def shown(world: World, name: str, columns: dict[str, Any]) -> dict[str, Any]:
    row = world.rows()[name]
    return {column: _parties(row.get(column)) for column in columns}


def _parties(value: Any) -> Any:
    """Parties as the sandbox shows them, also those that are in memory as they were sent."""
    if not isinstance(value, list):
        return value
    plain = [
        {
            ("_partyid_value" if name.endswith("bind") else name): (
                v.rpartition("(")[2].strip(")") if name.endswith("bind") else v
            )
            for name, v in party.items()
        }
        for party in value
    ]
    return sorted(plain, key=lambda party: sorted(map(str, party.items())))


@pytest.mark.parametrize("variant", VARIANTS)
@thorough
@given(delivery=deliveries(), push=st.booleans())
async def test_i1_the_timeline_ends_as_the_truth_says(
    open_world: OpenWorld,
    variant: str,
    delivery: tuple[History, list[list[bytes]]],
    push: bool,
) -> None:
    told, batches = delivery
    async with open_world(variant, pipelines=PIPELINES) as world:
        people(world, told)
        await world.tell(*batches, push=push)
        wanted = expected(told)
        for name, columns in wanted.items():
            plain = {column: _parties(value) for column, value in columns.items()}
            assert shown(world, name, columns) == plain
        calls = len([leg for leg in told.contacts if leg.channel == "VOICE"])
        assert len(set(world.wire.created())) == len(world.wire.created())
        assert len(world.wire.created()) <= len(wanted) + calls
        assert not await world.parked()


@thorough
@given(delivery=deliveries())
async def test_i4_a_second_replay_on_a_fresh_machine_changes_nothing(
    open_world: OpenWorld, delivery: tuple[History, list[list[bytes]]]
) -> None:
    told, batches = delivery
    async with open_world("sandbox post refuse", pipelines=PIPELINES) as world:
        people(world, told)
        await world.tell(*batches)
        before = world.rows()
        world.forget()
        await world.tell(*batches)
        assert world.rows() == before
        assert world.wire.created() == []


def unwanted(body: bytes) -> bytes:
    """A contact record whose flow wants no activity; any other message as it is."""
    message = orjson.loads(body) if body.startswith(b"{") else {}
    if "AWSContactTraceRecordFormatVersion" not in message:
        return body
    attributes = {**(message.get("Attributes") or {}), "CreateTimeline": "False"}
    return orjson.dumps({**message, "Attributes": attributes})


@pytest.mark.parametrize("variant", VARIANTS)
@thorough
@given(delivery=deliveries(), push=st.booleans())
async def test_i1_an_activity_that_is_not_wanted_is_not_made_or_ends_cancelled(
    open_world: OpenWorld,
    variant: str,
    delivery: tuple[History, list[list[bytes]]],
    push: bool,
) -> None:
    told, batches = delivery
    async with open_world(variant, pipelines=PIPELINES[:1]) as world:
        people(world, told)
        await world.tell(*[[*map(unwanted, batch)] for batch in batches], push=push)
        made = activities(world)
        assert all(row["statecode"] == CANCELED for row in made.values())
        assert not await world.parked()
        world.forget()
        await world.tell([*map(unwanted, (body for batch in batches for body in batch))])
        assert activities(world) == made


def activities(world: World) -> dict[str, dict[str, Any]]:
    sets = {name for name, _ in ACTIVITIES.values()}
    return {n: row for n, row in world.rows().items() if n.partition("(")[0] in sets}


@thorough
@given(delivery=deliveries())
async def test_activities_that_are_there_are_cancelled_by_a_replay_that_says_they_are_not_wanted(
    open_world: OpenWorld, delivery: tuple[History, list[list[bytes]]]
) -> None:
    told, batches = delivery
    async with open_world("sandbox post refuse", pipelines=PIPELINES[:1]) as world:
        people(world, told)
        await world.tell(*batches)
        before = activities(world)
        world.forget()
        await world.tell([*map(unwanted, (body for batch in batches for body in batch))])
        assert activities(world).keys() == before.keys()
        assert all(row["statecode"] == CANCELED for row in activities(world).values())
        assert not await world.parked()
