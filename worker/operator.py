"""The operator's commands: ``contact``, ``parked`` and ``quarantine``."""

from __future__ import annotations

import asyncio
import sys
import time

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from pipelines.plan import Terms
from worker import desk
from worker.definitions import find_all
from worker.errors import ConfigError
from worker.ingest import Ingest
from worker.settings import load_settings
from worker.stores.protocol import ContactStore, Quarantined
from worker.telemetry.logs import configure


#: Exit status when something was parked, quarantined or left there.
LEFT_ASIDE = 3

contact_app = typer.Typer(help="One contact.", no_args_is_help=True)
parked_app = typer.Typer(help="Writes that Dynamics refused for good.", no_args_is_help=True)
quarantine_app = typer.Typer(help="Messages that could not be used.", no_args_is_help=True)

out = Console()

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="TOML file; the environment wins over it.")
]
State = Annotated[str, typer.Option(help="sqlite:PATH or dynamodb:TABLE; default: the setting.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


def pretty(value: Any) -> str:
    """A JSON value on several lines."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


@contact_app.command("show")
def contact_show(
    contact_id: Annotated[str, typer.Argument(help="The contact's id.")],
    state: State = "",
    pipeline: Annotated[list[str] | None, typer.Option(help="Instead of the settings'.")] = None,
    settings: SettingsFile = None,
) -> None:
    """What came in, what is acknowledged, owed and waited for. Shows personal data."""
    loaded = load_settings(settings)

    async def work() -> dict[str, Any]:
        async with desk.opened(state or loaded.state) as store:
            entry = await desk.contact_entry(store, contact_id)
            terms = Terms(loaded.constants, live=False)
            return desk.shown(entry, find_all(pipeline or loaded.pipelines), terms, time.time())

    out.print(pretty(asyncio.run(work())), markup=False, highlight=False, soft_wrap=True)


@parked_app.command("list")
def parked_list(state: State = "", settings: SettingsFile = None) -> None:
    """List parked writes: contact, steps, since when, and Dynamics' first answer."""
    loaded = load_settings(settings)
    table = _table("contact", "steps", "parked", "status", "code", "answer")

    async def work() -> None:
        async with desk.opened(state or loaded.state) as store:
            async for w in desk.parked_writes(store):
                p = w.parked
                cells = (w.contact_id, ", ".join(p.steps), _age(p.at), str(p.status), p.code)
                table.add_row(*map(escape, (*cells, p.answer)))

    asyncio.run(work())
    out.print(table)


@parked_app.command("retry")
def parked_retry(
    contact_ids: Annotated[list[str] | None, typer.Argument(help="Which contacts.")] = None,
    all_: All = False,
    step: Annotated[str, typer.Option(help="Only writes of this step.")] = "",
    state: State = "",
    settings: SettingsFile = None,
) -> None:
    """Have the worker try parked writes again, rendered anew from the facts."""
    _named(contact_ids, all_=all_)
    loaded = load_settings(settings)
    found = asyncio.run(_each_parked(state or loaded.state, contact_ids, step, desk.retry_parked))
    out.print(f"{found} parked writes will be tried again")


@parked_app.command("drop")
def parked_drop(
    contact_ids: Annotated[list[str] | None, typer.Argument(help="Which contacts.")] = None,
    all_: All = False,
    step: Annotated[str, typer.Option(help="Only writes of this step.")] = "",
    state: State = "",
    yes: Yes = False,
    settings: SettingsFile = None,
) -> None:
    """Let go of parked writes: their records get no more writes."""
    _named(contact_ids, all_=all_)
    loaded = load_settings(settings)
    if not yes:
        typer.confirm("Drop them? Their records get no more writes", abort=True)
    found = asyncio.run(_each_parked(state or loaded.state, contact_ids, step, desk.drop_parked))
    out.print(f"{found} parked writes dropped")


def _named(ids: list[str] | None, *, all_: bool) -> None:
    if bool(ids) == all_:
        raise typer.BadParameter("name some, or say --all")


async def _each_parked(
    spec: str,
    contact_ids: list[str] | None,
    step: str,
    act: Callable[[ContactStore, desk.ParkedWrite], Awaitable[None]],
) -> int:
    found = 0
    async with desk.opened(spec) as store:
        async for write in desk.parked_writes(store):
            if desk.matches(write, contact_ids or (), step):
                await act(store, write)
                found += 1
    return found


@quarantine_app.command("list")
def quarantine_list(state: State = "", settings: SettingsFile = None) -> None:
    """List quarantined messages: id, origin, since when, reason."""
    loaded = load_settings(settings)
    table = _table("id", "origin", "since", "bytes", "reason")

    async def work() -> None:
        async with desk.opened(state or loaded.state) as store:
            async for item in desk.quarantined(store):
                cells = (item.id, item.origin, _age(item.at), f"{len(item.body):,}", item.reason)
                table.add_row(*map(escape, cells))

    asyncio.run(work())
    out.print(table)


@quarantine_app.command("show")
def quarantine_show(
    item_id: Annotated[str, typer.Argument(help="The message's id, from the list.")],
    state: State = "",
    settings: SettingsFile = None,
) -> None:
    """Write a quarantined message's bytes to standard output, as they came."""
    loaded = load_settings(settings)
    items = asyncio.run(_quarantined(state or loaded.state, [item_id]))
    sys.stdout.buffer.write(items[0].body)


@quarantine_app.command("retry")
def quarantine_retry(
    item_ids: Annotated[list[str] | None, typer.Argument(help="Which messages.")] = None,
    all_: All = False,
    state: State = "",
    settings: SettingsFile = None,
) -> None:
    """Take quarantined messages in again, after an upgrade."""
    _named(item_ids, all_=all_)
    loaded = load_settings(settings)
    configure("error")

    async def work() -> tuple[int, int]:
        async with desk.opened(state or loaded.state) as store:
            ingest = Ingest(store, frozenset(loaded.recording_buckets) or None)
            items = await _chosen(store, item_ids)
            used = [await desk.retry_quarantined(store, ingest, item) for item in items]
            return sum(used), len(used)

    used, tried = asyncio.run(work())
    out.print(f"{used} of {tried} quarantined messages could be used")
    raise typer.Exit(0 if used == tried else LEFT_ASIDE)


@quarantine_app.command("drop")
def quarantine_drop(
    item_ids: Annotated[list[str] | None, typer.Argument(help="Which messages.")] = None,
    all_: All = False,
    state: State = "",
    yes: Yes = False,
    settings: SettingsFile = None,
) -> None:
    """Remove quarantined messages for good."""
    _named(item_ids, all_=all_)
    loaded = load_settings(settings)
    if not yes:
        typer.confirm("Drop them? Their bytes are gone then", abort=True)

    async def work() -> int:
        async with desk.opened(state or loaded.state) as store:
            return await store.release([item.id for item in await _chosen(store, item_ids)])

    out.print(f"{asyncio.run(work())} quarantined messages dropped")


async def _quarantined(spec: str, item_ids: list[str]) -> list[Quarantined]:
    async with desk.opened(spec) as store:
        return await _chosen(store, item_ids)


async def _chosen(store: ContactStore, item_ids: list[str] | None) -> list[Quarantined]:
    items = [item async for item in desk.quarantined(store)]
    if item_ids is None:
        return items
    chosen = [item for item in items if item.id in item_ids]
    if missing := set(item_ids) - {item.id for item in chosen}:
        raise ConfigError(f"not in quarantine: {', '.join(sorted(missing))}")
    return chosen


def _table(first: str, *others: str) -> Table:
    """A table whose first cells stay in one piece, to be copied into the next command."""
    return Table(Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others))


def _age(at: float) -> str:
    seconds = max(0, int(time.time() - at))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return f"{seconds}s ago"
