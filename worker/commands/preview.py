"""Preview: the requests that one step of a pipeline would send for real messages."""

from __future__ import annotations

import asyncio
import sys

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from pipelines.action import Change, Lookup, OpenPage, ReadFile, Reading, Verb
from pipelines.agenda import Agenda
from pipelines.contact import Contact
from pipelines.outcome import Done, Found
from pipelines.pipeline import Pipeline
from pipelines.plan import Plan, Terms, opening, plan
from pipelines.snapshot import snapshot
from pipelines.step import OpenStep, Step
from worker import aws
from worker.commands.samples import samples
from worker.dynamics.client import HEADERS
from worker.dynamics.impersonation import in_name_of
from worker.dynamics.lookup import look_up, make_lookups
from worker.dynamics.metadata import Metadata
from worker.dynamics.performer import found_by
from worker.dynamics.protocol import Dynamics, Request
from worker.dynamics.requests import request_for
from worker.engine.ingest import Ingest
from worker.errors import ConfigError
from worker.operations.progress import Progress
from worker.settings import Settings
from worker.sources.archive import Archive
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry


#: Timeout of one request of ``--send`` (s).
SEND_S = 60.0


@dataclass(frozen=True, slots=True)
class Preview:
    """One request as it would be sent; for a page to open only ``uri`` and ``method`` OPEN.

    ``action`` is what it carries out; ``then`` are the URIs it may request afterwards.
    """

    method: str
    uri: str
    headers: dict[str, str]
    body: dict[str, Any] | None
    request: Request | None = None
    action: Reading | Change | None = None
    then: tuple[str, ...] = ()


async def read_contacts(paths: Sequence[str], settings: Settings) -> list[Contact]:
    """The contacts that messages in files are about.

    Raises:
        ConfigError: A file cannot be read, or holds nothing about a contact.
    """
    if missing := await asyncio.to_thread(_first_missing, paths):
        raise ConfigError(
            f"{missing}: there is no such file; name one with --event, or an invented contact "
            f"with --sample ({', '.join(samples())})"
        )
    store = MemoryStore()
    ingest = Ingest(store, frozenset(settings.recording_buckets) or None)
    await Archive(paths, partial(aws.client, "s3")).run(ingest.handle, asyncio.Event())
    ids = await store.ids("", sys.maxsize)
    if not ids:
        reasons = ", ".join(ingest.tally.ignored) or "nothing in it can be understood"
        raise ConfigError(f"{' '.join(paths)}: no message about a contact ({reasons})")
    found = [entry.contact for entry in await store.load(ids)]
    return [contact for contact in found if contact.heard_of]


def _first_missing(paths: Sequence[str]) -> str:
    local = (path for path in paths if not path.startswith("s3://"))
    return next((path for path in local if not Path(path).exists()), "")


def previews(
    contact: Contact, pipeline: Pipeline, name: str, settings: Settings
) -> tuple[list[Preview], str]:
    """The requests that a step would send for a contact; if there are none, why.

    The steps before it in the file count as done, so only what this step adds is shown.

    Raises:
        ConfigError: The pipeline has no such step.
    """
    step = pipeline.step(name)
    if step is None:
        known = ", ".join(step.name for step in pipeline.steps)
        raise ConfigError(f"{pipeline.name} has no step {name!r}; it has {known}")
    terms = terms_of(settings)
    if isinstance(step, OpenStep):
        page = opened_page(contact, pipeline, step, settings)
        return [page] if page else [], why_nothing(contact, pipeline, step, settings)
    planned = _planned(contact, pipeline, step, terms)
    mine = [one for one in planned.actions if step.path in one.steps]
    if any(isinstance(one, Lookup) and not one.question.strip() for one in mine):
        return [], "no customer can have the value it looks for, so there is no match"
    shown = [shown_as(one, settings) for one in mine if isinstance(one, Reading | Change)]
    reason = _why(contact, pipeline, step, terms, planned)
    return shown, reason or "it adds nothing to what the steps before it send"


def terms_of(settings: Settings) -> Terms:
    """Under which terms contacts are previewed: everything counts, and nothing is live."""
    return Terms({"EnvironmentUri": _root(settings)} | settings.constants, files=settings.files)


def opened_page(
    contact: Contact, pipeline: Pipeline, step: OpenStep, settings: Settings
) -> Preview | None:
    """The page that a step would open for a contact, if all its values are known."""
    page = opening(contact, pipeline, step, terms_of(settings))
    return _page(page) if page else None


def why_nothing(contact: Contact, pipeline: Pipeline, step: Step, settings: Settings) -> str:
    """Why a step does nothing for a contact; "" if it does, or has done it."""
    terms = terms_of(settings)
    planned = plan(contact, [replace(pipeline, steps=_without_waits(pipeline.steps))], inf, terms)
    reason = _why(contact, pipeline, step, terms, planned)
    return reason or ("a value of its page is missing" if isinstance(step, OpenStep) else "")


def _why(contact: Contact, pipeline: Pipeline, step: Step, terms: Terms, planned: Plan) -> str:
    """The reason in words: of the pipeline if it does not take the contact, else of the step."""
    seen = snapshot(contact, terms.constants, terms.files)
    progress = Progress(Entry(contact), seen, planned, {}, terms, inf)
    told = progress.told([pipeline])[pipeline.name]
    if told["takes"] is not True:
        return f"{pipeline.name}: {told['why']}"
    if step.on not in seen.reached:
        reached = ", ".join(seen.reached)
        return f"it waits for {step.on!r}, and this contact has reached {reached}"
    one = told["steps"].get(step.name, {})
    reason = planned.waiting.get(step.path, "")
    reason = f"it waits {reason}" if reason.startswith("for ") else reason
    return one["why"] if one.get("state") == "skipped" and one["why"] else reason


def _planned(contact: Contact, pipeline: Pipeline, step: Step, terms: Terms) -> Plan:
    """The plan with this step once the ones before it are done."""
    position = pipeline.steps.index(step)
    earlier = replace(pipeline, steps=_without_waits(pipeline.steps[:position]))
    until = replace(pipeline, steps=_without_waits(pipeline.steps[: position + 1]))
    seen = snapshot(contact, terms.constants, terms.files)
    before = Agenda(contact, lambda: plan(contact, [earlier], inf, terms, seen).actions)
    while before.actions:
        # What is looked at before it is changed counts as there, empty and ours.
        read = isinstance(one := before.actions[0], Change) and one.verb is Verb.ADOPT
        before.settle(Found({}, frozenset(("",))) if read else Done())
    return plan(contact, [until], inf, terms, seen)


def _without_waits(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps without their ``after``: a preview does not wait."""
    return tuple(replace(step, after=()) for step in steps)


def _page(action: OpenPage) -> Preview:
    return Preview("OPEN", action.url, {"tab": "new" if action.tab else "embedded"}, None)


def shown_as(action: Reading | Change, settings: Settings) -> Preview:
    """The request by which an action is carried out."""
    if isinstance(action, ReadFile):
        return Preview("READ", action.url, {}, None, action=action)
    request = request_for(action, settings.create_by)
    if isinstance(action, Change):
        request = in_name_of(request, action.caller)
    headers = {**HEADERS, **request.headers, "Authorization": "Bearer <token>"}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    service = f"{_root(settings)}/api/data/{settings.api_version}/"
    search = action.search if isinstance(action, Lookup) else None
    wild = settings.lookup_wildcard
    chain = search.chain if search else ()
    queries = [query for one in chain for query in one.queries(wildcard=wild)]
    then = tuple(service + query for query in queries[1:])
    uri = service + request.path
    return Preview(request.method, uri, headers, request.body, request, action, then)


def _root(settings: Settings) -> str:
    return settings.environment_url or "https://<environment_url>"


async def send(preview: Preview, dynamics: Dynamics) -> dict[str, Any]:
    """Send a previewed request; the body of the answer, with the match of a lookup.

    Raises:
        DynamicsError: Dynamics refused it, or did not answer.
    """
    assert preview.request is not None  # noqa: S101 - pages to open are not sent
    request, action = preview.request, preview.action
    lookup = action if isinstance(action, Lookup) else None
    if lookup is not None and lookup.search is not None:
        tables = Metadata(dynamics)
        return await look_up(dynamics, lookup.search, make_lookups(), tables, timeout_s=SEND_S)
    if request.method in ("POST", "PATCH"):
        headers = {**request.headers, "Prefer": "return=representation"}
        request = replace(request, headers=headers)
    body = (await dynamics.send(request, timeout_s=SEND_S)).body
    return body | found_by(lookup, body) if lookup else body
