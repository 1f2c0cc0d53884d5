"""Probes of keys: what is there already, alternate keys, and two who make the same at once."""

from __future__ import annotations

import asyncio

from typing import Any

from worker.conformance.organization import CannotTellError, Organization
from worker.conformance.states import code_of


#: How often two requests race; one conflict is enough.
RACES = 10

DETECT = {"MSCRM.SuppressDuplicateDetection": "false"}


async def key_taken_code(organization: Organization) -> Any:
    """A phone call is made twice."""
    call = await organization.make("phonecalls")
    answer = await organization.ask(
        "POST", "phonecalls", {"activityid": call, "subject": organization.name}
    )
    return code_of(answer, ("0x80040237", "0x80060892"))


async def duplicate_status(organization: Organization) -> Any:
    """An account is made that a published rule of duplicate detection finds."""
    address = f"conform-{organization.run}@example.com"
    await organization.make("accounts", emailaddress1=address)
    again = organization.own("accounts")
    body = {"accountid": again, "name": organization.name, "emailaddress1": address}
    answer = await organization.ask("POST", "accounts", body, DETECT)
    if not answer.failed:
        raise CannotTellError("no rule for accounts with the same e-mail is published")
    return answer.status


async def phonecall_keys(organization: Organization) -> Any:
    """A phone call is read by an alternate key."""
    keys = await _keys(organization, "phonecall")
    if keys and "Active" not in keys.values():
        return "pending"
    column = await alternate_key(organization, "phonecall")
    answer = await organization.ask("GET", f"phonecalls({column}='{organization.run}')")
    return "allow" if answer.code == "0x80060891" or not answer.failed else "refuse"


async def upsert_race(organization: Organization) -> Any:
    """Two requests make one phone call at the same time, several times."""
    for _ in range(RACES):
        call = organization.own("phonecalls")
        body = {"subject": organization.name}
        upserts = [organization.ask("PATCH", f"phonecalls({call})", body) for _ in range(2)]
        if any(answer.failed for answer in await asyncio.gather(*upserts)):
            return "conflict"
    return "accept"


async def alternate_key(organization: Organization, table: str) -> str:
    """The column that is a usable alternate key of a table by itself, and holds text.

    Raises:
        CannotTellError: There is none.
    """
    for column, status in (await _keys(organization, table)).items():
        if status == "Active":
            return column
    raise CannotTellError(f"{table} has no alternate key of one column that is ready")


async def _keys(organization: Organization, table: str) -> dict[str, str]:
    """The columns that are an alternate key by themselves, and how far each is."""
    path = f"EntityDefinitions(LogicalName='{table}')?$select=LogicalName&$expand=Keys"
    found = (await organization.read(path)).get("Keys", ())
    return {
        str(key["KeyAttributes"][0]): str(key["EntityKeyIndexStatus"])
        for key in found
        if len(key["KeyAttributes"]) == 1
    }
