"""Probes of what links records: lookups in a body, and the parties of activities."""

from __future__ import annotations

from typing import Any

from worker.conformance.keys import alternate_key
from worker.conformance.organization import CannotTellError, Organization, accepted


CUSTOMER = "regardingobjectid_contact_phonecall@odata.bind"
COMPANY = "regardingobjectid_account_phonecall@odata.bind"
SHORT = "regardingobjectid_contact@odata.bind"
PARTIES = "phonecall_activity_parties"

#: Participation types that Dataverse fills in itself (entity reference ``activityparty``).
REGARDING, OWNER = 8, 9


async def patch_parties(organization: Organization) -> Any:
    """A phone call's parties are nested in an update."""
    call = await organization.make("phonecalls")
    party = {"addressused": "conform@example.com", "participationtypemask": 1}
    answer = await organization.ask("PATCH", f"phonecalls({call})", {PARTIES: [party]})
    if not accepted(answer):
        return "refuse"
    return "replace" if party["addressused"] in await _addresses(organization, call) else "ignore"


async def bad_bind_status(organization: Organization) -> Any:
    """A phone call is made about a contact that is not there."""
    nobody = organization.own("contacts")
    answer = await _make_about(organization, {CUSTOMER: f"/contacts({nobody})"})
    if accepted(answer):
        raise CannotTellError("a link to a record that is not there is accepted")
    return answer.status


async def short_regarding(organization: Organization) -> Any:
    """A phone call is made about a contact by the name that all activities have for it."""
    contact = await organization.make("contacts")
    answer = await _make_about(organization, {SHORT: f"/contacts({contact})"})
    return "accept" if accepted(answer) else "refuse"


async def bind_by_key(organization: Organization) -> Any:
    """A phone call is made about a contact that an alternate key names."""
    column = await alternate_key(organization, "contact")
    value = f"conform-{organization.run}@example.com"
    await organization.make("contacts", **{column: value})
    answer = await _make_about(organization, {CUSTOMER: f"/contacts({column}='{value}')"})
    return "accept" if accepted(answer) else "refuse"


async def bind_text(organization: Organization) -> Any:
    """The same, with a key that is percent-encoded."""
    column = await alternate_key(organization, "contact")
    value = f"conform+{organization.run}@example.com"
    await organization.make("contacts", **{column: value})
    plain = await _make_about(organization, {CUSTOMER: f"/contacts({column}='{value}')"})
    encoded = value.replace("+", "%2B")
    answer = await _make_about(organization, {CUSTOMER: f"/contacts({column}='{encoded}')"})
    if plain.failed and answer.failed:
        raise CannotTellError(f"a link by alternate key is refused ({plain})")
    return "raw" if answer.failed else "decoded"


async def null_bind(organization: Organization) -> Any:
    """A phone call's link is emptied by ``"<nav>@odata.bind": null``."""
    contact = await organization.make("contacts")
    call = await organization.make("phonecalls", **{CUSTOMER: f"/contacts({contact})"})
    answer = await organization.ask("PATCH", f"phonecalls({call})", {CUSTOMER: None})
    if answer.failed:
        return "fail" if answer.status >= 500 else "refuse"  # noqa: PLR2004 - HTTP
    if not await _regarding(organization, call):
        raise CannotTellError("it empties the link, which the sandbox has no position for")
    return "ignore"


async def two_binds(organization: Organization) -> Any:
    """A phone call is made about a contact and an account: two names of one lookup."""
    contact = await organization.make("contacts")
    account = await organization.make("accounts")
    links = {CUSTOMER: f"/contacts({contact})", COMPANY: f"/accounts({account})"}
    answer = await _make_about(organization, links)
    return "last" if accepted(answer) else "refuse"


async def automatic_parties(organization: Organization) -> Any:
    """A phone call about a contact is made, and its parties are read."""
    contact = await organization.make("contacts")
    call = await organization.make("phonecalls", **{CUSTOMER: f"/contacts({contact})"})
    kinds = {party.get("participationtypemask") for party in await _parties(organization, call)}
    return "shown" if kinds & {REGARDING, OWNER} else "hidden"


async def _make_about(organization: Organization, links: dict[str, str]) -> Any:
    call = organization.own("phonecalls")
    body = {"activityid": call, "subject": organization.name, **links}
    return await organization.ask("POST", "phonecalls", body)


async def _regarding(organization: Organization, call: str) -> Any:
    found = await organization.read(f"phonecalls({call})?$select=_regardingobjectid_value")
    return found["_regardingobjectid_value"]


async def _parties(organization: Organization, call: str) -> list[dict[str, Any]]:
    found = await organization.read(f"phonecalls({call})?$select=subject&$expand={PARTIES}")
    parties: list[dict[str, Any]] = found[PARTIES]
    return parties


async def _addresses(organization: Organization, call: str) -> list[Any]:
    return [party.get("addressused") for party in await _parties(organization, call)]
