"""Invented messages look like the ones Amazon Connect and S3 send."""

from __future__ import annotations

import re

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote_plus

import orjson
import pytest

from worker.sandbox import traffic
from worker.sandbox.traffic import people


if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.sandbox.traffic import History


UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
KEY = re.compile(r"^([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})_")
RECORD_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
EVENT_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

EVENT_TYPES = {
    "INITIATED",
    "CONNECTED_TO_SYSTEM",
    "QUEUED",
    "CONNECTED_TO_AGENT",
    "CONTACT_DATA_UPDATED",
    "PAUSED",
    "RESUMED",
    "DISCONNECTED",
    "COMPLETED",
}


def details(history: History, contact_id: str | None = None) -> list[dict[str, Any]]:
    return [body["detail"] for body in history.parsed(traffic.EVENTS, contact_id)]


def records(history: History, contact_id: str | None = None) -> list[dict[str, Any]]:
    return history.parsed(traffic.RECORDS, contact_id)


def stored(body: dict[str, Any]) -> tuple[str, str]:
    """The way a notification came and its decoded key."""
    if "Message" in body:
        return "sns", stored(orjson.loads(body["Message"]))[1]
    if "detail" in body:
        return "eventbridge", body["detail"]["object"]["key"]
    return "native", unquote_plus(body["Records"][0]["s3"]["object"]["key"])


def values(data: Any) -> Iterable[Any]:
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from values(item)
    else:
        yield data


# Contact events


def test_every_event_has_its_envelope_and_identity(many_histories: list[History]) -> None:
    for history in many_histories:
        for body in history.parsed(traffic.EVENTS):
            assert body["version"] == "0"
            assert body["source"] == "aws.connect"
            assert body["detail-type"] == "Amazon Connect Contact Event"
            assert body["account"] == people.ACCOUNT
            assert body["region"] == people.REGION
            assert UUID4.fullmatch(body["id"])
            assert RECORD_TIME.fullmatch(body["time"])
            detail = body["detail"]
            assert detail["eventType"] in EVENT_TYPES
            assert detail["channel"] in {"VOICE", "CHAT", "TASK", "EMAIL"}
            assert detail["instanceArn"] == people.INSTANCE_ARN
            assert detail["initiationMethod"]
            assert body["resources"][1].endswith(detail["contactId"])


def test_events_tell_agents_and_queues_by_arn_only(many_histories: list[History]) -> None:
    names = {agent.username for agent in people.AGENTS} | {q.name for q in people.QUEUES}
    for history in many_histories:
        for detail in details(history):
            assert not names & {value for value in values(detail) if isinstance(value, str)}


def test_events_tell_neither_the_customers_number_nor_attributes(
    many_histories: list[History],
) -> None:
    for history in many_histories:
        for leg in history.contacts:
            body = b"".join(m.body for m in history.sent if m.stream == traffic.EVENTS)
            assert leg.customer.number.encode() not in body
            assert leg.customer.name.encode() not in body
            assert b"customerEndpoint" not in body
            assert b"globalResiliencyMetadata" not in body


def test_fields_fill_up_as_the_contact_goes_on(every_kind: dict[str, History]) -> None:
    by_type = {detail["eventType"]: detail for detail in details(every_kind["voice_inbound"])}
    assert not {"queueInfo", "agentInfo", "disconnectTimestamp"} & by_type["INITIATED"].keys()
    assert "queueInfo" in by_type["QUEUED"]
    assert "agentInfo" not in by_type["QUEUED"]
    assert "connectedToAgentTimestamp" in by_type["CONNECTED_TO_AGENT"]["agentInfo"]
    assert "disconnectTimestamp" not in by_type["CONNECTED_TO_AGENT"]
    assert "disconnectTimestamp" in by_type["DISCONNECTED"]


def test_the_last_event_tells_of_the_after_contact_work(many_histories: list[History]) -> None:
    for leg, history in ((leg, h) for h in many_histories for leg in h.contacts):
        if leg.after_work_ms and leg.completes:
            completed = next(d for d in details(history, leg.id) if d["eventType"] == "COMPLETED")
            info = completed["agentInfo"]
            begin, end = leg.after_work_ms
            assert info["afterContactWorkDuration"] == end // 1000 - begin // 1000


def test_unset_times_are_the_sentinel_where_connect_sends_it(
    every_kind: dict[str, History],
) -> None:
    first = details(every_kind["chat"])[0]
    assert first["disconnectTimestamp"] == "1970-01-01T00:00:00.001Z"
    assert details(every_kind["task"])[0]["scheduledTimestamp"] == "1970-01-01T00:00:00.001Z"
    assert "disconnectTimestamp" not in details(every_kind["voice_inbound"])[0]


def test_event_times_have_milliseconds(many_histories: list[History]) -> None:
    for history in many_histories:
        for detail in details(history):
            times = [detail[name] for name in detail if name.endswith("Timestamp")]
            assert times
            assert all(EVENT_TIME.fullmatch(time) for time in times)


def test_outbound_calls_have_no_queue_in_their_events(many_histories: list[History]) -> None:
    for history in many_histories:
        for detail in details(history):
            if detail["initiationMethod"] == "OUTBOUND":
                assert "queueInfo" not in detail


def test_system_endpoints_are_left_out_where_connect_does(many_histories: list[History]) -> None:
    seen = set()
    for history in many_histories:
        for detail in details(history):
            if detail["initiationMethod"] in {"CALLBACK", "QUEUE_TRANSFER"}:
                seen.add(detail["initiationMethod"])
                assert "endpoints" not in detail
    assert seen == {"CALLBACK", "QUEUE_TRANSFER"}


def test_only_calls_out_chats_tasks_and_mails_tell_that_the_system_is_reached(
    many_histories: list[History],
) -> None:
    telling = {
        (detail["channel"], detail["initiationMethod"])
        for history in many_histories
        for detail in details(history)
        if detail["eventType"] == "CONNECTED_TO_SYSTEM"
    }
    assert {method for channel, method in telling if channel == "VOICE"} == {
        "OUTBOUND",
        "CALLBACK",
        "EXTERNAL_OUTBOUND",
    }
    assert {channel for channel, _ in telling} == {"VOICE", "CHAT", "TASK", "EMAIL"}


# Contact records


def test_records_have_all_keys_there_are(many_histories: list[History]) -> None:
    for history in many_histories:
        for record in records(history):
            assert len(record) == 54
            assert list(record) == sorted(record)
            assert record["AWSContactTraceRecordFormatVersion"] == "2017-03-10"
            assert RECORD_TIME.fullmatch(record["LastUpdateTimestamp"])


def test_every_contact_gets_a_record_after_its_end(many_histories: list[History]) -> None:
    for history in many_histories:
        for leg in history.contacts:
            sent = [m for m in history.sent if m.contact_id == leg.id]
            first = next(m for m in sent if m.stream == traffic.RECORDS)
            begin_ms = history.contacts[0].initiated_ms
            assert 50 < first.at_s - (leg.disconnected_ms - begin_ms) / 1000 < 90


def test_answered_contacts_name_agent_and_queue(many_histories: list[History]) -> None:
    for history in many_histories:
        for leg in history.contacts:
            for record in records(history, leg.id):
                assert (record["Agent"] is not None) == (leg.agent is not None)
                if leg.agent is not None:
                    assert record["Agent"]["Username"] == leg.agent.username
                    connected = record["Agent"]["ConnectedToAgentTimestamp"]
                    assert (connected is not None) == leg.answered
                    assert record["Agent"]["AgentInteractionDuration"] >= 0 or not leg.answered


def test_records_and_events_agree_to_the_second(many_histories: list[History]) -> None:
    """Events have milliseconds, records the same times cut off."""
    for history in many_histories:
        for leg in history.contacts:
            record, last = records(history, leg.id)[0], details(history, leg.id)[-1]
            for name in ("initiationTimestamp", "disconnectTimestamp"):
                assert record[name[0].upper() + name[1:]] == last[name][:19] + "Z"
            if leg.answered:
                told = last["agentInfo"]["connectedToAgentTimestamp"]
                assert record["Agent"]["ConnectedToAgentTimestamp"] == told[:19] + "Z"


def test_phone_records_name_the_customers_number_and_chats_nothing(
    many_histories: list[History],
) -> None:
    for history in many_histories:
        for leg in history.contacts:
            endpoint = records(history, leg.id)[0]["CustomerEndpoint"]
            match leg.channel:
                case "VOICE" | "CHAT" if leg.line:
                    assert endpoint["Address"] == leg.customer.number
                    assert endpoint["Type"] == "TELEPHONE_NUMBER"
                case "EMAIL":
                    assert leg.customer.email in endpoint["Address"].lower()
                case _:
                    assert endpoint is None


def test_a_record_sent_again_is_newer_and_has_other_attributes(
    many_histories: list[History],
) -> None:
    again = 0
    for history in many_histories:
        for leg in history.contacts:
            if leg.resent:
                continue
            for old, new in pairwise(records(history, leg.id)):
                again += 1
                assert new["LastUpdateTimestamp"] > old["LastUpdateTimestamp"]
                assert new["Attributes"].items() > old["Attributes"].items()
                updated = details(history, leg.id)[-1]
                assert updated["eventType"] == "CONTACT_DATA_UPDATED"
                assert updated["updatedProperties"] == ["UserDefinedAttributes"]
    assert again


def test_two_records_of_one_second_differ_in_how_much_they_say(
    every_kind: dict[str, History],
) -> None:
    old, new = records(every_kind["same_second"])
    assert old["LastUpdateTimestamp"] == new["LastUpdateTimestamp"]
    assert new["Attributes"].items() > old["Attributes"].items()


def test_a_record_sent_again_says_what_was_deleted(every_kind: dict[str, History]) -> None:
    _, deleted = records(every_kind["recording_deleted"])
    assert deleted["Recording"]["Status"] == deleted["Recordings"][0]["Status"] == "DELETED"
    _, redacted = records(every_kind["redacted"])
    assert redacted["CustomerEndpoint"] is None
    assert redacted["Attributes"]["CallReason"] is None
    assert (
        "CustomerEndpoint" in redacted["SegmentAttributes"]["connect:RedactedFields"]["ValueString"]
    )


def test_records_say_where_the_recording_is_or_leave_it_out(many_histories: list[History]) -> None:
    told = Counter[bool]()
    for history in many_histories:
        for leg in history.contacts:
            record = records(history, leg.id)[0]
            key = leg.key_of("recording")
            told[record["Recording"] is not None] += key is not None
            if record["Recording"] and key:
                assert record["Recording"]["Location"] == f"{people.BUCKET}/{key}"
                assert record["Recordings"][0]["Location"] == f"{people.BUCKET}/{key}"
                assert record["Recordings"][0]["StartTimestamp"] is None
    assert told[False]
    assert told[True] > told[False]


# Stored objects


def test_keys_decode_to_the_contact_id(many_histories: list[History]) -> None:
    ways = Counter[str]()
    for history in many_histories:
        for message in history.sent:
            if message.stream == traffic.RECORDINGS:
                way, key = stored(orjson.loads(message.body))
                ways[way] += 1
                match = KEY.match(key.rpartition("/")[2])
                assert match is not None
                assert match[1] == message.contact_id
    assert ways["native"] > ways["sns"] > 0
    assert ways["eventbridge"] > 0


def test_native_keys_are_form_encoded_and_eventbridge_keys_are_not(
    many_histories: list[History],
) -> None:
    for body in (b for h in many_histories for b in h.parsed(traffic.RECORDINGS)):
        if "Records" in body:
            raw = body["Records"][0]["s3"]["object"]["key"]
            assert raw == quote_plus(unquote_plus(raw), safe="/")
            assert "%3A" in raw
        elif "detail" in body:
            assert ":" in body["detail"]["object"]["key"]


def test_each_object_is_told_once(many_histories: list[History]) -> None:
    for history in many_histories:
        keys = Counter(stored(body)[1] for body in history.parsed(traffic.RECORDINGS))
        assert keys == Counter(o.key for leg in history.contacts for o in leg.stored)
        assert set(keys.values()) <= {1}


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("recording", r"connect/example/CallRecordings/D/I_M\.wav"),
        ("ivr_recording", r"connect/example/CallRecordings/ivr/D/I_M\.wav"),
        ("redacted_recording", r"Analysis/Voice/Redacted/D/I_call_recording_redacted_S\.wav"),
        ("transcript", r"connect/example/ChatTranscripts/D/I_M\.json"),
        ("analysis", r"Analysis/(Voice|Chat|Email)/D/I_analysis_(S|M)\.json"),
        (
            "redacted_analysis",
            r"Analysis/(Voice|Chat|Email)/Redacted/D/I_analysis_redacted_S\.json",
        ),
    ],
)
def test_objects_lie_where_connect_puts_them(
    many_histories: list[History], kind: str, path: str
) -> None:
    parts = {
        "D": r"\d{4}/\d\d/\d\d",
        "I": r"[0-9a-f-]{36}",
        "M": r"\d{8}T\d\d:\d\d_UTC",
        "S": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    }
    pattern = re.sub(r"(?<![A-Za-z])[DIMS](?![A-Za-z])", lambda m: parts[m[0]], path)
    keys = [
        o.key for h in many_histories for leg in h.contacts for o in leg.stored if o.kind == kind
    ]
    assert keys
    assert [key for key in keys if not re.fullmatch(pattern, key)] == []
