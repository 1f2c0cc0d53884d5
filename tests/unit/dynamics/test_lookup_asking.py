"""Asking Dynamics: query by query, remembered for seconds, errors never."""

from __future__ import annotations

import asyncio

from typing import Any

import pytest

from pipelines.entity import entity
from pipelines.lookup import Search, Way
from pipelines.template import Template
from twins.clock import Turned
from twins.dynamics import Failure, ScriptedDynamics, in_turn
from worker.dynamics.errors import Unavailable
from worker.dynamics.lookup import REMEMBERED_S, LookupCache, look_up, lookup_cache


KEY = "11111111-0000-4000-8000-000000000001"
WAY = Way("phone", Template("{{CustomerEndpoint}}"), ("telephone1",), suffix=8)


@pytest.fixture
def dynamics() -> ScriptedDynamics:
    return ScriptedDynamics()


def know(dynamics: ScriptedDynamics, key: str, number: str) -> None:
    dynamics.records["contacts", key] = {"contactid": key, "telephone1": number, "statecode": 0}


def sought(number: str = "+4930901820") -> Search:
    return Search(entity("contacts"), WAY, number)


async def ask(dynamics: ScriptedDynamics, search: Search, remembered: LookupCache) -> Any:
    return (await look_up(dynamics, search, remembered, timeout_s=1))["outcome"]


async def test_an_answer_is_remembered_for_some_seconds(dynamics: ScriptedDynamics) -> None:
    time = Turned()
    remembered = lookup_cache(time.clock())
    know(dynamics, KEY, "+49 30 901820")
    assert await ask(dynamics, sought(), remembered) == "SingleMatch"
    asked = len(dynamics.requests)
    dynamics.delete("contacts", KEY)
    assert await ask(dynamics, sought("0049 30 901820"), remembered) == "SingleMatch"
    assert len(dynamics.requests) == asked
    time.now = REMEMBERED_S
    assert await ask(dynamics, sought(), remembered) == "NoMatch"


async def test_what_is_done_with_an_answer_does_not_change_what_is_remembered(
    dynamics: ScriptedDynamics,
) -> None:
    remembered = lookup_cache()
    (await look_up(dynamics, sought(), remembered, timeout_s=1)).clear()
    assert await ask(dynamics, sought(), remembered) == "NoMatch"


async def test_contacts_that_ask_the_same_at_once_ask_dynamics_once(
    dynamics: ScriptedDynamics,
) -> None:
    know(dynamics, KEY, "+4930901820")
    remembered = lookup_cache()
    await ask(dynamics, sought(), lookup_cache())
    alone = len(dynamics.requests)
    found = await asyncio.gather(*(ask(dynamics, sought(), remembered) for _ in range(5)))
    assert found == ["SingleMatch"] * 5
    assert len(dynamics.requests) == 2 * alone


async def test_an_error_is_not_remembered(dynamics: ScriptedDynamics) -> None:
    remembered = lookup_cache()
    dynamics.script = in_turn(None, Failure(Unavailable("no answer")))
    know(dynamics, KEY, "+4930901820")
    with pytest.raises(Unavailable):
        await ask(dynamics, sought(), remembered)
    assert await ask(dynamics, sought(), remembered) == "SingleMatch"


async def test_several_whole_numbers_need_no_second_query(dynamics: ScriptedDynamics) -> None:
    for key in (KEY, KEY.replace("1", "2")):
        know(dynamics, key, "+4930901820")
    assert await ask(dynamics, sought(), lookup_cache()) == "MultiMatch"
    assert len(dynamics.requests) == 1


async def test_a_value_that_is_nobody_s_needs_no_query_at_all(dynamics: ScriptedDynamics) -> None:
    assert await ask(dynamics, sought("anonymous"), lookup_cache()) == "NoMatch"
    assert dynamics.requests == []
