"""The live contact centre with the worker in the loop: what it finds out is in the softphone."""

from __future__ import annotations

import asyncio
import time

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from worker.sandbox.browser.exchange import Exchange
from worker.sandbox.browser.outbox import Pace
from worker.sandbox.browser.softphone import Softphone
from worker.sandbox.demo.stage import Stage, stage
from worker.sandbox.oracle.callers import known, shared, unknown
from worker.sandbox.oracle.customers import introduce
from worker.sandbox.oracle.verdict import differences, expected
from worker.sandbox.traffic import Leg, SentMessage


pytestmark = pytest.mark.services

MARIA, TOM, LENA = "maria.keller", "tom.okafor", "lena.fischer"

#: How long the worker may take for anything (s).
LIMIT_S = 40.0

PACE = Pace(record=1, recording=1)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "nothing came of it in time"
        await asyncio.sleep(0.1)


def live(running: Stage, softphone: Softphone) -> Exchange:
    """A contact centre whose messages go to the worker's streams."""

    async def send(message: SentMessage) -> None:
        await running.cloud.put([message])

    return Exchange(
        softphone,
        running.amazon,
        send,
        lambda who: introduce(running.dataverse, [who]),
        rng=Random(11),
        pace=PACE,
    )


@dataclass
class Floor:
    """Agents at work."""

    exchange: Exchange

    async def answer(self, agent: str, leg: Leg) -> Leg:
        """Wait for the ring, answer, wait for the connection."""
        await until(lambda: leg.id in self._states(agent))
        self.exchange.softphone.accept(agent, leg.id)
        await self.connected(agent, leg)
        return leg

    async def connected(self, agent: str, leg: Leg) -> None:
        """Wait until agent and customer are connected."""
        await until(lambda: self._states(agent).get(leg.id) == "connected")

    def close(self, agent: str, leg: Leg) -> None:
        """End what goes on, and close it."""
        if self._states(agent)[leg.id] == "connected":
            self.exchange.softphone.hang_up(agent, leg.id)
        self.exchange.softphone.clear(agent, leg.id)

    def _states(self, agent: str) -> dict[str, str]:
        return {one.id: one.state for one in self.exchange.softphone.contacts(agent)}


@pytest.mark.timeout(300)
async def test_what_agents_do_is_in_dynamics_and_what_the_worker_finds_in_the_softphone(
    tmp_path: Path,
) -> None:
    softphone = Softphone()
    async with stage(tmp_path) as running:
        await until(lambda: any(line["event"] == "service.started" for line in running.log()))
        exchange = live(running, softphone)
        sending = asyncio.create_task(exchange.run())
        for agent in (MARIA, TOM, LENA):
            softphone.sign_in(agent)
        await told_to_the_agent(exchange)
        await played(exchange)

        def different() -> list[str]:
            wanted = expected(exchange.legs, site=running.url)
            return list(differences(wanted, running.dataverse.dump()))

        with suppress(AssertionError):  # what is missing says more
            await until(lambda: not different())
        assert different() == []
        assert [one.reason for one in await running.store.quarantined("", 9)] == []
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


async def told_to_the_agent(exchange: Exchange) -> None:
    """A call whose customer the worker finds, handed on to a colleague in mid-call."""
    floor, softphone = Floor(exchange), exchange.softphone
    who = known(exchange.rng)
    leg = await floor.answer(MARIA, exchange.call(who, MARIA))
    await until(lambda: softphone.attributes(leg.id).get("ms_id") == leg.id)
    assert softphone.attributes(leg.id)["ms_contact_id"] == who.contact_id
    second = await floor.answer(TOM, exchange.transfer(leg, TOM))
    floor.close(MARIA, leg)
    await until(lambda: softphone.attributes(leg.id).get("ms_id") == second.id)
    third = await floor.answer(MARIA, exchange.conference(second, MARIA))
    heard = await floor.answer(LENA, exchange.monitor(third, LENA))
    exchange.hang_up(second)
    for agent, one in ((TOM, second), (MARIA, third), (LENA, heard)):
        floor.close(agent, one)


async def played(exchange: Exchange) -> None:
    """What else there is."""
    floor, rng = Floor(exchange), exchange.rng
    for come, choose in (
        (exchange.chat, known),
        (exchange.task, unknown),
        (exchange.email, shared),
        (exchange.callback, known),
    ):
        floor.close(MARIA, await floor.answer(MARIA, come(choose(rng), MARIA)))
    dialled = exchange.dial(MARIA, unknown(rng).number)
    await floor.connected(MARIA, dialled)
    floor.close(MARIA, dialled)
    given_up = exchange.dial(MARIA, unknown(rng).number)
    floor.exchange.softphone.hang_up(MARIA, given_up.id)
    floor.exchange.softphone.clear(MARIA, given_up.id)
    abandoned = exchange.call(unknown(rng), MARIA)
    await until(lambda: exchange.softphone.contacts(MARIA))
    exchange.hang_up(abandoned)
