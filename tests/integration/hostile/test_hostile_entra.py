"""Entra answers badly, by the lines of the table."""

from __future__ import annotations

import time

from typing import Final

import pytest

from hostile.behaviours import OWN, Behaviour
from hostile.lines import all_in_order, happened, lines
from hostile.world import World, ended, until


pytestmark = [pytest.mark.services, pytest.mark.asyncio(loop_scope="module")]

#: Each has its pauses, so there are few; all the others are tried in ``test_fuzz_push`` too.
COMMON_HERE: Final = frozenset(("tls_alert_on_established",))
OWN_HERE: Final = frozenset(
    (
        *("discovery_null", "discovery_302", "token_without_expires_in", "token_1e999"),
        *("token_drips", "token_bomb"),
    )
)

#: From SIGTERM to the end (s), as the worker's settings have it, and how exactly.
DRAIN_S: Final = 3.0
SPARE_S: Final = 3.0

(DRIPS,) = (line for line in OWN["entra"] if line.name == "token_drips")


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"CONNECT_DYNAMICS_DRAIN_S": str(DRAIN_S)}


@pytest.mark.parametrize("line", lines("entra", COMMON_HERE, OWN_HERE))
async def test_calls_are_written_whatever_entra_answers_once(scene: World, line: Behaviour) -> None:
    worker = await scene.worker()
    async with scene.spoiled("entra", line, times=1):
        scene.dataverse.tokens.revoke()
        calls = await scene.calls(1)
        await scene.tell(calls)
        await until(lambda: happened(scene, "entra", line), worker)
        await scene.written(calls, worker)  # also while an answer still drips


async def test_while_entras_answer_drips_the_worker_ends_in_time(scene: World) -> None:
    worker = await scene.worker()
    async with scene.spoiled("entra", DRIPS, times=5):
        scene.dataverse.tokens.revoke()
        calls = await scene.calls(1)
        await scene.tell(calls)
        await until(lambda: happened(scene, "entra", DRIPS), worker)
        begin = time.monotonic()
        assert await ended(worker) == 0
        assert time.monotonic() - begin < DRAIN_S + SPARE_S
    await scene.written(calls, await scene.worker())


async def test_after_a_hostile_entra_the_worker_ends_well_and_has_said_nothing_of_people(
    scene: World,
) -> None:
    await all_in_order(scene)
