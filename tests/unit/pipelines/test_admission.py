"""Why a condition does not admit a contact, in words that name what it takes and what came."""

from __future__ import annotations

import tomllib

from typing import Any

import pytest

from pipelines.admission import names_awaited, why_not_admitted
from pipelines.when import parse


CALL: dict[str, Any] = {
    "Channel": "VOICE",
    "DurationSeconds": 90,
    "InitiationMethod": "INBOUND",
    "Outbound": False,
    "Queue": {"Name": "Billing"},
    "Attributes": {"vip": "true"},
}


def why(text: str, values: dict[str, Any] = CALL, *, settled: bool = True) -> str:
    condition = parse(tomllib.loads(f"when = {text}")["when"])
    return why_not_admitted(condition, values, settled=settled)


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("{ Channel = ['CHAT'] }", "takes Channel CHAT, this is VOICE"),
        ("{ Channel = ['CHAT', 'TASK'] }", "takes Channel CHAT or TASK, this is VOICE"),
        ("{ Outbound = true }", "takes Outbound true, this is false"),
        ("{ Channel.not = 'VOICE' }", "takes Channel other than VOICE, this is VOICE"),
        ("{ 'Queue.Name'.prefix = 'Support' }", "takes Queue.Name Support…, this is Billing"),
        ("{ 'Attributes.tier' = 'gold' }", "takes Attributes.tier gold, this has none"),
        ("{ 'Attributes.tier'.present = true }", "takes what has Attributes.tier, this has none"),
        ("{ 'Attributes.vip'.missing = true }", "takes what has no Attributes.vip, this is true"),
        ("{ DurationSeconds.at_least = 120 }", "takes DurationSeconds of at least 120, this is 90"),
        ("{ DurationSeconds.not.below = 120 }", "takes DurationSeconds not below 120, this is 90"),
    ],
)
def test_what_a_condition_takes_and_what_came_instead_are_both_said(when: str, reason: str) -> None:
    assert why(when) == reason


def test_of_several_demands_those_that_are_not_met_are_said() -> None:
    assert why("{ Channel = 'VOICE', 'Queue.Name' = 'Sales', InitiationMethod = 'OUTBOUND' }") == (
        "takes Queue.Name Sales, this is Billing; takes InitiationMethod OUTBOUND, this is INBOUND"
    )


def test_of_alternatives_none_of_which_is_met_all_are_said() -> None:
    assert why("{ any = [{ Channel = 'CHAT' }, { 'Queue.Name' = 'Sales' }] }") == (
        "takes Channel CHAT, this is VOICE, or takes Queue.Name Sales, this is Billing"
    )


def test_what_must_not_hold_together_is_said_by_its_parts() -> None:
    assert why("{ not = { Channel = 'VOICE', 'Queue.Name' = 'Billing' } }") == (
        "takes Channel other than VOICE, this is VOICE, "
        "or takes Queue.Name other than Billing, this is Billing"
    )
    assert why("{ not = { any = [{ Channel = 'VOICE' }, { Channel = 'CHAT' }] } }") == (
        "takes Channel other than VOICE, this is VOICE"
    )
    assert why("{ not = {} }") == "takes no contact at all"
    assert why("{ not = { not = { Channel = 'CHAT' } } }") == "takes Channel CHAT, this is VOICE"


def test_nothing_is_said_of_a_contact_that_is_admitted_or_still_may_be() -> None:
    assert why("{ Channel = 'VOICE' }") == ""
    assert why("{ 'Attributes.tier' = 'gold' }", settled=False) == ""


def test_the_names_that_a_condition_still_waits_for_are_said() -> None:
    condition = parse(
        {"any": [{"Attributes.tier": "gold"}, {"Queue.ARN": "x"}], "Channel": "VOICE"}
    )
    assert names_awaited(condition, CALL) == ["Attributes.tier", "Queue.ARN"]
    assert names_awaited(parse({"Channel": "CHAT"}), CALL) == []


def test_a_value_that_is_no_text_is_called_a_structure() -> None:
    assert why("{ Foo = 'x' }", {"Foo": {"a": "b"}}) == "takes Foo x, this is a structure"
