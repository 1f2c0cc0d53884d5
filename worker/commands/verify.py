"""Verify: compares what the facts say with what Dynamics holds. It only reads.

Contacts come from a state, or from an archive that is taken in for this run.
"""

from __future__ import annotations

import asyncio
import time

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from worker.clock import Clock
from worker.commands import replay
from worker.commands.progress import Watch
from worker.commands.target import Target, opened
from worker.dynamics.binding import Binding
from worker.dynamics.lookup import make_lookups
from worker.dynamics.metadata import Metadata
from worker.dynamics.performer import Performer
from worker.dynamics.users import Users
from worker.engine.remembered_steps import recall_steps
from worker.operations.read_only import ReadOnly
from worker.operations.state import opened as opened_state
from worker.operations.verification import Verification, period_of, verify_store
from worker.operations.verified import ALWAYS, Period, Verified
from worker.settings import Settings
from worker.stores.protocol import ContactStore
from worker.stores.restoration import Keeper


@dataclass(frozen=True, slots=True)
class Options:
    """The options of ``connect-dynamics verify``; see its ``--help``."""

    sources: tuple[str, ...]
    pipelines: tuple[Pipeline, ...]
    state: str
    dynamics: str
    period: Period = ALWAYS
    sample: int | None = None


async def verify(options: Options, settings: Settings, watch: Watch | None = None) -> Verified:
    """Compare the contacts of a state, or of an archive, with what Dynamics holds.

    Raises:
        ConfigError: A source, a setting, a target or a table cannot be used.
        DynamicsError: Dynamics does not answer.
    """
    archived = replay.Options(options.sources, options.pipelines)
    facts = replay.state_of(archived) if options.sources else _kept(options.state)
    started = time.time()
    async with facts as keeper, opened(options.dynamics, settings, options.state) as target:
        if options.sources:
            await replay.take_in(archived, settings, keeper.store, watch, asyncio.Event())
        else:
            await _see_whose_state(options, keeper.store, target)
        found = await _verification(options, settings, keeper.store, target)
        due, told = () if options.sources else None, watch.pushing if watch else None
        await verify_store(keeper.store, found, options.sample, due, told)
        if not options.sample:
            period = period_of(options.period, found.seen, started, archived=bool(options.sources))
            await found.find_unexpected(period)
    return found.result


async def _see_whose_state(options: Options, store: ContactStore, target: Target) -> None:
    """See that the state is not another organization's.

    Raises:
        DynamicsError: It is, or Dynamics does not say.
    """
    for way in target.ways:
        if way.organization is not None:
            await Binding(way.organization, options.dynamics, store).check()


async def _verification(
    options: Options, settings: Settings, store: ContactStore, target: Target
) -> Verification:
    versions = await recall_steps(store, options.pipelines)
    clock, way = Clock(), target.ways[0]
    reading = ReadOnly(way.dynamics, way.gate, way.probe, clock)
    performer = Performer(
        reading,
        clock,
        target.files,
        lookups=make_lookups(wildcard=settings.lookup_wildcard),
        tables=Metadata(reading),
    )
    known = [await Users(way.dynamics, store, clock).known() for way in target.ways]
    return Verification(
        performer,
        options.pipelines,
        Terms(settings.constants, versions=versions, files=settings.files),
        frozenset().union(*known),
        Verified(options.dynamics, ", ".join(options.sources) or options.state),
    )


@asynccontextmanager
async def _kept(state: str) -> AsyncIterator[Keeper]:
    """The state of a worker; it is not changed."""
    async with opened_state(state) as store:
        yield Keeper(store, None)
