"""Pipelines from TOML; what was written for ConnectPath is taken as it is."""

from __future__ import annotations

import json

from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest

from pipelines.action import Change
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.identity import record_id
from pipelines.loader import load
from pipelines.plan import Terms, plan
from pipelines.step import CreateStep, LookupStep, OpenStep, UpdateStep
from pipelines.template import Template
from pipelines.when import parse


Told = Callable[..., Contact]
Makes = Callable[..., Fact]

SHIPPED = (resources.files("pipelines") / "definitions" / "phonecall.toml").read_text("utf-8")

CREATE = """
[[step]]
name = "STEP2"
on = "created"
method = "POST"
entity = "phonecalls"
body = '''{}'''
"""


def one(step: str, head: str = 'name = "p"\n') -> Any:
    return load(head + step)


def writes(text: str, contact: Contact, *, now: float = 0.0, **terms: Any) -> list[Any]:
    return plan(contact, [load(text)], now, Terms(**terms)).actions


# --- what a step is -----------------------------------------------------------------------------


def test_a_step_has_what_its_table_says() -> None:
    text = """
    name = "p"
    description = "said to people"
    when = { Channel = ["VOICE", "Chat"], Outbound = false }

    [[step]]
    name = "WHO"
    description = "who calls"
    on = "created"
    method = "GET"
    entity = "contacts"
    query = "?$filter=telephone1 eq '{{CustomerEndpoint}}'&$select=contactid,fullname"

    [[step]]
    name = "STEP2"
    on = "created"
    method = "POST"
    entity = "phonecalls"
    when = { Queue = "Support", TotalPauseCount = 0 }
    on_missing = "recreate"
    body = '''{"subject": "{{WHO-Response.fullname}}", "prioritycode": 1}'''

    [[step]]
    name = "CLOSE"
    on = "ended"
    after = ["STEP2"]
    within = "1.5h"
    method = "PATCH"
    entity = "phonecalls"
    query = "({{STEP2-Response.activityid}})"
    body = '''{"statecode": 1}'''
    """
    pipeline = load(text, "my.toml")
    who, create, close = pipeline.steps
    assert isinstance(who, LookupStep)
    assert isinstance(create, CreateStep)
    assert isinstance(close, UpdateStep)
    assert (pipeline.name, pipeline.source) == ("p", "my.toml")
    assert pipeline.when == parse({"Channel": ["voice", "chat"], "Outbound": "false"})
    assert (who.path, who.on) == ("p/WHO", "created")
    assert who.reads == {"fullname"}
    assert (create.table.key, create.on_missing) == ("activityid", "recreate")
    assert create.when == parse({"Queue": "support", "TotalPauseCount": "0"})
    assert create.reads == frozenset()
    assert isinstance(create.body["subject"], Template)
    assert (close.after, close.within_s, close.on_missing) == (("STEP2",), 5400.0, "park")
    assert pipeline.step("CLOSE") is close
    assert pipeline.step("OPEN") is None


@pytest.mark.parametrize(
    ("within", "seconds"), [("90s", 90.0), ("15m", 900.0), (" 2 h ", 7200.0), ("1d", 86400.0)]
)
def test_within_has_a_unit(within: str, seconds: float) -> None:
    (step,) = one(CREATE.format("{}") + f'within = "{within}"').steps
    assert step.within_s == seconds


def test_a_step_may_open_a_record() -> None:
    text = """
    [[step]]
    name = "STEP3"
    on = "answered"
    open = "main.aspx"
    query = '{"etn": "contact"}'
    tab = true
    """
    (step,) = one(text).steps
    assert isinstance(step, OpenStep)
    assert (step.page, step.tab, step.query) == ("main.aspx", True, {"etn": "contact"})


def test_a_column_knows_its_length() -> None:
    (step,) = one(CREATE.format('{"subject": "{{ Agent | fit }}"}')).steps
    assert step.body["subject"]._length == 200


def test_answers_that_later_steps_name_are_read() -> None:
    text = CREATE.format("{}") + CREATE.replace("STEP2", "NEXT").format(
        '{"description": "{{step2-response.createdon}} {{STEP2-Response.activityid}}"}'
    )
    assert [step.reads for step in one(text).steps] == [{"createdon"}, frozenset()]


def test_the_key_is_ours_in_any_case() -> None:
    text = CREATE.format("{}") + CREATE.replace("STEP2", "NEXT").format(
        '{"description": "{{STEP2-Response.ActivityId}}"}'
    )
    assert [step.reads for step in one(text).steps] == [frozenset(), frozenset()]


def test_a_step_may_hang_on_what_a_lookup_found() -> None:
    who = CREATE.replace("STEP2", "WHO").replace("POST", "GET").replace("body = '''{}'''", "")
    text = who + CREATE.format("{}") + 'when = { "WHO-Response.LookupStatus" = "SingleMatch" }'
    assert one(text).steps[1].when == parse({"WHO-Response.LookupStatus": "singlematch"})


# --- what check tells ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"a": "{{RingStartTimestamp}}"}', "RingStartTimestamp comes with contact events only"),
        ('{"a": "from CustomerEndpoint"}', "did you mean {{CustomerEndpoint}}?"),
        ('{"a": ["{{Agent}} at InitiationTimestamp"]}', "did you mean {{InitiationTimestamp}}?"),
    ],
)
def test_check_tells_what_may_surprise(body: str, words: str) -> None:
    (warning,) = one(CREATE.format(body)).warnings()
    assert words in warning
    assert warning.startswith("pipeline: step STEP2: ")


def test_check_tells_of_tables_it_does_not_know() -> None:
    (warning,) = one(CREATE.format("{}").replace("phonecalls", "new_calls")).warnings()
    assert "'new_calls'" in warning
    assert "'new_callid'" in warning


@pytest.mark.parametrize(
    "body",
    [
        '{"a": "{{CustomerEndpoint}}", "b": "{% if Answered %}{{ Agent }}{% endif %}"}',
        '{"a": "Agent and Queue are plain words", "n": 1}',
    ],
)
def test_a_plain_pipeline_gives_no_warnings(body: str) -> None:
    assert one(CREATE.format(body)).warnings() == []


def test_the_shipped_pipeline_surprises_nobody() -> None:
    pipeline = load(SHIPPED, "phonecall.toml")
    assert pipeline.name == "phonecall"
    assert pipeline.warnings() == []


# --- ConnectPath's examples, pasted -------------------------------------------------------------

BODY = (
    '{"phonenumber":"{{CustomerEndpoint}}","actualstart":"{{InitiationTimestamp}}",'
    '"subject":"Call between {{Username}} and {{CustomerEndpoint}}"}'
)


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        BODY.replace('"', '\\"'),
        BODY.replace('{"', "{“").replace('"', "”"),
        BODY.replace('"', "„"),
        BODY.replace(",", ",\n  "),
    ],
    ids=["plain", "escaped", "typographic", "low quotes", "several lines"],
)
def test_the_example_body_can_be_pasted(body: str, record: Makes, told: Told) -> None:
    contact = told(record())
    (create,) = writes('name = "p"' + CREATE.format(body), contact)
    assert create.columns == {
        "phonenumber": "+4930901820",
        "actualstart": "2026-01-02T03:00:00Z",
        "subject": "Call between ada and +4930901820",
    }


def test_a_line_break_inside_a_string_is_kept(record: Makes, told: Told) -> None:
    body = BODY.replace("and", "and\n ")
    (create,) = writes('name = "p"' + CREATE.format(body), told(record()))
    assert create.columns["subject"] == "Call between ada and\n  +4930901820"


def test_the_example_page_can_be_pasted(event: Makes, told: Told) -> None:
    opening = """
    [[step]]
    name = "STEP3"
    on = "answered"
    open = "main.aspx"
    query = '''{ "appid": "{{appid}}", "pagetype": "entityrecord", "etn": "phonecall", "id": "{{STEP2-Response.activityid}}"}'''
    """  # noqa: E501 - pasted
    contact = told(event("CONNECTED_TO_AGENT"))
    constants = {"AppId": "11-22", "EnvironmentUri": "https://acme.crm4.dynamics.com/"}
    found = writes(
        'name = "p"' + CREATE.format("{}") + opening,
        contact,
        now=1767322821.0,  # a second after the answer
        live=True,
        constants=constants,
    )
    assert [write.kind for write in found] == ["create", "open"]
    assert found[1].url == (
        "https://acme.crm4.dynamics.com/main.aspx?appid=11-22&pagetype=entityrecord"
        f"&etn=phonecall&id={record_id(contact.id, 'p', 'STEP2')}"
    )


@pytest.mark.parametrize(
    "query",
    [
        "({{STEP2-Response.activityid}})",
        "( {{ STEP2-Response.activityid }} )".replace(" ", ""),
        "(STEP2-Response.activityid)",
        "( STEP2-Response.activityid )",
        "({{step2-response.activityid}})",
    ],
)
def test_the_example_key_can_be_pasted(query: str, record: Makes, told: Told) -> None:
    update = f"""
    [[step]]
    name = "STEP4"
    on = "ended"
    method = "PATCH"
    entity = "phonecalls"
    query = "{query}"
    body = '''{{"category":"{{{{Channel}}}}"}}'''
    """
    (create,) = writes('name = "p"' + CREATE.format("{}") + update, told(record()))
    assert create.columns == {"category": "VOICE"}
    assert create.steps == ("p/STEP2", "p/STEP4")


def test_the_example_recording_can_be_pasted(record: Makes, stored: Makes, told: Told) -> None:
    text = 'name = "p"' + CREATE.replace('"created"', '"recording"').format(
        '{"description":"Your Recording URI is {{objectUrl}}"}'
    )
    contact = told(record(), stored())
    (create,) = writes(text, contact)
    assert create.columns["description"] == (
        "Your Recording URI is https://recordings.s3.eu-central-1.amazonaws.com/connect/acme/"
        f"CallRecordings/2026/01/02/{contact.id}_20260102T03%3A00_UTC.wav"
    )


@pytest.mark.parametrize("query", ["$filter=a eq 1", "?$filter=a eq 1"])
def test_an_odata_query_may_lack_its_question_mark(query: str, record: Makes, told: Told) -> None:
    text = f"""
    name = "p"
    [[step]]
    name = "WHO"
    on = "created"
    method = "GET"
    entity = "contacts"
    query = "{query}"
    """
    (lookup,) = writes(text, told(record()))
    assert lookup.url == "contacts?$filter=a%20eq%201"


def test_a_body_is_json_that_dynamics_gets(record: Makes, told: Told) -> None:
    body = '{"a": 1, "b": [true, null], "c": {"d": "{{Agent}}"}}'
    (create,) = writes('name = "p"' + CREATE.format(body), told(record()))
    assert json.loads(json.dumps(create.columns)) == {"a": 1, "b": [True, None], "c": {"d": "ada"}}


@pytest.mark.parametrize(
    ("table", "body", "warned"),
    [
        ("annotations", '{"notetext": "{{ Agent }}"}', True),
        ("annotations", '{"notetext": "{{Agent | escape}} of {{Queue}}"}', True),
        ("annotations", '{"notetext": "{{Agent | escape}} of {{ Queue | escape_once }}"}', False),
        ("annotations", '{"notetext": "<b>ours</b>", "subject": "{{Agent}}"}', False),
        ("emails", '{"description": "{{ Agent }}"}', True),
        ("appointments", '{"description": "{{ Agent }}"}', True),
        ("phonecalls", '{"description": "{{ Agent }}"}', False),
    ],
)
def test_text_that_is_not_escaped_for_a_column_shown_as_html_is_warned_of(
    table: str, body: str, *, warned: bool
) -> None:
    found = one(CREATE.format(body).replace("phonecalls", table)).warnings()
    assert ["add | escape" in text for text in found] == [True] * warned


# --- names of the future, and names that are not always there -----------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{{ContactPriority}}", "ContactPriority is not a name this release knows; it has a value"),
        ("{{ contactPriority | upcase }}", "contactPriority is not a name this release knows"),
        ("{{HoldStartTimestamp}}{{HoldStartTimestamp}}", "HoldStartTimestamp is not a name"),
        ("{{Agent.VoiceEnhancementMode}}", "Agent.VoiceEnhancementMode is not a name this"),
        ("{{Queue.Type}}", "Queue.Type comes with contact events only; it may be empty once"),
        ("{{agent.activeregion}}", "Agent.ActiveRegion comes with contact events only"),
        ("{{ContactDetails.Name}}", "ContactDetails comes with contact events only"),
        ("{{ringStartTimestamp}}", "ringStartTimestamp comes with contact events only"),
        ("{{QueuePriority}}", "QueuePriority is neither in events nor in the contact record"),
        ("{{Name}} {{Name}}", "Name is neither in events nor in the contact record"),
    ],
)
def test_a_name_that_may_never_have_a_value_is_one_warning(body: str, words: str) -> None:
    (warning,) = one(CREATE.format(f'{{"description": "{body}"}}')).warnings()
    assert warning.startswith(f"pipeline: step STEP2: {words}")


def test_conditions_and_attributes_are_warned_about_as_bodies_are() -> None:
    text = CREATE.format("{}") + 'when = { NewThing = "x" }\n[writeback]\nms_x = "{{Newer}}"'
    found = load(f'name = "p"\nwhen = {{ any = [{{ Newest = 1 }}] }}\n{text}', "p.toml").warnings()
    assert [warning.partition(" is not a name")[0] for warning in found] == [
        "p.toml: when: Newest",
        "p.toml: writeback: Newer",
        "p.toml: step STEP2: NewThing",
    ]


@pytest.mark.parametrize("name", ["ContactPriority", "contactpriority"])
@pytest.mark.parametrize("stream", ["event", "record"])
def test_a_name_of_the_future_has_the_value_that_connect_sends(
    name: str, stream: str, event: Makes, record: Makes, told: Told
) -> None:
    said = {"ContactPriority": "URGENT"}
    fact = record(**said) if stream == "record" else event("INITIATED", contactPriority="URGENT")
    (action,) = plan(
        told(fact), [one(CREATE.format(f'{{"subject": "{{{{{name}}}}}"}}'))], 0.0, Terms()
    ).actions
    assert isinstance(action, Change)
    assert action.columns["subject"] == "URGENT"


def test_a_file_whose_body_has_a_column_twice_is_loaded_and_the_last_one_is_sent() -> None:
    (step,) = one(CREATE.format('{"subject": "a", "subject": "b"}')).steps
    assert isinstance(step, CreateStep)
    assert step.body == {"subject": "b"}
