"""Trial: what ``preview`` does: choose a contact, show its requests, send them if that is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from pipelines.action import Change, Lookup, Verb
from pipelines.contact import Contact
from pipelines.entity import entity
from pipelines.outcome import Done
from pipelines.pipeline import Pipeline
from pipelines.step import OpenStep
from worker import aws
from worker.clock import Clock
from worker.commands.preview import (
    Preview,
    opened_page,
    previews,
    read_contacts,
    send,
    shown_as,
    terms_of,
    why_nothing,
)
from worker.commands.samples import path_of, samples
from worker.commands.trial_run import Played, rehearse, told
from worker.dynamics.connection import open_dynamics
from worker.dynamics.errors import DynamicsError
from worker.dynamics.metadata import Metadata
from worker.dynamics.performer import Performer
from worker.errors import ConfigError
from worker.files import MemoryFiles, S3Files
from worker.operations.contact import contact_entry
from worker.operations.state import opened
from worker.settings import DYNAMICS, Settings
from worker.terminal import pretty, shown


#: How many ids a message names.
FEW = 5

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be tried.

    Attributes:
        pipeline: The pipeline.
        step: The step; "": with ``all_`` every one.
        events: Files of messages.
        sample: An invented contact that ships.
        contact: Which contact of the messages; without any, which one of the state.
        state: The state.
        all_: Go through the steps before it, and ask the lookups.
        send: Write, and show what Dynamics answers.
    """

    pipeline: Pipeline
    step: str = ""
    events: tuple[str, ...] = ()
    sample: str = ""
    contact: str = ""
    state: str = ""
    all_: bool = False
    send: bool = False


async def tried(options: Options, settings: Settings, show: Show) -> bool:
    """Try a step, or all of them; whether there was something to send, and nothing was refused.

    Raises:
        ConfigError: There is no such step, message, sample or contact.
    """
    if not options.step and not options.all_:
        names = ", ".join(step.name for step in options.pipeline.steps)
        raise ConfigError(f"name a step, or pass --all; {options.pipeline.name} has {names}")
    contact = await _chosen(options, settings, show)
    if options.all_:
        return await _all(contact, options, settings, show)
    return await _one(contact, options, settings, show)


# --- the contact ----------------------------------------------------------------------------------


async def _chosen(options: Options, settings: Settings, show: Show) -> Contact:
    if options.sample and options.events:
        raise ConfigError("--sample is a contact of its own: leave out --event")
    if options.sample or options.events:
        paths = [path_of(options.sample)] if options.sample else list(options.events)
        return _one_of(await read_contacts(paths, settings), options, show)
    if options.contact:
        return await _stored(options, settings)
    raise ConfigError(
        "name messages with --event FILE, an invented contact with --sample "
        f"({', '.join(samples())}), or one of the state with --contact ID"
    )


def _one_of(found: list[Contact], options: Options, show: Show) -> Contact:
    contacts = {contact.id: contact for contact in found}
    if options.contact:
        chosen = contacts.get(options.contact.lower())
        if chosen is None:
            raise ConfigError(
                f"no message is about contact {options.contact}; there are {_some(contacts)}"
            )
        return chosen
    if len(contacts) > 1 and not options.sample:
        raise ConfigError(f"several contacts: choose one with --contact, {_some(contacts)}")
    first, *others = contacts
    if others:
        show(f"contact {first}; --contact chooses another: {', '.join(others)}\n")
    return contacts[first]


def _some(contacts: Mapping[str, Contact]) -> str:
    """The first few ids, for a message."""
    first = list(contacts)
    return ", ".join(first[:FEW]) + (f" and {len(first) - FEW} more" if len(first) > FEW else "")


async def _stored(options: Options, settings: Settings) -> Contact:
    """A contact of the state, by its facts alone: as if nothing had been sent for it."""
    async with opened(options.state or settings.state) as store:
        entry = await contact_entry(store, options.contact)
    if entry.unreadable:
        raise ConfigError(f"contact {options.contact} cannot be read: {entry.unreadable}")
    kept = {} if options.all_ else entry.contact.lookups
    return Contact(entry.contact.id, facts=entry.contact.facts, lookups=kept)


# --- one step -------------------------------------------------------------------------------------


async def _one(contact: Contact, options: Options, settings: Settings, show: Show) -> bool:
    pipeline, step = options.pipeline, options.step
    found, reason = previews(contact, pipeline, step, settings)
    for one in found:
        show(_text_of(one))
    for note in pipeline.guesses(step):
        show(f"\nnote {shown(note)}")
    if not found:
        show(f"{step} sends nothing: {shown(reason)}")
    return bool(found) and (not options.send or await _send(found, pipeline, settings, show))


def _text_of(one: Preview) -> str:
    lines = [f"{one.method} {one.uri}", *(f"{k}: {v}" for k, v in one.headers.items())]
    lines += [f"\nthen, if nobody is found: GET {uri}" for uri in one.then]
    if one.body is not None:
        lines += ["", pretty(one.body)]
    return "\n".join(lines)


async def _send(found: list[Preview], pipeline: Pipeline, settings: Settings, show: Show) -> bool:
    """Send; whether Dynamics took it all."""
    async with open_dynamics(settings, aws.secrets) as client:
        for one in found:
            if one.request is None or one.action is None:
                raise ConfigError("a page is opened on the agent's desktop, it cannot be sent")
            try:
                answer = await send(one, client)
            except DynamicsError as error:  # its message may name people: for a screen alone
                show(f"refused: {shown(told(error, one.action, pipeline))}")
                return False
            show(pretty(answer))
            if isinstance(one.action, Change):
                show(f"record: {_page_of(one.action, settings)}")
    return True


# --- all steps ------------------------------------------------------------------------------------


async def _all(contact: Contact, options: Options, settings: Settings, show: Show) -> bool:
    pipeline = _until(options.pipeline, options.step)
    terms, wrong, any_ = terms_of(settings), False, False
    async with _performer(options, settings) as performer:
        if performer is None:
            show("Dynamics is not asked: its settings are missing, so nobody is looked up\n")
        async for one in rehearse(contact, pipeline, terms, performer, send=options.send):
            show(_told(one, settings, sent=options.send))
            wrong, any_ = wrong or bool(one.failure), True
    for step in pipeline.steps:
        if isinstance(step, OpenStep) and (page := opened_page(contact, pipeline, step, settings)):
            show(f"{step.name}: {_text_of(page)}\n")
            any_ = True
        elif not wrong and (reason := why_nothing(contact, pipeline, step, settings)):
            show(f"{step.name} sends nothing: {shown(reason)}")
    return any_ and not wrong


def _until(pipeline: Pipeline, step: str) -> Pipeline:
    """The pipeline up to a step, none of which waits."""
    names = [one.name for one in pipeline.steps]
    if step and step not in names:
        raise ConfigError(f"{pipeline.name} has no step {step!r}; it has {', '.join(names)}")
    steps = pipeline.steps[: names.index(step) + 1] if step else pipeline.steps
    return replace(pipeline, steps=tuple(replace(one, after=()) for one in steps))


@asynccontextmanager
async def _performer(options: Options, settings: Settings) -> AsyncIterator[Performer | None]:
    """What asks and writes; None: the settings do not name an environment, and nothing is sent."""
    if settings.missing(*DYNAMICS) and not options.send:
        yield None
        return
    invented = bool(options.sample or options.events)  # their files are nowhere
    files = MemoryFiles() if invented else S3Files(partial(aws.client, "s3"))
    async with open_dynamics(settings, aws.secrets) as client:
        yield Performer(
            client, Clock(), files, create_by=settings.create_by, tables=Metadata(client)
        )


def _told(one: Played, settings: Settings, *, sent: bool) -> str:
    steps = ", ".join(path.rpartition("/")[2] for path in one.action.steps)
    preview = shown_as(one.action, settings)
    lines = [f"{steps}: {preview.method} {preview.uri}"]
    if preview.body is not None:
        lines.append(pretty(preview.body))
    if one.failure:
        lines.append(f"  refused: {shown(one.failure)}")
    elif isinstance(one.outcome, Done) and not isinstance(one.action, Change):
        lines.append(f"  found: {pretty(dict(one.outcome.answer))}")
    elif one.outcome is None:
        lines.append("  not asked" if isinstance(one.action, Lookup) else "  not sent")
    elif isinstance(one.action, Change) and sent and one.action.verb is not Verb.ADOPT:
        lines.append(f"  done; record: {_page_of(one.action, settings)}")
    return "\n".join([*lines, ""])


def _page_of(change: Change, settings: Settings) -> str:
    """The address of a record's page (model-driven apps, "open forms with a URL")."""
    table = entity(change.entity)
    page = f"main.aspx?etn={table.logical}&pagetype=entityrecord&id={change.key}"
    return f"{settings.environment_url}/{page}"
