"""Probes of who asks: tokens, users in whose name is asked, and what is too much to ask."""

from __future__ import annotations

import uuid

from typing import Any

from worker.conformance.organization import CannotTellError, Organization
from worker.conformance.states import code_of
from worker.dynamics.impersonation import PRIVILEGE, SYSTEM_USER_ID


QUERY_THROTTLED = ("0x80048644", "0x80048544", "0x80048573")
UNAUTHORIZED = 401


async def www_authenticate(organization: Organization) -> Any:
    """Who we are is asked with a token that is none."""
    answer = await organization.ask("GET", "WhoAmI", headers={"Authorization": "Bearer conform"})
    if answer.status != UNAUTHORIZED:
        raise CannotTellError(f"a token that is none is answered {answer}")
    return "www-authenticate" in answer.headers


async def disabled_status(organization: Organization) -> Any:
    """Who we are is asked in the name of a disabled user, if there is one."""
    query = "$select=systemuserid&$filter=isdisabled%20eq%20true&$top=1"
    found = (await organization.read(f"systemusers?{query}"))["value"]
    if not found:
        raise CannotTellError("there is no disabled user")
    answer = await _asked_as(organization, str(found[0]["systemuserid"]))
    if answer.code not in ("0x80040225", "", "0x0") or not answer.failed:
        raise CannotTellError(f"a disabled user is answered {answer}")
    return answer.status


async def unknown_caller(organization: Organization) -> Any:
    """Who we are is asked in the name of nobody."""
    answer = await _asked_as(organization, str(uuid.uuid4()))
    return code_of(answer, ("0x80072560", "0x80041d1f", "0x80040217"))


async def wildcard_status(organization: Organization) -> Any:
    """A contact is made, and contacts are looked for whose name ends in something."""
    await organization.make("contacts")
    query = f"$select=contactid&$filter=endswith(lastname,'{organization.name}')&$top=1"
    answer = await organization.ask("GET", f"contacts?{query.replace(' ', '%20')}")
    if answer.code not in QUERY_THROTTLED:
        raise CannotTellError("no query was throttled: the table is small")
    return answer.status


async def _asked_as(organization: Organization, user: str) -> Any:
    answer = await organization.ask("GET", "WhoAmI", headers={SYSTEM_USER_ID: user})
    if PRIVILEGE.lower() in answer.message.lower():
        raise CannotTellError(f"our user lacks {PRIVILEGE}")
    return answer
