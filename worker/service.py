"""The long-running worker: wires sources, ingest and push, and ends them in order."""

from __future__ import annotations

import asyncio
import socket
import time

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import structlog

from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from worker import aws, desk
from worker.connect.attributes import AttributeDesktop
from worker.connect.client import Client
from worker.connect.enrichment import Enrichment
from worker.connect.logged import LoggedDesktop
from worker.connect.protocol import Connect, Desktop
from worker.connect.quota import Quota
from worker.definitions import find_all
from worker.dynamics.connection import Connection, connect
from worker.dynamics.gate import Gate
from worker.dynamics.shared import SharedGate
from worker.dynamics.writer import Writer
from worker.errors import ConfigError, StoreUnavailable
from worker.faults import Faults
from worker.files import S3Files
from worker.ingest import Ingest
from worker.leases.dynamodb import open_leases
from worker.pace import Clock
from worker.push import Push
from worker.remembered_steps import remember_steps
from worker.settings import Settings
from worker.signals import stopping_on_signals
from worker.sources.insist import insist
from worker.sources.kinesis import KinesisStream
from worker.sources.leased import LeasedStream
from worker.sources.protocol import Source
from worker.sources.sqs import SqsQueue
from worker.stores import open_store
from worker.stores.protocol import ContactStore
from worker.telemetry.census import Census
from worker.telemetry.health import Health, beat
from worker.telemetry.http import serving
from worker.telemetry.metrics import Metrics
from worker.telemetry.pages import pages
from worker.telemetry.readings import Readings


_log = structlog.get_logger(__name__)

#: How often expired contacts are removed (s), and how many at a time.
EXPIRE_EVERY_S = 3600.0
EXPIRE_AT_ONCE = 1000

#: How often (s) messages are taken in that an older release set aside.
TAKE_IN_EVERY_S = 240.0

#: How long a loop may be silent (s). A call to AWS takes up to 145 in all its tries; push waits
#: for the longest Retry-After, 300, which may be renewed meanwhile, and for a probe.
SILENCE_S = 300.0
PUSH_SILENCE_S = 600.0

#: From how long before its expiry the secret is warned about.
SECRET_WARNING_DAYS = 30

#: Part of the drain time that is kept for cancelling what would not end.
CANCEL_SHARE = 0.2


@dataclass(slots=True)
class Service:
    """A worker that is wired and ready to run.

    Attributes:
        store: Contact state.
        sources: Where messages come from, by name.
        ingest: Brings them into the store.
        push: Brings Dynamics to match.
        drain_s: Longest time (s) from stop to return.
        shared: Keeps the gate true to the other workers', if there may be any.
        metrics: What is measured.
        health: Watches the loops.
        faults: Counts and tells bugs of ours.
        begin: What push waits for before it begins; it returns once ``stop`` is set.
        census: Counts what the store holds.
    """

    store: ContactStore
    sources: Mapping[str, Source]
    ingest: Ingest
    push: Push
    drain_s: float
    shared: SharedGate | None = None
    metrics: Metrics = field(default_factory=Metrics)
    health: Health = field(default_factory=Health)
    faults: Faults = field(default_factory=Faults)
    begin: Callable[[asyncio.Event], Awaitable[None]] | None = None
    census: Census = field(init=False)

    def __post_init__(self) -> None:
        self.census = Census(self.store, self.health)
        readings = Readings(self.ingest.tally, self.push.gate, self.census, self.faults)
        self.metrics.registry.register(readings)

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

            def start(
                name: str,
                boundary: str,
                loop: Callable[[], Awaitable[None]],
                silence_s: float,
                *,
                connects: bool = False,
            ) -> asyncio.Task[None]:
                heart = self.health.heart(name, silence_s, connects=connects)
                contained = self.faults.again(boundary, loop, Clock(), stop=stop, name=name)
                return group.create_task(contained, context=heart.context())

            for name, source in self.sources.items():
                read = partial(source.run, self.ingest.handle, stop)
                start(name, "source", read, SILENCE_S, connects=True)
            if self.shared is not None:
                await self.shared.join()
                sharing = start("gate", "gate", self.shared.run, SILENCE_S)
            push = start("push", "push", partial(self._begin_and_push, stop), PUSH_SILENCE_S)
            looks = EXPIRE_EVERY_S + SILENCE_S
            house = start("housekeeping", "housekeeping", self._keep_house, looks)
            taken = TAKE_IN_EVERY_S + SILENCE_S
            again = start("quarantine", "housekeeping", self._take_in_again, taken)
            census = start("census", "census", self.census.run, SILENCE_S)
            await stop.wait()
            for task in (house, again, census):
                task.cancel()
            await asyncio.wait((push,))
            if self.shared is not None:
                sharing.cancel()

    async def _begin_and_push(self, stop: asyncio.Event) -> None:
        if self.begin is not None:
            await self.begin(stop)
        await self.push.run(stop)

    async def _keep_house(self) -> None:
        while True:
            try:
                removed = EXPIRE_AT_ONCE
                while removed == EXPIRE_AT_ONCE:
                    beat()
                    removed = await self.store.expire(time.time(), EXPIRE_AT_ONCE)
            except StoreUnavailable as error:
                _log.warning("service.store_unavailable", reason=str(error))
            await asyncio.sleep(EXPIRE_EVERY_S)

    async def _take_in_again(self) -> None:
        """Take in what an older release had to leave, for contacts that this one can read."""
        while True:
            beat()
            try:
                if self.census.counts is None or self.census.counts.quarantined:
                    await desk.retry_newer(self.store, self.ingest)
            except StoreUnavailable as error:
                _log.warning("service.store_unavailable", reason=str(error))
            await asyncio.sleep(TAKE_IN_EVERY_S)


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Service]:
    """The service that the settings describe.

    Raises:
        ConfigError: A setting or a pipeline must be mended.
    """
    pipelines = find_all(settings.pipelines)
    warn_of_secret(settings, datetime.now(UTC).date().toordinal())
    metrics = Metrics()
    if settings.secret_expires:
        metrics.secret(settings.secret_expires)
    store = open_store(settings.state)
    try:
        async with (
            connect(settings, answered=metrics.answered, renewed=metrics.token) as connection,
            _amazon_connect(settings, metrics, connection.gate) as amazon,
        ):
            push = _push(settings, store, connection, amazon, pipelines)
            push.latency, push.wrote = metrics.latency, metrics.wrote
            buckets = frozenset(settings.recording_buckets) or None
            writes_back = any(pipeline.writeback for pipeline in pipelines)
            faults = push.faults
            ingest = Ingest(store, buckets, legs=writes_back, news=push.news, faults=faults)
            sources = _sources(settings, store, metrics)
            shared = _shared(settings, store, connection)
            begin = partial(begin_pipelines, push)
            yield Service(
                store,
                sources,
                ingest,
                push,
                settings.drain_s,
                shared,
                metrics,
                faults=faults,
                begin=begin,
            )
    finally:
        await store.close()


async def begin_pipelines(push: Push, stop: asyncio.Event) -> None:
    """Find in the store since when each pipeline applies to live contacts, however long it takes.

    If ``stop`` is set first, nothing is known and nothing must be pushed.
    """
    now = datetime.fromtimestamp(push.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    since = {}
    for pipeline in push.pipelines:
        remember = partial(push.store.remember, f"pipeline/{pipeline.name}", now)
        kept = await insist(remember, stop=stop, clock=Clock(), report=_waits)
        if kept is None:
            return
        since[pipeline.name] = kept
    remember_all = partial(remember_steps, push.store, push.pipelines, now)
    versions = await insist(remember_all, stop=stop, clock=Clock(), report=_waits)
    if versions is None:
        return
    push.terms = replace(push.terms, since=since, versions=versions)


def _waits(code: str) -> None:
    _log.warning("service.waits_for_store", code=code)


def _push(
    settings: Settings,
    store: ContactStore,
    connection: Connection,
    amazon: Connect,
    pipelines: list[Pipeline],
) -> Push:
    return Push(
        store=store,
        writer=Writer(
            connection.client,
            time.time,
            settings.create_by,
            files=S3Files(partial(aws.client, "s3")),
        ),
        gate=connection.gate,
        probe=connection.probe,
        desktop=_desktop(settings, amazon),
        pipelines=pipelines,
        terms=Terms(settings.constants, live=True),
        connect=amazon,
        enrichment=Enrichment(amazon, pipelines, settings.connect_patience_s),
    )


def _shared(settings: Settings, store: ContactStore, connection: Connection) -> SharedGate | None:
    """What makes one gate of all workers' gates; a store on one machine has one worker."""
    if not settings.state.startswith("dynamodb:"):
        return None
    # A restarted worker is another one, and so are two that were given the same id.
    name = f"{settings.worker_id or socket.gethostname()}-{uuid4().hex[:8]}"
    user = f"gate/{settings.environment_url}/{settings.client_id}"
    return SharedGate(connection.gate, store, user, name)


def _sources(settings: Settings, store: ContactStore, metrics: Metrics) -> dict[str, Source]:
    sources: dict[str, Source] = {
        name: _stream(settings, name, store, metrics)
        for name in ("contact_events", "contact_records")
        if getattr(settings, name)
    }
    if settings.recordings:
        sqs = partial(aws.client, "sqs")
        sources["recordings"] = SqsQueue(
            sqs,
            settings.recordings,
            visibility_s=settings.visibility_s,
            on_trouble=metrics.queue_trouble,
        )
    if not sources:
        names = settings.missing("contact_events", "contact_records", "recordings")
        raise ConfigError(f"there is nothing to read: set at least one of {', '.join(names)}")
    return sources


def _stream(settings: Settings, name: str, store: ContactStore, metrics: Metrics) -> Source:
    """One stream: read whole by this process, or shared through a lease table."""
    stream, start = getattr(settings, name), getattr(settings, f"{name}_start")
    kinesis = partial(aws.client, "kinesis")
    reading: dict[str, Any] = {
        "start": start,
        "poll_s": settings.poll_s,
        "on_lag": metrics.lag,
        "on_trouble": metrics.shard_trouble,
    }
    if not (table := getattr(settings, f"{name}_leases")):
        return KinesisStream(kinesis, stream, store, **reading)
    return LeasedStream(
        kinesis,
        stream,
        partial(open_leases, partial(aws.client, "dynamodb"), table),
        settings.worker_id or f"{socket.gethostname()}-{uuid4().hex[:8]}",
        store,
        failover_s=settings.failover_s,
        take_s=settings.take_s,
        on_lease=metrics.lease,
        **reading,
    )


@asynccontextmanager
async def _amazon_connect(
    settings: Settings, metrics: Metrics, gate: Gate
) -> AsyncIterator[Connect]:
    quota = Quota(settings.connect_share, lambda: gate.workers)
    async with aws.client("connect", attempts=1) as client:
        yield Client(client, quota, settings.connect_patience_s, metrics.connect)


def _desktop(settings: Settings, amazon: Connect) -> Desktop:
    if settings.open_by == "log":
        return LoggedDesktop()
    return AttributeDesktop(amazon, settings.open_url_attribute, settings.open_tab_attribute)


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
            served = pages(service.metrics, service.health, service.push.gate)
            async with serving(settings.metrics, served):
                await service.run(stop)
