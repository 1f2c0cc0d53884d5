"""The writer asks what a lookup step asks, and reads what a step reads."""

from __future__ import annotations

from typing import Any

import orjson

from pipelines.contact import Contact
from pipelines.entity import entity
from pipelines.lookup import Search, Way, status
from pipelines.template import Template
from pipelines.write import Kind, Write
from worker.dynamics.errors import Refused
from worker.dynamics.memory import Failure, MemoryDynamics, in_turn
from worker.dynamics.writer import Writer
from worker.files import MemoryFiles


KEY = "11111111-0000-4000-8000-000000000001"
STEP = "p/WHO"
WAY = Way("phone", Template("{{CustomerEndpoint}}"), ("telephone1",))


def lookup(number: str) -> Write:
    search = Search(entity("contacts"), WAY, number, ("fullname",))
    url = next(iter(search.queries()), "")
    return Write(Kind.LOOKUP, (STEP,), entity="contacts", url=url, search=search)


async def performed(write: Write, dynamics: MemoryDynamics, **more: Any) -> Contact:
    contact = Contact("c")
    await Writer(dynamics, lambda: 0.0, **more).perform(contact, write, timeout_s=1)
    return contact


async def test_what_a_lookup_finds_is_kept_for_later_steps() -> None:
    dynamics = MemoryDynamics()
    row = {"contactid": KEY, "telephone1": "+4930901820", "fullname": "Ada", "statecode": 0}
    dynamics.records["contacts", KEY] = row
    contact = await performed(lookup("+4930901820"), dynamics)
    found = {"contactid": KEY, "fullname": "Ada"} | status("SingleMatch")
    assert contact.lookups[STEP]["answer"] == found


async def test_a_lookup_of_nobody_s_value_is_answered_without_a_request() -> None:
    dynamics = MemoryDynamics()
    contact = await performed(lookup("anonymous"), dynamics)
    assert contact.lookups[STEP]["answer"] == status("NoMatch")
    assert dynamics.requests == []


async def test_a_lookup_that_dynamics_refuses_is_parked_with_its_query() -> None:
    dynamics = MemoryDynamics(script=in_turn(Failure(Refused("400", status=400, code="0x1"))))
    contact = await performed(lookup("+4930901820"), dynamics)
    assert contact.parked[STEP].request["path"].startswith("contacts?$select=")
    assert contact.lookups == {}


async def test_of_a_file_only_what_later_steps_name_is_kept() -> None:
    content = {"Transcript": [{"ParticipantId": "AGENT", "Content": "Hi"}]}
    files = MemoryFiles({("b", "k"): orjson.dumps(content)})
    url = "s3://b/k"
    for returning, kept in ((("transcript",), {"transcript": "AGENT: Hi"}), (("summary",), {})):
        write = Write(Kind.LOOKUP, (STEP,), url=url, file=("b", "k"), returning=returning)
        contact = await performed(write, MemoryDynamics(), files=files)
        assert contact.lookups[STEP]["answer"] == kept
