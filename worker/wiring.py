"""Wires the worker: the one place that builds its parts from settings."""

from __future__ import annotations

import asyncio
import gc
import socket

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import structlog

from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from worker import aws
from worker.amazon_connect.attributes import AttributeScreenPop
from worker.amazon_connect.client import ConnectClient
from worker.amazon_connect.enrichment import Enrichment
from worker.amazon_connect.logged import LoggedScreenPop
from worker.amazon_connect.protocol import Connect, ScreenPop
from worker.amazon_connect.quota import Quota
from worker.clock import Clock
from worker.definitions import find_all
from worker.dynamics.binding import Binding
from worker.dynamics.breaker import Breaker
from worker.dynamics.client import DataverseClient
from worker.dynamics.connection import open_dynamics, users_of
from worker.dynamics.gate import Gate
from worker.dynamics.gate_sync import GateSync
from worker.dynamics.lookup import Lookups, make_lookups
from worker.dynamics.metadata import Metadata
from worker.dynamics.performer import Performer
from worker.dynamics.slots import Slots
from worker.dynamics.users import Users
from worker.engine.containment import build_of
from worker.engine.ingest import Ingest
from worker.engine.interests import Interests
from worker.engine.openings import Openings
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.engine.reports import Reports
from worker.engine.transaction import Transactions
from worker.errors import ConfigError, StoreUnavailable
from worker.faults import Faults
from worker.files import S3Files
from worker.leases.dynamodb import open_leases
from worker.leases.stream import LeasedStream
from worker.operations.index import CHANGED, OFF, index_key, is_own
from worker.outside_time import OutsideTime
from worker.service import About, Service, begin_pipelines
from worker.settings import STREAMS, ApplicationUser, Settings, nothing_to_read
from worker.signals import stopping_on_signals
from worker.sources.kinesis import KinesisStream
from worker.sources.protocol import Source
from worker.sources.sqs import SqsQueue
from worker.stores import open_store
from worker.stores.protocol import ContactStore
from worker.stores.restoration import Keeper, mark_of
from worker.telemetry.http import serving
from worker.telemetry.metrics import Metrics
from worker.telemetry.pages import pages


_log = structlog.get_logger(__name__)

#: From how long before its expiry the secret is warned about.
SECRET_WARNING_DAYS = 30


@dataclass(frozen=True, slots=True)
class _Common:
    """What several parts share."""

    settings: Settings
    store: ContactStore
    metrics: Metrics
    outside: OutsideTime
    faults: Faults


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Service]:
    """The service that the settings describe.

    Raises:
        ConfigError: A setting or a pipeline must be corrected.
    """
    pipelines = find_all(settings.pipelines)
    warn_of_secret(settings, datetime.now(UTC).date().toordinal())
    metrics, faults = Metrics(pipelines=pipelines), Faults()
    outside = OutsideTime(on_skew=metrics.skew)
    users = users_of(settings)
    if expire := [user.secret_expires for user in users if user.secret_expires]:
        metrics.secret(min(expire))
    key = await index_key(settings.index_key, aws.secrets)
    store = open_store(settings.state)
    try:
        await tell_of_index(store, key)
        common = _Common(settings, store, metrics, outside, faults)
        gates = [_gate(common, user) for user in users]
        async with (
            AsyncExitStack() as opened,
            _amazon_connect(settings, metrics, gates[0][0].slots) as amazon,
        ):
            keeper = Keeper(store, mark_of(settings.state), outside.clock)
            shared = _Shared(common, amazon, pipelines, keeper, key)
            clients = [
                await opened.enter_async_context(_client(common, user, gate))
                for user, (gate, _) in zip(users, gates, strict=True)
            ]
            push = Pushes(*map(partial(_push, shared), users, clients))
            buckets = frozenset(settings.recording_buckets) or None
            interests = Interests(store, pipelines, uuid4().hex, outside.clock, faults)
            ingest = Ingest(
                store,
                buckets,
                interest=interests.read,
                news=push.news,
                clock=outside.clock,
                arrived=outside.arrived,
                faults=faults,
                index_key=key,
            )
            sources = _sources(common)
            begin = partial(begin_pipelines, shared.planner, store, outside=outside)
            yield Service(
                store,
                sources,
                ingest,
                push,
                settings.drain_s,
                [sync for _, sync in gates if sync is not None],
                metrics,
                faults=faults,
                begin=begin,
                clock=outside.clock,
                outside=outside,
                keeper=keeper,
                interests=interests,
                about=About(
                    settings.environment_url,
                    settings.state,
                    tuple(pipeline.name for pipeline in pipelines),
                ),
            )
    finally:
        await store.close()


@dataclass(slots=True)
class _Shared:
    """What the pushes of all application users share."""

    common: _Common
    amazon: Connect
    pipelines: list[Pipeline]
    keeper: Keeper
    index_key: bytes | None
    desktop: ScreenPop = field(init=False)
    planner: Planner = field(init=False)
    enrichment: Enrichment = field(init=False)
    lookups: Lookups = field(init=False)
    openings: Openings = field(init=False)

    def __post_init__(self) -> None:
        settings, metrics = self.common.settings, self.common.metrics
        clock, faults = self.common.outside.clock, self.common.faults
        terms = Terms(settings.constants, live=True, files=settings.live_files)
        self.desktop = _desktop(settings, self.amazon)
        self.planner = Planner(self.pipelines, terms, clock)
        self.enrichment = Enrichment(
            self.amazon, self.pipelines, settings.connect_patience_s, clock, faults=faults
        )
        self.lookups = make_lookups(wildcard=settings.lookup_wildcard)
        self.openings = Openings(metrics.opening, metrics.write_back, metrics.opening_s, faults)


def _client(
    common: _Common, user: ApplicationUser, gate: Gate
) -> AbstractAsyncContextManager[DataverseClient]:
    return open_dynamics(
        common.settings,
        aws.secrets,
        gate,
        user=user,
        answered=common.metrics.answered,
        renewed=partial(common.metrics.token, user=user.client_id),
        dated=partial(common.outside.observe, "dynamics"),
    )


def _push(shared: _Shared, user: ApplicationUser, client: DataverseClient) -> Push:
    common = shared.common
    settings, metrics, clock = common.settings, common.metrics, common.outside.clock
    transactions = Transactions(
        store=common.store,
        performer=Performer(
            client,
            clock,
            S3Files(partial(aws.client, "s3"), faults=common.faults),
            settings.create_by,
            lookups=shared.lookups,
            tables=Metadata(client, common.store),
            users=Users(client, common.store, clock),
        ),
        gate=client.gate,
        desktop=shared.desktop,
        connect=shared.amazon,
        planner=shared.planner,
        build=build_of(shared.pipelines),
        clock=clock,
        enrichment=shared.enrichment,
        doubt=shared.keeper.doubt,
        reports=Reports(
            latency=metrics.latency,
            wrote=metrics.wrote,
            stepped=metrics.stepped,
            openings=shared.openings,
            faults=common.faults,
        ),
        probe_writes=settings.probe_writes,
        index_key=shared.index_key,
    )
    binding = Binding(client.organization_id, settings.environment_url, common.store, clock)
    return Push(transactions, client.probe, user.client_id, binding)


def _gate(common: _Common, user: ApplicationUser) -> tuple[Gate, GateSync | None]:
    """The user's gate, and what keeps it in sync; a store on one machine has one worker."""
    settings, clock = common.settings, Clock()
    slots = Slots(clock)
    breaker = Breaker(slots, clock)
    if not settings.state.startswith("dynamodb:"):
        return Gate(slots, breaker, clock), None
    # A restarted worker is another one, and so are two that were given the same id.
    name = f"{settings.worker_id or socket.gethostname()}-{uuid4().hex[:8]}"
    notice = f"gate/{settings.environment_url}/{user.client_id}"
    sync = GateSync(slots, breaker, common.store, notice, name, clock=clock, faults=common.faults)
    return Gate(slots, breaker, clock, sync.refresh), sync


def _sources(common: _Common) -> dict[str, Source]:
    settings = common.settings
    if unread := nothing_to_read(settings):
        raise ConfigError(unread)
    sources: dict[str, Source] = {
        name: _stream(common, name) for name in STREAMS if getattr(settings, name)
    }
    if settings.recordings:
        sqs = partial(aws.client, "sqs", dated=partial(common.outside.dated, "sqs"))
        sources["recordings"] = SqsQueue(
            sqs,
            settings.recordings,
            visibility_s=settings.visibility_s,
            on_trouble=common.metrics.queue_trouble,
            faults=common.faults,
        )
    return sources


def _stream(common: _Common, name: str) -> Source:
    """One stream: read whole by this process, or shared through a lease table."""
    settings, metrics = common.settings, common.metrics
    stream, start = getattr(settings, name), getattr(settings, f"{name}_start")
    kinesis = partial(aws.client, "kinesis", dated=partial(common.outside.dated, "kinesis"))
    reading: dict[str, Any] = {
        "start": start,
        "poll_s": settings.poll_s,
        "outside": common.outside,
        "on_lag": metrics.lag,
        "on_trouble": metrics.shard_trouble,
        "faults": common.faults,
    }
    if not (table := getattr(settings, f"{name}_leases")):
        return KinesisStream(kinesis, stream, common.store, **reading)
    return LeasedStream(
        kinesis,
        stream,
        partial(open_leases, partial(aws.client, "dynamodb"), table),
        settings.worker_id or f"{socket.gethostname()}-{uuid4().hex[:8]}",
        common.store,
        failover_s=settings.failover_s,
        take_s=settings.take_s,
        on_lease=metrics.lease,
        **reading,
    )


@asynccontextmanager
async def _amazon_connect(
    settings: Settings, metrics: Metrics, slots: Slots
) -> AsyncIterator[Connect]:
    quota = Quota(settings.connect_share, lambda: slots.workers)
    async with aws.client("connect", attempts=1) as client:
        yield ConnectClient(client, quota, settings.connect_patience_s, metrics.connect)


def _desktop(settings: Settings, amazon: Connect) -> ScreenPop:
    if settings.open_by == "log" or not settings.connect_share:  # 0: Connect is left alone
        return LoggedScreenPop()
    return AttributeScreenPop(amazon, settings.open_url_attribute, settings.open_tab_attribute)


async def tell_of_index(store: ContactStore, key: bytes | None) -> None:
    """Say so if nobody can be found by number or address, or only some; the worker does without."""
    if key is None:
        _log.info("index.people_off", then=OFF)
        return
    try:
        if not await is_own(store, key):
            _log.warning("index.key_changed", then=CHANGED)
    except StoreUnavailable as error:
        _log.warning("index.key_not_compared", reason=str(error))


def warn_of_secret(settings: Settings, today: int) -> None:
    """Warn of each client secret that expires soon; ``today`` is a day's ordinal."""
    for user in settings.users:
        if user.secret_expires is None:
            continue
        days = user.secret_expires.toordinal() - today
        if days <= SECRET_WARNING_DAYS:
            _log.warning("service.secret_expires", days=days, client_id=user.client_id)


async def serve(settings: Settings) -> None:
    """Build the service and run it until SIGTERM or SIGINT.

    Raises:
        ConfigError: A setting or a pipeline must be corrected.
    """
    stop = asyncio.Event()
    with stopping_on_signals(stop.set):
        async with build(settings) as service:
            served = pages(service.metrics, service.health, service.gates)
            async with serving(settings.metrics, served, service.faults):
                _settle()
                await service.run(stop)


def _settle() -> None:
    """Take what is there by now for lasting: looking through it all would stop the loop for 100 ms.

    The garbage collector does so whenever its oldest generation has grown by a quarter.
    """
    gc.collect()
    gc.freeze()
