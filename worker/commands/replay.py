"""Replay: brings archived messages into Dynamics, once.

Everything is ingested first, then pushed. Nothing sleeps: all waits count as over at the end of the
archive. With the state of an earlier run nothing unchanged is sent; without it existing records are
recognised and compared.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import orjson

from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from worker import aws
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.clock import Clock
from worker.commands.progress import Watch
from worker.commands.rehearsal import Rehearsal
from worker.commands.replay_report import Report
from worker.commands.target import SANDBOX, Target, Way, is_sandbox, nowhere, opened
from worker.dynamics.binding import NAME, Binding, read
from worker.dynamics.lookup import Lookups, make_lookups
from worker.dynamics.metadata import Metadata
from worker.dynamics.performer import Performer
from worker.dynamics.rate_limit import Pace, Paced
from worker.dynamics.users import Users
from worker.engine.containment import build_of
from worker.engine.ingest import Ingest, Tally
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.engine.remembered_steps import remember_steps
from worker.engine.reports import Reports, Sent
from worker.engine.transaction import Transactions
from worker.errors import ConfigError, Interrupted
from worker.moments import text_of
from worker.operations.index import own_key
from worker.settings import Settings
from worker.signals import stopping_on_signals
from worker.sources.archive import Archive
from worker.sources.protocol import Message
from worker.stores import open_store
from worker.stores.protocol import ContactStore, Counts
from worker.stores.restoration import SUFFIX, Keeper, mark_of


#: So far ahead (s) nothing comes due any more.
FOREVER_S = 100 * 365 * 86400.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options of ``connect-dynamics replay``; see its ``--help``.

    ``typed`` is the command as it was typed, to be repeated in messages.
    """

    sources: tuple[str, ...]
    pipelines: tuple[Pipeline, ...]
    state: str = ""
    dynamics: str = ""
    dry_run: bool = False
    overwrite: bool = False
    since: str = ""
    until: str = ""
    rate: float | None = None
    dump: Path | None = None
    schema: Path | None = None
    values: bool = False
    typed: str = "the same command"

    @property
    def target(self) -> str:
        """Where the records go, as a report names it."""
        if self.enqueues:
            return "the live workers of this state"
        return self.dynamics or "none"

    @property
    def enqueues(self) -> bool:
        """Whether the state is shared with live workers, which push, at low priority."""
        return self.state.startswith("dynamodb:")


async def replay(options: Options, settings: Settings, watch: Watch | None = None) -> Report:
    """Ingest everything, then push; a report of what was done.

    Raises:
        ConfigError: A source, a setting or a target cannot be used.
        DynamicsError: The state is another organization's, or Dynamics does not say.
        Interrupted: A signal came; the message says what to type to go on.
    """
    started = time.monotonic()
    _check(options, settings)
    stop, own = asyncio.Event(), OwnState()
    async with state_of(options, own) as keeper, _target(options, settings) as target:
        store = keeper.store
        if not options.enqueues:
            await keeper.look()
        rehearsal = Rehearsal(options.values) if options.dry_run else None
        bindings = _bindings(options, store, target)
        key = await own_key(store, settings.index_key, aws.secrets)
        work = _Work(options, settings, keeper, target, bindings, key, rehearsal, watch)
        await work.check()  # before the archive is read: that may take hours
        with stopping_on_signals(stop.set):
            tally = await take_in(options, settings, store, watch, stop, index_key=key)
            sent, requests = await work.push(stop)
        if stop.is_set():
            raise Interrupted(_interrupted(options, own))
        counts = await store.counts(time.time() + (0 if options.enqueues else FOREVER_S))
        whose = read(await store.recall(NAME))
        if options.dump is not None and target.dump is not None:
            await asyncio.to_thread(_write, options.dump, target.dump())
        report = _report(options, tally, counts, sent)
        own.stays = not report.clean and not options.dry_run
    report.organization, report.bound = whose.organization, work.bound_now
    report.requests = 0 if options.dry_run else requests
    report.seconds = round(time.monotonic() - started, 3)
    report.kept = own.spec if own.stays else ""
    report.would = rehearsal.found if rehearsal else None
    return report


def _check(options: Options, settings: Settings) -> None:
    """See that the options go together.

    Raises:
        ConfigError: They do not.
    """
    if not (options.dynamics or options.dry_run or options.enqueues):
        own = settings.environment_url or "https://ORG.crm.dynamics.com"
        raise ConfigError(
            f"name where the records go: --dynamics {own}, or --dynamics sandbox to try it out"
        )
    if options.until and options.since >= options.until:
        raise ConfigError("nothing is between --since and --until: --until must be later")
    if options.values and not options.dry_run:
        raise ConfigError("--values shows what would be written: use it with --dry-run")
    if options.dump is not None and (options.dry_run or not is_sandbox(options.dynamics)):
        raise ConfigError("--dump writes the sandbox's records: use it with --dynamics sandbox")
    if options.schema is not None and not is_sandbox(options.dynamics):
        raise ConfigError("--schema is the sandbox's: use it with --dynamics sandbox")
    if options.enqueues and options.dynamics:
        raise ConfigError(
            f"--state {options.state} only enqueues; live workers write, to their own environment:"
            " leave out --dynamics"
        )
    if options.enqueues and (options.dry_run or options.dump or options.overwrite):
        raise ConfigError(
            f"--state {options.state} only enqueues; --dry-run, --dump and --overwrite need another"
        )


def _report(options: Options, tally: Tally, counts: Counts, sent: Sent) -> Report:
    ignored = sum(tally.ignored.values())
    return Report(
        target=options.target,
        state=options.state,
        events=tally.facts + ignored + tally.quarantined,
        contacts=counts.contacts - max(0, tally.only_told),
        ignored=ignored,
        quarantined=tally.quarantined,
        parked=counts.parked,
        writes=sent.writes,
        lookups=sent.lookups,
        dry_run=options.dry_run,
        ignored_by_reason=dict(sorted(tally.ignored.items())),
        quarantined_by_reason=dict(sorted(tally.rejected.items())),
        quarantined_examples=dict(sorted(tally.examples.items())),
        unfinished=0 if options.enqueues else counts.due,
    )


def _interrupted(options: Options, own: OwnState) -> str:
    """What was done, and what to type to go on; a state of this run alone is kept for that."""
    if options.dry_run:
        return "interrupted; a dry run keeps nothing"
    if options.state == "memory" or (not options.state and options.dynamics == SANDBOX):
        return "interrupted; it was all in memory and is gone: name a --state next time"
    if options.state:
        return f"interrupted; what was done is kept. To go on from there: {options.typed}"
    own.stays = True
    return (
        f"interrupted; what was done is kept in {own.spec}. To go on from there:"
        f" {options.typed} --state {own.spec}"
    )


def _write(path: Path, rows: dict[str, list[dict[str, object]]]) -> None:
    try:
        path.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise ConfigError(f"--dump {path}: {error.strerror}") from None


async def take_in(
    options: Options,
    settings: Settings,
    store: ContactStore,
    watch: Watch | None,
    stop: asyncio.Event,
    *,
    index_key: bytes | None = None,
) -> Tally:
    """Take the sources in; what came. For ``index_key`` see ``Ingest``."""
    archive = Archive(options.sources, partial(aws.client, "s3"))
    ingest = Ingest(
        store,
        frozenset(settings.recording_buckets) or None,
        rank=1,
        since=options.since,
        until=options.until,
        index_key=index_key,
    )

    async def handle(messages: Sequence[Message]) -> None:
        await ingest.handle(messages, stop)
        if watch is not None:
            watch.reading(ingest.tally.messages, archive.progress.read, archive.progress.total)

    try:
        await archive.run(handle, stop)
    except ConfigError as error:
        raise ConfigError(f"{error}, then start again; nothing is done twice") from None
    return ingest.tally


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the pushes of all application users share; ``done`` is called as contacts are done."""

    planner: Planner
    lookups: Lookups
    pace: Pace
    done: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class _Work:
    """What is pushed from and to.

    Attributes:
        bindings: What binds the state to the target, for each way to it; None: nothing is sent.
        index_key: Makes labels of people (``pipelines.labels``), if there is one.
        rehearsal: Collects what would be written, in a dry run.
        watch: Is told how far it is.
    """

    options: Options
    settings: Settings
    keeper: Keeper
    target: Target
    bindings: Sequence[Binding | None]
    index_key: bytes | None
    rehearsal: Rehearsal | None = None
    watch: Watch | None = None

    @property
    def bound_now(self) -> bool:
        """Whether this run bound the state."""
        return any(binding.bound_now for binding in self.bindings if binding)

    async def check(self) -> None:
        """See that the state is not another organization's.

        Raises:
            DynamicsError: It is, or Dynamics does not say.
        """
        for binding in filter(None, self.bindings):
            await binding.check()

    async def push(self, stop: asyncio.Event) -> tuple[Sent, int]:
        """Bring Dynamics up to date; what was sent, and in how many requests."""
        options, settings, store = self.options, self.settings, self.keeper.store
        if options.enqueues:
            return Sent(), 0
        versions = await remember_steps(store, options.pipelines, text_of(time.time()))
        terms = Terms(settings.constants, versions=versions, files=settings.files)
        planner = Planner(options.pipelines, terms, waits_over=True)
        lookups = make_lookups(wildcard=settings.lookup_wildcard)
        pace, done = Pace(options.rate), await self._telling()
        pushes = Pushes(
            *(
                self._push(way, binding, _Shared(planner, lookups, pace, done))
                for way, binding in zip(self.target.ways, self.bindings, strict=True)
            )
        )
        await pushes.drain(stop)
        return pushes.sent, pace.requests

    async def _telling(self) -> Callable[[float], None]:
        """What is called as each contact is done: it tells how far it is."""
        watch = self.watch
        if watch is None:
            return lambda _latency_s: None
        due, done = (await self.keeper.store.counts(time.time() + FOREVER_S)).due, count(1)
        watch.pushing(0, due)
        return lambda _latency_s: watch.pushing(min(next(done), due), due)

    def _push(self, way: Way, binding: Binding | None, shared: _Shared) -> Push:
        options, settings, store = self.options, self.settings, self.keeper.store
        clock, paced = Clock(), Paced(way.dynamics, shared.pace)
        reports = Reports(latency=shared.done)
        if self.rehearsal:
            reports.carried_out = self.rehearsal.note
        transactions = Transactions(
            store=store,
            performer=Performer(
                paced,
                clock,
                self.target.files,
                settings.create_by,
                options.overwrite,
                lookups=shared.lookups,
                tables=Metadata(paced, store),
                users=Users(paced, store, clock),
            ),
            gate=way.gate,
            desktop=MemoryScreenPop(),
            connect=MemoryConnect(),
            planner=shared.planner,
            build=build_of(options.pipelines),
            doubt=self.keeper.doubt,
            reports=reports,
            probe_writes=settings.probe_writes,
            index_key=self.index_key,
        )
        return Push(transactions, way.probe, way.user, binding)


def _bindings(options: Options, store: ContactStore, target: Target) -> list[Binding | None]:
    """What binds the state to the target, for each way to it; None where nothing is sent."""
    return [
        Binding(way.organization, options.dynamics, store) if way.organization else None
        for way in target.ways
    ]


@dataclass(slots=True)
class OwnState:
    """The state of one run alone, in a temporary folder.

    Attributes:
        spec: How to name it; "": there is none.
        stays: It is not removed at the end.
    """

    spec: str = ""
    stays: bool = False


@asynccontextmanager
async def state_of(options: Options, own: OwnState | None = None) -> AsyncIterator[Keeper]:
    """The state to use: the named one, a copy of it for a dry run, or a temporary one.

    Args:
        options: They name it.
        own: Told of a temporary one, and says at the end whether that stays.
    """
    kind, _, path = options.state.partition(":")
    own = own or OwnState()
    with ExitStack() as folders:
        spec = options.state
        if not spec:
            folder = _folder()
            folders.callback(_remove_unless_it_stays, folder, own)
            spec = own.spec = f"sqlite:{folder}/state.sqlite"
        elif options.dry_run and kind == "sqlite":
            folder = _folder()
            folders.callback(shutil.rmtree, folder, ignore_errors=True)
            spec = f"sqlite:{await asyncio.to_thread(_copied, Path(path), folder)}"
        store = open_store(spec)
        try:
            yield Keeper(store, mark_of(spec) if options.state else None)
        finally:
            await store.close()


def _remove_unless_it_stays(folder: Path, own: OwnState) -> None:
    if not own.stays:
        shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    """A temporary folder that nobody else can read.

    Raises:
        ConfigError: It cannot be created, as in a container whose root is read-only.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="connect-dynamics-"))
    except OSError:
        raise ConfigError(
            "there is no writable folder for temporary files: set TMPDIR to one,"
            " or name a --state (memory keeps it in memory)"
        ) from None


def _copied(path: Path, folder: Path) -> Path:
    """A copy of an SQLite file with its write-ahead log and its mark."""
    try:
        for suffix in ("", "-wal", SUFFIX):
            if (part := path.with_name(path.name + suffix)).exists():
                shutil.copy(part, folder / f"dry.sqlite{suffix}")
    except OSError as error:
        raise ConfigError(f"--state sqlite:{path}: {error.strerror}") from None
    return folder / "dry.sqlite"


def _target(options: Options, settings: Settings) -> AbstractAsyncContextManager[Target]:
    if options.dry_run or options.enqueues:
        return nowhere()
    return opened(options.dynamics, settings, options.state, options.schema)
