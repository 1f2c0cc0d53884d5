"""What a Contact Lens analysis or a transcript says, and reading it."""

from __future__ import annotations

import io

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


@pytest.mark.parametrize(
    "body",
    [b"", b"no JSON", b"[]", b"7", b'{"Transcript": 7}', b'{"Transcript": [7, {"Content": 7}]}'],
)
def test_anything_else_says_nothing(body: bytes) -> None:
    assert said_in(body) == {}


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
