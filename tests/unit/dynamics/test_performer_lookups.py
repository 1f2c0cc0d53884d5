"""The performer asks what a lookup step asks, and reads what a step reads."""

from __future__ import annotations

import orjson

from pipelines.action import Action, Lookup, ReadFile
from pipelines.contact import Contact
from pipelines.entity import entity
from pipelines.lookup import Search, Way, status
from pipelines.settle import settle
from pipelines.template import Template
from twins.dynamics import Failure, ScriptedDynamics, in_turn
from worker.clock import Clock
from worker.dynamics.errors import Refused
from worker.dynamics.performer import Performer
from worker.files import Files, MemoryFiles


KEY = "11111111-0000-4000-8000-000000000001"
STEP = "p/WHO"
WAY = Way("phone", Template("{{CustomerEndpoint}}"), ("telephone1",))


def lookup(number: str) -> Lookup:
    search = Search(entity("contacts"), WAY, number, ("fullname",))
    url = next(iter(search.queries()), "")
    return Lookup(STEP, url, search=search)


async def performed(action: Action, dynamics: ScriptedDynamics, files: Files) -> Contact:
    contact = Contact("c")
    performer = Performer(dynamics, Clock(lambda: 0.0), files)
    settle(contact, action, await performer.perform(action, timeout_s=1))
    return contact


async def test_what_a_lookup_finds_is_kept_for_later_steps() -> None:
    dynamics = ScriptedDynamics()
    row = {"contactid": KEY, "telephone1": "+4930901820", "fullname": "Ada", "statecode": 0}
    dynamics.records["contacts", KEY] = row
    contact = await performed(lookup("+4930901820"), dynamics, MemoryFiles())
    found = {"contactid": KEY, "fullname": "Ada"} | status("SingleMatch")
    assert contact.lookups[STEP]["answer"] == found


async def test_a_lookup_of_nobody_s_value_is_answered_without_a_request() -> None:
    dynamics = ScriptedDynamics()
    contact = await performed(lookup("anonymous"), dynamics, MemoryFiles())
    assert contact.lookups[STEP]["answer"] == status("NoMatch")
    assert dynamics.requests == []


async def test_a_lookup_that_dynamics_refuses_is_parked_with_its_query() -> None:
    dynamics = ScriptedDynamics(
        script=in_turn(None, Failure(Refused("400", status=400, code="0x1")))
    )
    contact = await performed(lookup("+4930901820"), dynamics, MemoryFiles())
    assert contact.parked[STEP].request["path"].startswith("contacts?$select=")
    assert contact.lookups == {}


async def test_a_query_of_a_pipeline_that_dynamics_throttles_finds_nobody() -> None:
    throttled = Failure(Refused("429", status=429, code="0x80048544"))
    dynamics = ScriptedDynamics(script=in_turn(throttled))
    contact = await performed(Lookup(STEP, "contacts?$top=1"), dynamics, MemoryFiles())
    assert contact.lookups[STEP]["answer"] == status("NoMatch")


async def test_of_a_file_only_what_later_steps_name_is_kept() -> None:
    content = {"Transcript": [{"ParticipantId": "AGENT", "Content": "Hi"}]}
    files = MemoryFiles({("b", "k"): orjson.dumps(content)})
    for returning, kept in ((("transcript",), {"transcript": "AGENT: Hi"}), (("summary",), {})):
        write = ReadFile(STEP, "b", "k", returning)
        contact = await performed(write, ScriptedDynamics(), files)
        assert contact.lookups[STEP]["answer"] == kept
