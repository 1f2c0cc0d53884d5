"""``connect-dynamics contact``: find, show and erase contacts."""

from __future__ import annotations

import time

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from worker.commands import completion, options, output
from worker.terminal import pretty, show, shown


if TYPE_CHECKING:
    from pipelines.labels import Keyed
    from worker.operations.contacts import ContactRow
    from worker.operations.erasure import Traces
    from worker.operations.listing import Listed
    from worker.stores.protocol import ContactStore

ContactId = Annotated[
    str, typer.Argument(help="The contact's id.", autocompletion=completion.contacts)
]

contact_app = typer.Typer(help="Find, show and erase contacts.", no_args_is_help=True)

#: A contact, as it is listed.
CONTACTS = (
    output.Column("contact"),
    output.Column("began", text=output.age),
    output.Column("channel"),
    output.Column("state"),
    output.Column("expired", "late"),
    output.Column("queue", wide=True),
    output.Column("failing", wide=True),
)

NOTHING = "no contact"


@contact_app.command("list")
def contact_list(
    due: Annotated[bool, typer.Option("--due", help="Only those to be pushed now.")] = False,
    parked: Annotated[bool, typer.Option("--parked", help="Only with parked writes.")] = False,
    expired: Annotated[
        bool, typer.Option("--expired", help="Only where a page or write-back came too late.")
    ] = False,
    failing: Annotated[
        str, typer.Option(help="Only with writes parked with this HTTP status or code.")
    ] = "",
    since: Annotated[str, typer.Option(help="Only begun since this ISO time, or 2h, 3d ago.")] = "",
    until: Annotated[str, typer.Option(help="Only begun until then.")] = "",
    channel: Annotated[str, typer.Option(help="Only of this channel: VOICE, CHAT, …")] = "",
    queue: Annotated[str, typer.Option(help="Only of this queue, by name or id.")] = "",
    limit: options.Limit = options.LIMIT,
    form: options.Output = "table",
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """List contacts, newest first: by what is the matter with them, by time, channel and queue."""
    from worker.operations.contacts import Wanted, listed

    wanted = Wanted(
        due,
        parked,
        expired,
        failing,
        options.moment(since, "--since"),
        options.moment(until, "--until"),
        channel,
        queue,
    )
    if wanted.until and wanted.until < wanted.since:
        raise typer.BadParameter("--until is before --since", param_hint="--until")
    spec = options.spec_of(state, settings)
    found = options.on(spec, lambda store: listed(store, wanted, limit, time.time()))
    output.write(options.finished(found), CONTACTS, form, NOTHING)


@contact_app.command("find")
def contact_find(
    phone: Annotated[str, typer.Option(help="With this number, +4930901820.")] = "",
    email: Annotated[str, typer.Option(help="With this mail address.")] = "",
    agent: Annotated[str, typer.Option(help="With this agent, by user name.")] = "",
    record: Annotated[
        str, typer.Option(help="With this record: its id, or its address as Dynamics shows it.")
    ] = "",
    limit: options.Limit = options.LIMIT,
    form: options.Output = "table",
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """Find contacts by whom they are with, or by a record in Dynamics; newest first."""
    from worker import aws
    from worker.operations.contacts import pasted, with_label
    from worker.operations.index import index_key, label_in
    from worker.settings import load_settings

    given: list[tuple[Keyed, str]] = [
        ("phone", phone),
        ("email", email),
        ("agent", agent),
        ("record", pasted(record)),
    ]
    named = [(kind, text) for kind, text in given if text]
    if len(named) != 1:
        raise typer.BadParameter("name one of --phone, --email, --agent, --record")
    [(kind, text)] = named
    loaded = load_settings(settings)

    async def work(store: ContactStore) -> Listed[ContactRow]:
        key = await index_key(loaded.index_key, aws.secrets)
        label = await label_in(store, kind, text, key)
        return await with_label(store, label, limit, time.time())

    found = options.finished(options.on(state or loaded.state, work))
    output.write(found, CONTACTS, form, NOTHING)


@contact_app.command("show")
def contact_show(
    contact_id: ContactId,
    state: options.State = "",
    pipeline: Annotated[
        list[str] | None,
        typer.Option(help="Pipelines to use instead.", autocompletion=completion.pipelines),
    ] = None,
    form: Annotated[
        Literal["text", "json"], typer.Option("--output", "-o", help=options.FORM)
    ] = "text",
    settings: options.SettingsFile = None,
) -> None:
    """Show a contact: what is wrong, each step, what happened when. JSON has all, with values."""
    from worker.commands.contact_page import page
    from worker.definitions import find_all
    from worker.operations.contact import contact_entry, described
    from worker.operations.state import opened
    from worker.operations.terms import remembered_terms
    from worker.settings import load_settings

    loaded = load_settings(settings)
    pipelines = find_all(pipeline or loaded.pipelines)

    async def work() -> dict[str, Any]:
        async with opened(state or loaded.state) as store:
            entry = await contact_entry(store, contact_id)
            terms = await remembered_terms(store, pipelines, loaded.constants, loaded.files)
            return described(entry, pipelines, terms, time.time())

    told = options.finished(work())
    if form == "json":
        show(pretty(told))
        return
    for line in page(told, output.width()):
        show(line)


@contact_app.command("forget")
def contact_forget(
    contact_id: ContactId,
    why: options.Why = "",
    state: options.State = "",
    yes: options.Yes = False,
    settings: options.SettingsFile = None,
) -> None:
    """Erase a contact from the state for good, and list its records in Dynamics.

    Messages that are delivered again, or replayed into this state, do not bring it back.
    """
    from worker.definitions import find_all
    from worker.operations import erasure
    from worker.operations.state import opened
    from worker.settings import load_settings

    loaded = load_settings(settings)
    spec = state or loaded.state
    uuid = _uuid(contact_id)
    pipelines = find_all(loaded.pipelines)

    async def look() -> Traces:
        async with opened(spec) as store:
            return await erasure.traces(store, uuid, pipelines)

    async def work() -> None:
        async with opened(spec) as store:
            await erasure.erase(store, uuid, by=options.user(), why=why)

    show(_traces(options.finished(look())))
    if not yes:
        typer.confirm(f"Forget {uuid}? Nothing brings it back", abort=True)
    options.finished(work())
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
