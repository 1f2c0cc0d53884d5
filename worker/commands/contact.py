"""``connect-dynamics contact``: show one contact, or erase it."""

from __future__ import annotations

import time

from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands import options
from worker.terminal import pretty, show, shown


if TYPE_CHECKING:
    from worker.operations.erasure import Traces

contact_app = typer.Typer(help="Show one contact, or erase it.", no_args_is_help=True)


@contact_app.command("show")
def contact_show(
    contact_id: Annotated[str, typer.Argument(help="The contact's id.")],
    state: options.State = "",
    pipeline: Annotated[list[str] | None, typer.Option(help="Pipelines to use instead.")] = None,
    settings: options.SettingsFile = None,
) -> None:
    """Show a contact: its facts and history, each step, what is next. Shows personal data."""
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

    show(pretty(options.finished(work())))


@contact_app.command("forget")
def contact_forget(
    contact_id: Annotated[str, typer.Argument(help="The contact's id.")],
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
            await erasure.erase(store, uuid)

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
