"""Asking Dynamics: query by query, remembered for seconds, errors never."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.entity import entity
from pipelines.lookup import Search, Way
from pipelines.template import Template
from twins.clock import Turned
from worker.dynamics.errors import Unavailable
from worker.dynamics.lookup import MOST_REMEMBERED, REMEMBERED_S, Remembered, look_up
from worker.dynamics.memory import Failure, MemoryDynamics, in_turn


KEY = "11111111-0000-4000-8000-000000000001"
WAY = Way("phone", Template("{{CustomerEndpoint}}"), ("telephone1",), suffix=8)


@pytest.fixture
def dynamics() -> MemoryDynamics:
    return MemoryDynamics()


def know(dynamics: MemoryDynamics, key: str, number: str) -> None:
    dynamics.records["contacts", key] = {"contactid": key, "telephone1": number, "statecode": 0}


def sought(number: str = "+4930901820") -> Search:
    return Search(entity("contacts"), WAY, number)


async def ask(dynamics: MemoryDynamics, search: Search, remembered: Remembered) -> Any:
    return (await look_up(dynamics, search, remembered, timeout_s=1))["outcome"]


async def test_an_answer_is_remembered_for_some_seconds(dynamics: MemoryDynamics) -> None:
    clock = Turned()
    remembered = Remembered(clock)
    know(dynamics, KEY, "+49 30 901820")
    assert await ask(dynamics, sought(), remembered) == "SingleMatch"
    asked = len(dynamics.requests)
    dynamics.delete("contacts", KEY)
    assert await ask(dynamics, sought("0049 30 901820"), remembered) == "SingleMatch"
    assert len(dynamics.requests) == asked
    clock.now = REMEMBERED_S
    assert await ask(dynamics, sought(), remembered) == "NoMatch"


async def test_what_is_done_with_an_answer_does_not_change_what_is_remembered() -> None:
    remembered = Remembered()
    remembered.put(("q",), {"outcome": "NoMatch"})
    (remembered.get(("q",)) or {}).clear()
    assert remembered.get(("q",)) == {"outcome": "NoMatch"}


async def test_an_error_is_not_remembered(dynamics: MemoryDynamics) -> None:
    remembered = Remembered()
    dynamics.script = in_turn(None, Failure(Unavailable("no answer")))
    know(dynamics, KEY, "+4930901820")
    with pytest.raises(Unavailable):
        await ask(dynamics, sought(), remembered)
    assert await ask(dynamics, sought(), remembered) == "SingleMatch"


def test_no_more_than_so_many_answers_are_remembered() -> None:
    remembered = Remembered()
    for n in range(MOST_REMEMBERED + 1):
        remembered.put((str(n),), {})
    assert remembered.get(("0",)) is None
    assert remembered.get(("1",)) == {}
    assert len(remembered._answers) == MOST_REMEMBERED


async def test_several_whole_numbers_need_no_second_query(dynamics: MemoryDynamics) -> None:
    for key in (KEY, KEY.replace("1", "2")):
        know(dynamics, key, "+4930901820")
    assert await ask(dynamics, sought(), Remembered()) == "MultiMatch"
    assert len(dynamics.requests) == 1


async def test_a_value_that_is_nobody_s_needs_no_query_at_all(dynamics: MemoryDynamics) -> None:
    assert await ask(dynamics, sought("anonymous"), Remembered()) == "NoMatch"
    assert dynamics.requests == []
