"""I4 with the flow Lambda: whoever writes first, one record results, and it is complete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.identity import timeline_id
from worker.definitions import find
from worker.dynamics.protocol import Answer, Dynamics, Request
from worker.flow.answer import answer
from worker.flow.session import ANSWER_S, FlowSession
from worker.sandbox.oracle.customers import employ, introduce
from worker.sandbox.oracle.expected_timeline import ACTIVITIES, timeline
from worker.sandbox.traffic import RECORDS, History, history, truth


if TYPE_CHECKING:
    from tests.property.conftest import World


OpenWorld = Callable[..., "AbstractAsyncContextManager[World]"]

PIPELINE = find("timeline")
VARIANTS = ["sandbox post allow", "sandbox patch refuse"]
KINDS = ["voice_inbound", "voice_outbound", "voice_callback", "chat", "task", "email_inbound"]

#: No worker sends more requests for one contact, no Lambda more for one activity.
WORKER_REQUESTS = 12
FLOW_REQUESTS = 6

#: What a flow knows of its contact, by the contact record's names.
KNOWN = (
    "Attributes",
    "Channel",
    "ContactId",
    "CustomerEndpoint",
    "InitialContactId",
    "InitiationMethod",
    "InstanceARN",
    "PreviousContactId",
    "SystemEndpoint",
)


@dataclass(slots=True)
class Interrupted:
    """The way to Dynamics; before the request ``at``, and once, somebody else has a turn."""

    inner: Dynamics
    turn: Callable[[], Awaitable[object]]
    at: int
    count: int = 0

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        self.count += 1
        if self.count == self.at:
            await self.turn()
        return await self.inner.send(request, timeout_s=timeout_s)

    async def user_id(self) -> str:
        return await self.inner.user_id()


def story(kind: str, seed: int) -> tuple[History, dict[str, Any]]:
    """A history of one contact, and the event that its flow sends."""
    told = history(kind, Random(seed))
    record = told.parsed(RECORDS, told.contacts[0].id)[0]
    data = {name: record.get(name) for name in KNOWN}
    return told, {"Details": {"ContactData": data, "Parameters": {"ms_operation": "addnote"}}}


def desk(world: World, dynamics: Any = None) -> FlowSession:
    way: Any = dynamics or world.dynamics
    return FlowSession(way, world.gate, PIPELINE, world.create_by)


def introduced(world: World, told: History) -> None:
    assert world.dataverse is not None
    employ(world.dataverse)
    introduce(world.dataverse, [leg.customer for leg in told.contacts])


def wrong(world: World, told: History) -> list[str]:
    """What is not as the truth says: columns, and records that should not be there."""
    truths, rows = truth(told), world.rows()
    wanted = {
        f"{name}({key})": columns
        for leg in told.contacts
        for name, key, columns in timeline(leg, truths[leg.id])
        if name != "annotations"
    }
    sets = {name for name, _ in ACTIVITIES.values()}
    made = {name for name in rows if name.partition("(")[0] in sets}
    found = sorted(wanted.keys() ^ made)
    for name in wanted.keys() & made:
        row = rows[name]
        for column, value in wanted[name].items():
            if _sorted(row.get(column)) != _sorted(value):
                found.append(f"{column}: {row.get(column)} is not {value}")
    return found


def _sorted(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, list) else value


def bodies(told: History) -> list[bytes]:
    return [message.body for message in told.sent]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_i4_the_flow_writes_before_any_request_of_the_worker(
    open_world: OpenWorld, variant: str, kind: str
) -> None:
    for at in range(1, WORKER_REQUESTS + 1):
        told, event = story(kind, at)
        async with open_world(variant, pipelines=[PIPELINE]) as world:
            introduced(world, told)

            async def turn(world: World = world, event: dict[str, Any] = event) -> None:
                made = await answer(event, desk(world), ANSWER_S)
                assert made["activityid"], made["reason"]

            world.wire.inner = Interrupted(world.dynamics, turn, at)
            await world.tell(bodies(told), push=True)
            assert wrong(world, told) == [], at
            assert not await world.parked()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_i4_the_worker_writes_before_any_request_of_the_flow(
    open_world: OpenWorld, variant: str, kind: str
) -> None:
    for at in range(1, FLOW_REQUESTS + 1):
        told, event = story(kind, at)
        async with open_world(variant, pipelines=[PIPELINE]) as world:
            introduced(world, told)
            begun, rest = bodies(told)[:2], bodies(told)[2:]

            async def turn(world: World = world, begun: list[bytes] = begun) -> None:
                await world.tell(begun)

            way = Interrupted(world.dynamics, turn, at)
            made = await answer(event, desk(world, way), ANSWER_S)
            assert made["activityid"], made["reason"]
            await world.tell(begun, rest)
            assert wrong(world, told) == [], at
            assert not await world.parked()


@pytest.mark.parametrize("kind", KINDS)
async def test_i4_a_flow_that_asks_when_all_is_done_changes_nothing(
    open_world: OpenWorld, kind: str
) -> None:
    told, event = story(kind, 1)
    async with open_world("sandbox post refuse", pipelines=[PIPELINE]) as world:
        introduced(world, told)
        await world.tell(bodies(told))
        before = world.rows()
        made = await answer(event, desk(world), ANSWER_S)
        assert made["outcome"] == "Exists"
        assert world.rows() == before


async def test_an_inbound_call_stays_inbound_whoever_is_the_flows_user(
    open_world: OpenWorld,
) -> None:
    """A record of another application user is filled and never overwritten."""
    told, _ = story("voice_inbound", 1)
    key = timeline_id(told.contacts[0].id, "phonecall")
    async with open_world("sandbox post allow", pipelines=[PIPELINE]) as world:
        introduced(world, told)
        assert world.dataverse is not None
        theirs = {"activityid": key, "subject": "Call", "directioncode": False}
        world.dataverse.put("phonecalls", theirs, client_id="another")
        await world.tell(bodies(told))
        call = world.rows()[f"phonecalls({key})"]
        assert (call["subject"], call["directioncode"]) == ("Call", False)
        assert (call["statecode"], call["statuscode"]) == (1, 4)
        assert call["actualstart"]
        assert call["phonenumber"]
