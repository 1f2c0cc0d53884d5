"""What the names of a contact's course say, by kind of contact and by the streams there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.snapshot import snapshot
from pipelines.view import view


Told = Callable[..., Contact]
Makes = Callable[..., Fact]

CONNECTED = "2026-01-02T03:00:02Z"


@pytest.mark.parametrize(
    ("fields", "answered"),
    [
        ({"InitiationMethod": "INBOUND"}, True),
        ({"InitiationMethod": "OUTBOUND"}, False),
        ({"InitiationMethod": "OUTBOUND", "ConnectedToSystemTimestamp": CONNECTED}, True),
        ({"InitiationMethod": "TRANSFER"}, True),
        (
            {
                "InitiationMethod": "OUTBOUND",
                "ConnectedToSystemTimestamp": CONNECTED,
                "AnsweringMachineDetectionStatus": "VOICEMAIL_BEEP",
            },
            False,
        ),
    ],
)
def test_an_outgoing_call_is_answered_once_the_customer_is_there(
    fields: dict[str, Any], answered: bool, record: Makes, told: Told
) -> None:
    assert view(told(record(**fields)))["Answered"] is answered


@pytest.mark.parametrize(
    ("fields", "abandoned"),
    [
        ({}, True),
        ({"DisconnectReason": "CUSTOMER_DISCONNECT"}, True),
        ({"DisconnectReason": "SOMETHING_NEW"}, True),
        ({"DisconnectReason": "CONTACT_FLOW_DISCONNECT"}, False),
        ({"NextContactId": "4cc2c6d2-8084-5959-ac01-178a642b3e63"}, False),
        ({"InitiationMethod": "CALLBACK"}, False),
        ({"Channel": "TASK"}, False),
        ({"Queue": {"Name": "Support"}}, False),
    ],
)
def test_abandoned_is_what_the_customer_left_in_a_queue(
    fields: dict[str, Any], abandoned: bool, record: Makes, told: Told
) -> None:
    assert view(told(record(**{"Agent": None, **fields})))["Abandoned"] is abandoned


def test_without_a_record_the_wait_for_it_decides_who_abandoned(event: Makes, told: Told) -> None:
    seen = snapshot(told(event("QUEUED"), event("DISCONNECTED")), {})
    assert "Abandoned" not in seen.values
    assert seen.settled["Abandoned"] is True


def test_a_callback_begins_when_it_leaves_the_queue_or_never(record: Makes, told: Told) -> None:
    dialled = view(told(record(InitiationMethod="CALLBACK")))
    assert dialled["StartTimestamp"] == "2026-01-02T03:00:20Z"
    never = view(told(record(InitiationMethod="CALLBACK", Agent=None)))
    assert (never["StartTimestamp"], never["DurationSeconds"]) == ("2026-01-02T03:04:05Z", 0)


def test_a_task_counts_work_without_its_pauses(event: Makes, record: Makes, told: Told) -> None:
    pauses = event("PAUSED", "2026-01-02T03:01:00Z"), event("RESUMED", "2026-01-02T03:02:00Z")
    ends = event("CONNECTED_TO_AGENT", channel="TASK"), event("DISCONNECTED", channel="TASK")
    assert view(told(*ends, *pauses, event("COMPLETED", channel="TASK")))["DurationSeconds"] == 165
    summed = view(told(record(Channel="TASK", TotalPauseDurationInSeconds=25)))
    assert summed["DurationSeconds"] == 200
