"""Connect, S3, SQS and Kinesis answer badly, by every line of the table."""

from __future__ import annotations

from typing import Final

import pytest

from hostile.behaviours import LATE, Behaviour
from hostile.lines import all_in_order, happened, lines
from hostile.world import World, until


pytestmark = [pytest.mark.services, pytest.mark.asyncio(loop_scope="module")]

#: Of what any server can do; the others are for ``make hostile``, as all clients of AWS are alike.
COMMON_HERE: Final = frozenset(
    ("tls_alert_on_established", "reset_before_answer", "html_200", "json_array_200", "nothing_204")
)
OF_S3: Final = frozenset(("plain_text_on_tls", "reset_before_answer", "bad_chunk", "html_200"))
OF_CONNECT: Final = COMMON_HERE | {"closed_before_answer", "wrong_content_length", "bad_gzip"}

#: Each file is read over a connection of its own, so there is no established one.
OF_NEW_CONNECTIONS: Final = [case for case in lines("s3", OF_S3) if case.values[0].at not in LATE]

#: One for each shard's reader.
SHARDS: Final = 4


@pytest.mark.parametrize("line", lines("kinesis", COMMON_HERE))
async def test_calls_are_written_whatever_kinesis_answers_to_some_requests(
    scene: World, line: Behaviour
) -> None:
    worker = await scene.worker()
    async with scene.spoiled("kinesis", line, times=SHARDS):
        calls = await scene.calls(1)
        await scene.tell(calls)
        await until(lambda: happened(scene, "kinesis", line), worker)
    await scene.written(calls, worker)


@pytest.mark.parametrize("line", lines("sqs", COMMON_HERE))
async def test_calls_are_written_whatever_sqs_answers_to_some_requests(
    scene: World, line: Behaviour
) -> None:
    worker = await scene.worker()
    async with scene.spoiled("sqs", line, times=1):
        calls = await scene.calls(1)
        await scene.tell(calls)  # which ends a long poll
        await until(lambda: happened(scene, "sqs", line), worker)
    await scene.written(calls, worker)


@pytest.mark.parametrize("line", OF_NEW_CONNECTIONS)
async def test_calls_are_written_with_the_files_text_or_its_address_whatever_s3_answers(
    scene: World, line: Behaviour
) -> None:
    worker = await scene.worker()
    async with scene.spoiled("s3", line, times=1):
        calls = await scene.calls(1)
        await scene.tell(calls)
        await until(lambda: happened(scene, "s3", line), worker)
    await scene.written(calls, worker, notes=False)


@pytest.mark.parametrize("line", lines("connect", OF_CONNECT))
async def test_calls_are_written_whatever_connect_answers_while_they_are_on(
    scene: World, line: Behaviour
) -> None:
    worker = await scene.worker()
    async with scene.spoiled("connect", line, times=2):
        calls = await scene.calls(1)
        await scene.cloud.put([m for call in calls for m in call.until_the_answer()])
        await until(lambda: happened(scene, "connect", line), worker)
    await scene.tell(calls)
    await scene.written(calls, worker)


async def test_after_a_hostile_amazon_the_worker_ends_well_and_has_said_nothing_of_people(
    scene: World,
) -> None:
    await all_in_order(scene)
