"""Whether settings and Dynamics agree on cloud, environment and what our user may do for others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from pipelines.pipeline import Pipeline
from pipelines.step import CreateStep, UpdateStep
from worker.dynamics.errors import DynamicsError
from worker.dynamics.impersonation import PRIVILEGE
from worker.dynamics.protocol import Dynamics, Request
from worker.environment import CLOUDS, cloud_of
from worker.settings import PREFIX, Settings


#: Timeout of the request (s).
ASK_S = 30.0

#: Answers whether a user has a privilege (powerapps-docs ``auditing/retrieve-audit-data``).
FUNCTION = "Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName"


def clouds(settings: Settings) -> list[str]:
    """What is wrong with the authority and the scope for the environment, and what to write."""
    cloud = cloud_of(settings.environment_url)
    found = []
    known = {one.authority for one in CLOUDS}
    if cloud and settings.authority in known - {cloud.authority}:
        found.append(
            f"{PREFIX}AUTHORITY: the environment is in the cloud {cloud.name!r}, whose tokens come "
            f"from {cloud.authority}; remove the setting"
        )
    if settings.scope and not settings.scope.endswith("/.default"):
        found.append(f"{PREFIX}SCOPE: an application's scope ends in /.default; remove the setting")
    host = urlsplit(settings.scope).hostname
    if cloud and host and host != urlsplit(settings.environment_url).hostname:
        found.append(
            f"{PREFIX}SCOPE: is of another host than the environment's address; remove the setting"
        )
    return found


async def impersonation(
    dynamics: Dynamics, user: str, pipelines: Iterable[Pipeline]
) -> tuple[bool | None, str]:
    """Whether steps with ``as`` will do as they say, and how that is said.

    Returns:
        True: they will; False: the privilege is missing; None: it cannot be told, or, without
        text, there are no such steps.
    """
    steps = [
        f"{pipeline.source}: step {step.name}"
        for pipeline in pipelines
        for step in pipeline.steps
        if isinstance(step, CreateStep | UpdateStep) and step.as_
    ]
    if not steps:
        return None, ""
    where = f"{', '.join(steps)}: as"
    path = f"systemusers({user})/{FUNCTION}(PrivilegeName='{PRIVILEGE}')"
    try:
        answer: dict[str, Any] = (await dynamics.send(Request("GET", path), timeout_s=ASK_S)).body
    except DynamicsError as error:
        return None, f"{where}: whether our user has {PRIVILEGE} cannot be told ({error})"
    if answer.get("RolePrivileges"):
        return True, f"{where}: our user may act on behalf of others"
    return False, (
        f"{where}: our user lacks {PRIVILEGE}, so records will be created by the application user; "
        "give it, itself and not through a team, a role with 'Act on Behalf of Another User' "
        "(Business Management), such as Delegate"
    )
