"""Invented traffic goes as contacts go, and is the same for the same seed."""

from __future__ import annotations

import base64
import gzip
import re
import sys

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import orjson
import pytest

from worker.sandbox import traffic
from worker.sandbox.traffic import __main__ as command
from worker.sandbox.traffic import people


if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from worker.sandbox.traffic import History, Leg, SentMessage


UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def bodies(sent: Iterable[SentMessage], stream: str) -> list[Any]:
    return [orjson.loads(message.body) for message in sent if message.stream == stream]


def details(history: History, contact_id: str | None = None) -> list[dict[str, Any]]:
    return [body["detail"] for body in history.parsed(traffic.EVENTS, contact_id)]


def records(history: History, contact_id: str | None = None) -> list[dict[str, Any]]:
    return history.parsed(traffic.RECORDS, contact_id)


def legs_of(histories: Iterable[History], kind: str) -> list[list[Leg]]:
    return [history.contacts for history in histories if history.kind == kind]


# Kinds


@pytest.mark.parametrize("kind", list(traffic.KINDS))
def test_every_kind_comes_in_order_and_begins_at_once(
    every_kind: dict[str, History], kind: str
) -> None:
    history = every_kind[kind]
    assert history.kind == kind
    assert [m.at_s for m in history.sent] == sorted(m.at_s for m in history.sent)
    assert 0 <= history.sent[0].at_s < 1
    assert all(leg.kind == kind and UUID4.fullmatch(leg.id) for leg in history.contacts)
    for leg in history.contacts:
        types = [d["eventType"] for d in details(history, leg.id)]
        assert types[0] == "INITIATED"
        assert "DISCONNECTED" in types
        assert ("COMPLETED" in types) == (kind != "chat_never_completed")
        assert ("CONNECTED_TO_AGENT" in types) == leg.answered
        assert leg.initiated_ms <= leg.disconnected_ms <= leg.ended_ms


def test_legs_are_linked_both_ways_in_both_streams(many_histories: list[History]) -> None:
    linked = Counter[str]()
    for history in many_histories:
        for before, after in pairwise(history.contacts):
            if after.related_id:
                continue
            linked[history.kind] += 1
            first = history.contacts[0].id
            assert records(history, before.id)[0]["NextContactId"] == after.id
            record = records(history, after.id)[0]
            assert record["PreviousContactId"] == before.id
            assert record["InitialContactId"] == first
            for detail in details(history, after.id):
                assert detail["previousContactId"] == before.id
                assert detail["initialContactId"] == first
            for detail in details(history, first):
                assert "previousContactId" not in detail
    assert set(linked) == {
        "voice_transfer",
        "voice_callback",
        "voice_disconnect_flow",
        "chat_transfer",
        "chat_requeued",
        "outbound_transferred",
        "callback_unanswered",
        "callback_expired",
        "monitored",
    }


def test_a_reply_is_related_to_its_mail(many_histories: list[History]) -> None:
    for mail, reply in legs_of(many_histories, "email_reply"):
        assert reply.related_id == mail.id
        assert reply.method == "AGENT_REPLY"
        assert reply.outgoing
        assert not mail.outgoing


def test_transfers_are_cold_warm_outside_requeued_and_twice(many_histories: list[History]) -> None:
    transfers = legs_of(many_histories, "voice_transfer")
    assert {tuple(leg.method for leg in legs) for legs in transfers} == {
        ("INBOUND", "TRANSFER"),
        ("INBOUND", "EXTERNAL_OUTBOUND"),
        ("INBOUND", "QUEUE_TRANSFER"),
        ("INBOUND", "TRANSFER", "TRANSFER"),
    }
    warm = [a for legs in transfers for a in legs[:-1] if a.transferred_ms is None and a.answered]
    cold = [a for legs in transfers for a in legs[:-1] if a.transferred_ms is not None]
    assert warm
    assert all(leg.transferred_to for leg in cold)


def test_an_outside_transfer_is_wrapped_up_before_it_ends(many_histories: list[History]) -> None:
    for first, *later in legs_of(many_histories, "voice_transfer"):
        if later[0].method == "EXTERNAL_OUTBOUND":
            assert first.after_work_ms is not None
            assert first.after_work_ms[1] < first.disconnected_ms


def test_abandoned_calls_waited_and_met_nobody(many_histories: list[History]) -> None:
    for (leg,) in legs_of(many_histories, "voice_abandoned"):
        assert leg.queued_ms is not None
        assert not leg.answered
        assert leg.agent is None


def test_ivr_calls_have_neither_queue_nor_agent(many_histories: list[History]) -> None:
    for (leg,) in legs_of(many_histories, "voice_ivr_only"):
        assert leg.queue is None
        assert leg.agent is None
        assert leg.reason == "CONTACT_FLOW_DISCONNECT"


@pytest.mark.parametrize("kind", ["voice_outbound", "voice_api", "campaign"])
def test_dialled_calls_are_answered_or_never_reach_the_system(
    many_histories: list[History], kind: str
) -> None:
    outcomes = Counter[bool]()
    for (leg,) in legs_of(many_histories, kind):
        assert leg.outgoing
        outcomes[leg.answered] += 1
        if leg.reason and leg.reason.startswith(("TELECOM", "OUTBOUND")):
            assert leg.system_ms is None
    assert outcomes[True]
    assert outcomes[False]


def test_campaign_events_tell_what_was_detected(many_histories: list[History]) -> None:
    for history in many_histories:
        if history.kind == "campaign":
            last, record = details(history)[-1], records(history)[0]
            assert last["answeringMachineDetectionStatus"] == history.contacts[0].amd
            assert record["AnsweringMachineDetectionStatus"] == history.contacts[0].amd
            assert record["Campaign"]["CampaignId"] == last["campaign"]["campaignId"]


def test_tasks_pause_and_resume(many_histories: list[History]) -> None:
    for history in many_histories:
        if history.kind == "task":
            types = Counter(detail["eventType"] for detail in details(history))
            assert types["PAUSED"] == types["RESUMED"] == records(history)[0]["TotalPauseCount"]


def test_a_disconnect_flow_follows_the_call(many_histories: list[History]) -> None:
    for call, flow in legs_of(many_histories, "voice_disconnect_flow"):
        assert flow.method == "DISCONNECT"
        assert flow.initiated_ms >= call.disconnected_ms
        assert (flow.agent, flow.queue, flow.stored) == (None, None, [])


def test_a_missed_call_was_offered_more_than_once_or_given_up(
    many_histories: list[History],
) -> None:
    attempts = {leg.attempts: leg.answered for (leg,) in legs_of(many_histories, "voice_missed")}
    assert attempts == {1: False, 2: True}


def test_a_midnight_call_is_filed_under_the_later_day(every_kind: dict[str, History]) -> None:
    history = every_kind["voice_midnight"]
    record = records(history)[0]
    assert record["InitiationTimestamp"].startswith("2026-01-02T23:59")
    assert record["Agent"]["ConnectedToAgentTimestamp"].startswith("2026-01-03T00:0")
    assert {"recording", "analysis"} <= {o.kind for o in history.contacts[0].stored}
    assert all("/2026/01/03/" in o.key for o in history.contacts[0].stored)


SITUATIONS: list[tuple[str, tuple[str, ...], tuple[bool, ...]]] = [
    ("chat_requeued", ("completed", "completed", "none"), (False, False, False)),
    ("sms", ("completed",), (False,)),
    ("outbound_transferred", ("completed", "completed"), (True, True)),
    ("callback_unanswered", ("completed", "cancelled"), (False, True)),
    ("callback_expired", ("completed", "cancelled"), (False, True)),
    ("mail_draft", ("completed", "none"), (False, True)),
    ("mail_by_flow", ("completed", "completed"), (False, True)),
    ("preview_discarded", ("none",), (True,)),
    ("task_scheduled", ("completed",), (False,)),
    ("monitored", ("completed", "none"), (False, False)),
    ("simulated", ("none",), (False,)),
    ("same_second", ("completed",), (False,)),
    ("recording_deleted", ("completed",), (False,)),
    ("redacted", ("completed",), (False,)),
]


@pytest.mark.parametrize(("kind", "fates", "outgoing"), SITUATIONS, ids=str)
def test_a_situation_says_what_becomes_of_each_of_its_legs(
    many_histories: list[History], kind: str, fates: tuple[str, ...], outgoing: tuple[bool, ...]
) -> None:
    for legs in legs_of(many_histories, kind):
        assert tuple(leg.fate for leg in legs) == fates
        assert tuple(leg.outgoing for leg in legs) == outgoing


def test_a_scheduled_task_and_a_callback_begin_later_than_they_were_asked_for(
    many_histories: list[History],
) -> None:
    for kind in ("task_scheduled", "callback_unanswered", "voice_callback"):
        for legs in legs_of(many_histories, kind):
            began = legs[-1].began_ms
            assert began is not None
            assert began > legs[-1].initiated_ms + 30_000


# Determinism and time


def test_the_same_seed_tells_the_same() -> None:
    for kind in traffic.KINDS:
        one, other = (traffic.history(kind, Random(7)).sent for _ in range(2))
        assert one == other
    assert list(traffic.day(5, 40)) == list(traffic.day(5, 40))
    assert list(traffic.day(5, 40)) != list(traffic.day(6, 40))


def test_compressing_changes_when_messages_are_sent_and_nothing_else() -> None:
    start = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    plain = traffic.history("chat", Random(1), start)
    quick = traffic.history("chat", Random(1), start, compress=0.01)
    assert [m.body for m in plain.sent] == [m.body for m in quick.sent]
    assert [m.at_s for m in quick.sent] == pytest.approx([m.at_s / 100 for m in plain.sent])
    assert records(plain)[0]["InitiationTimestamp"] == "2026-03-04T05:06:07Z"


def test_a_day_is_in_order_and_has_every_kind() -> None:
    sent = list(traffic.day(1, 100))
    assert [m.at_s for m in sent] == sorted(m.at_s for m in sent)
    everything = {d["channel"] for b in bodies(sent, traffic.EVENTS) for d in [b["detail"]]}
    assert everything == {"VOICE", "CHAT", "TASK", "EMAIL"}
    assert {m.stream for m in sent} == {traffic.EVENTS, traffic.RECORDS, traffic.RECORDINGS}
    assert any("Campaign" in r and r["Campaign"] for r in bodies(sent, traffic.RECORDS))


def test_a_day_begins_with_the_first_contact_at_hand() -> None:
    """Nothing is told before it is asked for: a day of any length costs the same to begin."""
    first = next(traffic.day(1, 1_000_000))
    assert orjson.loads(first.body)["detail"]["eventType"] == "INITIATED"


def test_a_short_span_stays_short() -> None:
    """Sixty contacts of every kind, the midnight call too, fit into the time they are given."""
    sent = list(traffic.day(1, 60, span_s=600, compress=0.1))
    assert sent[-1].at_s < (600 + 3 * 3600) * 0.1
    assert len({m.contact_id for m in sent}) >= 60


def test_contacts_are_never_told_under_the_same_id() -> None:
    sent = list(traffic.day(3, 300))
    ids = [
        body["detail"]["contactId"]
        for body in bodies(sent, traffic.EVENTS)
        if body["detail"]["eventType"] == "INITIATED"
    ]
    assert len(ids) == len(set(ids)) >= 300


# Disturbance


def test_an_undisturbed_day_is_left_alone() -> None:
    sent = list(traffic.day(1, 30))
    assert traffic.disturb(sent, Random(1), duplicate=0, reorder=0, late=0) == sent


def test_disturbing_loses_only_contact_events() -> None:
    sent = list(traffic.day(1, 60))
    disturbed = traffic.disturb(sent, Random(1), lose_events=1.0)
    assert {m.stream for m in disturbed} == {traffic.RECORDS, traffic.RECORDINGS}
    assert {m.body for m in disturbed} == {m.body for m in sent if m.stream != traffic.EVENTS}


def test_records_and_notifications_are_lost_if_asked() -> None:
    sent = list(traffic.day(1, 60))
    disturbed = traffic.disturb(sent, Random(1), lose_others=1.0)
    assert {m.stream for m in disturbed} == {traffic.EVENTS}


def test_disturbing_repeats_delays_and_never_changes_a_message() -> None:
    sent = list(traffic.day(1, 60))
    disturbed = traffic.disturb(sent, Random(1), duplicate=1.0, late=0.5)
    assert Counter(m.body for m in disturbed) == {m.body: 2 for m in sent}
    assert [m.at_s for m in disturbed] == sorted(m.at_s for m in disturbed)
    assert [m.body for m in disturbed[::2]] != [m.body for m in sent]
    begin = {m.body: m.at_s for m in sent}
    assert all(m.at_s >= begin[m.body] for m in disturbed)


def test_disturbing_is_the_same_for_the_same_seed() -> None:
    sent = list(traffic.day(1, 30))
    assert traffic.disturb(sent, Random(4)) == traffic.disturb(sent, Random(4))


def test_malformed_messages_are_no_json_or_lack_their_identity() -> None:
    for seed in range(60):
        message = traffic.malformed(Random(seed))
        assert message.contact_id == ""
        try:
            body = orjson.loads(message.body)
        except orjson.JSONDecodeError:
            continue
        detail = body.get("detail", body)
        assert not {"contactId", "eventType"} <= detail.keys()
        assert "ContactId" not in detail


# Truth


def test_the_truth_is_what_the_last_record_says(many_histories: list[History]) -> None:
    for history in many_histories:
        truth = traffic.truth(history)
        assert list(truth) == [leg.id for leg in history.contacts]
        for contact_id, true in truth.items():
            record = records(history, contact_id)[-1]
            assert true.start >= record["InitiationTimestamp"]
            assert true.end == record["DisconnectTimestamp"]
            address = (record["CustomerEndpoint"] or {}).get("Address")
            if address and record["Channel"] == "EMAIL":  # Name <address>
                address = address.lower().rpartition("<")[2].removesuffix(">")
            assert true.number == address
            assert true.agent == (record["Agent"] or {}).get("Username")
            assert true.queue == (record["Queue"] or {}).get("Name")
            assert true.answered == bool((record["Agent"] or {}).get("ConnectedToAgentTimestamp"))


def test_the_true_recording_is_the_unredacted_conversation(many_histories: list[History]) -> None:
    for history in many_histories:
        keys = {o.key for leg in history.contacts for o in leg.stored}
        for true in traffic.truth(history).values():
            if true.recording is None:
                assert true.recording_url is None
                continue
            bucket, _, key = true.recording.partition("/")
            assert bucket == people.BUCKET
            assert key in keys
            assert "edacted" not in key
            assert true.recording_url is not None
            assert unquote_plus(true.recording_url).endswith(key)


# Archives


def read_archive(path: Path, form: traffic.Form) -> list[Any]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    match form:
        case "array":
            documents = orjson.loads(data)
        case "ndjson":
            documents = [orjson.loads(line) for line in data.splitlines()]
        case "concatenated":
            documents = [orjson.loads(part) for part in data.replace(b"}{", b"}\n{").splitlines()]
    return list(documents)


@pytest.mark.parametrize("form", ["ndjson", "concatenated", "array"])
@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_archives_hold_every_message_in_order(
    tmp_path: Path, form: traffic.Form, suffix: str
) -> None:
    sent = list(traffic.day(1, 20))
    path = tmp_path / f"day.{suffix}"
    assert traffic.write_archive(path, sent, form) == len(sent)
    assert read_archive(path, form) == [orjson.loads(m.body) for m in sent]


@pytest.mark.parametrize("form", ["ndjson", "concatenated", "array"])
def test_archives_can_be_wrapped_as_lambda_receives_them(
    tmp_path: Path, form: traffic.Form
) -> None:
    sent = list(traffic.day(1, 20))
    path = tmp_path / "day.json"
    assert traffic.write_archive(path, sent, form, wrapped=True) == len(sent)
    wrapped = [r["kinesis"] for d in read_archive(path, form) for r in d["Records"]]
    assert [base64.b64decode(kinesis["data"]) for kinesis in wrapped] == [m.body for m in sent]
    numbers = [int(kinesis["sequenceNumber"]) for kinesis in wrapped]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("form", ["ndjson", "concatenated", "array"])
def test_an_archive_of_nothing_is_valid(tmp_path: Path, form: traffic.Form) -> None:
    path = tmp_path / "empty.json"
    assert traffic.write_archive(path, [], form) == 0
    assert read_archive(path, form) == []


def test_the_command_writes_the_same_archives_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for out in ("one", "two"):
        arguments = ["traffic", "--seed", "2", "--contacts", "20", "--out", str(tmp_path / out)]
        monkeypatch.setattr(sys, "argv", arguments)
        command.main()
    for stream in (traffic.EVENTS, traffic.RECORDS, traffic.RECORDINGS):
        one, two = (tmp_path / out / f"{stream}.ndjson.gz" for out in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
        assert read_archive(one, "ndjson")
