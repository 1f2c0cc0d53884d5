"""Messages that nobody should send, among calls: they stay alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from hostile.lines import all_in_order
from hostile.world import Call, World, until
from worker.sandbox.traffic import EVENTS, RECORDINGS, RECORDS, SentMessage


pytestmark = [pytest.mark.services, pytest.mark.asyncio(loop_scope="module")]

#: A pipeline that counts what callers type, and writes back.
COUNTING: Final = """
name = "counting"
when = { Channel = ["VOICE"] }

[[step]]
name   = "COUNT"
on     = "record"
method = "POST"
entity = "tasks"
when   = { "Attributes.counted" = ["yes"] }
body   = '''{"subject": "{{ Attributes.n | minutes }}", "actualdurationminutes": %s}'''

[writeback]
count = "{{ Attributes.n | plus: 1 }}"
"""

COUNTS: Final = (
    *("{{ Attributes.n | minutes }}", "{{ Attributes.n | plus: 1 }}"),
    *("{{ Attributes.n | times: 7 }}", "{{ Attributes.n | floor }}"),
)

NUMBER: Final = "9" * 22


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("counting")
    paths = []
    for number, count in enumerate(COUNTS):
        path: Path = folder / f"counting-{number}.toml"
        text = COUNTING.replace('"counting"', f'"counting-{number}"')
        path.write_text(text % f'"{count}"', encoding="utf-8")
        paths.append(str(path))
    return {"also": ",".join(paths)}


Spoil = Callable[[Any], Any]


def changed(call: Call, stream: str, change: Spoil) -> list[SentMessage]:
    """What is told of a call, with every message of a stream changed."""

    def other(message: SentMessage) -> SentMessage:
        value = orjson.loads(message.body)
        return message._replace(body=orjson.dumps(change(value) or value))

    return [other(m) if m.stream == stream else m for m in call.sent]


def _put(*path: str, value: Any) -> Spoil:
    def change(message: Any) -> None:
        inner = message
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value

    return change


def _drop(*path: str) -> Spoil:
    def change(message: Any) -> None:
        inner = message
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]

    return change


def _attributes(**attributes: Any) -> Spoil:
    def change(record: Any) -> None:
        record["Attributes"].update(attributes)

    return change


def _deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


#: What is sent instead: the stream, and what becomes of its messages.
CHANGES: Final = {
    "a_number_of_22_digits": (RECORDS, _attributes(counted="yes", n=NUMBER)),
    "a_number_of_400_digits": (RECORDS, _attributes(counted="yes", n="9" * 400)),
    "not_a_number": (RECORDS, _attributes(counted="yes", n="nan")),
    "attributes_that_are_objects": (RECORDS, _attributes(Reason={})),
    "attributes_that_are_a_text": (RECORDS, _put("Attributes", value="x")),
    "attributes_nested_251_deep": (RECORDS, _attributes(counted="yes", n=_deep(245))),
    "surrogates": (RECORDS, _attributes(n="\\ud800")),
    "no_instance_in_the_event": (EVENTS, _drop("detail", "instanceArn")),
    "an_instance_of_numbers": (EVENTS, _put("detail", "instanceArn", value=5)),
    "an_instance_that_is_no_arn": (EVENTS, _put("detail", "instanceArn", value="//é/ü ")),
    "an_initial_contact_that_is_an_object": (EVENTS, _put("detail", "initialContactId", value={})),
    "an_initial_contact_of_words": (EVENTS, _put("detail", "initialContactId", value="no id / ?")),
    "a_queue_that_is_a_list": (EVENTS, _put("detail", "queueInfo", value=[1])),
    "an_agent_that_is_a_text": (RECORDS, _put("Agent", value="somebody")),
    "a_record_of_2099": (RECORDS, _put("LastUpdateTimestamp", value="2099-01-01T00:00:00Z")),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_calls_are_written_beside_one_whose_messages_are_strange(
    scene: World, name: str
) -> None:
    stream, change = CHANGES[name]
    worker = await scene.worker()
    *healthy, strange = await scene.calls(3)
    await scene.cloud.put(changed(strange, stream, change))
    await scene.tell(healthy)
    await scene.written(healthy, worker)
    await until(lambda: bool(scene.activities(strange)), worker)


async def test_calls_are_written_beside_a_file_in_a_bucket_that_cannot_be(scene: World) -> None:
    worker = await scene.worker()
    *healthy, strange = await scene.calls(3)

    def elsewhere(notice: Any) -> Any:
        text = orjson.dumps(notice).replace(
            b"example-connect-recordings", "our bucket Müller".encode()
        )
        return orjson.loads(text)

    await scene.cloud.put(changed(strange, RECORDINGS, elsewhere))
    await scene.tell(healthy)
    await scene.written(healthy, worker)
    await until(lambda: bool(scene.activities(strange)), worker)
    assert "Müller" not in worker.log.read_text(encoding="utf-8")


async def test_a_record_of_2099_is_set_aside_and_the_true_one_counts(scene: World) -> None:
    worker = await scene.worker()
    (call,) = await scene.calls(1)
    future = changed(call, RECORDS, CHANGES["a_record_of_2099"][1])
    await scene.cloud.put([m for m in future if m.stream == RECORDS])
    await scene.tell([call])
    await scene.written([call], worker)


@pytest.mark.parametrize("size", [400_000, 700_000])
async def test_calls_are_written_beside_a_message_of_nothing_but_braces(
    scene: World, size: int
) -> None:
    worker = await scene.worker()
    calls = await scene.calls(2)
    for stream in (EVENTS, RECORDS):
        strange = [SentMessage(0, stream, m.contact_id, b"{" * size) for m in calls[0].sent[:1]]
        await scene.cloud.put(strange)
    await scene.tell(calls)
    await scene.written(calls, worker)


async def test_after_hostile_messages_the_worker_ends_well_and_has_said_nothing_of_people(
    scene: World,
) -> None:
    await all_in_order(scene)
