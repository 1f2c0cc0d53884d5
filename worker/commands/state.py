"""``connect-dynamics state``: what holds of the worker's state as a whole."""

from __future__ import annotations

import time

import typer

from worker.commands import options
from worker.terminal import show


state_app = typer.Typer(help="The worker's own state.", no_args_is_help=True)


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
