"""``connect-dynamics quarantine``: messages that could not be used."""

from __future__ import annotations

import sys

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands import options
from worker.errors import ConfigError
from worker.terminal import print_tables, show


if TYPE_CHECKING:
    from worker.stores.protocol import ContactStore, Quarantined

quarantine_app = typer.Typer(help="Messages that could not be used.", no_args_is_help=True)


@quarantine_app.command("list")
def quarantine_list(state: options.State = "", settings: options.SettingsFile = None) -> None:
    """List quarantined messages: first counted by reason, then one by one."""
    from worker.operations.group import Group
    from worker.operations.quarantine import quarantined
    from worker.operations.state import opened

    spec = options.spec_of(state, settings)
    table = options.table_of("id", "origin", "since", "bytes", "reason")
    groups: defaultdict[tuple[str, ...], Group] = defaultdict(Group)

    async def work() -> None:
        async with opened(spec) as store:
            async for item in quarantined(store):
                groups[item.reason,].add(item.at, item.origin)
                size = f"{len(item.body):,}"
                options.add_row(
                    table, item.id, item.origin, options.age(item.at), size, item.reason
                )

    options.finished(work())
    print_tables(options.summary(groups, "reason", first="first origin"), table)


@quarantine_app.command("show")
def quarantine_show(
    item_id: Annotated[str, typer.Argument(help="The message's id, from the list.")],
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """Write a quarantined message to standard output, byte for byte."""
    spec = options.spec_of(state, settings)

    from worker.operations.state import opened

    async def work() -> bytes:
        async with opened(spec) as store:
            [item] = [item async for item in _chosen(store, [item_id])]
            return item.body

    sys.stdout.buffer.write(options.finished(work()))


@quarantine_app.command("retry")
def quarantine_retry(
    item_ids: Annotated[list[str] | None, typer.Argument(help="Which messages.")] = None,
    all_: options.All = False,
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """Read quarantined messages again, for example after an upgrade."""
    from worker.engine.ingest import Ingest
    from worker.operations.quarantine import retry_quarantined
    from worker.operations.state import opened
    from worker.settings import load_settings
    from worker.telemetry.logs import configure

    options.named(item_ids, all_=all_)
    loaded = load_settings(settings)
    configure("error")

    async def work() -> tuple[int, int]:
        async with opened(state or loaded.state) as store:
            ingest = Ingest(store, frozenset(loaded.recording_buckets) or None)
            items = _chosen(store, item_ids)
            used = [await retry_quarantined(store, ingest, item) async for item in items]
            return sum(used), len(used)

    used, tried = options.finished(work())
    show(f"{used} of {tried} quarantined messages could be used")
    raise typer.Exit(0 if used == tried else options.LEFT_ASIDE)


@quarantine_app.command("drop")
def quarantine_drop(
    item_ids: Annotated[list[str] | None, typer.Argument(help="Which messages.")] = None,
    all_: options.All = False,
    state: options.State = "",
    yes: options.Yes = False,
    settings: options.SettingsFile = None,
) -> None:
    """Remove quarantined messages for good."""
    from worker.operations.state import opened

    options.named(item_ids, all_=all_)
    spec = options.spec_of(state, settings)
    if not yes:
        typer.confirm("Drop them? Their bytes are lost", abort=True)

    async def work() -> int:
        async with opened(spec) as store:
            chosen = [item.id async for item in _chosen(store, item_ids)]
            return await store.release(chosen)

    show(f"{options.finished(work())} quarantined messages dropped")


async def _chosen(store: ContactStore, item_ids: list[str] | None) -> AsyncIterator[Quarantined]:
    """The named messages, or all; one at a time, as together they may be large."""
    from worker.operations.quarantine import quarantined

    missing = set(item_ids or ())
    async for item in quarantined(store):
        if item_ids is None or item.id in missing:
            missing.discard(item.id)
            yield item
    if missing:
        raise ConfigError(f"not in quarantine: {', '.join(sorted(missing))}")
