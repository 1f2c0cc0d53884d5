"""Asking Dynamics: query by query, remembered for seconds, errors never."""

from __future__ import annotations

import asyncio

from dataclasses import replace
from typing import Any

import pytest

from pipelines.entity import Entity, entity
from pipelines.formats import MOST_FORMATS
from pipelines.lookup import Search, Way
from pipelines.template import Template
from twins.clock import Turned
from twins.dynamics import Failure, ScriptedDynamics, in_turn
from worker.dynamics.classify import QUERY_THROTTLED
from worker.dynamics.errors import Refused, Unavailable
from worker.dynamics.lookup import (
    FORMATS_S,
    REMEMBERED_S,
    SAMPLE_ROWS,
    Lookups,
    look_up,
    make_lookups,
)
from worker.dynamics.metadata import KnownTables


KEY = "11111111-0000-4000-8000-000000000001"
WAY = Way("phone", Template("{{CustomerEndpoint}}"), ("telephone1",), suffix=8)


@pytest.fixture
def dynamics() -> ScriptedDynamics:
    return ScriptedDynamics()


def know(dynamics: ScriptedDynamics, key: str, number: str) -> None:
    dynamics.records["contacts", key] = {"contactid": key, "telephone1": number, "statecode": 0}


def sought(number: str = "+4930901820") -> Search:
    return Search(entity("contacts"), WAY, number)


async def ask(dynamics: ScriptedDynamics, search: Search, remembered: Lookups) -> Any:
    return (await look_up(dynamics, search, remembered, timeout_s=1))["outcome"]


async def test_an_answer_is_remembered_for_some_seconds(dynamics: ScriptedDynamics) -> None:
    time = Turned()
    remembered = make_lookups(time.clock())
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
    remembered = make_lookups()
    (await look_up(dynamics, sought(), remembered, timeout_s=1)).clear()
    assert await ask(dynamics, sought(), remembered) == "NoMatch"


async def test_contacts_that_ask_the_same_at_once_ask_dynamics_once(
    dynamics: ScriptedDynamics,
) -> None:
    know(dynamics, KEY, "+4930901820")
    remembered = make_lookups()
    await ask(dynamics, sought(), make_lookups())
    alone = len(dynamics.requests)
    found = await asyncio.gather(*(ask(dynamics, sought(), remembered) for _ in range(5)))
    assert found == ["SingleMatch"] * 5
    assert len(dynamics.requests) == 2 * alone


async def test_an_error_is_not_remembered(dynamics: ScriptedDynamics) -> None:
    remembered = make_lookups()
    dynamics.script = in_turn(None, Failure(Unavailable("no answer")))
    know(dynamics, KEY, "+4930901820")
    with pytest.raises(Unavailable):
        await ask(dynamics, sought(), remembered)
    assert await ask(dynamics, sought(), remembered) == "SingleMatch"


async def test_several_whole_numbers_need_no_second_query(dynamics: ScriptedDynamics) -> None:
    for key in (KEY, KEY.replace("1", "2")):
        know(dynamics, key, "+4930901820")
    lookups = make_lookups(wildcard=True)
    await ask(dynamics, sought("+4930901821"), lookups)  # learns how numbers are written
    dynamics.requests.clear()
    assert await ask(dynamics, sought(), lookups) == "MultiMatch"
    assert len(dynamics.requests) == 1 + len(samples(dynamics))


async def test_a_value_that_is_nobody_s_needs_no_query_at_all(dynamics: ScriptedDynamics) -> None:
    assert await ask(dynamics, sought("anonymous"), make_lookups()) == "NoMatch"
    assert dynamics.requests == []


# --- how numbers are written ----------------------------------------------------------------------


def samples(dynamics: ScriptedDynamics) -> list[str]:
    return [one.path for one in dynamics.requests if "ne%20null" in one.path]


async def test_how_numbers_are_written_is_read_once_a_day_in_a_large_table(
    dynamics: ScriptedDynamics,
) -> None:
    time = Turned()
    lookups = make_lookups(time.clock())
    for n in range(SAMPLE_ROWS):
        know(dynamics, f"{KEY[:-3]}{n:03}", f"+49 30 {n:06}")
    for n in range(5):
        time.now = n * REMEMBERED_S * 2
        assert await ask(dynamics, sought(f"+4930{n:06}"), lookups) == "SingleMatch"
    (sample,) = samples(dynamics)
    there = "contacts?$select=telephone1&$filter=telephone1%20ne%20null"
    assert sample == f"{there}&$top={SAMPLE_ROWS}"
    time.now = FORMATS_S
    await ask(dynamics, sought(), lookups)
    assert len(samples(dynamics)) == 2


async def test_in_a_small_table_a_new_way_to_write_numbers_is_known_at_once(
    dynamics: ScriptedDynamics,
) -> None:
    lookups = make_lookups()
    know(dynamics, KEY, "+49 30/901820")
    assert await ask(dynamics, sought(), lookups) == "SingleMatch"
    know(dynamics, KEY.replace("1", "2"), "+49 30-90 18 21")
    assert await ask(dynamics, sought("+4930901821"), lookups) == "SingleMatch"


async def test_a_second_customer_whose_number_is_the_first_that_is_written_so_is_not_overlooked(
    dynamics: ScriptedDynamics,
) -> None:
    lookups = make_lookups()
    know(dynamics, KEY, "+4930901820")
    assert await ask(dynamics, sought("+4930901821"), lookups) == "NoMatch"
    know(dynamics, KEY.replace("1", "2"), "+49 30-90 18 20")
    assert await ask(dynamics, sought(), lookups) == "MultiMatch"


async def test_who_is_found_is_not_said_while_it_is_not_known_how_numbers_are_written(
    dynamics: ScriptedDynamics,
) -> None:
    """There may be a second customer with the number."""
    lookups = make_lookups()
    dynamics.script = in_turn(Failure(Unavailable("no answer")))
    know(dynamics, KEY, "+4930901820")
    know(dynamics, KEY.replace("1", "2"), "+49 30-90 18 20")
    with pytest.raises(Unavailable):
        await ask(dynamics, sought(), lookups)
    assert await ask(dynamics, sought(), lookups) == "MultiMatch"


async def test_a_lookup_goes_on_without_being_told_how_numbers_are_written(
    dynamics: ScriptedDynamics,
) -> None:
    error = Refused("400", status=400, code="0x80048544")
    lookups = make_lookups()
    dynamics.script = in_turn(Failure(error))
    know(dynamics, KEY, "+4930901820")
    assert await ask(dynamics, sought(), lookups) == "SingleMatch"
    assert await ask(dynamics, sought("+4930901821"), lookups) == "NoMatch"
    assert len(samples(dynamics)) == 1  # it is not asked with each lookup what was refused just now


@pytest.mark.parametrize("code", sorted(QUERY_THROTTLED))
async def test_a_throttled_query_falls_back_to_the_plain_spellings_and_then_finds_nobody(
    dynamics: ScriptedDynamics, code: str
) -> None:
    know(dynamics, KEY, "+4930901820")
    know(dynamics, KEY.replace("1", "2"), "+49 30 901821")
    throttled = Failure(Refused("429", status=429, code=code))
    dynamics.script = in_turn(None, throttled)
    assert await ask(dynamics, sought(), make_lookups()) == "SingleMatch"
    dynamics.script = in_turn(None, throttled, throttled)
    assert await ask(dynamics, sought(), make_lookups()) == "NoMatch"


async def test_what_is_refused_for_another_reason_is_refused(dynamics: ScriptedDynamics) -> None:
    dynamics.script = in_turn(None, Failure(Refused("400", status=400, code="0x80060888")))
    with pytest.raises(Refused):
        await ask(dynamics, sought(), make_lookups())


async def test_no_more_is_asked_than_a_request_can_hold(dynamics: ScriptedDynamics) -> None:
    columns = tuple(f"telephone{n % 3 + 1}" for n in range(40))
    way = Way("phone", Template("{{CustomerEndpoint}}"), columns, suffix=8)
    for n in range(MOST_FORMATS):
        know(dynamics, f"{KEY[:-3]}{n:03}", f"+49 30{' ' * n}90{' ' * n}1820")
    await ask(dynamics, Search(entity("contacts"), way, "+4930901820"), make_lookups())
    assert max(len(one.path) for one in dynamics.requests) < 32_768


async def test_a_column_that_is_newer_than_what_is_known_of_its_table_is_learnt_anew(
    dynamics: ScriptedDynamics,
) -> None:
    class Learning(KnownTables):
        async def learn(self, entity_set: str, *, anew: bool = False) -> Entity:
            types = {"importsequencenumber": "Integer"} if anew else {}
            return replace(entity(entity_set), types=types)

    way = Way("attribute", Template("{{Attributes.no}}"), ("importsequencenumber",))
    search = Search(entity("contacts"), way, "123")
    refused = Failure(Refused("400", status=400, code="0x80060888"))
    dynamics.script = lambda request: (
        refused if "%27123%27" in request.path or "'123'" in request.path else None
    )
    row = {"contactid": KEY, "importsequencenumber": 123, "statecode": 0}
    dynamics.records["contacts", KEY] = row
    found = await look_up(dynamics, search, make_lookups(), Learning(), timeout_s=1)
    assert found["outcome"] == "SingleMatch"
