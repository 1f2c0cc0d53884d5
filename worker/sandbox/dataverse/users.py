"""Application users: the systemuser that stands for each client of the Web API."""

from __future__ import annotations

import uuid

from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.rows.records import Row
from worker.sandbox.dataverse.schema.tables import SYSTEMUSER


if TYPE_CHECKING:
    from worker.sandbox.dataverse.rows.records import Rows


#: The client that there is unless others are named.
CLIENT_ID: Final = "11111111-2222-4333-8444-555555555555"

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
