"""What AWS, Entra and Dynamics say to settings and pipelines; nothing is changed anywhere."""

from __future__ import annotations

import asyncio

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import orjson

from pipelines.pipeline import Pipeline
from worker import aws
from worker.commands.advice import advised
from worker.commands.amazon_check import check_amazon
from worker.commands.check import Survey, impersonation, survey, usable
from worker.commands.finding import Finding, each_once, good, note
from worker.commands.link_check import Tables
from worker.commands.role_check import Matrix, Privilege, compare, privileges_of
from worker.commands.role_needs import Need, Use, needs
from worker.dynamics.binding import Binding
from worker.dynamics.client import DataverseClient
from worker.dynamics.connection import open_dynamics, users_of
from worker.dynamics.errors import DynamicsError, WrongOrganization
from worker.dynamics.protocol import Dynamics
from worker.dynamics.secret import read_secret
from worker.errors import ConfigError, WorkerError
from worker.operations.state import opened
from worker.settings import DYNAMICS, PREFIX, ApplicationUser, Settings


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Attributes:
        findings: What is in order, what to know, what to mend.
        matrices: What each application user may do.
    """

    findings: list[Finding]
    matrices: list[Matrix] = field(default_factory=list)


def to_json(findings: Iterable[Finding], matrices: Iterable[Matrix]) -> str:
    """Findings and matrices as JSON: ``{"findings": [...], "privileges": [...]}``."""
    document = {
        "findings": [{"severity": one.severity, "text": one.text} for one in findings],
        "privileges": [matrix.to_json() for matrix in matrices if matrix.cells],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


async def check_online(settings: Settings) -> Report:
    """Ask AWS and, as each application user, Dynamics, all at once.

    AWS: see ``worker.commands.amazon_check``. Dynamics: token, environment, and every table and
    column that pipelines name; these are asked for as the first application user; of each whether
    Dynamics lets it in, whether it may act for agents where a pipeline has it do so, and its
    privileges.
    """
    pipelines = usable(settings)
    told, (found, matrices) = await asyncio.gather(
        check_amazon(settings, pipelines), _dynamics(settings, pipelines)
    )
    return Report(each_once([*told, *found]), matrices)


async def _dynamics(
    settings: Settings, pipelines: list[Pipeline]
) -> tuple[list[Finding], list[Matrix]]:
    if settings.missing(*DYNAMICS):
        return [], []  # it was said which
    users, found = [], list[Finding]()
    async with AsyncExitStack() as opened:
        for user in users_of(settings):
            if not await _is_readable(user):
                text = f"Dynamics is not asked as {user.client_id}, whose secret cannot be read"
                found.append(note(text))
                continue
            try:
                way = open_dynamics(settings, aws.secrets, user=user)
                users.append((user, await opened.enter_async_context(way)))
            except ConfigError as error:
                found.append(Finding(str(error)))
        if not users:
            return found, []
        (_, first), *others = users
        letting_in = [_let_in(client, settings, pipelines, user) for user, client in others]
        surveyed, let_in = await asyncio.gather(
            survey(first, settings, pipelines), asyncio.gather(*letting_in)
        )
        found += [*surveyed.findings, *(one for told in let_in for one in told)]
        found += await _binding(first, settings)
        matrices = await _matrices(users, surveyed, pipelines)
    return found + [one for matrix in matrices for one in matrix.findings], matrices


async def _binding(dynamics: DataverseClient, settings: Settings) -> list[Finding]:
    """Whether the state holds what another organization acknowledged; it is not bound here."""
    try:
        async with opened(settings.state) as store:
            await Binding(dynamics.organization_id, settings.environment_url, store).check()
    except WrongOrganization as error:
        return [Finding(f"{PREFIX}STATE: {error}")]
    except WorkerError:
        pass  # there is no state yet, or what is the matter with it or with Dynamics was said
    return []


async def _is_readable(user: ApplicationUser) -> bool:
    """Whether a user's secret can be read; why not, the check without Dynamics tells."""
    try:
        await read_secret(user.secret, aws.secrets)
    except WorkerError:
        return False
    return True


async def _let_in(
    dynamics: Dynamics, settings: Settings, pipelines: list[Pipeline], user: ApplicationUser
) -> list[Finding]:
    """Whether Dynamics lets one of several application users in."""
    try:
        found = await dynamics.user_id()
    except DynamicsError as error:
        return [Finding(f"application user {user.client_id}: {advised(error)}")]
    known = good(f"{settings.environment_url} knows {user.client_id} as user {found}")
    return [known, *await impersonation(dynamics, found, pipelines)]


async def _matrices(
    users: Iterable[tuple[ApplicationUser, Dynamics]], surveyed: Survey, pipelines: list[Pipeline]
) -> list[Matrix]:
    """What each user may do, of those that Dynamics lets in."""
    if surveyed.tables is None:
        return []
    (_, first), *_ = listed = list(users)
    needed = needs(pipelines, surveyed.tables)
    sets = list(dict.fromkeys(one.table for one in needed))
    try:
        known = await privileges_of(first, _logical(sets, surveyed.tables))
    except DynamicsError as error:
        text = f"what privileges tables have cannot be read: {advised(error)}"
        return [Matrix("", findings=[note(text)])]
    return list(
        await asyncio.gather(*(_matrix(client, user, needed, known) for user, client in listed))
    )


def _logical(sets: Iterable[str], tables: Tables) -> list[tuple[str, str]]:
    return [(name, tables.sets[name]) for name in sets if name in tables.sets]


async def _matrix(
    dynamics: Dynamics,
    user: ApplicationUser,
    needed: Mapping[Need, Use],
    known: Mapping[Need, Privilege],
) -> Matrix:
    try:
        who = await dynamics.user_id()
    except DynamicsError:
        return Matrix(user.client_id)  # it was said that it is not let in
    try:
        return await compare(dynamics, who, user.client_id, needed, known)
    except DynamicsError as error:
        text = f"application user {user.client_id}: what it may do cannot be read: {advised(error)}"
        return Matrix(user.client_id, findings=[note(f"{text}")])
