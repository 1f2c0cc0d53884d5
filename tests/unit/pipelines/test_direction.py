"""Direction: who turned to whom, by Connect's own word, by the method, by the chain."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.direction import direction_names


OUTBOUND = {"InitiationMethod": "OUTBOUND", "Channel": "VOICE"}
INBOUND = {"InitiationMethod": "INBOUND", "Channel": "VOICE"}
CALLBACK = {"InitiationMethod": "CALLBACK", "Channel": "VOICE"}
THIRD = {"InitiationMethod": "EXTERNAL_OUTBOUND", "Channel": "VOICE"}


def outbound(values: dict[str, Any], initial: Any = None, previous: Any = None) -> bool:
    names = direction_names(values, initial or {}, previous or {})
    assert names["Direction"] == ("outbound" if names["Outbound"] else "inbound")
    return bool(names["Outbound"])


def said(direction: Any, **names: Any) -> dict[str, Any]:
    return {
        "InitiationMethod": "INBOUND",
        "SegmentAttributes": {"connect:Direction": direction},
    } | names


@pytest.mark.parametrize(
    ("method", "channel", "is_outbound"),
    [
        ("INBOUND", "VOICE", False),
        ("INBOUND", "EMAIL", False),
        ("OUTBOUND", "VOICE", True),
        ("OUTBOUND", "EMAIL", True),
        ("CALLBACK", "VOICE", True),
        ("CALLBACK_CUSTOMER_FIRST_QUEUED", "VOICE", True),
        ("CALLBACK_CUSTOMER_FIRST_DIALED", "VOICE", True),
        ("CAMPAIGN_PREVIEW", "VOICE", True),
        ("AGENT_REPLY", "EMAIL", True),
        ("AGENT_REPLY", "CHAT", True),
        ("FLOW", "EMAIL", True),
        ("FLOW", "CHAT", True),
        ("FLOW", "TASK", False),
        ("API", "VOICE", True),
        ("API", "CHAT", False),
        ("API", "TASK", False),
        ("API", "EMAIL", False),
        ("WEBRTC_API", "VOICE", False),
        ("MONITOR", "VOICE", False),
        ("A_METHOD_OF_TOMORROW", "VOICE", False),
        (None, None, False),
    ],
)
def test_without_a_word_of_connect_the_method_decides(
    method: str | None, channel: str | None, is_outbound: bool
) -> None:
    assert outbound({"InitiationMethod": method, "Channel": channel}) is is_outbound


@pytest.mark.parametrize(
    "spelt", ["OUTBOUND", "outbound", {"ValueString": "Outbound"}, {"valueString": "OUTBOUND"}]
)
def test_what_connect_says_of_the_direction_comes_first_in_any_spelling(spelt: Any) -> None:
    assert outbound(said(spelt))
    assert outbound({"InitiationMethod": "API", "SegmentAttributes": {"connect:direction": spelt}})
    assert outbound(
        {"InitiationMethod": "TRANSFER"} | {"SegmentAttributes": {"connect:Direction": spelt}},
        INBOUND,
    )


@pytest.mark.parametrize(
    "useless", [None, "", 1, {}, {"ValueString": None}, {"ValueString": "SIDEWAYS"}, ["OUTBOUND"]]
)
def test_a_direction_that_says_nothing_leaves_it_to_the_method(useless: Any) -> None:
    assert not outbound(said(useless))
    assert outbound(said(useless, InitiationMethod="OUTBOUND"))


def test_an_incoming_call_by_connects_word_is_incoming_whatever_the_method() -> None:
    assert not outbound(said({"ValueString": "INBOUND"}, InitiationMethod="CALLBACK"))


@pytest.mark.parametrize(
    "subtype", ["connect:SMS", "connect:WhatsApp", {"ValueString": "connect:SMS"}]
)
@pytest.mark.parametrize("method", ["API", "INBOUND", "FLOW"])
def test_sms_and_whatsapp_came_from_the_customer_unless_connect_says_otherwise(
    subtype: Any, method: str
) -> None:
    chat = {"InitiationMethod": method, "Channel": "CHAT"}
    assert not outbound(chat | {"SegmentAttributes": {"connect:Subtype": subtype}})
    told = {"connect:Subtype": subtype, "connect:Direction": {"ValueString": "OUTBOUND"}}
    assert outbound(chat | {"SegmentAttributes": told})


@pytest.mark.parametrize("method", ["TRANSFER", "QUEUE_TRANSFER", "DISCONNECT"])
@pytest.mark.parametrize(
    ("initial", "previous", "is_outbound"),
    [
        (None, None, False),
        (OUTBOUND, OUTBOUND, True),
        (INBOUND, INBOUND, False),
        (OUTBOUND, {"InitiationMethod": "TRANSFER"}, True),
        (OUTBOUND, None, True),
        (None, OUTBOUND, True),
        (said("OUTBOUND"), {"InitiationMethod": "TRANSFER"}, True),
        (INBOUND, CALLBACK, True),
        (CALLBACK, CALLBACK, True),
        (INBOUND, THIRD, False),
        (None, THIRD, False),
    ],
)
def test_a_leg_that_came_of_another_has_the_direction_of_what_it_came_of(
    method: str, initial: Any, previous: Any, is_outbound: bool
) -> None:
    assert (
        outbound({"InitiationMethod": method, "Channel": "VOICE"}, initial, previous) is is_outbound
    )


def test_a_callback_is_outgoing_though_its_initial_contact_came_in() -> None:
    assert outbound(CALLBACK, INBOUND, INBOUND)
