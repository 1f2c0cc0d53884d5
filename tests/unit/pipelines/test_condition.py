"""Conditions can say no, and know what is not known yet."""

from __future__ import annotations

import tomllib

from typing import Any

import pytest

from pipelines.condition import Condition, admits, may_admit, names_in, paths, truth
from pipelines.loader import load
from pipelines.source import PipelineError
from pipelines.when import parse


VALUES: dict[str, Any] = {
    "Channel": "VOICE",
    "Outbound": False,
    "AgentConnectionAttempts": 2,
    "DurationSeconds": 90,
    "InitiationTimestamp": "2026-03-02T09:00:00Z",
    "CustomerEndpoint": {"Address": "+442079460101", "Type": "TELEPHONE_NUMBER"},
    "Queue": {"ARN": "arn:aws:connect:eu-west-2:1:instance/i/queue/q-1", "Name": "Billing"},
    "Attributes": {
        "vip": "true", "score": "17.5", "empty": "", "my.key": "dotted", "not": "odd",
        "due": "2026-03-09T00:00:00Z",
    },
    "SegmentAttributes": {
        "connect:Subtype": {"ValueString": "connect:Telephony"},
        "connect:Count": {"ValueInteger": 3},
        "connect:Map": {"ValueMap": {"State": {"ValueString": "on"}}},
    },
    "WHO-Response": {"LookupStatus": "NoMatch"},
}  # fmt: skip


def when(text: str) -> Condition:
    return parse(tomllib.loads(f"when = {text}")["when"])


@pytest.mark.parametrize(
    "fitting",
    [
        "{}",
        '{ Channel = "voice" }',
        '{ Channel = ["CHAT", "VOICE"], Outbound = false }',
        '{ Queue.Name = ["Billing"] }',
        '{ Queue.ARN = "q-1" }',
        '{ "WHO-Response.LookupStatus" = { not = "SingleMatch" } }',
        '{ Channel = { not = ["CHAT", "TASK"] } }',
        '{ "Attributes.vmx3_flag" = { not = ["1"] } }',
        "{ Attributes.vmx3_flag = { missing = true } }",
        "{ Attributes.vmx3_flag = { present = false } }",
        "{ Attributes.empty = { missing = true } }",
        "{ Attributes.vip = { present = true } }",
        "{ Attributes = { present = true } }",
        "{ Recordings = { missing = true } }",
        '{ Attributes."my.key" = "dotted" }',
        '{ "Attributes.my.key" = "dotted" }',
        """{ "Attributes['not']" = "odd" }""",
        '{ CustomerEndpoint = { prefix = "+44" } }',
        '{ CustomerEndpoint.Address = { prefix = ["+49", "+44"] } }',
        "{ AgentConnectionAttempts = { prefix = 2 } }",
        '{ CustomerEndpoint = { prefix = "+44", not = { prefix = "+4421" } } }',
        "{ DurationSeconds = { above = 89, at_most = 90 } }",
        "{ DurationSeconds = { at_least = 90, below = 90.5 } }",
        "{ Attributes.score = { above = 9 } }",
        '{ Attributes.score = { below = "100" } }',
        "{ InitiationTimestamp = { at_least = 2026-03-02T10:00:00+01:00 } }",
        '{ InitiationTimestamp = { above = "2026-03-02T08:59:59Z" } }',
        "{ Attributes.due = { above = 2026-03-08 } }",
        '{ Attributes.due = { at_most = "2026-03-09" } }',
        "{ Attributes.nothing = { not = { above = 5 } } }",
        '{ SegmentAttributes."connect:Subtype" = "connect:Telephony" }',
        '{ "SegmentAttributes.connect:Subtype" = { prefix = "connect:" } }',
        '{ "SegmentAttributes.connect:Subtype.ValueString" = "connect:Telephony" }',
        '{ "SegmentAttributes.connect:Count" = { at_least = 3 } }',
        '{ "SegmentAttributes.connect:Map.ValueMap.State" = "on" }',
        '{ "SegmentAttributes.connect:ValidationTestType" = { missing = true } }',
        '{ any = [{ Channel = "CHAT" }, { Attributes.vip = true }] }',
        '{ all = [{ Channel = "VOICE" }, { any = [{ Outbound = true }, { Queue = "billing" }] }] }',
        '{ not = { Channel = "CHAT" } }',
        '{ not = { all = [{ Channel = "VOICE" }, { Outbound = true }] }, Channel = "VOICE" }',
    ],
)  # fmt: skip
def test_a_condition_that_fits_is_denied_by_its_negation(fitting: str) -> None:
    assert truth(when(fitting), VALUES, settled=True) is True
    assert truth(when(f"{{ not = {fitting} }}"), VALUES, settled=True) is False


@pytest.mark.parametrize(
    "unfit",
    [
        "{ Attributes.missing_one = { above = 1 } }",
        "{ Attributes.vip = { above = 1 } }",
        "{ Outbound = { at_least = 0 } }",
        "{ InitiationTimestamp = { above = 5 } }",
        "{ DurationSeconds = { above = 2026-01-01 } }",
        "{ Attributes = { missing = true } }",
        "{ Attributes.empty = { present = true } }",
        '{ Attributes.none = { prefix = "" } }',
        '{ SegmentAttributes."connect:Subtype" = { not = "connect:Telephony" } }',
        '{ any = [{ Channel = "CHAT" }, { Outbound = true }] }',
    ],
)
def test_a_value_of_no_use_to_a_condition_does_not_fit(unfit: str) -> None:
    assert truth(when(unfit), VALUES, settled=True) is False


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ('{ Attributes.vmx3_flag = { not = "1" } }', None),
        ("{ Attributes.vmx3_flag = { missing = true } }", None),
        ("{ Attributes.vmx3_flag = { present = true } }", None),
        ('{ Attributes.vmx3_flag = "1" }', None),
        ('{ Attributes.vip = { not = "1" } }', True),
        ('{ Attributes.vip = { not = "true" } }', False),
        ('{ Channel = "CHAT", Attributes.vmx3_flag = "1" }', False),
        ('{ Channel = "VOICE", Attributes.vmx3_flag = "1" }', None),
        ('{ any = [{ Channel = "VOICE" }, { Attributes.vmx3_flag = "1" }] }', True),
        ('{ any = [{ Channel = "CHAT" }, { Attributes.vmx3_flag = "1" }] }', None),
        ('{ not = { any = [{ Channel = "VOICE" }, { Attributes.vmx3_flag = "1" }] } }', False),
        ('{ "SegmentAttributes.connect:ValidationTestType" = { missing = true } }', True),
        ("{ RelatedContactId = { missing = true } }", True),
        ("{ AppId = { present = true } }", False),
    ],
)  # fmt: skip
def test_what_may_still_come_is_neither_there_nor_missing(said: str, known: bool | None) -> None:
    """Before the contact record; what a contact has from its beginning is known by then."""
    assert truth(when(said), VALUES, settled=False) is known
    assert admits(when(said), VALUES) is (known is True)
    assert may_admit(when(said), VALUES) is (known is not False)


def test_the_names_in_groups_and_negations_are_read() -> None:
    said = when('{ any = [{ Queue.Name = "a" }, { not = { Channel = "b" } }], Agent = "c" }')
    assert set(paths(said)) == {("Queue", "Name"), ("Channel",), ("Agent",)}
    assert names_in(said) == {"queue", "channel", "agent"}


STEP = """
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{}'
"""


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{ Channel = [] }", "Channel: one value, or a list of values"),
        ("{ Channel = {} }", "Channel: one value, or a list of values"),
        ("{ Channel = { not = [] } }", "Channel: one value, or a list of values"),
        ("{ Channel = [[1]] }", "Channel: one value, or a list of values"),
        ('{ Channel = { like = "V" } }', "Channel: there is no operator 'like'; there are not,"),
        ('{ Channel = { Not = "V" } }', "Channel: there is no operator 'Not'"),
        ('{ Queue.Name = { Not = "V" } }', "Queue.Name: there is no operator 'Not'"),
        ('{ Attributes.x = { isnt = ["1"] } }', "Attributes.x: there is no operator 'isnt'"),
        ('{ "Attributes.x" = { contains = "1" } }', "there is no operator 'contains'"),
        ('{ "Attributes.x" = { not = { contains = "1" } } }', "no operator 'contains'"),
        ('{ "SegmentAttributes.connect:X" = { equals = "1" } }', "no operator 'equals'"),
        ('{ Agent = { in = ["a"] } }', "Agent: there is no operator 'in'"),
        ('{ NewName = { in = ["a"] } }', "NewName: there is no operator 'in'"),
        ('{ Attributes = { not = ["1"] } }', "write \"Attributes['not']\""),
        ("{ Channel = { missing = 1 } }", "Channel: missing is true or false"),
        ('{ DurationSeconds = { above = "much" } }', "above needs a number or a timestamp"),
        ("{ DurationSeconds = { above = true } }", "above needs a number or a timestamp"),
        ("{ any = [] }", "any is a list of conditions"),
        ('{ any = ["VOICE"] }', "any is a list of conditions"),
        ('{ all = { Channel = "VOICE" } }', "all is a list of conditions"),
        ('{ not = ["VOICE"] }', "a table is needed"),
        ('{ "Queue..Name" = "x" }', "'Queue..Name' is no name"),
        ('{ "Attributes[0]" = "x" }', "'Attributes[0]' is no name"),
        ('{ any = [{ Chanel = "VOICE" }] }', "there is no name 'Chanel'; did you mean Channel?"),
    ],
)
@pytest.mark.parametrize("step", [False, True])
def test_a_condition_that_is_none_is_refused_on_loading(
    said: str, message: str, *, step: bool
) -> None:
    text = f'name = "p"\n{STEP}when = {said}' if step else f'name = "p"\nwhen = {said}\n{STEP}'
    with pytest.raises(PipelineError) as error:
        load(text, "my.toml")
    assert (" step A: when: " if step else "my.toml: when: ") in str(error.value)
    assert message in str(error.value)
