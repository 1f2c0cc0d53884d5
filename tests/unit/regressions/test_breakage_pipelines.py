"""What an attacker or a bad day does to pipelines: values, changed steps, texts, attributes."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import pytest

from pipelines import ledger
from pipelines.action import Change, Verb
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.outcome import Done
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.settle import settle
from twins.calls import Call
from twins.site import Site
from worker.definitions import find, shipped


MakeCalls = Callable[[int], list[Call]]
MakePipeline = Callable[[str], list[Pipeline]]

Makes = Callable[..., Fact]

# --- values of any kind ---------------------------------------------------------------------------

CALL = """
[[step]]
name = "{name}"
on = "created"
method = "POST"
entity = "{table}"
body = '''{{"subject": "Call", "category": "{category}"{more}}}'''
"""
END = """
[[step]]
name = "END"
on = "ended"
method = "PATCH"
entity = "{table}"
query = "({{{{{name}-Response.activityid}}}})"
body = '''{{"actualend": "{{{{DisconnectTimestamp}}}}"}}'''
"""


def steps(name: str, table: str = "phonecalls", category: str = "c", more: str = "") -> str:
    return CALL.format(name=name, table=table, category=category, more=more) + END.format(
        name=name, table=table
    )


@pytest.mark.parametrize(
    "filtered",
    ["minutes", "plus: 1", "times: 10", "floor", "times: -1 | abs", "divided_by: 0", "date: '%Y'"],
)
async def test_a_number_of_22_digits_that_a_caller_typed_stops_no_contact(
    calls: MakeCalls,
    pipeline: MakePipeline,
    filtered: str,
) -> None:
    column = "description" if filtered.startswith("date") else "actualdurationminutes"
    body = steps("CALL", more=f', "{column}": "{{{{ Attributes.n | {filtered} }}}}"')
    site = Site(pipelines=pipeline(body))
    typed, other = calls(2)
    site.stream.put(typed.record(Attributes={"n": "9" * 22}))
    site.stream.put(other.record(Attributes={"n": "61"}))
    await site.run(5)
    assert [call["subject"] for call in site.calls] == ["Call", "Call"]
    assert column not in site.calls[0]
    assert await site.store.parked("", 10) == []


@pytest.mark.parametrize(
    "said", [{"attributes": "x"}, {"initialContactId": {}}, {"attributes": {"a": {}}}]
)
async def test_an_event_whose_members_are_of_another_kind_stops_no_contact(
    call: Call, said: dict[str, Any]
) -> None:
    site = Site(pipelines=[find("timeline")])
    site.stream.put(call.begun(**said), call.answered(**said))
    await site.run(5)
    assert len(site.calls) == 1


# --- steps that changed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "table"), [("RENAMED", "phonecalls"), ("call", "phonecalls"), ("CALL", "tasks")]
)
async def test_a_creating_step_that_changed_makes_no_second_record(
    calls: MakeCalls,
    pipeline: MakePipeline,
    name: str,
    table: str,
) -> None:
    site = Site(pipelines=pipeline(steps("CALL")))
    told = calls(3)
    site.stream.put(*[call.begun() for call in told])
    await site.run(5)
    before = set(site.dynamics.records)
    site.pipelines = pipeline(steps(name, table))
    site.stream.put(*[call.ended() for call in told])
    await site.run(5)
    assert set(site.dynamics.records) == before
    ended = sum("actualend" in call for call in site.calls)
    assert ended == (3 if table == "phonecalls" else 0)


async def test_a_removed_column_and_a_removed_step_send_no_null(
    call: Call, pipeline: MakePipeline
) -> None:
    site = Site(pipelines=pipeline(steps("CALL", more=', "description": "kept"')))
    site.stream.put(call.begun(), call.ended())
    await site.run(5)
    site.pipelines = pipeline(CALL.format(name="CALL", table="phonecalls", category="c", more=""))
    site.stream.put(call.record())
    await site.run(5)
    (made,) = site.calls
    assert made["description"] == "kept"
    assert made["actualend"] == "2026-01-02T03:04:05Z"
    assert site.sent == ["POST"]


# --- what customers say ---------------------------------------------------------------------------

HTML = """<img src=https://evil.example/x><a href="https://evil.example">pay & 'go'</a>"""


def test_what_a_customer_said_stands_in_a_note_as_text(
    record: Makes, stored: Makes, told: Callable[..., Contact]
) -> None:
    contact = told(record())
    contact.observe(
        stored(f"Analysis/Voice/2026/01/02/{contact.id}_analysis_2026-01-02T03:00:20Z.json")
    )
    notes = []
    for _ in range(4):
        for write in plan(contact, [find("timeline")], 0.0, Terms()).actions:
            if isinstance(write, Change) and write.entity == "annotations":
                notes.append(write.columns["notetext"])
            settle(contact, write, Done({"transcript": HTML}))
    assert notes == [escape(HTML)]
    assert "<" not in notes[0]


def test_plain_text_columns_get_what_was_said_as_it_is(
    record: Makes, told: Callable[..., Contact]
) -> None:
    contact = told(record(Attributes={"CallReason": "<b> & 'x'"}))
    for _ in range(3):
        for write in plan(contact, [find("timeline")], 0.0, Terms()).actions:
            settle(contact, write, Done())
            if isinstance(write, Change) and write.verb is Verb.CREATE:
                assert write.columns["category"] == "<b> & 'x'"
                return
    raise AssertionError("no call was made")


@pytest.mark.parametrize("name", shipped())
def test_shipped_definitions_escape_where_the_column_is_rich_text(name: str) -> None:
    assert [text for text in find(name).warnings() if "HTML" in text] == []


# --- attributes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("attributes", [{"Reason": {}}, {"Reason": []}, {"Reason": 1}, [], "x", {}])
async def test_an_attribute_that_is_no_text_does_not_stop_the_write_back(
    call: Call, attributes: Any
) -> None:
    site = Site(pipelines=[find("timeline")])
    site.stream.put(call.begun(attributes=attributes), call.answered(attributes=attributes))
    await site.run(5)
    (entry,) = await site.store.load([call.id])
    (told,) = [r for name, r in entry.contact.ledger.items() if name.startswith("attributes(")]
    assert told.columns["ms_entityrecord_entity_name"] == ledger.digest("phonecall")
    site.stream.put(call.record(Attributes=attributes))
    await site.run(5)
    (made,) = site.calls
    assert made["actualend"] == "2026-01-02T03:04:05Z"
