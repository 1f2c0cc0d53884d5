"""``connect-dynamics parked``: writes that were set aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands import options
from worker.terminal import print_tables, show


if TYPE_CHECKING:
    from worker.operations.parked import ParkedWrite
    from worker.stores.protocol import ContactStore

parked_app = typer.Typer(
    help="Writes that were set aside: rejected for good, or stopped by a bug.", no_args_is_help=True
)


@parked_app.command("list")
def parked_list(state: options.State = "", settings: options.SettingsFile = None) -> None:
    """List parked writes: first counted by step and reason, then one by one."""
    from worker.operations.group import Group
    from worker.operations.parked import parked_writes
    from worker.operations.state import opened

    spec = options.spec_of(state, settings)
    table = options.table_of("contact", "steps", "parked", "status", "code", "answer")
    groups: defaultdict[tuple[str, ...], Group] = defaultdict(Group)

    async def work() -> None:
        async with opened(spec) as store:
            async for w in parked_writes(store):
                p = w.parked
                status = "" if p.status is None else str(p.status)
                why = (", ".join(p.steps), status, p.code)
                groups[why].add(p.at, p.answer)
                options.add_row(table, w.contact_id, why[0], options.age(p.at), *why[1:], p.answer)

    options.finished(work())
    print_tables(options.summary(groups, "steps", "status", "code", first="first answer"), table)


@parked_app.command("retry")
def parked_retry(
    contact_ids: Annotated[list[str] | None, typer.Argument(help="Which contacts.")] = None,
    all_: options.All = False,
    step: Annotated[str, typer.Option(help="Only writes of this step.")] = "",
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """Let the worker try parked writes again, rendered from the facts it has now."""
    from worker.operations.parked import retry_parked

    options.named(contact_ids, all_=all_)
    found = options.finished(
        _each_parked(options.spec_of(state, settings), contact_ids, step, retry_parked)
    )
    show(f"{found} parked writes will be tried again")


@parked_app.command("drop")
def parked_drop(
    contact_ids: Annotated[list[str] | None, typer.Argument(help="Which contacts.")] = None,
    all_: options.All = False,
    step: Annotated[str, typer.Option(help="Only writes of this step.")] = "",
    state: options.State = "",
    yes: options.Yes = False,
    settings: options.SettingsFile = None,
) -> None:
    """Give up parked writes: their records get no further writes."""
    from worker.operations.parked import drop_parked

    options.named(contact_ids, all_=all_)
    spec = options.spec_of(state, settings)
    if not yes:
        typer.confirm("Drop them? Their records get no further writes", abort=True)
    found = options.finished(_each_parked(spec, contact_ids, step, drop_parked))
    show(f"{found} parked writes dropped")


async def _each_parked(
    spec: str,
    contact_ids: list[str] | None,
    step: str,
    act: Callable[[ContactStore, ParkedWrite], Awaitable[None]],
) -> int:
    from worker.operations.parked import matches, parked_writes
    from worker.operations.state import opened

    found = 0
    async with opened(spec) as store:
        async for write in parked_writes(store):
            if matches(write, contact_ids or (), step):
                await act(store, write)
                found += 1
    return found
