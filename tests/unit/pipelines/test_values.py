"""Values: whatever templates give is JSON that ledger, request and Dataverse can hold."""

from __future__ import annotations

import datetime as dt
import math

from decimal import Decimal
from functools import cache
from typing import Any

import orjson
import pytest

from hypothesis import example, given
from hypothesis import strategies as st
from liquid import Undefined
from liquid.undefined import StrictDefaultUndefined

from pipelines import ledger
from pipelines.action import Change, Lookup, OpenPage, ReadFile, Verb, WriteBack
from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.enrichment import wanted
from pipelines.fact import RECORD, Fact
from pipelines.lifecycle import milestones
from pipelines.loader import load
from pipelines.lookup import Search
from pipelines.names import STREAM
from pipelines.outcome import Done
from pipelines.pipeline import Pipeline
from pipelines.plan import Plan, Terms, plan
from pipelines.settle import settle
from pipelines.template import _STRICT
from pipelines.value import ABSENT, MOST_LEVELS, plain
from worker.definitions import find, shipped
from worker.dynamics.requests import request_for


# --- one value ------------------------------------------------------------------------------------


def nested(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return value


CASES: list[tuple[Any, Any]] = [
    ("text", "text"),
    ("a\ud83db", "a\ufffdb"),
    ("\ud83d\ude00", "😀"),  # two halves
    ("grün 😀", "grün 😀"),
    ("", ""),
    (True, True),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (2**63, ABSENT),
    (10**400, ABSENT),
    (1.5, 1.5),
    (math.nan, ABSENT),
    (-math.inf, ABSENT),
    (Decimal("1.5"), 1.5),
    (Decimal("NaN"), ABSENT),
    (Decimal("sNaN"), ABSENT),
    (Decimal("1e999"), ABSENT),
    (None, ABSENT),
    (ABSENT, ABSENT),
    (Undefined("x"), ABSENT),
    (StrictDefaultUndefined("x", token=None), ABSENT),
    (range(3), ABSENT),
    (b"bytes", ABSENT),
    (dt.date(2026, 1, 2), ABSENT),
    ([1, None, 2**64, {"a": b"", "b": None, 3: "c"}], [1, None, {"b": None, "3": "c"}]),
    ((1, 2), [1, 2]),
    ({"\ud800": 1}, {"\ufffd": 1}),
    (nested(MOST_LEVELS), nested(MOST_LEVELS)),
]


@pytest.mark.parametrize("case", range(len(CASES)))  # some cannot be shown
def test_a_value_is_held_as_json_or_is_absent(case: int) -> None:
    value, held = CASES[case]
    assert plain(value) == held
    assert type(plain(value)) is type(held)


def test_what_is_nested_deeper_than_a_request_may_be_is_left_out() -> None:
    value = plain(nested(100_000))
    for _ in range(MOST_LEVELS - 1):
        (value,) = value
    assert value == []


# --- every filter ---------------------------------------------------------------------------------

#: ``f`` alone, and with arguments of every kind.
ARGUMENTS = ("", ": AppId", ": 1", ": 0", ": 'UTC'", ": '%Y'", ": AppId, AppId", ": 2, 'x'")

PIPELINE = """
name = "p"

[[step]]
name = "FIND"
on = "created"
method = "GET"
entity = "contacts"
query = "?$filter=city eq '{{AppId | <f>}}' and age eq {{AppId | <f>}}"

[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
[step.lookup]
by = "attribute"
value = "{{AppId | <f>}}"
columns = ["telephone1", "contactid"]

[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '''{"subject": "Call {{AppId | <f>}}", "category": "{{ AppId | <f> }}",
    "description": "{% if AppId %}{{ AppId | <f> }}{% endif %}{{ AppId | <f> }}",
    "regardingobjectid@odata.bind": "/contacts(name='{{AppId | <f>}}')",
    "phonecall_activity_parties": [{"addressused": "{{AppId | <f>}}"}]}'''

[[step]]
name = "CHANGE"
on = "created"
method = "PATCH"
entity = "accounts"
query = "(accountnumber='{{AppId | <f>}}')"
body = '''{"name": "{{AppId | <f>}}"}'''

[[step]]
name = "OPEN"
on = "created"
open = "main.aspx"
query = '''{"appid": "{{AppId | <f>}}", "etn": "x{{AppId | <f>}}"}'''

[writeback]
told = "{{ AppId | <f> }}"
also = "x{{ AppId | <f> }}"
"""


@cache
def using(filtered: str) -> Pipeline:
    return load(f"{PIPELINE.replace('<f>', filtered)}\n[choices.level]\nhigh = 2\n")


strange = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=2**62, max_value=10**400),
        st.floats(),
        st.decimals(),
        st.binary(max_size=3),
        st.dates(),
        st.text(st.characters(), max_size=20),  # surrogates too
        st.from_regex(r"\A-?[0-9]{1,400}\Z"),
        st.sampled_from(
            [
                "9" * 22,
                "-" + "9" * 22,
                "9" * 5000,
                "1e999",
                "NaN",
                "-Infinity",
                "0000-00-00T00:00:00Z",
                "9999-12-31T23:59:59Z",
                "0001-01-01T00:00:00+23:59",
                "\ud800",
                "\x00\x1b\u202e",
                "&#xD800;",
                "%ED%A0%80",
                10**400,
                range(3),
                ABSENT,
            ]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def sent(result: Plan) -> None:
    """Everything planned can be encoded, sent and noted."""
    for action in result.actions:
        match action:
            case Lookup(search=Search() as search):
                ledger.digest(action.url)
                for query in search.queries():
                    query.encode("ascii")
            case ReadFile():
                ledger.digest(action.url)
            case OpenPage():
                action.url.encode("ascii")
            case WriteBack():
                ledger.digests(action.attributes)
                assert all(isinstance(text, str) for text in action.attributes.values())
            case Lookup() | Change():
                request = request_for(action)
                request.path.encode("ascii")
                orjson.dumps(request.body)


def lived(contact: Contact, pipeline: Pipeline, terms: Terms, now: float) -> None:
    """Plan until nothing is owed, everything acknowledged at once."""
    for _ in range(5):
        result = plan(contact, [pipeline], now, terms)
        sent(result)
        for write in result.actions:
            settle(contact, write, Done())
        contact.to_bytes()
        if not result.actions:
            return
    raise AssertionError("it comes to no rest")


def call(attributes: Any = None) -> Contact:
    body = {
        "ContactId": "c-1",
        "Channel": "VOICE",
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-01-02T03:00:00Z",
        "LastUpdateTimestamp": "2026-01-02T03:00:10Z",
        "Attributes": attributes,
    }
    contact = Contact("c-1")
    contact.observe(Fact("c-1", RECORD, "1", orjson.dumps(body), "2026-01-02T03:00:10Z"))
    assert "created" in milestones(contact)
    return contact


NOW = 1_767_322_810.0


@given(strange, st.sampled_from(sorted(_STRICT.filters)), st.sampled_from(ARGUMENTS))
@example("9" * 22, "minutes", "")
@example("9" * 22, "plus", ": 1")
@example("9" * 22, "times", ": AppId")
@example("9" * 22, "floor", "")
@example("-" + "9" * 22, "abs", "")
@example("9" * 22, "date", ": '%Y'")
@example(5, "divided_by", ": 0")
@example(nested(90), "join", "")
@example(nested(90), "sort", "")
def test_no_filter_of_any_value_stops_a_plan(value: Any, name: str, arguments: str) -> None:
    terms = Terms({"AppId": value, "EnvironmentUri": "https://org.example"}, live=True)
    table = ": 'level'"  # there is no other
    lived(call(), using(name + (table if name == "choice" else arguments)), terms, NOW)


@given(strange)
def test_no_value_without_filter_stops_a_plan(value: Any) -> None:
    plainly = load(PIPELINE.replace(" | <f>", ""))
    lived(call(), plainly, Terms({"AppId": value}, live=True), NOW)


def test_a_filter_that_fails_is_as_if_there_were_no_value() -> None:
    create = created(using("minutes"), "9" * 22)
    assert create["subject"] == "Call 166666666666666666667"  # text holds any number
    assert "category" not in create
    assert created(using("divided_by: 0"), 5)["subject"] == "Call "
    assert created(using("divided_by: 0 | default: 7"), 5)["category"] == "7"


def created(pipeline: Pipeline, value: Any) -> dict[str, Any]:
    """The columns of the phone call that is made of a contact with this value."""
    contact, terms = call(), Terms({"AppId": value})
    for _ in range(3):
        for write in plan(contact, [pipeline], math.inf, terms).actions:
            if isinstance(write, Change) and write.verb is Verb.CREATE:
                return dict(write.columns)
            settle(contact, write, Done())
    raise AssertionError("none is made")


# --- every contact --------------------------------------------------------------------------------

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["9" * 22, "2026-01-02T03:04:05Z", "arn:aws:connect:x/agent/1", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)

RECORDED = sorted(STREAM - {"ContactId", "AWSContactTraceRecordFormatVersion"})
SPOKEN = [
    *("attributes", "agentInfo", "queueInfo", "campaign", "channel", "customerEndpoint", "tags"),
    *("initiationMethod", "initiationTimestamp", "disconnectTimestamp", "instanceArn", "endpoints"),
    *("initialContactId", "previousContactId", "recordings", "segmentAttributes"),
    *("customerVoiceActivity", "updatedProperties"),
]

shipped_pipelines = tuple(find(name) for name in shipped())


@given(
    st.dictionaries(st.sampled_from(RECORDED), json, max_size=8),
    st.dictionaries(st.sampled_from(SPOKEN), json, max_size=8),
    st.sampled_from(["VOICE", "CHAT", "TASK", "EMAIL"]),
    st.sets(st.sampled_from(["events", "record", "file"]), min_size=1),
)
@example({"Attributes": {"Reason": {}}}, {"attributes": "x"}, "VOICE", {"events", "record"})
@example({"InitialContactId": {}}, {"initialContactId": {}}, "VOICE", {"events"})
def test_no_contact_that_can_be_stored_stops_a_plan(
    record: dict[str, Any], event: dict[str, Any], channel: str, which: set[str]
) -> None:
    said = {"contactId": "c-1", "eventType": "DISCONNECTED", "channel": channel} | event
    stamp = "2026-01-02T03:00:10Z"
    messages = {
        "events": {"detail-type": "Amazon Connect Contact Event", "time": stamp, "detail": said},
        "record": {
            "AWSContactTraceRecordFormatVersion": "2017-03-10",
            "Channel": channel,
            "InitiationTimestamp": "2026-01-02T03:00:00Z",
            "LastUpdateTimestamp": stamp,
        }
        | record
        | {"ContactId": "c-1"},
        "file": {
            "detail-type": "Object Created",
            "source": "aws.s3",
            "time": stamp,
            "detail": {
                "bucket": {"name": "our bucket"},
                "object": {"key": "connect/a/CallRecordings/2026/01/02/c-1_x.wav"},
            },
        },
    }
    contact = Contact("c-1")
    for name in sorted(which):
        for fact in decode(orjson.dumps({"source": "aws.connect"} | messages[name])):
            if isinstance(fact, Fact) and fact.contact_id == "c-1":
                contact.observe(fact)
    for question in wanted(contact, shipped_pipelines):
        answer = {"Attributes": {"a": "b"}, "Username": "ada"}
        answered = question.answered(contact, answer, "2026-01-02T03:00:11.000Z")
        if answered is not None:
            contact.observe(answered)
    for live in (True, False):
        again = Contact.from_bytes("c-1", contact.to_bytes())
        for pipeline in shipped_pipelines:
            lived(again, pipeline, Terms({"AppId": "app"}, live=live), NOW)
