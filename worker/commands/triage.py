"""The operator's commands: ``contact``, ``parked``, ``quarantine`` and ``state``."""

from __future__ import annotations

import sys
import time

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from worker.errors import ConfigError
from worker.terminal import pretty, print_tables, show, shown


if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from rich.table import Table

    from worker.commands.erasure import Traces
    from worker.operations import Group, ParkedWrite
    from worker.stores.protocol import ContactStore, Quarantined

T = TypeVar("T")

#: Exit status when something was or stays parked or quarantined.
LEFT_ASIDE = 3

contact_app = typer.Typer(help="Show one contact, or erase it.", no_args_is_help=True)
parked_app = typer.Typer(
    help="Writes that were set aside: rejected for good, or stopped by a bug.", no_args_is_help=True
)
quarantine_app = typer.Typer(help="Messages that could not be used.", no_args_is_help=True)
state_app = typer.Typer(help="The worker's own state.", no_args_is_help=True)

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="TOML file; environment variables override it.")
]
State = Annotated[str, typer.Option(help="sqlite:PATH or dynamodb:TABLE; default: the setting.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What a command's work comes to; it is run to its end."""
    import asyncio

    return asyncio.run(work)


def _spec(state: str, settings: Path | None) -> str:
    """Which state a command is about; the settings must be right even if it does not need them."""
    from worker.settings import load_settings

    loaded = load_settings(settings)
    return state or loaded.state


def _opened(spec: str) -> AbstractAsyncContextManager[ContactStore]:
    from worker import operations

    return operations.opened(spec)


@contact_app.command("show")
def contact_show(
    contact_id: Annotated[str, typer.Argument(help="The contact's id.")],
    state: State = "",
    pipeline: Annotated[list[str] | None, typer.Option(help="Pipelines to use instead.")] = None,
    settings: SettingsFile = None,
) -> None:
    """Show a contact: its facts, what Dynamics has, what is still due. Shows personal data."""
    from pipelines.plan import Terms
    from worker import operations
    from worker.definitions import find_all
    from worker.settings import load_settings

    loaded = load_settings(settings)

    async def work() -> dict[str, Any]:
        async with operations.opened(state or loaded.state) as store:
            entry = await operations.contact_entry(store, contact_id)
            terms = Terms(loaded.constants, files=loaded.files)
            return operations.shown(
                entry, find_all(pipeline or loaded.pipelines), terms, time.time()
            )

    show(pretty(finished(work())))


@contact_app.command("forget")
def contact_forget(
    contact_id: Annotated[str, typer.Argument(help="The contact's id.")],
    state: State = "",
    yes: Yes = False,
    settings: SettingsFile = None,
) -> None:
    """Erase a contact from the state for good, and list its records in Dynamics.

    Messages that are delivered again, or replayed into this state, do not bring it back.
    """
    from worker.commands import erasure
    from worker.definitions import find_all
    from worker.settings import load_settings

    loaded = load_settings(settings)
    spec = state or loaded.state
    uuid = _uuid(contact_id)
    pipelines = find_all(loaded.pipelines)

    async def look() -> Traces:
        async with _opened(spec) as store:
            return await erasure.traces(store, uuid, pipelines)

    async def work() -> None:
        async with _opened(spec) as store:
            await erasure.erase(store, uuid)

    show(_traces(finished(look())))
    if not yes:
        typer.confirm(f"Forget {uuid}? Nothing brings it back", abort=True)
    finished(work())
    show(f"{uuid} is forgotten")


def _uuid(contact_id: str) -> str:
    """A contact's id in its stored form; part of an id would be found in many messages."""
    from uuid import UUID

    try:
        return str(UUID(contact_id.strip()))
    except ValueError:
        raise typer.BadParameter(f"{contact_id!r} is not a contact id, which is a UUID") from None


def _traces(traces: Traces) -> str:
    kept = f"{traces.facts} facts, {traces.parked} parked writes"
    lines = [f"kept here: {kept}, {traces.quarantined} quarantined messages that mention it"]
    lines += ["still in Dynamics, to delete there:" if traces.records else "nothing in Dynamics"]
    lines += [f"  {record}: {state}" for record, state in traces.records.items()]
    if traces.related:
        lines += ["linked contacts, possibly of the same person:"]
    lines += [f"  {contact_id}" for contact_id in traces.related]
    return "\n".join(map(shown, lines))


@parked_app.command("list")
def parked_list(state: State = "", settings: SettingsFile = None) -> None:
    """List parked writes: first counted by step and reason, then one by one."""
    from worker import operations

    spec = _spec(state, settings)
    table = _table("contact", "steps", "parked", "status", "code", "answer")
    groups: defaultdict[tuple[str, ...], Group] = defaultdict(operations.Group)

    async def work() -> None:
        async with _opened(spec) as store:
            async for w in operations.parked_writes(store):
                p = w.parked
                status = "" if p.status is None else str(p.status)
                why = (", ".join(p.steps), status, p.code)
                groups[why].add(p.at, p.answer)
                _row(table, w.contact_id, why[0], _age(p.at), *why[1:], p.answer)

    finished(work())
    print_tables(_summary(groups, "steps", "status", "code", first="first answer"), table)


@parked_app.command("retry")
def parked_retry(
    contact_ids: Annotated[list[str] | None, typer.Argument(help="Which contacts.")] = None,
    all_: All = False,
    step: Annotated[str, typer.Option(help="Only writes of this step.")] = "",
    state: State = "",
    settings: SettingsFile = None,
) -> None:
    """Let the worker try parked writes again, rendered from the facts it has now."""
    from worker.operations import retry_parked

    _named(contact_ids, all_=all_)
    found = finished(_each_parked(_spec(state, settings), contact_ids, step, retry_parked))
    show(f"{found} parked writes will be tried again")


@parked_app.command("drop")
def parked_drop(
    contact_ids: Annotated[list[str] | None, typer.Argument(help="Which contacts.")] = None,
    all_: All = False,
    step: Annotated[str, typer.Option(help="Only writes of this step.")] = "",
    state: State = "",
    yes: Yes = False,
    settings: SettingsFile = None,
) -> None:
    """Give up parked writes: their records get no further writes."""
    from worker.operations import drop_parked

    _named(contact_ids, all_=all_)
    spec = _spec(state, settings)
    if not yes:
        typer.confirm("Drop them? Their records get no further writes", abort=True)
    found = finished(_each_parked(spec, contact_ids, step, drop_parked))
    show(f"{found} parked writes dropped")


def _named(ids: list[str] | None, *, all_: bool) -> None:
    if bool(ids) == all_:
        raise typer.BadParameter("name some, or pass --all")


async def _each_parked(
    spec: str,
    contact_ids: list[str] | None,
    step: str,
    act: Callable[[ContactStore, ParkedWrite], Awaitable[None]],
) -> int:
    from worker import operations

    found = 0
    async with _opened(spec) as store:
        async for write in operations.parked_writes(store):
            if operations.matches(write, contact_ids or (), step):
                await act(store, write)
                found += 1
    return found


@quarantine_app.command("list")
def quarantine_list(state: State = "", settings: SettingsFile = None) -> None:
    """List quarantined messages: first counted by reason, then one by one."""
    from worker import operations

    spec = _spec(state, settings)
    table = _table("id", "origin", "since", "bytes", "reason")
    groups: defaultdict[tuple[str, ...], Group] = defaultdict(operations.Group)

    async def work() -> None:
        async with _opened(spec) as store:
            async for item in operations.quarantined(store):
                groups[item.reason,].add(item.at, item.origin)
                size = f"{len(item.body):,}"
                _row(table, item.id, item.origin, _age(item.at), size, item.reason)

    finished(work())
    print_tables(_summary(groups, "reason", first="first origin"), table)


@quarantine_app.command("show")
def quarantine_show(
    item_id: Annotated[str, typer.Argument(help="The message's id, from the list.")],
    state: State = "",
    settings: SettingsFile = None,
) -> None:
    """Write a quarantined message to standard output, byte for byte."""
    spec = _spec(state, settings)

    async def work() -> bytes:
        async with _opened(spec) as store:
            [item] = [item async for item in _chosen(store, [item_id])]
            return item.body

    sys.stdout.buffer.write(finished(work()))


@quarantine_app.command("retry")
def quarantine_retry(
    item_ids: Annotated[list[str] | None, typer.Argument(help="Which messages.")] = None,
    all_: All = False,
    state: State = "",
    settings: SettingsFile = None,
) -> None:
    """Read quarantined messages again, for example after an upgrade."""
    from worker.engine.ingest import Ingest
    from worker.operations import retry_quarantined
    from worker.settings import load_settings
    from worker.telemetry.logs import configure

    _named(item_ids, all_=all_)
    loaded = load_settings(settings)
    configure("error")

    async def work() -> tuple[int, int]:
        async with _opened(state or loaded.state) as store:
            ingest = Ingest(store, frozenset(loaded.recording_buckets) or None)
            items = _chosen(store, item_ids)
            used = [await retry_quarantined(store, ingest, item) async for item in items]
            return sum(used), len(used)

    used, tried = finished(work())
    show(f"{used} of {tried} quarantined messages could be used")
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
    spec = _spec(state, settings)
    if not yes:
        typer.confirm("Drop them? Their bytes are lost", abort=True)

    async def work() -> int:
        async with _opened(spec) as store:
            chosen = [item.id async for item in _chosen(store, item_ids)]
            return await store.release(chosen)

    show(f"{finished(work())} quarantined messages dropped")


@state_app.command("restored")
def state_restored(state: State = "", yes: Yes = False, settings: SettingsFile = None) -> None:
    """Declare that the state was restored from a copy, or was lost.

    The worker notices a restoration by itself, unless the copy was less than a minute old, or
    of the whole disk including the mark beside the state, or the table was created again.
    Declaring one needlessly costs only reads: from then on the records of all contacts that
    began before are read before they are written, and what people changed there stays.
    """
    from worker.stores.restoration import WHAT_NEXT, declare

    spec = _spec(state, settings)
    if not yes:
        typer.confirm(
            "Was the state restored, or lost? Records are read first from now on",
            abort=True,
        )

    async def work() -> int:
        async with _opened(spec) as store:
            return (await declare(store, time.time())).number

    number = finished(work())
    show(f"restoration {number}, which running workers notice within a minute: {WHAT_NEXT}")


async def _chosen(store: ContactStore, item_ids: list[str] | None) -> AsyncIterator[Quarantined]:
    """The named messages, or all; one at a time, as together they may be large."""
    from worker import operations

    missing = set(item_ids or ())
    async for item in operations.quarantined(store):
        if item_ids is None or item.id in missing:
            missing.discard(item.id)
            yield item
    if missing:
        raise ConfigError(f"not in quarantine: {', '.join(sorted(missing))}")


def _table(first: str, *others: str) -> Table:
    """A table whose first column is never wrapped, so that ids can be copied from it."""
    from rich.table import Column, Table

    return Table(Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others))


def _row(table: Table, *cells: str) -> None:
    from rich.markup import escape

    table.add_row(*(escape(shown(cell)) for cell in cells))


def _summary(groups: Mapping[tuple[str, ...], Group], *why: str, first: str) -> Table:
    """A row for each group, the largest first."""
    table = _table("count", "oldest", *why, first)
    for key, group in sorted(groups.items(), key=lambda item: -item[1].count):
        _row(table, f"{group.count:,}", _age(group.at), *key, group.first)
    return table


def _age(at: float) -> str:
    seconds = max(0, int(time.time() - at))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return f"{seconds}s ago"
