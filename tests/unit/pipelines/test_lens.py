"""What a Contact Lens analysis or a transcript says, and reading it."""

from __future__ import annotations

import io
import json

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import orjson
import pytest

from botocore.exceptions import ClientError

from pipelines.lens import MOST_CHARACTERS, said_in
from worker.files import MOST_BYTES, MemoryFiles, S3Files


VOICE = {
    "ConversationCharacteristics": {
        "ContactSummary": {"PostContactSummary": {"Content": " A short call. "}}
    },
    "Participants": [{"ParticipantId": "AGENT", "ParticipantRole": "AGENT"}],
    "Transcript": [
        {"ParticipantId": "AGENT", "Content": "Good morning"},
        {"ParticipantId": "CUSTOMER", "Content": "Hello\n"},
    ],
}
CHAT = {
    "Participants": [{"ParticipantId": "7f", "ParticipantRole": "CUSTOMER"}],
    "Transcript": [
        {"ParticipantId": "7f", "Type": "EVENT", "ContentType": "participant.joined"},
        {"ParticipantId": "7f", "Content": "Hi"},
        {"ParticipantRole": "AGENT", "ParticipantId": "8e", "Content": "Hello"},
    ],
}


def test_a_summary_and_a_transcript_are_taken_from_an_analysis() -> None:
    assert said_in(orjson.dumps(VOICE)) == {
        "summary": "A short call.",
        "transcript": "AGENT: Good morning\nCUSTOMER: Hello",
    }


def test_who_spoke_in_a_chat_is_told_by_part_and_not_by_id() -> None:
    assert said_in(orjson.dumps(CHAT)) == {"transcript": "CUSTOMER: Hi\nAGENT: Hello"}


def test_a_text_that_is_too_long_is_left_in_its_file() -> None:
    long = {"Transcript": [{"ParticipantId": "A", "Content": "x" * MOST_CHARACTERS}]}
    assert said_in(orjson.dumps({**VOICE, **long})) == {"summary": "A short call."}


def analysis(**traits: Any) -> bytes:
    return orjson.dumps({"ConversationCharacteristics": traits})


POST = {"PostContactSummary": {"Content": "Ada asked about a bill.", "Status": "COMPLETED"}}
AUTOMATED = {"AutomatedInteractionSummary": {"Content": "The bot took the number."}}
CHAIN = {"ContactChainSummary": {"Content": "Three mails about a refund."}}


@pytest.mark.parametrize(
    ("summaries", "text"),
    [
        (POST, "Ada asked about a bill."),
        (AUTOMATED, "The bot took the number."),
        (CHAIN, "Three mails about a refund."),
        ({"SummaryOfTomorrow": {"Content": "New."}}, "New."),
        ({"postContactSummary": {"content": "Small letters."}}, "Small letters."),
        ({"PostContactSummary": "Bare."}, "Bare."),
        ({"PostContactSummary": [{"Content": "One."}, {"Content": "Two."}]}, "One.\nTwo."),
        ({"PostContactSummary": {"Content": "## Issue\n- bill"}}, "## Issue\n- bill"),
        ({"PostContactSummary": {"Content": '{"title": "Bill"}'}}, "Bill"),
        ({**POST, "ContactChainSummary": POST["PostContactSummary"]}, "Ada asked about a bill."),
        (
            {**CHAIN, **AUTOMATED, **POST},
            (
                "Post contact: Ada asked about a bill.\n\n"
                "Automated interaction: The bot took the number.\n\n"
                "Contact chain: Three mails about a refund."
            ),
        ),
    ],
)
def test_every_kind_of_summary_is_told(summaries: dict[str, Any], text: str) -> None:
    assert said_in(analysis(ContactSummary=summaries)) == {"summary": text}
    assert said_in(orjson.dumps({"ContactSummary": summaries})) == {"summary": text}


@pytest.mark.parametrize(
    "summaries",
    [
        7,
        [],
        {"PostContactSummary": None},
        {"PostContactSummary": {"Status": "FAILED", "FailureCode": "QUOTA_EXCEEDED"}},
        {"SummaryItemsDetected": [{"IssuesDetected": [], "OutcomesDetected": []}]},
    ],
)
def test_without_a_summary_none_is_told(summaries: Any) -> None:
    assert said_in(analysis(ContactSummary=summaries)) == {}


def test_of_several_summaries_those_that_fit_are_told() -> None:
    long = {"AutomatedInteractionSummary": {"Content": "x" * MOST_CHARACTERS}}
    summary = said_in(analysis(ContactSummary={**POST, **long, **CHAIN}))["summary"]
    assert summary == (
        "Post contact: Ada asked about a bill.\n\nContact chain: Three mails about a refund."
    )


@pytest.mark.parametrize(
    "overall",
    [
        {"AGENT": 0, "CUSTOMER": 3.1},
        {
            "DetailsByInteraction": {"DetailsByParticipantRole": {"CUSTOMER": {"WithAgent": 1}}},
            "DetailsByParticipantRole": {"AGENT": 0, "CUSTOMER": 3.1333},
        },
    ],
)
def test_the_sentiment_of_each_participant_is_told(overall: dict[str, Any]) -> None:
    assert said_in(analysis(Sentiment={"OverallSentiment": overall})) == {
        "sentiment": "CUSTOMER 3.1, AGENT 0",
        "customer_sentiment": 3.1,
        "agent_sentiment": 0,
    }


@pytest.mark.parametrize("score", [None, "3", True, 10**400, [3], {"a": 1}, 6])
def test_a_sentiment_that_is_none_is_not_told(score: Any) -> None:
    body = json.dumps(
        {"ConversationCharacteristics": {"Sentiment": {"OverallSentiment": {"AGENT": score}}}}
    )
    assert said_in(body.encode()) == {}


def test_the_categories_that_matched_are_told() -> None:
    matched = {"MatchedCategories": ["refund", "shipping", 7], "MatchedDetails": {}}
    assert said_in(orjson.dumps({"Categories": matched})) == {"categories": "refund, shipping"}
    assert said_in(orjson.dumps({"Categories": {"MatchedCategories": []}})) == {}


@pytest.mark.parametrize(
    ("ms", "seconds"), [(0, 0), (1499, 1), (1500, 2), (32110, 32), (1500.7, 2)]
)
def test_talk_and_silence_are_told_in_seconds(ms: float, seconds: int) -> None:
    time = {"TotalTimeMillis": ms, "DetailsByParticipant": {"AGENT": {"TotalTimeMillis": 1}}}
    assert said_in(analysis(TalkTime=time, NonTalkTime=time)) == {
        "talk_s": seconds,
        "non_talk_s": seconds,
    }


@pytest.mark.parametrize("ms", [None, "7", True, -1, 10**18])
def test_a_time_that_is_none_is_not_told(ms: Any) -> None:
    assert said_in(analysis(TalkTime={"TotalTimeMillis": ms}, NonTalkTime=ms)) == {}


INTERACTIVE = "application/vnd.amazonaws.connect.message.interactive"
RESPONSE = f"{INTERACTIVE}.response"


def message(content: Any, kind: str = INTERACTIVE) -> str:
    """What the transcript says of a chat's message."""
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    entry = {"ParticipantRole": "SYSTEM", "ContentType": kind, "Content": text, "Type": "MESSAGE"}
    transcript: str = said_in(orjson.dumps({"Transcript": [entry]}))["transcript"]
    return transcript.removeprefix("SYSTEM: ")


def template(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    reply = {"title": "Thanks for selecting!", "imageData": "https://acme.example/a.jpg"}
    return {
        "templateType": kind,
        "version": "1.0",
        "data": {"replyMessage": reply, "content": content},
    }


ELEMENTS = [{"title": "Bill", "subtitle": "$1", "imageType": "URL"}, {"title": "Order"}]
PANEL = {"title": "How can we help?", "subtitle": "Tap to select", "elements": ELEMENTS}
SLOTS = [{"date": "2026-10-31T17:00+00:00", "duration": 60}]
PLACE = {"title": "Leeds", "latitude": 53.8, "longitude": -1.5}
ROWS = [{"title": "Bills", "rows": [{"id": "1", "title": "Pay", "description": "now"}]}]
BUTTONS = [{"type": "reply", "reply": {"id": "1", "title": "Yes"}}]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (template("ListPicker", PANEL), "How can we help? (Bill, Order)"),
        (template("Panel", PANEL), "How can we help? (Bill, Order)"),
        (template("QuickReply", PANEL), "How can we help? (Bill, Order)"),
        (
            template("TimePicker", {"title": "When?", "location": PLACE, "timeslots": SLOTS}),
            "When? (2026-10-31T17:00+00:00)",
        ),
        (
            template(
                "Carousel", {"title": "Choose", "elements": [template("Panel", PANEL), "None"]}
            ),
            "Choose (How can we help? (Bill, Order), None)",
        ),
        (
            template(
                "WhatsAppInteractiveList",
                {
                    "body": {"text": "Choose"},
                    "footer": {"text": "Acme"},
                    "action": {"button": "Menu", "sections": ROWS},
                },
            ),
            "Choose (Bills (Pay))",
        ),
        (
            template(
                "WhatsAppInteractiveReplyButton",
                {"body": {"text": "Is that all?"}, "action": {"buttons": BUTTONS}},
            ),
            "Is that all? (Yes)",
        ),
        (
            template("ListPicker", {"title": "[PII]", "elements": [{"title": "[PII]"}]}),
            "[PII] ([PII])",
        ),
        ({"templateType": "ViewResource", "data": {}}, "ViewResource"),
        ({"a": 1}, '{"a":1}'),
        ("no JSON", "no JSON"),
        ('{"title": [PII]}', '{"title": [PII]}'),
    ],
)
def test_an_interactive_message_is_told_as_people_see_it(content: Any, text: str) -> None:
    assert message(content) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"action": "ListPicker", "data": {"elements": [{"title": "Bill"}]}}, "Bill"),
        ({"action": "ListPicker", "data": {"elements": ["Bill", "Order"]}}, "Bill, Order"),
        ({"templateType": "TimePicker", "data": {"timeslot": SLOTS[0]}}, SLOTS[0]["date"]),
        ({"templateType": "QuickReply", "action": "Bill", "data": {}}, "Bill"),
        ("Bill", "Bill"),
        ('"Bill"', "Bill"),
    ],
)
def test_an_answer_to_it_is_told_as_what_was_chosen(content: Any, text: str) -> None:
    assert message(content, RESPONSE) == text


@pytest.mark.parametrize("kind", ["text/plain", "text/markdown"])
def test_what_people_write_stays_as_they_wrote_it(kind: str) -> None:
    assert message('**Bold** {"title": "x"}', kind) == '**Bold** {"title": "x"}'
    assert message('{"title": "x"}', kind) == '{"title": "x"}'


def test_a_message_of_other_json_is_told_by_its_text() -> None:
    assert message({"message": "Hello"}, "application/json") == "Hello"


def test_a_message_that_is_nested_for_ever_harms_nobody() -> None:
    nested = '{"data":' * 500 + '"x"' + "}" * 500
    assert message(nested) == nested


@pytest.mark.parametrize(
    ("attachments", "text"),
    [
        ([{"AttachmentName": "invoice.pdf", "Status": "APPROVED"}], "sent invoice.pdf"),
        ([{"attachmentName": "a.png"}, {"AttachmentName": "b.png"}], "sent a.png, b.png"),
        ([{"AttachmentName": "a.exe", "Status": "REJECTED"}], "sent a.exe (rejected)"),
        ([{"AttachmentName": "[PII]", "Status": "APPROVED"}], "sent [PII]"),
        ([{"AttachmentId": "1"}], "sent a file"),
    ],
)
def test_attachments_are_mentioned(attachments: list[dict[str, str]], text: str) -> None:
    entry = {"Type": "ATTACHMENT", "ParticipantRole": "CUSTOMER", "Attachments": attachments}
    assert said_in(orjson.dumps({"Transcript": [entry]})) == {"transcript": f"CUSTOMER: {text}"}


@pytest.mark.parametrize(
    "entry",
    [
        {"Type": "EVENT", "ContentType": "application/vnd.amazonaws.connect.event.typing"},
        {"Type": "EVENT", "Content": "{}"},
        {"ContentType": "application/vnd.amazonaws.connect.event.participant.left", "Content": "x"},
        {"Type": "ATTACHMENT", "Attachments": []},
        {"Type": "MESSAGE", "Content": None},
    ],
)
def test_what_says_nothing_is_left_out(entry: dict[str, Any]) -> None:
    entry = {"ParticipantRole": "CUSTOMER", **entry}
    assert said_in(orjson.dumps({"Transcript": [entry]})) == {}


def test_the_markers_of_a_redaction_stay() -> None:
    entry = {"ParticipantId": "CUSTOMER", "Content": "I am [PII]", "Redaction": {"RedactedIds": []}}
    assert said_in(orjson.dumps({"Transcript": [entry]})) == {"transcript": "CUSTOMER: I am [PII]"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'\xef\xbb\xbf{"Transcript": [{"ParticipantId": "A", "Content": "Hi"}]}', "A: Hi"),
        (b'{"Transcript": [{"ParticipantId": "A", "Content": "Hi \\ud83d"}]}', "A: Hi \ufffd"),
        (b'{"Transcript": [{"ParticipantId": "A", "Content": "Hi\n"}], "X": NaN}', "A: Hi"),
        (b'{"Transcript": [{"ParticipantId": "A", "Content": "H\xfc"}]}', "A: H\ufffd"),
    ],
)
def test_one_bad_character_does_not_lose_the_rest(body: bytes, text: str) -> None:
    assert said_in(body) == {"transcript": text}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"7",
        b"[" * 100_000,
        b'{"Transcript": 7}',
        b'{"Transcript": [7, {"Content": 7}]}',
    ],
)
def test_anything_else_says_nothing(body: bytes) -> None:
    assert said_in(body) == {}


PUBLISHED = Path(__file__).parents[2] / "samples" / "published"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "awsdocs__voice_3d55bca_1.json",
            {
                "sentiment": "CUSTOMER 3.1, AGENT 0",
                "customer_sentiment": 3.1,
                "agent_sentiment": 0,
                "talk_s": 29,
                "non_talk_s": 0,
            },
        ),
        (
            "awsdocs__chat_9342a9b_0.json",
            {
                "sentiment": "CUSTOMER 0, AGENT 1.2",
                "customer_sentiment": 0,
                "agent_sentiment": 1.2,
                "categories": "agent-intro",
            },
        ),
    ],
)
def test_what_aws_publishes_is_told(name: str, said: dict[str, Any]) -> None:
    found = said_in((PUBLISHED / name).read_bytes())
    assert "{" not in found.pop("transcript")
    assert found == said


class Body(io.BytesIO):
    """As botocore's streaming bodies are read."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def read(self, *_: Any) -> bytes:  # type: ignore[override]  # async, as aiobotocore's is
        return super().read()


class Bucket:
    """An S3 client that has one file, or refuses."""

    def __init__(self, content: bytes | None, length: int | None = None) -> None:
        self.content = content
        self.length = length

    async def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto's
        assert (Bucket, Key) == ("recordings", "Analysis/a.json")
        if self.content is None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")
        return {"ContentLength": self.length or len(self.content), "Body": Body(self.content)}


@pytest.mark.parametrize(
    ("bucket", "read"),
    [
        (Bucket(b"{}"), b"{}"),
        (Bucket(None), b""),
        (Bucket(b"{}", MOST_BYTES + 1), b""),
    ],
)
async def test_a_file_is_read_or_there_is_nothing_in_it(bucket: Bucket, read: bytes) -> None:
    @asynccontextmanager
    async def client() -> AsyncIterator[Bucket]:
        yield bucket

    assert await S3Files(client).read("recordings", "Analysis/a.json") == read


async def test_the_twin_has_the_files_it_was_given() -> None:
    files = MemoryFiles({("b", "k"): b"x"})
    assert await files.read("b", "k") == b"x"
    assert await files.read("b", "other") == b""
