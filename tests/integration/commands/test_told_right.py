"""Contacts that are easily told wrongly are told right, from the archive to the record."""

from __future__ import annotations

import json

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.lens import said_in


Command = Callable[..., Any]
Told = Callable[..., list[dict[str, Any]]]

SAMPLES = Path(__file__).parents[2] / "samples" / "connect"


@pytest.fixture
def told(command: Command, place: Path) -> Told:
    """The records of an entity set after a sample was replayed by a pipeline, oldest first."""

    def replay(
        name: str, pipeline: str | Path, entity_set: str, *, status: int = 0, **settings: str
    ) -> list[dict[str, Any]]:
        options = ("--state", "memory", "--dump", "out.json", "--pipeline", pipeline)
        ended = command(
            "replay",
            "--dynamics",
            "sandbox",
            SAMPLES / name,
            *options,
            "--report",
            "json",
            **settings,
        )
        assert ended.status == status
        rows = json.loads((place / "out.json").read_bytes()).get(entity_set, [])
        return sorted(rows, key=lambda row: (row.get("actualstart") or "", row.get("subject")))

    return replay


def test_a_chat_that_a_disconnect_flow_queues_again_is_two_tasks_and_the_survey_none(
    told: Told,
) -> None:
    first, second = told("disconnect_flow_requeues_chat.ndjson", "chat", "tasks")
    assert "maud.ellery" in first["subject"]
    assert "idris.cole" in second["subject"]
    assert "ranscript" in second["description"]
    assert second["statecode"] == 1


def test_both_legs_of_an_outgoing_call_that_was_transferred_are_outgoing(told: Told) -> None:
    calls = told("transfer_of_outbound_call.ndjson", "phonecall", "phonecalls")
    assert [(call["directioncode"], call["statuscode"]) for call in calls] == [(True, 2)] * 2


def test_a_callback_begins_when_it_is_dialled_and_not_when_it_was_asked_for(told: Told) -> None:
    call = told("callback_waited_three_hours.ndjson", "phonecall", "phonecalls")[-1]
    assert call["actualdurationminutes"] in {4, 5}
    assert call["actualstart"] in {"2026-03-02T12:00:00Z", "2026-03-02T12:00:30Z"}


def test_a_mail_that_a_flow_sends_is_outgoing_and_sent(told: Told) -> None:
    (mail,) = told("email_by_flow.ndjson", "email", "emails")
    assert mail["directioncode"] is True
    assert mail["statuscode"] == 3
    assert mail["sender"] == "service@acme.example"
    assert mail["torecipients"] == "ada@customer.example"


def test_a_draft_that_was_discarded_or_expired_is_no_mail(told: Told) -> None:
    assert told("email_draft_never_sent.ndjson", "email", "emails") == []


ANSWERED_AND_ABANDONED = [
    ("goes on in another queue", None, False),
    ("is answered", True, None),
    ("chose a callback", None, False),
    ("is a campaign's that was not picked up", None, False),
    ("was not picked up by the customer", False, None),
    ("left the queue", None, True),
]


@pytest.mark.parametrize(
    ("line", "answered", "abandoned"),
    [(line, *row[1:]) for line, row in enumerate(ANSWERED_AND_ABANDONED)],
    ids=[row[0] for row in ANSWERED_AND_ABANDONED],
)
def test_answered_and_abandoned_say_what_the_customer_met(
    told: Told, line: int, answered: bool | None, abandoned: bool | None
) -> None:
    name = "answered_and_abandoned.ndjson"
    calls = told(name, SAMPLES / "outcome.toml", "phonecalls")
    lines = (SAMPLES / name).read_text().splitlines()
    contact_id = json.loads(lines[line])["ContactId"]
    (said,) = [call["category"] for call in calls if call["subject"] == contact_id]
    assert answered is None or ("Answered=true" in said) == answered
    assert abandoned is None or ("Abandoned=true" in said) == abandoned


def test_the_later_and_fuller_of_two_records_of_one_second_wins(told: Told) -> None:
    calls = told("two_records_of_one_second.ndjson", SAMPLES / "attribute.toml", "phonecalls")
    assert [call["category"] for call in calls] == ["solved"] * 16


def test_a_redaction_empties_the_column_long_after_the_contacts_state_has_expired(
    command: Command, place: Path
) -> None:
    for part in ("1", "2"):
        command(
            "replay",
            "--dynamics",
            "sandbox",
            SAMPLES / f"redacted_long_after.{part}.ndjson",
            *("--dynamics", "sandbox:box.sqlite", "--state", f"sqlite:state{part}.sqlite"),
            *("--pipeline", "phonecall", "--dump", "out.json"),
        )
    (call,) = json.loads((place / "out.json").read_bytes())["phonecalls"]
    assert call.get("phonenumber") is None
    assert "unknown number" in call["subject"]


def test_a_recording_that_the_record_calls_deleted_has_no_link(told: Told) -> None:
    (call,) = told("recording_deleted.ndjson", "phonecall", "phonecalls")
    assert "http" not in (call.get("description") or "")


def test_a_mail_has_its_subject_and_its_copy(told: Told) -> None:
    (mail,) = told("email_subject_cc_and_display_name.ndjson", "email", "emails")
    assert mail["subject"] == "Invoice 4711 is wrong"
    assert any(
        party["participationtypemask"] == 3 for party in mail.get("email_activity_parties", [])
    )


def test_a_customer_is_looked_up_by_the_address_without_the_name(command: Command) -> None:
    sample = SAMPLES / "email_subject_cc_and_display_name.ndjson"
    shown = command("preview", "timeline", "CUSTOMER", "--event", sample).out
    assert "Sample" not in shown
    assert "ada%40customer.example" in shown or "ada@customer.example" in shown


def test_a_task_keeps_its_name_and_counts_work_alone(told: Told) -> None:
    name = "task_scheduled_named_paused.ndjson"
    (task,) = told(name, SAMPLES / "task_name.toml", "tasks")
    assert task["subject"] == "Call Ada back"
    (task,) = told(name, "task", "tasks")
    assert task["actualdurationminutes"] == 9


def test_a_name_that_amazon_connect_adds_is_accepted(told: Told) -> None:
    (call,) = told("new_field.ndjson", SAMPLES / "new_field.toml", "phonecalls")
    assert call["subject"] == "URGENT"


def test_texts_of_attributes_become_the_columns_types(told: Told) -> None:
    (call,) = told("attribute_types.ndjson", SAMPLES / "attribute_types.toml", "phonecalls")
    assert call["leftvoicemail"] is True
    assert call["prioritycode"] == 2


def test_simulated_contacts_and_voicemails_can_be_left_out(told: Told, place: Path) -> None:
    text = (SAMPLES / "attribute.toml").read_text().replace("{{ContactId}}", "made")
    when = 'when = { "Attributes.vmx3_flag" = { not = ["1"] }, '
    when += '"SegmentAttributes.connect:ValidationTestType" = { missing = true } }\n'
    pipeline = place / "left_out.toml"
    pipeline.write_text(text.replace("[[step]]", f"{when}[[step]]", 1))
    assert len(told("voicemail_and_simulated.ndjson", pipeline, "phonecalls")) == 1


def test_a_negation_is_understood(command: Command) -> None:
    ended = command("check", "--pipeline", SAMPLES / "not_a_condition.toml")
    assert "ok   pipeline not_a_condition: 1 steps" in ended.out


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("cloudwatch_logs_export.log", 1),
        ("kinesis_get_records.json", 1),
        ("sqs_receive_message.json", 1),
        ("record_in_an_envelope.json", 1),
    ],
)
def test_a_message_in_its_wrapping_is_read(told: Told, name: str, records: int) -> None:
    assert len(told(f"wrapped/{name}", "phonecall", "phonecalls")) == records


def test_an_interactive_chat_reads_as_it_was_shown() -> None:
    said = said_in((SAMPLES / "lens" / "chat_transcript_interactive.json").read_bytes())
    _, question, answer, *rest = said["transcript"].splitlines()
    assert "How can we help? (Bill, Order)" in question
    assert "Bill" in answer
    assert "{" not in said["transcript"]
    assert "invoice.pdf" in "\n".join(rest)
