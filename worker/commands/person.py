"""``connect-dynamics person``: erase all contacts of a number or a mail address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.commands import options, output
from worker.terminal import pretty, show, shown


if TYPE_CHECKING:
    from worker.operations.dynamics_search import InDynamics
    from worker.operations.person import Certificate, Kept, Kind
    from worker.settings import Settings
    from worker.stores.protocol import ContactStore

person_app = typer.Typer(help="What is kept of a person.", no_args_is_help=True)


@person_app.callback()
def _person() -> None:
    """One command so far, which is named all the same."""


@person_app.command("forget")
def person_forget(
    phone: Annotated[str, typer.Option(help="With this number, +4930901820.")] = "",
    email: Annotated[str, typer.Option(help="With this mail address.")] = "",
    why: options.Why = "",
    dry_run: options.DryRun = False,
    form: Annotated[
        Literal["text", "json"], typer.Option("--output", "-o", help=options.FORM)
    ] = "text",
    state: options.State = "",
    yes: options.Yes = False,
    settings: options.SettingsFile = None,
) -> None:
    """Erase all contacts with a number or a mail address, and certify what was done.

    The index finds them, so its key must be set. Dynamics is searched for their records, which are
    listed, not changed.
    """
    from worker.operations.person import spellings
    from worker.settings import load_settings

    if bool(phone) == bool(email):
        raise typer.BadParameter("name one of --phone, --email")
    kind: Kind = "phone" if phone else "email"
    loaded = load_settings(settings)
    spec, written = state or loaded.state, spellings(kind, phone or email)

    async def look(store: ContactStore) -> tuple[str, Kept]:
        from worker import aws
        from worker.definitions import find_all
        from worker.operations.index import index_key, label_in
        from worker.operations.person import kept_of

        key = await index_key(loaded.index_key, aws.secrets)
        label = await label_in(store, kind, written[0], key)
        return label, await kept_of(store, label, written[0], find_all(loaded.pipelines))

    label, kept = options.finished(options.on(spec, look))
    records, searched = options.finished(_search(loaded, kept, written))
    lines = [*_told(kept), *_in_dynamics(records, searched)]
    _print(lines, to_err=form == "json")
    if dry_run:
        return
    if not yes and (kept.contacts or kept.quarantined):
        count = options.counted(len(kept.contacts), "contact")
        typer.confirm(f"Forget {count}? Nothing brings them back", abort=True, err=True)

    async def work(store: ContactStore) -> Certificate:
        from worker.clock import Clock
        from worker.operations.index import covered
        from worker.operations.person import Erasure, certified, forget_person

        clock = Clock()
        done = Erasure(clock.wall(), options.user(), why, label, spec)
        await forget_person(store, kept, written[0], clock, by=done.by, why=why)
        return certified(
            done,
            kept,
            dynamics=records,
            searched=searched,
            buckets=loaded.recording_buckets,
            covered=await covered(store),
        )

    done = options.finished(options.on(spec, work))
    if form == "json":
        show(pretty(done.document()))
    else:
        _print(_certificate(done), to_err=False)


async def _search(
    loaded: Settings, kept: Kept, written: list[str]
) -> tuple[list[InDynamics], list[str]]:
    """The person's records in Dynamics, and what was searched; or why nothing was."""
    from worker.clock import Clock
    from worker.commands.target import opened
    from worker.definitions import find_all
    from worker.errors import WorkerError
    from worker.operations.dynamics_search import InDynamics, Search
    from worker.operations.read_only import ReadOnly
    from worker.settings import DYNAMICS
    from worker.telemetry.logs import configure

    configure("error")
    of_state = [InDynamics(record, f"state: {told}") for record, told in kept.records.items()]
    if missing := loaded.missing(*DYNAMICS):
        return of_state, [f"Dynamics was not searched: {', '.join(missing)} not set"]
    try:
        async with opened(loaded.environment_url, loaded) as target:
            way = target.ways[0]
            reading = ReadOnly(way.dynamics, way.gate, way.probe, Clock())
            users = frozenset([await one.dynamics.user_id() for one in target.ways])
            search = Search(reading, users)
            found, told = await search.holding(find_all(loaded.pipelines), written)
            there = await search.still_there(kept.records)
    except WorkerError as error:
        return of_state, [f"Dynamics was not searched: {error}"]
    known = {one.record for one in there}
    return [*there, *(one for one in found if one.record not in known)], told


def _told(kept: Kept) -> Iterator[str]:
    count = options.counted(len(kept.contacts), "contact")
    yield (
        f"kept here: {count} with {kept.facts} facts, {kept.parked} parked writes;"
        f" {kept.quarantined} quarantined messages that mention them"
    )
    yield from (f"  {one}" for one in kept.contacts)
    if kept.related:
        yield "linked contacts, of the same person or of others, which stay:"
    yield from (f"  {one}" for one in kept.related)


def _in_dynamics(records: list[InDynamics], searched: list[str]) -> Iterator[str]:
    yield "in Dynamics, to delete there:" if records else "no record in Dynamics was found"
    for one in records:
        whose = {True: ", made by us", False: ", made by others", None: ""}[one.ours]
        made = f", {one.made}" if one.made else ""
        yield f"  {one.record}: by {one.known_by}{made}{whose}"
    yield "searched:"
    yield from (f"  {line}" for line in searched)


def _certificate(done: Certificate) -> Iterator[str]:
    yield ""
    yield f"erased {done.at} by {done.by}" + (f": {done.why}" if done.why else "")
    count = options.counted(len(done.contacts), "contact")
    yield f"of {done.person}: {count} in {done.state}, {done.quarantined} quarantined messages"
    yield "which contacts this covers:"
    yield from (f"  {line}" for line in done.period)
    yield "kept elsewhere, out of this program's reach:"
    yield from (f"  {where}: {what}" for where, what in done.elsewhere.items())


def _print(lines: list[str] | Iterator[str], *, to_err: bool) -> None:
    """Lines no wider than the terminal; continued ones are indented."""
    wide = output.width()
    for line in map(shown, lines):
        text = line.lstrip(" ")
        indent = " " * (len(line) - len(text))
        parts = [text] if wide is None else output.fold(text, wide - len(indent) - 2)
        for n, part in enumerate(parts):
            typer.echo(f"{indent}{'  ' if n else ''}{part}", err=to_err)
