"""Preview: what one step of a pipeline would send for real messages."""

from __future__ import annotations

import asyncio
import sys

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pipelines import ledger
from pipelines.contact import Contact
from pipelines.pipeline import Pipeline, Step
from pipelines.plan import Terms, opening, plan
from pipelines.write import Kind, Write
from worker import aws
from worker.dynamics.client import HEADERS
from worker.dynamics.lookup import look_up, lookup_cache
from worker.dynamics.protocol import Dynamics, Request
from worker.dynamics.requests import request_for
from worker.dynamics.writer import found_by
from worker.engine.ingest import Ingest
from worker.errors import ConfigError
from worker.settings import Settings
from worker.sources.archive import Archive
from worker.stores.memory import MemoryStore


#: Rounds in which a pipeline's earlier steps come to rest (lookups first, then what uses them).
ROUNDS = 5

#: How long one request of ``--send`` may take (s).
SEND_S = 60.0


@dataclass(frozen=True, slots=True)
class Preview:
    """One request as it would be sent; for a page to open only ``uri`` and ``method`` OPEN.

    ``write`` is what it is for; ``then`` are the URIs that a lookup may ask afterwards.
    """

    method: str
    uri: str
    headers: dict[str, str]
    body: dict[str, Any] | None
    request: Request | None = None
    write: Write | None = None
    then: tuple[str, ...] = ()


async def read_contacts(paths: Sequence[str], settings: Settings) -> list[Contact]:
    """The contacts that messages in files tell of.

    Raises:
        ConfigError: A file cannot be read, or holds nothing about a contact.
    """
    store = MemoryStore()
    ingest = Ingest(store, frozenset(settings.recording_buckets) or None)
    await Archive(paths, partial(aws.client, "s3")).run(ingest.handle, asyncio.Event())
    ids = await store.ids("", sys.maxsize)
    if not ids:
        reasons = ", ".join(ingest.tally.ignored) or "nothing in it can be understood"
        raise ConfigError(f"{' '.join(paths)}: no message about a contact ({reasons})")
    return [entry.contact for entry in await store.load(ids)]


def previews(
    contact: Contact, pipeline: Pipeline, name: str, settings: Settings
) -> tuple[list[Preview], str]:
    """The requests a step would send for a contact, or none and why.

    The steps before it in the file count as done, so what is shown is what this step adds.

    Raises:
        ConfigError: The pipeline has no such step.
    """
    step = pipeline.step(name)
    if step is None:
        known = ", ".join(step.name for step in pipeline.steps)
        raise ConfigError(f"{pipeline.name} has no step {name!r}; it has {known}")
    terms = Terms({"EnvironmentUri": _root(settings)} | settings.constants)
    if step.open:
        write = opening(contact, pipeline, step, terms)
        return [_shown(write, settings)] if write else [], "a value of its page is missing"
    writes, waiting = _writes(contact, pipeline, step, terms)
    mine = [write for write in writes if step.path in write.steps]
    reason = waiting.get(step.path, "it adds nothing to what the steps before it send")
    if any(write.search and not write.search.queries() for write in mine):
        return [], "no customer can have the value it looks for, so there is no match"
    return [_shown(write, settings) for write in mine], reason


def _writes(
    contact: Contact, pipeline: Pipeline, step: Step, terms: Terms
) -> tuple[list[Write], dict[str, str]]:
    position = pipeline.steps.index(step)
    earlier = replace(pipeline, steps=_alone(pipeline.steps[:position]))
    until = replace(pipeline, steps=_alone(pipeline.steps[: position + 1]))
    for _ in range(ROUNDS):
        for write in plan(contact, [earlier], float("inf"), terms).writes:
            ledger.acknowledge(contact, write, {})
    result = plan(contact, [until], float("inf"), terms)
    return result.writes, result.waiting


def _alone(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Steps that wait for none but one another: a preview does not wait."""
    return tuple(replace(step, after=()) for step in steps)


def _shown(write: Write, settings: Settings) -> Preview:
    if write.kind is Kind.OPEN:
        return Preview("OPEN", write.url, {"tab": "new" if write.tab else "embedded"}, None)
    if write.file is not None:
        return Preview("READ", write.url, {}, None)
    request = request_for(write, settings.create_by)
    headers = {**HEADERS, **request.headers, "Authorization": "Bearer <token>"}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    service = f"{_root(settings)}/api/data/{settings.api_version}/"
    then = tuple(service + query for query in write.search.queries()[1:]) if write.search else ()
    uri = service + request.path
    return Preview(request.method, uri, headers, request.body, request, write, then)


def _root(settings: Settings) -> str:
    return settings.environment_url or "https://<environment_url>"


async def send(preview: Preview, dynamics: Dynamics) -> dict[str, Any]:
    """Send a previewed request for real; the response object, with the match of a lookup.

    Raises:
        DynamicsError: Dynamics refused it, or did not answer.
    """
    assert preview.request is not None  # noqa: S101 - pages to open are not sent
    request, write = preview.request, preview.write
    if write is not None and write.search is not None:
        return await look_up(dynamics, write.search, lookup_cache(), timeout_s=SEND_S)
    if request.method in ("POST", "PATCH"):
        headers = {**request.headers, "Prefer": "return=representation"}
        request = replace(request, headers=headers)
    body = (await dynamics.send(request, timeout_s=SEND_S)).body
    if write is not None and write.kind is Kind.LOOKUP:
        body |= found_by(write, body)
    return body
