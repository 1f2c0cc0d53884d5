"""The live contact centre with the worker in the loop: what it finds out is in the softphone."""

from __future__ import annotations

import asyncio
import time

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest

from worker.sandbox.browser.exchange import Exchange
from worker.sandbox.browser.outbox import Pace
from worker.sandbox.browser.softphone import Softphone
from worker.sandbox.demo.stage import Stage, stage
from worker.sandbox.oracle.callers import known
from worker.sandbox.oracle.customers import introduce
from worker.sandbox.traffic import Leg, SentMessage


pytestmark = pytest.mark.services

AGENT = "maria.keller"

#: How long the worker may take for anything (s).
LIMIT_S = 40.0

PACE = Pace(record=1, recording=1)

COMPLETED = 1  # an activity's statecode


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


def finished(running: Stage, leg: Leg) -> bool:
    """Whether the call's record in Dynamics is completed and names the recording."""
    recording = leg.key_of("recording") or ""
    return any(
        row["statecode"] == COMPLETED and quote(recording) in row.get("description", "")
        for row in running.dataverse.dump()["phonecalls"]
    )


async def test_what_the_worker_finds_out_of_a_call_is_in_the_softphone_and_in_dynamics(
    tmp_path: Path,
) -> None:
    softphone = Softphone()
    async with stage(tmp_path) as running:
        await until(lambda: any(line["event"] == "service.started" for line in running.log()))
        exchange = live(running, softphone)
        sending = asyncio.create_task(exchange.run())
        softphone.sign_in(AGENT)
        who = known(exchange.rng)
        leg = exchange.call(who)
        await until(lambda: softphone.contacts(AGENT))
        softphone.accept(AGENT, leg.id)
        await until(lambda: softphone.attributes(leg.id).get("ms_id") == leg.id)
        told = softphone.attributes(leg.id)
        assert told["ms_contact_id"] == who.contact_id
        softphone.hang_up(AGENT, leg.id)
        softphone.clear(AGENT, leg.id)
        await until(lambda: finished(running, leg))
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
