"""``pipelines/README.md#what-connect-says``: every table there is one of the code's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest

from document_tables import code, rows, written
from pipelines.contact import Contact
from pipelines.conversation import AFTERWARDS, PART_OF_ANOTHER
from pipelines.direction import INHERITING, OUTBOUND, OUTBOUND_ON
from pipelines.fact import Fact
from pipelines.lifecycle import PHASES, PROOFS
from pipelines.objects import objects, withdrawn
from pipelines.verdict import MACHINES, REASONS, RULES, SILENT, TENTATIVE, way_of


PAGE = "pipelines/README.md"
CHANNELS = {"VOICE": "calls", "CHAT": "chats", "TASK": "tasks", "EMAIL": "e-mails"}

#: Event types as the guide has them ("contact-events").
EVENT_TYPES = [
    "INITIATED",
    "CONNECTED_TO_SYSTEM",
    "QUEUED",
    "CONNECTED_TO_AGENT",
    "CONTACT_DATA_UPDATED",
    "PAUSED",
    "RESUMED",
    "AMD_DISABLED",
    "WEBRTC_API",
    "DISCONNECTED",
    "COMPLETED",
]

#: Initiation methods as the guide has them ("ctr-data-model").
METHODS = [
    "INBOUND",
    "OUTBOUND",
    "TRANSFER",
    "QUEUE_TRANSFER",
    "CALLBACK",
    "CALLBACK_CUSTOMER_FIRST_QUEUED",
    "CALLBACK_CUSTOMER_FIRST_DIALED",
    "CAMPAIGN_PREVIEW",
    "API",
    "WEBRTC_API",
    "AGENT_REPLY",
    "FLOW",
    "DISCONNECT",
    "MONITOR",
    "EXTERNAL_OUTBOUND",
]

#: What the methods begin with that only calls have.
OF_CALLS = ("CALLBACK", "CAMPAIGN")

#: Recording's Status, DeletionReason -> what is made of it.
RECORDINGS = [
    ("AVAILABLE", ""),
    ("", ""),
    ("DELETED", "retention"),
    ("DELETED", ""),
    ("", "retention"),
]


def assert_written(table: list[list[str]], *header: str) -> None:
    assert rows(PAGE, *header) == table, f"it should be\n{written([[*header], *table])}"


def test_event_types_are_those_of_the_life_of_a_contact() -> None:
    proven = set(PROOFS) - {"any other event", "contact record"}
    assert {one for one in proven if one.isupper()} <= set(EVENT_TYPES)
    table = [[code(one), code(PROOFS.get(one, PROOFS["any other event"]))] for one in EVENT_TYPES]
    assert {row[1].strip("`") for row in table} <= set(PHASES)
    assert_written(table, "event type", "the contact is at least")


def direction(method: str) -> str:
    if method in INHERITING:
        return "that of the contact it came of"
    if method in OUTBOUND:
        return "outbound"
    some = [CHANNELS[one] for one in CHANNELS if one in OUTBOUND_ON.get(method, ())]
    return f"{' and '.join(some)} outbound, others inbound" if some else "inbound"


def activity(method: str) -> str:
    if method in PART_OF_ANOTHER:
        return f"none: {PART_OF_ANOTHER[method]}"
    if method == AFTERWARDS:
        return "one if it is queued or has an agent, else none"
    waits = [
        f"{CHANNELS[one]} wait {TENTATIVE[way]}"
        for one in CHANNELS
        if (
            way := way_of(
                {"Channel": one, "InitiationMethod": method, "Outbound": out(method, one)}
            )
        )
        in TENTATIVE
    ]
    return "; ".join(["one", *waits])


def out(method: str, channel: str) -> bool:
    return method in OUTBOUND or channel in OUTBOUND_ON.get(method, ())


def test_initiation_methods_have_their_direction_and_activity() -> None:
    assert {*OUTBOUND, *OUTBOUND_ON, *INHERITING, *PART_OF_ANOTHER, AFTERWARDS} <= set(METHODS)
    table = [[code(one), direction(one), activity(one)] for one in METHODS]
    assert_written(table, "initiation method", "direction", "activity")


def test_disconnect_reasons_have_their_kind_and_words() -> None:
    table = [[code(name), one.kind, one.text or "nothing"] for name, one in REASONS.items()]
    assert_written(table, "disconnect reason", "kind of end", "in words")


def test_what_detection_hears_is_said() -> None:
    silent = [[code(name), "no", text] for name, text in SILENT.items()]
    machines = [[code(name), "a machine", text] for name, text in MACHINES.items()]
    assert_written([*silent, *machines], "answering machine detection", "reached", "in words")


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def test_the_rules_are_shown_in_their_order() -> None:
    table = [
        [
            code(rule.verdict.word),
            *map(
                cell,
                (rule.channel, rule.way, rule.agent, rule.customer, rule.kinds, rule.followed),
            ),
            f"{rule.verdict.text}.",
        ]
        for rule in RULES
    ]
    header = ("outcome", "channel", "came about", "agent", "customer", "kind of end", "went on")
    assert_written(table, *header, "in words")


def test_a_rule_is_about_kinds_of_ends_that_there_are() -> None:
    kinds = {one.kind for one in REASONS.values()}
    assert {*chain.from_iterable(rule.kinds or () for rule in RULES)} <= kinds


@pytest.mark.parametrize(("status", "reason"), RECORDINGS)
def test_a_recording_is_linked_or_not_as_the_page_says(
    record: Callable[..., Fact], status: str, reason: str
) -> None:
    location = "example-recordings/connect/example/CallRecordings/2026/01/02/a_UTC.wav"
    told = {"Location": location, "Status": status or None, "DeletionReason": reason or None}
    contact = Contact("c")
    contact.observe(record(Recording=told, Recordings=None))
    found, gone = objects(contact), withdrawn(contact)
    assert bool(found) is not bool(gone)
    said = {
        (row[0].strip("`").replace("null", ""), row[1] != "none"): row[2]
        for row in rows(PAGE, "status of a recording", "deletion reason", "link")
    }
    assert said[status, bool(reason)] == ("taken away" if gone else "written")
    assert len(said) == len(RECORDINGS)
