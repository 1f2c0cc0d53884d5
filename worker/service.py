"""The long-running worker: wires sources, ingest and push, and ends them in order."""

from __future__ import annotations

import asyncio
import time

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog

from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from worker import aws
from worker.connect.attributes import AttributeDesktop
from worker.connect.logged import LoggedDesktop
from worker.connect.protocol import Desktop
from worker.definitions import find_all
from worker.dynamics.connection import Connection, connect
from worker.dynamics.writer import Writer
from worker.errors import ConfigError, StoreUnavailable
from worker.ingest import Ingest
from worker.push import Push
from worker.settings import Settings
from worker.signals import stopping_on_signals
from worker.sources.kinesis import KinesisStream
from worker.sources.protocol import Source
from worker.sources.sqs import SqsQueue
from worker.stores import open_store
from worker.stores.protocol import ContactStore


_log = structlog.get_logger(__name__)

#: How often expired contacts are removed (s), and how many at a time.
EXPIRE_EVERY_S = 3600.0
EXPIRE_AT_ONCE = 1000

#: From how long before its expiry the secret is warned about.
SECRET_WARNING_DAYS = 30

#: Part of the drain time that is kept for cancelling what would not end.
CANCEL_SHARE = 0.2


@dataclass(slots=True)
class Service:
    """A worker that is wired and ready to run.

    Attributes:
        store: Contact state.
        sources: Where messages come from.
        ingest: Brings them into the store.
        push: Brings Dynamics to match.
        drain_s: Longest time (s) from stop to return.
    """

    store: ContactStore
    sources: Sequence[Source]
    ingest: Ingest
    push: Push
    drain_s: float

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then finish what is in hand, within ``drain_s``."""
        _log.info("service.started", sources=len(self.sources))
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._work(stop))
            stopped = group.create_task(stop.wait())
            await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            _log.info("service.draining", drain_s=self.drain_s)
            await asyncio.wait((work,), timeout=self.drain_s * (1 - CANCEL_SHARE))
            if not work.done():
                # Nothing is lost: what was not acknowledged comes again, claims lapse.
                _log.warning("service.drain_cut_short")
                work.cancel()
        _log.info("service.stopped")

    async def _work(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for source in self.sources:
                group.create_task(source.run(self.ingest.handle, stop))
            group.create_task(self.push.run(stop))
            housekeeping = group.create_task(self._keep_house())
            await stop.wait()
            housekeeping.cancel()

    async def _keep_house(self) -> None:
        while True:
            try:
                removed = EXPIRE_AT_ONCE
                while removed == EXPIRE_AT_ONCE:
                    removed = await self.store.expire(time.time(), EXPIRE_AT_ONCE)
            except StoreUnavailable as error:
                _log.warning("service.store_unavailable", reason=str(error))
            await asyncio.sleep(EXPIRE_EVERY_S)


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Service]:
    """The service that the settings describe.

    Raises:
        ConfigError: A setting or a pipeline must be mended.
    """
    pipelines = find_all(settings.pipelines)
    warn_of_secret(settings, datetime.now(UTC).date().toordinal())
    store = open_store(settings.state)
    try:
        async with connect(settings) as connection, _desktop(settings) as desktop:
            push = await _push(settings, store, connection, desktop, pipelines)
            buckets = frozenset(settings.recording_buckets) or None
            ingest = Ingest(store, buckets, news=push.news)
            yield Service(store, _sources(settings, store), ingest, push, settings.drain_s)
    finally:
        await store.close()


async def _push(
    settings: Settings,
    store: ContactStore,
    connection: Connection,
    desktop: Desktop,
    pipelines: list[Pipeline],
) -> Push:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    since = {p.name: await store.remember(f"pipeline/{p.name}", now) for p in pipelines}
    return Push(
        store=store,
        writer=Writer(connection.client, time.time, settings.create_by),
        gate=connection.gate,
        probe=connection.probe,
        desktop=desktop,
        pipelines=pipelines,
        terms=Terms(settings.constants, live=True, since=since),
    )


def _sources(settings: Settings, store: ContactStore) -> list[Source]:
    sources: list[Source] = []
    for stream, start in (
        (settings.contact_events, settings.contact_events_start),
        (settings.contact_records, settings.contact_records_start),
    ):
        if stream:
            kinesis = partial(aws.client, "kinesis")
            sources.append(
                KinesisStream(kinesis, stream, store, start=start, poll_s=settings.poll_s)
            )
    if settings.recordings:
        sqs = partial(aws.client, "sqs")
        sources.append(SqsQueue(sqs, settings.recordings, visibility_s=settings.visibility_s))
    if not sources:
        names = settings.missing("contact_events", "contact_records", "recordings")
        raise ConfigError(f"there is nothing to read: set at least one of {', '.join(names)}")
    return sources


@asynccontextmanager
async def _desktop(settings: Settings) -> AsyncIterator[Desktop]:
    if settings.open_by == "log":
        yield LoggedDesktop()
        return
    async with aws.client("connect") as client:
        yield AttributeDesktop(client, settings.open_url_attribute, settings.open_tab_attribute)


def warn_of_secret(settings: Settings, today: int) -> None:
    """Say so if the client secret expires soon; ``today`` is a day's ordinal."""
    if settings.secret_expires is None:
        return
    days = settings.secret_expires.toordinal() - today
    if days <= SECRET_WARNING_DAYS:
        _log.warning("service.secret_expires", days=days)


async def serve(settings: Settings) -> None:
    """Build the service and run it until SIGTERM or SIGINT.

    Raises:
        ConfigError: A setting or a pipeline must be mended.
    """
    stop = asyncio.Event()
    with stopping_on_signals(stop.set):
        async with build(settings) as service:
            await service.run(stop)
