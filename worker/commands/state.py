"""``connect-dynamics state``: what holds of the worker's state as a whole."""

from __future__ import annotations

import time

from typing import TYPE_CHECKING

import typer

from worker.commands import options
from worker.terminal import show


if TYPE_CHECKING:
    from worker.operations.index import Indexed
    from worker.operations.rebinding import Rebound
    from worker.stores.protocol import ContactStore


state_app = typer.Typer(help="The worker's own state.", no_args_is_help=True)


@state_app.command("index")
def state_index(state: options.State = "", settings: options.SettingsFile = None) -> None:
    """List all contacts by day, by what fails and, with the key, by whom they are with.

    Contacts are listed as they are saved. This is for those that an earlier release saved, or
    a worker without the key or with another one. Workers may be running.
    """
    from worker import aws
    from worker.operations.index import OFF, index_all, index_key
    from worker.settings import load_settings

    loaded = load_settings(settings)
    spec = state or loaded.state

    async def work(store: ContactStore) -> tuple[Indexed, bool]:
        key = await index_key(loaded.index_key, aws.secrets)
        return await index_all(store, key), key is not None

    done, people = options.finished(options.on(spec, work))
    show(f"{done.changed:,} of {done.contacts:,} contacts are listed anew in {spec}")
    if done.unreadable:
        show(f"{done.unreadable:,} cannot be read by this release and stay as they are")
    if not people:
        show(OFF)


@state_app.command("restored")
def state_restored(
    state: options.State = "", yes: options.Yes = False, settings: options.SettingsFile = None
) -> None:
    """Declare that the state was restored from a copy, or was lost.

    The worker notices a restoration by itself, unless the copy was less than a minute old, or
    of the whole disk including the mark beside the state, or the table was created again.
    Declaring one needlessly costs only reads: from then on the records of all contacts that
    began before are read before they are written, and what people changed there stays.
    """
    from worker.operations.state import opened
    from worker.stores.restoration import WHAT_NEXT, declare

    spec = options.spec_of(state, settings)
    if not yes:
        typer.confirm(
            "Was the state restored, or lost? Records are read first from now on",
            abort=True,
        )

    async def work() -> int:
        async with opened(spec) as store:
            return (await declare(store, time.time())).number

    number = options.finished(work())
    show(f"restoration {number}, which running workers notice within a minute: {WHAT_NEXT}")


@state_app.command("rebind")
def state_rebind(
    why: options.Why = "",
    state: options.State = "",
    yes: options.Yes = False,
    settings: options.SettingsFile = None,
) -> None:
    """Give up what the state's organization acknowledged, to use the state with another one.

    A state belongs to the Dynamics organization that it was first used with. This forgets what
    that one acknowledged, answered and refused; what came in from Connect stays. Running workers
    write nothing meanwhile. Interrupted, it goes on when it is started again.
    """
    from worker.clock import Clock
    from worker.operations.rebinding import bound, rebind
    from worker.operations.state import opened

    spec = options.spec_of(state, settings)

    async def work() -> Rebound:
        async with opened(spec) as store:
            before = await bound(store)
            whose = str(before) if before.organization else "the organization it was used with"
            show(f"state {spec}: holds what {whose} acknowledged")
            if not yes:
                again = "Go on giving" if before.giving_up is not None else "Give"
                typer.confirm(f"{again} that up, for good", abort=True)
            return await rebind(store, Clock(), by=options.user(), why=why)

    done = options.finished(work())
    show(
        f"given up: {done.records:,} records and {done.answers:,} answers of lookups, of"
        f" {done.contacts:,} contacts; {done.parked:,} parked writes are to be tried"
    )
    if done.damaged:
        show(f"{done.damaged:,} contacts cannot be read, and stay as they are")
    target = "" if spec.startswith("dynamodb:") else " --dynamics URL"  # there workers write
    show(
        "the state belongs to no organization now: the next run or replay that writes takes its"
        " own, and says so. Contacts that wait are written there at once, others when something new"
        " comes of them; to write all: connect-dynamics replay SOURCES --state"
        f" {spec}{target}. Records that are there already, as in a copy of the"
        " organization, are found and compared; what people deleted there may be made again."
    )
