"""What a check asks of AWS: everything that the settings name, at once; nothing is written."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

from pipelines.pipeline import Pipeline
from pipelines.step import ReadFileStep
from pipelines.view import instance_id, view
from worker import aws
from worker.commands import connect_check, queue_check, stream_check, table_check
from worker.commands.amazon_question import found_by
from worker.commands.finding import Finding, each_once, note
from worker.errors import ConfigError, WorkerError
from worker.operations.state import file_of
from worker.settings import STREAMS, Settings
from worker.stores import open_store


Asks = list[Callable[[], Awaitable[list[Finding]]]]

#: State that is a table of DynamoDB's.
_TABLE: Final = "dynamodb:"

#: In how many contacts of the state a Connect instance is looked for.
_LOOKED_AT: Final = 20


async def check_amazon(settings: Settings, pipelines: Iterable[Pipeline]) -> list[Finding]:
    """Ask AWS about streams, lease tables, queue, buckets, state, and Connect's API."""
    listed = list(pipelines)
    instances: set[str] = set()
    async with AsyncExitStack() as opened:
        try:
            clients = {
                service: await opened.enter_async_context(aws.client(service))
                for service in sorted({*_services(settings, listed)})
            }
        except ConfigError as error:
            return [Finding(str(error))]
        asked = [found_by(*asks) for asks in _questions(settings, listed, clients, instances)]
        found = [finding for told in await asyncio.gather(*asked) for finding in told]
        found += await _connect(settings, listed, clients.get("connect"), instances)
    return each_once(found)


async def check_state(state: str) -> list[Finding]:
    """Ask AWS about the state alone; nothing if it is no table of DynamoDB's.

    Raises:
        ConfigError: No client can be made.
    """
    if not state.startswith(_TABLE):
        return []
    async with aws.client("dynamodb") as client:
        return await found_by(*table_check.state_questions(client, state.removeprefix(_TABLE)))


def _services(settings: Settings, pipelines: Iterable[Pipeline]) -> Iterator[str]:
    if any(getattr(settings, name) for name in STREAMS):
        yield "kinesis"
        if settings.connect_share:
            yield "connect"
    if settings.recordings:
        yield "sqs"
    if settings.recording_buckets and (settings.recordings or _reads(pipelines)):
        yield "s3"
    if settings.state.startswith(_TABLE) or any(_leases(settings)):
        yield "dynamodb"


def _leases(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in STREAMS:
        setting = f"{name}_leases"
        if table := getattr(settings, setting):
            yield setting, table


def _reads(pipelines: Iterable[Pipeline]) -> bool:
    return any(isinstance(step, ReadFileStep) for one in pipelines for step in one.steps)


def _questions(
    settings: Settings, pipelines: list[Pipeline], clients: dict[str, Any], instances: set[str]
) -> Iterator[Asks]:
    for name in STREAMS:
        if stream := getattr(settings, name):
            yield stream_check.questions(clients["kinesis"], name, stream, instances)
    for setting, table in _leases(settings):
        yield table_check.lease_questions(clients["dynamodb"], setting, table)
    if settings.state.startswith(_TABLE):
        table = settings.state.removeprefix(_TABLE)
        yield table_check.state_questions(clients["dynamodb"], table)
    if settings.recordings:
        yield queue_check.queue_questions(clients["sqs"], settings.recordings)
    for bucket in settings.recording_buckets if "s3" in clients else ():
        yield queue_check.bucket_questions(
            clients["s3"], bucket, settings.recordings, read=_reads(pipelines)
        )


async def _connect(
    settings: Settings, pipelines: list[Pipeline], client: Any, instances: set[str]
) -> list[Finding]:
    if why := connect_check.left_alone(settings):
        return [note(why)] if connect_check.is_written(settings, pipelines) else []
    if client is None:
        return []
    known = sorted(instances or await _instances(settings))
    if not known:
        return [connect_check.nobody_to_ask()]
    written = connect_check.is_written(settings, pipelines)
    asked = [connect_check.ask_connect(client, one, written=written) for one in known]
    return [finding for told in await asyncio.gather(*asked) for finding in told]


async def _instances(settings: Settings) -> set[str]:
    """The Connect instances of the state's first contacts; what is wrong with it is told apart."""
    found: set[str] = set()
    path = file_of(settings.state)
    if path is not None and not path.exists():
        return found  # opening it would make it
    with suppress(WorkerError):
        store = await asyncio.to_thread(open_store, settings.state)
        try:
            ids = await store.ids("", _LOOKED_AT)
            for entry in await store.load(ids):
                found.add(instance_id(view(entry.contact)))
        finally:
            await store.close()
    return found - {""}
