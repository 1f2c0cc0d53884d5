"""What never happened is not said: every disconnect reason, by channel, method and timestamps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import resources
from itertools import permutations
from typing import Any

import pytest

from pipelines.action import Action, Change, Verb
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.loader import load
from pipelines.plan import Terms, plan
from pipelines.verdict import (
    MACHINES,
    REASONS,
    SILENT,
    nothing_yet,
    reason_of,
    verdict,
    verdict_names,
)


Makes = Callable[..., Fact]
Told = Callable[..., Contact]
CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

OVER = float("inf")
ENDED = {"ended": "2026-01-02T03:04:05Z"}
AT = "2026-01-02T03:00:10Z"

#: Disconnect reasons by channel, as the guide has them ("ctr-data-model", "contact-events").
_BY_CHANNEL = {
    "VOICE": (
        "TELECOM_BUSY TELECOM_NUMBER_INVALID TELECOM_POTENTIAL_BLOCKING TELECOM_UNANSWERED "
        "TELECOM_TIMEOUT TELECOM_ORIGINATOR_CANCEL TELECOM_PROBLEM CUSTOMER_NEVER_ARRIVED "
        "THIRD_PARTY_DISCONNECT CUSTOMER_DISCONNECT AGENT_DISCONNECT BARGED "
        "CONTACT_FLOW_DISCONNECT OTHER OUTBOUND_DESTINATION_ENDPOINT_ERROR "
        "OUTBOUND_RESOURCE_ERROR OUTBOUND_ATTEMPT_FAILED OUTBOUND_PREVIEW_DISCARDED EXPIRED"
    ),
    "CHAT": (
        "AGENT_DISCONNECT CUSTOMER_DISCONNECT AGENT_NETWORK_DISCONNECT "
        "CUSTOMER_CONNECTION_NOT_ESTABLISHED EXPIRED CONTACT_FLOW_DISCONNECT API BARGED "
        "IDLE_DISCONNECT THIRD_PARTY_DISCONNECT SYSTEM_ERROR"
    ),
    "TASK": "AGENT_COMPLETED AGENT_DISCONNECT EXPIRED CONTACT_FLOW_DISCONNECT API OTHER",
    "EMAIL": ("TRANSFERRED AGENT_DISCONNECT EXPIRED DISCARDED CONTACT_FLOW_DISCONNECT API OTHER"),
}
DOCUMENTED = {channel: reasons.split() for channel, reasons in _BY_CHANNEL.items()}
UNKNOWN = (None, "", "A_REASON_OF_TOMORROW")

UNREACHED = {
    "TELECOM_BUSY",
    "TELECOM_NUMBER_INVALID",
    "TELECOM_POTENTIAL_BLOCKING",
    "TELECOM_UNANSWERED",
    "CUSTOMER_NEVER_ARRIVED",
    "OUTBOUND_DESTINATION_ENDPOINT_ERROR",
    "OUTBOUND_RESOURCE_ERROR",
    "OUTBOUND_ATTEMPT_FAILED",
}


def told_of(
    channel: str, method: str, *, agent: bool, customer: bool, reason: str | None, **more: Any
) -> dict[str, Any]:
    """The values of a contact that has ended."""
    outbound = method != "INBOUND" and not (method == "API" and channel != "VOICE")
    return {
        "Channel": channel,
        "InitiationMethod": method,
        "Outbound": outbound,
        "Agent": {"ConnectedToAgentTimestamp": AT} if agent else {},
        **({"ConnectedToSystemTimestamp": AT} if customer else {}),
        "DisconnectReason": reason,
        **more,
    }


#: (channel, method, agent connected, customer connected) -> outcome, and the reasons' own.
TABLE: list[tuple[str, str, bool, bool, str, dict[str, str]]] = [
    ("VOICE", "INBOUND", True, True, "conversation", {"CUSTOMER_NEVER_ARRIVED": "failed"}),
    ("VOICE", "INBOUND", False, True, "unattended", {"CUSTOMER_NEVER_ARRIVED": "failed"}),
    ("VOICE", "TRANSFER", True, False, "conversation", {"CUSTOMER_NEVER_ARRIVED": "failed"}),
    ("VOICE", "OUTBOUND", True, True, "conversation", dict.fromkeys(UNREACHED, "failed")),
    ("VOICE", "OUTBOUND", True, False, "failed", {"OUTBOUND_PREVIEW_DISCARDED": "discarded"}),
    ("VOICE", "OUTBOUND", False, False, "failed", {"OUTBOUND_PREVIEW_DISCARDED": "discarded"}),
    # An API calls the customer first: whom an agent was connected to was there.
    ("VOICE", "API", True, False, "conversation", {"CUSTOMER_NEVER_ARRIVED": "failed"}),
    ("VOICE", "API", False, True, "unattended", dict.fromkeys(UNREACHED, "failed")),
    ("VOICE", "API", False, False, "failed", {"OUTBOUND_PREVIEW_DISCARDED": "discarded"}),
    ("VOICE", "CALLBACK", True, True, "conversation", dict.fromkeys(UNREACHED, "failed")),
    ("VOICE", "CALLBACK", True, False, "failed", {"OUTBOUND_PREVIEW_DISCARDED": "discarded"}),
    ("VOICE", "CALLBACK", False, False, "missed", {"OUTBOUND_PREVIEW_DISCARDED": "discarded"}),
    (
        "VOICE",
        "CALLBACK_CUSTOMER_FIRST_DIALED",
        False,
        False,
        "failed",
        {"OUTBOUND_PREVIEW_DISCARDED": "discarded"},
    ),
    ("VOICE", "CALLBACK_CUSTOMER_FIRST_QUEUED", False, False, "missed", {}),
    ("VOICE", "CAMPAIGN_PREVIEW", True, True, "conversation", dict.fromkeys(UNREACHED, "failed")),
    (
        "VOICE",
        "CAMPAIGN_PREVIEW",
        True,
        False,
        "failed",
        {"OUTBOUND_PREVIEW_DISCARDED": "discarded"},
    ),
    ("CHAT", "API", True, True, "conversation", {"CUSTOMER_CONNECTION_NOT_ESTABLISHED": "failed"}),
    ("CHAT", "API", False, True, "unattended", {"CUSTOMER_CONNECTION_NOT_ESTABLISHED": "failed"}),
    (
        "CHAT",
        "AGENT_REPLY",
        False,
        False,
        "unattended",
        dict.fromkeys(
            (
                "CUSTOMER_CONNECTION_NOT_ESTABLISHED",
                "SYSTEM_ERROR",
                "AGENT_NETWORK_DISCONNECT",
            ),
            "failed",
        ),
    ),
    ("TASK", "API", True, True, "conversation", {}),
    ("TASK", "API", False, True, "unattended", {"EXPIRED": "undone"}),
    ("EMAIL", "INBOUND", True, True, "received", {"TRANSFERRED": "transferred"}),
    ("EMAIL", "INBOUND", False, True, "received", {"TRANSFERRED": "transferred"}),
    *(
        (
            "EMAIL",
            method,
            True,
            True,
            "sent",
            {"DISCARDED": "discarded", "EXPIRED": "discarded", "TRANSFERRED": "transferred"},
        )
        for method in ("AGENT_REPLY", "OUTBOUND")
    ),
    ("EMAIL", "FLOW", False, True, "sent", {}),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: "-".join(map(str, row[:4])))
def test_every_documented_reason_has_its_outcome_and_unknown_ones_that_of_the_timestamps(
    row: tuple[str, str, bool, bool, str, dict[str, str]],
) -> None:
    channel, method, agent, customer, usual, others = row
    reasons = [*DOCUMENTED[channel], *UNKNOWN]
    assert set(others) - set(reasons) <= UNREACHED
    found = {
        reason: verdict(
            told_of(channel, method, agent=agent, customer=customer, reason=reason)
        ).word
        for reason in reasons
    }
    assert found == {reason: others.get(str(reason), usual) for reason in reasons}


def test_the_documented_reasons_are_all_there_and_no_others() -> None:
    assert set(REASONS) == {reason for reasons in DOCUMENTED.values() for reason in reasons}


@pytest.mark.parametrize("reason", [name for name in REASONS if name.startswith("OUTBOUND_")])
def test_the_spelling_of_the_page_on_contact_events_means_the_same(reason: str) -> None:
    misspelt = reason.replace("OUTBOUND_", "OUTBUND_")
    for said in (misspelt, misspelt.lower(), reason.lower()):
        assert reason_of({"DisconnectReason": said}) == REASONS[reason]


@pytest.mark.parametrize(
    ("heard", "outcome"),
    [
        *((silent, "failed") for silent in SILENT),
        *((machine, "machine") for machine in MACHINES),
        ("HUMAN_ANSWERED", "unattended"),
        ("AMD_UNRESOLVED", "unattended"),
        ("AMD_NOT_APPLICABLE", "failed"),
        ("AMD_ERROR", "failed"),
        (None, "failed"),
    ],
)
def test_what_answering_machine_detection_heard_tells_who_was_reached(
    heard: str | None, outcome: str
) -> None:
    call = told_of("VOICE", "API", agent=False, customer=False, reason=None)
    assert verdict({**call, "AnsweringMachineDetectionStatus": heard}).word == outcome


def test_an_api_call_that_was_queued_had_been_picked_up() -> None:
    call = told_of("VOICE", "API", agent=False, customer=False, reason="CUSTOMER_DISCONNECT")
    assert verdict({**call, "Queue": {"EnqueueTimestamp": AT}}).word == "unattended"


@pytest.mark.parametrize(
    ("method", "outcome"),
    [("CALLBACK", "transferred"), ("CALLBACK_CUSTOMER_FIRST_QUEUED", "continued")],
)
def test_a_callback_that_goes_on_as_another_contact_is_not_missed(
    method: str, outcome: str
) -> None:
    call = told_of("VOICE", method, agent=False, customer=False, reason=None)
    for went_on in ({"Next": {"ContactId": "b"}}, {"NextContactId": "b"}):
        assert verdict({**call, **went_on}).word == outcome


SENTENCES = [
    ("VOICE", "OUTBOUND", "TELECOM_BUSY", {}, "The customer was not reached: the line was busy."),
    ("VOICE", "OUTBOUND", None, {}, "The customer was not reached."),
    (
        "VOICE",
        "OUTBOUND",
        "NEW_ONE",
        {},
        "The customer was not reached: Amazon Connect says NEW_ONE.",
    ),
    (
        "VOICE",
        "API",
        None,
        {"AnsweringMachineDetectionStatus": "AMD_UNANSWERED"},
        "The customer was not reached: nobody picked up.",
    ),
    (
        "VOICE",
        "API",
        "CONTACT_FLOW_DISCONNECT",
        {"AnsweringMachineDetectionStatus": "VOICEMAIL_BEEP"},
        "A machine answered: a voicemail.",
    ),
    ("VOICE", "CALLBACK", "EXPIRED", {}, "The callback was never made: it expired."),
    ("EMAIL", "OUTBOUND", "DISCARDED", {}, "It was never sent: it was discarded."),
    ("TASK", "API", "EXPIRED", {}, "Nobody worked on it: it expired."),
]


@pytest.mark.parametrize(("channel", "method", "reason", "more", "text"), SENTENCES)
def test_people_are_told_the_reason_in_a_sentence_once_the_contact_has_ended(
    channel: str, method: str, reason: str | None, more: dict[str, Any], text: str
) -> None:
    values = told_of(channel, method, agent=False, customer=False, reason=reason, **more)
    assert verdict_names(values, ENDED)["OutcomeText"] == text
    assert verdict_names(values, {"created": AT}) == {}


@pytest.mark.parametrize(
    ("channel", "method", "customer", "waits"),
    [
        ("EMAIL", "AGENT_REPLY", True, True),
        ("EMAIL", "OUTBOUND", False, True),
        ("EMAIL", "FLOW", False, False),
        ("EMAIL", "INBOUND", True, False),
        ("VOICE", "CAMPAIGN_PREVIEW", False, True),
        ("VOICE", "CAMPAIGN_PREVIEW", True, False),
        ("VOICE", "CALLBACK_CUSTOMER_FIRST_QUEUED", False, True),
        ("VOICE", "CALLBACK", False, False),
        ("VOICE", "OUTBOUND", False, False),
    ],
)
def test_a_contact_that_may_come_to_nothing_waits_until_it_is_something(
    channel: str, method: str, customer: bool, waits: bool
) -> None:
    values = told_of(channel, method, agent=True, customer=customer, reason=None)
    assert bool(nothing_yet(values, {"created": AT}, settled=False)) is waits
    ended = nothing_yet(values, ENDED, settled=False)
    assert bool(ended) is (waits and "record" in ended)
    assert nothing_yet(values, ENDED, settled=True) == ""


# --- the shipped pipelines ---

SHIPPED = {
    name: load((resources.files("pipelines") / "definitions" / f"{name}.toml").read_text())
    for name in ("phonecall", "task", "chat", "email", "timeline")
}
OF = {"VOICE": "phonecall", "TASK": "task", "CHAT": "chat", "EMAIL": "email"}
PERSON = {"ARN": "arn:a/88", "Username": "maud.ellery", "ConnectedToAgentTimestamp": AT}

#: Channel, method, agent, when the customer was connected, reason -> state and status, None: none.
ENDS: list[tuple[str, str, Any, str | None, str | None, tuple[int, int] | None]] = [
    ("VOICE", "INBOUND", None, AT, "CUSTOMER_DISCONNECT", (1, 4)),
    ("VOICE", "INBOUND", PERSON, AT, "BARGED", (1, 4)),
    ("VOICE", "OUTBOUND", PERSON, AT, "CUSTOMER_DISCONNECT", (1, 2)),
    ("VOICE", "OUTBOUND", PERSON, None, "TELECOM_UNANSWERED", (2, 3)),
    ("VOICE", "OUTBOUND", PERSON, None, None, (2, 3)),
    ("VOICE", "API", None, None, "OUTBUND_RESOURCE_ERROR", (2, 3)),
    ("VOICE", "CALLBACK", PERSON, AT, "AGENT_DISCONNECT", (1, 2)),
    ("VOICE", "CALLBACK", PERSON, None, "TELECOM_UNANSWERED", (2, 3)),
    ("VOICE", "CALLBACK", None, None, "EXPIRED", (2, 3)),
    ("VOICE", "CALLBACK_CUSTOMER_FIRST_QUEUED", None, None, "EXPIRED", (2, 3)),
    ("VOICE", "CAMPAIGN_PREVIEW", None, None, "OUTBOUND_PREVIEW_DISCARDED", None),
    ("VOICE", "CAMPAIGN_PREVIEW", PERSON, AT, "AGENT_DISCONNECT", (1, 2)),
    ("CHAT", "API", PERSON, AT, "EXPIRED", (1, 5)),
    ("CHAT", "API", None, AT, "CUSTOMER_CONNECTION_NOT_ESTABLISHED", (2, 6)),
    ("TASK", "API", PERSON, AT, "EXPIRED", (1, 5)),
    ("TASK", "API", None, AT, "EXPIRED", (2, 6)),
    ("EMAIL", "INBOUND", None, AT, "EXPIRED", (1, 4)),
    ("EMAIL", "INBOUND", PERSON, AT, "TRANSFERRED", (1, 4)),
    ("EMAIL", "AGENT_REPLY", PERSON, AT, None, (1, 3)),
    ("EMAIL", "AGENT_REPLY", PERSON, AT, "DISCARDED", None),
    ("EMAIL", "OUTBOUND", PERSON, AT, "EXPIRED", None),
    ("EMAIL", "OUTBOUND", PERSON, AT, "TRANSFERRED", (1, 2)),
    ("EMAIL", "FLOW", None, AT, None, (1, 3)),
]


def finished(
    facts: Iterable[Fact], pipeline: str, carry_out: CarryOut, now: float
) -> dict[str, tuple[Any, Any]]:
    """Activities with their last state and status after these facts, planned after each."""
    contact: Contact | None = None
    ended: dict[str, tuple[Any, Any]] = {}
    last = len(facts := list(facts)) - 1
    for place, fact in enumerate(facts):
        contact = contact or Contact(fact.contact_id)
        contact.observe(fact)
        at = OVER if place == last else now
        for _ in range(6):
            actions = plan(contact, [SHIPPED[pipeline]], at, Terms()).actions
            if not actions:
                break
            for one in actions:
                if not isinstance(one, Change) or "annotations" in one.record:
                    continue
                if one.verb is Verb.CREATE:
                    ended[one.record] = (0, None)
                if one.verb is Verb.CLOSE:
                    ended[one.record] = (one.columns["statecode"], one.columns["statuscode"])
            carry_out(contact, actions, {})
    return ended


@pytest.mark.parametrize("shipped", ["own", "timeline"])
@pytest.mark.parametrize("row", ENDS, ids=lambda row: f"{row[0]}-{row[1]}-{row[4]}")
def test_the_end_in_dynamics_is_that_of_the_outcome_in_whatever_order_the_messages_came(
    event: Makes,
    record: Makes,
    carry_out: CarryOut,
    shipped: str,
    row: tuple[str, str, Any, str | None, str | None, tuple[int, int] | None],
) -> None:
    channel, method, agent, customer, reason, end = row
    about = {"channel": channel, "initiationMethod": method}
    if customer:
        about["connectedToSystemTimestamp"] = customer
    facts = [
        event("INITIATED", channel=channel, initiationMethod=method),
        event("DISCONNECTED", **about, disconnectTimestamp="2026-01-02T03:04:05Z"),
        record(
            Channel=channel,
            InitiationMethod=method,
            Agent=agent,
            ConnectedToSystemTimestamp=customer,
            DisconnectReason=reason,
            Queue=None,
        ),
    ]
    pipeline = OF[channel] if shipped == "own" else "timeline"
    for order in permutations(facts):
        states = list(finished(order, pipeline, carry_out, now=0.0).values())
        assert states == ([end] if end else [])
