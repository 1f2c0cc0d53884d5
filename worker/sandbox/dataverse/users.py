"""Users: the one that stands for each client of the Web API, whom it acts for, and who may what.

Impersonation: [DOC webapi/impersonate-another-user-web-api].
"""

from __future__ import annotations

import uuid

from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.records import Row
from worker.sandbox.dataverse.schema.privileges import KINDS, privilege_id, privilege_name
from worker.sandbox.dataverse.schema.tables import SYSTEMUSER


if TYPE_CHECKING:
    from collections.abc import Collection

    from worker.sandbox.dataverse.odata.wire import Call
    from worker.sandbox.dataverse.rows.records import Rows
    from worker.sandbox.dataverse.schema.columns import Schema, Table
    from worker.sandbox.dataverse.switches import Switches


#: The client that there is unless others are named.
CLIENT_ID: Final = "11111111-2222-4333-8444-555555555555"

ACT_ON_BEHALF: Final = "prvActOnBehalfOfAnotherUser"

#: A user's systemuserid and the privilege that they lack.
Denied = tuple[str, str]

_VERBS: Final = {
    "GET": "Read", "POST": "Create", "PATCH": "Write", "PUT": "Write", "DELETE": "Delete",
}  # fmt: skip

_NAMESPACE: Final = uuid.UUID("c5b0a7f0-1f4e-4c1e-9a57-0a4b5a0d8f11")


def application_user(client_id: str) -> str:
    """The systemuserid of a client's application user."""
    return str(uuid.uuid5(_NAMESPACE, client_id))


def add_user(records: Rows, client_id: str) -> None:
    """Give a client its application user, unless it has one already."""
    user = application_user(client_id)
    if records.get(SYSTEMUSER, user):
        return
    columns = {
        "systemuserid": user,
        "applicationid": client_id,
        "fullname": "# connect-dynamics",
        "isdisabled": False,
    }
    with records.transaction():
        records.put(SYSTEMUSER, Row(user, records.next_version(), columns))


def caller(records: Rows, switches: Switches, denied: Collection[Denied], call: Call) -> str:
    """The systemuserid of the user in whose name a request is; "" if it is the sender's own.

    Raises:
        Refusal: The sender may not act for others, or there is no such user.
    """
    entra = call.headers.get("callerobjectid", "").strip().lower()
    named = entra or call.headers.get("mscrmcallerid", "").strip().lower()
    if named in {"", call.user}:
        return ""
    if (call.user, ACT_ON_BEHALF) in denied:
        raise refusals.missing_privilege(call.user, ACT_ON_BEHALF)
    column = "azureactivedirectoryobjectid" if entra else SYSTEMUSER.key
    found = next((row for row in records.all(SYSTEMUSER) if row.columns.get(column) == named), None)
    if found is None:
        raise refusals.unknown_caller(switches.unknown_caller, named)
    return "" if found.id == call.user else found.id


def check_rights(denied: Collection[Denied], call: Call, table: Table) -> None:
    """Whether the user may do this, and whoever acts for them as well.

    Raises:
        Refusal: One of them may not; it always names the user [LIVE
            dynamics-365-customer-engagement#100].
    """
    privilege = privilege_name(table, _VERBS.get(call.method, "Read"))
    if any((user, privilege) in denied for user in (call.user, call.delegate)):
        raise refusals.missing_privilege(call.user, privilege)


def all_privileges(denied: Collection[Denied], user: str, schema: Schema) -> list[dict[str, Any]]:
    """All privileges that a user has [DOC webapi/reference/retrieveuserprivileges]."""
    names = {privilege_name(table, kind) for table in schema.tables.values() for kind in KINDS}
    return [
        held for name in sorted({*names, ACT_ON_BEHALF}) for held in privileges(denied, user, name)
    ]


def privileges(denied: Collection[Denied], user: str, privilege: str) -> list[dict[str, Any]]:
    """A privilege as a user has it; nothing if they lack it [DOC auditing/retrieve-audit-data]."""
    held = {
        "Depth": "Global",
        "PrivilegeId": privilege_id(privilege),
        "BusinessUnitId": "0f0e0d0c-0b0a-4908-8706-050403020100",
        "PrivilegeName": privilege,
    }
    return [] if (user, privilege) in denied else [held]
