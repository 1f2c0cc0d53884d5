"""``connect-dynamics parked``: writes that were set aside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands import completion, options, output
from worker.terminal import show


if TYPE_CHECKING:
    from worker.operations.parked import Choice, ParkedWrite
    from worker.operations.pile import Piles
    from worker.stores.protocol import ContactStore

parked_app = typer.Typer(
    help="Writes that were set aside: rejected for good, or stopped by a bug.",
    no_args_is_help=True,
    cls=options.Group,
)

#: A cause, as it is listed.
CAUSES = (
    output.number("writes"),
    output.number("contacts"),
    output.Column("oldest", text=output.age),
    output.Column("table"),
    output.Column("status"),
    output.Column("code"),
    output.Column("steps", wide=True),
    output.Column("message", wide=True),
)

#: A write, as it is listed.
WRITES = (
    output.Column("contact"),
    output.Column("at", "parked", output.age),
    output.Column("status"),
    output.Column("code"),
    output.Column("steps", wide=True),
    output.Column("message", wide=True),
)

Contacts = Annotated[
    list[str] | None,
    typer.Argument(help="Which contacts.", autocompletion=completion.parked_contacts),
]
Step = Annotated[
    str, typer.Option(help="Only writes of this step.", autocompletion=completion.steps)
]
Code = Annotated[str, typer.Option(help="Only with this HTTP status or code; bug: a bug of ours.")]
Since = Annotated[str, typer.Option(help="Only parked since this ISO time, or 2h, 3d ago.")]

NOTHING = "nothing is parked"


@parked_app.command("list")
def parked_list(
    step: Step = "",
    code: Code = "",
    since: Since = "",
    ids: Annotated[bool, typer.Option("--ids", help="One by one, with ids.")] = False,
    limit: options.Limit = options.LIMIT,
    form: options.Output = "table",
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """List parked writes by cause: table, code and message without ids and values."""
    from worker.operations.listing import Listed
    from worker.operations.parked import parked_writes
    from worker.operations.pile import ParkedCause, ParkedLine, line, piled

    choice = _choice([], step, code, since)

    async def causes(store: ContactStore) -> list[ParkedCause]:
        return (await piled(store, choice)).rows()

    async def lines(store: ContactStore) -> list[ParkedLine]:
        await piled(store, choice)
        return [line(write) async for write in parked_writes(store) if choice.takes(write)]

    listed: Listed[Any] = options.listed(
        options.spec_of(state, settings), lines if ids else causes, limit
    )
    output.write(listed, WRITES if ids else CAUSES, form, NOTHING)


@parked_app.command("export")
def parked_export(
    step: Step = "",
    code: Code = "",
    since: Since = "",
    form: options.Output = "ndjson",
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """Write out parked writes whole, with request and answer. Holds personal data."""
    from worker.operations.listing import Listed
    from worker.operations.parked import parked_writes
    from worker.operations.pile import Exported, exported

    choice = _choice([], step, code, since)

    async def work(store: ContactStore) -> list[Exported]:
        return [exported(write) async for write in parked_writes(store) if choice.takes(write)]

    found = options.finished(options.on(options.spec_of(state, settings), work))
    output.write(Listed(found), WRITES, form, NOTHING)


@parked_app.command("retry")
def parked_retry(
    contact_ids: Contacts = None,
    all_: options.All = False,
    step: Step = "",
    code: Code = "",
    since: Since = "",
    why: options.Why = "",
    dry_run: options.DryRun = False,
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """Let the worker try parked writes again, rendered from the facts it has now."""
    from worker.operations.parked import retry_parked

    options.named(contact_ids, all_=all_)
    spec, choice = options.spec_of(state, settings), _choice(contact_ids, step, code, since)
    piles = options.finished(_piles(spec, choice))
    if dry_run:
        _tell(piles, "would be tried again")
        return
    piles = options.finished(_each(spec, choice, partial(retry_parked, by=options.user(), why=why)))
    _tell(piles, "will be tried again")


@parked_app.command("drop")
def parked_drop(
    contact_ids: Contacts = None,
    all_: options.All = False,
    step: Step = "",
    code: Code = "",
    since: Since = "",
    why: options.Why = "",
    dry_run: options.DryRun = False,
    state: options.State = "",
    yes: options.Yes = False,
    settings: options.SettingsFile = None,
) -> None:
    """Give up parked writes: their records get no further writes."""
    from worker.operations.parked import drop_parked

    options.named(contact_ids, all_=all_)
    spec, choice = options.spec_of(state, settings), _choice(contact_ids, step, code, since)
    piles = options.finished(_piles(spec, choice))
    if dry_run or not piles.writes:
        _tell(piles, "would be dropped")
        return
    if not yes:
        _tell(piles, "would be dropped")
        typer.confirm("Drop them? Their records get no further writes", abort=True)
    dropped = options.finished(
        _each(spec, choice, partial(drop_parked, by=options.user(), why=why))
    )
    _tell(dropped, "dropped")


def _choice(contact_ids: list[str] | None, step: str, code: str, since: str) -> Choice:
    from worker.operations.parked import Choice

    ids = frozenset(contact_id.strip().lower() for contact_id in contact_ids or ())
    return Choice(ids, step, code, options.moment(since, "--since"))


async def _piles(spec: str, choice: Choice) -> Piles:
    from worker.operations.pile import piled

    return await options.on(spec, lambda store: piled(store, choice))


async def _each(
    spec: str, choice: Choice, act: Callable[[ContactStore, ParkedWrite], Awaitable[None]]
) -> Piles:
    """Act on what is meant, one by one; what was touched, by cause."""
    from worker.operations.parked import parked_writes
    from worker.operations.pile import Piles

    async def work(store: ContactStore) -> Piles:
        touched = Piles()
        async for write in parked_writes(store, choice.contact_ids):
            if choice.takes(write):
                await act(store, write)
                touched.add(write)
        return touched

    return await options.on(spec, work)


def _tell(piles: Piles, what: str) -> None:
    """How many writes of how many contacts, then by cause; of a few contacts also which."""
    from worker.operations.listing import Listed

    contacts = sorted(piles.contacts)
    some = f": {', '.join(contacts)}" if len(contacts) <= options.FEW and contacts else ""
    whose = f" of {options.counted(len(contacts), 'contact')}" if contacts else ""
    show(f"{options.counted(piles.writes, 'parked write')}{whose} {what}{some}")
    if piles.writes:
        output.write(Listed(piles.rows()), CAUSES, "table", NOTHING)
