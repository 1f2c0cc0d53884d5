"""What a shell offers to complete: names of pipelines and steps, ids of contacts and messages.

A shell asks while somebody types, so nothing here needs settings, says a word or fails: what cannot
be found out is not offered. Ids are offered of states in a file only; a table would be read slowly.
"""

from __future__ import annotations

import contextlib
import io
import os

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer


if TYPE_CHECKING:
    from worker.stores.protocol import ContactStore

T = TypeVar("T")

#: As the settings have them, which may be wrong or missing just now.
_STATE = "CONNECT_DYNAMICS_STATE"
_PIPELINES = "CONNECT_DYNAMICS_PIPELINES"
_DEFAULT_STATE = "sqlite:connect-dynamics.sqlite"

#: How many ids are offered.
MOST = 30


def _quietly(find: Callable[[], list[str]]) -> list[str]:
    """What was found; nothing if it could not be, whatever the reason."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            return find()
        except Exception:  # noqa: BLE001 - a shell would print it into the line being typed
            return []


def pipelines(incomplete: str) -> list[str]:
    """Shipped pipelines; files are the shell's own to complete."""
    from worker.definitions import shipped

    return _quietly(lambda: [name for name in shipped() if name.startswith(incomplete)])


def steps(ctx: typer.Context, incomplete: str) -> list[str]:
    """Steps of the pipelines that are named, set or shipped, alone or after the pipeline's name."""

    def find() -> list[str]:
        from worker.definitions import find as found
        from worker.definitions import shipped

        named = ctx.params.get("pipeline") or ()
        listed = [named] if isinstance(named, str) else list(named)
        listed = listed or os.environ.get(_PIPELINES, "").split(",")
        names: list[str] = []
        for name in [one.strip() for one in listed if one.strip()] or shipped():
            pipeline = found(name)
            for step in pipeline.steps:
                names += [step.name, f"{pipeline.name}/{step.name}"]
        return [*dict.fromkeys(name for name in names if name.startswith(incomplete))]

    return _quietly(find)


def contacts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of the state's contacts."""
    folded = incomplete.lower()
    return _of_state(ctx, folded, lambda store: store.ids(folded, MOST))


def parked_contacts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of contacts with something parked."""
    folded = incomplete.lower()
    return _of_state(ctx, folded, lambda store: store.parked(folded, MOST))


def messages(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of messages in quarantine."""

    async def find(store: ContactStore) -> list[str]:
        return [item.id for item in await store.quarantined(incomplete, MOST)]

    return _of_state(ctx, incomplete, find)


def _of_state(
    ctx: typer.Context, incomplete: str, find: Callable[[ContactStore], Awaitable[list[str]]]
) -> list[str]:
    spec = ctx.params.get("state") or os.environ.get(_STATE) or _DEFAULT_STATE

    async def work() -> list[str]:
        from worker.operations.state import opened

        async with opened(spec) as store:
            return await find(store)

    def ids() -> list[str]:
        import asyncio

        if not spec.startswith("sqlite:"):
            return []
        return [one for one in asyncio.run(work()) if one.startswith(incomplete)]

    return _quietly(ids)
