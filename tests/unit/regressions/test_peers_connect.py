"""What broke in other consumers of Amazon Connect's data: records, events, recordings.

tests/README.md names the products, and tests of the same kind in other folders.
"""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.dynamics import Failure
from twins.site import Site
from worker.definitions import find
from worker.dynamics.errors import Refused


MakePipeline = Callable[[str], list[Pipeline]]

#: After so long (s) nothing is waited for any more: the call is closed.
LATER_S = 20 * 60.0

AGENT = {"Username": "ada", "ConnectedToAgentTimestamp": "2026-01-02T03:00:10Z"}
URL = "https://recordings.s3.eu-central-1.amazonaws.com/connect/acme/2026/01/02/"

#: In place of a field's value: the field is not there at all.
ABSENT = ...


async def test_attributes_that_connect_sends_back_to_us_are_written_once(call: Call) -> None:
    """Whoever writes attributes gets an event and a new contact record for it: no endless loop."""
    site = Site()

    def echo() -> None:
        said = {"OpenUrl": site.desktop.opened[-1].url}
        site.stream.put(call.event("CONTACT_DATA_UPDATED", updatedProperties=["Attributes"]))
        minute = len(site.desktop.opened)
        updated = f"2026-01-02T03:0{minute}:00Z"
        site.stream.put(call.record(Attributes=said, LastUpdateTimestamp=updated))

    site.desktop.then = echo
    await asyncio.sleep(12)
    site.stream.put(call.begun(), call.answered())
    await site.run_on_and_off(LATER_S)
    assert len(site.desktop.opened) == 1
    sent = len(site.dynamics.requests)
    again = "2026-01-02T03:09:00Z"
    site.stream.put(call.record(Attributes={"OpenUrl": "x"}, LastUpdateTimestamp=again))
    await site.run_on_and_off(LATER_S)
    assert len(site.dynamics.requests) == sent


@pytest.mark.parametrize("agent", [AGENT, None, ABSENT], ids=["agent", "null", "absent"])
@pytest.mark.parametrize(
    ("one", "many"), [(None, []), (None, None), (ABSENT, ABSENT)], ids=["empty", "null", "absent"]
)
async def test_a_call_is_complete_without_a_recording_that_is_told_of_later(
    call: Call, *, agent: Any, one: Any, many: Any
) -> None:
    """Records may name a recording, none, or an empty list, with an agent or without."""
    site = Site()
    site.stream.put(call.record(Agent=agent, Recording=one, Recordings=many))
    await site.run_on_and_off(LATER_S)
    (made,) = site.calls
    assert (made["phonenumber"], made["actualdurationminutes"]) == ("+15550100200", 5)
    assert (made["statecode"], made.get("description")) == (1, None)
    site.stream.put(call.recorded())
    await site.run(5)
    (made,) = site.calls
    name = f"{call.id}_20260102T03%3A00_UTC.wav"
    assert made["description"] == f"Your Recording URI is {URL}{name}"
    assert made["statecode"] == 1


CALL = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"phonenumber": "{{CustomerEndpoint}}"}'
[[step]]
name = "RECORDING"
on = "recording"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"description": "{{objectUri}}"}'
"""
ON_THE_CALL = """
[[step]]
name = "ANALYSIS"
on = "analysis"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"new_analysis": "{{objectUri}}"}'
"""
ON_ITS_OWN = """
[[step]]
name = "ANALYSIS"
on = "analysis"
method = "POST"
entity = "tasks"
body = '{"new_analysis": "{{objectUri}}"}'
"""


@pytest.mark.parametrize("step", [ON_THE_CALL, ON_ITS_OWN], ids=["on the call", "on its own"])
async def test_an_analysis_that_dynamics_refuses_leaves_the_call_intact(
    pipeline: MakePipeline, call: Call, step: str
) -> None:
    """It is parked. Only what goes to that very record waits for the operator with it."""
    site = Site(pipelines=pipeline(CALL + step))
    unknown = Failure(Refused("answered 400", status=400, code="0x80048d19"))
    site.dynamics.script = lambda request: (
        unknown if "new_analysis" in (request.body or {}) else None
    )
    site.stream.put(call.record())
    await site.run(5)
    site.stream.put(call.stored("analysis_2026-01-02T03:05:30Z.json"))
    await site.run(5)
    site.stream.put(call.recorded())
    await site.run(5)
    (made,) = site.calls
    assert made["phonenumber"] == "+15550100200"
    assert ("description" in made) is (step == ON_ITS_OWN)
    assert await site.store.parked("", 10) == [call.id]


@pytest.mark.parametrize("method", ["INBOUND", "OUTBOUND"])
@pytest.mark.parametrize(
    "changed",
    [
        {"CustomerEndpoint": None},
        {"CustomerEndpoint": ABSENT},
        {"CustomerEndpoint": {}},
        {"CustomerEndpoint": ABSENT, "CustomerEndPoint2": {"Address": "+1"}, "Queue": ABSENT},
    ],
    ids=["null", "absent", "empty", "renamed"],
)
async def test_of_a_record_without_a_number_the_rest_is_written(
    call: Call, method: str, changed: dict[str, Any]
) -> None:
    """Fields may be missing, null, empty or renamed."""
    site = Site()
    site.stream.put(call.record(InitiationMethod=method, Agent=AGENT, **changed))
    await site.run(5)
    (made,) = site.calls
    assert made["subject"] == "Call between ada and unknown number"
    assert made.get("phonenumber") is None
    assert made["directioncode"] is (method == "OUTBOUND")
    assert made["actualend"] == "2026-01-02T03:04:05Z"


async def test_a_call_given_up_in_the_ivr_is_there_minutes_before_its_record(call: Call) -> None:
    """The record comes a minute or two after the end; events are enough until then."""
    site = Site()
    site.stream.put(call.begun(), call.ended())
    await site.run(3)
    (live,) = site.calls
    assert (live["actualend"], live.get("phonenumber")) == ("2026-01-02T03:04:05Z", None)
    await asyncio.sleep(120)
    site.stream.put(call.record())
    await site.run_on_and_off(LATER_S)
    (made,) = site.calls
    assert made["phonenumber"] == "+15550100200"
    assert made["statecode"] == 1
    assert site.sent.count("POST") == 1


@pytest.mark.parametrize(
    "name", ["Kundenservice Zürich/Süd", "支援 📞 #1", "דלפק 'א' \"ב\"", "{{Agent}} %7B $1\\n"]
)
async def test_any_queue_name_arrives_as_it_is(call: Call, name: str) -> None:
    """Names in any script, with quotes, braces and characters beyond 16 bits."""
    site = Site()
    queue = {"Name": name, "EnqueueTimestamp": "2026-01-02T03:00:05Z"}
    site.stream.put(call.record(Queue=queue))
    await site.run(5)
    assert [made["subcategory"] for made in site.calls] == [name]


async def test_a_transcript_stored_again_is_one_note_and_its_backup_none(call: Call) -> None:
    """The chat-redaction sample overwrites the transcript and keeps a ``.backup`` beside it."""
    site = Site(pipelines=[find("chat")])
    transcript = "20260102T03:00_UTC.json"
    site.stream.put(call.record(Channel="CHAT"), call.stored(transcript, "0A"))
    await site.run(5)
    sent = len(site.dynamics.requests)
    site.stream.put(call.stored(f"{transcript}.backup", "0B"), call.stored(transcript, "0C"))
    await site.run_on_and_off(LATER_S)
    (made,) = site.dynamics.records.values()
    assert made["description"].endswith("_UTC.json")
    assert len(site.dynamics.requests) == sent
    assert site.tally.ignored == {"object that is not Amazon Connect's": 1}


async def test_an_event_that_both_regions_deliver_has_one_effect(call: Call) -> None:
    """Global Resiliency publishes a contact's events in both Regions, under two instances."""
    site = Site()
    for region in ("eu-central-1", "eu-west-2", "eu-central-1"):
        arn = f"arn:aws:connect:{region}:1:instance/{region}"
        event = orjson.loads(call.begun(instanceArn=arn))
        site.stream.put(orjson.dumps({**event, "region": region, "id": region}))
        await site.run(5)
    assert site.sent == ["POST"]
